/* SPDX-License-Identifier: MIT */
/*
 * Content on its way: written into a file without a name, which gets one when all about it is right.
 * It begins in the directory where it will go, so that quotas, ACLs and subvolumes are the right ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

struct stage {
	struct store *store;
	int fd;
	int tmp; /* .projfs/tmp if the file has a name there, or -1 */
	char name[PRIVATE_NAME_SIZE];
	bool dressed; /* a commit was tried: its mode may keep us out */
	uint64_t ref; /* of the record put aside by such a commit */
};

static int open_nearest(const struct store *s, const char *path)
{
	char dir[PATH_MAX_BYTES + 1];
	char *slash;
	int fd;

	(void)strcpy(dir, path); /* a valid path is not longer */
	do {
		slash = strrchr(dir, '/');
		*(slash ? slash : dir) = '\0';
		fd = disk_open(s, dir, O_PATH | O_DIRECTORY);
	} while (fd == -ENOENT && *dir);
	return fd;
}

static int open_unnamed(struct store *s, const char *path)
{
	_cleanup_(closep) int dir = -1;
	int fd;

	dir = open_nearest(s, path);
	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int open_named(struct store *s, struct stage *stage)
{
	stage->tmp = disk_open_private(s, "tmp");
	if (stage->tmp < 0)
		return stage->tmp;
	private_name(s, stage->name);
	stage->fd = openat(stage->tmp, stage->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return stage->fd < 0 ? -errno : 0;
}

static bool is_refusal(int r)
{
	return r == -EOPNOTSUPP || r == -EISDIR || r == -EINVAL;
}

int store_stage_new(struct store *s, const char *path, struct stage **ret)
{
	struct stage *stage;
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r == 0 && !*path)
		r = -EISDIR;
	if (r < 0)
		return r;
	stage = malloc(sizeof(*stage));
	if (!stage)
		return -ENOMEM;
	*stage = (struct stage){.store = s, .fd = -1, .tmp = -1};
	r = -EOPNOTSUPP;
	if (!atomic_load(&s->no_tmpfile)) {
		stage->fd = open_unnamed(s, path);
		r = stage->fd < 0 ? stage->fd : 0;
		if (is_refusal(r))
			atomic_store(&s->no_tmpfile, true);
	}
	if (is_refusal(r) || r == -ENOENT)
		r = open_named(s, stage);
	if (r < 0) {
		stage_free(stage);
		return r;
	}
	*ret = stage;
	return 0;
}

int stage_fd(const struct stage *stage)
{
	return stage->fd;
}

struct stage *stage_free(struct stage *stage)
{
	if (!stage)
		return NULL;
	recordref_remove(stage->store, stage->ref);
	if (stage->tmp >= 0 && *stage->name)
		(void)unlinkat(stage->tmp, stage->name, 0);
	closep(&stage->tmp);
	closep(&stage->fd);
	free(stage);
	return NULL;
}

/* What has no name cannot be renamed over something. */
static int give_private_name(struct store *s, struct stage *stage)
{
	int r;

	stage->tmp = disk_open_private(s, "tmp");
	if (stage->tmp < 0)
		return stage->tmp;
	private_name(s, stage->name);
	store_step();
	r = disk_link(stage->fd, stage->tmp, stage->name);
	if (r < 0) {
		closep(&stage->tmp);
		stage->tmp = -1;
	}
	return r;
}

/* Give the file its name. */
static int publish(struct store *s, struct stage *stage, int dir, const char *name)
{
	int r;

	if (stage->tmp < 0) {
		store_step();
		r = disk_link(stage->fd, dir, name);
		if (r != -EEXIST || !marker_gives_way(s, dir, name))
			return r;
		r = give_private_name(s, stage);
		if (r < 0)
			return r;
	}
	r = marker_replace(s, stage->tmp, stage->name, dir, name);
	if (r == 0)
		stage->name[0] = '\0';
	return r;
}

static int commit(struct store *s, struct stage *stage, int dir, const char *name,
                  const struct store_place *place, const struct record *rec, struct store_item *ret)
{
	struct store_item item = {0};
	struct dir_times times;
	enum remnant remnant;
	int r;

	if (stage->dressed) {
		recordref_remove(s, stage->ref);
		stage->ref = 0;
		if (fchmod(stage->fd, 0600) < 0)
			return -errno;
	}
	stage->dressed = true;
	r = attr_apply_file(s, stage->fd, place, rec, &stage->ref);
	if (r == 0 && ret)
		r = item_examine(s, stage->fd, place->path, place->origin, &item, &remnant);
	times = dir_times_save(dir, place->keep_dir_times);
	if (r == 0)
		r = publish(s, stage, dir, name);
	if (r < 0) {
		store_item_deinit(&item);
		return r;
	}
	dir_times_restore(dir, &times);
	stage->ref = 0;
	epoch_touch(s);
	if (ret) {
		/* The name has changed ctime and the number of links; what is known will do, too. */
		(void)disk_stat(s, stage->fd, &item.st, &item.btime);
		*ret = item;
	}
	return 0;
}

int store_stage_commit(struct store *s, struct stage *stage, const struct store_place *place,
                       const struct record *rec, struct store_item *ret)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	int r;

	r = disk_check(place->path);
	if (r == 0 && !path_is_valid(place->origin))
		r = -EINVAL;
	if (r < 0)
		return r;
	dir = disk_open_parent(s, place->path, &name);
	return dir < 0 ? dir : commit(s, stage, dir, name, place, rec, ret);
}
