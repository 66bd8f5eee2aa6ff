/* SPDX-License-Identifier: MIT */
#include "fuse/mountinfo.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Space, tab, newline and backslash appear as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* 36 35 98:0 /in/the/fs /mount/point rw,noatime shared:1 - type source rw
 * with any number of fields like shared:1. */
bool mountinfo_parse(char *line, struct mountinfo_entry *ret)
{
	char *save = NULL, *field, *type;
	char *mount_point = NULL;
	unsigned dev_major = 0, dev_minor = 0;
	int i = 0;

	for (field = strtok_r(line, " \n", &save); field; field = strtok_r(NULL, " \n", &save)) {
		if (i == 2 && sscanf(field, "%u:%u", &dev_major, &dev_minor) != 2)
			return false;
		if (i == 4)
			mount_point = field;
		if (i >= 6 && strcmp(field, "-") == 0)
			break;
		i++;
	}
	type = field ? strtok_r(NULL, " \n", &save) : NULL;
	if (!type)
		return false;
	unescape(mount_point);
	unescape(type);
	*ret = (struct mountinfo_entry){
	        .dev = makedev(dev_major, dev_minor),
	        .mount_point = mount_point,
	        .type = type,
	};
	return true;
}

/* Calls @each for every mount, in the order in which they were made. */
static int for_each(const char *file, void (*each)(void *context, const struct mountinfo_entry *e),
                    void *context)
{
	struct mountinfo_entry entry;
	char *line = NULL;
	size_t size = 0;
	FILE *f;
	int r = 0;

	f = fopen(file, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0)
		if (mountinfo_parse(line, &entry))
			each(context, &entry);
	if (ferror(f))
		r = -EIO;
	free(line);
	(void)fclose(f);
	return r;
}

struct search {
	const char *path;
	char *mount_point; /* covering: the longest so far, PATH_MAX bytes */
	bool found;
	bool projfs;
	dev_t dev;
};

static void match_exactly(void *context, const struct mountinfo_entry *e)
{
	struct search *s = context;

	if (strcmp(e->mount_point, s->path) != 0)
		return;
	s->found = true;
	s->dev = e->dev;
	s->projfs = strcmp(e->type, PROJFS_FSTYPE) == 0;
}

int mountinfo_at(const char *file, const char *mount_point, dev_t *ret_dev, bool *ret_projfs)
{
	struct search s = {.path = mount_point};
	int r = for_each(file, match_exactly, &s);

	if (r < 0)
		return r;
	if (!s.found)
		return 0;
	*ret_dev = s.dev;
	*ret_projfs = s.projfs;
	return 1;
}

static bool path_covers(const char *mount_point, const char *path)
{
	size_t length = strlen(mount_point);

	if (length == 1) /* "/" */
		return path[0] == '/';
	return strncmp(path, mount_point, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

static void match_longest(void *context, const struct mountinfo_entry *e)
{
	struct search *s = context;
	size_t length = strlen(e->mount_point);

	if (!path_covers(e->mount_point, s->path) || length >= PATH_MAX ||
	    (s->found && length < strlen(s->mount_point)))
		return;
	s->found = true;
	s->projfs = strcmp(e->type, PROJFS_FSTYPE) == 0;
	memcpy(s->mount_point, e->mount_point, length + 1);
}

int mountinfo_covering(const char *file, const char *path, char *ret_mount_point, bool *ret_projfs)
{
	char longest[PATH_MAX];
	struct search s = {.path = path, .mount_point = longest};
	int r = for_each(file, match_longest, &s);

	if (r < 0)
		return r;
	if (!s.found)
		return 0;
	strcpy(ret_mount_point, longest);
	*ret_projfs = s.projfs;
	return 1;
}
