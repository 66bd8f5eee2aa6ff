/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_MOUNTS_H
#define PROJFS_CLI_MOUNTS_H

/*
 * The projfs mounts in the kernel's table.  Looking there touches no mount, so it cannot hang on one.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct mounts_entry {
	char *root; /* mount point */
	char *source; /* "dir:/usr/include" */
	unsigned long uid; /* who mounted it */
};

struct mounts {
	struct mounts_entry *entries;
	size_t n_entries;
};

/* All projfs mounts of this mount namespace, in the order of mounting. 0 or a negative errno. */
int mounts_read(struct mounts *ret);
/* The same, from any text in the format of /proc/PID/mountinfo. */
int mounts_parse(const char *text, struct mounts *ret);
void mounts_deinit(struct mounts *m);

/* The innermost mount at or above the canonical @path; NULL if there is none. */
const struct mounts_entry *mounts_covering(const struct mounts *m, const char *path);
bool mounts_has_root(const struct mounts *m, const char *root);

/*
 * Has the instance of the mount at @root gone?  Asked by a child process for at most two seconds: a mount
 * whose instance is stuck is not dead, and would not answer us either.
 */
bool mount_is_dead(const char *root);

/* If the mount at @root is dead, remove it and say so.  0, or an exit code after a message. */
int mount_repair(const char *root);

/* Wait until no mount is at @root. 0, -ETIMEDOUT, or another negative errno. */
int mount_wait_gone(const char *root, unsigned timeout_ms);

/* An absolute path without ".", "..", "//", by text alone: for paths that cannot be touched. 0 or a negative errno. */
int path_make_absolute(const char *path, char ret_path[PATH_MAX]);

/* The absolute path @absolute with the symbolic links in all but its last component followed. 0 or a negative errno. */
int path_resolve_parent(const char *absolute, char ret_path[PATH_MAX]);

/*
 * The canonical path of a root: realpath(), with the text of the last component when that is a mount that
 * cannot be touched.
 */
int path_resolve_root(const char *path, char ret_path[PATH_MAX]);

#endif
