/* SPDX-License-Identifier: MIT */
/*
 * Taking cache out of the tree.  Nothing of the user's may go with it, so all of it is looked at
 * first, and then one rename takes it away; the caller sees to it that nobody adds to it in between.
 */
#include <errno.h>

#include "store/internal.h"

/* Flags that stand for something that the user did. */
#define USERS_FLAGS                                                                                \
	(RECORD_FLAG_DIRTY | RECORD_FLAG_ADOPTED | RECORD_FLAG_RENAMED | RECORD_FLAG_OPAQUE |      \
	 RECORD_FLAG_FULL)

static bool is_cache(const struct store_item *item)
{
	struct record rec;

	switch (item->state) {
	case STORE_HYDRATED:
		if (item->meta_differs || item->st.st_nlink != 1)
			return false;
		break;
	case STORE_PLACEHOLDER:
	case STORE_DIRECTORY:
		break;
	default:
		return false;
	}
	return record_decode(item->rec.data, item->rec.size, &rec) == 0 &&
	       !(rec.fields & RECORD_FLAGS && rec.flags & USERS_FLAGS);
}

static int check_one(void *context, const char *path, const struct store_item *item)
{
	return is_cache(item) ? WALK_ON : -EBUSY;
}

int store_discard(struct store *s, const char *path)
{
	struct store_item item = {0};
	_cleanup_(closep) int dir = -1;
	struct dir_times times;
	const char *name;
	int r;

	if (s->readonly)
		return -EROFS;
	if (!*path)
		return -EINVAL;
	r = store_lookup(s, path, &item);
	if (r == 0 && item.state == STORE_NONE)
		r = -ENOENT;
	else if (r == 0 && !is_cache(&item))
		r = -EBUSY;
	else if (r == 0 && item.state == STORE_DIRECTORY)
		r = walk_below(s, path, false, check_one, NULL);
	store_item_deinit(&item);
	if (r == -EXDEV || r == -ENAMETOOLONG)
		return -EBUSY; /* something is mounted there, or lies too deep for us to have made it */
	if (r < 0)
		return r;
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	times = dir_times_save(dir, true);
	r = clean_move(s, dir, name);
	dir_times_restore(dir, &times);
	return r;
}
