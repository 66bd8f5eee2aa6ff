/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_STORE_H
#define PROJFS_STORE_STORE_H

/*
 * What is on disk below a virtualization root.
 *
 * The directory underneath the mount is the state: no database beside it could disagree
 * (doc/architecture.md).  An item is there only if it has content or state to keep:
 *
 *	STORE_NONE        nothing on disk: virtual, or no such item
 *	STORE_LOCAL       the user's own: a full file, local directory, link, fifo, socket...
 *	STORE_HYDRATED    a regular file whose record binds it: a cache of the provider's
 *	STORE_PLACEHOLDER a marker: metadata without content
 *	STORE_DIRECTORY   a placeholder directory: real, with a record
 *	STORE_TOMBSTONE   a marker that says "deleted here"
 *	STORE_DAMAGED     there is a record, and it cannot be read
 *
 * Everything goes through descriptors opened relative to the root with openat2(RESOLVE_BENEATH |
 * RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV): no symbolic link is followed, no `..` walked, and the
 * mount above is never entered.  Paths are relative to the root, "" is the root itself.  Every call
 * that takes one answers -EINVAL to a malformed path (see path_is_valid()), -EPERM to one in .projfs,
 * -ENOTDIR when a symbolic link or a file is in the way, -EXDEV when something is mounted there.
 *
 * Every call may be made from any thread; all may block on the disk, none on anything else.
 * Errors are negative errnos; the ones that a person must act on come with an errmsg.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/record.h"
#include "util/errmsg.h"
#include "util/hash.h"

#define STORE_PRIVATE ".projfs" /* the name of our own folder at the top of a root */

struct store;

/* ---- roots --------------------------------------------------------------------------- */

struct store_mark {
	uint8_t guid[16];
	struct record_bytes provider_id; /* may be empty */
	struct record_bytes content_id;
};

/*
 * Make the existing directory @path a root: writes .projfs/ with its mark, durably.
 * -EEXIST it is one already; -ENOTDIR, -ENOENT; -EROFS, -ENOSPC, -EACCES; -ENOTEMPTY it holds
 * something and @adopt is false; -ENOTSUP the file system has no user attributes;
 * -ELOOP a directory above or below... is a root already (above only is checked).
 * With @adopt every directory found gets a record with RECORD_FLAG_ADOPTED, everything else
 * stays what it is: local.
 */
int store_mark_root(const char *path, const struct store_mark *mark, bool adopt,
		    struct errmsg *err);

/* Is the directory @path (through any mount) a root? 1, 0, or a negative errno. */
int store_is_root(const char *path);

/*
 * Take the root into use: checks the mark, takes the lock, replays intents, moves leftovers
 * aside, reads the epochs.  Constant time whatever the size of the tree.
 * -ENODATA not marked; -EBUSY another instance holds the lock; -EROFS, -EACCES, -ENOTSUP as
 * above; -EBADMSG, -EPROTONOSUPPORT the mark, the latter also an unfinished operation of a newer
 * version.
 */
int store_open(const char *path, struct store **ret, struct errmsg *err);

/* Open for looking only: no lock, nothing is written; what changes state fails with -EROFS.
 * For the command line on a root where nothing runs. */
int store_open_readonly(const char *path, struct store **ret, struct errmsg *err);

/* Ends background work and gives the lock back.  Does not sync.  NULL is fine. */
struct store *store_free(struct store *s);

int store_root_fd(const struct store *s);             /* borrowed, O_PATH | O_DIRECTORY */
void store_guid(const struct store *s, uint8_t ret_guid[16]);
uint32_t store_write_alignment(const struct store *s); /* bytes, a power of two */

/* The stable 64-bit identity (st_ino) of the projected item of this original path. */
uint64_t store_identity(const struct store *s, const char *origin, uint32_t generation);

/* How often the name @origin has been projected anew while its former item lived on elsewhere. */
uint32_t store_generation(struct store *s, const char *origin);
bool store_has_generations(const struct store *s); /* else it is 0 for every name */

/* A small file of ours in .projfs/, replaced whole and atomically.  @name is one component. */
int store_save_blob(struct store *s, const char *name, const void *data, size_t size);
int store_load_blob(struct store *s, const char *name, struct buf *ret); /* -ENOENT */

/* ---- looking --------------------------------------------------------------------------- */

enum store_state {
	STORE_NONE,
	STORE_LOCAL,
	STORE_HYDRATED,
	STORE_PLACEHOLDER,
	STORE_DIRECTORY,
	STORE_TOMBSTONE,
	STORE_DAMAGED,
};

struct store_item {
	enum store_state state;
	bool unverified;   /* local because an edit met a young epoch of an ended boot */
	bool meta_differs; /* hydrated, but mode or owner were changed while nothing ran */
	struct stat st;        /* of what is on disk; .st_ino is the disk's */
	struct timespec btime; /* zero if the disk keeps none */
	struct buf rec;        /* encoded record, empty if there is none */
	uint64_t identity;     /* of what is, or was, projected; 0: .st.st_ino is the item's */
};

void store_item_deinit(struct store_item *item);

/*
 * Classify @path.  STORE_NONE is a success.  A remnant of a power cut is removed here and
 * reported as STORE_NONE.  -ENOTDIR: something above is no directory.  The root itself is
 * STORE_DIRECTORY without a record.
 */
int store_lookup(struct store *s, const char *path, struct store_item *ret);
/* The same for who knows @origin, under which the provider knows the item if it has not been moved itself. */
int store_lookup_at(struct store *s, const char *path, const char *origin,
		    struct store_item *ret);

/* Was what @path names deleted here?  Asks for nothing else, so it is cheap. */
bool store_is_tombstone(struct store *s, const char *path);

