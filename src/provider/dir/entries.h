/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_ENTRIES_H
#define PROJFS_PROVIDER_DIR_ENTRIES_H

#include <prj/prj.h>
#include <stddef.h>

struct dir_provider;

struct entry {
	struct prj_file_basic_info info;
	const char *target; /* of a link, behind the name; else NULL */
	char name[];
};

/* What one directory holds, in the order of prj_file_name_compare(), each name once. */
struct entries {
	struct entry **items;
	size_t n_items;
	size_t n_allocated;
};

/*
 * Read the directory @path into @entries, which is all zeros.  Special files are left out, and counted.
 * entries_deinit() is right whatever this returns.
 */
prj_result entries_read(struct entries *entries, struct dir_provider *dir, const char *path);
void entries_deinit(struct entries *entries);

#endif
