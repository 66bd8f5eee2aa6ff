/* SPDX-License-Identifier: MIT */

/*
 * A directory is read to its end and closed before its sub-directories are entered, so that depth costs
 * no descriptors.
 */

#include "cli/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/macros.h"

struct listing {
	struct listing_entry {
		char *name;
		unsigned char type;
	} * entries;
	size_t n_entries;
	size_t capacity;
};

static void listing_deinit(struct listing *l)
{
	for (size_t i = 0; i < l->n_entries; i++)
		free(l->entries[i].name);
	free(l->entries);
}

static int listing_append(struct listing *l, const char *name, unsigned char type)
{
	char *copy;

	if (l->n_entries == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		void *entries = reallocarray(l->entries, capacity, sizeof(*l->entries));

		if (!entries)
			return -ENOMEM;
		l->entries = entries;
		l->capacity = capacity;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	l->entries[l->n_entries++] = (struct listing_entry){.name = copy, .type = type};
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct listing_entry *)a)->name,
		      ((const struct listing_entry *)b)->name);
}

static bool is_private(int dirfd, const char *name)
{
	/* below a root the name is an ordinary one */
	return strcmp(name, ".projfs") == 0 &&
	       (faccessat(dirfd, ".projfs/root", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		errno == EACCES);
}

static unsigned char entry_type(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_REG;
	return (unsigned char)IFTODT(st.st_mode);
}

static int read_listing(DIR *dir, struct listing *ret)
{
	struct dirent *entry;
	int r = 0;

	for (;;) {
		const char *name;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    is_private(dirfd(dir), name))
			continue;
		r = listing_append(ret, name, entry_type(dirfd(dir), entry));
		if (r < 0)
			return r;
	}
}

/* The entries of @path; *@device becomes its file system, or must be it if it is not 0. */
static int load(const struct walk *w, const char *path, bool is_top, dev_t *device,
		struct listing *ret)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_top ? 0 : O_NOFOLLOW);
	int fd = open(path, flags);
	struct stat st;
	DIR *dir;
	int r;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	if (fstat(fd, &st) < 0) {
		r = -errno;
	} else if (!is_top && w->one_file_system && st.st_dev != *device) {
		r = 0; /* somebody else's, mounted below */
	} else {
		*device = st.st_dev;
		r = read_listing(dir, ret);
	}
	(void)closedir(dir);
	if (ret->n_entries > 0)
		qsort(ret->entries, ret->n_entries, sizeof(*ret->entries), compare_entries);
	return r;
}

static int walk_one(const struct walk *w, const char *path, bool is_top, dev_t device)
{
	_cleanup_(listing_deinit) struct listing listing = {0};
	size_t length = strlen(path);
	int r = load(w, path, is_top, &device, &listing);

	if (r < 0)
		w->failed(w->context, path, -r);
	r = 0;
	for (size_t i = 0; i < listing.n_entries && r >= 0; i++) {
		const struct listing_entry *e = &listing.entries[i];
		_cleanup_(freep) char *child = NULL;

		if (asprintf(&child, "%s%s%s", path,
			     length > 0 && path[length - 1] == '/' ? "" : "/", e->name) < 0) {
			child = NULL;
			return -ENOMEM;
		}
		r = w->entry(w->context, child, e->type);
		if (r == 0 && w->is_recursive && e->type == DT_DIR)
			r = walk_one(w, child, false, device);
	}
	return MIN(r, 0);
}

int walk_directory(const struct walk *w, const char *top)
{
	return walk_one(w, top, true, 0);
}
