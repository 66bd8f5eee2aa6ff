/* SPDX-License-Identifier: MIT */
/*
 * The life of a request.  Each kind has one function that is run, perhaps several times: it answers from what
 * is known, or parks the request in the queue of what is missing and is run again, from its beginning, when that
 * has come.  op.asked_id remembers what was asked for, so that no run asks the same thing twice;
 * op.wake_result says how it ended.
 */

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "core/ioctl.h"
#include "util/clock.h"

typedef int op_function(struct core *core, struct core_req *req);

static op_function *const op_functions[] = {
	[OP_LOOKUP] = op_lookup,     [OP_GETATTR] = op_getattr,
	[OP_READLINK] = op_readlink, [OP_OPEN] = op_open,
	[OP_READ] = op_read,	     [OP_OPENDIR] = op_opendir,
	[OP_READDIR] = op_readdir,
	[OP_GETXATTR] = op_getxattr, [OP_LISTXATTR] = op_listxattr,
	[OP_STATE] = op_state,	     [OP_HYDRATE] = op_hydrate,
	[OP_CREATE] = op_create,     [OP_TMPFILE] = op_tmpfile,
	[OP_MKNOD] = op_mknod,	     [OP_SYMLINK] = op_symlink,
	[OP_LINK] = op_link,	     [OP_UNLINK] = op_unlink,
	[OP_RMDIR] = op_rmdir,	     [OP_RENAME] = op_rename,
	[OP_SETATTR] = op_setattr,   [OP_WRITE] = op_write,
	[OP_FALLOCATE] = op_fallocate, [OP_LSEEK] = op_lseek,
	[OP_COPY_RANGE] = op_copy_range, [OP_FSYNC] = op_fsync,
	[OP_SETXATTR] = op_setxattr, [OP_REMOVEXATTR] = op_removexattr,
	[OP_RESTORE] = op_restore,   [OP_TOMBSTONES] = op_tombstones,
};

static void args_free(struct core *core, struct op_args *args)
{
	if (!args)
		return;
	node_unref(core, args->base);
	listing_unref(core, args->listing);
	free(args->other_name);
	free(args->data);
	free(args);
}

/* The name (or ioctl argument) that op.name points to must outlive the answer, which may point into it. */
void req_finish(struct core_req *req, int error)
{
	struct core *core = req->op.core;
	struct op_args *args = steal_ptr(&req->op.args);
	char *name = steal_ptr(&req->op.name);

	error = notice_outcome(core, req, error);
	req->done(req, error);
	free(name);
	args_free(core, args);
}

int req_answer_bytes(struct core_req *req, const void *data, size_t size)
{
	req->ret.bytes.data = data;
	req->ret.bytes.size = size;
	req_finish(req, 0);
	return CORE_PENDING;
}

/* Who takes names away has the tree for himself. */
static bool starts_exclusive(int kind)
{
	return kind == OP_UNLINK || kind == OP_RMDIR || kind == OP_RENAME || kind == OP_LINK ||
	       kind == OP_RESTORE;
}

/* A wake-up's bad news, in the eyes of who waited. */
static int wake_result(struct core_req *req)
{
	const struct op_args *args = req->op.args;
	int r = req->op.wake_result;

	req->op.wake_result = 0;
	/* An open file that vanished from the view still has the attributes it had. */
	if (r == -ENOENT && req->op.kind == OP_GETATTR)
		return 0;
	if (r == -ENOENT && req->op.kind == OP_STATE && req->op.size)
		return -ENOTDIR;
	/* It was not the item that was asked for, but what lies below it. */
	if (r < 0 && args && args->base && req->op.asked_id == args->base->id)
		return base_asked(req, r);
	return r;
}

static int run_locked(struct core *core, struct core_req *req, bool exclusive)
{
	int r;

	if (exclusive)
		tree_write(core);
	else
		tree_read(core);
	r = op_functions[req->op.kind](core, req);
	/* Who is parked may be answered already: nothing of @req counts any more. */
	tree_unlock(core);
	return r;
}

