/* SPDX-License-Identifier: MIT */
/*
 * Renames.  What moves is put on disk first, if it is not there yet, with its origin in its record: the provider goes
 * on knowing it by that name.  Then one call of the store moves it and leaves the tombstone.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "util/log.h"

/* One side of a rename. */
struct side {
	struct node *dir;  /* referenced */
	struct node *node; /* referenced; NULL: there is none */
	const char *name;
	char *path;
};

static void side_deinit(struct core *core, struct side *side)
{
	node_unref(core, side->dir);
	node_unref(core, side->node);
	free(side->path);
}

static int side_init(struct core *core, uint64_t dir_id, const char *name, struct side *ret)
{
	int r;

	*ret = (struct side){.dir = node_get(core, dir_id), .name = name};
	if (!ret->dir)
		return -ESTALE;
	ret->path = node_child_path(core, ret->dir, name);
	if (!ret->path)
		return -ENOMEM;
	r = resolve_known(core, ret->dir, name, &ret->node);
	return r == -ENOENT ? 0 : r;
}

/* As POSIX says it, in the order of ext4. */
static int check_types(const struct side *from, const struct side *to, unsigned flags)
{
	if (!from->node)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return to->node ? 0 : -ENOENT;
	if (!to->node)
		return 0;
	if (flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (node_is_dir(from->node) && !node_is_dir(to->node))
		return -ENOTDIR;
	return !node_is_dir(from->node) && node_is_dir(to->node) ? -EISDIR : 0;
}

static enum node_state state_of(struct core *core, struct node *node)
{
	enum node_state state;

	node_lock(core, node);
	state = node->state;
	node_unlock(core, node);
	return state;
}

/* Whatever the provider must still say about @node before it can stand on disk. */
static int describe(struct core *core, struct core_req *req, struct node *node)
{
	int r = 0;

	switch (state_of(core, node)) {
	case NODE_VIRTUAL:
	case NODE_PLACEHOLDER:
	case NODE_UNKNOWN:
		r = resolve_fresh(core, req, node);
		if (r == 0 && S_ISREG(node->mode) && (node->flags & NODE_SIZE_UNKNOWN))
			r = op_hydrate_node(core, req, node);
		break;
	default:
		break;
	}
	return r;
}

/* The record of @node when it lives in @dir as @name. @ret_back: its origin is this very place. */
static int moved_record(struct core *core, struct node *node, struct node *dir, const char *name,
			const char *origin, struct kept_record *ret, bool *ret_back)
{
	_cleanup_(freep) char *natural = node_child_origin(core, dir, name);
	bool projected;
	int r = natural ? keep_record(core, node, ret) : -ENOMEM;

	if (r < 0)
		return r;
	node_lock(core, dir);
	projected = node_is_projected(dir);
	node_unlock(core, dir);
	ret->rec.fields |= RECORD_FLAGS;
	*ret_back = projected && !strcmp(natural, origin);
	/* Also when it comes back: the record is written before the item moves, so it must be true at both ends. */
	ret->rec.flags |= RECORD_FLAG_RENAMED;
	ret->rec.fields |= RECORD_ORIGIN;
	ret->rec.origin = (struct record_bytes){(const uint8_t *)origin, strlen(origin)};
	return 0;
}

/* Write down where it comes from, before it goes to @to. */
static int note_origin(struct core *core, const struct side *from, const struct side *to,
		       const char *origin, struct kept_record *kept, bool *ret_back)
{
	int r = moved_record(core, from->node, to->dir, to->name, origin, kept, ret_back);

	if (r < 0)
		return r;
	if (state_of(core, from->node) == NODE_PLACEHOLDER)
		return store_write_marker_for(core->store, from->path, to->path, &kept->rec);
	return store_set_record(core->store, from->path, origin, &kept->rec);
}

/* Put what moves on disk, with its origin. */
static int make_movable(struct core *core, const struct side *from, const struct side *to)
{
	_cleanup_(freep) char *origin = NULL;
	struct kept_record kept = {0};
	struct node *node = from->node;
	bool is_back = false;
	int r;

	if (state_of(core, node) == NODE_LOCAL)
		return 0;
	origin = node_origin(core, node);
	r = origin ? 0 : -ENOMEM;
	if (r == 0 && node_is_dir(node))
		r = dirs_make(core, node);
	if (r == 0)
		r = note_origin(core, from, to, origin, &kept, &is_back);
	if (r == 0) {
		node_lock(core, node);
		r = node_set_record(node, &kept.rec);
		node->flags |= NODE_RENAMED;
		if (is_back)
			node->flags &= (uint16_t)~NODE_RENAMED;
		node_unlock(core, node);
	}
	free(kept.data);
	return r;
}

/* It has moved: what was known about its former name is of no use. */
static void forget_base(struct core *core, struct node *node)
{
	node_lock(core, node);
	node->flags &= (uint16_t) ~(NODE_BASE_ABSENT | NODE_CONVERTED);
	node_unlock(core, node);
}

static int exchange(struct core *core, const struct side *from, const struct side *to)
{
	int r = make_movable(core, from, to);

	if (r == 0)
		r = make_movable(core, to, from);
	if (r == 0)
		r = store_rename(core->store, from->path, to->path, STORE_RENAME_EXCHANGE);
	if (r < 0)
		return r;
	r = node_swap_names(core, &(struct named_node){from->dir, from->node, from->name},
			    &(struct named_node){to->dir, to->node, to->name});
	if (r < 0) { /* on disk they have changed: who asks for the names gets them from there */
		node_retire(core, from->node);
		node_retire(core, to->node);
	}
	forget_base(core, from->node);
	forget_base(core, to->node);
	listing_note(core, from->dir, from->name, LISTING_LOCAL);
	listing_note(core, to->dir, to->name, LISTING_LOCAL);
	return 0;
}

static int move(struct core *core, const struct side *from, const struct side *to, bool tombstone)
{
	struct kept_content kept = {0};
	int r = make_movable(core, from, to);

	if (r == 0 && to->node)
		r = keep_content(core, to->node, &kept);
	if (r == 0) {
		r = store_rename(core->store, from->path, to->path,
				 tombstone ? STORE_RENAME_TOMBSTONE : 0);
		if (r < 0 && to->node)
			keep_undo(core, to->node, &kept);
	}
	if (r < 0)
		return r;
	if (to->node)
		lost_name(core, to->node, to->dir, to->name, &kept);
	r = node_move(core, from->node, from->dir, from->name, to->dir, to->name);
	if (r < 0) /* on disk it has moved: who asks for the new name gets it from there */
		node_retire(core, from->node);
	forget_base(core, from->node);
	listing_note(core, from->dir, from->name, LISTING_REMOVED);
	listing_note(core, to->dir, to->name, LISTING_LOCAL);
	return 0;
}

static int both_ready(struct core *core, struct core_req *req, const struct side *from,
		      const struct side *to)
{
	int r = dirs_ready(core, req, from->dir);

	if (r == 0)
		r = dirs_ready(core, req, to->dir);
	if (r == 0)
		r = dirs_mark_changed(core, from->dir);
	if (r == 0)
		r = dirs_mark_changed(core, to->dir);
	return r;
}

/* One item that goes from one name to another. */
static struct notice_about move_of(uint32_t event, const struct side *from, const struct side *to, bool is_second)
{
	return (struct notice_about){
		.event = event,
		.node = from->node,
		.path = from->path,
		.destination = to->path,
		.is_second = is_second,
	};
}

/* May it be done?  An exchange is two renames. */
static int ask_provider(struct core *core, struct core_req *req, const struct side *from,
			const struct side *to)
{
	struct notice_about one = move_of(CORE_EVENT_PRE_RENAME, from, to, false);
	struct notice_about two = move_of(CORE_EVENT_PRE_RENAME, to, from, true);
	int r = notice_ask(core, req, &one);

	if (r == 0 && (req->op.args->flags & RENAME_EXCHANGE))
		r = notice_ask(core, req, &two);
	return r;
}

static void tell_provider(struct core *core, struct core_req *req, const struct side *from,
			  const struct side *to)
{
	struct notice_about one = move_of(CORE_EVENT_RENAMED, from, to, false);
	struct notice_about two = move_of(CORE_EVENT_RENAMED, to, from, true);

	notice_tell(core, req, &one);
	if (req->op.args->flags & RENAME_EXCHANGE)
		notice_tell(core, req, &two);
}

static int rename_sides(struct core *core, struct core_req *req, const struct side *from,
			const struct side *to)
{
	unsigned flags = req->op.args->flags;
	bool tombstone = false;
	int r = check_types(from, to, flags);

	if (r < 0)
		return r;
	if (from->node == to->node)
		return 0; /* two names of one file: POSIX says, nothing */
	r = check_new_name(to->dir, to->name);
	if (r == 0)
		r = ask_provider(core, req, from, to);
	if (r == 0)
		r = describe(core, req, from->node);
	if (r == 0 && (flags & RENAME_EXCHANGE))
		r = describe(core, req, to->node);
	if (r == 0 && !(flags & RENAME_EXCHANGE)) {
		if (to->node && node_is_dir(to->node))
			r = dir_must_be_empty(core, req, to->node);
		if (r == 0)
			r = base_exists(core, req, from->dir, from->name, from->node, &tombstone);
	}
	if (r == 0)
		r = both_ready(core, req, from, to);
	if (r != 0)
		return r;
	r = flags & RENAME_EXCHANGE ? exchange(core, from, to) : move(core, from, to, tombstone);
	if (r == 0)
		tell_provider(core, req, from, to);
	return r;
}

int op_rename(struct core *core, struct core_req *req)
{
	const struct op_args *args = req->op.args;
	struct side from = {0}, to = {0};
	int r;

	if (args->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (args->flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = side_init(core, req->op.node_id, req->op.name, &from);
	if (r == 0)
		r = side_init(core, args->other_id, args->other_name, &to);
	if (r == 0)
		r = rename_sides(core, req, &from, &to);
	side_deinit(core, &from);
	side_deinit(core, &to);
	return r;
}
