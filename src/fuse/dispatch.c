/* SPDX-License-Identifier: MIT */
#include "fuse/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#include "core/ioctl.h"
#include "fuse/call.h"
#include "fuse/change.h"
#include "fuse/negotiate.h"
#include "fuse/read.h"
#include "fuse/reply.h"
#include "fuse/xattr.h"
#include "store/store.h"
#include "util/name.h"

struct handler {
	void (*run)(const struct call *call); /* NULL: answer with error */
	size_t min_size;
	int error;
	bool no_reply;
};

static void do_lookup(const struct call *call)
{
	const char *name = call_string(call, 0);
	struct fuse_req *req;

	if (!name || !name_is_valid(name, strlen(name))) {
		call_fail(call, name && strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : -EINVAL);
		return;
	}
	req = call_req(call, reply_entry);
	if (req)
		core_lookup(call->session->core, &req->core, call->header->nodeid, name);
}

static void do_forget(const struct call *call)
{
	const struct fuse_forget_in *in = call->arg;

	core_forget(call->session->core, call->header->nodeid, in->nlookup);
}

static void do_batch_forget(const struct call *call)
{
	const struct fuse_batch_forget_in *in = call->arg;
	const struct fuse_forget_one *one = (const struct fuse_forget_one *)(in + 1);
	size_t room = (call->size - sizeof(*in)) / sizeof(*one);

	for (size_t i = 0; i < MIN((size_t)in->count, room); i++)
		core_forget(call->session->core, one[i].nodeid, one[i].nlookup);
}

static void do_getattr(const struct call *call)
{
	struct fuse_req *req = call_req(call, reply_attr);

	if (req)
		core_getattr(call->session->core, &req->core, call->header->nodeid);
}

static void do_statx(const struct call *call)
{
	struct fuse_req *req = call_req(call, reply_statx);

	if (req)
		core_getattr(call->session->core, &req->core, call->header->nodeid);
}

static void do_readlink(const struct call *call)
{
	struct fuse_req *req = call_req(call, reply_readlink);

	if (req)
		core_readlink(call->session->core, &req->core, call->header->nodeid);
}

/* ENOSYS to OPEN and OPENDIR means "never ask again", on the whole mount and for ever. */
static bool untracked(const struct session *s, uint64_t feature)
{
	return s->untracked && (s->features & feature);
}

static void do_open(const struct call *call)
{
	const struct fuse_open_in *in = call->arg;
	struct fuse_req *req;

	if (untracked(call->session, FUSE_NO_OPEN_SUPPORT)) {
		call_fail(call, -ENOSYS);
		return;
	}
	req = call_req(call, reply_open);
	if (req)
		core_open(call->session->core, &req->core, call->header->nodeid, in->flags,
		          in->open_flags & FUSE_OPEN_KILL_SUIDGID);
}

static void do_opendir(const struct call *call)
{
	struct fuse_req *req;

	if (untracked(call->session, FUSE_NO_OPENDIR_SUPPORT)) {
		call_fail(call, -ENOSYS);
		return;
	}
	req = call_req(call, reply_opendir);
	if (req)
		core_opendir(call->session->core, &req->core, call->header->nodeid);
}

static void do_release(const struct call *call)
{
	const struct fuse_release_in *in = call->arg;

	core_release(call->session->core, call->header->nodeid, in->fh);
	call_fail(call, 0);
}

static void do_releasedir(const struct call *call)
{
	const struct fuse_release_in *in = call->arg;

	core_releasedir(call->session->core, call->header->nodeid, in->fh);
	call_fail(call, 0);
}

static void do_read(const struct call *call)
{
	const struct fuse_read_in *in = call->arg;
	struct fuse_req *req;

	if (in->size > READ_MAX_BYTES || in->offset > (uint64_t)INT64_MAX - in->size) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, reply_read);
	if (!req)
		return;
	req->size = in->size;
	core_read(call->session->core, &req->core, call->header->nodeid, in->fh, in->offset,
	          in->size);
}

static void do_readdir(const struct call *call)
{
	const struct fuse_read_in *in = call->arg;
	struct fuse_req *req;

	if (in->size > READ_MAX_BYTES) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, reply_readdir);
	if (!req)
		return;
	req->size = in->size;
	req->plus = call->header->opcode == FUSE_READDIRPLUS;
	req->core.emit = reply_emit_dirent;
	core_readdir(call->session->core, &req->core, call->header->nodeid, in->fh, in->offset,
	             req->plus);
}

static void do_statfs(const struct call *call)
{
	struct fuse_statfs_out out = {0};
	struct statfs st;

	if (fstatfs(store_root_fd(core_store(call->session->core)), &st) < 0) {
		call_fail(call, -errno);
		return;
	}
	out.st = (struct fuse_kstatfs){
	        .blocks = st.f_blocks,
	        .bfree = st.f_bfree,
	        .bavail = st.f_bavail,
	        .files = st.f_files,
	        .ffree = st.f_ffree,
	        .bsize = (uint32_t)st.f_bsize,
	        .namelen = NAME_MAX_BYTES,
	        .frsize = (uint32_t)st.f_frsize,
	};
	(void)reply_data(call->channel, call->header->unique, &out, sizeof(out));
}

