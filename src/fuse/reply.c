/* SPDX-License-Identifier: MIT */
#include "fuse/reply.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fuse/xattr.h"
#include "util/log.h"

/* A century; the kernel counts in jiffies and takes no more than it can hold. */
#define FOREVER_SECONDS UINT32_MAX

struct fuse_req *req_new(struct session *s, struct channel *channel,
                         const struct fuse_in_header *header,
                         void (*done)(struct core_req *req, int error))
{
	struct fuse_req *req;

	req = malloc(sizeof(*req));
	if (!req) {
		reply_error(channel, header->unique, -ENOMEM);
		return NULL;
	}
	*req = (struct fuse_req){
	        .core =
	                {
	                        .unique = header->unique,
	                        .pid = header->pid,
	                        .uid = header->uid,
	                        .gid = header->gid,
	                        .done = done,
	                },
	        .session = s,
	        .channel = channel,
	        .unique = header->unique,
	};
	list_init(&req->disk_link);
	return req;
}

void req_free(struct fuse_req *req)
{
	free(req->dirents);
	free(req);
}

static int send_parts(struct channel *channel, uint64_t unique, int error, struct iovec *iov,
                      int n_iov)
{
	struct fuse_out_header header = {.unique = unique, .error = error, .len = sizeof(header)};

	iov[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof(header)};
	for (int i = 1; i < n_iov; i++)
		header.len += (uint32_t)iov[i].iov_len;
	return channel->ops->send(channel, iov, n_iov);
}

void reply_error(struct channel *channel, uint64_t unique, int error)
{
	struct iovec iov[1];

	/* The kernel drops replies with an error that is none, and their caller would wait for ever. */
	if (error > 0 || error <= -512)
		error = -EIO;
	/* A failure means that the connection has ended: nobody waits for the reply. */
	(void)send_parts(channel, unique, error, iov, 1);
}

static int reply_two(struct channel *channel, uint64_t unique, const void *a, size_t a_size,
                     const void *b, size_t b_size)
{
	struct iovec iov[3] = {
	        [1] = {.iov_base = (void *)a, .iov_len = a_size},
	        [2] = {.iov_base = (void *)b, .iov_len = b_size},
	};
	int r = send_parts(channel, unique, 0, iov, b_size > 0 ? 3 : 2);

	/* The kernel ends the request itself when it does not like an answer, but not in all cases; an error
	 * for a request that has ended is refused without harm. */
	if (r < 0 && r != -ENOENT && r != -ENODEV) {
		log_error("the kernel refused a reply: %s, sending an error", strerror(-r));
		reply_error(channel, unique, -EIO);
	}
	return r;
}

int reply_data(struct channel *channel, uint64_t unique, const void *data, size_t size)
{
	return reply_two(channel, unique, data, size, NULL, 0);
}

/* The end of most requests: @size bytes at @data, or @error if that is not 0. */
static void finish(struct fuse_req *req, int error, const void *data, size_t size)
{
	if (error)
		reply_error(req->channel, req->unique, error);
	else
		(void)reply_data(req->channel, req->unique, data, size);
	req_free(req);
}

static void fill_valid(uint64_t ms, uint64_t *ret_seconds, uint32_t *ret_ns)
{
	if (ms / 1000 >= FOREVER_SECONDS) {
		*ret_seconds = FOREVER_SECONDS;
		*ret_ns = 0;
	} else {
		*ret_seconds = ms / 1000;
		*ret_ns = (uint32_t)(ms % 1000) * 1000000;
	}
}

static void fill_attr(const struct core_attr *a, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
	        .ino = a->ino,
	        .size = a->size,
	        .blocks = a->blocks,
	        .atime = (uint64_t)a->atime.tv_sec,
	        .mtime = (uint64_t)a->mtime.tv_sec,
	        .ctime = (uint64_t)a->ctime.tv_sec,
	        .atimensec = (uint32_t)a->atime.tv_nsec,
	        .mtimensec = (uint32_t)a->mtime.tv_nsec,
	        .ctimensec = (uint32_t)a->ctime.tv_nsec,
	        .mode = a->mode,
	        .nlink = a->nlink,
	        .uid = a->uid,
	        .gid = a->gid,
	        .rdev = a->rdev,
	};
}

static void fill_entry(const struct core_entry *e, struct fuse_entry_out *ret)
{
	*ret = (struct fuse_entry_out){.nodeid = e->node_id};
	fill_valid(e->entry_valid_ms, &ret->entry_valid, &ret->entry_valid_nsec);
	if (e->node_id == 0)
		return;
	fill_valid(e->attr_valid_ms, &ret->attr_valid, &ret->attr_valid_nsec);
	fill_attr(&e->attr, &ret->attr);
}

void reply_entry(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	const struct core_entry *entry = &core_req->ret.entry;
	struct fuse_entry_out out;

	if (error) {
		finish(req, error, NULL, 0);
		return;
	}
	fill_entry(entry, &out);
	/* An entry that did not arrive is one that the kernel will not forget. */
	if (reply_data(req->channel, req->unique, &out, sizeof(out)) < 0 && entry->node_id)
		core_forget(req->session->core, entry->node_id, 1);
	req_free(req);
}

void reply_created(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	const struct core_entry *entry = &core_req->ret.created.entry;
	struct fuse_open_out open = {0};
	struct fuse_entry_out out;

	if (error) {
		finish(req, error, NULL, 0);
		return;
	}
	fill_entry(entry, &out);
	open.fh = core_req->ret.created.handle;
	open.open_flags = FOPEN_KEEP_CACHE;
	if (reply_two(req->channel, req->unique, &out, sizeof(out), &open, sizeof(open)) < 0)
		core_forget(req->session->core, entry->node_id, 1);
	req_free(req);
}

