/* SPDX-License-Identifier: MIT */
/* Back to the provider's view, and what is missing from it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "core/ioctl.h"
#include "util/name.h"

/* ---- restore -------------------------------------------------------------------------------------- */

/* What is about to be taken out of the tree, and known. */
struct leaving {
	struct node **nodes; /* referenced */
	struct kept_content *kept;
	size_t n;
};

static void leaving_deinit(struct core *core, struct leaving *l)
{
	for (size_t i = 0; i < l->n; i++)
		node_unref(core, l->nodes[i]);
	free(l->nodes);
	free(l->kept);
}

static int leaving_init(struct core *core, struct node *top, struct leaving *ret)
{
	int r;

	*ret = (struct leaving){0};
	if (!top)
		return 0;
	node_drop_aliases_below(core, top);
	r = node_list_below(core, top, &ret->nodes, &ret->n);
	if (r < 0)
		return r;
	ret->nodes[ret->n++] = node_ref(core, top);
	ret->kept = calloc(ret->n, sizeof(*ret->kept));
	if (!ret->kept)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n && r == 0; i++)
		r = keep_content(core, ret->nodes[i], &ret->kept[i]);
	return r;
}

/* @dir and @name: of the last of them, which may have further names elsewhere. */
static void leave(struct core *core, struct leaving *l, const struct node *dir, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		struct node *node = l->nodes[i];

		if (i + 1 < l->n)
			lost_name(core, node, node->parent, node->name, &l->kept[i]);
		else
			lost_name(core, node, dir, name, &l->kept[i]);
		core->kernel->inval_node(core->kernel_context, node->id, false);
	}
}

/* The kernel and the listing of the directory must hear of it. */
static void tell(struct core *core, struct node *dir, const char *name)
{
	listing_note(core, dir, name, LISTING_RESTORED);
	core->kernel->expire_entry(core->kernel_context, dir->id, name);
	core->kernel->inval_node(core->kernel_context, dir->id, true);
}

static int restore(struct core *core, const char *path)
{
	const char *name = path_last(path);
	_cleanup_(freep) char *above = strndup(path, name == path ? 0 : (size_t)(name - path - 1));
	struct node *dir = above ? node_find_path(core, above) : NULL;
	struct node *top = dir ? node_find(core, dir, name) : NULL;
	struct leaving leaving;
	int r = leaving_init(core, top, &leaving);

	if (r == 0 && !above)
		r = -ENOMEM;
	if (r == 0)
		r = store_restore(core->store, path);
	if (r == 0 && dir) {
		leave(core, &leaving, dir, name);
		tell(core, dir, name);
	} else {
		for (size_t i = 0; leaving.kept && i < leaving.n; i++)
			keep_undo(core, leaving.nodes[i], &leaving.kept[i]);
	}
	leaving_deinit(core, &leaving);
	node_unref(core, top);
	node_unref(core, dir);
	return r;
}

int op_restore(struct core *core, struct core_req *req)
{
	const struct core_ioctl_restore *arg = (const void *)req->op.name;
	int r;

	if (req->op.node_id != CORE_ROOT_ID)
		return -ENOTTY;
	if (!memchr(arg->path, '\0', sizeof(arg->path)) || !path_is_valid(arg->path) || !*arg->path)
		return -EINVAL;
	r = restore(core, arg->path);
	return r == 0 ? req_answer_bytes(req, NULL, 0) : r;
}

/* ---- tombstones ------------------------------------------------------------------------------------ */

struct collect {
	struct core *core;
	struct core_ioctl_tombstones *out;
	uint64_t index; /* of the name in the directory */
	uint64_t from;
};

static int collect_tombstone(void *context, const char *name, unsigned char type)
{
	struct collect *c = context;
	_cleanup_(freep) char *path = NULL;
	size_t size = strlen(name) + 1;
	uint64_t index = c->index++;

	if (index < c->from || (type != DT_LNK && type != DT_UNKNOWN))
		return 0;
	path = malloc(strlen(c->out->path) + size + 1);
	if (!path)
		return -ENOMEM;
	(void)sprintf(path, "%s%s%s", c->out->path, *c->out->path ? "/" : "", name);
	if (!store_is_tombstone(c->core->store, path))
		return 0;
	if (size > sizeof(c->out->names) - c->out->n_bytes) {
		c->out->cookie = index;
		return 1;
	}
	memcpy(c->out->names + c->out->n_bytes, name, size);
	c->out->n_bytes += (uint32_t)size;
	return 0;
}

int op_tombstones(struct core *core, struct core_req *req)
{
	struct core_ioctl_tombstones *arg = (void *)req->op.name;
	struct collect c = {.core = core, .out = arg};
	int r;

	if (req->op.node_id != CORE_ROOT_ID)
		return -ENOTTY;
	if (!memchr(arg->path, '\0', sizeof(arg->path)) || !path_is_valid(arg->path))
		return -EINVAL;
	c.from = arg->cookie;
	arg->cookie = 0;
	arg->n_bytes = 0;
	r = store_list(core->store, arg->path, collect_tombstone, &c);
	if (r == -ENOENT)
		r = 0; /* nothing of it is on disk */
	return r < 0 ? r : req_answer_bytes(req, arg, sizeof(*arg));
}
