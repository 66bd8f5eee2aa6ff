/* SPDX-License-Identifier: MIT */
/*
 * Descriptors below the root.  openat2() keeps every step below it: no symbolic link, no `..`, no
 * other mount, in particular not ours.  And files whose own mode locks us out: an ordinary user who
 * owns a file may change its mode, so we do that around our access, one at a time, and whoever
 * looks at a mode meanwhile waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/internal.h"

int disk_check(const char *path)
{
	size_t n = strlen(STORE_PRIVATE);

	if (!path_is_valid(path))
		return -EINVAL;
	if (strncmp(path, STORE_PRIVATE, n) == 0 && (path[n] == '\0' || path[n] == '/'))
		return -EPERM;
	return 0;
}

int disk_open(const struct store *s, const char *path, int flags)
{
	struct open_how how = {
	        .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	                   RESOLVE_NO_XDEV,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, s->root, *path ? path : ".", &how, sizeof(how));
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	return (int)fd;
}

int disk_open_parent(const struct store *s, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX_BYTES + 1];
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (!*path || n > PATH_MAX_BYTES)
		return -EINVAL;
	memcpy(dir, path, n);
	dir[n] = '\0';
	fd = disk_open(s, dir, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		*ret_name = slash ? slash + 1 : path;
	return fd;
}

int disk_open_private(struct store *s, const char *folder)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(s->private, folder, flags);

	if (fd < 0 && errno == ENOENT && !s->readonly) {
		store_step();
		if (mkdirat(s->private, folder, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(s->private, folder, flags);
	}
	return fd < 0 ? -errno : fd;
}

struct proc_path proc_path(int fd)
{
	struct proc_path p;

	(void)snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", fd);
	return p;
}

/* Allow ourselves @bits on our own file.  With the lock held. */
static int loosen_locked(struct store *s, int fd, mode_t bits, mode_t *ret_mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return -EACCES;
	atomic_fetch_add(&s->mode_changes, 1);
	*ret_mode = st.st_mode & 07777;
	if (chmod(proc_path(fd).text, *ret_mode | bits) < 0) {
		atomic_fetch_add(&s->mode_changes, 1);
		return -EACCES;
	}
	return 0;
}

/* Likewise.  On success the lock is held until mode_restore(). */
static int mode_loosen(struct store *s, int fd, mode_t bits, mode_t *ret_mode)
{
	int r;

	if (s->readonly)
		return -EACCES;
	pthread_mutex_lock(&s->mode_lock);
	r = loosen_locked(s, fd, bits, ret_mode);
	if (r < 0)
		pthread_mutex_unlock(&s->mode_lock);
	return r;
}

static void mode_restore(struct store *s, int fd, mode_t mode)
{
	/* If this fails the file shows a mode that its record does not know: it counts as changed. */
	(void)chmod(proc_path(fd).text, mode);
	atomic_fetch_add(&s->mode_changes, 1);
	pthread_mutex_unlock(&s->mode_lock);
}

int disk_reopen(struct store *s, int fd, int flags)
{
	struct proc_path path = proc_path(fd);
	mode_t mode;
	int opened;
	int r;

	flags |= O_CLOEXEC | O_NOCTTY;
	opened = open(path.text, flags);
	if (opened >= 0 || errno != EACCES)
		return opened < 0 ? -errno : opened;
	r = mode_loosen(s, fd, flags & O_DIRECTORY ? 0700 : 0600, &mode);
	if (r < 0)
		return r;
	opened = open(path.text, flags);
	r = opened < 0 ? -errno : opened;
	mode_restore(s, fd, mode);
	return r;
}

ssize_t disk_getxattr(struct store *s, int fd, const char *name, void *value, size_t size)
{
	struct proc_path path = proc_path(fd);
	mode_t mode;
	ssize_t n;
	int r;

	n = getxattr(path.text, name, value, size);
	if (n >= 0 || errno != EACCES)
		return n < 0 ? -errno : n;
	r = mode_loosen(s, fd, 0400, &mode);
	if (r < 0)
		return r;
	n = getxattr(path.text, name, value, size);
	if (n < 0)
		n = -errno;
	mode_restore(s, fd, mode);
	return n;
}

/*
 * ...through a path, since a descriptor may be O_PATH.  An ACL changes the mode, so nobody else may be
 * about to put it back.
 */
static int change_xattr(struct store *s, int fd, const char *name, const void *value, size_t size,
                        int flags)
{
	struct proc_path path = proc_path(fd);
	bool is_mode = strncmp(name, "system.", 7) == 0;
	int r;

	if (is_mode)
		pthread_mutex_lock(&s->mode_lock);
	r = value ? setxattr(path.text, name, value, size, flags) : removexattr(path.text, name);
	r = r < 0 ? -errno : 0;
	if (is_mode)
		pthread_mutex_unlock(&s->mode_lock);
	return r;
}

/* @value NULL: remove it. */
static int change_own_xattr(struct store *s, int fd, const char *name, const void *value,
                            size_t size, int flags)
{
	mode_t mode;
	int r;

	store_step();
	r = change_xattr(s, fd, name, value, size, flags);
	if (r != -EACCES || mode_loosen(s, fd, 0600, &mode) < 0)
		return r;
	r = value ? setxattr(proc_path(fd).text, name, value, size, flags)
	          : removexattr(proc_path(fd).text, name);
	r = r < 0 ? -errno : 0;
	mode_restore(s, fd, mode);
	return r;
}

