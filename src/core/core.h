/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_CORE_H
#define PROJFS_CORE_CORE_H

/*
 * One running instance, without its mount: the tree of known items, what state each is in, and how a
 * question about one is answered from memory, from the store, or by the provider.
 *
 * Above it, src/fuse/ turns kernel requests into core requests, and src/api/ turns the provider's
 * calls into calls of the second half of this header.  Below it is the store.  It knows neither FUSE
 * nor prj.h, so that all of it runs in unit tests with a fake provider and a fake kernel.
 *
 * Requests.  The caller embeds a struct core_req in its own request, fills in the first part and calls one
 * of core_lookup() ... core_hydrate().  The core calls req->done() exactly once for each, with 0 or a
 * negative errno and the answer in req->ret: before the call returns, if everything is known, or later, on
 * another thread, if the provider must be asked.  No thread waits meanwhile: the request is parked.
 * done() may not call back into the core with the same req, and what req->ret points to is valid only
 * while done() runs, except for content, which can be kept with content_ref().
 *
 * Node ids.  1 is the root.  An id is never used again.  Every entry answered (lookup, readdir with entries)
 * counts as one lookup that core_forget() takes back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "util/list.h"

struct core;
struct store;
struct node;
struct content;

#define CORE_ROOT_ID 1
#define CORE_FOREVER UINT64_MAX /* a validity in ms without an end */

/* ---- requests from the kernel -------------------------------------------------------------- */

struct core_attr {
	uint64_t ino;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	struct timespec atime, mtime, ctime, btime;
	uint32_t mode; /* type and permissions */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
};

/* What to change of an item. */
enum core_change {
	CORE_CHANGE_MODE = 1 << 0,
	CORE_CHANGE_UID = 1 << 1,
	CORE_CHANGE_GID = 1 << 2,
	CORE_CHANGE_SIZE = 1 << 3,
	CORE_CHANGE_ATIME = 1 << 4, /* nsec may be UTIME_NOW */
	CORE_CHANGE_MTIME = 1 << 5,
	CORE_CHANGE_KILL_PRIV = 1 << 6, /* the caller may not keep set-id bits when the content changes */
	CORE_CHANGE_BY_HANDLE = 1 << 7, /* not a change: the caller has the file open */
};

struct core_setattr {
	uint32_t fields; /* enum core_change */
	uint32_t mode;   /* 07777 */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	struct timespec atime, mtime;
};

struct core_entry {
	uint64_t node_id; /* 0: no such name, and that may be remembered for entry_valid_ms */
	uint64_t entry_valid_ms;
	uint64_t attr_valid_ms;
	struct core_attr attr;
};

struct core_dirent {
	const char *name;
	size_t name_length;
	uint64_t next_offset; /* to go on after this entry */
	uint64_t ino;
	uint32_t type;        /* a DT_ value */
	/* Only for readdir with entries: NULL if the attributes are not known ("." and ".." too),
	 * otherwise a lookup has been counted if the emitter takes the entry. */
	const struct core_entry *entry;
};

enum core_ioctl_command; /* core/ioctl.h */

struct core_req {
	/* Filled in by the caller. */
	uint64_t unique; /* for core_interrupt(); 0: cannot be interrupted */
	uint32_t pid;    /* thread id of the caller, 0 if unknown */
	uint32_t uid;
	uint32_t gid;
	void (*done)(struct core_req *req, int error);
	/* Readdir: take one entry.  true: taken. false: full, stop, the entry was not taken. */
	bool (*emit)(struct core_req *req, const struct core_dirent *dirent);

	/* The answer. */
	union {
		struct core_entry entry; /* lookup, and what makes a name; must be first */
		struct {
			struct core_entry entry;
			uint64_t handle;
		} created; /* create, tmpfile */
		uint64_t written; /* write, copy */
		uint64_t offset;  /* lseek */
		struct {
			struct core_attr attr;
			uint64_t valid_ms;
		} attr; /* getattr */
		struct {
			uint64_t handle;
			bool keep_cache; /* pages that the kernel has of this node are good */
		} open; /* open, opendir */
		struct {
			/* What to send is [offset, offset + length) of this file; length is already cut at
			 * its end.  NULL with length 0 at the end of the file. */
			struct content *content;
			uint64_t offset;
			size_t length;
		} read;
		struct {
			const void *data;
			size_t size;
		} bytes; /* readlink, getxattr, listxattr (names with NULs), ioctl */
	} ret;

