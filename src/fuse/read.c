/* SPDX-License-Identifier: MIT */
#include "fuse/read.h"

#include <errno.h>
#include <sys/uio.h>

#include "fuse/reply.h"

static _Thread_local void *thread_buffer; /* NULL on all but request threads */

void read_set_thread_buffer(void *buf)
{
	thread_buffer = buf;
}

static void send_content(struct fuse_req *req, const void *data, int error)
{
	if (error)
		reply_error(req->channel, req->unique, error);
	else
		(void)reply_data(req->channel, req->unique, data, req->core.ret.read.length);
	req_free(req);
}

/* Reads that may wait.  The core has cut the range at the end of the file: less is an error, for the kernel
 * would take it for the end. */
static int read_all(int fd, char *buf, size_t length, uint64_t offset)
{
	while (length > 0) {
		ssize_t n = pread(fd, buf, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		buf += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

static void read_and_send(struct fuse_req *req, struct content *content)
{
	size_t length = req->core.ret.read.length;
	_cleanup_(freep) void *buf = NULL;
	int r = -ENOMEM;

	buf = malloc(length);
	if (buf)
		r = read_all(content_fd(content), buf, length, req->core.ret.read.offset);
	send_content(req, buf, r);
}

static void disk_job(void *arg)
{
	struct fuse_req *req = arg;
	struct session *s = req->session;
	struct content *content = req->content;

	pthread_mutex_lock(&s->lock);
	list_remove(&req->disk_link);
	pthread_mutex_unlock(&s->lock);

	read_and_send(req, content);
	content_unref(content);

	pthread_mutex_lock(&s->lock);
	if (--s->n_disk_reads == 0)
		pthread_cond_broadcast(&s->disk_idle);
	pthread_mutex_unlock(&s->lock);
}

static void leave_to_disk_thread(struct fuse_req *req)
{
	struct session *s = req->session;
	int r;

	req->content = content_ref(req->core.ret.read.content);
	pthread_mutex_lock(&s->lock);
	list_append(&s->disk_reads, &req->disk_link);
	s->n_disk_reads++;
	pthread_mutex_unlock(&s->lock);

	r = core_run_on_disk_thread(s->core, disk_job, req);
	if (r == 0)
		return;

	pthread_mutex_lock(&s->lock);
	list_remove(&req->disk_link);
	if (--s->n_disk_reads == 0)
		pthread_cond_broadcast(&s->disk_idle);
	pthread_mutex_unlock(&s->lock);
	content_unref(req->content);
	send_content(req, NULL, r);
}

void reply_read(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct content *content = core_req->ret.read.content;
	size_t length = core_req->ret.read.length;
	struct iovec iov = {.iov_base = thread_buffer, .iov_len = length};

	if (!error && length > req->size)
		error = -EIO;
	if (error || length == 0) {
		send_content(req, NULL, error);
		return;
	}
	if (!thread_buffer) {
		read_and_send(req, content);
		return;
	}
	if (preadv2(content_fd(content), &iov, 1, (off_t)core_req->ret.read.offset, RWF_NOWAIT) ==
	    (ssize_t)length)
		send_content(req, thread_buffer, 0);
	else
		leave_to_disk_thread(req);
}

bool read_is_on_disk_thread(struct session *s, uint64_t unique)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	list_for_each (link, &s->disk_reads)
		found |= list_entry(link, struct fuse_req, disk_link)->unique == unique;
	pthread_mutex_unlock(&s->lock);
	return found;
}

void read_wait_idle(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->n_disk_reads > 0)
		pthread_cond_wait(&s->disk_idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
