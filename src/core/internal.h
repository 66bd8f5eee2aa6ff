/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_INTERNAL_H
#define PROJFS_CORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/command.h"
#include "core/content.h"
#include "core/core.h"
#include "core/dirs.h"
#include "core/disk.h"
#include "core/listing.h"
#include "core/negative.h"
#include "core/node.h"
#include "core/notice.h"
#include "core/opened.h"
#include "core/tree_lock.h"
#include "core/wait.h"
#include "store/change.h"
#include "util/hash.h"

/* Kinds of requests, in core_req.op.kind. */
enum op_kind {
	OP_LOOKUP,
	OP_GETATTR,
	OP_READLINK,
	OP_OPEN,
	OP_READ,
	OP_OPENDIR,
	OP_READDIR,
	OP_GETXATTR,
	OP_LISTXATTR,
	OP_STATE,
	OP_HYDRATE,
	OP_CREATE,
	OP_TMPFILE,
	OP_MKNOD,
	OP_SYMLINK,
	OP_LINK,
	OP_UNLINK,
	OP_RMDIR,
	OP_RENAME,
	OP_SETATTR,
	OP_WRITE,
	OP_FALLOCATE,
	OP_LSEEK,
	OP_COPY_RANGE,
	OP_FSYNC,
	OP_SETXATTR,
	OP_REMOVEXATTR,
	OP_RESTORE,
	OP_TOMBSTONES,
};

/* "Run me again with the tree lock held exclusively." */
#define CORE_EXCLUSIVE 2
/* "What is left needs no lock." */
#define CORE_READY 3

/* What a request that changes something was given, and has found out so far. */
struct op_args {
	uint64_t other_id;  /* rename, link: the new parent; copy: the destination */
	char *other_name;   /* owned: rename: the new name; symlink: the target; link: the name */
	uint32_t mode;
	uint32_t rdev;
	uint32_t umask;
	uint32_t flags;
	struct core_setattr attr;
	void *data;         /* owned: write, setxattr */
	size_t size;
	uint64_t offset;    /* write, fallocate, lseek; copy: of the destination */
	uint64_t length;
	bool kill_priv;
	bool data_only;
	struct node *base;  /* referenced: stands for the provider's item under a local one */
	bool base_failed;   /* the provider could not say */
	struct listing *listing; /* referenced: of the directory that must be empty, in a live view */
};

struct counters {
#define CORE_COUNTER_ATOMIC(name, help) atomic_uint_fast64_t name;
	CORE_COUNTERS(CORE_COUNTER_ATOMIC)
#undef CORE_COUNTER_ATOMIC
};

/* Which of them a node uses depends on its id. */
#define CORE_N_STAGING_LOCKS 64

/* Nodes that providers described unasked. */
#define CORE_N_KEPT 4096

struct core {
	struct store *store;
	struct core_config config;
	const struct core_kernel *kernel; /* set once, before the first request */
	void *kernel_context;
	struct tree_lock tree;
	struct node_table table;
	struct wait wait;
	struct commands commands;
	struct disk disk;
	struct contents contents;
	struct negative_paths negative;
	struct node *root;
	pthread_mutex_t dir_handles_lock;
	struct list dir_handles; /* open directories: the kernel does not close them when the mount goes */
	struct notices notices;
	struct opened_table opened;
	pthread_mutex_t kept_lock;
	struct node *kept[CORE_N_KEPT]; /* a ring; referenced */
	unsigned next_kept;
	/* Held while a node gets its hydration, so that no two open the same staging files.  Taken before
	 * node_lock(), and with no other lock held. */
	pthread_mutex_t staging_locks[CORE_N_STAGING_LOCKS];
	uint8_t stream_secret[8];
	uint64_t session_secret;
	atomic_uint_fast64_t next_handle;
	atomic_uint_fast64_t next_session;
	struct counters count;
	atomic_uint_fast64_t n_open_listings;
};

#define COUNT(core, what) atomic_fetch_add_explicit(&(core)->count.what, 1, memory_order_relaxed)
#define COUNT_ADD(core, what, n) \
	atomic_fetch_add_explicit(&(core)->count.what, (n), memory_order_relaxed)

/* request.c: answer, or run (again). */
void req_finish(struct core_req *req, int error);
void req_run(struct core_req *req);

