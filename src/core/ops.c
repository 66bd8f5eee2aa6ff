/* SPDX-License-Identifier: MIT */
/* The short operations on one item: look-up, attributes, links, extended attributes, open. */

#include <errno.h>
#include <string.h>

#include "core/internal.h"

int op_lookup_answer(struct core *core, struct core_req *req, int r, struct node *node)
{
	if (r == -ENOENT && core->config.stable_view) {
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

static int answer_bytes(struct core_req *req, const void *data, size_t size)
{
	req->ret.bytes.data = data;
	req->ret.bytes.size = size;
	req_finish(req, 0);
	return CORE_PENDING;
}

/* Copy a field of the node's record, so that the answer does not need its lock. -ENODATA without one. */
static int copy_field(struct core *core, struct node *node, uint32_t field, struct buf *ret)
{
	struct record rec;
	int r = -ENODATA;

	node_lock(core, node);
	if (node_get_record(node, &rec) && (rec.fields & field)) {
		struct record_bytes bytes = field == RECORD_TARGET ? rec.target : rec.xattrs;

		buf_append(ret, bytes.data, bytes.size);
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
	r = copy_field(core, node, RECORD_TARGET, target);
	if (r != -ENODATA)
		return r;
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_field(core, node, RECORD_TARGET, target);
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
		r = answer_bytes(req, target.data, target.size);
	buf_deinit(&target);
	node_unref(core, node);
	return r;
}

static int find_xattr(struct record_bytes packed, const char *name, struct buf *ret)
{
	struct record_bytes value;
	const char *each;
	size_t pos = 0;

	while (record_xattr_next(packed, &pos, &each, &value)) {
		if (strcmp(each, name) != 0)
			continue;
		buf_append(ret, value.data, value.size);
		return ret->failed ? -ENOMEM : 0;
	}
	return -ENODATA;
}

static int get_xattr(struct core *core, struct core_req *req, struct node *node, struct buf *ret)
{
	_cleanup_(freep) char *path = NULL;
	struct buf packed = {0};
	int r;

	if (strncmp(req->op.name, "user.", 5) != 0)
		return -EOPNOTSUPP;
	if (disk_answers(core, node)) {
		path = node_path(core, node);
		return path ? store_getxattr(core->store, path, req->op.name, ret) : -ENOMEM;
	}
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_field(core, node, RECORD_XATTRS, &packed);
	if (r == 0)
		r = find_xattr((struct record_bytes){packed.data, packed.size}, req->op.name, ret);
	buf_deinit(&packed);
	return r;
}

int op_getxattr(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	struct buf value = {0};
	int r;

	if (!node)
		return -ESTALE;
	r = get_xattr(core, req, node, &value);
	if (r == 0)
		r = answer_bytes(req, value.data, value.size);
	buf_deinit(&value);
	node_unref(core, node);
	return r;
}

static int list_xattrs(struct core *core, struct core_req *req, struct node *node, struct buf *ret)
{
	_cleanup_(freep) char *path = NULL;
	struct buf packed = {0};
	struct record_bytes value;
	const char *name;
	size_t pos = 0;
	int r;

	if (disk_answers(core, node)) {
		path = node_path(core, node);
		return path ? store_listxattr(core->store, path, ret) : -ENOMEM;
	}
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_field(core, node, RECORD_XATTRS, &packed);
	while (r == 0 && record_xattr_next((struct record_bytes){packed.data, packed.size}, &pos,
					   &name, &value))
		buf_append(ret, name, strlen(name) + 1);
	buf_deinit(&packed);
	if (r == -ENODATA)
		r = 0;
	return r == 0 && ret->failed ? -ENOMEM : r;
}

int op_listxattr(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	struct buf names = {0};
	int r;

	if (!node)
		return -ESTALE;
	r = list_xattrs(core, req, node, &names);
	if (r == 0)
		r = answer_bytes(req, names.data, names.size);
	buf_deinit(&names);
	node_unref(core, node);
	return r;
}
