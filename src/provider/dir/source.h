/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_SOURCE_H
#define PROJFS_PROVIDER_DIR_SOURCE_H

#include <fcntl.h>
#include <prj/prj.h>
#include <sys/stat.h>

/* The directory that is projected.  Constant after source_init(). */
struct source {
	char *path; /* canonical and absolute */
	uint64_t inode; /* what is at the path has to be this directory, ... */
	struct statx_timestamp created; /* ... zeros where the file system does not keep it */
};

/*
 * Remember the directory at @path.  Returns 0 or a negative errno; source_deinit() is right in both cases.
 */
int source_init(struct source *source, const char *path);
void source_deinit(struct source *source);

/*
 * Open the item at @path ("" is the source itself), following no symbolic link on the way: the last one
 * can be opened with O_PATH.  @flags are those of open(2); O_CLOEXEC and O_NOFOLLOW are added.
 *
 * PRJ_ERR_VIRTUALIZATION_UNAVAILABLE: the source is not at its path now.
 * PRJ_ERR_FILE_NOT_FOUND: it is, and has no such item.
 */
prj_result source_open(const struct source *source, const char *path, uint64_t flags, int *ret_fd);

/*
 * What statx(2) says of @name in the directory @fd, links not followed; @name "" is the item @fd itself.
 * Returns 0 or a negative errno.
 */
int source_stat(int fd, const char *name, struct statx *ret);

/*
 * Read the target of the link @name in @fd (or of the link @fd, if @name is "") into @ret, PATH_MAX bytes.
 * Returns 0 or a negative errno.
 */
int source_read_link(int fd, const char *name, char *ret);

#endif
