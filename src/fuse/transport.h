/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_TRANSPORT_H
#define PROJFS_FUSE_TRANSPORT_H

/*
 * How requests come and replies go.
 *
 * A channel is what one request thread reads from.  A reply must go out through the channel that its
 * request came in by: the kernel keeps a list of unanswered requests for each of them.  Any thread may
 * send.  Notifications have no request and may take any channel.
 *
 * Today there is one implementation, /dev/fuse with cloned descriptors (devfuse.c); tests have another.
 */

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct channel;

struct channel_ops {
	/* Wait for a request and copy it to @buf.  > 0: its size; 0: told to stop; -ENODEV: unmounted
	 * or aborted; another negative errno: the channel is of no use any more. */
	ssize_t (*receive)(struct channel *c, void *buf, size_t size);
	/* Send one message, whole.  -ENOENT: nobody waits for it (any more). */
	int (*send)(struct channel *c, const struct iovec *iov, int n_iov);
};

struct channel {
	const struct channel_ops *ops;
};

struct devfuse;

/* Takes over @fd, an opened /dev/fuse that belongs to a mount, also when it fails. */
int devfuse_new(int fd, struct devfuse **ret);
/*
 * Go from one channel to @n.  With @clone, each has a queue of unanswered requests of its own; where the
 * kernel refuses that they share the first one's.  @ret_cloned: it did not refuse.
 */
int devfuse_add_channels(struct devfuse *d, unsigned n, int clone, int *ret_cloned);
struct channel *devfuse_channel(struct devfuse *d, unsigned i);
/* From now on receive() returns 0 on every channel. */
void devfuse_stop(struct devfuse *d);
/* Closes the descriptors: the kernel aborts the connection.  No thread may be in a channel. */
struct devfuse *devfuse_free(struct devfuse *d);

#endif
