/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_MOUNT_H
#define PROJFS_FUSE_MOUNT_H

/*
 * A FUSE mount over a virtualization root, serving one core.
 *
 *	mount.c        start, detach, stop: the order of things
 *	attach.c       mount(2) and umount2(2), or fusermount.c where we may not
 *	mountinfo.c    what is mounted, learned without touching it
 *	negotiate.c    INIT: what the kernel offers and what we use of it
 *	session.c      the handshake and the request threads
 *	transport.h    how requests come and replies go: /dev/fuse with cloned descriptors (devfuse.c)
 *	dispatch.c     kernel request -> core request; xattr.c: attributes that never reach the core
 *	reply.c        core answer -> kernel reply; read.c: the one kind that may wait for the disk
 *	notify.c       cache invalidation, never from a request thread
 *	helper.c       starts the helper process that outlives us; helper_main.c is that program
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "util/errmsg.h"

struct fuse_mount;

struct fuse_mount_options {
	const char *source;   /* shown as the device in mount tables, e.g. "dir:/usr/include" */
	bool allow_other;     /* other users too; the kernel checks permissions in any case */
	bool read_only;
	unsigned n_threads;   /* request threads; 0: one per processor */
};

/*
 * Mount over @root_path (an absolute path) and serve @core.  Returns when the mount answers: INIT is done and the
 * request threads run.  Sets the core's kernel interface.  Starts the helper process.
 * A dead mount of ours found at @root_path is detached first.
 * -EPERM, -EACCES no right to mount; -ENOENT no fusermount3; -ENODEV no FUSE in this kernel; others. @err explains.
 */
int fuse_mount_start(struct core *core, const char *root_path,
		     const struct fuse_mount_options *options, struct fuse_mount **ret,
		     struct errmsg *err);

/* Detach the mount from the tree (lazily if it is busy).  Requests are still served. Idempotent. */
void fuse_mount_detach(struct fuse_mount *m);
/* After core_stop(): abort the connection, end the threads.  What still is parked gets ENOTCONN. */
void fuse_mount_stop(struct fuse_mount *m);
struct fuse_mount *fuse_mount_free(struct fuse_mount *m);

/* Becomes readable when somebody else unmounted us or the connection was aborted. Borrowed. */
int fuse_mount_event_fd(const struct fuse_mount *m);

/* The features in use after INIT, for status: "passthrough", "readdirplus", "clone" ... in a static array. */
size_t fuse_mount_features(const struct fuse_mount *m, const char **ret_names, size_t max);

/* ---- mounts seen from outside ----------------------------------------------------------------- */

/*
 * The projfs mount that covers the absolute, lexically clean @path: copies its mount point to @ret_root
 * (PATH_MAX bytes).  1 found, 0 none, or a negative errno.  Reads /proc/self/mountinfo, touches no mount.
 */
int fuse_mount_find(const char *path, char *ret_root);
/* Is the mount at exactly this mount point dead (its instance is gone)? 1, 0, negative errno. Never blocks. */
int fuse_mount_is_dead(const char *root_path);
/* Detach the projfs mount at @root_path, as root or through fusermount3. -EINVAL: not a projfs mount point. */
int fuse_mount_unmount(const char *root_path, bool lazy, struct errmsg *err);

#endif
