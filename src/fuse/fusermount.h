/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_FUSERMOUNT_H
#define PROJFS_FUSE_FUSERMOUNT_H

#include <stdbool.h>

#include "util/errmsg.h"

/*
 * The program fusermount3, which mounts for ordinary users.  What it says on its standard error becomes the
 * message.  -ENOENT: it is not installed.
 */
int fusermount_mount(const char *path, const char *options, int *ret_fd, struct errmsg *err);
/* -EBUSY: in use, and not @lazy. */
int fusermount_unmount(const char *path, bool lazy, struct errmsg *err);

#endif
