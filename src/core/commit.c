/* SPDX-License-Identifier: MIT */
/* The content is complete: directories that lead to it appear on disk, then the file under its name. */

#include <errno.h>
#include <string.h>

#include "core/hydration.h"
#include "core/internal.h"
#include "util/log.h"

static int commit_file(struct core *core, const struct store_place *place, struct hydration *h,
		       const struct record *rec)
{
	return h->stage ? store_stage_commit(core->store, h->stage, place, rec, NULL)
			: store_partial_commit(core->store, h->partial, place, rec, NULL);
}

static int give_name(struct core *core, struct node *node, struct hydration *h, const char *path)
{
	_cleanup_(freep) char *origin = node_origin(core, node);
	struct store_place place = {
		.path = path,
		.origin = origin,
		.keep_dir_times = dirs_show_own_times(core, node->parent),
	};
	struct kept_record kept = {0};
	int r = origin ? keep_record(core, node, &kept) : -ENOMEM;

	dirs_hold_times(core, node->parent);
	if (r == 0) {
		kept.rec.size = h->size;
		kept.rec.fields |= RECORD_SIZE;
		/* An owner that this instance may not give is not ours to keep either. */
		if (!core->config.may_chown)
			kept.rec.fields &= ~(uint32_t)RECORD_OWNER;
		r = commit_file(core, &place, h, &kept.rec);
		/* Something cached lies there: it gives way. What is the user's does not. */
		if (r == -EEXIST && store_discard(core->store, path) == 0)
			r = commit_file(core, &place, h, &kept.rec);
	}
	dirs_held_times(core, node->parent);
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
		bool unlinked = node->flags & NODE_UNLINKED;

		node->state = unlinked ? NODE_LOCAL : NODE_HYDRATED;
		node->size = h->size;
		node->n_restarts = 0;
		node->flags &= (uint16_t) ~(NODE_SIZE_UNKNOWN | NODE_SERVED);
		content_attach(core, node, h->content, unlinked);
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

/* Give an unnamed file what a named one gets from its record. */
static int dress(struct core *core, struct node *node, int fd)
{
	struct store_change change = {.fields = RECORD_MODE | RECORD_MTIME};

	node_lock(core, node);
	change.mode = node->mode & 07777;
	change.uid = node->uid;
	change.gid = node->gid;
	change.mtime = (struct timespec){node->mtime_sec, node->mtime_nsec};
	node_unlock(core, node);
	if (core->config.may_chown)
		change.fields |= RECORD_OWNER;
	return store_change_fd(fd, &change);
}

/* Removed while its content was on the way: who has it open keeps it, without a name. */
static int commit_unlinked(struct core *core, struct node *node, struct hydration *h)
{
	int r;

	if (!begin_commit(core, node, h))
		return 0;
	r = staging_open(core, node, h);
	if (r == 0)
		r = dress(core, node, content_fd(h->content));
	if (r == 0 && h->partial)
		store_partial_drop(core->store, node->ino);
	end_commit(core, node, h, r);
	return r;
}

static int commit_named(struct core *core, struct node *node, struct hydration *h)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	if (is_cut_off(core, node))
		node_retire(core, node);
	if (!begin_commit(core, node, h))
		return 0; /* outdated: readers of the old version have its bytes, the name is not its own */
	path = node_path(core, node);
	r = path ? dirs_make(core, node->parent) : -ENOMEM;
	if (r == 0)
		r = staging_open(core, node, h); /* an empty file: nothing has been delivered */
	if (r == 0)
		r = give_name(core, node, h, path);
	end_commit(core, node, h, r);
	if (r == 0) {
		COUNT(core, hydrations);
		disk_note_change(core);
		listing_note(core, node->parent, node->name, LISTING_LOCAL);
	} else {
		COUNT(core, hydrations_failed);
		log_error("storing the content of \"%s\" failed (%s): it stays un-hydrated",
			  path ? path : node->name, strerror(-r));
	}
	return r;
}

int hydration_commit(struct core *core, struct node *node, struct hydration *h)
{
	bool unlinked;
	int r;

	tree_read(core);
	node_lock(core, node);
	unlinked = node->flags & NODE_UNLINKED;
	node_unlock(core, node);
	r = unlinked ? commit_unlinked(core, node, h) : commit_named(core, node, h);
	tree_unlock(core);
	return r;
}
