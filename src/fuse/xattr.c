/* SPDX-License-Identifier: MIT */
#include "fuse/xattr.h"

#include <errno.h>
#include <string.h>

#define HIDDEN "user.projfs"

static bool begins_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool xattr_is_ours(const char *name)
{
	return begins_with(name, HIDDEN);
}

int xattr_fixed_answer(const char *name, bool posix_acl)
{
	/* EOPNOTSUPP makes ls stop asking, ENODATA does not; but the kernel itself asks for capabilities. */
	if (strcmp(name, "security.capability") == 0)
		return 0;
	if (begins_with(name, "security."))
		return -EOPNOTSUPP;
	if (begins_with(name, "system.posix_acl_"))
		return posix_acl ? 0 : -EOPNOTSUPP;
	if (xattr_is_ours(name))
		return -ENODATA;
	return 0;
}

size_t xattr_copy_visible(const char *names, size_t size, char *ret_names)
{
	size_t used = 0;

	while (size > 0) {
		size_t length = strnlen(names, size);

		if (length == size)
			break; /* not ended by NUL: no name */
		if (!begins_with(names, HIDDEN)) {
			memcpy(ret_names + used, names, length + 1);
			used += length + 1;
		}
		names += length + 1;
		size -= length + 1;
	}
	return used;
}
