/* SPDX-License-Identifier: MIT */
/*
 * New items of the user's.  They are made where they belong, never in .projfs and then moved: the directory
 * decides about group, ACL, quota and subvolume.  So a tombstone of that name must go first, and the
 * intent brings it back if nothing came.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/intent.h"
#include "store/internal.h"
#include "util/name.h"

#define PERMISSIONS 0777 /* what a umask is about */

struct making {
	struct store *store;
	const char *path;
	int dir;
	const char *name;
	const struct store_creator *as; /* NULL: ours */
	int (*make)(const struct making *m); /* 0, a descriptor, or -errno */
	mode_t mode; /* with type; what is asked of the disk, 0: nothing */
	bool by_acl; /* the directory's ACL decides about it */
	dev_t rdev;
	const char *target;
	int link; /* descriptor of the file to be linked */
};

/* ---- the five kinds ---------------------------------------------------------------------------- */

static int make_file(const struct making *m)
{
	int fd = openat(m->dir, m->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                m->mode & 07777);

	return fd < 0 ? -errno : fd;
}

static void unmake(const struct making *m)
{
	store_step();
	(void)unlinkat(m->dir, m->name, S_ISDIR(m->mode) ? AT_REMOVEDIR : 0);
}

static int open_made(const struct making *m)
{
	int fd = openat(m->dir, m->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		fd = -errno;
		unmake(m);
	}
	return fd;
}

static int make_dir(const struct making *m)
{
	return mkdirat(m->dir, m->name, m->mode & 07777) < 0 ? -errno : open_made(m);
}

static int make_symlink(const struct making *m)
{
	return symlinkat(m->target, m->dir, m->name) < 0 ? -errno : open_made(m);
}

static int make_node(const struct making *m)
{
	return mknodat(m->dir, m->name, m->mode, m->rdev) < 0 ? -errno : open_made(m);
}

static int make_link(const struct making *m)
{
	int r = disk_link(m->link, m->dir, m->name);

	return r < 0 ? r : open_made(m);
}

/* ---- making one -------------------------------------------------------------------------------- */

static bool has_default_acl(int dir)
{
	return getxattr(proc_path(dir).text, "system.posix_acl_default", NULL, 0) > 0;
}

static mode_t masked(mode_t mode, const struct store_creator *as, bool by_acl)
{
	return by_acl || !as ? mode : mode & ~(mode_t)(as->umask & PERMISSIONS);
}

static int begin(struct making *m, struct store *s, const char *path,
                 const struct store_creator *as, mode_t mode)
{
	int r;

	*m = (struct making){.store = s, .path = path, .dir = -1, .as = as, .link = -1};
	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r == 0 && !*path)
		r = -EEXIST;
	if (r < 0)
		return r;
	m->dir = disk_open_parent(s, path, &m->name);
	if (m->dir < 0)
		return m->dir;
	if (!mode || S_ISLNK(mode))
		return 0; /* it has one, or needs none */
	m->by_acl = has_default_acl(m->dir);
	m->mode = masked(mode, as, m->by_acl);
	return 0;
}

/* Bits that the process's umask took, which is not the user's. */
static int fix_mode(int fd, mode_t wanted, bool by_acl)
{
	struct stat st;

	if (by_acl)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!(wanted & ~st.st_mode & PERMISSIONS))
		return 0;
	return chmod(proc_path(fd).text, (st.st_mode & 07777) | (wanted & PERMISSIONS)) < 0 ? -errno
	                                                                                    : 0;
}

static int try_make(const struct making *m)
{
	struct creator_saved saved;
	int fd = creator_begin(m->as, &saved);
	int r;

	if (fd < 0)
		return fd;
	store_step();
	fd = m->make(m);
	creator_end(&saved);
	if (fd < 0 || !m->mode)
		return fd;
	r = fix_mode(fd, m->mode, m->by_acl);
	if (r == 0)
		return fd;
	unmake(m);
	closep(&fd);
	return r;
}

static int make_over_tombstone(const struct making *m)
{
	uint64_t intent;
	int fd;
	int r = tombstone_begin(m->store, m->path, &intent);

	if (r < 0)
		return r;
	store_step();
	fd = unlinkat(m->dir, m->name, 0) < 0 ? -errno : try_make(m);
	if (fd < 0) {
		r = tombstone_write(m->dir, m->name);
		if (r < 0 && r != -EEXIST)
			return fd; /* the next start tries again */
	}
	(void)intent_end(m->store, intent);
	return fd;
}

/* A descriptor of the new item. */
static int make(const struct making *m)
{
	int fd = try_make(m);

	if (fd == -EEXIST && tombstone_is(m->dir, m->name))
		fd = make_over_tombstone(m);
	return fd;
}

