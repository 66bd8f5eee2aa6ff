/* SPDX-License-Identifier: MIT */
#include "control/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"

void stream_init(struct stream *s, int fd, int cancel_fd)
{
	*s = (struct stream){.fd = fd, .cancel_fd = cancel_fd};
}

void stream_deinit(struct stream *s)
{
	buf_deinit(&s->in);
}

static int wait_for(const struct stream *s, short events, uint64_t deadline_ms)
{
	struct pollfd fds[] = {
		{.fd = s->fd, .events = events},
		{.fd = s->cancel_fd, .events = POLLIN}, /* -1 is ignored by poll */
	};

	for (;;) {
		uint64_t now = clock_now_ms();
		int timeout = now >= deadline_ms ? 0 : (int)MIN(deadline_ms - now, INT_MAX);
		int r = poll(fds, ARRAY_SIZE(fds), timeout);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
		return fds[1].revents ? -ECANCELED : 0;
	}
}

/* The line at the start of the buffer has @length bytes without its end: parse and drop it. */
static int take_line(struct stream *s, size_t length, json_t **ret_object)
{
	json_error_t error;
	json_t *object = json_loadb((const char *)s->in.data, length, 0, &error);

	memmove(s->in.data, s->in.data + length + 1, s->in.size - length - 1);
	s->in.size -= length + 1;
	if (!object)
		return -EBADMSG;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	*ret_object = object;
	return 0;
}

int stream_read(struct stream *s, size_t max, uint64_t deadline_ms, json_t **ret_object)
{
	size_t n_seen = 0; /* bytes of the buffer that hold no end of line */

	for (;;) {
		char chunk[4096];
		ssize_t n;
		int r;

		if (s->in.size > n_seen) {
			uint8_t *end = memchr(s->in.data + n_seen, '\n', s->in.size - n_seen);

			if ((end ? (size_t)(end - s->in.data) : s->in.size) > max)
				return -EMSGSIZE;
			if (end)
				return take_line(s, (size_t)(end - s->in.data), ret_object);
			n_seen = s->in.size;
		}

		r = wait_for(s, POLLIN, deadline_ms);
		if (r < 0)
			return r;
		n = recv(s->fd, chunk, sizeof(chunk), 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		buf_append(&s->in, chunk, (size_t)n);
		if (s->in.failed)
			return -ENOMEM;
	}
}

static int write_all(struct stream *s, const char *data, size_t size, uint64_t deadline_ms)
{
	while (size > 0) {
		ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int r = wait_for(s, POLLOUT, deadline_ms);

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int stream_write(struct stream *s, const json_t *object, uint64_t deadline_ms)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t length;
	int r;

	if (!text)
		return -ENOMEM;
	length = strlen(text);
	text[length] = '\n'; /* the terminator's place */
	r = write_all(s, text, length + 1, deadline_ms);
	free(text);
	return r;
}
