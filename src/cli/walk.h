/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_WALK_H
#define PROJFS_CLI_WALK_H

/*
 * List directories, in byte order of their names, without following symbolic links.  The private folder
 * of a root that is not mounted is left out.
 */

#include <stdbool.h>
#include <sys/types.h>

#define WALK_SKIP 1

struct walk {
	bool is_recursive;
	bool one_file_system;
	/* One entry: @path begins with the top; @type is a DT_* value, never DT_UNKNOWN.  0 to go on, WALK_SKIP to
	 * go on without what is in this directory, negative to end the walk. */
	int (*entry)(void *context, const char *path, unsigned char type);
	/* A directory that cannot be read; the walk goes on. */
	void (*failed)(void *context, const char *path, int error);
	void *context;
};

/* What entry() returned, if that was negative; -ENOMEM; else 0. */
int walk_directory(const struct walk *w, const char *top);

#endif
