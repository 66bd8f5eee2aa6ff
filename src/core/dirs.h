/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_DIRS_H
#define PROJFS_CORE_DIRS_H

/* Directories come to be on disk when something in them gets a state to keep. */

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

struct core;
struct core_req;
struct node;

/* A copy of a node's record that outlives the node's lock; free(data) it. */
struct kept_record {
	uint8_t *data;
	struct record rec;
};
/* With what the provider left open and was decided when the item was described. -EIO: it has none. */
int keep_record(struct core *core, struct node *node, struct kept_record *ret);

/* Have the provider describe @dir and what is above it, as far as it is not on disk.  0, CORE_PENDING, or a negative
 * errno. */
int dirs_describe(struct core *core, struct core_req *req, struct node *dir);
/* Put @dir and what is above it on disk. The caller holds the tree lock. */
int dirs_make(struct core *core, struct node *dir);
/* Both: what a change in @dir begins with.  -ENOENT: it has left the view. */
int dirs_ready(struct core *core, struct core_req *req, struct node *dir);

/* A user changes what is in @dir: it is dirty, and shows its own times from now on. */
int dirs_mark_changed(struct core *core, struct node *dir);
/*
 * Around what changes @dir on disk though no user has changed it.  The store puts mtime and atime back, but no call
 * sets a ctime: that of the disk is remembered as one not to show.
 */
void dirs_hold_times(struct core *core, struct node *dir);
void dirs_held_times(struct core *core, struct node *dir);
/* Does it show its own times, so that hydration must not change them? */
bool dirs_show_own_times(struct core *core, struct node *dir);

#endif
