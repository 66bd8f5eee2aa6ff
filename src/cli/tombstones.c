/* SPDX-License-Identifier: MIT */
#include "cli/tombstones.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "util/macros.h"
#include "util/name.h"

static int append_name(struct tombstones *t, const char *name)
{
	char **names = reallocarray(t->names, t->n_names + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	t->names = names;
	names[t->n_names] = strdup(name);
	if (!names[t->n_names])
		return -ENOMEM;
	t->n_names++;
	return 0;
}

int tombstones_append(struct tombstones *t, const struct core_ioctl_tombstones *page)
{
	size_t at = 0;
	int r = 0;

	if (page->n_bytes > sizeof(page->names))
		return -EPROTO;
	while (r == 0 && at < page->n_bytes) {
		const char *name = page->names + at;
		size_t length = strnlen(name, page->n_bytes - at);

		if (length == page->n_bytes - at || !name_is_valid(name, length))
			return -EPROTO;
		r = append_name(t, name);
		at += length + 1;
	}
	return r;
}

void tombstones_deinit(struct tombstones *t)
{
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t->names);
	*t = (struct tombstones){0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A name that was deleted between two pages may be in both. */
static void sort(struct tombstones *t)
{
	size_t n = 0;

	if (t->n_names == 0)
		return;
	qsort(t->names, t->n_names, sizeof(*t->names), compare_names);
	for (size_t i = 1; i < t->n_names; i++) {
		if (strcmp(t->names[n], t->names[i]) == 0)
			free(t->names[i]);
		else
			t->names[++n] = t->names[i];
	}
	t->n_names = n + 1;
}

static int read_pages(int fd, const char *relative, struct tombstones *t)
{
	_cleanup_(freep) struct core_ioctl_tombstones *page = calloc(1, sizeof(*page));
	int r;

	if (!page)
		return -ENOMEM;
	do {
		(void)snprintf(page->path, sizeof(page->path), "%s", relative);
		if (ioctl(fd, CORE_IOCTL_TOMBSTONES, page) < 0)
			return -errno;
		r = tombstones_append(t, page);
	} while (r == 0 && page->cookie != 0);
	return r;
}

int tombstones_read(const char *root, const char *relative, struct tombstones *ret)
{
	_cleanup_(closep) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tombstones t = {0};
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(relative) >= CORE_IOCTL_PATH_MAX)
		return -ENAMETOOLONG;
	r = read_pages(fd, relative, &t);
	if (r < 0) {
		tombstones_deinit(&t);
		return r;
	}
	sort(&t);
	*ret = t;
	return 0;
}
