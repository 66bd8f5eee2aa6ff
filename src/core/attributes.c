/* SPDX-License-Identifier: MIT */
/* Extended attributes: those of a placeholder are in its record, those of all else on disk. */

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "core/change.h"
#include "core/internal.h"

#define XATTR_VALUE_MAX (64 * 1024)

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

static bool is_gone(struct core *core, struct node *node)
{
	bool yes;

	node_lock(core, node);
	yes = node->state == NODE_GONE;
	node_unlock(core, node);
	return yes;
}

/* The packed attributes of a placeholder. */
static int copy_packed(struct core *core, struct node *node, struct buf *ret)
{
	struct record rec;
	int r = 0;

	node_lock(core, node);
	if (node_get_record(node, &rec) && (rec.fields & RECORD_XATTRS)) {
		buf_append(ret, rec.xattrs.data, rec.xattrs.size);
		r = ret->failed ? -ENOMEM : 0;
	}
	node_unlock(core, node);
	return r;
}

static int find_packed(const struct buf *packed, const char *name, struct buf *ret)
{
	struct record_bytes value;
	const char *each;
	size_t pos = 0;

	while (record_xattr_next((struct record_bytes){packed->data, packed->size}, &pos, &each,
				 &value)) {
		if (strcmp(each, name) != 0)
			continue;
		buf_append(ret, value.data, value.size);
		return ret->failed ? -ENOMEM : 0;
	}
	return -ENODATA;
}

/* Of a file without a name. */
static int get_unnamed(struct core *core, struct node *node, const char *name, struct buf *ret)
{
	_cleanup_(freep) char *value = malloc(XATTR_VALUE_MAX);
	struct content *content;
	ssize_t n;
	int r;

	if (!value)
		return -ENOMEM;
	if (!S_ISREG(node->mode))
		return -ENODATA;
	r = content_of_node(core, node, false, &content);
	if (r < 0)
		return r;
	n = strcmp(name, RECORD_XATTR) != 0
		    ? fgetxattr(content_fd(content), name, value, XATTR_VALUE_MAX)
		    : -1;
	r = n < 0 ? (strcmp(name, RECORD_XATTR) != 0 ? -errno : -ENODATA) : 0;
	content_unref(content);
	if (r == 0)
		buf_append(ret, value, (size_t)n);
	return r == 0 && ret->failed ? -ENOMEM : r;
}

static int get_xattr(struct core *core, struct core_req *req, struct node *node, struct buf *ret)
{
	_cleanup_(freep) char *path = NULL;
	struct buf packed = {0};
	int r;

	if (disk_answers(core, node)) {
		if (node_is_unlinked(core, node))
			return get_unnamed(core, node, req->op.name, ret);
		path = node_path(core, node);
		return path ? store_getxattr(core->store, path, req->op.name, ret) : -ENOMEM;
	}
	if (strncmp(req->op.name, "user.", 5) != 0)
		return -ENODATA;
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_packed(core, node, &packed);
	if (r == 0)
		r = find_packed(&packed, req->op.name, ret);
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
		r = req_answer_bytes(req, value.data, value.size);
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
		if (node_is_unlinked(core, node))
			return 0;
		path = node_path(core, node);
		return path ? store_listxattr(core->store, path, ret) : -ENOMEM;
	}
	r = resolve_fresh(core, req, node);
	if (r != 0)
		return r;
	r = copy_packed(core, node, &packed);
	while (r == 0 && record_xattr_next((struct record_bytes){packed.data, packed.size}, &pos,
					   &name, &value))
		buf_append(ret, name, strlen(name) + 1);
	buf_deinit(&packed);
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
		r = req_answer_bytes(req, names.data, names.size);
	buf_deinit(&names);
	node_unref(core, node);
	return r;
}

/* ---- changing ------------------------------------------------------------------------------------ */

/* @packed without @name, and with the new value unless it is NULL. */
static int repack(const struct buf *packed, const char *name, const struct op_args *new_value,
		  struct buf *ret)
{
	struct record_bytes value;
	const char *each;
	size_t pos = 0;
	bool found = false;

