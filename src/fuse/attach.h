/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_ATTACH_H
#define PROJFS_FUSE_ATTACH_H

/*
 * Putting a FUSE file system on a directory, and taking it off: with mount(2) and umount2(2) where we may,
 * otherwise through the set-user-id program fusermount3.
 */

#include <stdbool.h>

#include "fuse/mount.h"
#include "util/errmsg.h"

/* Mounts on @path.  @ret_fd: the /dev/fuse descriptor, close-on-exec. */
int attach(const char *path, const struct fuse_mount_options *options, int *ret_fd,
           struct errmsg *err);

/* -EBUSY: in use, and not @lazy. */
int detach(const char *path, bool lazy, struct errmsg *err);

/* @text with commas and backslashes escaped, as mount option lists want it; NULL: out of memory. */
char *attach_escape(const char *text);

#endif
