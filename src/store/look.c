/* SPDX-License-Identifier: MIT */
/*
 * Reading what is on disk: listings, content, link targets, user attributes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/internal.h"
#include "util/name.h"

#define XATTR_SIZE_MAX_BYTES (64 * 1024) /* the kernel knows no larger value, or list of names */

/* An O_PATH descriptor of an existing item. */
static int open_item(struct store *s, const char *path)
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
	item = open_item(s, path);
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
	const char *plain = target;
	ssize_t n;

	item = open_item(s, path);
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
	if (strncmp(target, MARKER_ESCAPE, strlen(MARKER_ESCAPE)) == 0)
		plain += strlen(MARKER_ESCAPE);
	buf_append(ret, plain, strlen(plain) + 1);
	if (ret->failed)
		return -ENOMEM;
	ret->size--; /* the NUL is there, and not counted */
	return 0;
}

int store_getxattr(struct store *s, const char *path, const char *name, struct buf *ret)
{
	_cleanup_(closep) int item = -1;
	_cleanup_(freep) uint8_t *value = NULL;
	ssize_t n;

	item = open_item(s, path);
	if (item < 0)
		return item;
	if (!attr_is_users(name))
		return -ENODATA;
	value = malloc(XATTR_SIZE_MAX_BYTES);
	if (!value)
		return -ENOMEM;
	n = disk_getxattr(s, item, name, value, XATTR_SIZE_MAX_BYTES);
	if (n < 0)
		return n == -EOPNOTSUPP ? -ENODATA : (int)n;
	buf_append(ret, value, (size_t)n);
	return ret->failed ? -ENOMEM : 0;
}

int store_listxattr(struct store *s, const char *path, struct buf *ret)
{
	_cleanup_(closep) int item = -1;
	_cleanup_(freep) char *names = NULL;
	ssize_t n;

	item = open_item(s, path);
	if (item < 0)
		return item;
	names = malloc(XATTR_SIZE_MAX_BYTES);
	if (!names)
		return -ENOMEM;
	n = listxattr(proc_path(item).text, names, XATTR_SIZE_MAX_BYTES);
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		if (attr_is_users(name))
			buf_append(ret, name, strlen(name) + 1);
	}
	return ret->failed ? -ENOMEM : 0;
}
