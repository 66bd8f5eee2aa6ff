/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/mounts.h"
#include "util/macros.h"

/* Append one component to an absolute path. */
static int append_component(char path[PATH_MAX], const char *name, size_t length)
{
	size_t size = strlen(path);

	if (length == 0 || (length == 1 && name[0] == '.'))
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0) {
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = '\0';
		return 0;
	}
	if (size + 1 + length + 1 > PATH_MAX)
		return -ENAMETOOLONG;
	path[size] = '/';
	memcpy(path + size + 1, name, length);
	path[size + 1 + length] = '\0';
	return 0;
}

static int append_components(char path[PATH_MAX], const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "/");
		int r = append_component(path, text, length);

		if (r < 0)
			return r;
		text += length;
		if (*text == '/')
			text++;
	}
	return 0;
}

int path_make_absolute(const char *path, char ret_path[PATH_MAX])
{
	char result[PATH_MAX] = "", cwd[PATH_MAX];
	int r = 0;

	if (path[0] == '\0')
		return -ENOENT;
	if (path[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		r = append_components(result, cwd);
	}
	if (r == 0)
		r = append_components(result, path);
	if (r < 0)
		return r;
	(void)snprintf(ret_path, PATH_MAX, "%s", result[0] ? result : "/");
	return 0;
}

int path_resolve_parent(const char *absolute, char ret_path[PATH_MAX])
{
	_cleanup_(freep) char *copy = strdup(absolute), *parent = NULL;
	const char *name = strrchr(absolute, '/') + 1;
	int n;

	if (!copy)
		return -ENOMEM;
	copy[name - absolute] = '\0';
	parent = realpath(copy, NULL);
	if (!parent)
		return -errno;
	n = snprintf(ret_path, PATH_MAX, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int path_resolve_root(const char *path, char ret_path[PATH_MAX])
{
	char absolute[PATH_MAX], resolved[PATH_MAX];
	const char *found = NULL;
	struct mounts mounts;
	int r = path_make_absolute(path, absolute);

	if (r < 0)
		return r;
	r = mounts_read(&mounts);
	if (r < 0)
		return r;
	/* a mount point of ours is better not touched: it may be dead or stuck */
	if (mounts_has_root(&mounts, absolute))
		found = absolute;
	else if (path_resolve_parent(absolute, resolved) == 0 && mounts_has_root(&mounts, resolved))
		found = resolved;
	mounts_deinit(&mounts);
	if (found)
		(void)snprintf(ret_path, PATH_MAX, "%s", found);
	else if (!realpath(path, ret_path))
		return -errno;
	return 0;
}