	/* The core's own. */
	struct core_op {
		int kind;
		int wake_result;      /* how what it waited for ended */
		unsigned n_asked;
		uint64_t asked_id;    /* the node that the provider was last asked about for it */
		bool listed;          /* a listing was loaded for it */
		uint64_t node_id;
		uint64_t handle;
		uint64_t offset;
		uint64_t size;
		bool plus;
		bool kill_priv;       /* open that truncates */
		uint32_t flags;       /* open: O_* */
		bool interrupted;
		uint64_t deadline_ms; /* 0: none */
		uint64_t interrupted_ms;
		char *name;           /* owned: lookup, getxattr, ioctl */
		struct op_args *args; /* owned: of what changes something */
		struct op_notices *notices; /* owned: what the provider is asked and told of it */
		struct core *core;
		struct waitq *waitq;  /* where it is parked; protected by core->wait.lock, as what follows */
		struct list wait_link;
		struct list parked_link;
		struct core_req *parked_hash_next;
		void *pin;            /* what the waitq is part of, referenced */
	} op;
};

void core_lookup(struct core *core, struct core_req *req, uint64_t parent_id, const char *name);
/* Takes back @n_lookups; never parked, needs no request. */
void core_forget(struct core *core, uint64_t node_id, uint64_t n_lookups);
void core_getattr(struct core *core, struct core_req *req, uint64_t node_id);
void core_readlink(struct core *core, struct core_req *req, uint64_t node_id);
/* @flags: O_ACCMODE and O_TRUNC count.  @kill_priv: as CORE_CHANGE_KILL_PRIV, for O_TRUNC. */
void core_open(struct core *core, struct core_req *req, uint64_t node_id, uint32_t flags,
	       bool kill_priv);
void core_release(struct core *core, uint64_t node_id, uint64_t handle);
/* @handle 0: the file was opened without an upcall. */
void core_read(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
	       uint64_t offset, size_t size);
void core_opendir(struct core *core, struct core_req *req, uint64_t node_id);
void core_releasedir(struct core *core, uint64_t node_id, uint64_t handle);
/* Emits entries from @offset (0 or a next_offset) until the emitter is full.  @plus: with entries. */
void core_readdir(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
		  uint64_t offset, bool plus);
/*
 * Changes.  Each makes durable nothing by itself; core_fsync() does.  Everything that @name or @data points to is
 * copied if it must be kept.  Names are checked here.
 *
 * What makes a name: -EEXIST, and the answer is an entry, counted as one lookup.  @umask: of the caller.
 */
void core_create(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 uint32_t flags, uint32_t mode, uint32_t umask);
void core_tmpfile(struct core *core, struct core_req *req, uint64_t dir_id, uint32_t flags,
		  uint32_t mode, uint32_t umask);
/* @mode with its type: a directory too. */
void core_mknod(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		uint32_t mode, uint32_t rdev, uint32_t umask);
void core_symlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		  const char *target);
void core_link(struct core *core, struct core_req *req, uint64_t node_id, uint64_t parent_id,
	       const char *name);
/* @dir: rmdir. */
void core_unlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 bool dir);
/* @flags: of renameat2(): RENAME_NOREPLACE, RENAME_EXCHANGE; others are -EINVAL. */
void core_rename(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 uint64_t new_parent_id, const char *new_name, uint32_t flags);
/* Answered like getattr. */
void core_setattr(struct core *core, struct core_req *req, uint64_t node_id,
		  const struct core_setattr *change);
/* @kill_priv: as CORE_CHANGE_KILL_PRIV. */
void core_write(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
		const void *data, size_t size, bool kill_priv);
void core_fallocate(struct core *core, struct core_req *req, uint64_t node_id, uint32_t mode,
		    uint64_t offset, uint64_t length);
/* SEEK_DATA and SEEK_HOLE. */
void core_lseek(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
		uint32_t whence);
void core_copy_range(struct core *core, struct core_req *req, uint64_t from_id,
		     uint64_t from_offset, uint64_t to_id, uint64_t to_offset, uint64_t length);
void core_fsync(struct core *core, struct core_req *req, uint64_t node_id, bool data_only);
void core_setxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name,
		   const void *value, size_t size, uint32_t flags);
void core_removexattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name);

void core_getxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name);
void core_listxattr(struct core *core, struct core_req *req, uint64_t node_id);
/* An ioctl on the open directory or file @node_id, see core/ioctl.h; @data is copied. */
void core_ioctl(struct core *core, struct core_req *req, uint64_t node_id, uint32_t command,
		const void *data, size_t size);
/* The caller of request @unique got a signal.  Unknown numbers are fine: one that is being worked on is remembered
 * in case it parks. Always 0. */
int core_interrupt(struct core *core, uint64_t unique);

