/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_INTERNAL_H
#define PROJFS_STORE_INTERNAL_H

/*
 * What the files of the store share.
 *
 * Two descriptors are everything: `root`, the directory underneath the mount, and `private`, its
 * .projfs.  Nothing here uses an absolute path after store_open(), because by then a mount lies
 * over it.  Items are opened with O_PATH first and looked at through that descriptor, so that a
 * fifo or a device is never opened by accident and an item cannot change its kind meanwhile.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/epoch.h"
#include "store/record.h"
#include "store/store.h"
#include "util/hash.h"

#define PRIVATE_FILE_MAX (16 * 1024 * 1024) /* bytes of a file in .projfs that we read whole */

struct store {
	int root; /* O_PATH | O_DIRECTORY */
	int private; /* .projfs, O_RDONLY | O_DIRECTORY */
	int lock; /* .projfs/lock with flock held; -1 if read-only */
	bool readonly;
	uint32_t alignment;
	uint8_t guid[16];
	struct hash_key key;
	struct epochs epochs;

	atomic_bool no_tmpfile; /* O_TMPFILE was refused, or is switched off */
	atomic_bool has_records; /* something may lie in .projfs/rec */
	_Atomic uint64_t next_name; /* for names in .projfs that are unlike all others */
	_Atomic uint64_t next_intent;

	/* A mode that the store changes for a moment, see mode_loosen(). */
	pthread_mutex_t mode_lock;
	atomic_uint mode_changes; /* odd while one is changed */

	pthread_mutex_t remove_lock; /* removal of remnants: look again, then rename */
	pthread_mutex_t rename_lock; /* RENAME_NOREPLACE where the disk has none */

	/* Background deletion. */
	pthread_mutex_t clean_lock;
	pthread_cond_t clean_wake;
	pthread_t clean_thread;
	bool clean_running; /* protected by clean_lock: there is a thread to join */
	bool clean_wanted; /* likewise: something was put into .projfs/old */
	atomic_bool clean_stop;
};

/* ---- root.c ---------------------------------------------------------------------------------- */

struct store *store_new(bool readonly); /* with no descriptors yet */
void store_freep(struct store **s);

/* ---- disk.c: descriptors below the root ---------------------------------------------------- */

/* May @path be given by a caller?  -EINVAL malformed, -EPERM in .projfs. */
int disk_check(const char *path);
/*
 * openat2() below the root.  Only with O_PATH or O_DIRECTORY; a symbolic link in the way is
 * -ENOTDIR, since for us it is no directory.
 */
int disk_open(const struct store *s, const char *path, int flags);
/* The directory of @path, O_PATH, and in @ret_name the last component. -EINVAL for the root. */
int disk_open_parent(const struct store *s, const char *path, const char **ret_name);
/* One of our folders, made if need be, O_RDONLY. */
int disk_open_private(struct store *s, const char *folder);
/* Rename that never replaces. */
int disk_rename(struct store *s, int from_dir, const char *from, int to_dir, const char *to);

struct proc_path {
	char text[32];
};
/* A path that leads to the very file of an O_PATH descriptor, symbolic links included. */
struct proc_path proc_path(int fd);

/*
 * Through an O_PATH descriptor, also where our own file's mode forbids it: the mode is changed
 * around the access and put back.
 */
int disk_reopen(struct store *s, int fd, int flags);
ssize_t disk_getxattr(struct store *s, int fd, const char *name, void *value, size_t size);
/* stat and btime, never in the middle of such a change of mode. */
int disk_stat(struct store *s, int fd, struct stat *ret, struct timespec *ret_btime);

/* ---- private.c: files in .projfs -------------------------------------------------------------- */

#define PRIVATE_NAME_SIZE 24
/* A name that nothing in .projfs has. */
void private_name(struct store *s, char ret[PRIVATE_NAME_SIZE]);
/* Write all of it. */
int write_all(int fd, const void *data, size_t size);
/* Append what is in the file to @ret; -EFBIG above @max. */
int read_all(int fd, size_t max, struct buf *ret);
/* Replace .projfs/@name durably. */
int private_save(struct store *s, const char *name, const void *data, size_t size);
int private_load(const struct store *s, const char *name, struct buf *ret);

/* ---- attr.c: what a record makes of a file -------------------------------------------------- */

uint64_t binding_of_file(const struct store *s, const struct stat *st);
uint64_t binding_of_directory(const struct store *s, const struct stat *st);
uint32_t binding_of_meta(const struct store *s, const struct stat *st);

/* Is @name an extended attribute that belongs to users? */
bool attr_is_users(const char *name);
/*
 * Give the unnamed file (or directory) owner, attributes, times, bound record and mode.
 * @ret_ref: the record that was put aside for it in .projfs/rec, 0 if none.
 */
int attr_apply_file(struct store *s, int fd, const struct record *rec, uint64_t *ret_ref);
int attr_apply_directory(struct store *s, int fd, const struct record *rec, uint64_t *ret_ref);

/* ---- recordref.c: records too big for their place ----------------------------------------------- */

int recordref_write(struct store *s, const struct buf *encoded, bool durable, uint64_t *ret_ref);
int recordref_load(const struct store *s, uint64_t ref, struct buf *ret);
void recordref_remove(const struct store *s, uint64_t ref); /* 0 is fine */

/* ---- item.c -------------------------------------------------------------------------------------- */

/* Classify what an O_PATH descriptor shows.  A remnant says so and is left where it is. */
int item_examine(struct store *s, int fd, struct store_item *ret, bool *ret_remnant);
/* store_lookup() that changes nothing: a remnant is STORE_NONE. */
int item_peek(struct store *s, const char *path, struct store_item *ret);

/* ---- walk.c -------------------------------------------------------------------------------------- */

enum {
	WALK_ON, /* and into it, if it is a directory */
	WALK_STOP, /* end the walk, a success */
};
typedef int walk_visit(void *context, const char *path, const struct store_item *item);
/* Visit all that lies below the directory @path.  A negative result of @visit ends it, too.
 * @lenient: directories that we may not read and other mounts are left out instead. */
int walk_below(struct store *s, const char *path, bool lenient, walk_visit *visit, void *context);

/* ---- clean.c: .projfs/old -------------------------------------------------------------------------- */

/* Move @name out of @dir into .projfs/old, which a thread deletes slowly. */
int clean_move(struct store *s, int dir, const char *name);
void clean_start(struct store *s); /* there is something in .projfs/old */
void clean_stop(struct store *s);

/* ---- partial.c -------------------------------------------------------------------------------------- */

/* How many there are, and how much of them has arrived. */
int partial_usage(struct store *s, uint64_t *ret_n, uint64_t *ret_bytes);

/* ---- intent.c -------------------------------------------------------------------------------------- */

/* Replay at start; says in @err what hinders it. */
int intent_recover(struct store *s, const char *path, struct errmsg *err);

#endif
