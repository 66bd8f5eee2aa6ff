/* SPDX-License-Identifier: MIT */
#include "fuse/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuse/call.h"
#include "fuse/negotiate.h"
#include "fuse/xattr.h"
#include "util/name.h"

#define WRITE_LARGE_BYTES (256 * 1024)

/* A name that somebody wants to use: its answer is given here if it cannot be one. */
static const char *name_at(const struct call *call, size_t offset)
{
	const char *name = call_string(call, offset);

	if (!name || !name_is_valid(name, strlen(name))) {
		call_fail(call, name && strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : -EINVAL);
		return NULL;
	}
	return name;
}

static struct core *core_of(const struct call *call)
{
	return call->session->core;
}

static struct timespec time_of(uint64_t sec, uint32_t nsec)
{
	return (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = (long)(nsec % 1000000000)};
}

void change_setattr(const struct call *call)
{
	const struct fuse_setattr_in *in = call->arg;
	const struct timespec now = {.tv_nsec = UTIME_NOW};
	struct core_setattr change = {
	        .mode = in->mode & 07777,
	        .uid = in->uid,
	        .gid = in->gid,
	        .size = in->size,
	        .atime = in->valid & FATTR_ATIME_NOW ? now : time_of(in->atime, in->atimensec),
	        .mtime = in->valid & FATTR_MTIME_NOW ? now : time_of(in->mtime, in->mtimensec),
	};
	struct fuse_req *req;

	if (in->valid & FATTR_SIZE && in->size > INT64_MAX) {
		call_fail(call, -EFBIG);
		return;
	}
	change.fields = (in->valid & FATTR_MODE ? CORE_CHANGE_MODE : 0) |
	                (in->valid & FATTR_UID ? CORE_CHANGE_UID : 0) |
	                (in->valid & FATTR_GID ? CORE_CHANGE_GID : 0) |
	                (in->valid & FATTR_SIZE ? CORE_CHANGE_SIZE : 0) |
	                (in->valid & FATTR_ATIME ? CORE_CHANGE_ATIME : 0) |
	                (in->valid & FATTR_MTIME ? CORE_CHANGE_MTIME : 0) |
	                (in->valid & FATTR_KILL_SUIDGID ? CORE_CHANGE_KILL_PRIV : 0);
	/* What is neither size nor owner nor times is chown() without an owner, or takes privileges away. */
	if (!change.fields)
		change.fields = CORE_CHANGE_KILL_PRIV;
	if (in->valid & FATTR_FH)
		change.fields |= CORE_CHANGE_BY_HANDLE;
	req = call_req(call, reply_attr);
	if (req)
		core_setattr(core_of(call), &req->core, call->header->nodeid, &change);
}

void change_symlink(const struct call *call)
{
	const char *name = name_at(call, 0), *target;
	struct fuse_req *req;

	if (!name)
		return;
	target = call_string(call, strlen(name) + 1);
	if (!target || !*target) {
		call_fail(call, target ? -ENOENT : -EINVAL);
		return;
	}
	req = call_req(call, reply_entry);
	if (req)
		core_symlink(core_of(call), &req->core, call->header->nodeid, name, target);
}

void change_mknod(const struct call *call)
{
	const struct fuse_mknod_in *in = call->arg;
	const char *name = name_at(call, sizeof(*in));
	struct fuse_req *req = name ? call_req(call, reply_entry) : NULL;

	if (req)
		core_mknod(core_of(call), &req->core, call->header->nodeid, name, in->mode,
		           in->rdev, in->umask);
}

void change_mkdir(const struct call *call)
{
	const struct fuse_mkdir_in *in = call->arg;
	const char *name = name_at(call, sizeof(*in));
	struct fuse_req *req = name ? call_req(call, reply_entry) : NULL;

	if (req)
		core_mknod(core_of(call), &req->core, call->header->nodeid, name,
		           S_IFDIR | (in->mode & 07777), 0, in->umask);
}

static void take_away(const struct call *call, bool dir)
{
	const char *name = name_at(call, 0);
	struct fuse_req *req = name ? call_req(call, reply_empty) : NULL;

	if (req)
		core_unlink(core_of(call), &req->core, call->header->nodeid, name, dir);
}

void change_unlink(const struct call *call)
{
	take_away(call, false);
}

void change_rmdir(const struct call *call)
{
	take_away(call, true);
}

static void rename_names(const struct call *call, size_t offset, uint64_t new_parent, uint32_t flags)
{
	const char *name = name_at(call, offset), *new_name;
	struct fuse_req *req;

	if (!name)
		return;
	new_name = name_at(call, offset + strlen(name) + 1);
	req = new_name ? call_req(call, reply_empty) : NULL;
	if (req)
		core_rename(core_of(call), &req->core, call->header->nodeid, name, new_parent,
		            new_name, flags);
}

void change_rename(const struct call *call)
{
	const struct fuse_rename_in *in = call->arg;

	rename_names(call, sizeof(*in), in->newdir, 0);
}

void change_rename2(const struct call *call)
{
	const struct fuse_rename2_in *in = call->arg;

	rename_names(call, sizeof(*in), in->newdir, in->flags);
}

