/* SPDX-License-Identifier: MIT */
/*
 * Taking away what a user removes.  With a tombstone the name never lies bare: one rename puts the
 * tombstone where the item was.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/intent.h"
#include "store/internal.h"
#include "util/name.h"

#define OPEN_FOLDER "open" /* unlinked and in use */

/* ---- looking first ----------------------------------------------------------------------------- */

struct target {
	int dir;
	const char *name;
	bool there;
	struct stat st;
};

static void target_deinit(struct target *t)
{
	closep(&t->dir);
}

static int find(struct store *s, const char *path, struct target *ret)
{
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r == 0 && !*path)
		r = -EINVAL;
	if (r < 0)
		return r;
	ret->dir = disk_open_parent(s, path, &ret->name);
	if (ret->dir < 0)
		return ret->dir;
	ret->there = fstatat(ret->dir, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW) == 0;
	return ret->there || errno == ENOENT ? 0 : -errno;
}

struct look {
	struct store *store;
	const char *path;
	struct dir_content *content;
};

static int look_at(void *context, const char *name, unsigned char type)
{
	struct look *look = context;
	struct store_item item = {0};
	char path[PATH_MAX_BYTES + 1];
	size_t n = strlen(look->path);
	enum store_state state;
	int r;

	if (n + 1 + strlen(name) > PATH_MAX_BYTES)
		return -ENOTEMPTY;
	memcpy(path, look->path, n);
	path[n] = '/';
	(void)strcpy(path + n + 1, name);
	r = store_lookup(look->store, path, &item);
	if (r < 0)
		return r == -EXDEV ? -EBUSY : r;
	state = item.state;
	store_item_deinit(&item);
	if (state == STORE_TOMBSTONE)
		look->content->tombstones = true;
	else if (state != STORE_NONE)
		look->content->others = true;
	return look->content->others;
}

int remove_look(struct store *s, const char *path, struct dir_content *ret)
{
	struct look look = {.store = s, .path = path, .content = ret};
	int r;

	*ret = (struct dir_content){0};
	r = store_list(s, path, look_at, &look);
	return r < 0 ? r : 0;
}

/* ---- removing ---------------------------------------------------------------------------------- */

/* In @t there is something other than a directory, or nothing. */
static int remove_plain(struct store *s, const char *path, const struct target *t, bool tombstone)
{
	uint64_t ref;
	int r;

	if (!t->there)
		return tombstone ? tombstone_write(t->dir, t->name) : 0;
	if (tombstone && S_ISLNK(t->st.st_mode) && tombstone_is(t->dir, t->name))
		return 0;
	ref = clean_reference(s, t->dir, t->name, &t->st);
	if (tombstone) {
		r = tombstone_replace(s, path, t->dir, t->name, false);
	} else {
		store_step();
		r = unlinkat(t->dir, t->name, 0) < 0 ? -errno : 0;
	}
	if (r == 0)
		recordref_remove(s, ref);
	return r;
}

int store_remove(struct store *s, const char *path, bool tombstone)
{
	_cleanup_(target_deinit) struct target t = {.dir = -1};
	int r = find(s, path, &t);

	if (r < 0)
		return r;
	if (t.there && S_ISDIR(t.st.st_mode))
		return -EISDIR;
	return remove_plain(s, path, &t, tombstone);
}

static int remove_empty(struct store *s, const struct target *t)
{
	uint64_t ref = clean_reference(s, t->dir, t->name, &t->st);

	store_step();
	if (unlinkat(t->dir, t->name, AT_REMOVEDIR) < 0)
		return -errno;
	recordref_remove(s, ref);
	return 0;
}

int store_remove_dir(struct store *s, const char *path, bool tombstone)
{
	_cleanup_(target_deinit) struct target t = {.dir = -1};
	struct dir_content content;
	int r = find(s, path, &t);

	if (r < 0)
		return r;
	if (!t.there || marker_lies_at(t.dir, t.name))
		return remove_plain(s, path, &t, tombstone);
	if (!S_ISDIR(t.st.st_mode))
		return -ENOTDIR;
	r = remove_look(s, path, &content);
	if (r < 0)
		return r;
	if (content.others)
		return -ENOTEMPTY;
	if (tombstone)
		return tombstone_replace(s, path, t.dir, t.name, true);
	return content.tombstones ? clean_move(s, t.dir, t.name) : remove_empty(s, &t);
}

/* ---- unlinked and in use ------------------------------------------------------------------------- */

int store_keep(struct store *s, const char *path, char ret_name[STORE_HIDDEN_NAME_SIZE])
{
	_cleanup_(target_deinit) struct target t = {.dir = -1};
	_cleanup_(closep) int folder = -1;
	char name[PRIVATE_NAME_SIZE];
	int r = find(s, path, &t);

	if (r < 0)
		return r;
	if (!t.there)
		return -ENOENT;
	folder = disk_open_private(s, OPEN_FOLDER);
	if (folder < 0)
		return folder;
	private_name(s, name);
	store_step();
	if (linkat(t.dir, t.name, folder, name, 0) < 0)
		return -errno;
	memcpy(ret_name, name, sizeof(name));
	return 0;
}

static int open_hidden(struct store *s, const char *name, int *ret_folder)
{
	int fd;

	if (!name_is_valid(name, strlen(name)))
		return -EINVAL;
	*ret_folder =
	        openat(s->private, OPEN_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_folder < 0)
		return -errno;
	fd = openat(*ret_folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int store_open_hidden(struct store *s, const char *name)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int fd = open_hidden(s, name, &folder);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? disk_reopen(s, fd, O_RDWR) : -ENXIO;
}

void store_drop_hidden(struct store *s, const char *name)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int fd = open_hidden(s, name, &folder);
	struct stat st;
	uint64_t ref;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	ref = clean_reference(s, folder, name, &st);
	store_step();
	/* What stays goes at the next start. */
	if (unlinkat(folder, name, 0) == 0)
		recordref_remove(s, ref);
}