static void do_getxattr(const struct call *call)
{
	const struct fuse_getxattr_in *in = call->arg;
	const char *name = call_string(call, sizeof(*in));
	struct fuse_req *req;
	int r;

	if (!name || !*name) {
		call_fail(call, -EINVAL);
		return;
	}
	r = xattr_fixed_answer(name, call->session->features & FUSE_POSIX_ACL);
	if (r < 0) {
		call_fail(call, r);
		return;
	}
	req = call_req(call, reply_xattr);
	if (!req)
		return;
	req->size = in->size;
	core_getxattr(call->session->core, &req->core, call->header->nodeid, name);
}

static void do_listxattr(const struct call *call)
{
	const struct fuse_getxattr_in *in = call->arg;
	struct fuse_req *req = call_req(call, reply_xattr_names);

	if (!req)
		return;
	req->size = in->size;
	core_listxattr(call->session->core, &req->core, call->header->nodeid);
}

/* How much an ioctl of ours brings, and takes back. -ENOTTY: it is none. */
static int ioctl_size(uint32_t cmd)
{
	switch (cmd) {
	case CORE_IOCTL_HYDRATE:
		return 0;
	case CORE_IOCTL_STATE:
		return sizeof(struct core_ioctl_state);
	case CORE_IOCTL_RESTORE:
		return sizeof(struct core_ioctl_restore);
	case CORE_IOCTL_TOMBSTONES:
		return sizeof(struct core_ioctl_tombstones);
	default:
		return -ENOTTY;
	}
}

static void do_ioctl(const struct call *call)
{
	const struct fuse_ioctl_in *in = call->arg;
	const void *data = in + 1;
	int size = ioctl_size(in->cmd);
	struct fuse_req *req;

	if (size >= 0 && (in->in_size != (uint32_t)size || call->size - sizeof(*in) < in->in_size))
		size = -EINVAL;
	if (size < 0) {
		call_fail(call, size);
		return;
	}
	req = call_req(call, reply_ioctl);
	if (!req)
		return;
	req->size = in->out_size;
	core_ioctl(call->session->core, &req->core, call->header->nodeid, in->cmd, data,
	           (size_t)size);
}

/* An interrupt may overtake its request: with EAGAIN the kernel sends it again. */
static void do_interrupt(const struct call *call)
{
	const struct fuse_interrupt_in *in = call->arg;

	if (read_is_on_disk_thread(call->session, in->unique))
		return;
	if (core_interrupt(call->session->core, in->unique) == -EAGAIN)
		call_fail(call, -EAGAIN);
}

static void do_lseek(const struct call *call)
{
	const struct fuse_lseek_in *in = call->arg;
	struct fuse_req *req;

	if (in->offset > INT64_MAX) {
		call_fail(call, -EINVAL);
		return;
	}
	req = call_req(call, reply_lseek);
	if (req)
		core_lseek(call->session->core, &req->core, call->header->nodeid, in->offset,
		           in->whence);
}

