/* SPDX-License-Identifier: MIT */
#include "fake_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/dispatch.h"
#include "util/macros.h"

static ssize_t fake_receive(struct channel *channel, void *buf, size_t size)
{
	struct fake_channel *c = container_of(channel, struct fake_channel, channel);
	size_t n = c->request_size;

	if (!c->request || n > size)
		return -ENODEV;
	memcpy(buf, c->request, n);
	c->request = NULL;
	return (ssize_t)n;
}

static int fake_send(struct channel *channel, const struct iovec *iov, int n_iov)
{
	struct fake_channel *c = container_of(channel, struct fake_channel, channel);
	int r;

	pthread_mutex_lock(&c->lock);
	r = c->send_result;
	c->n_sent++;
	memcpy(&c->header, iov[0].iov_base, sizeof(c->header));
	c->size = 0;
	for (int i = 1; i < n_iov; i++) {
		if (iov[i].iov_len)
			memcpy(c->data + c->size, iov[i].iov_base, iov[i].iov_len);
		c->size += iov[i].iov_len;
	}
	/* The kernel refuses what disagrees about its length. */
	if (c->header.len != sizeof(c->header) + c->size)
		r = -EINVAL;
	pthread_cond_broadcast(&c->sent);
	pthread_mutex_unlock(&c->lock);
	return r;
}

struct fake_channel *fake_channel_new(void)
{
	static const struct channel_ops ops = {.receive = fake_receive, .send = fake_send};
	struct fake_channel *c = calloc(1, sizeof(*c));

	c->channel.ops = &ops;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->sent, NULL);
	return c;
}

struct fake_channel *fake_channel_free(struct fake_channel *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->sent);
	free(c);
	return NULL;
}

void fake_channel_wait(struct fake_channel *c, unsigned n)
{
	pthread_mutex_lock(&c->lock);
	while (c->n_sent < n)
		pthread_cond_wait(&c->sent, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void fake_request(struct session *s, struct fake_channel *c, uint32_t opcode, const void *a,
                  size_t a_size, const void *b, size_t b_size)
{
	struct fuse_in_header header = {
	        .len = (uint32_t)(sizeof(header) + a_size + b_size),
	        .opcode = opcode,
	        .unique = FAKE_UNIQUE,
	        .nodeid = FAKE_NODE,
	        .uid = 1,
	        .gid = 2,
	        .pid = 3,
	};
	char *request = malloc(header.len); /* exactly: so that reading past it is seen */

	memcpy(request, &header, sizeof(header));
	if (a_size)
		memcpy(request + sizeof(header), a, a_size);
	if (b_size)
		memcpy(request + sizeof(header) + a_size, b, b_size);
	dispatch(s, &c->channel, request, header.len);
	free(request);
}
