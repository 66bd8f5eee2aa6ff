/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes are on the item on disk, so what can be kept there can be kept here.  Ours is not
 * seen, and labels of security modules stay those of the disk underneath.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/internal.h"

#define XATTR_SIZE_MAX_BYTES (64 * 1024) /* the kernel knows no larger value, or list of names */
#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

enum name_kind {
	NAME_USERS,
	NAME_OURS,
	NAME_SYSTEM, /* the kernel decides who may */
	NAME_OTHER,
};

static enum name_kind kind_of(const char *name)
{
	if (attr_is_users(name))
		return NAME_USERS;
	if (strncmp(name, "user.", 5) == 0)
		return NAME_OURS;
	if (strncmp(name, "trusted.", 8) == 0 || strcmp(name, "security.capability") == 0 ||
	    strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0)
		return NAME_SYSTEM;
	return NAME_OTHER;
}

static int open_item(struct store *s, const char *path)
{
	int r = disk_check(path);

	return r < 0 ? r : disk_open(s, path, O_PATH);
}

int store_getxattr(struct store *s, const char *path, const char *name, struct buf *ret)
{
	_cleanup_(closep) int item = -1;
	_cleanup_(freep) uint8_t *value = NULL;
	ssize_t n;

	item = open_item(s, path);
	if (item < 0)
		return item;
	switch (kind_of(name)) {
	case NAME_OURS:
		return -ENODATA;
	case NAME_OTHER:
		return -EOPNOTSUPP;
	default:
		break;
	}
	value = malloc(XATTR_SIZE_MAX_BYTES);
	if (!value)
		return -ENOMEM;
	n = disk_getxattr(s, item, name, value, XATTR_SIZE_MAX_BYTES);
	if (n < 0)
		return n == -EOPNOTSUPP && attr_is_users(name) ? -ENODATA : (int)n;
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
		enum name_kind kind = kind_of(name);

		if (kind == NAME_USERS || kind == NAME_SYSTEM)
			buf_append(ret, name, strlen(name) + 1);
	}
	return ret->failed ? -ENOMEM : 0;
}

/* @value NULL: remove it. */
static int change(struct store *s, const char *path, const char *name, const void *value,
                  size_t size, int flags)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	int r;

	if (s->readonly)
		return -EROFS;
	switch (kind_of(name)) {
	case NAME_OURS:
		return -EPERM;
	case NAME_OTHER:
		return -EOPNOTSUPP;
	default:
		break;
	}
	r = item_open(s, path, NULL, &o);
	if (r < 0)
		return r;
	/* What a marker carried would be lost with it. */
	if (o.item.state == STORE_PLACEHOLDER || o.item.state == STORE_TOMBSTONE)
		return -EBUSY;
	r = value ? disk_setxattr(s, o.fd, name, value, size, flags)
	          : disk_removexattr(s, o.fd, name);
	if (r == 0 && strcmp(name, ACL_ACCESS) == 0)
		r = meta_rebind(s, &o); /* it stands in the mode, too */
	return r;
}

int store_setxattr(struct store *s, const char *path, const char *name, const void *value,
                   size_t size, int flags)
{
	return change(s, path, name, value ? value : "", size, flags);
}

int store_removexattr(struct store *s, const char *path, const char *name)
{
	return change(s, path, name, NULL, 0, 0);
}
