/* SPDX-License-Identifier: MIT */
/*
 * What lies under a local item?  When one goes away, its name would show what the provider has of that name, so
 * somebody has to know whether it has.  What came from the provider and was never moved tells by itself; a listing of
 * a stable view tells; so does the negative path cache; else the provider is asked, by means of a node that nobody else
 * finds: with query_file_name if it has that, otherwise for a description.
 */

#include <errno.h>

#include "core/change.h"
#include "core/internal.h"
#include "util/clock.h"

/* 1, 0, or -ENODATA. */
static int told_by_occupant(struct core *core, struct node *occupant)
{
	int r = -ENODATA;

	if (!occupant)
		return -ENODATA;
	node_lock(core, occupant);
	switch (occupant->state) {
	case NODE_VIRTUAL:
	case NODE_PLACEHOLDER:
	case NODE_HYDRATED:
	case NODE_DIRECTORY:
		if (!(occupant->flags & (NODE_RENAMED | NODE_ADOPTED)))
			r = 1;
		break;
	case NODE_LOCAL:
		if (occupant->flags & NODE_CONVERTED)
			r = 1;
		else if ((occupant->flags & NODE_BASE_ABSENT) &&
			 (core->config.stable_view ||
			  clock_now_ms() - occupant->checked_ms < core->config.placeholder_timeout_ms))
			r = 0;
		break;
	default:
		break;
	}
	node_unlock(core, occupant);
	return r;
}

/* 1, 0, or -ENODATA: it has not been asked yet. */
static int told_by_provider(struct core *core, struct op_args *args)
{
	int r = -ENODATA;

	if (args->base_failed)
		return 1;
	node_lock(core, args->base);
	if (args->base->state == NODE_GONE)
		r = 0;
	else if (args->base->state != NODE_UNKNOWN)
		r = 1;
	node_unlock(core, args->base);
	return r;
}

static int ask_provider(struct core *core, struct core_req *req, struct node *dir, const char *name,
			bool *ret)
{
	struct op_args *args = req->op.args;
	int r;

	*ret = false;
	if (!args->base && negative_knows(core, dir, name)) {
		COUNT(core, negative_hits);
		return 0;
	}
	if (!args->base)
		args->base = node_new_apart(core, dir, name);
	if (!args->base)
		return -ENOMEM;
	while ((r = told_by_provider(core, args)) == -ENODATA) {
		r = core->config.can_query_name ? resolve_existence(core, req, args->base)
						: resolve_described(core, req, args->base);
		if (r != 0)
			return r;
	}
	*ret = r;
	return 0;
}

int base_exists(struct core *core, struct core_req *req, struct node *dir, const char *name,
		struct node *occupant, bool *ret)
{
	bool projected;
	int r;

	node_lock(core, dir);
	projected = node_is_projected(dir) && dir->state != NODE_GONE;
	node_unlock(core, dir);
	*ret = false;
	if (!projected)
		return 0;
	r = listing_base(core, dir, name);
	if (r == -ENODATA)
		r = told_by_occupant(core, occupant);
	if (r == -ENODATA)
		return ask_provider(core, req, dir, name, ret);
	*ret = r;
	return 0;
}

int base_asked(struct core_req *req, int error)
{
	switch (error) {
	case -ENOTCONN:
	case -EINTR:
	case -ETIMEDOUT:
	case -ENOMEM:
		return error;
	case -ENOENT:
		return 0; /* the node says so, too */
	default:
		req->op.args->base_failed = true;
		return 0;
	}
}

void base_note_made(struct core *core, struct node *dir, struct node *node, bool was_tombstone)
{
	int known = listing_base(core, dir, node->name);

	node_lock(core, node);
	if (known == 0 || (known < 0 && !was_tombstone)) {
		node->flags |= NODE_BASE_ABSENT;
		node->checked_ms = clock_now_ms();
	}
	node_unlock(core, node);
}
