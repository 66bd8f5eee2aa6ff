/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_LISTING_H
#define PROJFS_CORE_LISTING_H

/*
 * A listing is what one directory holds, loaded by one enumeration session with the provider and merged
 * with what is on disk: local items win, tombstones hide.  Entries keep their places, so an
 * offset given to the kernel stays good.
 *
 * In a live view each open directory loads its own.  In a stable view the directory's node keeps one for all,
 * which also answers look-ups.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/dir_buffer.h"

struct core;
struct core_req;
struct node;
struct listing;

/*
 * A directory in a live view loads the listing for the open @slot; in a stable view @slot is the node's.
 * 0 and a referenced, complete listing; CORE_PENDING; or a negative errno.
 */
int listing_load(struct core *core, struct core_req *req, struct node *dir, struct listing **slot,
		 struct listing **ret);
void listing_unref(struct core *core, struct listing *l);

/* The entry at @index; some are removed. false: there are no more. */
bool listing_get(struct listing *l, size_t index, struct listing_entry *ret);
bool listing_is_empty(struct listing *l);

/* What a user did to a name, for the listing that a directory keeps in a stable view. */
enum listing_change {
	LISTING_LOCAL,    /* it has a state on disk now */
	LISTING_REMOVED,
	LISTING_RESTORED, /* what is on disk no longer counts */
};
void listing_note(struct core *core, struct node *dir, const char *name,
		  enum listing_change change);
/* Does the provider have one of that name, whatever lies over it? 1, 0, or -ENODATA: not known. */
int listing_base(struct core *core, struct node *dir, const char *name);
/* In a stable view with a loaded listing: the child by that name, referenced. -ENOENT: there is none.
 * -ENODATA: nothing is known. */
int listing_find_child(struct core *core, struct node *dir, const char *name, struct node **ret);

/* A node for an entry that only the provider has; it is virtual if it is new. NULL: no memory. */
struct node *listing_make_node(struct core *core, struct node *dir, const struct listing_entry *e);

#endif
