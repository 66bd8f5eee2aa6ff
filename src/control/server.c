/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "control/control.h"
#include "control/rundir.h"
#include "control/stream.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/macros.h"

#define IDLE_TIMEOUT_MS 10000
#define WRITE_TIMEOUT_MS 5000

struct control_server {
	struct control_ops ops;
	void *context;
	int dirfd;
	char name[RUNDIR_NAME_SIZE];
	struct stat socket_st; /* our socket, which a later instance may have replaced */
	bool is_bound;
	int listen_fd;
	int stop_fd; /* eventfd; stays readable from control_server_free() on */
	pthread_t acceptor;
	bool has_acceptor;
	pthread_mutex_t lock;
	pthread_cond_t client_left;
	unsigned n_clients; /* protected by lock */
};

struct client {
	struct control_server *server;
	int fd;
};

/* ---- one client ---------------------------------------------------------------------------- */

static json_t *reply_error(const char *message)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", message);
}

static json_t *reply_status(struct control_server *s, const json_t *request)
{
	json_t *reply = s->ops.status(s->context, json_is_true(json_object_get(request, "usage")));

	if (reply && json_object_set_new(reply, "ok", json_true()) < 0) {
		json_decref(reply);
		reply = NULL;
	}
	return reply ? reply : reply_error("out of memory");
}

static json_t *reply_sync(struct control_server *s)
{
	int r = s->ops.sync(s->context);

	return r < 0 ? reply_error(strerror(-r)) : json_pack("{s:b}", "ok", 1);
}

static json_t *handle(struct control_server *s, const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));

	if (!op)
		return reply_error("the request names no \"op\"");
	if (strcmp(op, "status") == 0)
		return reply_status(s, request);
	if (strcmp(op, "sync") == 0)
		return reply_sync(s);
	if (strcmp(op, "stop") == 0) {
		s->ops.stop(s->context);
		return json_pack("{s:b}", "ok", 1);
	}
	return reply_error("unknown \"op\"; there are status, sync and stop");
}

/* One request and its reply. 0, or a negative errno when the connection is of no more use. */
static int serve_once(struct control_server *s, struct stream *stream)
{
	json_t *request = NULL, *reply;
	int r, w;

	r = stream_read(stream, CONTROL_REQUEST_MAX, clock_now_ms() + IDLE_TIMEOUT_MS, &request);
	if (r == 0)
		reply = handle(s, request);
	else if (r == -EBADMSG)
		reply = reply_error("the request is no JSON object");
	else if (r == -EMSGSIZE)
		reply = reply_error("the request is too long");
	else
		return r;
	json_decref(request);
	if (!reply)
		return -ENOMEM;

	w = stream_write(stream, reply, clock_now_ms() + WRITE_TIMEOUT_MS);
	json_decref(reply);
	return r == -EMSGSIZE ? r : w;
}

static void *client_main(void *argument)
{
	struct client *c = argument;
	struct control_server *s = c->server;
	struct stream stream;

	stream_init(&stream, c->fd, s->stop_fd);
	while (serve_once(s, &stream) == 0)
		;
	stream_deinit(&stream);
	(void)close(c->fd);
	free(c);

	pthread_mutex_lock(&s->lock);
	s->n_clients--;
	pthread_cond_signal(&s->client_left);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- accepting ------------------------------------------------------------------------------ */

static bool peer_is_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}

static bool client_slot_take(struct control_server *s)
{
	bool is_free;

	pthread_mutex_lock(&s->lock);
	is_free = s->n_clients < CONTROL_CLIENTS_MAX;
	if (is_free)
		s->n_clients++;
	pthread_mutex_unlock(&s->lock);
	return is_free;
}

static void client_slot_return(struct control_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->n_clients--;
	pthread_mutex_unlock(&s->lock);
}

/* Takes @fd on success. */
static int client_start(struct control_server *s, int fd)
{
	struct client *c = malloc(sizeof(*c));
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct client){.server = s, .fd = fd};
	r = pthread_attr_init(&attr);
	if (r == 0) {
		/* counted in n_clients instead of joined */
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attr, client_main, c);
		(void)pthread_attr_destroy(&attr);
	}
	if (r != 0)
		free(c);
	return -r;
}

static void refuse(int fd, const char *why)
{
	static const char format[] = "{\"ok\":false,\"error\":\"%s\"}\n";
	char line[128];
	int n = snprintf(line, sizeof(line), format, why);

	(void)send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT); /* as far as it goes */
	(void)close(fd);
}

