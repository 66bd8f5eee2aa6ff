/* SPDX-License-Identifier: MIT */
/* Names that go away, and what becomes of those who still use what had them. */

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"

int dir_must_be_empty(struct core *core, struct core_req *req, struct node *dir)
{
	struct listing **slot = core->config.stable_view ? &dir->listing : &req->op.args->listing;
	struct listing *l;
	bool projected;
	int r;

	node_lock(core, dir);
	projected = node_is_projected(dir) && dir->state != NODE_GONE;
	node_unlock(core, dir);
	if (!projected)
		return 0; /* what is on disk is all, and the store looks at that */
	r = listing_load(core, req, dir, slot, &l);
	if (r != 0)
		return r;
	r = listing_is_empty(l) ? 0 : -ENOTEMPTY;
	listing_unref(core, l);
	return r;
}

/* Does it have content on disk that must outlive this name? */
static bool has_content(struct core *core, struct node *node)
{
	bool yes;

	node_lock(core, node);
	yes = S_ISREG(node->mode) &&
	      (node->state == NODE_LOCAL || node->state == NODE_HYDRATED);
	node_unlock(core, node);
	return yes;
}

static bool has_other_names(struct core *core, const struct node *node)
{
	bool yes;

	pthread_mutex_lock(&core->table.lock);
	yes = node->aliases;
	pthread_mutex_unlock(&core->table.lock);
	return yes;
}

int keep_content(struct core *core, struct node *node, struct kept_content *ret)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	*ret = (struct kept_content){0};
	if (!has_content(core, node) || has_other_names(core, node))
		return 0;
	r = content_pin(core, node);
	if (r != -EMFILE)
		return r;
	/* More of them are in use than descriptors may be open. */
	path = node_path(core, node);
	return path ? store_keep(core->store, path, ret->hidden) : -ENOMEM;
}

void keep_undo(struct core *core, struct node *node, const struct kept_content *kept)
{
	struct content *content;

	if (*kept->hidden)
		store_drop_hidden(core->store, kept->hidden);
	else if (has_content(core, node) && content_of_node(core, node, false, &content) == 0) {
		content_attach(core, node, content, false);
		content_unref(content);
	}
}

/* From now on its content is found under a name of ours. */
static void use_hidden_name(struct core *core, struct node *node, const char *hidden)
{
	char *name = strdup(hidden);

	/* Without memory it stays there until the next start, and whoever reads on gets ESTALE. */
	if (!name)
		return;
	content_detach(core, node);
	pthread_mutex_lock(&core->table.lock);
	free(node->name);
	node->name = name;
	pthread_mutex_unlock(&core->table.lock);
	node_lock(core, node);
	node->flags |= NODE_HIDDEN;
	node_unlock(core, node);
}

void lost_name(struct core *core, struct node *node, const struct node *parent, const char *name,
	       const struct kept_content *kept)
{
	struct listing *listing = NULL;

	node_drop_name(core, node, parent, name);
	node_lock(core, node);
	node->flags &= (uint16_t) ~(NODE_BASE_ABSENT | NODE_CONVERTED);
	if (!node->hashed) {
		node->flags |= NODE_UNLINKED;
		if (node->state == NODE_HYDRATED)
			node->state = NODE_LOCAL;
		else if (!S_ISREG(node->mode))
			node->state = NODE_GONE;
	}
	if (node->state == NODE_GONE && S_ISDIR(node->mode))
		listing = steal_ptr(&node->listing);
	node_unlock(core, node);
	listing_unref(core, listing);
	if (*kept->hidden)
		use_hidden_name(core, node, kept->hidden);
}

static int take_away(struct core *core, struct node *node, struct node *parent, const char *name,
		     bool tombstone)
{
	_cleanup_(freep) char *path = node_child_path(core, parent, name);
	struct kept_content kept;
	int r;

	if (!path)
		return -ENOMEM;
	r = keep_content(core, node, &kept);
	if (r < 0)
		return r;
	r = store_remove(core->store, path, tombstone);
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		keep_undo(core, node, &kept);
	else
		lost_name(core, node, parent, name, &kept);
	return r;
}

static int take_dir_away(struct core *core, struct node *node, struct node *parent,
			 const char *name, bool tombstone)
{
	_cleanup_(freep) char *path = node_child_path(core, parent, name);
	bool on_disk;
	int r;

	if (!path)
		return -ENOMEM;
	node_lock(core, node);
	on_disk = node_on_disk(node);
	node_unlock(core, node);
	r = on_disk ? store_remove_dir(core->store, path, tombstone)
		    : store_remove(core->store, path, tombstone);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		lost_name(core, node, parent, name, &(struct kept_content){0});
	return r;
}

static int remove_child(struct core *core, struct core_req *req, struct node *parent,
			struct node *node, bool dir)
{
	_cleanup_(freep) char *path = node_child_path(core, parent, req->op.name);
	struct notice_about about = {.event = CORE_EVENT_PRE_DELETE, .node = node, .path = path};
	const char *name = req->op.name;
	bool tombstone;
	int r;

	if (!path)
		return -ENOMEM;
	if (dir && !node_is_dir(node))
		return -ENOTDIR;
	if (!dir && node_is_dir(node))
		return -EISDIR;
	r = dir ? dir_must_be_empty(core, req, node) : 0;
	if (r == 0)
		r = notice_ask(core, req, &about);
	if (r == 0)
		r = base_exists(core, req, parent, name, node, &tombstone);
	if (r == 0)
		r = dirs_ready(core, req, parent);
	if (r == 0)
		r = dirs_mark_changed(core, parent);
	if (r != 0)
		return r;
	r = dir ? take_dir_away(core, node, parent, name, tombstone)
		: take_away(core, node, parent, name, tombstone);
	if (r == 0) {
		listing_note(core, parent, name, LISTING_REMOVED);
		about.event = CORE_EVENT_CLOSED_DELETED;
		about.is_modified = opened_is_changed(core, node);
		notice_tell(core, req, &about);
	}
	return r;
}

static int remove_name(struct core *core, struct core_req *req, bool dir)
{
	struct node *parent = node_get(core, req->op.node_id), *node = NULL;
	int r;

	if (!parent)
		return -ESTALE;
	r = resolve_known(core, parent, req->op.name, &node);
	if (r == 0)
		r = remove_child(core, req, parent, node, dir);
	node_unref(core, node);
	node_unref(core, parent);
	return r;
}

int op_unlink(struct core *core, struct core_req *req)
{
	return remove_name(core, req, false);
}

int op_rmdir(struct core *core, struct core_req *req)
{
	return remove_name(core, req, true);
}