/* The steps of each kind: 0 or a negative errno to answer with, or CORE_PENDING when parked. */
int op_lookup(struct core *core, struct core_req *req);
/* Turn what a look-up came to into its answer: an entry, a negative entry, or an error. */
int op_lookup_answer(struct core *core, struct core_req *req, int r, struct node *node);
int op_getattr(struct core *core, struct core_req *req);
int op_readlink(struct core *core, struct core_req *req);
int op_open(struct core *core, struct core_req *req);
int op_read(struct core *core, struct core_req *req);
int op_opendir(struct core *core, struct core_req *req);
int op_readdir(struct core *core, struct core_req *req);
int op_getxattr(struct core *core, struct core_req *req);
int op_listxattr(struct core *core, struct core_req *req);
int op_state(struct core *core, struct core_req *req);
int op_hydrate(struct core *core, struct core_req *req);
int op_create(struct core *core, struct core_req *req);
int op_tmpfile(struct core *core, struct core_req *req);
int op_mknod(struct core *core, struct core_req *req);
int op_symlink(struct core *core, struct core_req *req);
int op_link(struct core *core, struct core_req *req);
int op_unlink(struct core *core, struct core_req *req);
int op_rmdir(struct core *core, struct core_req *req);
int op_rename(struct core *core, struct core_req *req);
int op_setattr(struct core *core, struct core_req *req);
int op_write(struct core *core, struct core_req *req);
int op_fallocate(struct core *core, struct core_req *req);
int op_lseek(struct core *core, struct core_req *req);
int op_copy_range(struct core *core, struct core_req *req);
int op_fsync(struct core *core, struct core_req *req);
int op_setxattr(struct core *core, struct core_req *req);
int op_removexattr(struct core *core, struct core_req *req);
int op_restore(struct core *core, struct core_req *req);
int op_tombstones(struct core *core, struct core_req *req);

/* Answer with bytes that live until the answer is out: always CORE_PENDING. */
int req_answer_bytes(struct core_req *req, const void *data, size_t size);

/* describe.c */

/* Take the provider's description of @node. Returns 0, or -ESTALE: the node was retired because somebody still
 * uses the old version, and the name needs a new one. */
int node_describe(struct core *core, struct node *node, const struct record *rec);
/* -ESTALE: somebody's open file has kept the old node; the name gets a new one. */
int node_describe_replacement(struct core *core, struct node *old, const struct record *rec);
/* The provider does not have it (any more). 0: what is on disk stays; -ENOENT: it is retired. */
int node_vanished(struct core *core, struct node *node);
/* The tree lock, as taking in what is said of @node needs it. */
void lock_to_describe(struct core *core, struct node *node);

/* resolve.c */

/*
 * Find the child @name of the directory @parent: in memory, on disk, or by asking the provider.
 * 0 and a referenced node in @ret; CORE_PENDING (the request is parked and will be run again);
 * -ENOENT; or another negative errno.
 */
int resolve_child(struct core *core, struct core_req *req, struct node *parent, const char *name,
		  struct node **ret);
/* Make sure that the provider has described @node, and recently. 0, CORE_PENDING, or a negative errno. */
int resolve_fresh(struct core *core, struct core_req *req, struct node *node);
/* What is on disk by that name: a referenced node. -ENODATA: nothing; -ENOENT: a tombstone. */
int resolve_local(struct core *core, struct node *parent, const char *name, struct node **ret);
/* The child that the kernel has looked up just before: nobody need be asked. -ENOENT: there is none. */
int resolve_known(struct core *core, struct node *parent, const char *name, struct node **ret);
/* As resolve_fresh(), but what a listing said is enough. */
int resolve_usable(struct core *core, struct core_req *req, struct node *node);
/* Make sure that it has been described by the provider at all: it is about to appear on disk. */
int resolve_described(struct core *core, struct core_req *req, struct node *node);
/* Ask whether the provider has @node, which is apart, and nothing else of it: NODE_VIRTUAL, or NODE_GONE. */
int resolve_existence(struct core *core, struct core_req *req, struct node *node);
/* Can an answer about it be given without asking? The caller holds node_lock(). */
bool node_is_fresh(struct core *core, const struct node *node);
uint64_t node_valid_ms(struct core *core, const struct node *node);
/* Fill in an entry answer. The caller holds node_lock(). */
void node_entry(struct core *core, struct node *node, struct core_entry *ret);
/* What is on disk makes the node what it is. The caller holds node_lock(). */
void node_init_from_item(struct core *core, struct node *node, const struct store_item *item);

/* Keep a node that nobody uses yet alive for a while: a bounded number, oldest out first. */
void core_keep(struct core *core, struct node *node);

/* readdir.c: close what is still open; one of them. */
void dir_handles_free(struct core *core);
void dir_handle_free(struct core *core, uint64_t handle);

/* hydrate.c */

struct hydration;
/* Fetch all of a file: also how the size of one is learned that only its content tells.
 * 0, CORE_PENDING, or a negative errno. */
int op_hydrate_node(struct core *core, struct core_req *req, struct node *node);
/* How much has arrived. */
uint64_t hydration_bytes(struct hydration *h);
/* The description of @node changed before anybody saw a byte: what arrives is for nobody. The caller holds
 * node_lock(); hydration_drop() afterwards, without: who waits runs again, or ends with @error. */
struct hydration *hydration_detach(struct node *node);
void hydration_drop(struct core *core, struct hydration *h, int error);
struct hydration *hydration_ref(struct hydration *h);
void hydration_unref(struct core *core, struct hydration *h);

#endif
