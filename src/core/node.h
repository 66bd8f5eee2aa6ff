/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_NODE_H
#define PROJFS_CORE_NODE_H

/*
 * A node is an item that somebody knows: the kernel (it has looked it up and not forgotten it), a child of
 * it, or a request in flight.  It lives as long as one of them does.  Two tables find nodes: by id, which the
 * kernel uses and which is never used again, and by parent and name.
 *
 *	NODE_UNKNOWN      being asked for the first time; in the tables so that others wait for the answer
 *	NODE_VIRTUAL      seen in a listing
 *	NODE_PLACEHOLDER  described by the provider (rec is set)
 *	NODE_HYDRATED     a file with its content on disk, still the provider's
 *	NODE_LOCAL        the user's own: full file, local directory or link
 *	NODE_DIRECTORY    a placeholder directory that is on disk (the root too)
 *	NODE_GONE         no longer of that name: replaced, or vanished from the view.  Only in the id table;
 *	                  who has it open keeps what had arrived
 *
 * Locks.  table.lock: both tables, references, lookup counts, ids; for pointer operations only.  Each
 * node's state is protected by node_lock(), one of a fixed set of mutexes picked by id; no two of them
 * are ever held together.  parent and name change only under the exclusive tree lock (core/tree_lock.h), so
 * whoever makes a path holds that shared.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "store/record.h"
#include "store/store.h"

enum node_state {
	NODE_UNKNOWN,
	NODE_VIRTUAL,
	NODE_PLACEHOLDER,
	NODE_HYDRATED,
	NODE_LOCAL,
	NODE_DIRECTORY,
	NODE_GONE,
};

enum node_flag {
	NODE_SERVED = 1 << 0,       /* bytes of an incomplete content were handed out: it may not change any more */
	NODE_REVALIDATE = 1 << 1,   /* has a record from an earlier instance: ask before answering */
	NODE_ASK_AGAIN = 1 << 2,    /* the provider said that the version is gone */
	NODE_DIRTY = 1 << 3,        /* metadata changed locally */
	NODE_ADOPTED = 1 << 4,      /* directory on disk that the provider may not know */
	NODE_SIZE_UNKNOWN = 1 << 5, /* a file whose size only its content tells */
	NODE_OPAQUE = 1 << 6,       /* directory: the provider is not asked about what is in it */
	NODE_COMMITTING = 1 << 7,   /* its content is being given its name: the version is decided */
	NODE_UNLINKED = 1 << 8,     /* removed or replaced by a user: it has no name, who has it open keeps it */
	NODE_RENAMED = 1 << 9,      /* lives under another name than its origin */
	NODE_BASE_ABSENT = 1 << 10, /* local; the provider had none of that name at checked_ms */
	NODE_YOUNG = 1 << 11,       /* full, and what it was made from is not durable yet */
	NODE_HIDDEN = 1 << 12,      /* unlinked, and its content has a name in .projfs: that is node->name */
	NODE_CONVERTED = 1 << 13,   /* full, and was the provider's at this very name */
	NODE_SHRUNK = 1 << 14,      /* described as shorter than the kernel was told: see describe() in describe.c */
	NODE_MAY_CONVERT = 1 << 15, /* the provider has agreed that it becomes full */
};

/* One more name of a file with several: a hard link. Protected by table.lock. */
struct alias {
	struct alias *hash_next;
	struct alias *next;  /* of the same node */
	struct node *parent; /* referenced */
	struct node *node;   /* not referenced: the node owns it */
	uint32_t name_hash;
	char name[];
};

struct node_wait; /* lookup.c: an answer in flight */
struct hydration;
struct listing;

struct node {
	/* table.lock */
	uint64_t id;
	struct node *id_next;
	struct node *name_next;
	uint64_t n_lookups;
	uint32_t n_refs;
	uint32_t name_hash;
	bool hashed;         /* in the name table */
	bool by_inode;       /* in the table of files with several names */
	uint64_t disk_ino;   /* its key there */
	struct node *inode_next;
	struct alias *aliases;
	struct node *parent; /* referenced; NULL for the root; changes under the exclusive tree lock */

	/* node_lock() */
	uint8_t state;
	uint8_t n_restarts;  /* of its hydration, because the version changed */
	uint16_t flags;
	_Atomic uint32_t mode; /* type and permissions; the type can be read without the lock */
	uint32_t uid, gid;
	uint32_t mtime_nsec, ctime_nsec, atime_nsec;
	uint32_t rec_size;
	int64_t mtime_sec, ctime_sec, atime_sec;
	uint32_t nlink;      /* of what is on disk; 0: not known */
	uint32_t rdev;
	uint64_t size;
	uint64_t blocks;     /* of 512 bytes, of what is on disk */
	struct timespec held_ctime; /* directory: the disk's, when only hydration has changed it: not shown */
	uint64_t ino;
	uint64_t checked_ms; /* when the provider last said so */
	uint8_t *rec;        /* encoded record: the provider's word, or from disk */
	struct node_wait *wait;
	union {
		struct listing *listing;     /* directory in a stable view: what it holds */
		struct hydration *hydration; /* file: content on its way */
	};
	struct content *content;
	char *name;          /* "" for the root; as parent */
};

