/* SPDX-License-Identifier: MIT */
#include "cli/overlap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "util/macros.h"

int path_position(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (length > 0 && directory[length - 1] == '/')
		length--; /* "/" itself */
	if (strncmp(path, directory, length) != 0)
		return 0;
	if (path[length] == '\0' || (path[length] == '/' && path[length + 1] == '\0'))
		return 1;
	return path[length] == '/' ? 2 : 0;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is the directory @wanted an ancestor of @path (1), or @path itself (2)? 0 neither, negative errno. */
static int find_ancestor(const char *path, const struct stat *wanted)
{
	_cleanup_(closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st, parent_st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (same(&st, wanted))
		return 2;
	for (;;) {
		_cleanup_(closep) int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (parent < 0 || fstat(parent, &parent_st) < 0)
			return -errno;
		if (same(&parent_st, wanted))
			return 1;
		if (same(&parent_st, &st))
			return 0; /* the top is its own parent */
		st = parent_st;
		(void)close(fd);
		fd = steal_fd(&parent);
	}
}

static int compare_paths(const char *source, const char *root)
{
	_cleanup_(freep) char *real_source = realpath(source, NULL);
	_cleanup_(freep) char *real_root = NULL;
	int position;

	if (!real_source)
		return -errno;
	real_root = realpath(root, NULL);
	if (!real_root)
		return -errno;
	position = path_position(real_source, real_root);
	if (position == 1)
		return OVERLAP_SAME;
	if (position == 2)
		return OVERLAP_SOURCE_IN_ROOT;
	return path_position(real_root, real_source) == 2 ? OVERLAP_SOURCE_CONTAINS_ROOT
							  : OVERLAP_NONE;
}

int overlap_check(const char *source, const char *root)
{
	struct stat source_st, root_st;
	int r = compare_paths(source, root);

	if (r != OVERLAP_NONE)
		return r;
	if (stat(source, &source_st) < 0 || stat(root, &root_st) < 0)
		return -errno;
	r = find_ancestor(root, &source_st);
	if (r != 0)
		return r == 2 ? OVERLAP_SAME : r == 1 ? OVERLAP_SOURCE_CONTAINS_ROOT : r;
	r = find_ancestor(source, &root_st);
	return r == 1 ? OVERLAP_SOURCE_IN_ROOT : r;
}
