/* SPDX-License-Identifier: MIT */
/* See dirs.h. */

#include "core/dirs.h"

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"

int keep_record(struct core *core, struct node *node, struct kept_record *ret)
{
	size_t size;
	int r = -EIO;

	node_lock(core, node);
	size = node->rec_size;
	ret->data = node->rec ? malloc(size) : NULL;
	if (ret->data) {
		memcpy(ret->data, node->rec, size);
		r = record_decode(ret->data, size, &ret->rec);
	}
	/* What the provider left open was decided when it described the item, and was shown since. */
	if (r == 0) {
		ret->rec.mode = node->mode & 07777;
		ret->rec.mtime = (struct record_time){node->mtime_sec, node->mtime_nsec};
		ret->rec.fields |= RECORD_MODE | RECORD_MTIME;
	}
	node_unlock(core, node);
	return r;
}

static bool is_on_disk(struct core *core, struct node *dir)
{
	bool yes;

	node_lock(core, dir);
	yes = node_on_disk(dir);
	node_unlock(core, dir);
	return yes;
}

/* @dir and those above that are not on disk yet, nearest first. */
static size_t missing_dirs(struct core *core, struct node *dir, struct node **ret)
{
	size_t n = 0;

	for (; dir && !is_on_disk(core, dir); dir = dir->parent)
		ret[n++] = dir;
	return n;
}

static int describe_for_store(struct core *core, struct node *dir, struct store_dir *ret,
			      struct kept_record *kept)
{
	ret->path = node_path(core, dir);
	ret->origin = node_origin(core, dir);
	ret->rec = &kept->rec;
	return ret->path && ret->origin ? keep_record(core, dir, kept) : -ENOMEM;
}

static int make_missing(struct core *core, struct node **missing, size_t n)
{
	struct store_dir *dirs = calloc(n, sizeof(*dirs));
	struct kept_record *records = calloc(n, sizeof(*records));
	int r = dirs && records ? 0 : -ENOMEM;

	/* Top-down, while @missing begins at the bottom. */
	for (size_t i = 0; r == 0 && i < n; i++)
		r = describe_for_store(core, missing[n - 1 - i], &dirs[i], &records[i]);
	if (r == 0) {
		dirs_hold_times(core, missing[n - 1]->parent);
		r = store_make_dirs(core->store, dirs, n);
		dirs_held_times(core, missing[n - 1]->parent);
	}
	for (size_t i = 0; i < n; i++) {
		if (r == 0) {
			node_lock(core, missing[i]);
			if (missing[i]->state == NODE_PLACEHOLDER)
				missing[i]->state = NODE_DIRECTORY;
			node_unlock(core, missing[i]);
			listing_note(core, missing[i]->parent, missing[i]->name, LISTING_LOCAL);
		}
		if (dirs) {
			free((char *)dirs[i].path);
			free((char *)dirs[i].origin);
		}
		if (records)
			free(records[i].data);
	}
	free(dirs);
	free(records);
	return r;
}

int dirs_make(struct core *core, struct node *dir)
{
	struct node *few[64], **missing = few;
	size_t n = 0;
	int r = 0;

	for (struct node *d = dir; d; d = d->parent)
		n++;
	/* Few trees are deeper than the array on the stack. */
	if (n > ARRAY_SIZE(few)) {
		missing = calloc(n, sizeof(*missing));
		if (!missing)
			return -ENOMEM;
	}
	n = missing_dirs(core, dir, missing);
	if (n)
		r = make_missing(core, missing, n);
	if (missing != few)
		free(missing);
	return r;
}

int dirs_describe(struct core *core, struct core_req *req, struct node *dir)
{
	int r = 0;

	for (; dir && r == 0 && !is_on_disk(core, dir); dir = dir->parent)
		r = resolve_described(core, req, dir);
	return r;
}

static bool is_gone(struct core *core, struct node *dir)
{
	bool gone = false;

	for (; dir && !gone; dir = dir->parent) {
		node_lock(core, dir);
		gone = dir->state == NODE_GONE;
		node_unlock(core, dir);
	}
	return gone;
}

int dirs_ready(struct core *core, struct core_req *req, struct node *dir)
{
	int r;

	if (!node_is_dir(dir))
		return -ENOTDIR;
	r = dirs_describe(core, req, dir);
	if (r != 0)
		return r;
	return is_gone(core, dir) ? -ENOENT : dirs_make(core, dir);
}

bool dirs_show_own_times(struct core *core, struct node *dir)
{
	bool own;

	node_lock(core, dir);
	own = !dir->parent || dir->state == NODE_LOCAL || (dir->flags & NODE_DIRTY);
	node_unlock(core, dir);
	return own;
}

void dirs_hold_times(struct core *core, struct node *dir)
{
	if (dirs_show_own_times(core, dir))
		(void)node_refresh(core, dir);
}

void dirs_held_times(struct core *core, struct node *dir)
{
	_cleanup_(freep) char *path = NULL;
	struct timespec btime;
	struct stat st;

	if (!dirs_show_own_times(core, dir))
		return;
	path = node_path(core, dir);
	if (!path || store_stat(core->store, path, &st, &btime) < 0)
		return;
	node_lock(core, dir);
	dir->held_ctime = st.st_ctim;
	node_unlock(core, dir);
}

static int put_shown_times(struct core *core, struct node *dir, const char *path)
{
	struct store_change change = {.fields = RECORD_MTIME | RECORD_ATIME};

	node_lock(core, dir);
	change.mtime = (struct timespec){dir->mtime_sec, dir->mtime_nsec};
	change.atime = (struct timespec){dir->atime_sec, dir->atime_nsec};
	node_unlock(core, dir);
	return store_change_meta(core->store, path, &change);
}

int dirs_mark_changed(struct core *core, struct node *dir)
{
	_cleanup_(freep) char *path = NULL, *origin = NULL;
	struct kept_record kept = {0};
	int r;

	if (dirs_show_own_times(core, dir))
		return 0;
	path = node_path(core, dir);
	origin = node_origin(core, dir);
	r = path && origin ? keep_record(core, dir, &kept) : -ENOMEM;
	/* On disk they are those of the last hydration in it. */
	if (r == 0)
		r = put_shown_times(core, dir, path);
	if (r == 0) {
		kept.rec.flags |= RECORD_FLAG_DIRTY;
		kept.rec.fields |= RECORD_FLAGS;
		kept.rec.fields &= ~(uint32_t)(RECORD_MTIME | RECORD_ATIME | RECORD_CTIME);
		r = store_set_record(core->store, path, origin, &kept.rec);
	}
	if (r == 0) {
		node_lock(core, dir);
		r = node_set_record(dir, &kept.rec);
		dir->flags |= NODE_DIRTY;
		node_unlock(core, dir);
	}
	free(kept.data);
	return r;
}
