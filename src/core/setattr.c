/* SPDX-License-Identifier: MIT */
/*
 * Metadata that users change.  What has no content on disk becomes a dirty placeholder: a marker that holds what was
 * changed.  All else is changed on disk, after its record says that it is dirty.
 */

#include <errno.h>
#include <string.h>

#include "core/caller.h"
#include "core/change.h"
#include "core/internal.h"

/* ---- what is in memory follows ------------------------------------------------------------------- */

/* Are its attributes those of what is on disk?  The caller holds node_lock(). */
static bool shows_disk(const struct node *node)
{
	switch (node->state) {
	case NODE_LOCAL:
		return true;
	case NODE_HYDRATED:
		return node->flags & NODE_DIRTY;
	case NODE_DIRECTORY:
		return !node->parent || (node->flags & NODE_DIRTY);
	default:
		return false;
	}
}

static int stat_node(struct core *core, struct node *node, bool regular, struct stat *ret)
{
	_cleanup_(freep) char *path = NULL;
	struct content *content;
	struct timespec btime;
	bool unlinked;
	int r;

	node_lock(core, node);
	unlinked = node->flags & NODE_UNLINKED;
	node_unlock(core, node);
	if (regular && (unlinked || content_is_attached(core, node))) {
		r = content_of_node(core, node, false, &content);
		if (r < 0)
			return r;
		r = fstat(content_fd(content), ret) < 0 ? -errno : 0;
		content_unref(content);
		/* A file that locks its owner out is opened by changing its mode for a moment. */
		if (r < 0 || (ret->st_mode & 0600) != 0600 || unlinked)
			return r;
	}
	path = node_path(core, node);
	return path ? store_stat(core->store, path, ret, &btime) : -ENOMEM;
}

int node_refresh(struct core *core, struct node *node)
{
	bool disk, regular;
	struct stat st;
	uint32_t mode;
	int r;

	node_lock(core, node);
	disk = shows_disk(node);
	regular = S_ISREG(node->mode);
	node_unlock(core, node);
	if (!disk)
		return 0;
	r = stat_node(core, node, regular, &st);
	if (r < 0)
		return r;
	node_lock(core, node);
	mode = node->mode;
	if ((st.st_mode & S_IFMT) == (mode & S_IFMT) && shows_disk(node)) {
		uint32_t uid = node->uid, gid = node->gid, ctime_nsec = node->ctime_nsec;
		int64_t ctime_sec = node->ctime_sec;

		node_apply_stat(node, &st);
		if (S_ISDIR(mode) && st.st_ctim.tv_sec == node->held_ctime.tv_sec &&
		    st.st_ctim.tv_nsec == node->held_ctime.tv_nsec) {
			node->ctime_sec = ctime_sec;
			node->ctime_nsec = ctime_nsec;
		}
		/* The record has the true mode of a directory that would lock us out. */
		if (node->state == NODE_DIRECTORY && node->parent) {
			node->mode = mode;
			node->uid = uid;
			node->gid = gid;
		} else if (node->flags & NODE_OPAQUE) {
			node->mode = mode;
		}
	}
	node_unlock(core, node);
	return 0;
}

int node_reload(struct core *core, struct node *node)
{
	_cleanup_(freep) char *path = node_path(core, node), *origin = node_origin(core, node);
	struct store_item item = {0};
	struct record rec;
	int r;

	if (!path || !origin)
		return -ENOMEM;
	r = store_lookup_at(core->store, path, origin, &item);
	if (r < 0)
		return r;
	node_lock(core, node);
	if (item.rec.size && node->state != NODE_LOCAL &&
	    record_decode(item.rec.data, item.rec.size, &rec) == 0)
		(void)node_set_record(node, &rec);
	if (item.state == STORE_DIRECTORY && item.rec.size &&
	    record_decode(item.rec.data, item.rec.size, &rec) == 0 &&
	    (rec.flags & RECORD_FLAG_OPAQUE))
		node->flags |= NODE_OPAQUE;
	node_apply_item(core, node, &item);
	node_unlock(core, node);
	store_item_deinit(&item);
	return 0;
}

/* ---- dirty ------------------------------------------------------------------------------------------- */