/* May OPEN / OPENDIR be answered "never ask again"?  Fixed for the life of the instance. */
bool core_opens_untracked(const struct core *core);
/* Has core_open() to be told that it truncates?  Else that is a core_setattr() of its own. */
bool core_wants_truncating_opens(const struct core *core);
struct store *core_store(struct core *core);

/* The bytes of one file on disk, kept open while somebody holds a reference. */
int content_fd(const struct content *c); /* borrowed */
struct content *content_ref(struct content *c);
struct content *content_unref(struct content *c);

/* Run @job on a disk thread: for cold reads.  Never runs it on the calling thread; always runs it if it
 * returns 0.  -ENOMEM, -ENOTCONN after core_stop(). */
int core_run_on_disk_thread(struct core *core, void (*job)(void *arg), void *arg);

/* ---- to the kernel ------------------------------------------------------------------------ */

/*
 * How the core reaches the kernel's caches.  src/fuse/ implements it, tests fake it.  All return at once
 * (the work is queued, per directory), any thread may call them, with any lock held.
 */
struct core_kernel {
	/* The name may mean something else now; the next look-up asks. */
	void (*expire_entry)(void *context, uint64_t parent_id, const char *name);
	/* Attributes, and with @data the cached pages too, are no longer good. */
	void (*inval_node)(void *context, uint64_t node_id, bool data);
};

void core_set_kernel(struct core *core, const struct core_kernel *kernel, void *context);

/*
 * The kernel sends no read at all while too many wait for an answer, those of hydrated files included. Beyond @n
 * parked reads further ones of un-hydrated files fail with EIO, so that the others go on.  0: no limit.
 */
void core_limit_parked_reads(struct core *core, uint64_t n);

/* ---- provider ------------------------------------------------------------------------------- */

struct command;   /* one invocation of a callback, core/command.h */
struct dir_buffer; /* what a listing callback fills, core/listing.h */
struct record;

#define CORE_PENDING 1 /* "will be completed later" */

/* What src/api/ implements: call the provider's callback for @cmd.  0, a negative errno that an application
 * may see, or CORE_PENDING. */
struct core_provider {
	int (*invoke)(void *context, struct command *cmd);
	void (*cancel)(void *context, struct command *cmd); /* may be NULL */
};

/* What applications do, as far as the provider may hear of it: bits of masks. */
enum core_event {
	CORE_EVENT_SUPPRESS = 0x1, /* in a mask: none, whatever else it says */
	CORE_EVENT_OPENED = 0x2,
	CORE_EVENT_CREATED = 0x4,
	CORE_EVENT_OVERWRITTEN = 0x8,
	CORE_EVENT_PRE_DELETE = 0x10,
	CORE_EVENT_PRE_RENAME = 0x20,
	CORE_EVENT_PRE_LINK = 0x40,
	CORE_EVENT_RENAMED = 0x80,
	CORE_EVENT_LINKED = 0x100,
	CORE_EVENT_CLOSED = 0x200, /* unmodified */
	CORE_EVENT_CLOSED_MODIFIED = 0x400,
	CORE_EVENT_CLOSED_DELETED = 0x800,
	CORE_EVENT_PRE_CONVERT = 0x1000,
};
#define CORE_EVENTS_ALL 0x1fffu
#define CORE_MASK_UNCHANGED UINT32_MAX /* of a reply: likewise 0 */

/* Which events are wanted of what is at @root and below, as long as no deeper mapping says something else. */
struct core_mapping {
	const char *root; /* a relative path; "": all */
	uint32_t mask;
};

enum core_order {
	CORE_ORDER_WINDOWS,
	CORE_ORDER_BYTES,
	CORE_ORDER_NONE,
};

struct core_config {
	struct core_provider provider;
	void *provider_context;
	bool can_query_name;     /* the provider understands COMMAND_QUERY_NAME */
	bool negative_path_cache; /* absent names are remembered until core_clear_negative_paths() */
	const struct core_mapping *mappings; /* copied; none: no notifications */
	size_t n_mappings;
	unsigned n_callback_threads;
	bool stable_view;
	bool revalidate;
	bool persist_placeholders;
	enum core_order order;
	uint64_t lookup_timeout_ms;
	uint64_t data_timeout_ms; /* 0: for ever */
	uint64_t placeholder_timeout_ms;
	uint64_t small_file_bytes;
	bool may_chown;     /* owners given by the provider are shown; else the root's owner */
	uint32_t owner_uid; /* of the root directory */
	uint32_t owner_gid;
};

/* @store stays the caller's and must outlive the core. Starts the threads. */
int core_new(struct store *store, const struct core_config *config, struct core **ret);

/* No new callbacks; waiting requests end with -ENOTCONN; pended commands are cancelled, running ones are waited
 * for; open listings are ended with the provider. Call once, after the mount is detached. */
