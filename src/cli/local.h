/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_LOCAL_H
#define PROJFS_CLI_LOCAL_H

/*
 * What a root keeps locally below a directory: hydrated, dirty and full items, and tombstones, which no listing shows.
 * Of a mounted root only what is not virtual is entered, so the size of the view does not matter.
 */

#include <prj/prj.h>
#include <stdbool.h>

#include "cli/place.h"

struct local_walk {
	bool is_recursive;
	uint32_t states; /* bits of enum prj_file_state: which items are wanted */
	/* @path begins with the top; @type is a DT_ value, DT_WHT for a tombstone.  0, or negative to end the walk. */
	int (*item)(void *context, const char *path, unsigned char type,
		    const struct prj_item_info *info);
	/* An item whose state, or a directory whose content, cannot be told; the walk goes on. */
	void (*failed)(void *context, const char *path, const char *why);
	void *context;
};

/* Below @top, which lies at @place.  What item() returned, if that was negative; -ENOMEM; else 0. */
int local_walk(const struct local_walk *w, const struct place *place, const char *top);

#endif
