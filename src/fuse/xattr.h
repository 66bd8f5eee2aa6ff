/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_XATTR_H
#define PROJFS_FUSE_XATTR_H

/*
 * Which extended attributes exist here.  Those of security modules are answered at once, since
 * tools ask for them once per file; our own (user.projfs...) are hidden.
 */

#include <stdbool.h>
#include <stddef.h>

/* 0: ask the core, otherwise the answer to GETXATTR. */
int xattr_fixed_answer(const char *name, bool posix_acl);

/* Nobody else may see or set it. */
bool xattr_is_ours(const char *name);

/* Copy the names in a list (each ends with NUL) that may be seen. Returns the bytes written, at most @size. */
size_t xattr_copy_visible(const char *names, size_t size, char *ret_names);

#endif
