/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_CORE_CHANGES_H
#define PROJFS_TESTS_CORE_CHANGES_H

/*
 * What users do, as calls that wait for their answer.  Each returns 0 or the negative errno that the application would
 * get.  What makes a name counts a look-up, as the kernel would.
 */

#include "fake.h"

int make_file(struct fake *f, uint64_t dir, const char *name, struct core_entry *ret);
/* A file with that content; its node id. */
uint64_t make_text(struct fake *f, uint64_t dir, const char *name, const char *text);
int make_dir(struct fake *f, uint64_t dir, const char *name, struct core_entry *ret);
int make_symlink(struct fake *f, uint64_t dir, const char *name, const char *target,
                 struct core_entry *ret);
int make_node(struct fake *f, uint64_t dir, const char *name, uint32_t mode,
              struct core_entry *ret);
int make_unnamed(struct fake *f, uint64_t dir, struct core_entry *ret);
int add_name(struct fake *f, uint64_t id, uint64_t dir, const char *name);
int remove_file(struct fake *f, uint64_t dir, const char *name);
int remove_dir(struct fake *f, uint64_t dir, const char *name);
int move(struct fake *f, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name,
         uint32_t flags);
int write_text(struct fake *f, uint64_t id, uint64_t offset, const char *text);
int set_attr(struct fake *f, uint64_t id, const struct core_setattr *change);
int cut(struct fake *f, uint64_t id, uint64_t size);
int change_mode(struct fake *f, uint64_t id, uint32_t mode);
int sync_node(struct fake *f, uint64_t id);
int set_xattr(struct fake *f, uint64_t id, const char *name, const char *value, uint32_t flags);
int remove_xattr(struct fake *f, uint64_t id, const char *name);
int restore(struct fake *f, const char *path);

/* Text that the caller frees. It fails the test if it cannot be read. */
char *text_of(struct fake *f, uint64_t id);
char *xattr_of(struct fake *f, uint64_t id, const char *name); /* NULL: it has none of that name */
char *target_of(struct fake *f, uint64_t id);

void assert_text(struct fake *f, uint64_t id, const char *text);
void assert_names(struct fake *f, uint64_t dir, const char *names); /* in the listing's order */
/* The bits that the state ioctl tells: 0x01 placeholder, 0x02 hydrated, 0x04 dirty, 0x08 full, 0x10 tombstone. */
void assert_state(struct fake *f, const char *path, uint32_t bits);
void assert_missing(struct fake *f, const char *path); /* below a directory that exists */
/* How often the provider was asked to describe @path. */
size_t times_asked(struct fake *f, enum command_kind kind, const char *path);
void expect_asked(struct fake *f, enum command_kind kind, const char *path, size_t times);

/* The kernel forgets one look-up of a node, or all. */
void forget_one(struct fake *f, uint64_t id);
void forget_all(struct fake *f, uint64_t id);

#endif
