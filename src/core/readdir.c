/* SPDX-License-Identifier: MIT */
/*
 * Directory reads.  An offset is an index into a listing, two off for "." and "..", so it stays
 * good for as long as the directory is open (live view) or known (stable view).
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "core/listing.h"

struct dir_handle {
	struct list link;        /* protected by core->dir_handles_lock */
	struct listing *listing; /* protected by the node's lock */
	bool delivered;          /* likewise: a read from offset 0 is a rewind, which loads anew */
	struct handle *open;     /* NULL: nobody wants to hear of opens; constant */
};

static struct dir_handle *dir_handle_new(struct core *core, struct core_req *req, struct node *node)
{
	struct dir_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	if (core->notices.tracks_opens) {
		h->open = handle_new(core, req, node, O_RDONLY);
		if (!h->open) {
			free(h);
			return NULL;
		}
	}
	pthread_mutex_lock(&core->dir_handles_lock);
	list_append(&core->dir_handles, &h->link);
	pthread_mutex_unlock(&core->dir_handles_lock);
	return h;
}

int op_opendir(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	struct dir_handle *h;
	int r = 0;

	if (!node)
		return -ESTALE;
	if (!node_is_dir(node))
		r = -ENOTDIR;
	h = r == 0 ? dir_handle_new(core, req, node) : NULL;
	if (r == 0 && !h)
		r = -ENOMEM;
	if (r == 0) {
		req->ret.open.handle = (uint64_t)(uintptr_t)h;
		req->ret.open.keep_cache = core->config.stable_view;
		if (h->open)
			notice_tell(core, req, &(struct notice_about){.event = CORE_EVENT_OPENED,
								      .node = node,
								      .handle = h->open});
	}
	node_unref(core, node);
	return r;
}

void core_releasedir(struct core *core, uint64_t node_id, uint64_t handle)
{
	struct dir_handle *h = (struct dir_handle *)(uintptr_t)handle;
	struct handle *open;

	(void)node_id;
	if (!h)
		return;
	open = h->open;
	dir_handle_free(core, handle);
	if (open)
		notice_closed(core, open);
}

void dir_handle_free(struct core *core, uint64_t handle)
{
	struct dir_handle *h = (struct dir_handle *)(uintptr_t)handle;

	pthread_mutex_lock(&core->dir_handles_lock);
	list_remove(&h->link);
	pthread_mutex_unlock(&core->dir_handles_lock);
	listing_unref(core, h->listing);
	free(h);
}

void dir_handles_free(struct core *core)
{
	list_for_each_safe (pos, tmp, &core->dir_handles) {
		struct dir_handle *h = list_entry(pos, struct dir_handle, link);

		listing_unref(core, h->listing);
		free(h);
	}
}

/*
 * The node of an entry that is on disk, or whose attributes are wanted, referenced, or NULL.  *@ret_read: it was made
 * from what is on disk just now.
 */
static struct node *entry_node(struct core *core, struct node *dir, const struct listing_entry *e,
			       bool *ret_read)
{
	struct node *node, *known = node_find(core, dir, e->name);

	*ret_read = false;
	/* A listing of one open directory does not hear what users have changed since. */
	if (!known && (e->local || !core->config.stable_view)) {
		int r = resolve_local(core, dir, e->name, &known);

		*ret_read = known;
		if (!known && (e->local || r == -ENOENT))
			return NULL;
	}
	if (e->local)
		return known;
	node = listing_make_node(core, dir, e);
	node_unref(core, known);
	return node;
}

/* Can its attributes be handed out with the listing? */
static bool has_good_attributes(struct core *core, struct node *node, bool is_read)
{
	bool good;

	if (!is_read && node_refresh(core, node) < 0)
		return false;
	node_lock(core, node);
	good = node_is_fresh(core, node) && node->state != NODE_GONE &&
	       !(node->flags & NODE_SIZE_UNKNOWN);
	node_unlock(core, node);
	return good;
}

static uint32_t type_of_kind(uint8_t kind)
{
	return kind == RECORD_DIRECTORY ? DT_DIR : kind == RECORD_SYMLINK ? DT_LNK : DT_REG;
}

struct emitter {
	struct core *core;
	struct core_req *req;
	struct node *dir;
	char *origin; /* of the directory */
};

