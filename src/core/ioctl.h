/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_IOCTL_H
#define PROJFS_CORE_IOCTL_H

/*
 * The questions that projfs's own tools ask through the mount.  An ioctl on the root directory of a
 * mount looks nothing up, so asking about an item does not change its state, and it works for tombstones,
 * which have no inode.  Private between this library's two sides; not a public interface.
 */

#include <stdint.h>
#include <sys/ioctl.h>

#define CORE_IOCTL_PATH_MAX 4096

struct core_ioctl_state {
	/* in */
	uint32_t flags; /* CORE_IOCTL_STATE_LISTED */
	char path[CORE_IOCTL_PATH_MAX]; /* relative to the root, NUL-terminated */
	/* out */
	uint32_t state; /* bits of enum prj_file_state */
	uint32_t mode;
	uint64_t size;
	uint64_t local_bytes;
	uint8_t provider_id[128];
	uint8_t content_id[128];
};

#define CORE_IOCTL_STATE_LISTED 0x1 /* the name is in a listing: the provider need not be asked */

/* On the root directory. */
#define CORE_IOCTL_STATE _IOWR('p', 1, struct core_ioctl_state)
/* On an open file: fetch all of its content; answered when it is there. */
#define CORE_IOCTL_HYDRATE _IO('p', 2)

struct core_ioctl_restore {
	char path[CORE_IOCTL_PATH_MAX]; /* relative to the root, NUL-terminated; not the root itself */
};

/* On the root directory: drop what is local at the path and below. ENOENT: nothing is. */
#define CORE_IOCTL_RESTORE _IOW('p', 3, struct core_ioctl_restore)

#define CORE_IOCTL_NAMES_SIZE 8192

/* The names that were deleted in one directory, page by page: they are in no listing of the mount. */
struct core_ioctl_tombstones {
	char path[CORE_IOCTL_PATH_MAX]; /* in: the directory, relative to the root; "" is the root */
	uint64_t cookie; /* in: 0 for the first page, then what came back; out: 0 after the last page */
	uint32_t n_bytes; /* out: of names, with their NULs; may be 0 before the last page */
	char names[CORE_IOCTL_NAMES_SIZE]; /* out: one after the other, each with its NUL; in any order */
};

/* On the root directory. ENOENT, ENOTDIR: no such directory.  What is deleted or made between two pages may be
 * missing or come twice. */
#define CORE_IOCTL_TOMBSTONES _IOWR('p', 4, struct core_ioctl_tombstones)

#endif
