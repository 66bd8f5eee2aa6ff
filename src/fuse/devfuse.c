/* SPDX-License-Identifier: MIT */

/*
 * The transport over /dev/fuse.
 *
 * Descriptors are non-blocking: a thread reads first, and only when there is nothing sleeps in its own
 * epoll, where it also hears of the end.  EPOLLEXCLUSIVE matters: without it each request would wake
 * every thread.  A thread that slept inside read() could not be told to stop, except by aborting the
 * connection, for which there is no call that always works without privilege.
 */

#include "fuse/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fuse/kernel.h"
#include "util/macros.h"

struct devfuse_channel {
	struct channel channel;
	int fd;
	bool fd_owned;
	int epoll_fd;
};

struct devfuse {
	int stop_fd; /* an eventfd, readable from devfuse_stop() on */
	unsigned n_channels;
	struct devfuse_channel **channels;
};

static ssize_t devfuse_receive(struct channel *channel, void *buf, size_t size)
{
	struct devfuse_channel *c = container_of(channel, struct devfuse_channel, channel);

	for (;;) {
		struct epoll_event events[2];
		ssize_t n;
		int n_events;

		n = read(c->fd, buf, size);
		if (n > 0)
			return n;
		if (n == 0)
			return -ENODEV;
		if (errno == EINTR || errno == ENOENT) /* ENOENT: its caller has just gone */
			continue;
		if (errno != EAGAIN)
			return errno == ECONNABORTED ? -ENODEV : -errno;

		n_events = epoll_wait(c->epoll_fd, events, ARRAY_SIZE(events), -1);
		if (n_events < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n_events; i++)
			if (events[i].data.fd != c->fd)
				return 0;
	}
}

static int devfuse_send(struct channel *channel, const struct iovec *iov, int n_iov)
{
	struct devfuse_channel *c = container_of(channel, struct devfuse_channel, channel);

	for (;;) {
		if (writev(c->fd, iov, n_iov) >= 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

static const struct channel_ops devfuse_ops = {
        .receive = devfuse_receive,
        .send = devfuse_send,
};

static struct devfuse_channel *channel_free(struct devfuse_channel *c)
{
	if (!c)
		return NULL;
	if (c->epoll_fd >= 0)
		(void)close(c->epoll_fd);
	if (c->fd >= 0 && c->fd_owned)
		(void)close(c->fd);
	free(c);
	return NULL;
}

static int watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Takes over @fd if @fd_owned, also when it fails. */
static int channel_new(int fd, bool fd_owned, int stop_fd, struct devfuse_channel **ret)
{
	struct devfuse_channel *c;
	int r;

	c = malloc(sizeof(*c));
	if (!c) {
		if (fd_owned)
			(void)close(fd);
		return -ENOMEM;
	}
	*c = (struct devfuse_channel){
	        .channel.ops = &devfuse_ops,
	        .fd = fd,
	        .fd_owned = fd_owned,
	        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
	};
	r = c->epoll_fd < 0 ? -errno : watch(c->epoll_fd, fd, EPOLLIN | EPOLLEXCLUSIVE);
	if (r == 0)
		r = watch(c->epoll_fd, stop_fd, EPOLLIN);
	if (r < 0) {
		channel_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static int append_channel(struct devfuse *d, int fd, bool fd_owned)
{
	struct devfuse_channel **grown;
	int r;

	grown = realloc(d->channels, (d->n_channels + 1) * sizeof(*grown));
	if (!grown) {
		if (fd_owned)
			(void)close(fd);
		return -ENOMEM;
	}
	d->channels = grown;
	r = channel_new(fd, fd_owned, d->stop_fd, &d->channels[d->n_channels]);
	if (r == 0)
		d->n_channels++;
	return r;
}

int devfuse_new(int fd, struct devfuse **ret)
{
	struct devfuse *d;
	int flags, r;

	d = calloc(1, sizeof(*d));
	if (!d) {
		(void)close(fd);
		return -ENOMEM;
	}
	d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	flags = fcntl(fd, F_GETFL);
	if (d->stop_fd < 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		r = -errno;
		(void)close(fd);
		devfuse_free(d);
		return r;
	}
	r = append_channel(d, fd, true);
	if (r < 0) {
		devfuse_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

static int clone_device(int fd)
{
	_cleanup_(closep) int clone = -1;
	uint32_t source = (uint32_t)fd;

	clone = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (clone < 0 || ioctl(clone, FUSE_DEV_IOC_CLONE, &source) < 0)
		return -errno;
	return steal_fd(&clone);
}

int devfuse_add_channels(struct devfuse *d, unsigned n, int clone, int *ret_cloned)
{
	int first = d->channels[0]->fd, r;

	while (d->n_channels < n) {
		int fd = clone ? clone_device(first) : -1;

		clone = fd >= 0;
		r = append_channel(d, fd >= 0 ? fd : first, fd >= 0);
		if (r < 0)
			return r;
	}
	*ret_cloned = clone;
	return 0;
}

struct channel *devfuse_channel(struct devfuse *d, unsigned i)
{
	return &d->channels[i]->channel;
}

void devfuse_stop(struct devfuse *d)
{
	/* Can fail only by overflow of the counter: then it is readable already. */
	(void)eventfd_write(d->stop_fd, 1);
}

struct devfuse *devfuse_free(struct devfuse *d)
{
	if (!d)
		return NULL;
	/* The first channel last: the others may share its descriptor. */
	for (unsigned i = d->n_channels; i > 0; i--)
		channel_free(d->channels[i - 1]);
	free(d->channels);
	if (d->stop_fd >= 0)
		(void)close(d->stop_fd);
	free(d);
	return NULL;
}
