/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "control/control.h"
#include "control/rundir.h"
#include "control/stream.h"
#include "util/clock.h"
#include "util/macros.h"

/* A connected, non-blocking socket, or a negative errno. */
static int connect_once(int dirfd, const char *name)
{
	_cleanup_(closep) int fd = -1;
	struct sockaddr_un address;
	int r = rundir_address(dirfd, name, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* Nobody listens: if that is still so while no instance can appear, the name is a leftover. */
static int connect_or_remove(int dirfd, const char *name)
{
	int fd;

	if (flock(dirfd, LOCK_EX) < 0)
		return -ECONNREFUSED;
	fd = connect_once(dirfd, name);
	if (fd == -ECONNREFUSED)
		(void)unlinkat(dirfd, name, 0);
	(void)flock(dirfd, LOCK_UN);
	return fd;
}

static int connect_to(int dirfd, const char *name, uint64_t deadline_ms)
{
	for (;;) {
		int fd = connect_once(dirfd, name);

		if (fd == -ECONNREFUSED)
			return connect_or_remove(dirfd, name);
		/* the queue of the listener is full, and cannot be waited for */
		if (fd != -EAGAIN)
			return fd;
		if (clock_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 10);
	}
}

/* The other end of a connection that we may have been lured to must be ours, too. */
static int check_server(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.uid == geteuid() || peer.uid == 0 ? 0 : -EPERM;
}

static int call(int dirfd, const char *name, const json_t *request, unsigned timeout_ms,
		json_t **ret_reply)
{
	uint64_t deadline_ms = clock_now_ms() + timeout_ms;
	_cleanup_(closep) int fd = -1;
	struct stream stream;
	int r;

	fd = connect_to(dirfd, name, deadline_ms);
	if (fd < 0)
		return fd;
	r = check_server(fd);
	if (r < 0)
		return r;
	stream_init(&stream, fd, -1);
	r = stream_write(&stream, request, deadline_ms);
	if (r == 0)
		r = stream_read(&stream, CONTROL_REPLY_MAX, deadline_ms, ret_reply);
	stream_deinit(&stream);
	return r;
}

static int explain(struct errmsg *err, int error, const char *root_path)
{
	const char *why = strerror(-error);

	if (error == -ENOENT || error == -ECONNREFUSED)
		return errmsg_set(err, error, "no instance of this user runs for '%s'", root_path);
	if (error == -ETIMEDOUT)
		why = "it did not answer in time";
	else if (error == -ECONNRESET || error == -EPIPE)
		why = "it ended before it answered";
	else if (error == -EBADMSG || error == -EMSGSIZE)
		why = "its answer makes no sense";
	return errmsg_set(err, error, "cannot ask the instance of '%s': %s", root_path, why);
}

int control_call(const char *root_path, json_t *request, unsigned timeout_ms, json_t **ret_reply,
		 struct errmsg *err)
{
	char name[RUNDIR_NAME_SIZE];
	int r = -ENOENT;

	rundir_socket_name(root_path, name);
	for (unsigned i = 0; i < RUNDIR_CANDIDATES; i++) {
		_cleanup_(closep) int dirfd = rundir_open(i);

		if (dirfd < 0)
			continue;
		r = call(dirfd, name, request, timeout_ms, ret_reply);
		if (r == 0)
			return 0;
		if (r != -ENOENT && r != -ECONNREFUSED)
			break;
	}
	return explain(err, r, root_path);
}

static void call_directory(int dirfd, json_t *request, unsigned timeout_ms,
			   void (*each)(void *context, json_t *reply), void *context)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		closep(&copy);
		return;
	}
	while ((entry = readdir(dir))) {
		json_t *reply = NULL;

		if (!rundir_is_socket_name(entry->d_name))
			continue;
		if (call(dirfd, entry->d_name, request, timeout_ms, &reply) == 0)
			each(context, reply);
		json_decref(reply);
	}
	(void)closedir(dir);
}

void control_call_all(json_t *request, unsigned timeout_ms,
		      void (*each)(void *context, json_t *reply), void *context)
{
	for (unsigned i = 0; i < RUNDIR_CANDIDATES; i++) {
		_cleanup_(closep) int dirfd = rundir_open(i);

		if (dirfd >= 0)
			call_directory(dirfd, request, timeout_ms, each, context);
	}
}