static int finish_write(struct core *core, struct core_req *req)
{
	const struct op_args *args = req->op.args;
	int r = write_unlocked(core, req, args->offset, args->data, args->size, args->kill_priv);

	return r == -EAGAIN ? -EIO : r; /* another version has replaced it just now */
}

void req_run(struct core_req *req)
{
	struct core *core = req->op.core;
	int r;

	if (tree_defer(req))
		return;
	if (notice_is_told(req)) {
		req_finish(req, req->op.wake_result);
		return;
	}
	r = wake_result(req);
	if (r < 0 && req->op.kind == OP_LOOKUP)
		r = op_lookup_answer(core, req, r, NULL);
	else if (r == 0)
		r = run_locked(core, req, starts_exclusive(req->op.kind));
	if (r == CORE_EXCLUSIVE)
		r = run_locked(core, req, true);
	if (r == CORE_READY)
		r = finish_write(core, req);
	if (r == 0)
		r = notice_wait(core, req);

	/* Answers that point into memory are finished by the operation itself, which then returns PENDING. */
	if (r != CORE_PENDING)
		req_finish(req, r);
}

static bool waits_for_content(enum op_kind kind)
{
	switch (kind) {
	case OP_READ:
	case OP_HYDRATE:
	case OP_WRITE:
	case OP_FALLOCATE:
	case OP_COPY_RANGE:
	case OP_SETATTR:
	case OP_LINK:
		return true;
	default:
		return false;
	}
}

static void req_start(struct core *core, struct core_req *req, enum op_kind kind, uint64_t node_id)
{
	uint64_t limit = waits_for_content(kind) ? core->config.data_timeout_ms
						 : core->config.lookup_timeout_ms;

	memset(&req->op, 0, sizeof(req->op));
	req->op.kind = kind;
	req->op.node_id = node_id;
	req->op.core = core;
	req->op.deadline_ms = limit ? clock_now_ms() + limit : 0;
	list_init(&req->op.wait_link);
	list_init(&req->op.parked_link);
}

static void req_start_named(struct core *core, struct core_req *req, enum op_kind kind,
			    uint64_t node_id, const char *name)
{
	req_start(core, req, kind, node_id);
	req->op.name = strdup(name);
	if (!req->op.name)
		req_finish(req, -ENOMEM);
	else
		req_run(req);
}

void core_lookup(struct core *core, struct core_req *req, uint64_t parent_id, const char *name)
{
	COUNT(core, lookups);
	req_start_named(core, req, OP_LOOKUP, parent_id, name);
}

void core_getattr(struct core *core, struct core_req *req, uint64_t node_id)
{
	COUNT(core, getattrs);
	req_start(core, req, OP_GETATTR, node_id);
	req_run(req);
}

void core_readlink(struct core *core, struct core_req *req, uint64_t node_id)
{
	COUNT(core, readlinks);
	req_start(core, req, OP_READLINK, node_id);
	req_run(req);
}

void core_open(struct core *core, struct core_req *req, uint64_t node_id, uint32_t flags,
	       bool kill_priv)
{
	COUNT(core, opens);
	req_start(core, req, OP_OPEN, node_id);
	req->op.flags = flags;
	req->op.kill_priv = kill_priv;
	req_run(req);
}

void core_read(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
	       uint64_t offset, size_t size)
{
	COUNT(core, reads);
	req_start(core, req, OP_READ, node_id);
	req->op.handle = handle;
	req->op.offset = offset;
	req->op.size = size;
	req_run(req);
}

void core_opendir(struct core *core, struct core_req *req, uint64_t node_id)
{
	COUNT(core, opendirs);
	req_start(core, req, OP_OPENDIR, node_id);
	req_run(req);
}

void core_readdir(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
		  uint64_t offset, bool plus)
{
	COUNT(core, readdirs);
	req_start(core, req, OP_READDIR, node_id);
	req->op.handle = handle;
	req->op.offset = offset;
	req->op.plus = plus;
	req_run(req);
}

void core_getxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name)
{
	COUNT(core, xattrs);
	req_start_named(core, req, OP_GETXATTR, node_id, name);
}

