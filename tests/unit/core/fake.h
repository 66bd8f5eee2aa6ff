/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_CORE_FAKE_H
#define PROJFS_TESTS_CORE_FAKE_H

/*
 * A core between a provider that does as the test says, a kernel that writes down what it is told, and a real
 * store in a directory of its own.  Requests are waited for with a time limit, and at the end of each test
 * everything must be back: nodes, commands, sessions, parked requests.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/command.h"
#include "core/core.h"
#include "core/dir_buffer.h"
#include "core/ioctl.h"
#include "store/store.h"

#define FAKE_CALLS_MAX 4096
#define FAKE_ITEMS_MAX 512
#define FAKE_NAMES_MAX 4096
#define KIND(k) (1u << COMMAND_##k)

#define MIB (UINT64_C(1024) * 1024)

/* What the provider has. */
struct fake_item {
	char path[300];
	enum record_kind kind;
	uint64_t size;
	const char *version; /* ContentID; NULL: none */
	int64_t mtime; /* 0: not given */
	const char *target; /* of a link */
	bool size_unknown;
	uint8_t seed; /* decides the bytes */
	bool gone;
};

/* One callback: a copy, so that it can be answered after the command has ended. */
struct fake_call {
	enum command_kind kind;
	int32_t id;
	char path[300];
	uint32_t pid, uid; /* of who caused it */
	uint64_t offset, length;
	uint8_t stream[16];
	uint64_t session;
	bool restart;
	struct dir_buffer *buffer;
	/* notifications */
	uint32_t event;
	char destination[300]; /* "": none */
	bool is_directory, is_modified;
	uint64_t sequence, handle;
	uint64_t node; /* which item */
};

struct fake {
	char path[256];
	struct store *store;
	struct core *core;
	struct core_config config;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake_item items[FAKE_ITEMS_MAX];
	size_t n_items;

	/* How it behaves; masks of KIND(). */
	int (*hook)(struct fake *f, const struct fake_call *call); /* instead of fake_answer() */
	unsigned pend; /* answered CORE_PENDING; the test completes them */
	unsigned gate; /* wait inside the callback until the test opens */
	int error[COMMAND_N_KINDS];
	unsigned per_get; /* entries in one GET */

	/* What happened. */
	struct fake_call calls[FAKE_CALLS_MAX];
	size_t n_calls;
	unsigned n_gated;
	int32_t cancelled[64];
	size_t n_cancelled;
	unsigned n_started, n_ended;
	size_t listed[64]; /* per session modulo 64: entries given */
	unsigned n_expired, n_invalidated, n_data_invalidated;
	char expired[300];

	/* Look-ups that the kernel would have counted. */
	struct {
		uint64_t id, n;
	} seen[FAKE_NAMES_MAX];
	size_t n_seen;
	size_t n_kept; /* nodes that the core keeps at the end, described unasked */
	bool may_keep; /* any number: answers may come after their command was cancelled */
	bool stopped;
	bool read_only; /* the next start opens the store for looking only */
	/* told.h: calls that were looked at, and their text; what some notifications are answered. */
	size_t n_told;
	char told[8192];
	uint32_t vetoed, masked; /* events */
	int veto;
	uint32_t mask;
};

/* cmocka: a live view; fake_restart() after changing f->config for another. */
int fake_setup(void **state);
int fake_teardown(void **state);
/* Stop, check that nothing was lost, start anew over the same store. */
void fake_restart(struct fake *f);
void fake_stop(struct fake *f);

struct fake_item *fake_add(struct fake *f, const char *path, enum record_kind kind, uint64_t size);
struct fake_item *fake_find(struct fake *f, const char *path);
uint8_t fake_byte(const struct fake_item *item, uint64_t offset);
/* What a well-behaved provider does. 0 or a negative errno. */
int fake_answer(struct fake *f, const struct fake_call *call);
int fake_deliver(struct fake *f, const struct fake_call *call, uint64_t offset, uint64_t length);
int fake_complete(struct fake *f, const struct fake_call *call, int error);

/* Wait for the @n-th (from 0) callback of that kind. */
struct fake_call fake_wait_call(struct fake *f, enum command_kind kind, size_t n);
size_t fake_count(struct fake *f, enum command_kind kind);
void fake_open_gate(struct fake *f);
void fake_wait_gated(struct fake *f, unsigned n);
void fake_wait_cancelled(struct fake *f, int32_t id);
void fake_put_file(struct fake *f, const char *path, const char *text); /* below the mount */
char *fake_at(const struct fake *f, const char *path);

/* ---- requests ------------------------------------------------------------------------------- */

/* What to keep of the answer. */
enum want {
	WANT_NOTHING,
	WANT_DATA,
	WANT_BYTES,
	WANT_ENTRY,
	WANT_ATTR,
	WANT_HANDLE,
	WANT_COUNT, /* bytes written, or an offset: in length */
};

struct request {
	struct core_req req; /* first */
	enum want want;
	struct fake *f;
	bool done;
	int error;
	struct core_entry entry;
	struct core_attr attr;
	uint64_t handle;
	uint8_t *data;
	size_t length;
	/* readdir */
	size_t limit; /* entries to take; 0: all */
	size_t n_names;
	struct {
		char name[256];
		uint64_t next, ino, id; /* id: counted as looked up, or 0 */
		uint32_t type;
		bool has_entry;
	} * names;
};

/* Ready for a core_...() call with &r->req; request_deinit() after request_wait(). */
void request_init(struct fake *f, struct request *r, enum want want);
int request_wait(struct request *r);
bool request_is_done(struct request *r);
void request_deinit(struct request *r);

int lookup(struct fake *f, uint64_t parent, const char *name, struct core_entry *ret);
/* Along a path from the root; fails the test if something is missing. */
struct core_entry find(struct fake *f, const char *path);
int get_attr(struct fake *f, uint64_t id, struct core_attr *ret);
int open_node(struct fake *f, uint64_t id);
/* Reads and compares with what @item has; the length read, or an error. */
int64_t read_check(struct fake *f, uint64_t id, const struct fake_item *item, uint64_t offset,
                   size_t size);
int hydrate_node(struct fake *f, uint64_t id);
uint64_t open_dir(struct fake *f, uint64_t id);
int read_dir(struct fake *f, uint64_t id, uint64_t handle, uint64_t offset, size_t limit, bool plus,
             struct request *r);
int state_of(struct fake *f, const char *path, uint32_t flags, struct core_ioctl_state *ret);
/* "a b c": the names of a directory without the dots. */
char *names_of(struct fake *f, uint64_t id);
uint64_t stat_of(struct fake *f, size_t offset);
#define STAT(f, member) stat_of(f, offsetof(struct core_stats, member))

#endif
