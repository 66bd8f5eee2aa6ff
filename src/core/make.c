/* SPDX-License-Identifier: MIT */
/* New names.  The kernel has looked them up just before, with the directory locked: nobody asks the provider again. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/change.h"
#include "core/internal.h"
#include "util/name.h"

int check_new_name(const struct node *dir, const char *name)
{
	if (!name_is_valid(name, strlen(name)))
		return strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : -EINVAL;
	if (!dir->parent && !strcmp(name, STORE_PRIVATE))
		return -EPERM;
	return 0;
}

/* Where something new will be. */
struct new_place {
	struct node *dir; /* referenced */
	const char *name;
	char *path;
	bool was_tombstone;
};

static void new_place_deinit(struct core *core, struct new_place *place)
{
	node_unref(core, place->dir);
	free(place->path);
}

static bool is_taken(struct core *core, struct node *dir, const char *name)
{
	struct node *node = node_find(core, dir, name);
	bool taken;

	if (!node)
		return false;
	node_lock(core, node);
	taken = node->state != NODE_UNKNOWN && node->state != NODE_GONE;
	node_unlock(core, node);
	node_unref(core, node);
	return taken;
}

/* Everything that must be true before something can be made: 0, CORE_PENDING, or a negative errno. */
static int new_place_init(struct core *core, struct core_req *req, uint64_t dir_id,
			  const char *name, struct new_place *ret)
{
	bool projected;
	int r;

	*ret = (struct new_place){.dir = node_get(core, dir_id), .name = name};
	if (!ret->dir)
		return -ESTALE;
	r = check_new_name(ret->dir, name);
	if (r == 0)
		r = dirs_ready(core, req, ret->dir);
	if (r == 0 && is_taken(core, ret->dir, name))
		r = -EEXIST;
	if (r == 0)
		r = dirs_mark_changed(core, ret->dir);
	if (r != 0)
		return r;
	ret->path = node_child_path(core, ret->dir, name);
	if (!ret->path)
		return -ENOMEM;
	node_lock(core, ret->dir);
	projected = node_is_projected(ret->dir);
	node_unlock(core, ret->dir);
	ret->was_tombstone = projected && store_is_tombstone(core->store, ret->path);
	return 0;
}

/* The handle of a file that is made and opened in one. */
static int opened_at_once(struct core *core, struct core_req *req, struct node *node,
			  struct handle **ret)
{
	*ret = NULL;
	if (!core->notices.tracks_opens) {
		req->ret.created.handle = atomic_fetch_add(&core->next_handle, 1);
		return 0;
	}
	*ret = handle_new(core, req, node, req->op.args->flags & ~(uint32_t)O_TRUNC);
	req->ret.created.handle = (uint64_t)(uintptr_t)*ret;
	return *ret ? 0 : -ENOMEM;
}

/* It is on disk; now it is known. @fd: of a file that stays open, else -1. */
static int made(struct core *core, struct core_req *req, const struct new_place *place,
		const struct store_item *item, int fd)
{
	struct notice_about about = {.event = CORE_EVENT_CREATED, .path = place->path};
	struct content *content;
	bool is_new;
	struct node *node = node_find_or_new(core, place->dir, place->name, &is_new);
	int r = 0;

	if (!node)
		return -ENOMEM;
	node_lock(core, node);
	node_init_from_item(core, node, item);
	node_unlock(core, node);
	base_note_made(core, place->dir, node, place->was_tombstone);
	listing_note(core, place->dir, place->name, LISTING_LOCAL);
	if (fd >= 0) {
		content = content_new(fd, true);
		if (content)
			content_attach(core, node, content, false);
		content_unref(content);
		r = opened_at_once(core, req, node, &about.handle);
	}
	if (r == 0) {
		node_lock(core, node);
		node_entry(core, node, &req->ret.entry);
		node_unlock(core, node);
		node_count_lookup(core, node);
		about.node = node;
		notice_tell(core, req, &about);
	}
	node_unref(core, node);
	return r;
}

static struct store_creator creator_of(const struct core_req *req)
{
	return (struct store_creator){
		.uid = req->uid,
		.gid = req->gid,
		.umask = req->op.args->umask,
	};
}