/* 0, or the negative errno of accept() */
static int accept_one(struct control_server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!peer_is_allowed(fd)) {
		refuse(fd, "this instance belongs to another user");
	} else if (!client_slot_take(s)) {
		refuse(fd, "too many clients, try again");
	} else if (client_start(s, fd) < 0) {
		client_slot_return(s);
		refuse(fd, "out of memory or threads");
	}
	return 0;
}

static void *acceptor_main(void *argument)
{
	struct control_server *s = argument;
	struct pollfd fds[] = {
		{.fd = s->listen_fd, .events = POLLIN},
		{.fd = s->stop_fd, .events = POLLIN},
	};

	for (;;) {
		int r = 0;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			log_error("control socket: poll: %s; no more commands are taken",
				  strerror(errno));
			return NULL;
		}
		if (fds[1].revents)
			return NULL;
		if (fds[0].revents)
			r = accept_one(s);
		/* accept() fails at once while descriptors are short: do not spin on it */
		if (r == -EMFILE || r == -ENFILE)
			(void)poll(&fds[1], 1, 100);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

/*
 * The socket gets its name by rename, when it listens already: whoever finds it refusing may take it for a
 * leftover and remove it.
 */
static int publish(struct control_server *s)
{
	char temporary[RUNDIR_NAME_SIZE + 32];
	struct sockaddr_un address;
	int r;

	(void)snprintf(temporary, sizeof(temporary), ".%s.%ld", s->name, (long)getpid());
	(void)unlinkat(s->dirfd, temporary, 0); /* of an earlier process with our pid */
	r = rundir_address(s->dirfd, temporary, &address);
	if (r < 0)
		return r;
	if (bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (fstatat(s->dirfd, temporary, &s->socket_st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(s->dirfd, temporary, 0600, 0) < 0 ||
	    listen(s->listen_fd, CONTROL_CLIENTS_MAX) < 0 || flock(s->dirfd, LOCK_EX) < 0) {
		r = -errno;
	} else {
		r = renameat(s->dirfd, temporary, s->dirfd, s->name) < 0 ? -errno : 0;
		s->is_bound = r == 0;
		(void)flock(s->dirfd, LOCK_UN);
	}
	if (r < 0)
		(void)unlinkat(s->dirfd, temporary, 0);
	return r;
}

static void unpublish(struct control_server *s)
{
	struct stat st;

	if (!s->is_bound || flock(s->dirfd, LOCK_EX) < 0)
		return;
	if (fstatat(s->dirfd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == s->socket_st.st_ino)
		(void)unlinkat(s->dirfd, s->name, 0);
	(void)flock(s->dirfd, LOCK_UN);
}

static int acceptor_start(struct control_server *s)
{
	sigset_t all, old;
	int r;

	/* signals are the program's business; client threads inherit this */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&s->acceptor, NULL, acceptor_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->has_acceptor = r == 0;
	return -r;
}

static struct control_server *server_new(const struct control_ops *ops, void *context)
{
	struct control_server *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct control_server){
		.ops = *ops,
		.context = context,
		.dirfd = -1,
		.listen_fd = -1,
		.stop_fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.client_left = PTHREAD_COND_INITIALIZER,
	};
	return s;
}

int control_server_start(const char *root_path, const struct control_ops *ops, void *context,
			 struct control_server **ret, struct errmsg *err)
{
	struct control_server *s = server_new(ops, context);
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "out of memory");
	rundir_socket_name(root_path, s->name);
	r = s->dirfd = rundir_create(err);
	if (r < 0)
		goto fail;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->stop_fd < 0 || s->listen_fd < 0)
		r = -errno;
	else
		r = publish(s);
	if (r == 0)
		r = acceptor_start(s);
	if (r < 0) {
		(void)errmsg_set(err, r, "cannot make the control socket of '%s': %s", root_path,
				 strerror(-r));
		goto fail;
	}
	*ret = s;
	return 0;

fail:
	control_server_free(s);
	return r;
}

struct control_server *control_server_free(struct control_server *s)
{
	if (!s)
		return NULL;

	unpublish(s);
	if (s->has_acceptor) {
		(void)eventfd_write(s->stop_fd, 1);
		(void)pthread_join(s->acceptor, NULL);
		pthread_mutex_lock(&s->lock);
		while (s->n_clients > 0)
			pthread_cond_wait(&s->client_left, &s->lock);
		pthread_mutex_unlock(&s->lock);
	}
	closep(&s->listen_fd);
	closep(&s->stop_fd);
	closep(&s->dirfd);
	pthread_cond_destroy(&s->client_left);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
