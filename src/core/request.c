/* SPDX-License-Identifier: MIT */
/*
 * The life of a request.  Each kind has one function that is run, perhaps several times: it answers from what
 * is known, or parks the request in the queue of what is missing and is run again, from its beginning, when that
 * has come.  op.asked_id remembers what was asked for, so that no run asks the same thing twice;
 * op.wake_result says how it ended.
 */

#include <errno.h>
#include <string.h>

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
};

/* The name (or ioctl argument) that op.name points to must outlive the answer, which may point into it. */
void req_finish(struct core_req *req, int error)
{
	char *name = steal_ptr(&req->op.name);

	req->done(req, error);
	free(name);
}

void req_run(struct core_req *req)
{
	int r = req->op.wake_result;

	req->op.wake_result = 0;
	/* An open file that vanished from the view still has the attributes it had. */
	if (r == -ENOENT && req->op.kind == OP_GETATTR)
		r = 0;
	if (r == -ENOENT && req->op.kind == OP_STATE && req->op.size)
		r = -ENOTDIR;
	if (r < 0 && req->op.kind == OP_LOOKUP)
		r = op_lookup_answer(req->op.core, req, r, NULL);
	else if (r == 0)
		r = op_functions[req->op.kind](req->op.core, req);

	/* Answers that point into memory are finished by the operation itself, which then returns PENDING. */
	if (r != CORE_PENDING)
		req_finish(req, r);
}

static void req_start(struct core *core, struct core_req *req, enum op_kind kind, uint64_t node_id)
{
	uint64_t limit = kind == OP_READ ? core->config.data_timeout_ms
		       : kind == OP_HYDRATE ? core->config.data_timeout_ms
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

void core_open(struct core *core, struct core_req *req, uint64_t node_id)
{
	COUNT(core, opens);
	req_start(core, req, OP_OPEN, node_id);
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

void core_ioctl(struct core *core, struct core_req *req, uint64_t node_id, uint32_t command,
		const void *data, size_t size)
{
	switch (command) {
	case CORE_IOCTL_STATE:
		req_start(core, req, OP_STATE, node_id);
		if (size != sizeof(struct core_ioctl_state)) {
			req_finish(req, -EINVAL);
			return;
		}
		req->op.name = malloc(size);
		if (!req->op.name) {
			req_finish(req, -ENOMEM);
			return;
		}
		memcpy(req->op.name, data, size);
		break;
	case CORE_IOCTL_HYDRATE:
		req_start(core, req, OP_HYDRATE, node_id);
		break;
	default:
		req_start(core, req, OP_STATE, node_id);
		req_finish(req, -ENOTTY);
		return;
	}
	req_run(req);
}

int core_interrupt(struct core *core, uint64_t unique)
{
	COUNT(core, interrupts);
	return wait_interrupt(core, unique);
}
