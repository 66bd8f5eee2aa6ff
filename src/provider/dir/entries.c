/* SPDX-License-Identifier: MIT */
/*
 * projfs wants the entries of a directory in an order that is not the directory's own, so that all of them
 * are read first.  The metadata comes along: readers of a listing mostly want it next.
 */

#include "entries.h"

#include "dir.h"
#include "item.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An item that is a link when it is looked at, and none when it is read, is looked at again. */
#define STAT_TRIES 4

static int stat_entry(int dir_fd, const char *name, struct statx *ret_st, char *ret_target)
{
	int r;

	for (int tries = 0; tries < STAT_TRIES; tries++) {
		r = source_stat(dir_fd, name, ret_st);
		if (r < 0 || !S_ISLNK(ret_st->stx_mode))
			return r;
		r = source_read_link(dir_fd, name, ret_target);
		if (r != -EINVAL)
			return r;
	}
	return r;
}

static int append(struct entries *entries, const char *name, const struct statx *st,
                  const char *target)
{
	size_t name_size = strlen(name) + 1;
	size_t target_size = target ? strlen(target) + 1 : 0;
	struct entry *entry;

	if (entries->n_items == entries->n_allocated) {
		size_t n = entries->n_allocated ? 2 * entries->n_allocated : 32;
		struct entry **items = reallocarray(entries->items, n, sizeof(*items));

		if (!items)
			return -ENOMEM;
		entries->items = items;
		entries->n_allocated = n;
	}
	entry = malloc(sizeof(*entry) + name_size + target_size);
	if (!entry)
		return -ENOMEM;
	item_fill_basic_info(st, &entry->info);
	entry->target = NULL;
	memcpy(entry->name, name, name_size);
	if (target)
		entry->target = memcpy(entry->name + name_size, target, target_size);
	entries->items[entries->n_items++] = entry;
	return 0;
}

/* A name that vanishes after it was read has never been there. */
static int read_entry(struct entries *entries, struct left_out *left_out, int dir_fd,
                      const char *name)
{
	char target[PATH_MAX];
	struct statx st;
	int r;

	r = stat_entry(dir_fd, name, &st, target);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!item_is_shown(&st)) {
		left_out_add_special(left_out, &st);
		return 0;
	}
	return append(entries, name, &st, S_ISLNK(st.stx_mode) ? target : NULL);
}

static int read_entries(struct entries *entries, struct left_out *left_out, DIR *stream,
                        bool is_top)
{
	bool has_reserved_name = false;
	struct dirent *d;
	int r;

	for (;;) {
		errno = 0;
		d = readdir(stream);
		if (!d)
			break;
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (is_top && !strcmp(d->d_name, DIR_RESERVED_NAME)) {
			has_reserved_name = true;
			continue;
		}
		r = read_entry(entries, left_out, dirfd(stream), d->d_name);
		if (r < 0)
			return r;
	}
	if (errno)
		return -errno;
	if (is_top)
		left_out_set_reserved_name(left_out, has_reserved_name);
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const char *name_a = (*(struct entry *const *)a)->name;
	const char *name_b = (*(struct entry *const *)b)->name;
	int order = prj_file_name_compare(name_a, name_b);

	return order ? order : strcmp(name_a, name_b);
}

/* A directory that changes while it is read may give a name twice. */
static void sort_entries(struct entries *entries)
{
	size_t n = 0;

	if (!entries->n_items)
		return;
	qsort(entries->items, entries->n_items, sizeof(*entries->items), compare_entries);
	for (size_t i = 1; i < entries->n_items; i++) {
		if (!strcmp(entries->items[i]->name, entries->items[n]->name))
			free(entries->items[i]);
		else
			entries->items[++n] = entries->items[i];
	}
	entries->n_items = n + 1;
}

static prj_result read_stream(struct entries *entries, struct left_out *left_out, DIR *stream,
                              bool is_top)
{
	int r;

	r = read_entries(entries, left_out, stream, is_top);
	if (r < 0)
		return prj_result_from_errno(-r);
	sort_entries(entries);
	return PRJ_OK;
}

prj_result entries_read(struct entries *entries, struct dir_provider *dir, const char *path)
{
	prj_result result;
	DIR *stream;
	int fd;

	result = source_open(&dir->source, path, O_RDONLY | O_DIRECTORY | O_NOATIME, &fd);
	if (PRJ_FAILED(result))
		return result;
	stream = fdopendir(fd);
	if (!stream) {
		result = prj_result_from_errno(errno);
		(void)close(fd);
		return result;
	}
	result = read_stream(entries, &dir->left_out, stream, !*path);
	(void)closedir(stream);
	return result;
}

void entries_deinit(struct entries *entries)
{
	for (size_t i = 0; i < entries->n_items; i++)
		free(entries->items[i]);
	free(entries->items);
}
