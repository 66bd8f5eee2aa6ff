/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_OVERLAP_H
#define PROJFS_CLI_OVERLAP_H

/*
 * A provider that projects a directory must not find its own root in it: it would call itself.
 */

enum overlap {
	OVERLAP_NONE,
	OVERLAP_SAME,
	OVERLAP_SOURCE_CONTAINS_ROOT,
	OVERLAP_SOURCE_IN_ROOT,
};

/*
 * Compare two existing directories by their canonical paths, and by identity along their ancestors, which also sees
 * through bind mounts.  An enum overlap, or a negative errno.
 */
int overlap_check(const char *source, const char *root);

/* Is @path, canonical, equal to @directory (1), below it (2), or neither (0)?  Text only. */
int path_position(const char *path, const char *directory);

#endif
