/* SPDX-License-Identifier: MIT */
/*
 * "Deleted here": a marker that hides what the provider has under its name.  Where there was something it
 * takes its place by one rename.  Where a disk or a quota does not allow that, and where a new item takes
 * the place of a tombstone, there is a moment without either; the intent for it says: a tombstone
 * belongs here, unless something is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/change.h"
#include "store/intent.h"
#include "store/internal.h"
#include "util/name.h"

int tombstone_write(int dir, const char *name)
{
	const struct record rec = {.kind = RECORD_TOMBSTONE};
	_cleanup_(buf_deinit) struct buf target = {0};
	int r = marker_encode(&rec, &target);

	if (r < 0)
		return r;
	store_step();
	return symlinkat((const char *)target.data, dir, name) < 0 ? -errno : 0;
}

bool marker_lies_at(int dir, const char *name)
{
	char target[sizeof(MARKER_PREFIX)];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	target[MAX(n, 0)] = '\0';
	return marker_is(target);
}

bool tombstone_is(int dir, const char *name)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	char target[RECORD_MARKER_MAX + 2];
	struct record rec;
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return marker_is(target) && marker_decode(target, &storage, &rec) == 0 &&
	       rec.kind == RECORD_TOMBSTONE;
}

bool store_is_tombstone(struct store *s, const char *path)
{
	_cleanup_(closep) int dir = -1;
	const char *name;

	if (!*path || disk_check(path) < 0)
		return false;
	dir = disk_open_parent(s, path, &name);
	return dir >= 0 && tombstone_is(dir, name);
}

int tombstone_begin(struct store *s, const char *path, uint64_t *ret_intent)
{
	return intent_begin(s, INTENT_TOMBSTONE, path, strlen(path), ret_intent);
}

int tombstone_replay(struct store *s, const void *payload, size_t size)
{
	_cleanup_(closep) int dir = -1;
	char path[PATH_MAX_BYTES + 1];
	const char *name;
	int r;

	if (!path_bytes_are_valid(payload, size) || size == 0)
		return 0; /* not written by us: there is nothing to finish */
	memcpy(path, payload, size);
	path[size] = '\0';
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return disk_is_gone(dir) ? 0 : dir;
	r = tombstone_write(dir, name);
	return r == -EEXIST ? 0 : r;
}

/* Where it cannot be done at once. */
static int replace_in_steps(struct store *s, const char *path, int dir, const char *name,
                            bool is_dir)
{
	uint64_t intent;
	int r = tombstone_begin(s, path, &intent);

	if (r < 0)
		return r;
	if (is_dir) {
		r = clean_move(s, dir, name);
	} else {
		store_step();
		r = unlinkat(dir, name, 0) < 0 ? -errno : 0;
	}
	if (r == 0) {
		r = tombstone_write(dir, name);
		if (r < 0)
			return r; /* the next start tries again */
	}
	(void)intent_end(s, intent);
	return r;
}

int tombstone_replace(struct store *s, const char *path, int dir, const char *name, bool is_dir)
{
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	r = tombstone_write(tmp, temporary);
	if (r < 0)
		return r;
	store_step();
	r = disk_move(s, tmp, temporary, dir, name, is_dir ? RENAME_EXCHANGE : 0);
	if (r == 0) {
		/* What stays behind in .projfs/tmp goes at the next start. */
		if (is_dir)
			(void)clean_move(s, tmp, temporary);
		return 0;
	}
	(void)unlinkat(tmp, temporary, 0);
	if (r == -EXDEV || (r == -EINVAL && is_dir))
		r = replace_in_steps(s, path, dir, name, is_dir);
	return r;
}
