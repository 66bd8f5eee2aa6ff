/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_KERNEL_H
#define PROJFS_FUSE_KERNEL_H

/*
 * The kernel's FUSE protocol, with what is newer than the oldest <linux/fuse.h> that we build
 * with (7.38, Debian 12).  Whether the running kernel knows it is found out at INIT, or by trying.
 */

#include <linux/fuse.h>
#include <stdint.h>

#if FUSE_KERNEL_MINOR_VERSION < 39

#define FUSE_STATX 52

struct fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t __reserved;
};

struct fuse_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t __spare0[1];
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fuse_sx_time atime;
	struct fuse_sx_time btime;
	struct fuse_sx_time ctime;
	struct fuse_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t __spare2[14];
};

struct fuse_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};

#endif

/* Numbers whose enum or macro may be missing; ours have names of their own. */
#define KERNEL_COPY_FILE_RANGE_64 53 /* opcode, 7.45 */
#define KERNEL_NOTIFY_INC_EPOCH   8  /* notification, 7.44: all cached names are asked for again */

#endif
