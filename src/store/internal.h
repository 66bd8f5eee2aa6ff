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
#include "util/name.h"

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
	bool no_exchange; /* RENAME_EXCHANGE is switched off */
	atomic_bool has_records; /* something may lie in .projfs/rec */
	struct generations {
		atomic_bool any;
		pthread_mutex_t lock; /* protects the list */
		struct generation {
			uint64_t identity; /* of the name's first item */
			uint32_t number;
		} *list; /* by identity */
		size_t n, capacity;
	} generations;
	atomic_bool has_moved; /* a directory may lie elsewhere than its origin, see place.c */
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

struct store_creator;

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
/* These two with any descriptor. */
int disk_setxattr(struct store *s, int fd, const char *name, const void *value, size_t size,
                  int flags);
int disk_removexattr(struct store *s, int fd, const char *name);
/* chown (an id of -1: as it is) and chmod, never in the middle of such a change of mode. */
int disk_chown(struct store *s, int fd, uint32_t uid, uint32_t gid);
int disk_chmod(struct store *s, int fd, mode_t mode);
int disk_set_times(int fd, const struct timespec times[2]);
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

/* ---- place.c: where things are, and as what the provider knows them ---------------------------- */

/*
 * The origin of @path if it has not been moved itself: @given if that is not NULL, @path if no
 * directory of this root was ever renamed, else what the nearest directory above says that was.
 * @ret points to one of these or into @storage.
 */
int place_origin(struct store *s, const char *path, const char *given,
                 char storage[PATH_MAX_BYTES + 1], const char **ret);
/* To be called before a directory gets a name that is not its origin: from now on it is asked. */
int moved_note(struct store *s);
/* At open. */
void moved_load(struct store *s);

/* A directory's atime and mtime, for who adds or takes away what the user shall not notice.
 * keep: not at all if false. */
struct dir_times {
	bool keep;
	struct timespec times[2];
};
struct dir_times dir_times_save(int dir, bool keep);
void dir_times_restore(int dir, const struct dir_times *t);

/* ---- binding.c: what ties a record to its item ----------------------------------------------------- */

/* The origin of an item with record @rec; @origin: if it has not been moved itself. */
uint64_t place_of(const struct store *s, const struct record *rec, const char *origin);
uint64_t binding_of_file(const struct store *s, const struct stat *st, uint64_t place);
uint64_t binding_of_directory(const struct store *s, const struct stat *st, uint64_t place);
uint32_t binding_of_meta(const struct store *s, const struct stat *st);
/* Of a full file, whatever its content, name and times. */
uint64_t binding_of_inode(const struct store *s, const struct stat *st);
/* Of a marker: it lies as @name in the directory @dir. */
uint64_t binding_of_marker(const struct store *s, const struct stat *dir, const char *name);
/* Does what @reference leads to belong to the file or directory of @st, which is no copy then? */
bool reference_is_own(const struct store *s, const struct record *reference, const struct stat *st);

/* ---- attr.c: what a record makes of a file -------------------------------------------------- */

/* Is @name an extended attribute that belongs to users? Ours begin with RECORD_XATTR. */
bool attr_is_users(const char *name);
/*
 * Give the unnamed file (or directory) owner, attributes, times, bound record and mode.
 * @ret_ref: the record that was put aside for it in .projfs/rec, 0 if none.
 */
int attr_apply_file(struct store *s, int fd, const struct store_place *place,
                    const struct record *rec, uint64_t *ret_ref);
int attr_apply_directory(struct store *s, int fd, const char *origin, const struct record *rec,
                         uint64_t *ret_ref);

/*
 * Make @rec the record of a hydrated file (a placeholder directory) that is as @st says: what the record of
 * such an item keeps, and bound.  The epoch is the caller's business.
 */
void attr_bind_file(const struct store *s, struct record *rec, const struct stat *st,
                    const char *origin);
void attr_bind_directory(const struct store *s, struct record *rec, const struct stat *st,
                         const char *origin);
/* The reference that the attribute is now, 0 if it holds the record itself or was copied here. */
uint64_t attr_reference(struct store *s, int fd, const struct stat *st);
/*
 * Write @rec as it is into the attribute of the item, durably if it is too big and lies beside; a
 * former record is replaced.
 */
int attr_replace_record(struct store *s, int fd, const struct stat *st, const struct record *rec);

/* ---- full.c ---------------------------------------------------------------------------------------- */

/* The record of a full file.  @epoch 0: its bytes are durable. */
struct record full_record(const struct store *s, const struct stat *st, uint64_t identity,
                          uint32_t epoch);

/* ---- marker_file.c: markers on disk ----------------------------------------------------------------- */

/*
 * The link target for the marker @rec that is to lie as @name in @dir, which it is bound to; any
 * RECORD_BINDING in @rec does not count.  @ret_ref: the record that was put aside for it, 0 if none.
 */
int marker_target(struct store *s, int dir, const char *name, const struct record *rec,
                  struct buf *ret, uint64_t *ret_ref);
/* Is @name in @dir the marker of a placeholder? */
bool marker_gives_way(struct store *s, int dir, const char *name);
/*
 * Give the file or marker @temporary in @tmp the name @name in @dir.  The marker of a placeholder there gives
 * way; anything else is -EEXIST.
 */
int marker_replace(struct store *s, int tmp, const char *temporary, int dir, const char *name);