void reply_empty(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);

	reply_error(req->channel, req->unique, error);
	req_free(req);
}

void reply_write(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_write_out out = {.size = (uint32_t)core_req->ret.written};

	finish(req, error, &out, sizeof(out));
}

void reply_copied(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	uint64_t copied = core_req->ret.written;

	finish(req, error, &copied, sizeof(copied));
}

void reply_lseek(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_lseek_out out = {.offset = core_req->ret.offset};

	finish(req, error, &out, sizeof(out));
}

void reply_attr(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_attr_out out = {0};

	if (!error) {
		fill_valid(core_req->ret.attr.valid_ms, &out.attr_valid, &out.attr_valid_nsec);
		fill_attr(&core_req->ret.attr.attr, &out.attr);
	}
	finish(req, error, &out, sizeof(out));
}

static struct fuse_sx_time sx_time(const struct timespec *ts)
{
	return (struct fuse_sx_time){.tv_sec = ts->tv_sec, .tv_nsec = (uint32_t)ts->tv_nsec};
}

void reply_statx(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_statx_out out = {0};

	if (!error) {
		const struct core_attr *a = &core_req->ret.attr.attr;
		bool has_btime = a->btime.tv_sec || a->btime.tv_nsec;

		fill_valid(core_req->ret.attr.valid_ms, &out.attr_valid, &out.attr_valid_nsec);
		out.stat = (struct fuse_statx){
		        .mask = STATX_BASIC_STATS | (has_btime ? STATX_BTIME : 0),
		        .nlink = a->nlink,
		        .uid = a->uid,
		        .gid = a->gid,
		        .mode = (uint16_t)a->mode,
		        .ino = a->ino,
		        .size = a->size,
		        .blocks = a->blocks,
		        .atime = sx_time(&a->atime),
		        .btime = sx_time(&a->btime),
		        .ctime = sx_time(&a->ctime),
		        .mtime = sx_time(&a->mtime),
		        .rdev_major = major(a->rdev),
		        .rdev_minor = minor(a->rdev),
		};
	}
	finish(req, error, &out, sizeof(out));
}

void reply_readlink(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);

	if (!error && (core_req->ret.bytes.size == 0 || core_req->ret.bytes.size >= PATH_MAX))
		error = -EIO;
	finish(req, error, core_req->ret.bytes.data, core_req->ret.bytes.size);
}

void reply_open(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_open_out out = {0};

	if (!error) {
		out.fh = core_req->ret.open.handle;
		out.open_flags = core_req->ret.open.keep_cache ? FOPEN_KEEP_CACHE : 0;
	}
	finish(req, error, &out, sizeof(out));
}

void reply_opendir(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_open_out out = {0};

	if (!error) {
		out.fh = core_req->ret.open.handle;
		/* In a live view each open directory has a listing of its own. */
		if (core_req->ret.open.keep_cache)
			out.open_flags = FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE;
	}
	finish(req, error, &out, sizeof(out));
}

/* Attributes are asked for twice: with no room, to learn the size, and then with that much. */
static void finish_sized(struct fuse_req *req, const void *data, size_t size)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)size};

	if (req->size == 0)
		finish(req, 0, &out, sizeof(out));
	else
		finish(req, size > req->size ? -ERANGE : 0, data, size);
}

void reply_xattr(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);

	if (error)
		finish(req, error, NULL, 0);
	else
		finish_sized(req, core_req->ret.bytes.data, core_req->ret.bytes.size);
}

void reply_xattr_names(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	_cleanup_(freep) char *visible = NULL;
	size_t size = core_req->ret.bytes.size;

	if (!error) {
		visible = malloc(size + 1);
		error = visible ? 0 : -ENOMEM;
	}
	if (error) {
		finish(req, error, NULL, 0);
		return;
	}
	size = xattr_copy_visible(core_req->ret.bytes.data, size, visible);
	finish_sized(req, visible, size);
}

void reply_ioctl(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	struct fuse_ioctl_out out = {0};
	size_t size = core_req->ret.bytes.size;

	if (!error && size > req->size)
		error = -EIO;
	if (error)
		reply_error(req->channel, req->unique, error);
	else
		(void)reply_two(req->channel, req->unique, &out, sizeof(out),
		                core_req->ret.bytes.data, size);
	req_free(req);
}

bool reply_emit_dirent(struct core_req *core_req, const struct core_dirent *d)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);
	size_t entry_size = req->plus ? sizeof(struct fuse_entry_out) : 0;
	size_t size = FUSE_REC_ALIGN(entry_size + FUSE_NAME_OFFSET + d->name_length);
	char *at;

	if (size > req->size - req->n_dirents_bytes)
		return false;
	if (!req->dirents) {
		req->dirents = malloc(req->size);
		if (!req->dirents)
			return false;
	}
	at = req->dirents + req->n_dirents_bytes;
	memset(at, 0, size);
	if (req->plus && d->entry)
		fill_entry(d->entry, (struct fuse_entry_out *)at);
	at += entry_size;
	*(struct fuse_dirent *)at = (struct fuse_dirent){
	        .ino = d->ino,
	        .off = d->next_offset,
	        .namelen = (uint32_t)d->name_length,
	        .type = d->type,
	};
	memcpy(at + FUSE_NAME_OFFSET, d->name, d->name_length);
	req->n_dirents_bytes += size;
	return true;
}

void reply_readdir(struct core_req *core_req, int error)
{
	struct fuse_req *req = container_of(core_req, struct fuse_req, core);

	/* Entries taken were counted as looked up, so they must arrive; the next call meets the error. */
	if (req->n_dirents_bytes > 0)
		error = 0;
	finish(req, error, req->dirents, req->n_dirents_bytes);
}
