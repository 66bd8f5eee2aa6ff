/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_HELPER_H
#define PROJFS_FUSE_HELPER_H

/*
 * The helper process: a small program that outlives us.  It holds the other end of a socket and the root's
 * descriptor, not the FUSE one.  When the socket closes, however we ended, it detaches the mount if that is
 * still there, aborts the connection if that is still there, and flushes what was hydrated to the disk.
 *
 *	projfs-helper MOUNT_POINT MAJOR:MINOR
 *	descriptor 3: the socket; 4: the root, O_PATH, opened underneath the mount
 */

#include <sys/types.h>

#include "util/errmsg.h"

#define HELPER_NAME "projfs-helper"
#define HELPER_SOCKET_FD 3
#define HELPER_ROOT_FD 4
#define HELPER_DETACHED 'd' /* written before closing: ended in order, only the flush is left */

/* @ret_socket_fd: its closing starts the helper's work.  @dev: of the mount, so that a newer one is left alone. */
int helper_start(const char *mount_point, dev_t dev, int root_fd, int *ret_socket_fd,
                 struct errmsg *err);

#endif