int mark_dirty(struct core *core, struct node *node)
{
	_cleanup_(freep) char *path = NULL, *origin = NULL;
	struct kept_record kept = {0};
	bool clean;
	int r;

	node_lock(core, node);
	clean = (node->state == NODE_HYDRATED || node->state == NODE_DIRECTORY) && node->parent &&
		!(node->flags & NODE_DIRTY);
	node_unlock(core, node);
	if (!clean)
		return 0;
	if (node_is_dir(node))
		return dirs_mark_changed(core, node);
	path = node_path(core, node);
	origin = node_origin(core, node);
	r = path && origin ? keep_record(core, node, &kept) : -ENOMEM;
	if (r == 0) {
		kept.rec.flags |= RECORD_FLAG_DIRTY;
		kept.rec.fields |= RECORD_FLAGS;
		r = store_set_record(core->store, path, origin, &kept.rec);
	}
	if (r == 0) {
		node_lock(core, node);
		r = node_set_record(node, &kept.rec);
		node->flags |= NODE_DIRTY;
		node_unlock(core, node);
	}
	free(kept.data);
	return r;
}

int write_marker(struct core *core, struct node *node, const struct kept_record *kept)
{
	_cleanup_(freep) char *path = node_path(core, node), *origin = node_origin(core, node);
	struct record rec = kept->rec;
	int r;

	if (!path || !origin)
		return -ENOMEM;
	rec.flags |= RECORD_FLAG_DIRTY;
	rec.fields |= RECORD_FLAGS | RECORD_ORIGIN;
	rec.origin = (struct record_bytes){(const uint8_t *)origin, strlen(origin)};
	r = dirs_make(core, node->parent);
	if (r < 0)
		return r;
	dirs_hold_times(core, node->parent);
	r = store_write_marker(core->store, path, &rec);
	dirs_held_times(core, node->parent);
	if (r < 0)
		return r;
	node_lock(core, node);
	r = node_set_record(node, &rec);
	node->flags |= NODE_DIRTY;
	node_unlock(core, node);
	listing_note(core, node->parent, node->name, LISTING_LOCAL);
	return r;
}

/* The owner of a dirty item is the user's word, whoever may chown. */
static void show_record(struct core *core, struct node *node, const struct record *rec)
{
	node_lock(core, node);
	node_apply_record(core, node, rec);
	if (rec->fields & RECORD_OWNER) {
		node->uid = rec->uid;
		node->gid = rec->gid;
	}
	if (S_ISLNK(node->mode))
		node->mode = S_IFLNK | 0777;
	node_unlock(core, node);
}

int renew_marker(struct core *core, struct node *node, const struct record *rec)
{
	_cleanup_(freep) char *path = node_path(core, node), *origin = node_origin(core, node);
	struct record marker = *rec;
	uint64_t size;
	int r;

	if (!path || !origin)
		return -ENOMEM;
	if (!(marker.fields & RECORD_ORIGIN)) {
		marker.fields |= RECORD_ORIGIN;
		marker.origin = (struct record_bytes){(const uint8_t *)origin, strlen(origin)};
	}
	dirs_hold_times(core, node->parent);
	r = store_write_marker(core->store, path, &marker);
	dirs_held_times(core, node->parent);
	if (r < 0)
		return r;
	node_lock(core, node);
	size = node->size;
	r = node_set_record(node, &marker);
	node->flags &= (uint16_t) ~(NODE_ASK_AGAIN | NODE_REVALIDATE);
	if (S_ISREG(node->mode) && (marker.fields & RECORD_SIZE) && marker.size < size)
		node->flags |= NODE_SHRUNK;
	if (!(marker.flags & RECORD_FLAG_DIRTY))
		node_apply_record(core, node, &marker);
	node_unlock(core, node);
	if (marker.flags & RECORD_FLAG_DIRTY)
		show_record(core, node, &marker);
	if (marker.size > size)
		core->kernel->inval_node(core->kernel_context, node->id, false);
	return r;
}

/* ---- the operation --------------------------------------------------------------------------------------- */

static struct record_time record_time_of(struct timespec t)
{
	if (t.tv_nsec == UTIME_NOW)
		clock_gettime(CLOCK_REALTIME, &t);
	return (struct record_time){t.tv_sec, (uint32_t)t.tv_nsec};
}

