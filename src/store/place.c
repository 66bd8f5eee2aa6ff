/* SPDX-License-Identifier: MIT */
/*
 * As what does the provider know an item?  By its path, unless it was renamed here, or a directory above
 * it was: then the nearest of these has its origin in its record, and what lies below follows.  Few roots
 * ever have such a directory, and .projfs/moved says whether one does: else no record need be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

#define MOVED "moved"

int moved_note(struct store *s)
{
	int fd;

	if (atomic_load(&s->has_moved))
		return 0;
	store_step();
	fd = openat(s->private, MOVED, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	atomic_store(&s->has_moved, true);
	return 0;
}

void moved_load(struct store *s)
{
	struct stat st;

	/* In doubt the records are asked. */
	atomic_store(&s->has_moved,
	             fstatat(s->private, MOVED, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT);
}

/* Was this directory itself moved?  Then its origin is in @ret, with its size. */
static int read_origin(struct store *s, const char *dir, char ret[PATH_MAX_BYTES + 1],
                       size_t *ret_size)
{
	_cleanup_(closep) int fd = -1;
	struct store_item item = {0};
	enum remnant remnant;
	struct record rec;
	int r;

	*ret_size = 0;
	fd = disk_open(s, dir, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	r = item_examine(s, fd, dir, dir, &item, &remnant);
	if (r < 0)
		return r;
	if (item.state == STORE_DIRECTORY &&
	    record_decode(item.rec.data, item.rec.size, &rec) == 0 && rec.fields & RECORD_ORIGIN) {
		memcpy(ret, rec.origin.data, rec.origin.size); /* a valid path is not longer */
		*ret_size = rec.origin.size;
	}
	store_item_deinit(&item);
	return *ret_size > 0;
}

int place_origin(struct store *s, const char *path, const char *given,
                 char storage[PATH_MAX_BYTES + 1], const char **ret)
{
	char dir[PATH_MAX_BYTES + 1];
	char *slash;

	*ret = given ? given : path;
	if (given || !atomic_load(&s->has_moved))
		return 0;
	(void)strcpy(dir, path); /* a valid path is not longer */
	while ((slash = strrchr(dir, '/'))) {
		size_t size;
		int r;

		*slash = '\0';
		r = read_origin(s, dir, storage, &size);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (size + strlen(path + (slash - dir)) > PATH_MAX_BYTES)
			return -ENAMETOOLONG;
		(void)strcpy(storage + size, path + (slash - dir));
		*ret = storage;
		return 0;
	}
	return 0;
}

/* ---- times of a directory ------------------------------------------------------------------------ */

struct dir_times dir_times_save(int dir, bool keep)
{
	struct dir_times t = {.keep = keep};
	struct stat st;

	if (keep && fstat(dir, &st) == 0) {
		t.times[0] = st.st_atim;
		t.times[1] = st.st_mtim;
	} else {
		t.keep = false;
	}
	return t;
}

void dir_times_restore(int dir, const struct dir_times *t)
{
	/* If it is not ours to set, it shows a time of ours. */
	if (t->keep)
		(void)disk_set_times(dir, t->times);
}
