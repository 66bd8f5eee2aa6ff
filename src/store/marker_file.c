/* SPDX-License-Identifier: MIT */
/*
 * Markers on disk.  Each is bound to the name under which it was written, so that a copy is known to be
 * one; its content is asked for by its origin, wherever it lies.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

const char *marker_plain_target(const char *target)
{
	size_t n = strlen(MARKER_ESCAPE);

	return strncmp(target, MARKER_ESCAPE, n) == 0 ? target + n : target;
}

bool marker_needs_escape(const char *target)
{
	return marker_is(target) || strncmp(target, MARKER_ESCAPE, strlen(MARKER_ESCAPE)) == 0;
}

int marker_target(struct store *s, int dir, const char *name, const struct record *rec,
                  struct buf *ret, uint64_t *ret_ref)
{
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record reference = {.kind = RECORD_REFERENCE, .fields = RECORD_REF};
	struct record bound = *rec;
	struct stat st;
	int r;

	*ret_ref = 0;
	if (fstat(dir, &st) < 0)
		return -errno;
	bound.fields |= RECORD_BINDING;
	bound.binding = binding_of_marker(s, &st, name);
	bound.binding_meta = 0;
	r = marker_encode(&bound, ret);
	if (r != -E2BIG)
		return r;
	r = record_encode(&bound, &encoded);
	if (r == 0)
		r = recordref_write(s, &encoded, true, &reference.ref);
	if (r < 0)
		return r;
	ret->size = 0;
	r = marker_encode(&reference, ret);
	if (r < 0)
		recordref_remove(s, reference.ref);
	else
		*ret_ref = reference.ref;
	return r;
}

bool marker_gives_way(struct store *s, int dir, const char *name)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	char target[PATH_MAX_BYTES + 1];
	struct record rec;
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	if (!marker_is(target) || marker_decode(target, &storage, &rec) < 0)
		return false;
	if (rec.kind == RECORD_REFERENCE) {
		storage.size = 0;
		if (recordref_load(s, rec.ref, &storage) < 0 ||
		    record_decode(storage.data, storage.size, &rec) < 0)
			return false;
	}
	return rec.kind == RECORD_FILE || rec.kind == RECORD_SYMLINK;
}

int marker_replace(struct store *s, int tmp, const char *temporary, int dir, const char *name)
{
	struct stat st;
	uint64_t ref;
	int r;

	store_step();
	r = disk_rename(s, tmp, temporary, dir, name);
	if (r != -EEXIST || !marker_gives_way(s, dir, name) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	ref = clean_reference(s, dir, name, &st);
	store_step();
	if (renameat(tmp, temporary, dir, name) < 0)
		return -errno;
	recordref_remove(s, ref);
	return 0;
}

/* One that takes another's place is made out of sight. */
static int write_over(struct store *s, const char *target, int dir, const char *name)
{
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	if (symlinkat(target, tmp, temporary) < 0)
		return -errno;
	r = marker_replace(s, tmp, temporary, dir, name);
	if (r < 0)
		(void)unlinkat(tmp, temporary, 0);
	return r;
}

int marker_put(struct store *s, int dir, const char *name, const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	struct dir_times times;
	uint64_t ref;
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	r = marker_target(s, dir, name, rec, &target, &ref);
	if (r < 0)
		return r;
	private_name(s, temporary);
	times = dir_times_save(dir, true);
	if (symlinkat((const char *)target.data, tmp, temporary) < 0)
		r = -errno;
	store_step();
	if (r == 0 && renameat(tmp, temporary, dir, name) < 0) {
		r = -errno;
		(void)unlinkat(tmp, temporary, 0);
	}
	if (r == 0)
		dir_times_restore(dir, &times);
	else
		recordref_remove(s, ref);
	return r;
}

/* A link of the user's own that takes the place of a marker, or of nothing. */
static int make_link(const char *target, int tmp, const char *temporary,
                     const struct store_change *change)
{
	const struct timespec times[2] = {change->atime, change->mtime};

	if (symlinkat(target, tmp, temporary) < 0)
		return -errno;
	if (geteuid() == 0 &&
	    fchownat(tmp, temporary, change->uid, change->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return utimensat(tmp, temporary, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int store_localise_link(struct store *s, const char *path, const char *target,
                        const struct store_change *change)
{
	_cleanup_(closep) int dir = -1;
	_cleanup_(closep) int tmp = -1;
	char plain[PATH_MAX_BYTES + sizeof(MARKER_ESCAPE)];
	char temporary[PRIVATE_NAME_SIZE];
	struct dir_times times;
	const char *name;
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r < 0)
		return r;
	if (strlen(target) > PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	(void)sprintf(plain, "%s%s", marker_needs_escape(target) ? MARKER_ESCAPE : "", target);
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	times = dir_times_save(dir, true);
	r = make_link(plain, tmp, temporary, change);
	if (r == 0)
		r = marker_replace(s, tmp, temporary, dir, name);
	if (r < 0)
		(void)unlinkat(tmp, temporary, 0);
	else
		dir_times_restore(dir, &times);
	return r;
}

static int write_marker(struct store *s, int dir, const char *name, int final_dir,
                        const char *final_name, const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	struct dir_times times;
	uint64_t ref;
	int r;

	r = marker_target(s, final_dir, final_name, rec, &target, &ref);
	if (r < 0)
		return r;
	/* That an item is kept on disk from now on is no change of its directory. */
	times = dir_times_save(dir, true);
	store_step();
	if (symlinkat((const char *)target.data, dir, name) < 0)
		r = errno == EEXIST ? write_over(s, (const char *)target.data, dir, name) : -errno;
	if (r == 0)
		dir_times_restore(dir, &times);
	else
		recordref_remove(s, ref);
	return r;
}

int store_write_marker_for(struct store *s, const char *path, const char *final_path,
                           const struct record *rec)
{
	_cleanup_(closep) int dir = -1;
	_cleanup_(closep) int final_dir = -1;
	const char *name, *final_name;
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r == 0)
		r = disk_check(final_path);
	if (r < 0)
		return r;
	if ((rec->kind != RECORD_FILE && rec->kind != RECORD_SYMLINK) ||
	    !(rec->fields & RECORD_ORIGIN))
		return -EINVAL;
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	final_dir = disk_open_parent(s, final_path, &final_name);
	if (final_dir < 0)
		return final_dir;
	return write_marker(s, dir, name, final_dir, final_name, rec);
}

int store_write_marker(struct store *s, const char *path, const struct record *rec)
{
	return store_write_marker_for(s, path, path, rec);
}
