/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_CHANGE_H
#define PROJFS_CORE_CHANGE_H

/*
 * What users change, as far as several operations need it.
 *
 *	make.c      create, mkdir, mknod, symlink, link, unnamed files
 *	remove.c    unlink, rmdir
 *	rename.c    rename
 *	write.c     a file becomes full: write, truncate, fallocate, copy, fsync
 *	setattr.c   metadata; what of it makes a placeholder dirty
 *	attributes.c extended attributes
 *	restore.c   back to the provider's view
 *	base.c      what the provider has under a local item
 *
 * All of it is called with the tree lock held.  Where the return value may be CORE_EXCLUSIVE the operation has changed
 * nothing yet and is run again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/change.h"

struct core;
struct core_req;
struct handle;
struct node;
struct kept_record;
struct record;
struct store_item;

/* ---- ops.c ----------------------------------------------------------------------------------- */

/* The provider has refused what @h was opened for. */
void open_undo(struct core *core, struct core_req *req, struct handle *h);

/* ---- base.c ---------------------------------------------------------------------------------- */

/*
 * Does the provider have a @name in @dir, so that a deletion must leave a tombstone?  @occupant: the item there now, or
 * NULL.  0 and the answer; CORE_PENDING; or a negative errno.  A provider that fails counts as one that has it:
 * what was deleted must not come back.
 */
int base_exists(struct core *core, struct core_req *req, struct node *dir, const char *name,
		struct node *occupant, bool *ret);
/* The question of base_exists() ended with @error: what that means for @req. */
int base_asked(struct core_req *req, int error);
/* A local item was made there just now: was it seen that the provider has none? */
void base_note_made(struct core *core, struct node *dir, struct node *node, bool was_tombstone);

/* ---- make.c ---------------------------------------------------------------------------------- */

/* May a user give this name? */
int check_new_name(const struct node *dir, const char *name);

/* ---- remove.c -------------------------------------------------------------------------------- */

/* Is nothing to be seen in @dir?  0 yes; -ENOTEMPTY; CORE_PENDING; or another negative errno. */
int dir_must_be_empty(struct core *core, struct core_req *req, struct node *dir);
/* @node is about to lose a name for good: who has it open keeps the content. */
struct kept_content {
	char hidden[STORE_HIDDEN_NAME_SIZE]; /* in .projfs/open; empty: a descriptor does it */
};
int keep_content(struct core *core, struct node *node, struct kept_content *ret);
void keep_undo(struct core *core, struct node *node, const struct kept_content *kept);
/* It has lost that name. */
void lost_name(struct core *core, struct node *node, const struct node *parent, const char *name,
	       const struct kept_content *kept);

/* ---- write.c --------------------------------------------------------------------------------- */

/* Make the regular file @node full. 0, CORE_PENDING, CORE_EXCLUSIVE, or a negative errno. */
int full_ready(struct core *core, struct core_req *req, struct node *node);
/* A write to a file that is full: 0, a negative errno, or -EAGAIN: it is not.  Takes the tree lock for a moment, and
 * must not be called with it. */
int write_unlocked(struct core *core, struct core_req *req, uint64_t offset, const void *data,
		   size_t size, bool kill_priv);
/* Cut or extend. 0, CORE_PENDING, CORE_EXCLUSIVE, or a negative errno. */
int truncate_node(struct core *core, struct core_req *req, struct node *node, uint64_t size,
		  bool kill_priv);

/* ---- setattr.c ------------------------------------------------------------------------------- */

/* What is in memory of an item whose attributes are the disk's is brought up to date. */
int node_refresh(struct core *core, struct node *node);
/* The same, with its record. */
int node_reload(struct core *core, struct node *node);
/* A hydrated file or placeholder directory: its record says that a user changed it. */
int mark_dirty(struct core *core, struct node *node);
/* An un-hydrated placeholder gets a marker on disk with @rec. The tree is held exclusively. */
int write_marker(struct core *core, struct node *node, const struct kept_record *kept);
/* The marker of a renamed or dirty placeholder says @rec from now on, and so does @node. */
int renew_marker(struct core *core, struct node *node, const struct record *rec);

#endif