static uint64_t child_identity(struct emitter *em, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", em->origin, *em->origin ? "/" : "",
			     name) >= sizeof(path))
		return 1;
	return projected_identity(em->core, path);
}

/* false: the emitter is full. */
static bool emit_entry(struct emitter *em, const struct listing_entry *e, uint64_t next_offset)
{
	struct core_dirent dirent = {
		.name = e->name,
		.name_length = strlen(e->name),
		.next_offset = next_offset,
		.type = type_of_kind(e->kind),
	};
	struct core_entry entry;
	struct node *node = NULL;
	bool has_attributes, is_read, taken;

	if (em->req->op.plus || e->local)
		node = entry_node(em->core, em->dir, e, &is_read);
	if (node) {
		has_attributes = em->req->op.plus &&
				 has_good_attributes(em->core, node, is_read);
		node_lock(em->core, node);
		node_entry(em->core, node, &entry);
		node_unlock(em->core, node);
		dirent.type = (entry.attr.mode & S_IFMT) >> 12;
		dirent.ino = entry.attr.ino;
		dirent.entry = has_attributes ? &entry : NULL;
	} else {
		dirent.ino = child_identity(em, e->name);
		if (e->local)
			dirent.type = DT_UNKNOWN;
	}
	taken = em->req->emit(em->req, &dirent);
	if (taken && dirent.entry)
		node_count_lookup(em->core, node);
	if (node)
		node_unref(em->core, node);
	return taken;
}

static bool emit_dots(struct emitter *em, uint64_t *offset)
{
	const struct node *up = em->dir->parent ? em->dir->parent : em->dir;
	struct core_dirent dot = {
		.name = ".", .name_length = 1, .next_offset = 1, .ino = em->dir->ino, .type = DT_DIR};
	struct core_dirent dotdot = {
		.name = "..", .name_length = 2, .next_offset = 2, .ino = up->ino, .type = DT_DIR};

	if (*offset == 0) {
		if (!em->req->emit(em->req, &dot))
			return false;
		*offset = 1;
	}
	if (*offset == 1) {
		if (!em->req->emit(em->req, &dotdot))
			return false;
		*offset = 2;
	}
	return true;
}

static int emit_from(struct core *core, struct core_req *req, struct node *dir, struct listing *l)
{
	struct emitter em = {.core = core, .req = req, .dir = dir, .origin = node_origin(core, dir)};
	uint64_t offset = req->op.offset;
	struct listing_entry entry;

	if (!em.origin)
		return -ENOMEM;
	if (emit_dots(&em, &offset)) {
		for (uint64_t i = offset - 2; listing_get(l, i, &entry); i++)
			if (!entry.removed && !emit_entry(&em, &entry, i + 3))
				break;
	}
	free(em.origin);
	return 0;
}

/* Which listing this request reads: that of the node in a stable view, else that of the open directory. */
static struct listing **slot_of(struct core *core, struct core_req *req, struct node *dir)
{
	struct dir_handle *h = (struct dir_handle *)(uintptr_t)req->op.handle;
	struct listing *old = NULL;

	if (core->config.stable_view || !h)
		return &dir->listing;
	node_lock(core, dir);
	if (req->op.offset == 0 && h->delivered && !req->op.listed) {
		old = steal_ptr(&h->listing);
		h->delivered = false;
	}
	req->op.listed = true;
	node_unlock(core, dir);
	listing_unref(core, old);
	return &h->listing;
}

int op_readdir(struct core *core, struct core_req *req)
{
	struct dir_handle *h = (struct dir_handle *)(uintptr_t)req->op.handle;
	struct node *dir = node_get(core, req->op.node_id);
	struct listing *l = NULL;
	int r;

	if (!dir)
		return -ESTALE;
	if (!node_is_dir(dir))
		r = -ENOTDIR;
	else
		r = listing_load(core, req, dir, slot_of(core, req, dir), &l);
	if (r == 0) {
		r = emit_from(core, req, dir, l);
		node_lock(core, dir);
		if (h)
			h->delivered = true;
		node_unlock(core, dir);
		listing_unref(core, l);
	}
	node_unref(core, dir);
	return r;
}