int disk_setxattr(struct store *s, int fd, const char *name, const void *value, size_t size,
                  int flags)
{
	return change_own_xattr(s, fd, name, value ? value : "", size, flags);
}

int disk_removexattr(struct store *s, int fd, const char *name)
{
	return change_own_xattr(s, fd, name, NULL, 0, 0);
}

int disk_chown(struct store *s, int fd, uint32_t uid, uint32_t gid)
{
	int r;

	/* It takes set-id bits away, which must not come back. */
	store_step();
	pthread_mutex_lock(&s->mode_lock);
	r = fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
	pthread_mutex_unlock(&s->mode_lock);
	return r;
}

int disk_chmod(struct store *s, int fd, mode_t mode)
{
	int r;

	store_step();
	pthread_mutex_lock(&s->mode_lock);
	r = chmod(proc_path(fd).text, mode) < 0 ? -errno : 0;
	pthread_mutex_unlock(&s->mode_lock);
	return r;
}

int disk_set_times(int fd, const struct timespec times[2])
{
	store_step();
	return utimensat(AT_FDCWD, proc_path(fd).text, times, 0) < 0 ? -errno : 0;
}

static struct timespec to_timespec(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

static int stat_once(int fd, struct stat *ret, struct timespec *ret_btime)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*ret = (struct stat){
	        .st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
	        .st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
	        .st_ino = x.stx_ino,
	        .st_mode = x.stx_mode,
	        .st_nlink = x.stx_nlink,
	        .st_uid = x.stx_uid,
	        .st_gid = x.stx_gid,
	        .st_size = (off_t)x.stx_size,
	        .st_blocks = (blkcnt_t)x.stx_blocks,
	        .st_blksize = (blksize_t)x.stx_blksize,
	        .st_atim = to_timespec(x.stx_atime),
	        .st_mtim = to_timespec(x.stx_mtime),
	        .st_ctim = to_timespec(x.stx_ctime),
	};
	*ret_btime = (struct timespec){0};
	if (x.stx_mask & STATX_BTIME)
		*ret_btime = to_timespec(x.stx_btime);
	return 0;
}

int disk_stat(struct store *s, int fd, struct stat *ret, struct timespec *ret_btime)
{
	unsigned before = atomic_load(&s->mode_changes);
	int r = stat_once(fd, ret, ret_btime);

	if (before % 2 == 0 && before == atomic_load(&s->mode_changes))
		return r;
	pthread_mutex_lock(&s->mode_lock);
	r = stat_once(fd, ret, ret_btime);
	pthread_mutex_unlock(&s->mode_lock);
	return r;
}

/* ---- names ------------------------------------------------------------------------------------ */

bool disk_is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EXDEV;
}

int disk_link(int fd, int dir, const char *name)
{
	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	/* Older kernels want CAP_DAC_READ_SEARCH for that, and say ENOENT. */
	if (errno != ENOENT && errno != EPERM)
		return -errno;
	if (linkat(AT_FDCWD, proc_path(fd).text, dir, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return 0;
}

/* A directory of ours that a rename needs write permission in, since its ".." changes. */
struct closed_dir {
	int fd; /* -1: it need not be opened up */
	mode_t mode;
};

static struct closed_dir open_up(struct store *s, int dir, const char *name)
{
	struct closed_dir d = {
	        .fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
	struct stat st;

	if (d.fd >= 0 && (fstat(d.fd, &st) < 0 || st.st_mode & 0200 ||
	                  loosen_locked(s, d.fd, 0200, &d.mode) < 0)) {
		closep(&d.fd);
		d.fd = -1;
	}
	return d;
}

static void close_again(struct store *s, struct closed_dir *d)
{
	if (d->fd < 0)
		return;
	(void)chmod(proc_path(d->fd).text, d->mode);
	atomic_fetch_add(&s->mode_changes, 1);
	closep(&d->fd);
}

static int move_closed(struct store *s, int from_dir, const char *from, int to_dir, const char *to,
                       unsigned flags)
{
	struct closed_dir first;
	struct closed_dir second;
	int r;

	pthread_mutex_lock(&s->mode_lock);
	first = open_up(s, from_dir, from);
	second = open_up(s, to_dir, to);
	r = renameat2(from_dir, from, to_dir, to, flags) < 0 ? -errno : 0;
	close_again(s, &second);
	close_again(s, &first);
	pthread_mutex_unlock(&s->mode_lock);
	return r;
}

int disk_move(struct store *s, int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
	if (flags & RENAME_EXCHANGE && s->no_exchange)
		return -EINVAL;
	if (renameat2(from_dir, from, to_dir, to, flags) == 0)
		return 0;
	if (errno != EACCES || geteuid() == 0)
		return -errno;
	return move_closed(s, from_dir, from, to_dir, to, flags);
}

/* Some disks cannot say NOREPLACE.  Nobody else makes names here while we hold the root's lock,
 * so that looking first will do, one at a time. */
static int rename_checked(struct store *s, int from_dir, const char *from, int to_dir,
                          const char *to)
{
	struct stat st;
	int r;

	pthread_mutex_lock(&s->rename_lock);
	if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = -EEXIST;
	else if (errno != ENOENT)
		r = -errno;
	else
		r = disk_move(s, from_dir, from, to_dir, to, 0);
	pthread_mutex_unlock(&s->rename_lock);
	return r;
}

int disk_rename(struct store *s, int from_dir, const char *from, int to_dir, const char *to)
{
	int r = disk_move(s, from_dir, from, to_dir, to, RENAME_NOREPLACE);

	return r == -EINVAL ? rename_checked(s, from_dir, from, to_dir, to) : r;
}
