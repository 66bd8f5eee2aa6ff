/* SPDX-License-Identifier: MIT */
/*
 * Reading what is on disk: listings, content, link targets; and making it durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

int store_open_path(struct store *s, const char *path)
{
	int r = disk_check(path);

	return r < 0 ? r : disk_open(s, path, O_PATH);
}

static unsigned char entry_type(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN ||
	    fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return entry->d_type;
	return (unsigned char)IFTODT(st.st_mode);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int store_list(struct store *s, const char *path,
               int (*each)(void *context, const char *name, unsigned char type), void *context)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	_cleanup_(closep) int item = -1;
	_cleanup_(closep) int fd = -1;
	struct dirent *entry;
	int r;

	r = disk_check(path);
	if (r < 0)
		return r;
	item = disk_open(s, path, O_PATH | O_DIRECTORY);
	if (item < 0)
		return item;
	fd = disk_reopen(s, item, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* the stream's now */
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (!*path && strcmp(name, STORE_PRIVATE) == 0))
			continue;
		r = each(context, name, entry_type(dirfd(dir), entry));
		if (r != 0)
			return r;
	}
	return -errno;
}

int store_open_file(struct store *s, const char *path, int flags)
{
	_cleanup_(closep) int item = -1;
	struct stat st;

	if (flags != O_RDONLY && flags != O_RDWR)
		return -EINVAL;
	if (s->readonly && flags != O_RDONLY)
		return -EROFS;
	item = store_open_path(s, path);
	if (item < 0)
		return item;
	if (fstat(item, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
	return disk_reopen(s, item, flags);
}

int store_readlink(struct store *s, const char *path, struct buf *ret)
{
	_cleanup_(closep) int item = -1;
	char target[PATH_MAX_BYTES + 1];
	const char *plain;
	ssize_t n;

	item = store_open_path(s, path);
	if (item < 0)
		return item;
	n = readlinkat(item, "", target, sizeof(target));
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno; /* ENOENT: it is no link */
	if (n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	if (marker_is(target))
		return -EINVAL;
	plain = marker_plain_target(target);
	buf_append(ret, plain, strlen(plain) + 1);
	if (ret->failed)
		return -ENOMEM;
	ret->size--; /* the NUL is there, and not counted */
	return 0;
}

int store_stat(struct store *s, const char *path, struct stat *ret, struct timespec *ret_btime)
{
	_cleanup_(closep) int item = -1;
	char target[PATH_MAX_BYTES + 1];
	ssize_t n;
	int r;

	item = store_open_path(s, path);
	if (item < 0)
		return item;
	r = disk_stat(s, item, ret, ret_btime);
	if (r < 0 || !S_ISLNK(ret->st_mode))
		return r;
	n = readlinkat(item, "", target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	ret->st_size = (off_t)strlen(marker_plain_target(target));
	return 0;
}

/* ---- durability of one item --------------------------------------------------------------------- */

static int sync_directory(struct store *s, int item)
{
	_cleanup_(closep) int fd = -1;

	fd = disk_reopen(s, item, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_file(struct store *s, int item, bool full, bool data_only)
{
	_cleanup_(closep) int fd = -1;

	fd = disk_reopen(s, item, O_RDONLY);
	if (fd < 0)
		return fd;
	if (full)
		return store_settle(s, fd, true);
	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int store_sync_item(struct store *s, const char *path, bool data_only)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	_cleanup_(closep) int dir = -1;
	const char *name;
	int r;

	r = item_open(s, path, NULL, &o);
	if (r < 0)
		return r;
	if (S_ISDIR(o.item.st.st_mode))
		return sync_directory(s, o.fd);
	/* A full file with a record may have an epoch that keeps it from being trusted. */
	if (S_ISREG(o.item.st.st_mode))
		return sync_file(s, o.fd,
		                 o.item.state == STORE_LOCAL && o.item.rec.size && !s->readonly,
		                 data_only);
	dir = disk_open_parent(s, path, &name);
	return dir < 0 ? dir : sync_directory(s, dir);
}
