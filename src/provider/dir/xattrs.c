/* SPDX-License-Identifier: MIT */
/*
 * The items are opened with O_PATH, which needs no right to read them and does nothing to them, but for
 * which fgetxattr(2) fails; the link in /proc leads from such a descriptor to its item without any look-up.
 */

#include "xattrs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* The size is asked first; others may make the thing grow meanwhile. */
#define READ_TRIES 8

/* The attribute @name of @path, or with NULL the list of names, NUL-terminated. Negative errno or length. */
static ssize_t read_value(const char *path, const char *name, char **ret)
{
	for (int tries = 0; tries < READ_TRIES; tries++) {
		ssize_t n = name ? getxattr(path, name, NULL, 0) : listxattr(path, NULL, 0);
		size_t size;
		char *value;

		if (n < 0)
			return -errno;
		size = (size_t)n;
		value = malloc(size + 1);
		if (!value)
			return -ENOMEM;
		/* Most items have no attributes at all: then one call is enough. */
		if (!size && !name) {
			*value = '\0';
			*ret = value;
			return 0;
		}
		/* A size of 0 would ask for the size again. */
		n = name ? getxattr(path, name, value, size + 1) : listxattr(path, value, size + 1);
		if (n >= 0 && (size_t)n <= size) {
			value[n] = '\0';
			*ret = value;
			return n;
		}
		n = n < 0 ? -errno : -ERANGE;
		free(value);
		if (n != -ERANGE)
			return n;
	}
	return -EBUSY;
}

static bool is_wanted(const char *name)
{
	return !strncmp(name, "user.", 5) && strncmp(name, "user.projfs", 11);
}

/* One that is removed meanwhile, or that this user may not read, is not there for us. */
static int add(struct xattrs *xattrs, const char *path, const char *name)
{
	char *value;
	ssize_t n;

	n = read_value(path, name, &value);
	if (n == -ENODATA || n == -EACCES || n == -EPERM)
		return 0;
	if (n < 0)
		return (int)n;
	xattrs->list[xattrs->count++] = (struct prj_xattr){name, value, (size_t)n};
	return 0;
}

static int read_all(struct xattrs *xattrs, const char *path)
{
	ssize_t n_bytes;
	size_t n_names = 0;

	n_bytes = read_value(path, NULL, &xattrs->names);
	if (n_bytes == -ENOTSUP || n_bytes == -EACCES || n_bytes == -EPERM)
		return 0;
	if (n_bytes < 0)
		return (int)n_bytes;

	for (const char *p = xattrs->names; p < xattrs->names + n_bytes; p += strlen(p) + 1)
		n_names += is_wanted(p);
	if (!n_names)
		return 0;
	xattrs->list = calloc(n_names, sizeof(*xattrs->list));
	if (!xattrs->list)
		return -ENOMEM;
	for (const char *p = xattrs->names; p < xattrs->names + n_bytes; p += strlen(p) + 1) {
		int r = is_wanted(p) ? add(xattrs, path, p) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

prj_result xattrs_read(int fd, struct xattrs *ret)
{
	struct xattrs xattrs = {0};
	char path[sizeof("/proc/self/fd/-2147483648")];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = read_all(&xattrs, path);
	if (r < 0) {
		xattrs_deinit(&xattrs);
		/* The item is open: what is missing is /proc, and that must not look like a missing item. */
		return r == -ENOENT ? PRJ_ERR_INTERNAL_ERROR : prj_result_from_errno(-r);
	}
	*ret = xattrs;
	return PRJ_OK;
}

void xattrs_deinit(struct xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++)
		free((void *)xattrs->list[i].value);
	free(xattrs->list);
	free(xattrs->names);
}
