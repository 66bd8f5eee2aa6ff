/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_MOUNTINFO_H
#define PROJFS_FUSE_MOUNTINFO_H

/*
 * Mounts, as /proc/self/mountinfo tells of them: the one way to learn about a mount without touching it.
 * A look at a mount whose instance hangs would hang as well.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define MOUNTINFO_PATH "/proc/self/mountinfo"
#define PROJFS_FSTYPE "fuse.projfs"

struct mountinfo_entry {
	dev_t dev; /* a number per file system: tells an old mount from a newer one */
	const char *mount_point; /* in the line that was parsed */
	const char *type;
};

/* Take one line apart, in place (escapes become the bytes they stand for).  false: not such a line. */
bool mountinfo_parse(char *line, struct mountinfo_entry *ret);

/*
 * The mount that is visible at exactly @mount_point: the last one listed.  1 and its device and whether it is one
 * of ours, 0 if nothing is mounted there, or a negative errno.  @file: MOUNTINFO_PATH.
 */
int mountinfo_at(const char *file, const char *mount_point, dev_t *ret_dev, bool *ret_projfs);

/* The mount that @path lies on: copies its mount point to @ret_mount_point (PATH_MAX bytes).  Otherwise as above. */
int mountinfo_covering(const char *file, const char *path, char *ret_mount_point, bool *ret_projfs);

#endif
