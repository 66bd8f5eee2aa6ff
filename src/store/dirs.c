/* SPDX-License-Identifier: MIT */
/*
 * Placeholder directories.  A chain of them is made out of sight, each with its record, and appears by
 * one rename: nobody ever meets one without its record, which would make it the user's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

/* How often somebody else may make a directory of the chain before we do. */
#define TRIES 64

/* Each one must lie right in the one before. */
static int check_chain(const struct store_dir *dirs, size_t n_dirs)
{
	for (size_t i = 0; i < n_dirs; i++) {
		int r = disk_check(dirs[i].path);
		size_t n;

		if (r < 0)
			return r;
		if (!*dirs[i].path || dirs[i].rec->kind != RECORD_DIRECTORY ||
		    !path_is_valid(dirs[i].origin))
			return -EINVAL;
		if (i == 0)
			continue;
		n = strlen(dirs[i - 1].path);
		if (strncmp(dirs[i].path, dirs[i - 1].path, n) != 0 || dirs[i].path[n] != '/' ||
		    strchr(dirs[i].path + n + 1, '/'))
			return -EINVAL;
	}
	return 0;
}

/*
 * Make dirs[0] as @name in @parent and the rest in it.  The times of a directory are set when what
 * goes into it is there, so this works from the bottom up; a chain is at most as deep as a path.
 */
static int build(struct store *s, int parent, const char *name, const struct store_dir *dirs,
                 size_t n_dirs)
{
	_cleanup_(closep) int fd = -1;
	uint64_t ref;
	int r;

	if (mkdirat(parent, name, 0700) < 0)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (n_dirs > 1) {
		r = build(s, fd, path_last(dirs[1].path), dirs + 1, n_dirs - 1);
		if (r < 0)
			return r;
	}
	return attr_apply_directory(s, fd, dirs[0].origin, dirs[0].rec, &ref);
}

static int make_chain(struct store *s, const struct store_dir *dirs, size_t n_dirs)
{
	_cleanup_(closep) int parent = -1;
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	struct dir_times times;
	const char *name;
	int r;

	parent = disk_open_parent(s, dirs[0].path, &name);
	if (parent < 0)
		return parent;
	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	r = build(s, tmp, temporary, dirs, n_dirs);
	times = dir_times_save(parent, true);
	if (r == 0) {
		store_step();
		r = disk_rename(s, tmp, temporary, parent, name);
	}
	if (r == 0)
		dir_times_restore(parent, &times);
	else
		(void)clean_move(s, tmp, temporary);
	return r;
}

/* How many of the chain are there already, from the top. */
static int count_existing(struct store *s, const struct store_dir *dirs, size_t n_dirs, size_t *ret)
{
	for (*ret = 0; *ret < n_dirs; ++*ret) {
		_cleanup_(closep) int fd = -1;

		fd = disk_open(s, dirs[*ret].path, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT)
			break;
		if (fd < 0)
			return fd;
	}
	return 0;
}

int store_make_dirs(struct store *s, const struct store_dir *dirs, size_t n_dirs)
{
	size_t n_existing;
	int r;

	if (s->readonly)
		return -EROFS;
	r = check_chain(dirs, n_dirs);
	for (size_t i = 0; r == 0 && i < n_dirs; i++) {
		if (dirs[i].rec->fields & RECORD_ORIGIN)
			r = moved_note(s);
	}
	if (r < 0)
		return r;
	for (int i = 0; i < TRIES; i++) {
		r = count_existing(s, dirs, n_dirs, &n_existing);
		if (r < 0 || n_existing == n_dirs)
			return r;
		r = make_chain(s, dirs + n_existing, n_dirs - n_existing);
		if (r != -EEXIST)
			return r;
	}
	return -EAGAIN;
}

int store_update_dir(struct store *s, const char *path, const struct record *rec)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	_cleanup_(closep) int dir = -1;
	uint64_t before;
	uint64_t ref;
	int r;

	if (s->readonly)
		return -EROFS;
	if (!*path || rec->kind != RECORD_DIRECTORY)
		return -EINVAL;
	r = item_open(s, path, NULL, &o);
	if (r < 0)
		return r;
	if (!S_ISDIR(o.item.st.st_mode) ||
	    (o.item.state != STORE_DIRECTORY && o.item.state != STORE_DAMAGED))
		return -EBUSY;
	dir = disk_reopen(s, o.fd, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return dir;
	before = attr_reference(s, o.fd, &o.item.st);
	r = attr_apply_directory(s, dir, o.origin, rec, &ref);
	if (r == 0)
		recordref_remove(s, before);
	return r;
}
