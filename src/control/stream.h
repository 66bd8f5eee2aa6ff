/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CONTROL_STREAM_H
#define PROJFS_CONTROL_STREAM_H

/*
 * JSON objects, one a line, over a socket: every wait has a deadline, and ends early when a cancel descriptor
 * becomes readable.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct stream {
	int fd; /* non-blocking; the caller's */
	int cancel_fd; /* or -1 */
	struct buf in; /* bytes after the last line that was taken */
};

void stream_init(struct stream *s, int fd, int cancel_fd);
void stream_deinit(struct stream *s);

/*
 * Wait until clock_now_ms() reaches @deadline_ms for the next line of at most @max bytes, and parse it.
 * -EBADMSG: a line that is no JSON object; the next one may be. -EMSGSIZE: longer than @max; the stream is lost.
 * -ECONNRESET: the other side is gone. -ETIMEDOUT, -ECANCELED, -ENOMEM.
 */
int stream_read(struct stream *s, size_t max, uint64_t deadline_ms, json_t **ret_object);

/* After a cancel what does not need waiting for is still sent. */
int stream_write(struct stream *s, const json_t *object, uint64_t deadline_ms);

#endif