/* Like a file system of its own: nothing on disk but the marker changes. */
static void change_record(struct core *core, struct node *node, const struct core_setattr *a,
			  struct record *rec)
{
	struct timespec now = {.tv_nsec = UTIME_NOW};

	node_lock(core, node);
	rec->mode = node->mode & 07777;
	if (a->fields & (CORE_CHANGE_UID | CORE_CHANGE_GID)) {
		rec->uid = a->fields & CORE_CHANGE_UID ? a->uid : node->uid;
		rec->gid = a->fields & CORE_CHANGE_GID ? a->gid : node->gid;
		rec->fields |= RECORD_OWNER;
		rec->mode &= ~(uint32_t)(S_ISUID | (rec->mode & S_IXGRP ? S_ISGID : 0));
	}
	node_unlock(core, node);
	if (a->fields & CORE_CHANGE_MODE)
		rec->mode = a->mode & 07777;
	if (a->fields & CORE_CHANGE_MTIME)
		rec->mtime = record_time_of(a->mtime);
	if (a->fields & CORE_CHANGE_ATIME)
		rec->atime = record_time_of(a->atime);
	if (a->fields & CORE_CHANGE_ATIME)
		rec->fields |= RECORD_ATIME;
	rec->ctime = record_time_of(now);
	rec->fields |= RECORD_MODE | RECORD_MTIME | RECORD_CTIME;
}

static int change_placeholder(struct core *core, struct core_req *req, struct node *node,
			      const struct core_setattr *a)
{
	struct kept_record kept = {0};
	bool unlinked;
	int r;

	if (!tree_is_exclusive())
		return CORE_EXCLUSIVE;
	r = resolve_fresh(core, req, node);
	if (r == 0)
		r = resolve_usable(core, req, node);
	if (r == 0)
		r = dirs_describe(core, req, node->parent);
	if (r == 0)
		r = keep_record(core, node, &kept);
	if (r != 0)
		return r;
	change_record(core, node, a, &kept.rec);
	node_lock(core, node);
	unlinked = node->flags & NODE_UNLINKED;
	if (unlinked)
		r = node_set_record(node, &kept.rec);
	node_unlock(core, node);
	if (!unlinked)
		r = write_marker(core, node, &kept);
	if (r == 0)
		show_record(core, node, &kept.rec);
	free(kept.data);
	return r;
}

static struct store_change store_change_of(const struct core_setattr *a)
{
	struct store_change change = {
		.mode = a->mode,
		.uid = a->fields & CORE_CHANGE_UID ? a->uid : UINT32_MAX,
		.gid = a->fields & CORE_CHANGE_GID ? a->gid : UINT32_MAX,
		.mtime = a->mtime,
		.atime = a->atime,
	};

	if (a->fields & CORE_CHANGE_MODE)
		change.fields |= RECORD_MODE;
	if (a->fields & (CORE_CHANGE_UID | CORE_CHANGE_GID))
		change.fields |= RECORD_OWNER;
	if (a->fields & CORE_CHANGE_MTIME)
		change.fields |= RECORD_MTIME;
	if (a->fields & CORE_CHANGE_ATIME)
		change.fields |= RECORD_ATIME;
	return change;
}

static int change_unnamed(struct core *core, struct node *node, const struct store_change *change)
{
	struct content *content;
	int r = content_of_node(core, node, true, &content);

	if (r < 0)
		return r;
	r = store_change_fd(content_fd(content), change);
	content_unref(content);
	return r;
}

static int change_on_disk(struct core *core, struct node *node, const struct core_setattr *a)
{
	struct store_change change = store_change_of(a);
	_cleanup_(freep) char *path = NULL;
	bool unlinked;
	int r;

	node_lock(core, node);
	unlinked = node->flags & NODE_UNLINKED;
	node_unlock(core, node);
	if (unlinked)
		return change_unnamed(core, node, &change);
	r = mark_dirty(core, node);
	if (r < 0)
		return r;
	path = node_path(core, node);
	return path ? store_change_meta(core->store, path, &change) : -ENOMEM;
}

