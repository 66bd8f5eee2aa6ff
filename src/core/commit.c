/* SPDX-License-Identifier: MIT */
/* The content is complete: directories that lead to it appear on disk, then the file under its name. */

#include <errno.h>
#include <string.h>

#include "core/hydration.h"
#include "core/internal.h"
#include "util/log.h"

/* A copy of a node's record that outlives the node's lock. */
struct kept_record {
	uint8_t *data;
	struct record rec;
};

static int keep_record(struct core *core, struct node *node, struct kept_record *ret)
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

/* The directories above @node that are not on disk yet, nearest first. */
static size_t missing_dirs(struct core *core, struct node *node, struct node **dirs)
{
	size_t n = 0;

	for (struct node *dir = node->parent; dir; dir = dir->parent) {
		bool on_disk;

		node_lock(core, dir);
		on_disk = node_on_disk(dir);
		node_unlock(core, dir);
		if (on_disk)
			break;
		dirs[n++] = dir;
	}
	return n;
}

static int make_dirs(struct core *core, struct node **missing, size_t n)
{
	struct store_dir *dirs = calloc(n, sizeof(*dirs));
	struct kept_record *records = calloc(n, sizeof(*records));
	int r = dirs && records ? 0 : -ENOMEM;

	/* Top-down, while @missing begins at the bottom. */
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node *dir = missing[n - 1 - i];

		dirs[i].path = node_path(core, dir);
		dirs[i].rec = &records[i].rec;
		r = dirs[i].path ? keep_record(core, dir, &records[i]) : -ENOMEM;
	}
	if (r == 0)
		r = store_make_dirs(core->store, dirs, n);
	for (size_t i = 0; i < n; i++) {
		if (r == 0) {
			node_lock(core, missing[i]);
			if (missing[i]->state == NODE_PLACEHOLDER)
				missing[i]->state = NODE_DIRECTORY;
			node_unlock(core, missing[i]);
		}
		if (dirs)
			free((char *)dirs[i].path);
		if (records)
			free(records[i].data);
	}
	free(dirs);
	free(records);
	return r;
}

static int make_parents(struct core *core, struct node *node)
{
	struct node *missing[64], **dirs = missing;
	size_t n;
	int r = 0;

	/* Few trees are deeper than the array on the stack. */
	n = 0;
	for (struct node *dir = node->parent; dir; dir = dir->parent)
		n++;
	if (n > ARRAY_SIZE(missing)) {
		dirs = calloc(n, sizeof(*dirs));
		if (!dirs)
			return -ENOMEM;
	}
	n = missing_dirs(core, node, dirs);
	if (n)
		r = make_dirs(core, dirs, n);
	if (dirs != missing)
		free(dirs);
	return r;
}

static int commit_file(struct core *core, const char *path, struct hydration *h,
		       const struct record *rec)
{
	return h->stage ? store_stage_commit(core->store, h->stage, path, rec, NULL)
			: store_partial_commit(core->store, h->partial, path, rec, NULL);
}

static int give_name(struct core *core, struct node *node, struct hydration *h, const char *path)
{
	struct kept_record kept = {0};
	int r = keep_record(core, node, &kept);

	if (r == 0) {
		kept.rec.size = h->size;
		kept.rec.fields |= RECORD_SIZE;
		/* An owner that this instance may not give is not ours to keep either. */
		if (!core->config.may_chown)
			kept.rec.fields &= ~(uint32_t)RECORD_OWNER;
		r = commit_file(core, path, h, &kept.rec);
		/* Something cached lies there (a marker): it gives way. What is the user's does not. */
		if (r == -EEXIST && store_discard(core->store, path) == 0)
			r = commit_file(core, path, h, &kept.rec);
	}
	free(kept.data);
	return r;
}

/* Is @node the one of its name, and @h the content of it?  Then nobody changes that until end_commit(). */
static bool begin_commit(struct core *core, struct node *node, struct hydration *h)
{
	bool current;

	node_lock(core, node);
	current = node->state == NODE_PLACEHOLDER && node->hydration == h;
	if (current)
		node->flags |= NODE_COMMITTING;
	node_unlock(core, node);
	return current;
}

static void end_commit(struct core *core, struct node *node, struct hydration *h, int error)
{
	node_lock(core, node);
	node->hydration = NULL;
	node->flags &= (uint16_t)~NODE_COMMITTING;
	if (error == 0) {
		node->state = NODE_HYDRATED;
		node->size = h->size;
		node->n_restarts = 0;
		node->flags &= (uint16_t) ~(NODE_SIZE_UNKNOWN | NODE_SERVED);
		content_attach(core, node, h->content);
	}
	node_unlock(core, node);
	hydration_unref(core, h);
}

/* Has a directory above left the view?  Then there is no name that the content could get. */
static bool is_cut_off(struct core *core, struct node *node)
{
	bool gone = false;

	for (struct node *dir = node->parent; dir && !gone; dir = dir->parent) {
		node_lock(core, dir);
		gone = dir->state == NODE_GONE;
		node_unlock(core, dir);
	}
	return gone;
}

int hydration_commit(struct core *core, struct node *node, struct hydration *h)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	if (is_cut_off(core, node))
		node_retire(core, node);
	if (!begin_commit(core, node, h))
		return 0; /* outdated: readers of the old version have its bytes, the name is not its own */
	path = node_path(core, node);
	r = path ? make_parents(core, node) : -ENOMEM;
	if (r == 0)
		r = give_name(core, node, h, path);
	end_commit(core, node, h, r);
	if (r == 0) {
		COUNT(core, hydrations);
		disk_note_change(core);
	} else {
		COUNT(core, hydrations_failed);
		log_error("storing the content of \"%s\" failed (%s): it stays un-hydrated",
			  path ? path : node->name, strerror(-r));
	}
	return r;
}
