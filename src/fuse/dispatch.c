/* SPDX-License-Identifier: MIT */
#include "fuse/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#include "core/ioctl.h"
#include "fuse/negotiate.h"
#include "fuse/read.h"
#include "fuse/reply.h"
#include "fuse/xattr.h"
#include "store/store.h"
#include "util/name.h"

/* One request on its way to the core. */
struct call {
	struct session *session;
	struct channel *channel;
	const struct fuse_in_header *header;
	const void *arg; /* what follows the header: at least handler.min_size bytes */
	size_t size;
};

struct handler {
	void (*run)(const struct call *call); /* NULL: answer with error */
	size_t min_size;
	int error;
	bool no_reply;
};

static void fail(const struct call *call, int error)
{
	reply_error(call->channel, call->header->unique, error);
}

static struct fuse_req *req_for(const struct call *call, void (*done)(struct core_req *, int))
{
	return req_new(call->session, call->channel, call->header, done);
}

/* The string at @offset of the arguments, or NULL if no NUL ends it. */
static const char *string_at(const struct call *call, size_t offset)
{
	const char *s = (const char *)call->arg + offset;

	if (offset >= call->size || !memchr(s, '\0', call->size - offset))
		return NULL;
	return s;
}

static void do_lookup(const struct call *call)
{
	const char *name = string_at(call, 0);
	struct fuse_req *req;

	if (!name || !name_is_valid(name, strlen(name))) {
		fail(call, name && strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : -EINVAL);
		return;
	}
	req = req_for(call, reply_entry);
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
	struct fuse_req *req = req_for(call, reply_attr);

	if (req)
		core_getattr(call->session->core, &req->core, call->header->nodeid);
}

static void do_statx(const struct call *call)
{
	struct fuse_req *req = req_for(call, reply_statx);

	if (req)
		core_getattr(call->session->core, &req->core, call->header->nodeid);
}

static void do_readlink(const struct call *call)
{
	struct fuse_req *req = req_for(call, reply_readlink);

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

	if ((in->flags & O_ACCMODE) != O_RDONLY) {
		fail(call, -EROFS);
		return;
	}
	if (untracked(call->session, FUSE_NO_OPEN_SUPPORT)) {
		fail(call, -ENOSYS);
		return;
	}
	req = req_for(call, reply_open);
	if (req)
		core_open(call->session->core, &req->core, call->header->nodeid);
}

static void do_opendir(const struct call *call)
{
	struct fuse_req *req;

	if (untracked(call->session, FUSE_NO_OPENDIR_SUPPORT)) {
		fail(call, -ENOSYS);
		return;
	}
	req = req_for(call, reply_opendir);
	if (req)
		core_opendir(call->session->core, &req->core, call->header->nodeid);
}

static void do_release(const struct call *call)
{
	const struct fuse_release_in *in = call->arg;

	core_release(call->session->core, call->header->nodeid, in->fh);
	fail(call, 0);
}

static void do_releasedir(const struct call *call)
{
	const struct fuse_release_in *in = call->arg;

	core_releasedir(call->session->core, call->header->nodeid, in->fh);
	fail(call, 0);
}

static void do_read(const struct call *call)
{
	const struct fuse_read_in *in = call->arg;
	struct fuse_req *req;

	if (in->size > READ_MAX_BYTES || in->offset > (uint64_t)INT64_MAX - in->size) {
		fail(call, -EINVAL);
		return;
	}
	req = req_for(call, reply_read);
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
		fail(call, -EINVAL);
		return;
	}
	req = req_for(call, reply_readdir);
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
		fail(call, -errno);
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
	const char *name = string_at(call, sizeof(*in));
	struct fuse_req *req;
	int r;

	if (!name || !*name) {
		fail(call, -EINVAL);
		return;
	}
	r = xattr_fixed_answer(name, call->session->features & FUSE_POSIX_ACL);
	if (r < 0) {
		fail(call, r);
		return;
	}
	req = req_for(call, reply_xattr);
	if (!req)
		return;
	req->size = in->size;
	core_getxattr(call->session->core, &req->core, call->header->nodeid, name);
}

static void do_listxattr(const struct call *call)
{
	const struct fuse_getxattr_in *in = call->arg;
	struct fuse_req *req = req_for(call, reply_xattr_names);

	if (!req)
		return;
	req->size = in->size;
	core_listxattr(call->session->core, &req->core, call->header->nodeid);
}

static int ioctl_check(const struct fuse_ioctl_in *in, const void *data, size_t size)
{
	const struct core_ioctl_state *state = data;

	if (in->cmd == CORE_IOCTL_HYDRATE)
		return 0;
	if (in->cmd != CORE_IOCTL_STATE)
		return -ENOTTY;
	if (in->in_size != sizeof(*state) || size < in->in_size ||
	    !memchr(state->path, '\0', sizeof(state->path)))
		return -EINVAL;
	return 0;
}

static void do_ioctl(const struct call *call)
{
	const struct fuse_ioctl_in *in = call->arg;
	const void *data = in + 1;
	struct fuse_req *req;
	int r;

	r = ioctl_check(in, data, call->size - sizeof(*in));
	if (r < 0) {
		fail(call, r);
		return;
	}
	req = req_for(call, reply_ioctl);
	if (!req)
		return;
	req->size = in->out_size;
	core_ioctl(call->session->core, &req->core, call->header->nodeid, in->cmd, data,
	           in->cmd == CORE_IOCTL_STATE ? in->in_size : 0);
}

/* An interrupt may overtake its request: with EAGAIN the kernel sends it again. */
static void do_interrupt(const struct call *call)
{
	const struct fuse_interrupt_in *in = call->arg;

	if (read_is_on_disk_thread(call->session, in->unique))
		return;
	if (core_interrupt(call->session->core, in->unique) == -EAGAIN)
		fail(call, -EAGAIN);
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

        /* Local changes. */
        [FUSE_SETATTR] = {.error = -EROFS},
        [FUSE_SYMLINK] = {.error = -EROFS},
        [FUSE_MKNOD] = {.error = -EROFS},
        [FUSE_MKDIR] = {.error = -EROFS},
        [FUSE_UNLINK] = {.error = -EROFS},
        [FUSE_RMDIR] = {.error = -EROFS},
        [FUSE_RENAME] = {.error = -EROFS},
        [FUSE_RENAME2] = {.error = -EROFS},
        [FUSE_LINK] = {.error = -EROFS},
        [FUSE_WRITE] = {.error = -EROFS},
        [FUSE_CREATE] = {.error = -EROFS},
        [FUSE_TMPFILE] = {.error = -EROFS},
        [FUSE_SETXATTR] = {.error = -EROFS},
        [FUSE_REMOVEXATTR] = {.error = -EROFS},
        [FUSE_FALLOCATE] = {.error = -EROFS},
        [FUSE_COPY_FILE_RANGE] = {.error = -EROFS},
        [KERNEL_COPY_FILE_RANGE_64] = {.error = -EROFS},

        /* The kernel does without these, and does not ask again. */
        [FUSE_FLUSH] = {.error = -ENOSYS},
        [FUSE_FSYNC] = {.error = -ENOSYS},
        [FUSE_FSYNCDIR] = {.error = -ENOSYS},
        [FUSE_ACCESS] = {.error = -ENOSYS},
        [FUSE_LSEEK] = {.error = -ENOSYS},
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
			fail(&call, -EIO);
	} else if (h->run) {
		h->run(&call);
	} else if (!h->no_reply) {
		fail(&call, h->error);
	}
}
