/* SPDX-License-Identifier: MIT */
/* The short questions about one item: look-up, attributes, links, open. */

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"

int op_lookup_answer(struct core *core, struct core_req *req, int r, struct node *node)
{
	if (r == -ENOENT && core->config.stable_view) {
		req->ret.entry = (struct core_entry){.entry_valid_ms = CORE_FOREVER};
		return 0;
	}
	if (r == 0)
		r = node_refresh(core, node);
	if (r != 0)
		return r;
	node_lock(core, node);
	node_entry(core, node, &req->ret.entry);
	node_unlock(core, node);
	node_count_lookup(core, node);
	return 0;
}

int op_lookup(struct core *core, struct core_req *req)
{
	struct node *parent = node_get(core, req->op.node_id), *node = NULL;
	int r;

	if (!parent)
		return -ESTALE;
	r = resolve_child(core, req, parent, req->op.name, &node);
	if (r != CORE_PENDING)
		r = op_lookup_answer(core, req, r, node);
	if (node)
		node_unref(core, node);
	node_unref(core, parent);
	return r;
}

void core_forget(struct core *core, uint64_t node_id, uint64_t n_lookups)
{
	COUNT(core, forgets);
	node_forget(core, node_id, n_lookups);
}

int op_getattr(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	r = resolve_usable(core, req, node);
	if (r == 0)
		r = node_refresh(core, node);
	if (r == 0) {
		node_lock(core, node);
		node_attr(node, &req->ret.attr.attr);
		req->ret.attr.valid_ms = node_valid_ms(core, node);
		node_unlock(core, node);
	}
	node_unref(core, node);
	return r;
}

int op_open(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	bool gone;
	int r;

	if (!node)
		return -ESTALE;
	r = S_ISREG(node->mode) ? resolve_fresh(core, req, node) : 0;
	if (r == 0) {
		node_lock(core, node);
		gone = node->state == NODE_GONE;
		node_unlock(core, node);
		/* The kernel looks the name up again and comes back with its new node. */
		if (gone)
			r = -ESTALE;
		req->ret.open.handle = atomic_fetch_add(&core->next_handle, 1);
		/* Other content always has another node. */
		req->ret.open.keep_cache = true;
	}
	node_unref(core, node);
	return r;
}

void core_release(struct core *core, uint64_t node_id, uint64_t handle)
{
	/* Nothing hangs on a handle yet; closing notifications will. */
	(void)core;
	(void)node_id;
	(void)handle;
}

/* Is there an item of this node on disk that answers for it? */
static bool disk_answers(struct core *core, struct node *node)
{
	bool yes;

	node_lock(core, node);
	yes = node->state == NODE_HYDRATED || node->state == NODE_LOCAL ||
	      node->state == NODE_DIRECTORY;
	node_unlock(core, node);
	return yes;
}

/* Copy the target, so that the answer does not need the node's lock. -ENODATA without one. */
static int copy_target(struct core *core, struct node *node, struct buf *ret)
{
	struct record rec;
	int r = -ENODATA;

	node_lock(core, node);
	if (node_get_record(node, &rec) && (rec.fields & RECORD_TARGET)) {
		buf_append(ret, rec.target.data, rec.target.size);
		r = ret->failed ? -ENOMEM : 0;
	}
	node_unlock(core, node);
	return r;
}

static int read_link(struct core *core, struct core_req *req, struct node *node, struct buf *target)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	if (!S_ISLNK(node->mode))
		return -EINVAL;
	if (disk_answers(core, node)) {
		path = node_path(core, node);
		return path ? store_readlink(core->store, path, target) : -ENOMEM;
	}
	r = copy_target(core, node, target);
	if (r != -ENODATA)
		return r;
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_target(core, node, target);
	return r == -ENODATA ? -EIO : r;
}

int op_readlink(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	struct buf target = {0};
	int r;

	if (!node)
		return -ESTALE;
	r = read_link(core, req, node, &target);
	if (r == 0)
		r = req_answer_bytes(req, target.data, target.size);
	buf_deinit(&target);
	node_unref(core, node);
	return r;
}
