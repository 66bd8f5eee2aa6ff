/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_CHANGE_H
#define PROJFS_STORE_CHANGE_H

/*
 * What users do to a tree, on disk.
 *
 * Each call is atomic for whoever looks later: after a crash at any moment the item is as before or as after,
 * nothing between (design D4).  One system call does it where one can; else what is to happen is noted first
 * as a link in .projfs/intent (store/intent.h), which a journalling disk keeps in order with the steps, and
 * store_open() finishes it.  Nothing is fsynced here: store_sync_item() is for those who ask.
 *
 * The caller (core) sees to it that no two calls that concern the same names run at the same time, that the
 * directory of each path is on disk, and that a directory to be removed holds nothing visible.
 *
 * Errors as in store.h: negative errnos, among them ENOSPC, EDQUOT and EIO of the disk underneath, EMLINK,
 * ENAMETOOLONG, EROFS for a read-only store.  After any error the item is as before.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/store.h"

/* ---- making --------------------------------------------------------------------------------- */

/*
 * As whom something is made.  If we are the super-user, it belongs to this user and group (or to the group of a
 * set-gid directory), counts on his quota, and no permission of the disk underneath can refuse it, since the
 * kernel has asked the mount's.  Otherwise it is ours.  The disk's default ACL decides about the mode if
 * the directory has one, else @umask; never the process's umask.
 */
struct store_creator {
	uint32_t uid, gid;
	uint32_t umask;
};

/*
 * A new item of the user's own.  A tombstone of that name gives way, anything else is -EEXIST.
 * @ret: what store_lookup() would now say.  @ret_fd: open for reading and writing, close-on-exec, the
 * caller's.
 */
int store_create_file(struct store *s, const char *path, mode_t mode,
		      const struct store_creator *as, int *ret_fd, struct store_item *ret);
int store_create_dir(struct store *s, const char *path, mode_t mode,
		     const struct store_creator *as, struct store_item *ret);
/* A target that looks like a marker is escaped. */
int store_create_symlink(struct store *s, const char *path, const char *target,
			 const struct store_creator *as, struct store_item *ret);
/* A fifo, socket or device; S_IFREG too. */
int store_create_node(struct store *s, const char *path, mode_t mode, dev_t rdev,
		      const struct store_creator *as, struct store_item *ret);
/* A file without a name, in the directory @dir.  -EOPNOTSUPP if the disk has no such thing. */
int store_create_unnamed(struct store *s, const char *dir, mode_t mode,
			 const struct store_creator *as, int *ret_fd, struct stat *ret);
/* One more name for the file that @fd is open on (also its first one). A tombstone gives way. */
int store_link(struct store *s, int fd, const char *path, struct store_item *ret);

/* ---- taking away ---------------------------------------------------------------------------- */

/*
 * Remove the file, link, special file or marker @path, if there is one, and with @tombstone leave one in its place
 * (also if there was nothing on disk).  A file that somebody has open stays readable through his descriptor.
 */
int store_remove(struct store *s, const char *path, bool tombstone);
/*
 * Likewise the directory @path.  It may hold tombstones and nothing else: -ENOTEMPTY.  With nothing on disk
 * @tombstone makes one.
 */
int store_remove_dir(struct store *s, const char *path, bool tombstone);

/*
 * Give the file @path one more name, in .projfs/open, for a file that is about to lose its own and is in use when
 * there are too many to keep a descriptor of each.  @ret_name: to open or drop it.
 */
#define STORE_HIDDEN_NAME_SIZE 24
int store_keep(struct store *s, const char *path, char ret_name[STORE_HIDDEN_NAME_SIZE]);
int store_open_hidden(struct store *s, const char *name); /* a descriptor, O_RDWR */
void store_drop_hidden(struct store *s, const char *name);

/* ---- renaming ------------------------------------------------------------------------------- */

enum store_rename_flag {
	STORE_RENAME_TOMBSTONE = 1 << 0, /* leave one at @from */
	STORE_RENAME_EXCHANGE = 1 << 1,  /* both exist and change places */
};

/*
 * Rename what is on disk at @from, of any kind, to @to.  What is on disk at @to (a file, marker, tombstone, or a
 * directory that holds tombstones alone) is replaced: without EXCHANGE it is gone afterwards.
 * Before the call the caller has written the origin into the record of what moves (store_set_record()).
 * -ENOENT @from is not on disk.  -EINVAL a directory into itself.
 */
int store_rename(struct store *s, const char *from, const char *to, unsigned flags);

/* ---- state ---------------------------------------------------------------------------------- */

/*
 * A marker for the placeholder (file or link) @rec at @path, replacing a marker that is there.  @rec carries
 * the origin, always: a marker that is moved or copied by hand still asks for the right content.
 * Any other item on disk: -EEXIST.
 */
int store_write_marker(struct store *s, const char *path, const struct record *rec);
/* The same for one that will be renamed to @final_path at once: it is bound to that place. */
int store_write_marker_for(struct store *s, const char *path, const char *final_path,
			   const struct record *rec);