static const struct handler handlers[] = {
        [FUSE_LOOKUP] = {.run = do_lookup, .min_size = 1},
        [FUSE_FORGET] = {.run = do_forget,
                         .min_size = sizeof(struct fuse_forget_in),
                         .no_reply = true},
        [FUSE_BATCH_FORGET] = {.run = do_batch_forget,
                               .min_size = sizeof(struct fuse_batch_forget_in),
                               .no_reply = true},
        [FUSE_GETATTR] = {.run = do_getattr},
        [FUSE_STATX] = {.run = do_statx},
        [FUSE_READLINK] = {.run = do_readlink},
        [FUSE_OPEN] = {.run = do_open, .min_size = sizeof(struct fuse_open_in)},
        [FUSE_READ] = {.run = do_read, .min_size = sizeof(struct fuse_read_in)},
        [FUSE_RELEASE] = {.run = do_release, .min_size = sizeof(struct fuse_release_in)},
        [FUSE_OPENDIR] = {.run = do_opendir, .min_size = sizeof(struct fuse_open_in)},
        [FUSE_READDIR] = {.run = do_readdir, .min_size = sizeof(struct fuse_read_in)},
        [FUSE_READDIRPLUS] = {.run = do_readdir, .min_size = sizeof(struct fuse_read_in)},
        [FUSE_RELEASEDIR] = {.run = do_releasedir, .min_size = sizeof(struct fuse_release_in)},
        [FUSE_STATFS] = {.run = do_statfs},
        [FUSE_GETXATTR] = {.run = do_getxattr, .min_size = sizeof(struct fuse_getxattr_in)},
        [FUSE_LISTXATTR] = {.run = do_listxattr, .min_size = sizeof(struct fuse_getxattr_in)},
        [FUSE_IOCTL] = {.run = do_ioctl, .min_size = sizeof(struct fuse_ioctl_in)},
        [FUSE_INTERRUPT] = {.run = do_interrupt,
                            .min_size = sizeof(struct fuse_interrupt_in),
                            .no_reply = true},
        [FUSE_NOTIFY_REPLY] = {.no_reply = true},
        [FUSE_DESTROY] = {.error = 0},

        /* A second INIT on a connection that is set up is none of the kernel's. */
        [FUSE_INIT] = {.error = -EPROTO},

        /* Local changes (change.c). */
        [FUSE_SETATTR] = {.run = change_setattr, .min_size = sizeof(struct fuse_setattr_in)},
        [FUSE_SYMLINK] = {.run = change_symlink, .min_size = 2},
        [FUSE_MKNOD] = {.run = change_mknod, .min_size = sizeof(struct fuse_mknod_in)},
        [FUSE_MKDIR] = {.run = change_mkdir, .min_size = sizeof(struct fuse_mkdir_in)},
        [FUSE_UNLINK] = {.run = change_unlink, .min_size = 1},
        [FUSE_RMDIR] = {.run = change_rmdir, .min_size = 1},
        [FUSE_RENAME] = {.run = change_rename, .min_size = sizeof(struct fuse_rename_in)},
        [FUSE_RENAME2] = {.run = change_rename2, .min_size = sizeof(struct fuse_rename2_in)},
        [FUSE_LINK] = {.run = change_link, .min_size = sizeof(struct fuse_link_in)},
        [FUSE_WRITE] = {.run = change_write, .min_size = sizeof(struct fuse_write_in)},
        [FUSE_CREATE] = {.run = change_create, .min_size = sizeof(struct fuse_create_in)},
        [FUSE_TMPFILE] = {.run = change_tmpfile, .min_size = sizeof(struct fuse_create_in)},
        [FUSE_SETXATTR] = {.run = change_setxattr, .min_size = FUSE_COMPAT_SETXATTR_IN_SIZE},
        [FUSE_REMOVEXATTR] = {.run = change_removexattr, .min_size = 1},
        [FUSE_FALLOCATE] = {.run = change_fallocate, .min_size = sizeof(struct fuse_fallocate_in)},
        [FUSE_COPY_FILE_RANGE] = {.run = change_copy_range,
                                  .min_size = sizeof(struct fuse_copy_file_range_in)},
        [KERNEL_COPY_FILE_RANGE_64] = {.run = change_copy_range_64,
                                       .min_size = sizeof(struct fuse_copy_file_range_in)},
        [FUSE_FSYNC] = {.run = change_fsync, .min_size = sizeof(struct fuse_fsync_in)},
        [FUSE_FSYNCDIR] = {.run = change_fsync, .min_size = sizeof(struct fuse_fsync_in)},
        [FUSE_LSEEK] = {.run = do_lseek, .min_size = sizeof(struct fuse_lseek_in)},

        /* The kernel does without these, and does not ask again. */
        [FUSE_FLUSH] = {.error = -ENOSYS},
        [FUSE_ACCESS] = {.error = -ENOSYS},
        [FUSE_POLL] = {.error = -ENOSYS},
        [FUSE_GETLK] = {.error = -ENOSYS},
        [FUSE_SETLK] = {.error = -ENOSYS},
        [FUSE_SETLKW] = {.error = -ENOSYS},
        [FUSE_BMAP] = {.error = -ENOSYS},
        [FUSE_SETUPMAPPING] = {.error = -ENOSYS},
        [FUSE_REMOVEMAPPING] = {.error = -ENOSYS},
        [FUSE_SYNCFS] = {.error = -ENOSYS},
};

static const struct handler *handler_for(uint32_t opcode)
{
	static const struct handler unknown = {.error = -ENOSYS};
	const struct handler *h;

	if (opcode >= ARRAY_SIZE(handlers))
		return &unknown;
	h = &handlers[opcode];
	/* Numbers that are in no table row look like DESTROY. */
	if (!h->run && !h->error && !h->no_reply && opcode != FUSE_DESTROY)
		return &unknown;
	return h;
}

void dispatch(struct session *s, struct channel *channel, const void *request, size_t size)
{
	struct call call = {.session = s, .channel = channel, .header = request};
	const struct handler *h;

	if (size < sizeof(*call.header))
		return;
	call.arg = call.header + 1;
	call.size = size - sizeof(*call.header);
	h = handler_for(call.header->opcode);

	if (call.header->len != size || call.size < h->min_size) {
		if (!h->no_reply)
			call_fail(&call, -EIO);
	} else if (h->run) {
		h->run(&call);
	} else if (!h->no_reply) {
		call_fail(&call, h->error);
	}
}