/* Put the marker @rec at @name in @dir, whatever lies there. */
int marker_put(struct store *s, int dir, const char *name, const struct record *rec);
/* What a user's link says, without our escape. */
const char *marker_plain_target(const char *target);
/* Would a user's link with that target be taken for one of ours? */
bool marker_needs_escape(const char *target);

/* ---- recordref.c: records too big for their place ----------------------------------------------- */

int recordref_write(struct store *s, const struct buf *encoded, bool durable, uint64_t *ret_ref);
int recordref_load(const struct store *s, uint64_t ref, struct buf *ret);
void recordref_remove(const struct store *s, uint64_t ref); /* 0 is fine */

/* ---- generation.c ------------------------------------------------------------------------------- */

int generations_load(struct store *s);
/* What @origin projects from now on is another item than before. */
int generation_raise(struct store *s, const char *origin);
/* The same for each tombstone at @path and below. */
int generation_raise_below(struct store *s, const char *path);

/* ---- item.c -------------------------------------------------------------------------------------- */

/* Left by a power cut. */
enum remnant {
	REMNANT_NONE,
	REMNANT_CACHE, /* nobody has touched it: virtual again, the state is STORE_NONE */
	REMNANT_FULL,  /* the user's, and perhaps not all there: STORE_LOCAL and unverified */
	REMNANT_CHANGED, /* its name or metadata are the user's: STORE_PLACEHOLDER */
};
/*
 * Classify what an O_PATH descriptor of @path shows.  @origin as in store_lookup_at().  A remnant is left
 * where it is.
 */
int item_examine(struct store *s, int fd, const char *path, const char *origin,
                 struct store_item *ret, enum remnant *ret_remnant);
/* store_lookup() that changes nothing. */
int item_peek(struct store *s, const char *path, struct store_item *ret);
int item_peek_at(struct store *s, const char *path, const char *origin, struct store_item *ret);

/* An item with what is needed to change it.  Valid for opened_close() also after an error. */
struct opened {
	int fd; /* O_PATH */
	const char *origin; /* as in store_lookup_at(); may point into storage, so do not copy this */
	struct store_item item;
	char storage[PATH_MAX_BYTES + 1];
};
/* @origin: NULL if not known. -ENOENT there is none.  Remnants stay. */
int item_open(struct store *s, const char *path, const char *origin, struct opened *ret);
void opened_close(struct opened *o);

/* ---- meta.c ------------------------------------------------------------------------------------------ */

/* Mode or owner of the item were changed: its record shall know. */
int meta_rebind(struct store *s, const struct opened *o);

/* ---- remnant.c ------------------------------------------------------------------------------------ */

/* Take the remnant @path, if it still is that of @st, out of the tree. */
/* Put the marker that @item amounts to in place of the remnant at @path. */
int remnant_to_marker(struct store *s, const char *path, const struct store_item *item);
int remnant_remove(struct store *s, const char *path, const struct stat *st, enum remnant kind);

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
/* Can the map @name in .projfs/partial be read? */
bool partial_map_is_whole(int folder, const char *name);

/* ---- intent.c -------------------------------------------------------------------------------------- */

/* Replay at start; says in @err what hinders it. */
int intent_recover(struct store *s, const char *path, struct errmsg *err);

/* ---- changes: see store/change.h --------------------------------------------------------------------- */

/* step.c: from now on the environment counts as it is, and the disk to be shut down is @fd's. */
void step_begin(int fd);
void step_end(void);

/* disk.c: renameat2() with @flags, also of a directory of our own whose mode does not let us. */
int disk_move(struct store *s, int from_dir, const char *from, int to_dir, const char *to,
	      unsigned flags);
/* One more name for the file @fd, which may have none yet. */
int disk_link(int fd, int dir, const char *name);
/* Does this error of disk_open_parent() mean that the place is not there any more? */
bool disk_is_gone(int error);

/* recordref.c's, for what lies at @name in @dir: the record put aside that is about this very item, or 0. */
uint64_t clean_reference(struct store *s, int dir, const char *name, const struct stat *st);

/* creator.c: what this thread makes until creator_end() belongs to @as (NULL: to us).  Only this thread. */
struct creator_saved {
	bool switched;
	uint32_t fsuid, fsgid;
	struct {
		uint32_t effective, permitted, inheritable;
	} caps[2];
};
int creator_begin(const struct store_creator *as, struct creator_saved *ret);
void creator_end(const struct creator_saved *saved);

/* tombstone.c */
int tombstone_write(int dir, const char *name); /* -EEXIST */
bool tombstone_is(int dir, const char *name);
bool marker_lies_at(int dir, const char *name); /* a tombstone's is one, too */
/* One takes the place of what is at @path, which is @name in @dir. */
int tombstone_replace(struct store *s, const char *path, int dir, const char *name, bool is_dir);
/* Note that one belongs at @path unless something is there. */
int tombstone_begin(struct store *s, const char *path, uint64_t *ret_intent);
int tombstone_replay(struct store *s, const void *payload, size_t size);

/* remove.c: does the directory hold anything, and anything but tombstones? */
struct dir_content {
	bool tombstones;
	bool others;
};
int remove_look(struct store *s, const char *path, struct dir_content *ret);

/* rename.c */
int rename_replay(struct store *s, const void *payload, size_t size);

#endif
