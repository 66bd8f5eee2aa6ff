/* SPDX-License-Identifier: MIT */
/*
 * Making a directory a root.  The mark, .projfs/root, comes last: until it is there the directory is
 * none, and a failure takes away what was written before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>

#include "store/internal.h"

#define MARK STORE_PRIVATE "/root"
#define MOUNT_TYPE " - fuse.projfs "

/* ---- is it one? ------------------------------------------------------------------------------- */

/* Mount points are written with blanks and backslashes as three octal digits. */
static bool mount_point_is(const char *field, const char *path)
{
	while (*field && *field != ' ') {
		unsigned char c = (unsigned char)*field++;

		if (c == '\\' && strspn(field, "01234567") >= 3) {
			c = (unsigned char)((field[0] - '0') << 6 | (field[1] - '0') << 3 |
			                    (field[2] - '0'));
			field += 3;
		}
		if (c != (unsigned char)*path++)
			return false;
	}
	return *path == '\0';
}

/* A mounted root hides its mark: then the mount itself tells. */
static bool is_mounted(const char *real)
{
	_cleanup_(freep) char *line = NULL;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t capacity = 0;
	bool found = false;

	if (!f)
		return false;
	while (!found && getline(&line, &capacity, f) > 0) {
		char *field = line;

		if (!strstr(line, MOUNT_TYPE))
			continue;
		for (int i = 0; i < 4 && field; i++) {
			field = strchr(field, ' ');
			field = field ? field + 1 : NULL;
		}
		found = field && mount_point_is(field, real);
	}
	(void)fclose(f);
	return found;
}