void core_listxattr(struct core *core, struct core_req *req, uint64_t node_id)
{
	COUNT(core, xattrs);
	req_start(core, req, OP_LISTXATTR, node_id);
	req_run(req);
}

/* An ioctl whose argument is a structure, which op.name keeps. */
static void start_ioctl(struct core *core, struct core_req *req, enum op_kind kind,
			uint64_t node_id, const void *data, size_t size, size_t wanted)
{
	req_start(core, req, kind, node_id);
	if (size != wanted) {
		req_finish(req, -EINVAL);
		return;
	}
	req->op.name = malloc(size);
	if (!req->op.name) {
		req_finish(req, -ENOMEM);
		return;
	}
	memcpy(req->op.name, data, size);
	req_run(req);
}

void core_ioctl(struct core *core, struct core_req *req, uint64_t node_id, uint32_t command,
		const void *data, size_t size)
{
	switch (command) {
	case CORE_IOCTL_STATE:
		start_ioctl(core, req, OP_STATE, node_id, data, size,
			    sizeof(struct core_ioctl_state));
		return;
	case CORE_IOCTL_HYDRATE:
		req_start(core, req, OP_HYDRATE, node_id);
		break;
	case CORE_IOCTL_RESTORE:
		start_ioctl(core, req, OP_RESTORE, node_id, data, size,
			    sizeof(struct core_ioctl_restore));
		return;
	case CORE_IOCTL_TOMBSTONES:
		start_ioctl(core, req, OP_TOMBSTONES, node_id, data, size,
			    sizeof(struct core_ioctl_tombstones));
		return;
	default:
		req_start(core, req, OP_STATE, node_id);
		req_finish(req, -ENOTTY);
		return;
	}
	req_run(req);
}

/* ---- changes -------------------------------------------------------------------------------------- */

/* A request with arguments, or NULL: there was no memory, and that was answered. @name may be NULL. */
static struct op_args *change_start(struct core *core, struct core_req *req, enum op_kind kind,
				    uint64_t node_id, const char *name)
{
	struct op_args *args = calloc(1, sizeof(*args));

	req_start(core, req, kind, node_id);
	req->op.args = args;
	if (name)
		req->op.name = strdup(name);
	if (args && (!name || req->op.name))
		return args;
	req_finish(req, -ENOMEM);
	return NULL;
}

/* Keep @text as the second name, and run. */
static void run_with_other_name(struct core_req *req, const char *text)
{
	req->op.args->other_name = strdup(text);
	if (req->op.args->other_name)
		req_run(req);
	else
		req_finish(req, -ENOMEM);
}

void core_create(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 uint32_t flags, uint32_t mode, uint32_t umask)
{
	struct op_args *args;

	COUNT(core, creates);
	args = change_start(core, req, OP_CREATE, parent_id, name);
	if (!args)
		return;
	args->flags = flags;
	args->mode = mode;
	args->umask = umask;
	req_run(req);
}

void core_tmpfile(struct core *core, struct core_req *req, uint64_t dir_id, uint32_t flags,
		  uint32_t mode, uint32_t umask)
{
	struct op_args *args;

	COUNT(core, creates);
	args = change_start(core, req, OP_TMPFILE, dir_id, NULL);
	if (!args)
		return;
	args->flags = flags;
	args->mode = mode;
	args->umask = umask;
	req_run(req);
}

void core_mknod(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		uint32_t mode, uint32_t rdev, uint32_t umask)
{
	struct op_args *args;

	COUNT(core, creates);
	args = change_start(core, req, OP_MKNOD, parent_id, name);
	if (!args)
		return;
	args->mode = mode;
	args->rdev = rdev;
	args->umask = umask;
	req_run(req);
}

void core_symlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		  const char *target)
{
	COUNT(core, creates);
	if (change_start(core, req, OP_SYMLINK, parent_id, name))
		run_with_other_name(req, target);
}