void core_stop(struct core *core);
struct core *core_free(struct core *core); /* after core_stop() */

/* The provider's calls.  Paths are relative, already checked by path_is_valid(). */

/* What @path is. Keeps it as the answer to a command in flight for that path, otherwise as a placeholder.
 * -ENOENT no such directory above, -EINVAL. */
int core_write_placeholder(struct core *core, const char *path, const struct record *rec);
/* Content. -EBADF: nobody waits for this stream. -EINVAL: beyond the end. Or a disk error. */
int core_write_data(struct core *core, const uint8_t stream_id[16], const void *data,
		    uint64_t offset, uint64_t length);
int core_write_data_from_fd(struct core *core, const uint8_t stream_id[16], int fd,
			    uint64_t fd_offset, uint64_t offset, uint64_t length,
			    bool on_completion);
/* What comes with a completion. */
struct core_completion {
	struct dir_buffer *buffer; /* of a listing: the filled one; else NULL */
	bool has_mask;             /* of a notification */
	uint32_t mask;             /* 0, CORE_MASK_UNCHANGED or a mask for the open file */
};
/* -EINVAL: not pended, or @more does not fit its kind.  0 also for one that was cancelled. @more may be NULL. */
int core_complete(struct core *core, int32_t command_id, int error,
		  const struct core_completion *more);
/* Forget the names that were found absent. How many there were. */
uint32_t core_clear_negative_paths(struct core *core);

/* ---- facts ---------------------------------------------------------------------------------- */

#define CORE_COUNTERS(X)                                                                      \
	X(lookups, "look-ups by the kernel")                                                  \
	X(getattrs, "attribute requests")                                                     \
	X(opens, "opens of files")                                                            \
	X(opendirs, "opens of directories")                                                   \
	X(reads, "read requests")                                                             \
	X(read_bytes, "bytes sent to readers")                                                \
	X(readdirs, "directory read requests")                                                \
	X(readlinks, "link reads")                                                            \
	X(xattrs, "extended attribute requests")                                              \
	X(creates, "files, directories, links and special files made")                       \
	X(removes, "names removed")                                                           \
	X(renames, "renames")                                                                 \
	X(setattrs, "changes of metadata")                                                    \
	X(writes, "write requests")                                                           \
	X(write_bytes, "bytes written")                                                       \
	X(fsyncs, "requests to make durable")                                                 \
	X(converted, "files that became full")                                                \
	X(forgets, "forget requests")                                                         \
	X(interrupts, "interrupts")                                                           \
	X(parked, "requests that had to wait for the provider")                               \
	X(timeouts, "requests that ended at their time limit")                                \
	X(interrupted, "requests that ended because their caller was killed")                 \
	X(callbacks_start_enum, "start enumeration callbacks")                                \
	X(callbacks_get_enum, "get enumeration callbacks")                                    \
	X(callbacks_end_enum, "end enumeration callbacks")                                    \
	X(callbacks_placeholder, "get placeholder info callbacks")                            \
	X(callbacks_data, "get file data callbacks")                                          \
	X(callbacks_query, "query file name callbacks")                                       \
	X(notifications, "notification callbacks")                                            \
	X(notifications_lost, "notifications that the provider was too slow to take, or that came at the end") \
	X(vetoes, "operations that the provider refused in a notification")                   \
	X(negative_hits, "look-ups answered by the negative path cache")                      \
	X(callbacks_failed, "callbacks that returned an error other than not found")          \
	X(cancels, "commands cancelled")                                                      \
	X(bytes_fetched, "bytes delivered by the provider")                                   \
	X(hydrations, "files hydrated")                                                       \
	X(hydrations_failed, "hydrations that failed")                                        \
	X(listing_entries, "entries delivered by the provider")                               \
	X(listing_faults, "entries out of order, twice, or with an impossible name")          \
	X(provider_faults, "other mistakes of the provider")                                  \
	X(invalidations, "cache invalidations sent to the kernel")                            \
	X(revalidated, "items with local state compared with the provider")                   \
	X(refreshed, "local copies dropped because the provider's version changed")

struct core_stats {
#define CORE_COUNTER_MEMBER(name, help) uint64_t name;
	CORE_COUNTERS(CORE_COUNTER_MEMBER)
#undef CORE_COUNTER_MEMBER
	/* Not counters: how many there are now. */
	uint64_t n_nodes;
	uint64_t n_parked;
	uint64_t n_commands; /* queued, running or pended */
	uint64_t n_open_listings;
};

void core_get_stats(struct core *core, struct core_stats *ret);
/* The api layer counts what it sees first. */
void core_count_provider_fault(struct core *core);

#endif
