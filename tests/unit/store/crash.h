/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_STORE_CRASH_H
#define PROJFS_TESTS_STORE_CRASH_H

/*
 * Things of every kind for the operations that change them, and crashes at every step of such an operation.
 */

#include "fixture.h"
#include "store/change.h"
#include "util/buf.h"

/* What can be at a path. */
enum kind {
	NOTHING,
	TOMBSTONE,
	MARKER,
	HYDRATED,
	LOCAL,
	LOCAL_LINK,
	LOCAL_DIR, /* with a file and a tombstone in it */
	PROJECTED_DIR, /* likewise, with a record */
	HOLLOW_DIR, /* with a record and only tombstones in it */
	EMPTY_DIR, /* the user's */
	N_KINDS,
};
extern const char *const kind_names[N_KINDS];

void put(struct store *s, const struct fixture *f, enum kind kind, const char *path);
bool is_dir_kind(enum kind kind);

/* All that is visible below the root, one line each, with a NUL. */
void snapshot(struct store *s, struct buf *ret);

/*
 * On a fresh root each time: @prepare, then @work in a process that is killed at its N-th step, for each
 * N until it gets through.  After each crash the next start is killed at each of its steps, too.
 * Then everything must look as before @work or as after it, with nothing left to do.
 */
struct crash_case {
	void (*prepare)(struct store *s, const struct fixture *f, const void *context);
	int (*work)(struct store *s, const void *context);
	const void *context;
	const char *name; /* said if it fails */
	const char *disable; /* PROJFS_DISABLE, or NULL */
};
void crash_everywhere(const struct crash_case *c);

#endif
