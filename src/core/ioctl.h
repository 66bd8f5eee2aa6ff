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

#endif