void core_link(struct core *core, struct core_req *req, uint64_t node_id, uint64_t parent_id,
	       const char *name)
{
	struct op_args *args;

	COUNT(core, creates);
	args = change_start(core, req, OP_LINK, node_id, NULL);
	if (!args)
		return;
	args->other_id = parent_id;
	run_with_other_name(req, name);
}

void core_unlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 bool dir)
{
	COUNT(core, removes);
	if (change_start(core, req, dir ? OP_RMDIR : OP_UNLINK, parent_id, name))
		req_run(req);
}

void core_rename(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
		 uint64_t new_parent_id, const char *new_name, uint32_t flags)
{
	struct op_args *args;

	COUNT(core, renames);
	args = change_start(core, req, OP_RENAME, parent_id, name);
	if (!args)
		return;
	args->other_id = new_parent_id;
	args->flags = flags;
	run_with_other_name(req, new_name);
}

void core_setattr(struct core *core, struct core_req *req, uint64_t node_id,
		  const struct core_setattr *change)
{
	struct op_args *args;

	COUNT(core, setattrs);
	args = change_start(core, req, OP_SETATTR, node_id, NULL);
	if (!args)
		return;
	args->attr = *change;
	req_run(req);
}

void core_write(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
		const void *data, size_t size, bool kill_priv)
{
	struct op_args *args;
	int r;

	COUNT(core, writes);
	COUNT_ADD(core, write_bytes, size);
	req_start(core, req, OP_WRITE, node_id);
	r = write_unlocked(core, req, offset, data, size, kill_priv);
	if (r != -EAGAIN) {
		req_finish(req, r);
		return;
	}
	/* It will have to wait for the content, or for the tree: keep the data. */
	args = change_start(core, req, OP_WRITE, node_id, NULL);
	if (!args)
		return;
	args->offset = offset;
	args->kill_priv = kill_priv;
	args->size = size;
	args->data = malloc(size + 1);
	if (!args->data) {
		req_finish(req, -ENOMEM);
		return;
	}
	memcpy(args->data, data, size);
	req_run(req);
}

void core_fallocate(struct core *core, struct core_req *req, uint64_t node_id, uint32_t mode,
		    uint64_t offset, uint64_t length)
{
	struct op_args *args = change_start(core, req, OP_FALLOCATE, node_id, NULL);

	if (!args)
		return;
	args->mode = mode;
	args->offset = offset;
	args->length = length;
	req_run(req);
}

void core_lseek(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
		uint32_t whence)
{
	struct op_args *args = change_start(core, req, OP_LSEEK, node_id, NULL);

	if (!args)
		return;
	args->offset = offset;
	args->flags = whence;
	req_run(req);
}

void core_copy_range(struct core *core, struct core_req *req, uint64_t from_id,
		     uint64_t from_offset, uint64_t to_id, uint64_t to_offset, uint64_t length)
{
	struct op_args *args = change_start(core, req, OP_COPY_RANGE, from_id, NULL);

	if (!args)
		return;
	args->other_id = to_id;
	args->offset = to_offset;
	args->length = length;
	args->attr.size = from_offset;
	req_run(req);
}

void core_fsync(struct core *core, struct core_req *req, uint64_t node_id, bool data_only)
{
	struct op_args *args;

	COUNT(core, fsyncs);
	args = change_start(core, req, OP_FSYNC, node_id, NULL);
	if (!args)
		return;
	args->data_only = data_only;
	req_run(req);
}

void core_setxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name,
		   const void *value, size_t size, uint32_t flags)
{
	struct op_args *args;

	COUNT(core, xattrs);
	args = change_start(core, req, OP_SETXATTR, node_id, name);
	if (!args)
		return;
	args->flags = flags;
	args->size = size;
	args->data = malloc(size + 1);
	if (!args->data) {
		req_finish(req, -ENOMEM);
		return;
	}
	memcpy(args->data, value, size);
	req_run(req);
}

void core_removexattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name)
{
	COUNT(core, xattrs);
	if (change_start(core, req, OP_REMOVEXATTR, node_id, name))
		req_run(req);
}

int core_interrupt(struct core *core, uint64_t unique)
{
	COUNT(core, interrupts);
	return wait_interrupt(core, unique);
}