static int is_root_at(int dir, const char *real)
{
	struct stat st;
	int r;

	if (fstatat(dir, MARK, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	r = -errno;
	if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
		return r;
	if (is_mounted(real))
		return 1;
	/* A folder of ours that we may not look into: somebody's root, though perhaps not ours. */
	return r == -EACCES && fstatat(dir, STORE_PRIVATE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? r : 0;
}

static int is_root_path(const char *real)
{
	_cleanup_(closep) int dir = -1;

	dir = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : is_root_at(dir, real);
}

int store_is_root(const char *path)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return -errno;
	return is_root_path(real);
}

/* Neither it nor one above may be a root. */
static int check_place(const char *path, struct errmsg *err)
{
	char real[PATH_MAX];
	char *slash;
	int r;

	if (!realpath(path, real)) {
		r = -errno;
		return errmsg_set(err, r, "cannot use '%s' as a root: %s", path, strerror(-r));
	}
	r = is_root_path(real);
	if (r == 1)
		return errmsg_set(err, -EEXIST, "'%s' is a projfs root already", path);
	if (r == -EACCES)
		return errmsg_set(err, r,
		                  "cannot look into '%s/" STORE_PRIVATE "': %s; it must belong to you, "
		                  "with mode 0700",
		                  path, strerror(-r));
	while ((slash = strrchr(real, '/')) && real[1]) {
		slash[slash == real] = '\0';
		if (is_root_path(real) == 1)
			return errmsg_set(err, -ELOOP,
			                  "cannot use '%s' as a root: it lies in the root "
			                  "'%s', choose a directory outside of it",
			                  path, real);
	}
	return 0;
}

/* ---- making it one -------------------------------------------------------------------------------- */

/* Does @dir hold anything but our folder, which an earlier try may have left? */
static int has_something(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int found = 0;

	if (!listing) {
		int r = -errno;

		closep(&fd);
		return r;
	}
	while (!found && (e = readdir(listing)))
		found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		        strcmp(e->d_name, STORE_PRIVATE) != 0;
	(void)closedir(listing);
	return found;
}

/* Can files here carry records?  Tried, not asked: some file systems only refuse the write. */
static int probe_attributes(struct store *s)
{
	char value[60] = {0};
	int fd;
	int r = 0;

	(void)unlinkat(s->private, "probe", 0);
	fd = openat(s->private, "probe", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fsetxattr(fd, RECORD_XATTR, value, sizeof(value), 0) < 0)
		r = errno == EPERM ? -ENOTSUP : -errno;
	(void)close(fd);
	(void)unlinkat(s->private, "probe", 0);
	return r;
}

static int adopt_one(void *context, const char *path, const struct store_item *item)
{
	const struct record rec = {
	        .kind = RECORD_DIRECTORY, .fields = RECORD_FLAGS, .flags = RECORD_FLAG_ADOPTED};
	struct store *s = context;
	_cleanup_(closep) int item_fd = -1;
	_cleanup_(closep) int fd = -1;
	uint64_t ref;

	if (!S_ISDIR(item->st.st_mode) || item->state == STORE_DIRECTORY)
		return WALK_ON;
	item_fd = disk_open(s, path, O_PATH | O_DIRECTORY);
	if (item_fd < 0)
		return item_fd;
	fd = disk_reopen(s, item_fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -EACCES ? WALK_ON : fd; /* stays local, and whole */
	return attr_apply_directory(s, fd, path, &rec, &ref);
}

static int disown_one(void *context, const char *path, const struct store_item *item)
{
	struct store *s = context;
	_cleanup_(closep) int fd = -1;

	if (item->state != STORE_DIRECTORY)
		return WALK_ON;
	fd = disk_open(s, path, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		(void)removexattr(proc_path(fd).text, RECORD_XATTR);
	return WALK_ON;
}

static int write_mark(struct store *s, const struct store_mark *mark)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	_cleanup_(closep) int root = -1;
	struct record rec = {
	        .kind = RECORD_ROOT,
	        .fields = RECORD_GUID | RECORD_HASH_KEY,
	        .hash_key = {s->key.k0, s->key.k1},
	        .provider_id = mark->provider_id,
	        .content_id = mark->content_id,
	};
	int r;

	if (mark->provider_id.size)
		rec.fields |= RECORD_PROVIDER_ID;
	if (mark->content_id.size)
		rec.fields |= RECORD_CONTENT_ID;
	memcpy(rec.guid, mark->guid, sizeof(rec.guid));
	r = record_encode(&rec, &b);
	if (r < 0)
		return r;
	root = openat(s->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = private_save(s, "root", b.data, b.size);
	if (r == 0 && fsync(root) < 0)
		r = -errno;
	return r;
}

/* All that a try has written, in the opposite order. */
static void undo(struct store *s, bool adopt)
{
	static const char *const files[] = {"root", EPOCH_FILE, "probe"};

	if (adopt)
		(void)walk_below(s, "", true, disown_one, s);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)unlinkat(s->private, files[i], 0);
	(void)unlinkat(s->private, "tmp", AT_REMOVEDIR);
	(void)unlinkat(s->root, STORE_PRIVATE, AT_REMOVEDIR);
}

static int fail(const char *path, int r, struct errmsg *err)
{
	switch (r) {
	case -ENOTSUP:
		return errmsg_set(err, r,
		                  "cannot use '%s' as a root: its file system has no user "
		                  "extended attributes, where projfs keeps its records; choose a "
		                  "directory on ext4, xfs, btrfs or a recent tmpfs",
		                  path);
	case -EROFS:
		return errmsg_set(err, r,
		                  "cannot use '%s' as a root: its file system is read-only, "
		                  "and projfs keeps what it fetches there",
		                  path);
	case -EACCES:
	case -EPERM:
		return errmsg_set(err, -EACCES,
		                  "cannot use '%s' as a root: you may not write there", path);
	default:
		return errmsg_set(err, r, "cannot write '%s/" MARK "': %s", path, strerror(-r));
	}
}

static int fill(struct store *s, const struct store_mark *mark, bool adopt)
{
	uint64_t random[3];
	int r;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	s->key = (struct hash_key){random[0], random[1]};
	atomic_store(&s->next_name, random[2]);
	r = probe_attributes(s);
	if (r == 0)
		r = epoch_create(s);
	if (r == 0 && adopt)
		r = walk_below(s, "", true, adopt_one, s);
	if (r == 0)
		r = write_mark(s, mark);
	return r;
}

static int open_private(struct store *s)
{
	if (mkdirat(s->root, STORE_PRIVATE, 0700) < 0 && errno != EEXIST)
		return -errno;
	s->private =
	        openat(s->root, STORE_PRIVATE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->private < 0 ? -errno : 0;
}

int store_mark_root(const char *path, const struct store_mark *mark, bool adopt, struct errmsg *err)
{
	_cleanup_(store_freep) struct store *s = store_new(false);
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "cannot use '%s' as a root: out of memory", path);
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0) {
		r = -errno;
		return errmsg_set(err, r, "cannot use '%s' as a root: %s%s", path, strerror(-r),
		                  r == -ENOENT ? "; make the directory first" : "");
	}
	r = check_place(path, err);
	if (r < 0)
		return r;
	r = has_something(s->root);
	if (r < 0)
		return fail(path, r, err);
	if (r > 0 && !adopt)
		return errmsg_set(err, -ENOTEMPTY,
		                  "cannot use '%s' as a root: it is not empty; choose "
		                  "an empty directory, or keep what is there as local files with "
		                  "-o adopt",
		                  path);
	r = open_private(s);
	if (r < 0)
		return fail(path, r, err);
	r = fill(s, mark, adopt);
	if (r < 0) {
		undo(s, adopt);
		return fail(path, r, err);
	}
	return 0;
}