int op_create(struct core *core, struct core_req *req)
{
	struct store_creator as = creator_of(req);
	struct store_item item = {0};
	struct new_place place;
	int fd = -1, r;

	r = new_place_init(core, req, req->op.node_id, req->op.name, &place);
	if (r == 0)
		r = store_create_file(core->store, place.path, req->op.args->mode & 07777, &as, &fd,
				      &item);
	if (r == 0)
		r = made(core, req, &place, &item, fd);
	store_item_deinit(&item);
	new_place_deinit(core, &place);
	return r;
}

int op_mknod(struct core *core, struct core_req *req)
{
	const struct op_args *args = req->op.args;
	struct store_creator as = creator_of(req);
	struct store_item item = {0};
	struct new_place place;
	int r;

	r = new_place_init(core, req, req->op.node_id, req->op.name, &place);
	if (r == 0 && S_ISDIR(args->mode))
		r = store_create_dir(core->store, place.path, args->mode & 07777, &as, &item);
	else if (r == 0)
		r = store_create_node(core->store, place.path, args->mode, args->rdev, &as, &item);
	if (r == 0)
		r = made(core, req, &place, &item, -1);
	store_item_deinit(&item);
	new_place_deinit(core, &place);
	return r;
}

int op_symlink(struct core *core, struct core_req *req)
{
	struct store_creator as = creator_of(req);
	struct store_item item = {0};
	struct new_place place;
	int r;

	r = new_place_init(core, req, req->op.node_id, req->op.name, &place);
	if (r == 0)
		r = store_create_symlink(core->store, place.path, req->op.args->other_name, &as,
					 &item);
	if (r == 0)
		r = made(core, req, &place, &item, -1);
	store_item_deinit(&item);
	new_place_deinit(core, &place);
	return r;
}

/* A file without a name: a node that only the kernel knows. */
static int made_unnamed(struct core *core, struct core_req *req, struct node *dir, int fd,
			const struct stat *st)
{
	struct content *content = content_new(fd, true);
	struct node *node = node_new_apart(core, dir, "");
	struct handle *handle;

	if (!content || !node || opened_at_once(core, req, node, &handle) < 0) {
		content_unref(content);
		node_unref(core, node);
		return -ENOMEM;
	}
	node_lock(core, node);
	node->state = NODE_LOCAL;
	node->flags = NODE_UNLINKED;
	node->ino = st->st_ino;
	node_apply_stat(node, st);
	node_entry(core, node, &req->ret.created.entry);
	node_unlock(core, node);
	content_attach(core, node, content, true);
	content_unref(content);
	node_count_lookup(core, node);
	node_unref(core, node);
	return 0;
}

int op_tmpfile(struct core *core, struct core_req *req)
{
	struct node *dir = node_get(core, req->op.node_id);
	struct store_creator as = creator_of(req);
	_cleanup_(freep) char *path = NULL;
	struct stat st;
	int fd = -1, r;

	if (!dir)
		return -ESTALE;
	r = dirs_ready(core, req, dir);
	if (r == 0) {
		path = node_path(core, dir);
		r = path ? store_create_unnamed(core->store, path, req->op.args->mode & 07777, &as,
						&fd, &st)
			 : -ENOMEM;
	}
	if (r == 0)
		r = made_unnamed(core, req, dir, fd, &st);
	node_unref(core, dir);
	return r;
}

/* ---- hard links ---------------------------------------------------------------------------------- */

/* A projected symbolic link becomes the user's own. */
static int localise_link(struct core *core, struct core_req *req, struct node *node)
{
	_cleanup_(freep) char *path = NULL, *target = NULL;
	struct store_change change;
	struct timespec btime;
	struct record rec;
	struct stat st;
	int r = resolve_fresh(core, req, node);

	if (r == 0)
		r = dirs_ready(core, req, node->parent);
	if (r != 0)
		return r;
	path = node_path(core, node);
	node_lock(core, node);
	change = (struct store_change){
		.uid = node->uid,
		.gid = node->gid,
		.mtime = {node->mtime_sec, node->mtime_nsec},
		.atime = {node->atime_sec, node->atime_nsec},
	};
	if (node_get_record(node, &rec) && (rec.fields & RECORD_TARGET))
		target = strndup((const char *)rec.target.data, rec.target.size);
	node_unlock(core, node);
	if (!path || !target)
		return -ENOMEM;
	r = store_localise_link(core->store, path, target, &change);
	if (r == 0)
		r = store_stat(core->store, path, &st, &btime);
	if (r < 0)
		return r;
	node_lock(core, node);
	node->state = NODE_LOCAL;
	node->ino = st.st_ino; /* there is nowhere to keep another one */
	node->flags &= (uint16_t) ~(NODE_DIRTY | NODE_RENAMED | NODE_REVALIDATE);
	node_drop_record(node);
	node_unlock(core, node);
	listing_note(core, node->parent, node->name, LISTING_LOCAL);
	return node_refresh(core, node);
}

