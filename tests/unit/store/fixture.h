/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_STORE_FIXTURE_H
#define PROJFS_TESTS_STORE_FIXTURE_H

/*
 * A fresh root on a real disk for each test, and shorthand for what tests do to it: through the store,
 * and behind its back by plain paths, as users do while nothing runs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/store.h"

#define MTIME_SEC 1000000000
#define MTIME_NSEC 123456789

/* Something that is where the provider knows it. */
#define PLACE(p) (&(struct store_place){.path = (p), .origin = (p)})

struct fixture {
	char path[256];
	struct store *store;
};

/* cmocka's setup and teardown: a marked and opened root. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* An empty directory for a root that is not marked yet. */
int fixture_setup_bare(void **state);

void fixture_reopen(struct fixture *f);
/* As after a power cut: what was not made durable is lost. */
void fixture_reboot(struct fixture *f);

/* The path of @name below the root; good for a few calls. */
const char *fixture_at(const struct fixture *f, const char *name);
void write_file(const char *path, const char *text);
void remove_tree(const char *path);

struct record_bytes bytes_of(const char *text);
struct record file_record(size_t size); /* mode 0644, MTIME, ContentID "v1" */
struct record dir_record(void);

/* 0, or what the commit said. */
int hydrate(struct store *s, const char *path, const char *text, const struct record *rec);
enum store_state state_of(struct store *s, const char *path);
/* How many files and directories .projfs/@folder holds. */
int count_private(const struct fixture *f, const char *folder);
/* Wait, at most 10 seconds, until the folder is empty. */
bool becomes_empty(const struct fixture *f, const char *folder);

#endif
