/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_CHANGE_H
#define PROJFS_FUSE_CHANGE_H

/* Requests that change something; dispatch.c has seen to it that their fixed part is there. */

struct call;

void change_setattr(const struct call *call);
void change_symlink(const struct call *call);
void change_mknod(const struct call *call);
void change_mkdir(const struct call *call);
void change_unlink(const struct call *call);
void change_rmdir(const struct call *call);
void change_rename(const struct call *call);
void change_rename2(const struct call *call);
void change_link(const struct call *call);
void change_write(const struct call *call);
void change_create(const struct call *call);
void change_tmpfile(const struct call *call);
void change_setxattr(const struct call *call);
void change_removexattr(const struct call *call);
void change_fallocate(const struct call *call);
void change_copy_range(const struct call *call);
void change_copy_range_64(const struct call *call);
void change_fsync(const struct call *call);

#endif
