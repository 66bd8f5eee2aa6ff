/* SPDX-License-Identifier: MIT */
/*
 * Between callbacks no descriptor of the source stays open, so that its owner can unmount it or move it
 * away.  Every callback opens it again by its path, and has to find out whether that is still the source: an
 * unmounted disk leaves an empty directory at the same path, and to call its contents "not found" would
 * delete everything that is projected.  Inode number and birth time tell; a device number would not, it
 * changes whenever a disk is plugged in.
 */

#include "source.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Mounts inside the source are projected, so that RESOLVE_NO_XDEV is not among them. */
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* A rename elsewhere in the tree can disturb a look-up with RESOLVE_BENEATH (EAGAIN). */
#define RESOLVE_TRIES 16

int source_stat(int fd, const char *name, struct statx *ret)
{
	int r;

	r = statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	          STATX_BASIC_STATS | STATX_BTIME, ret);
	return r < 0 ? -errno : 0;
}

int source_read_link(int fd, const char *name, char *ret)
{
	ssize_t n;

	n = readlinkat(fd, name, ret, PATH_MAX);
	if (n < 0)
		return -errno;
	if (n == PATH_MAX)
		return -ENAMETOOLONG;
	ret[n] = '\0';
	return 0;
}

static struct statx_timestamp created(const struct statx *st)
{
	return st->stx_mask & STATX_BTIME ? st->stx_btime : (struct statx_timestamp){0};
}

static int open_short(int dir_fd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE};
	long fd;
	int tries = 0;

	do {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	} while (fd < 0 && errno == EAGAIN && ++tries < RESOLVE_TRIES);
	return fd < 0 ? -errno : (int)fd;
}

/* How much of a path that is too long for one call to take first: up to a slash; 0 if there is none. */
static size_t first_step(const char *path)
{
	size_t n = PATH_MAX - 1;

	while (n > 0 && path[n] != '/')
		n--;
	return n;
}

/* A tree may be deeper than the path of one system call: go down in steps. */
static int open_beneath(int root_fd, const char *path, uint64_t flags)
{
	int dir_fd = root_fd;
	int fd = -ENAMETOOLONG;

	while (strlen(path) >= PATH_MAX) {
		char head[PATH_MAX];
		size_t length = first_step(path);

		fd = -ENAMETOOLONG;
		if (!length)
			goto finish;
		memcpy(head, path, length);
		head[length] = '\0';
		fd = open_short(dir_fd, head, O_PATH | O_DIRECTORY);
		if (fd < 0)
			goto finish;
		if (dir_fd != root_fd)
			(void)close(dir_fd);
		dir_fd = fd;
		path += length + 1;
	}
	fd = open_short(dir_fd, *path ? path : ".", flags);
finish:
	if (dir_fd != root_fd)
		(void)close(dir_fd);
	return fd;
}

static int open_root(const struct source *source, struct statx *ret_st)
{
	int fd, r;

	fd = open(source->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = source_stat(fd, "", ret_st);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Why the source itself does not open hardly matters: as long as it does not, nothing can be said of it. */
static prj_result open_same_root(const struct source *source, int *ret_fd)
{
	struct statx st;
	struct statx_timestamp birth;
	int fd;

	fd = open_root(source, &st);
	if (fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE)
		return prj_result_from_errno(-fd);
	if (fd < 0)
		return PRJ_ERR_VIRTUALIZATION_UNAVAILABLE;

	birth = created(&st);
	if (st.stx_ino != source->inode || birth.tv_sec != source->created.tv_sec ||
	    birth.tv_nsec != source->created.tv_nsec) {
		(void)close(fd);
		return PRJ_ERR_VIRTUALIZATION_UNAVAILABLE;
	}
	*ret_fd = fd;
	return PRJ_OK;
}

static prj_result result_of_lookup(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP: /* a link where a directory was, or where a file is wanted */
	case ENAMETOOLONG: /* longer than the source's file system allows */
		return PRJ_ERR_FILE_NOT_FOUND;
	case EPERM:
		return PRJ_ERR_ACCESS_DENIED;
	default:
		return prj_result_from_errno(error);
	}
}

prj_result source_open(const struct source *source, const char *path, uint64_t flags, int *ret_fd)
{
	prj_result result;
	int root_fd, fd;

	result = open_same_root(source, &root_fd);
	if (PRJ_FAILED(result))
		return result;

	fd = open_beneath(root_fd, path, flags);
	if (fd == -EPERM && flags & O_NOATIME)
		fd = open_beneath(root_fd, path, flags & ~(uint64_t)O_NOATIME);
	(void)close(root_fd);
	if (fd < 0)
		return result_of_lookup(-fd);
	*ret_fd = fd;
	return PRJ_OK;
}

/* What later fails for every item shall fail here: an unreadable source, a kernel without openat2(2). */
static int check_readable(int root_fd)
{
	int fd;

	fd = open_beneath(root_fd, "", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

int source_init(struct source *source, const char *path)
{
	struct statx st;
	int fd, r;

	*source = (struct source){.path = realpath(path, NULL)};
	if (!source->path)
		return -errno;

	fd = open_root(source, &st);
	if (fd < 0)
		return fd;
	source->inode = st.stx_ino;
	source->created = created(&st);
	r = check_readable(fd);
	(void)close(fd);
	return r;
}

void source_deinit(struct source *source)
{
	free(source->path);
	source->path = NULL;
}