/* A directory, link or fifo that was removed, and that somebody has open: it is only here any more. */
static bool change_in_memory(struct core *core, struct node *node, const struct core_setattr *a)
{
	struct record_time time;
	bool removed;

	node_lock(core, node);
	removed = node->state == NODE_GONE && (node->flags & NODE_UNLINKED);
	if (removed && (a->fields & CORE_CHANGE_MODE))
		node->mode = (node->mode & S_IFMT) | a->mode;
	if (removed && (a->fields & CORE_CHANGE_UID))
		node->uid = a->uid;
	if (removed && (a->fields & CORE_CHANGE_GID))
		node->gid = a->gid;
	if (removed && (a->fields & CORE_CHANGE_MTIME)) {
		time = record_time_of(a->mtime);
		node->mtime_sec = time.sec;
		node->mtime_nsec = time.nsec;
	}
	if (removed && (a->fields & CORE_CHANGE_ATIME)) {
		time = record_time_of(a->atime);
		node->atime_sec = time.sec;
		node->atime_nsec = time.nsec;
	}
	node_unlock(core, node);
	return removed;
}

/* Mode, owner and times. */
static int change_meta(struct core *core, struct core_req *req, struct node *node,
		       const struct core_setattr *a)
{
	enum node_state state;
	bool local;
	int r;

	if (change_in_memory(core, node, a))
		return 0;
	if (node_is_dir(node)) {
		r = dirs_ready(core, req, node);
		if (r != 0)
			return r;
	}
	node_lock(core, node);
	state = node->state;
	local = state == NODE_LOCAL;
	node_unlock(core, node);
	switch (state) {
	case NODE_GONE:
		return -ESTALE;
	case NODE_LOCAL:
	case NODE_HYDRATED:
	case NODE_DIRECTORY:
		if (!local && !tree_is_exclusive())
			return CORE_EXCLUSIVE;
		r = change_on_disk(core, node, a);
		if (r == 0 && (!local || S_ISDIR(node->mode)))
			r = node_reload(core, node);
		return r;
	default:
		return change_placeholder(core, req, node, a);
	}
}

/* Nothing but the privilege goes: chown() to nobody else, or a change that the kernel makes another way. */
static int drop_privilege(struct core *core, struct core_req *req, struct node *node)
{
	struct core_setattr *a = &req->op.args->attr;
	uint32_t mode;
	int r = resolve_usable(core, req, node);

	if (r == 0)
		r = node_refresh(core, node);
	if (r != 0)
		return r;
	node_lock(core, node);
	mode = node->mode;
	a->mode = caller_mode_after_change(req, mode & 07777, node->gid);
	node_unlock(core, node);
	if (S_ISREG(mode) && a->mode != (mode & 07777))
		a->fields |= CORE_CHANGE_MODE;
	return 0;
}

/* By its path: an open, a change and a close in one. */
static void tell_truncated(struct core *core, struct core_req *req, struct node *node)
{
	notice_tell(core, req, &(struct notice_about){.event = CORE_EVENT_CLOSED_MODIFIED, .node = node});
}

int op_setattr(struct core *core, struct core_req *req)
{
	const struct core_setattr *a = &req->op.args->attr;
	struct node *node = node_get(core, req->op.node_id);
	int r = 0;

	if (!node)
		return -ESTALE;
	if ((a->fields & ~(uint32_t)CORE_CHANGE_BY_HANDLE) == CORE_CHANGE_KILL_PRIV)
		r = drop_privilege(core, req, node);
	if (r == 0 && (a->fields & CORE_CHANGE_SIZE))
		r = truncate_node(core, req, node, a->size, a->fields & CORE_CHANGE_KILL_PRIV);
	if (r == 0 && (a->fields & (CORE_CHANGE_MODE | CORE_CHANGE_UID | CORE_CHANGE_GID |
				    CORE_CHANGE_ATIME | CORE_CHANGE_MTIME)))
		r = change_meta(core, req, node, a);
	if (r == 0)
		r = resolve_usable(core, req, node);
	if (r == 0)
		r = node_refresh(core, node);
	if (r == 0) {
		node_lock(core, node);
		node_attr(node, &req->ret.attr.attr);
		req->ret.attr.valid_ms = node_valid_ms(core, node);
		node_unlock(core, node);
		if ((a->fields & CORE_CHANGE_SIZE) && !(a->fields & CORE_CHANGE_BY_HANDLE))
			tell_truncated(core, req, node);
	}
	node_unref(core, node);
	return r;
}
