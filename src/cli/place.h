/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_PLACE_H
#define PROJFS_CLI_PLACE_H

/*
 * In which root a path lies, by its text: to look an item up would change its state, and a deleted one cannot be
 * looked up at all.
 */

#include <limits.h>
#include <stdbool.h>

struct place {
	char path[PATH_MAX]; /* absolute */
	char root[PATH_MAX];
	const char *relative; /* the end of path; "" is the root itself */
	bool is_mounted;
};

/* 0; -ENXIO: in no root; or another negative errno.  No mount is touched, so it cannot hang on one. */
int place_find(const char *path, struct place *ret);

/* The same for a command that is about to "@operation" the path: says what is wrong, and removes a dead mount that it
 * meets.  0, or an exit code after a message. */
int place_find_for(const char *operation, const char *path, struct place *ret);

#endif
