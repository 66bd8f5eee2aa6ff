/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_OPENED_H
#define PROJFS_CORE_OPENED_H

/*
 * Which items are open, by whom, and what became of them since: known only in instances whose provider wants to hear
 * of opens and closes.  A handle is one open file description: descriptors that were dup'ed or inherited share it, and
 * so do mappings, which keep it open.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/list.h"

struct core;
struct core_req;
struct node;
struct opened;
struct process;

struct handle {
	struct list link;       /* in opened->handles; protected by the table's lock, as what follows */
	struct opened *opened;
	uint64_t changes;       /* how often the item had been changed when this was opened */
	/* Constant. */
	uint64_t id;            /* as the provider knows it, never used again; not 0 */
	struct process *process; /* referenced; who opened it, NULL: unknown */
	bool may_write;
	bool truncated;         /* by the open itself */
};

#define OPENED_N_BUCKETS 1024

struct opened_table {
	pthread_mutex_t lock; /* innermost */
	struct opened *buckets[OPENED_N_BUCKETS]; /* by node */
};

void opened_init(struct opened_table *t);
/* Also what nobody has closed: the kernel does not when the mount goes. */
void opened_deinit(struct core *core, struct opened_table *t);

/* @req opens @node with @flags. NULL: no memory. */
struct handle *handle_new(struct core *core, struct core_req *req, struct node *node, uint32_t flags);
/* It is closed. Was the item changed while it was open for writing? */
bool handle_close(struct core *core, struct handle *h);
/* The item of a handle, referenced. */
struct node *handle_node(struct core *core, struct handle *h);

/* The content of @node has been changed. */
void opened_note_change(struct core *core, const struct node *node);
/* Has somebody who has it open for writing changed it? */
bool opened_is_changed(struct core *core, const struct node *node);

/* The mask that holds for @node until its last handle is closed; CORE_MASK_UNCHANGED: none. */
uint32_t opened_mask(struct core *core, const struct node *node);
/* false: nobody has it open. */
bool opened_set_mask(struct core *core, const struct node *node, uint32_t mask);

#endif
