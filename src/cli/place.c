/* SPDX-License-Identifier: MIT */
#include "cli/place.h"

#include <errno.h>
#include <string.h>

#include "cli/mounts.h"
#include "store/store.h"

static bool is_below_mount(const struct mounts *mounts, struct place *place)
{
	const struct mounts_entry *e = mounts_covering(mounts, place->path);

	if (!e || strlen(e->root) >= sizeof(place->root))
		return false;
	(void)strcpy(place->root, e->root);
	return true;
}

/* The innermost root on disk at or above the path. */
static bool is_below_root(struct place *place)
{
	char *slash;

	(void)strcpy(place->root, place->path);
	while (place->root[0]) {
		if (store_is_root(place->root) == 1)
			return true;
		slash = strrchr(place->root, '/');
		*slash = '\0';
	}
	return false;
}

static int find_in(const struct mounts *mounts, struct place *place)
{
	char resolved[PATH_MAX];
	int r;

	if (is_below_mount(mounts, place)) {
		place->is_mounted = true;
		return 0;
	}
	/* a directory that is not on disk has no links to follow */
	r = path_resolve_parent(place->path, resolved);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return r;
	if (r == 0)
		(void)strcpy(place->path, resolved);
	place->is_mounted = is_below_mount(mounts, place);
	return place->is_mounted || is_below_root(place) ? 0 : -ENXIO;
}

int place_find(const char *path, struct place *ret)
{
	struct mounts mounts;
	int r = path_make_absolute(path, ret->path);

	if (r == 0)
		r = mounts_read(&mounts);
	if (r < 0)
		return r;
	ret->is_mounted = false;
	r = find_in(&mounts, ret);
	mounts_deinit(&mounts);
	if (r < 0)
		return r;
	ret->relative = ret->path + strlen(ret->root);
	ret->relative += *ret->relative == '/';
	return 0;
}