/* Call @each for every name in the directory, ours at the top left out; it stops when @each
 * returns non-zero and hands that back.  -ENOENT, -ENOTDIR. @type is a DT_ value. */
int store_list(struct store *s, const char *path,
	       int (*each)(void *context, const char *name, unsigned char type), void *context);

/* Open the content of a regular file. @flags: O_RDONLY or O_RDWR.  A close-on-exec descriptor. */
int store_open_file(struct store *s, const char *path, int flags);

/* An O_PATH descriptor of whatever is there. */
int store_open_path(struct store *s, const char *path);

/* The target of a local (or escaped) symbolic link, with a NUL after it that is not counted.
 * -EINVAL: it is none, or a marker. */
int store_readlink(struct store *s, const char *path, struct buf *ret);

/* User attributes of the disk item: `user.*` without ours. -ENODATA, -ERANGE never happens. */
int store_getxattr(struct store *s, const char *path, const char *name, struct buf *ret);
int store_listxattr(struct store *s, const char *path, struct buf *ret); /* name NUL ... */

/* ---- hydration ------------------------------------------------------------------------- */

/*
 * Directories of @path's parent chain that are not on disk yet, top-down.  They are made in
 * .projfs/tmp, each with its record, and appear at once by one rename.  -EEXIST is no error: another
 * thread made them.
 */
struct store_dir {
	const char *path;
	const char *origin; /* as the provider knows it */
	const struct record *rec;
};
int store_make_dirs(struct store *s, const struct store_dir *dirs, size_t n_dirs);

/* A file being written that has no name yet. */
struct stage;

/* @path: where it will go; the nearest existing directory decides the place on disk. */
int store_stage_new(struct store *s, const char *path, struct stage **ret);
int stage_fd(const struct stage *stage); /* borrowed, O_RDWR */
struct stage *stage_free(struct stage *stage);

/*
 * Give the staged file its owner, mode, user attributes, times and bound record from @rec (kind
 * RECORD_FILE; a field that is absent is left as it is), then its name.  The directory of
 * @path must exist.  @ret, if not NULL, is what store_lookup() would now say.
 * A marker of a placeholder gives way.
 * -EEXIST there is something else of that name; -ENOENT no such directory; -ENOSPC, -EDQUOT, -EIO (also
 * when the file has not the size that @rec says).
 * After any error nothing is visible, and the stage can be committed again or freed.
 */
struct store_place {
	const char *path;
	const char *origin;  /* as the provider knows the item */
	bool keep_dir_times; /* the directory shows its own times: they stay */
	uint64_t full;       /* not 0: the file becomes a full one with this identity */
};
int store_stage_commit(struct store *s, struct stage *stage, const struct store_place *place,
		       const struct record *rec, struct store_item *ret);

/*
 * A large file that arrives in pieces of PARTIAL_CHUNK bytes: .projfs/partial/<key> and its map.
 * It survives a restart if @rec has the same ContentID and size then.
 */
#define PARTIAL_CHUNK (128 * 1024)
struct partial;

/* @key: the item's identity.  @rec needs RECORD_SIZE. One user per key at a time (the caller's). */
int store_partial_open(struct store *s, uint64_t key, const struct record *rec,
		       struct partial **ret);
/* Does one exist that could be taken up?  How many bytes of it have arrived. 0 if none. */
uint64_t store_partial_peek(struct store *s, uint64_t key, const struct record *rec);
int partial_fd(const struct partial *p);
/* Is all of the range there?  Bytes beyond the file's end count as there. */
bool partial_has(const struct partial *p, uint64_t offset, uint64_t length);
/* Every chunk that lies wholly inside the range (or reaches the end of the file) has been written. */
void partial_mark(struct partial *p, uint64_t offset, uint64_t length);
bool partial_complete(const struct partial *p);
uint64_t partial_bytes(const struct partial *p); /* arrived so far */
/* As store_stage_commit(). On success the partial is used up: free it all the same. */
int store_partial_commit(struct store *s, struct partial *p, const struct store_place *place,
			 const struct record *rec, struct store_item *ret);
/* Forget what arrived. */
void store_partial_drop(struct store *s, uint64_t key);
struct partial *partial_free(struct partial *p); /* closes; what arrived stays */

/* ---- removing what is only cache --------------------------------------------------------- */

/*
 * Take @path out of the tree if all there is (a hydrated file, a marker, a placeholder directory with
 * only such things below) is cache.  -EBUSY something local lies there: nothing was changed.
 * -ENOENT.  What is taken away is moved to .projfs/old and deleted in the background.
 */
int store_discard(struct store *s, const char *path);

/* Replace the record of a placeholder directory (its metadata changed at the provider). */
int store_update_dir(struct store *s, const char *path, const struct record *rec);

/* ---- durability -------------------------------------------------------------------------- */

/* Has anything been hydrated since the last store_sync()? */
bool store_needs_sync(const struct store *s);
/* syncfs, then the epoch is durable.  May take seconds: a disk thread's work. */
int store_sync(struct store *s);

/* ---- facts for `status` -------------------------------------------------------------------- */

struct store_usage {
	uint64_t n_hydrated, bytes_hydrated;
	uint64_t n_local, bytes_local; /* files, links and special files of the user's */
	uint64_t n_directories;        /* placeholder directories on disk */
	uint64_t n_markers;            /* placeholders and tombstones */
	uint64_t n_partial, bytes_partial;
	uint64_t n_damaged;
	bool truncated;                /* stopped at the limit: numbers are "at least" */
};
/* Walks the local tree, at most @limit_ms. */
int store_usage(struct store *s, unsigned limit_ms, struct store_usage *ret);

#endif