/* What is new has no record. */
static int describe(struct store *s, int fd, struct store_item *ret)
{
	struct store_item item = {.state = STORE_LOCAL};
	int r = disk_stat(s, fd, &item.st, &item.btime);

	if (r == 0)
		*ret = item;
	return r;
}

/* Make it, describe it, and hand the descriptor out if somebody wants it.  Ends @m. */
static int finish(struct making *m, int r, int *ret_fd, struct store_item *ret)
{
	_cleanup_(closep) int fd = -1;

	if (r == 0) {
		fd = make(m);
		r = fd < 0 ? fd : describe(m->store, fd, ret);
	}
	closep(&m->dir);
	if (r == 0 && ret_fd)
		*ret_fd = steal_fd(&fd);
	return r;
}

int store_create_file(struct store *s, const char *path, mode_t mode,
                      const struct store_creator *as, int *ret_fd, struct store_item *ret)
{
	struct making m;
	int r = begin(&m, s, path, as, S_IFREG | (mode & 07777));

	m.make = make_file;
	return finish(&m, r, ret_fd, ret);
}

/* An ordinary user's instance must not lock itself out: the record has the true mode. */
static int put_mode_aside(struct store *s, const char *path, mode_t mode, struct store_item *ret)
{
	const struct store_change change = {.fields = RECORD_MODE, .mode = mode & 07777};
	int r = store_change_meta(s, path, &change);

	if (r == 0)
		r = store_lookup(s, path, ret);
	if (r < 0)
		(void)store_remove_dir(s, path, false);
	return r;
}

int store_create_dir(struct store *s, const char *path, mode_t mode, const struct store_creator *as,
                     struct store_item *ret)
{
	struct making m;
	int r = begin(&m, s, path, as, S_IFDIR | (mode & 07777));
	mode_t missing = geteuid() == 0 ? 0 : 0700 & ~m.mode;

	m.make = make_dir;
	m.mode |= missing;
	r = finish(&m, r, NULL, ret);
	if (r == 0 && missing)
		r = put_mode_aside(s, path, ret->st.st_mode & ~missing, ret);
	return r;
}

int store_create_symlink(struct store *s, const char *path, const char *target,
                         const struct store_creator *as, struct store_item *ret)
{
	_cleanup_(buf_deinit) struct buf escaped = {0};
	struct making m;
	int r = begin(&m, s, path, as, S_IFLNK);

	if (r == 0 && marker_needs_escape(target)) {
		buf_append(&escaped, MARKER_ESCAPE, strlen(MARKER_ESCAPE));
		buf_append(&escaped, target, strlen(target) + 1);
		r = escaped.failed ? -ENOMEM : 0;
	}
	m.make = make_symlink;
	m.target = escaped.size ? (const char *)escaped.data : target;
	r = finish(&m, r, NULL, ret);
	if (r == 0)
		ret->st.st_size = (off_t)strlen(target);
	return r;
}

int store_create_node(struct store *s, const char *path, mode_t mode, dev_t rdev,
                      const struct store_creator *as, struct store_item *ret)
{
	mode_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG; /* as for mknod() */
	struct making m;
	int r = begin(&m, s, path, as, type | (mode & 07777));

	if (r == 0 && (S_ISDIR(mode) || S_ISLNK(mode)))
		r = -EINVAL;
	m.make = make_node;
	m.rdev = rdev;
	return finish(&m, r, NULL, ret);
}

int store_link(struct store *s, int fd, const char *path, struct store_item *ret)
{
	struct store_item first = {0};
	struct making m;
	int r = begin(&m, s, path, NULL, 0);

	m.make = make_link;
	m.link = fd;
	r = finish(&m, r, NULL, &first);
	return r < 0 ? r : store_lookup(s, path, ret);
}

/* ---- without a name ----------------------------------------------------------------------------- */

static int open_unnamed(int dir, mode_t mode, const struct store_creator *as)
{
	struct creator_saved saved;
	int fd = creator_begin(as, &saved);

	if (fd < 0)
		return fd;
	store_step();
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	fd = fd < 0 ? -errno : fd;
	creator_end(&saved);
	return fd == -EISDIR || fd == -EINVAL ? -EOPNOTSUPP : fd;
}

int store_create_unnamed(struct store *s, const char *path, mode_t mode,
                         const struct store_creator *as, int *ret_fd, struct stat *ret)
{
	_cleanup_(closep) int dir = -1;
	_cleanup_(closep) int fd = -1;
	bool by_acl;
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r < 0)
		return r;
	if (atomic_load(&s->no_tmpfile))
		return -EOPNOTSUPP;
	dir = disk_open(s, path, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	by_acl = has_default_acl(dir);
	mode = masked(mode & 07777, as, by_acl);
	fd = open_unnamed(dir, mode, as);
	if (fd < 0)
		return fd;
	r = fix_mode(fd, mode, by_acl);
	if (r == 0 && fstat(fd, ret) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}
