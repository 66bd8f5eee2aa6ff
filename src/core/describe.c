/* SPDX-License-Identifier: MIT */
/* What the provider says of an item, taken in: the first description, a newer one, or that it has none (any more). */

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "util/clock.h"

/* For a provider without ContentIDs: go by what can be seen, and was given by it. */
static bool looks_same(const struct node *node, const struct record *old, const struct record *rec)
{
	if ((rec->fields & RECORD_SIZE) && node->size != rec->size && !S_ISDIR(node->mode))
		return false;
	if ((rec->fields & RECORD_TARGET) && !record_bytes_equal(old->target, rec->target))
		return false;
	return !(rec->fields & RECORD_MTIME) ||
	       (node->mtime_sec == rec->mtime.sec && node->mtime_nsec == rec->mtime.nsec);
}

static bool same_version(const struct node *node, const struct record *rec)
{
	struct record old;

	if (!node_get_record(node, &old))
		return false;
	if (!record_bytes_equal(old.content_id, rec->content_id))
		return false;
	return rec->content_id.size || looks_same(node, &old, rec);
}

static bool same_type(const struct node *node, const struct record *rec)
{
	switch (rec->kind) {
	case RECORD_DIRECTORY:
		return S_ISDIR(node->mode);
	case RECORD_SYMLINK:
		return S_ISLNK(node->mode);
	default:
		return S_ISREG(node->mode);
	}
}

static void confirm(struct node *node)
{
	node->checked_ms = clock_now_ms();
	node->flags &= (uint16_t) ~(NODE_REVALIDATE | NODE_ASK_AGAIN);
}

/* The caller holds node_lock(). */
static int adopt_description(struct core *core, struct node *node, const struct record *rec)
{
	int r = node_set_record(node, rec);

	if (r < 0)
		return r;
	node_apply_record(core, node, rec);
	node->state = NODE_PLACEHOLDER;
	confirm(node);
	return 0;
}

/* The path on disk of something that was cached there, out of the way. -EBUSY: something is the user's. */
static int discard_copy(struct core *core, struct node *node)
{
	_cleanup_(freep) char *path = node_path(core, node);
	int r;

	if (!path)
		return -ENOMEM;
	r = store_discard(core->store, path);
	if (r == 0)
		COUNT(core, refreshed);
	return r == -ENOENT ? 0 : r;
}

/* An item from an earlier instance, and what the provider says now: an update without flags. */
static int revalidate(struct core *core, struct node *node, const struct record *rec)
{
	bool same, type;
	int r;

	COUNT(core, revalidated);
	node_lock(core, node);
	type = same_type(node, rec);
	same = type && same_version(node, rec);
	if (same || (node->flags & (NODE_DIRTY | NODE_ADOPTED | NODE_RENAMED))) {
		confirm(node);
		node_unlock(core, node);
		return 0;
	}
	if (type && node->state == NODE_DIRECTORY) {
		_cleanup_(freep) char *path = NULL;

		r = node_set_record(node, rec);
		if (r == 0)
			node_apply_record(core, node, rec);
		confirm(node);
		node_unlock(core, node);
		path = node_path(core, node);
		return r < 0 ? r : path ? store_update_dir(core->store, path, rec) : -ENOMEM;
	}
	node_unlock(core, node);

	r = discard_copy(core, node);
	if (r < 0 && r != -EBUSY)
		return r;
	if (r == 0 && !type)
		return -ESTALE;
	node_lock(core, node);
	if (r == 0)
		r = adopt_description(core, node, rec);
	else
		confirm(node); /* local items below: they win */
	node_unlock(core, node);
	return r == -EBUSY ? 0 : r;
}

/* The provider's word, and which item of that name it is about. */
static int complete_description(struct core *core, struct node *node, struct record *rec)
{
	_cleanup_(freep) char *origin = NULL;

	if (!store_has_generations(core->store))
		return 0;
	origin = node_origin(core, node);
	if (!origin)
		return -ENOMEM;
	rec->generation = store_generation(core->store, origin);
	if (rec->generation)
		rec->fields |= RECORD_GENERATION;
	return 0;
}

/*
 * The version that a renamed or dirty placeholder is of is gone.  What the user did to it stays, its content will be
 * that of the version there is now.  The tree is held exclusively.
 */
static int renew_placeholder(struct core *core, struct node *node, const struct record *rec)
{
	const uint32_t users = RECORD_MODE | RECORD_OWNER | RECORD_MTIME | RECORD_ATIME |
			       RECORD_CTIME | RECORD_XATTRS;
	struct kept_record kept = {0};
	struct record merged = *rec;
	int r = keep_record(core, node, &kept);

	if (r < 0)
		return r;
	merged.flags = kept.rec.flags;
	merged.origin = kept.rec.origin;
	merged.generation = kept.rec.generation;
	merged.fields |= kept.rec.fields & (RECORD_FLAGS | RECORD_ORIGIN | RECORD_GENERATION);
	if (kept.rec.flags & RECORD_FLAG_DIRTY) {
		merged.fields = (merged.fields & ~users) | (kept.rec.fields & users);
		merged.mode = kept.rec.mode;
		merged.uid = kept.rec.uid;
		merged.gid = kept.rec.gid;
		merged.mtime = kept.rec.mtime;
		merged.atime = kept.rec.atime;
		merged.ctime = kept.rec.ctime;
		merged.xattrs = kept.rec.xattrs;
	}
	r = renew_marker(core, node, &merged);
	free(kept.data);
	return r;
}

