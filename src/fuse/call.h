/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_CALL_H
#define PROJFS_FUSE_CALL_H

/* One request of the kernel on its way to the core. */

#include <stddef.h>
#include <string.h>

#include "fuse/reply.h"

struct call {
	struct session *session;
	struct channel *channel;
	const struct fuse_in_header *header;
	const void *arg; /* what follows the header: at least handler.min_size bytes */
	size_t size;
};

static inline void call_fail(const struct call *call, int error)
{
	reply_error(call->channel, call->header->unique, error);
}

static inline struct fuse_req *call_req(const struct call *call,
                                        void (*done)(struct core_req *, int))
{
	return req_new(call->session, call->channel, call->header, done);
}

/* The string at @offset of the arguments, or NULL if no NUL ends it. */
static inline const char *call_string(const struct call *call, size_t offset)
{
	const char *s = (const char *)call->arg + offset;

	if (offset >= call->size || !memchr(s, '\0', call->size - offset))
		return NULL;
	return s;
}

#endif
