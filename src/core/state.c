/* SPDX-License-Identifier: MIT */
/*
 * What state is an item in?  The question must not change the answer: what is not known in memory and not on
 * disk is virtual, whatever has to be asked to learn that it exists.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/internal.h"
#include "core/ioctl.h"
#include "util/name.h"

/* Bits of enum prj_file_state, which this layer does not know. */
enum {
	STATE_VIRTUAL = 0x00,
	STATE_PLACEHOLDER = 0x01,
	STATE_HYDRATED = 0x02,
	STATE_DIRTY = 0x04,
	STATE_FULL = 0x08,
	STATE_TOMBSTONE = 0x10,
};

/* The caller holds node_lock(). */
static uint32_t state_bits(const struct node *node)
{
	uint32_t dirty = node->flags & (NODE_DIRTY | NODE_ADOPTED) ? STATE_DIRTY : 0;

	switch (node->state) {
	case NODE_PLACEHOLDER:
	case NODE_DIRECTORY:
		return STATE_PLACEHOLDER | dirty;
	case NODE_HYDRATED:
		return STATE_PLACEHOLDER | STATE_HYDRATED | dirty;
	case NODE_LOCAL:
		return STATE_FULL;
	default:
		return STATE_VIRTUAL;
	}
}

static void copy_id(struct record_bytes from, uint8_t to[128])
{
	if (from.size)
		memcpy(to, from.data, MIN(from.size, (size_t)128));
}

static uint64_t partial_bytes_of(struct core *core, struct node *node)
{
	struct record rec;
	uint64_t bytes = 0;

	if (!S_ISREG(node->mode))
		return 0;
	node_lock(core, node);
	if (node->hydration)
		bytes = hydration_bytes(node->hydration);
	else if (node_get_record(node, &rec))
		bytes = store_partial_peek(core->store, node->ino, &rec);
	node_unlock(core, node);
	return bytes;
}

static void describe(struct core *core, struct node *node, bool was_known,
		     struct core_ioctl_state *ret)
{
	struct record rec;

	node_lock(core, node);
	/* Described by the provider only because we asked: nothing of it is kept. */
	ret->state = !was_known && node->state == NODE_PLACEHOLDER ? STATE_VIRTUAL : state_bits(node);
	ret->mode = node->mode;
	ret->size = node->size;
	if ((node->state == NODE_HYDRATED || node->state == NODE_LOCAL) && S_ISREG(node->mode))
		ret->local_bytes = node->size;
	if (node_get_record(node, &rec)) {
		copy_id(rec.provider_id, ret->provider_id);
		copy_id(rec.content_id, ret->content_id);
	}
	node_unlock(core, node);
	if (!ret->local_bytes)
		ret->local_bytes = partial_bytes_of(core, node);
}

/* Is it known already, other than because this request asked for it?  Remembered over its runs in op.offset. */
static bool known_before(struct core *core, struct core_req *req, struct node *dir, const char *name)
{
	struct node *child = node_find(core, dir, name);
	bool known = false;

	if (!child)
		return false;
	node_lock(core, child);
	if (child->state != NODE_UNKNOWN && child->id != req->op.asked_id)
		req->op.offset = child->id;
	known = req->op.offset == child->id;
	node_unlock(core, child);
	node_unref(core, child);
	return known;
}

static bool has_disk_item(struct core *core, struct node *dir, const char *path)
{
	struct store_item item = {0};
	bool yes, on_disk;

	node_lock(core, dir);
	on_disk = node_on_disk(dir);
	node_unlock(core, dir);
	if (!on_disk)
		return false;
	yes = store_lookup(core->store, path, &item) < 0 || item.state != STORE_NONE;
	store_item_deinit(&item);
	return yes;
}

/*
 * Find the item, one component at a time: 0, CORE_PENDING, or an error.  @ret stays NULL for a name that was
 * seen in a listing and of which nothing is known: it need not be asked for.
 */
static int walk(struct core *core, struct core_req *req, const char *path, bool listed,
		struct node **ret, bool *ret_known)
{
	_cleanup_(freep) char *copy = strdup(path);
	struct node *dir = node_ref(core, core->root), *child = NULL;
	char *rest = copy, *name;
	int r = copy ? 0 : -ENOMEM;

	*ret_known = true;
	while (r == 0 && (name = strsep(&rest, "/")) && *name) {
		req->op.size = rest != NULL; /* for req_run(): what is asked for is only on the way */
		if (!rest)
			*ret_known = known_before(core, req, dir, name);
		if (!rest && listed && !*ret_known && !has_disk_item(core, dir, path)) {
			node_unref(core, dir);
			return 0;
		}
		r = resolve_child(core, req, dir, name, &child);
		if (r == 0) {
			node_unref(core, dir);
			dir = steal_ptr(&child);
		} else if (r == -ENOENT && rest) {
			r = -ENOTDIR;
		}
	}
	if (r != 0)
		node_unref(core, dir);
	else
		*ret = dir;
	return r;
}

int op_state(struct core *core, struct core_req *req)
{
	struct core_ioctl_state *arg = (void *)req->op.name;
	struct node *node = NULL;
	bool known;
	int r;

	if (req->op.node_id != CORE_ROOT_ID)
		return -ENOTTY;
	if (!memchr(arg->path, '\0', sizeof(arg->path)) || !path_is_valid(arg->path))
		return -EINVAL;
	memset(&arg->state, 0, sizeof(*arg) - offsetof(struct core_ioctl_state, state));
	r = walk(core, req, arg->path, arg->flags & CORE_IOCTL_STATE_LISTED, &node, &known);
	/* Tombstones have no node. */
	if (r == -ENOENT && store_is_tombstone(core->store, arg->path)) {
		arg->state = STATE_TOMBSTONE;
		r = 0;
	} else if (r == 0 && node) {
		describe(core, node, known, arg);
		node_unref(core, node);
	}
	if (r != 0)
		return r;
	req->ret.bytes.data = arg;
	req->ret.bytes.size = sizeof(*arg);
	req_finish(req, 0);
	return CORE_PENDING;
}
