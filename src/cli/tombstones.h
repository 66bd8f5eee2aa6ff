/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_TOMBSTONES_H
#define PROJFS_CLI_TOMBSTONES_H

/*
 * The names that were deleted in a directory of a mounted root.  No listing shows them, and the disk underneath
 * is hidden by the mount: only the instance can tell.
 */

#include <stddef.h>

#include "core/ioctl.h"

struct tombstones {
	char **names;
	size_t n_names;
};

/* All of the directory @relative of the mount at @root, in byte order.  0 or a negative errno. */
int tombstones_read(const char *root, const char *relative, struct tombstones *ret);
void tombstones_deinit(struct tombstones *t);

/* Append the names of one page. -EPROTO: it makes no sense; -ENOMEM. */
int tombstones_append(struct tombstones *t, const struct core_ioctl_tombstones *page);

#endif