	while (record_xattr_next((struct record_bytes){packed->data, packed->size}, &pos, &each,
				 &value)) {
		if (strcmp(each, name) != 0)
			record_xattr_pack(ret, each, value.data, value.size);
		else
			found = true;
	}
	if (new_value && found && (new_value->flags & XATTR_CREATE))
		return -EEXIST;
	if (!found && (!new_value || (new_value->flags & XATTR_REPLACE)))
		return -ENODATA;
	if (new_value)
		record_xattr_pack(ret, name, new_value->data, new_value->size);
	return ret->failed ? -ENOMEM : 0;
}

static int change_placeholder(struct core *core, struct node *node, const char *name,
			      const struct op_args *value)
{
	_cleanup_(buf_deinit) struct buf packed = {0};
	_cleanup_(buf_deinit) struct buf changed = {0};
	struct kept_record kept = {0};
	int r = copy_packed(core, node, &packed);

	if (r == 0)
		r = repack(&packed, name, value, &changed);
	if (r == 0)
		r = keep_record(core, node, &kept);
	if (r == 0) {
		kept.rec.xattrs = (struct record_bytes){changed.data, changed.size};
		kept.rec.fields |= RECORD_XATTRS;
		if (!changed.size)
			kept.rec.fields &= ~(uint32_t)RECORD_XATTRS;
		if (node_is_unlinked(core, node)) {
			node_lock(core, node);
			r = node_set_record(node, &kept.rec);
			node_unlock(core, node);
		} else {
			r = write_marker(core, node, &kept);
		}
	}
	free(kept.data);
	return r;
}

static int change_unnamed(struct core *core, struct node *node, const char *name,
			  const struct op_args *value)
{
	struct content *content;
	int fd, r;

	if (!S_ISREG(node->mode))
		return -ESTALE;
	if (!strcmp(name, RECORD_XATTR))
		return -EPERM;
	r = content_of_node(core, node, true, &content);
	if (r < 0)
		return r;
	fd = content_fd(content);
	r = value ? fsetxattr(fd, name, value->data, value->size, (int)value->flags)
		  : fremovexattr(fd, name);
	r = r < 0 ? -errno : 0;
	content_unref(content);
	return r;
}

static int change_on_disk(struct core *core, struct node *node, const char *name,
			  const struct op_args *value)
{
	_cleanup_(freep) char *path = NULL;
	bool clean;
	int r;

	if (node_is_unlinked(core, node))
		return change_unnamed(core, node, name, value);
	node_lock(core, node);
	clean = node->state != NODE_LOCAL;
	node_unlock(core, node);
	if (clean && !tree_is_exclusive())
		return CORE_EXCLUSIVE;
	r = mark_dirty(core, node);
	path = node_path(core, node);
	if (!path)
		return -ENOMEM;
	if (r == 0)
		r = value ? store_setxattr(core->store, path, name, value->data, value->size,
					   (int)value->flags)
			  : store_removexattr(core->store, path, name);
	return r == 0 ? node_reload(core, node) : r;
}

/* @value NULL: remove it. */
static int change(struct core *core, struct core_req *req, struct node *node,
		  const struct op_args *value)
{
	const char *name = req->op.name;
	int r;

	if (node_is_dir(node)) {
		r = dirs_ready(core, req, node);
		if (r != 0)
			return r;
	}
	if (disk_answers(core, node))
		return change_on_disk(core, node, name, value);
	if (is_gone(core, node))
		return -ESTALE;
	if (strncmp(name, "user.", 5) != 0) {
		/* Others are the disk's business: it must have something to put them on. */
		if (!value)
			return -ENODATA;
		if (!S_ISREG(node->mode))
			return -EOPNOTSUPP;
		r = op_hydrate_node(core, req, node);
		return r == 0 ? change_on_disk(core, node, name, value) : r;
	}
	if (!strcmp(name, RECORD_XATTR))
		return value ? -EPERM : -ENODATA;
	if (!tree_is_exclusive())
		return CORE_EXCLUSIVE;
	r = resolve_fresh(core, req, node);
	if (r == 0)
		r = dirs_describe(core, req, node->parent);
	return r == 0 ? change_placeholder(core, node, name, value) : r;
}

static int change_xattr(struct core *core, struct core_req *req, const struct op_args *value)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	r = change(core, req, node, value);
	node_unref(core, node);
	return r;
}

int op_setxattr(struct core *core, struct core_req *req)
{
	return change_xattr(core, req, req->op.args);
}

int op_removexattr(struct core *core, struct core_req *req)
{
	return change_xattr(core, req, NULL);
}