/* Is it one whose version the provider has said is gone? The caller holds node_lock(). */
static bool wants_renewal(const struct node *node)
{
	return node->state == NODE_PLACEHOLDER && (node->flags & NODE_ASK_AGAIN) &&
	       (node->flags & (NODE_DIRTY | NODE_RENAMED)) &&
	       !(node->flags & (NODE_COMMITTING | NODE_SERVED | NODE_UNLINKED));
}

static int describe(struct core *core, struct node *node, const struct record *rec)
{
	struct hydration *outdated = NULL;
	bool replace = false, fresh_attr = false;
	uint64_t size;
	uint32_t mode;
	int64_t mtime;
	int r = 0;

	node_lock(core, node);
	if (wants_renewal(node) && same_type(node, rec)) {
		node_unlock(core, node);
		return renew_placeholder(core, node, rec);
	}
	switch (node->state) {
	case NODE_UNKNOWN:
		r = adopt_description(core, node, rec);
		break;
	case NODE_VIRTUAL:
	case NODE_PLACEHOLDER:
		if (node->flags & (NODE_COMMITTING | NODE_DIRTY | NODE_RENAMED)) {
			confirm(node); /* as good as hydrated, or a user's change that stays */
		} else if (!same_type(node, rec)) {
			replace = true;
		} else if (node->state == NODE_PLACEHOLDER && same_version(node, rec)) {
			confirm(node);
		} else if (node->flags & NODE_SERVED) {
			replace = true;
		} else {
			if (S_ISREG(node->mode))
				outdated = hydration_detach(node);
			size = node->size;
			mode = node->mode;
			mtime = node->mtime_sec;
			r = adopt_description(core, node, rec);
			/*
			 * Of a file that became shorter the kernel learns by a read that ends early, and
			 * believes that only while its attributes have not been invalidated since the read
			 * began: else it would fill up with zeros to the old size.
			 */
			if (S_ISREG(mode) && node->size < size)
				node->flags |= NODE_SHRUNK;
			else
				fresh_attr = size != node->size || mode != node->mode ||
					     mtime != node->mtime_sec;
		}
		break;
	case NODE_HYDRATED:
	case NODE_DIRECTORY:
		if (node->flags & NODE_REVALIDATE) {
			node_unlock(core, node);
			r = revalidate(core, node, rec);
			replace = r == -ESTALE;
			node_lock(core, node);
		}
		break;
	case NODE_LOCAL:
	case NODE_GONE:
		break;
	}
	node_unlock(core, node);
	if (outdated)
		hydration_drop(core, outdated, 0);
	if (fresh_attr)
		core->kernel->inval_node(core->kernel_context, node->id, false);
	if (replace) {
		node_retire(core, node);
		core->kernel->expire_entry(core->kernel_context, node->parent->id, node->name);
		return -ESTALE;
	}
	return r;
}

int node_describe(struct core *core, struct node *node, const struct record *rec)
{
	struct record whole = *rec;
	int r = complete_description(core, node, &whole);

	return r < 0 ? r : describe(core, node, &whole);
}

/* The old node is somebody's open file; the name gets a new one. */
int node_describe_replacement(struct core *core, struct node *old, const struct record *rec)
{
	bool is_new;
	struct node *node = node_find_or_new(core, old->parent, old->name, &is_new);
	int r;

	if (!node)
		return -ENOMEM;
	node_lock(core, node);
	if (is_new)
		node->ino = old->ino;
	node_unlock(core, node);
	r = node_describe(core, node, rec);
	/* Nobody else holds it yet: the waiters find it when they run again, which is before this returns
	 * only if it outlives us. */
	if (is_new)
		core_keep(core, node);
	node_unref(core, node);
	return r == -ESTALE ? 0 : r;
}

/* The provider does not have it (any more). */
int node_vanished(struct core *core, struct node *node)
{
	bool on_disk, adopted, keep, is_told;

	node_lock(core, node);
	/* Else this is the first question about it, whose answer the kernel may keep. */
	is_told = node->state != NODE_UNKNOWN;
	on_disk = node->state == NODE_HYDRATED || node->state == NODE_DIRECTORY;
	adopted = node->flags & NODE_ADOPTED;
	/* It came to be on disk while the provider was asked, and what is on disk wins. */
	keep = node->state == NODE_LOCAL || (node->flags & NODE_COMMITTING) ||
	       (node->state == NODE_PLACEHOLDER && (node->flags & (NODE_DIRTY | NODE_RENAMED))) ||
	       (on_disk && !(node->flags & NODE_REVALIDATE));
	node_unlock(core, node);
	if (keep)
		return 0;
	if (on_disk) {
		int r = adopted ? -EBUSY : discard_copy(core, node);

		if (r < 0) {
			node_lock(core, node);
			confirm(node);
			node_unlock(core, node);
			return r == -EBUSY ? 0 : r;
		}
	}
	node_retire(core, node);
	if (is_told)
		core->kernel->expire_entry(core->kernel_context, node->parent->id, node->name);
	return -ENOENT;
}

/* A copy from an earlier instance may have to be taken away, which needs the tree for itself. */
void lock_to_describe(struct core *core, struct node *node)
{
	bool cached;

	node_lock(core, node);
	cached = ((node->state == NODE_HYDRATED || node->state == NODE_DIRECTORY) &&
		  (node->flags & NODE_REVALIDATE)) || wants_renewal(node);
	node_unlock(core, node);
	if (cached)
		tree_write(core);
	else
		tree_read(core);
}