/*
 * Replace the record of a hydrated file or a placeholder directory that stays what it is: flags, ids, origin,
 * mode, owner, times, attributes... from @rec; epoch, size and binding are computed anew from what is on disk.
 * @origin: as the provider knows the item (RECORD_ORIGIN is kept only if @rec has it).
 * Does not change the item itself.  -EBUSY it is in another state.
 */
int store_set_record(struct store *s, const char *path, const char *origin,
		     const struct record *rec);

/*
 * The hydrated file @path becomes full: the user is about to change its content.  It keeps @identity.
 * *@ret_young: its bytes are not durable yet, so the record keeps the epoch: have store_settle() run on a disk
 * thread.
 */
int store_make_full(struct store *s, const char *path, uint64_t identity, bool *ret_young);
/* fsync the full file that @fd is open on, and then take the epoch out of its record; and fsync that, if
 * @durable.  May take long. */
int store_settle(struct store *s, int fd, bool durable);

/*
 * A change of metadata, for an item on disk in any state but tombstone and marker.  A hydrated file stays
 * bound; the caller has marked its record dirty before (store_set_record()).  A directory's record gets the mode
 * and owner; a directory of the user's own that would lock an ordinary user's instance out gets a record
 * (opaque) that holds its true mode, and 0700 is added on disk.
 * fields: RECORD_MODE (and type bits are ignored), RECORD_OWNER (an id of -1: as it is), RECORD_MTIME,
 * RECORD_ATIME; nsec may be UTIME_NOW.
 */
struct store_change {
	uint32_t fields;
	uint32_t mode;
	uint32_t uid, gid;
	struct timespec mtime, atime;
};
int store_change_meta(struct store *s, const char *path, const struct store_change *change);
/* The same for a file without a name. */
int store_change_fd(int fd, const struct store_change *change);

/*
 * Extended attributes of an item on disk: user.* but not ours, trusted.*, security.capability, POSIX ACLs. @flags:
 * XATTR_CREATE, XATTR_REPLACE.  -ENODATA, -EEXIST, -EPERM one of ours, -EOPNOTSUPP.
 */
int store_setxattr(struct store *s, const char *path, const char *name, const void *value,
		   size_t size, int flags);
int store_removexattr(struct store *s, const char *path, const char *name);

/* The placeholder of a symbolic link at @path, with a marker or without, becomes the user's own. @change: its owner
 * and times. */
int store_localise_link(struct store *s, const char *path, const char *target,
			const struct store_change *change);

/* What store_lookup() says of the attributes alone: cheap.  -ENOENT. */
int store_stat(struct store *s, const char *path, struct stat *ret, struct timespec *ret_btime);

/* fsync: of a directory on disk, or of what else is at @path (a marker: of its directory). */
int store_sync_item(struct store *s, const char *path, bool data_only);

/* ---- back to the provider's view ------------------------------------------------------------ */

/*
 * Drop all that is local at @path and below it, whatever it is, tombstones included: the item is virtual again, if the
 * provider has it.  What is taken away is deleted in the background.  -ENOENT: there was nothing on disk.
 */
int store_restore(struct store *s, const char *path);

/* ---- checking ------------------------------------------------------------------------------- */

enum store_problem {
	STORE_PROBLEM_RECORD,     /* a record that cannot be read; repaired: content is kept as the user's own */
	STORE_PROBLEM_MARKER,     /* likewise of a marker; repaired: set aside in .projfs/recovered, virtual again */
	STORE_PROBLEM_NEWER,      /* record of a newer version; never repaired */
	STORE_PROBLEM_UNVERIFIED, /* edited, on top of content that a power cut may have damaged */
	STORE_PROBLEM_INTENT,     /* a damaged intent; repaired: removed */
	STORE_PROBLEM_ORPHAN,     /* a record or partial file that nothing refers to; repaired: removed */
	STORE_PROBLEM_RECOVERED,  /* something lies in .projfs/recovered or .projfs/conflicts: the user's to look at */
	STORE_PROBLEM_PRIVATE,    /* .projfs itself: damaged epoch list, wrong owner or mode; repaired if possible */
};

/* @path: relative to the root; @what: a sentence; @repaired: it was mended just now. */
typedef void store_report(void *context, enum store_problem problem, const char *path,
			  const char *what, bool repaired);

/* Look at everything below the root; with @repair mend what can be mended.  0, also if problems were found. */
int store_check(struct store *s, bool repair, store_report *report, void *context);

/* ---- for tests ------------------------------------------------------------------------------ */

/*
 * Called before every system call of the store that changes the disk.  PROJFS_STORE_STEP=kill:N (or shutdown:N)
 * in the environment makes the N-th such call of the process kill it (or shut the file system down as a power cut
 * would, EXT4_IOC_SHUTDOWN without flushing the log, and then kill it); count:FILE appends the count to FILE at exit
 * of the store.
 */
void store_step(void);

#endif