/* A descriptor that leads to what is to be linked. */
static int open_for_link(struct core *core, struct core_req *req, struct node *node)
{
	_cleanup_(freep) char *path = NULL;
	struct content *content;
	bool local;
	int fd, r;

	if (S_ISREG(node->mode)) {
		r = full_ready(core, req, node);
		if (r == 0)
			r = content_of_node(core, node, false, &content);
		if (r != 0)
			return r == CORE_PENDING ? -EINPROGRESS : r;
		fd = fcntl(content_fd(content), F_DUPFD_CLOEXEC, 3);
		r = fd < 0 ? -errno : fd;
		content_unref(content);
		return r;
	}
	node_lock(core, node);
	local = node->state == NODE_LOCAL;
	node_unlock(core, node);
	r = local ? 0 : S_ISLNK(node->mode) ? localise_link(core, req, node) : -ESTALE;
	if (r != 0)
		return r == CORE_PENDING ? -EINPROGRESS : r;
	path = node_path(core, node);
	return path ? store_open_path(core->store, path) : -ENOMEM;
}

/* The file has one more name. */
static int linked(struct core *core, struct core_req *req, struct node *node,
		  const struct new_place *place, const struct store_item *item)
{
	struct content *content;
	bool unnamed;
	int r = node_add_name(core, node, place->dir, place->name);

	if (r < 0)
		return r;
	node_lock(core, node);
	unnamed = node->flags & NODE_UNLINKED;
	/* What was known was about the first name. */
	node->flags &= (uint16_t) ~(NODE_UNLINKED | NODE_BASE_ABSENT | NODE_CONVERTED);
	node_apply_stat(node, &item->st);
	node_unlock(core, node);
	if (unnamed && content_of_node(core, node, true, &content) == 0) {
		content_attach(core, node, content, false);
		content_unref(content);
	}
	node_register_inode(core, node, item->st.st_ino);
	listing_note(core, place->dir, place->name, LISTING_LOCAL);
	node_lock(core, node);
	node_entry(core, node, &req->ret.entry);
	node_unlock(core, node);
	node_count_lookup(core, node);
	return 0;
}

/* Make one more name, when the provider does not object. */
static int link_node(struct core *core, struct core_req *req, struct node *node,
		     const struct notice_about *about, struct new_place *ret_place,
		     struct store_item *ret_item)
{
	int fd, r = notice_ask(core, req, about);

	if (r != 0)
		return r;
	fd = open_for_link(core, req, node);
	if (fd < 0)
		return fd == -EINPROGRESS ? CORE_PENDING : fd;
	r = new_place_init(core, req, req->op.args->other_id, req->op.args->other_name, ret_place);
	if (r == 0)
		r = store_link(core->store, fd, ret_place->path, ret_item);
	(void)close(fd);
	return r == 0 ? linked(core, req, node, ret_place, ret_item) : r;
}

/* The path that it has, and the one that it is to have. */
static int link_paths(struct core *core, const struct core_req *req, struct node *node, char **ret_path,
		      char **ret_destination)
{
	struct node *dir = node_get(core, req->op.args->other_id);

	if (!dir)
		return -ESTALE;
	*ret_path = node_is_unlinked(core, node) ? strdup("") : node_path(core, node);
	*ret_destination = node_child_path(core, dir, req->op.args->other_name);
	node_unref(core, dir);
	return *ret_path && *ret_destination ? 0 : -ENOMEM;
}

int op_link(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	_cleanup_(freep) char *path = NULL, *destination = NULL;
	struct notice_about about = {.event = CORE_EVENT_PRE_LINK, .node = node};
	struct new_place place = {0};
	struct store_item item = {0};
	int r;

	if (!node)
		return -ESTALE;
	r = node_is_dir(node) ? -EPERM : 0;
	if (r == 0)
		r = link_paths(core, req, node, &path, &destination);
	about.path = path;
	about.destination = destination;
	if (r == 0)
		r = link_node(core, req, node, &about, &place, &item);
	if (r == 0) {
		about.event = CORE_EVENT_LINKED;
		notice_tell(core, req, &about);
	}
	store_item_deinit(&item);
	new_place_deinit(core, &place);
	node_unref(core, node);
	return r;
}
