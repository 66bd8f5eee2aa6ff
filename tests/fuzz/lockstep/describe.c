/* SPDX-License-Identifier: MIT */

/*
 * What can be seen of an item, as text: so that both sides are compared with memcmp(), and a difference can be read.
 * Left out is what may differ: inode numbers, times of access and change, blocks; of directories size and links.
 */

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "side.h"

#define XATTRS_SIZE 8192

void buf_text(struct buf *b, const char *format, ...)
{
	char text[4200];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		buf_append(b, text, MIN((size_t)n, sizeof(text) - 1));
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

void describe_stat(const struct stat *st, struct buf *b)
{
	buf_text(b, "%s %04o %u:%u", type_name(st->st_mode), st->st_mode & 07777, st->st_uid,
	         st->st_gid);
	if (!S_ISDIR(st->st_mode))
		buf_text(b, " size %lld links %lu", (long long)st->st_size,
		         (unsigned long)st->st_nlink);
	if (st->st_mtim.tv_sec < LAST_OLD_TIME)
		buf_text(b, " time %lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	else
		buf_text(b, " time now");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void describe_xattr(const char *path, const char *name, struct buf *b)
{
	uint8_t value[4096];
	ssize_t size = lgetxattr(path, name, value, sizeof(value));
	uint32_t sum = 0;

	if (size < 0) {
		buf_text(b, " %s: %s", name, strerrorname_np(errno));
		return;
	}
	for (ssize_t i = 0; i < size; i++)
		sum = sum * 31 + value[i];
	buf_text(b, " %s: %zd bytes %08x", name, size, sum);
}

void describe_xattrs(const char *path, struct buf *b)
{
	char list[XATTRS_SIZE];
	const char *names[64];
	size_t n_names = 0;
	ssize_t size = llistxattr(path, list, sizeof(list));

	if (size < 0) {
		buf_text(b, " attributes: %s", strerrorname_np(errno));
		return;
	}
	for (const char *name = list; name < list + size; name += strlen(name) + 1)
		if (n_names < ARRAY_SIZE(names) && strncmp(name, "user.", 5) == 0)
			names[n_names++] = name;
	qsort(names, n_names, sizeof(*names), compare_names);
	for (size_t i = 0; i < n_names; i++)
		describe_xattr(path, names[i], b);
}

static int any_but_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A file system need not say what it lists; the next question is lstat() then. */
mode_t entry_type(const char *directory, const struct dirent *entry)
{
	char path[8192];
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return DTTOIF(entry->d_type);
	snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
	return lstat(path, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

int describe_names(const char *path, struct buf *b)
{
	struct dirent **entries;
	int n = scandir(path, &entries, any_but_dots, by_bytes);

	if (n < 0)
		return errno;
	for (int i = 0; i < n; i++) {
		buf_text(b, "%s %s\n", entries[i]->d_name, type_name(entry_type(path, entries[i])));
		free(entries[i]);
	}
	free(entries);
	return 0;
}
