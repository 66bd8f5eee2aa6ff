/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_FAKE_CHANNEL_H
#define PROJFS_TESTS_FAKE_CHANNEL_H

/* A transport whose messages end in a buffer: what would have gone to the kernel. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse/kernel.h"
#include "fuse/session.h"
#include "fuse/transport.h"

struct fake_channel {
	struct channel channel;
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t sent;
	unsigned n_sent;
	int send_result;
	struct fuse_out_header header; /* of the last message */
	size_t size; /* of what followed it */
	char data[1 << 21];
	const void *request; /* what receive() gives, once */
	size_t request_size;
};

struct fake_channel *fake_channel_new(void);
struct fake_channel *fake_channel_free(struct fake_channel *c);
/* Wait until @n messages were sent in all. */
void fake_channel_wait(struct fake_channel *c, unsigned n);

/* Dispatch a request made of two parts, from node 7. */
void fake_request(struct session *s, struct fake_channel *c, uint32_t opcode, const void *a,
                  size_t a_size, const void *b, size_t b_size);

#define FAKE_UNIQUE 4711
#define FAKE_NODE 7

#endif