#define NODE_N_LOCKS 256
#define NODE_N_LINK_BUCKETS 4096 /* files with several names are few */

struct node_table {
	pthread_mutex_t lock;
	struct node **by_id;
	struct node **by_name;
	size_t n_buckets; /* a power of two */
	size_t n_nodes;
	struct alias **aliases;
	size_t n_aliases;
	struct node **by_inode;
	uint64_t next_id;
	pthread_mutex_t node_locks[NODE_N_LOCKS];
};

int node_table_init(struct core *core);
void node_table_deinit(struct core *core);

void node_lock(struct core *core, const struct node *node);
void node_unlock(struct core *core, const struct node *node);

struct node *node_get(struct core *core, uint64_t id); /* referenced, or NULL */
struct node *node_find(struct core *core, const struct node *parent, const char *name);
/* The same for a whole path, as far as it is in memory; it is written over. */
struct node *node_find_path(struct core *core, char *path);
struct node *node_ref(struct core *core, struct node *node);
void node_unref(struct core *core, struct node *node);

/* The node of that name, or a new one in NODE_UNKNOWN. Referenced. NULL: no memory. */
struct node *node_find_or_new(struct core *core, struct node *parent, const char *name,
			      bool *ret_new);
/* A new node of that name that is in no name table: others do not find it. */
struct node *node_new_apart(struct core *core, struct node *parent, const char *name);
/* Out of the name table; NODE_GONE.  Takes the node's lock. */
void node_retire(struct core *core, struct node *node);

/* names.c: under the exclusive tree lock, but for the last three. */

/* Give up the name; with several, one of the others becomes the one that paths are made from. */
void node_drop_name(struct core *core, struct node *node, const struct node *parent,
		    const char *name);
/* From one name to another, which nobody has. */
int node_move(struct core *core, struct node *node, const struct node *parent, const char *name,
	      struct node *new_parent, const char *new_name);
/* Two nodes change places: each gets the name that the other has here. */
struct named_node {
	struct node *dir, *node;
	const char *name;
};
int node_swap_names(struct core *core, const struct named_node *a, const struct named_node *b);
/* Is this the one name that its path is made from? */
bool node_is_called(const struct node *node, const struct node *parent, const char *name);
bool node_has_name(struct core *core, const struct node *node);
/* Has it lost its last name, or never had one, while somebody has it open? */
bool node_is_unlinked(struct core *core, const struct node *node);
/* One more name.  If it has none yet (an unnamed file) it is its first. */
int node_add_name(struct core *core, struct node *node, struct node *parent, const char *name);
/* The node of the file with several names that has this inode on disk, referenced, or NULL. */
struct node *node_find_inode(struct core *core, uint64_t disk_ino);
void node_register_inode(struct core *core, struct node *node, uint64_t disk_ino);

/* All that are below @dir in the name table, referenced, in @ret (malloc'ed). -ENOMEM. */
int node_list_below(struct core *core, const struct node *dir, struct node ***ret, size_t *ret_n);

/* Further names below @dir that files have.  Who looks for one of them finds it on disk, as long as it is there. */
void node_drop_aliases_below(struct core *core, const struct node *dir);

void node_count_lookup(struct core *core, struct node *node);
void node_forget(struct core *core, uint64_t id, uint64_t n_lookups);

/* The path from the root, malloc'ed: where it is, and as the provider knows it. NULL: no memory. */
char *node_path(struct core *core, const struct node *node);
char *node_origin(struct core *core, struct node *node);
/* The same of what is, or would be, called @name in @dir. */
char *node_child_path(struct core *core, const struct node *dir, const char *name);
char *node_child_origin(struct core *core, struct node *dir, const char *name);

/* The st_ino of what the provider has as @origin, when it is projected for the first time or again. */
uint64_t projected_identity(struct core *core, const char *origin);

/* Replace what is known of the node.  The caller holds node_lock(). */
int node_set_record(struct node *node, const struct record *rec);
void node_drop_record(struct node *node);
bool node_get_record(const struct node *node, struct record *ret); /* points into node->rec */
/* Set type, attributes and identity from a description by the provider, or from what is on disk. */
void node_apply_record(struct core *core, struct node *node, const struct record *rec);
void node_apply_item(struct core *core, struct node *node, const struct store_item *item);
/* What fstat says of what is on disk. */
void node_apply_stat(struct node *node, const struct stat *st);

static inline bool node_is_dir(const struct node *node)
{
	return S_ISDIR(node->mode);
}

/* May anything of this directory's content be on disk? */
bool node_on_disk(const struct node *node);
/* Is the provider asked about the content of this directory? */
bool node_is_projected(const struct node *node);

void node_attr(const struct node *node, struct core_attr *ret);

#endif
