/* SPDX-License-Identifier: MIT */
/* The short questions about one item: look-up, attributes, links, open. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"

/* May the kernel remember that there is no such name? Somebody must be going to tell it when there is. */
static bool stays_absent(struct core *core, const struct core_req *req)
{
	struct node *dir;
	bool known;

	if (!core->config.negative_path_cache)
		return core->config.stable_view;
	dir = node_get(core, req->op.node_id);
	if (!dir)
		return false;
	tree_read(core);
	known = negative_knows(core, dir, req->op.name);
	tree_unlock(core);
	node_unref(core, dir);
	/* What was asked for and did not get into the cache is outdated, or one too many. */
	return known || (core->config.stable_view && !req->op.n_asked);
}

int op_lookup_answer(struct core *core, struct core_req *req, int r, struct node *node)
{
	if (r == -ENOENT && stays_absent(core, req)) {
		req->ret.entry = (struct core_entry){.entry_valid_ms = CORE_FOREVER};
		return 0;
	}
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

/* Everything that must be true before a file can be open. */
static int ready_to_open(struct core *core, struct core_req *req, struct node *node)
{
	bool gone;
	int r = S_ISREG(node->mode) ? resolve_fresh(core, req, node) : 0;

	if (r != 0)
		return r;
	node_lock(core, node);
	gone = node->state == NODE_GONE;
	node_unlock(core, node);
	/* The kernel looks the name up again and comes back with its new node. */
	if (gone)
		return -ESTALE;
	if (!(req->op.flags & O_TRUNC) || !S_ISREG(node->mode))
		return 0;
	return truncate_node(core, req, node, 0, req->op.kill_priv);
}

/* The handle that the kernel will name it by; who wants to hear of it is told. */
static int handle_of_open(struct core *core, struct core_req *req, struct node *node)
{
	uint32_t flags = req->op.flags;
	struct notice_about about = {
		.event = flags & O_TRUNC ? CORE_EVENT_OVERWRITTEN : CORE_EVENT_OPENED,
		.node = node,
	};

	/* Other content always has another node. */
	req->ret.open.keep_cache = true;
	if (!core->notices.tracks_opens) {
		req->ret.open.handle = atomic_fetch_add(&core->next_handle, 1);
		return 0;
	}
	about.handle = handle_new(core, req, node, flags);
	if (!about.handle)
		return -ENOMEM;
	req->ret.open.handle = (uint64_t)(uintptr_t)about.handle;
	notice_tell(core, req, &about);
	return 0;
}

int op_open(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	r = ready_to_open(core, req, node);
	if (r == 0)
		r = handle_of_open(core, req, node);
	node_unref(core, node);
	return r;
}

void core_release(struct core *core, uint64_t node_id, uint64_t handle)
{
	(void)node_id;
	if (core->notices.tracks_opens && handle)
		notice_closed(core, (struct handle *)(uintptr_t)handle);
}

void open_undo(struct core *core, struct core_req *req, struct handle *h)
{
	if (req->op.kind == OP_OPENDIR)
		dir_handle_free(core, req->ret.open.handle);
	(void)handle_close(core, h);
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