void change_link(const struct call *call)
{
	const struct fuse_link_in *in = call->arg;
	const char *name = name_at(call, sizeof(*in));
	struct fuse_req *req = name ? call_req(call, reply_entry) : NULL;

	if (req)
		core_link(core_of(call), &req->core, in->oldnodeid, call->header->nodeid, name);
}

/* A write on its way to a disk thread. */
struct write_job {
	struct fuse_req *req;
	uint64_t node_id;
	uint64_t offset;
	size_t size;
	bool kill_priv;
	char data[];
};

static void write_job(void *arg)
{
	struct write_job *job = arg;

	core_write(job->req->session->core, &job->req->core, job->node_id, job->offset, job->data,
	           job->size, job->kill_priv);
	free(job);
}

/* What is large may wait until the disk has room for it, and a request thread does not. */
static int write_on_disk_thread(struct fuse_req *req, const struct call *call)
{
	const struct fuse_write_in *in = call->arg;
	struct write_job *job = malloc(sizeof(*job) + in->size);
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct write_job){
	        .req = req,
	        .node_id = call->header->nodeid,
	        .offset = in->offset,
	        .size = in->size,
	        .kill_priv = in->write_flags & FUSE_WRITE_KILL_SUIDGID,
	};
	memcpy(job->data, in + 1, in->size);
	r = core_run_on_disk_thread(core_of(call), write_job, job);
	if (r < 0)
		free(job);
	return r;
}

void change_write(const struct call *call)
{
	const struct fuse_write_in *in = call->arg;
	struct fuse_req *req;
	int r;

	if (in->size > call->size - sizeof(*in) || in->offset > (uint64_t)INT64_MAX - in->size) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, reply_write);
	if (!req)
		return;
	if (in->size < WRITE_LARGE_BYTES) {
		core_write(core_of(call), &req->core, call->header->nodeid, in->offset, in + 1,
		           in->size, in->write_flags & FUSE_WRITE_KILL_SUIDGID);
		return;
	}
	r = write_on_disk_thread(req, call);
	if (r < 0)
		reply_write(&req->core, r);
}

void change_create(const struct call *call)
{
	const struct fuse_create_in *in = call->arg;
	const char *name = name_at(call, sizeof(*in));
	struct fuse_req *req = name ? call_req(call, reply_created) : NULL;

	if (req)
		core_create(core_of(call), &req->core, call->header->nodeid, name, in->flags,
		            in->mode & 07777, in->umask);
}

void change_tmpfile(const struct call *call)
{
	const struct fuse_create_in *in = call->arg;
	struct fuse_req *req = call_req(call, reply_created);

	if (req)
		core_tmpfile(core_of(call), &req->core, call->header->nodeid, in->flags,
		             in->mode & 07777, in->umask);
}

void change_setxattr(const struct call *call)
{
	const struct fuse_setxattr_in *in = call->arg;
	bool extended = call->session->features & FUSE_SETXATTR_EXT;
	size_t head = extended ? sizeof(*in) : FUSE_COMPAT_SETXATTR_IN_SIZE;
	const char *name = call_string(call, head);
	struct fuse_req *req;
	size_t at;

	if (!name || !*name) {
		call_fail(call, -EINVAL);
		return;
	}
	if (xattr_is_ours(name)) {
		call_fail(call, -EPERM);
		return;
	}
	at = head + strlen(name) + 1;
	if (in->size > call->size - at) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, reply_empty);
	if (req)
		core_setxattr(core_of(call), &req->core, call->header->nodeid, name,
		              (const char *)call->arg + at, in->size, in->flags);
}

void change_removexattr(const struct call *call)
{
	const char *name = call_string(call, 0);
	struct fuse_req *req;

	if (!name || !*name) {
		call_fail(call, -EINVAL);
		return;
	}
	if (xattr_is_ours(name)) {
		call_fail(call, -ENODATA);
		return;
	}
	req = call_req(call, reply_empty);
	if (req)
		core_removexattr(core_of(call), &req->core, call->header->nodeid, name);
}

void change_fallocate(const struct call *call)
{
	const struct fuse_fallocate_in *in = call->arg;
	struct fuse_req *req;

	if (in->offset > INT64_MAX || in->length > (uint64_t)INT64_MAX - in->offset) {
		call_fail(call, -EFBIG);
		return;
	}
	req = call_req(call, reply_empty);
	if (req)
		core_fallocate(core_of(call), &req->core, call->header->nodeid, in->mode,
		               in->offset, in->length);
}

static void copy_range(const struct call *call, void (*done)(struct core_req *req, int error))
{
	const struct fuse_copy_file_range_in *in = call->arg;
	struct fuse_req *req;

	if (in->off_in > INT64_MAX || in->off_out > INT64_MAX) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, done);
	if (req)
		core_copy_range(core_of(call), &req->core, call->header->nodeid, in->off_in,
		                in->nodeid_out, in->off_out, in->len);
}

void change_copy_range(const struct call *call)
{
	copy_range(call, reply_write);
}

void change_copy_range_64(const struct call *call)
{
	copy_range(call, reply_copied);
}

void change_fsync(const struct call *call)
{
	const struct fuse_fsync_in *in = call->arg;
	struct fuse_req *req = call_req(call, reply_empty);

	if (req)
		core_fsync(core_of(call), &req->core, call->header->nodeid,
		           in->fsync_flags & FUSE_FSYNC_FDATASYNC);
}
