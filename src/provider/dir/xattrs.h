/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_XATTRS_H
#define PROJFS_PROVIDER_DIR_XATTRS_H

#include <prj/prj.h>

/* The extended attributes of one item. */
struct xattrs {
	struct prj_xattr *list;
	size_t count;
	char *names; /* one after the other, each with its NUL */
};

/*
 * Read the user attributes of the file or directory @fd, which may be open with O_PATH, without those that
 * are projfs' own.  Free them with xattrs_deinit() after PRJ_OK.
 */
prj_result xattrs_read(int fd, struct xattrs *ret);
void xattrs_deinit(struct xattrs *xattrs);

#endif
