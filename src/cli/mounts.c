/* SPDX-License-Identifier: MIT */
#include "cli/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/overlap.h"
#include "util/clock.h"
#include "util/macros.h"

#define MOUNTINFO "/proc/self/mountinfo"
#define FS_TYPE "fuse.projfs"
#define TABLE_MAX (64u << 20) /* bytes; far beyond fs.mount-max lines */

/* "\040" and the like, in place */
static void unescape(char *text)
{
	char *out = text;

	for (char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static int append_entry(struct mounts *m, char *root, char *source, const char *super_options)
{
	const char *uid = strstr(super_options, "user_id=");
	struct mounts_entry *entries, entry = {0};

	entries = reallocarray(m->entries, m->n_entries + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	m->entries = entries;
	unescape(root);
	unescape(source);
	entry.root = strdup(root);
	entry.source = strdup(source);
	entry.uid = uid ? strtoul(uid + strlen("user_id="), NULL, 10) : 0;
	m->entries[m->n_entries++] = entry;
	return entry.root && entry.source ? 0 : -ENOMEM;
}

/* id parent dev root MOUNT-POINT options [tags...] - TYPE SOURCE SUPER-OPTIONS */
static int parse_line(struct mounts *m, char *line)
{
	char *fields[5], *save = NULL, *word = strtok_r(line, " ", &save);
	char *type, *source, *super_options;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = word;
		word = strtok_r(NULL, " ", &save);
	}
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " ", &save);
	if (!word)
		return 0;
	type = strtok_r(NULL, " ", &save);
	source = strtok_r(NULL, " ", &save);
	super_options = strtok_r(NULL, " ", &save);
	if (!super_options || strcmp(type, FS_TYPE) != 0)
		return 0;
	return append_entry(m, fields[4], source, super_options);
}

int mounts_parse(const char *text, struct mounts *ret)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *save = NULL;

	*ret = (struct mounts){0};
	if (!copy)
		return -ENOMEM;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = parse_line(ret, line);

		if (r < 0) {
			mounts_deinit(ret);
			return r;
		}
	}
	return 0;
}

static int read_all(int fd, char **ret_text)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		if (capacity - size < 4096) {
			char *larger = realloc(text, capacity * 2 + 16384);

			if (!larger || capacity > TABLE_MAX) {
				text = larger ? larger : text;
				return -ENOMEM;
			}
			text = larger;
			capacity = capacity * 2 + 16384;
		}
		n = pread(fd, text + size, capacity - size - 1, (off_t)size);
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (n == 0) {
			text[size] = '\0';
			*ret_text = steal_ptr(&text);
			return 0;
		}
	}
}

static int mounts_read_from(int fd, struct mounts *ret)
{
	_cleanup_(freep) char *text = NULL;
	int r = read_all(fd, &text);

	return r < 0 ? r : mounts_parse(text, ret);
}

int mounts_read(struct mounts *ret)
{
	_cleanup_(closep) int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : mounts_read_from(fd, ret);
}

void mounts_deinit(struct mounts *m)
{
	for (size_t i = 0; i < m->n_entries; i++) {
		free(m->entries[i].root);
		free(m->entries[i].source);
	}
	free(m->entries);
	*m = (struct mounts){0};
}

const struct mounts_entry *mounts_covering(const struct mounts *m, const char *path)
{
	const struct mounts_entry *best = NULL;

	for (size_t i = 0; i < m->n_entries; i++) {
		const struct mounts_entry *e = &m->entries[i];

		/* a later mount at the same place covers the former */
		if (path_position(path, e->root) &&
		    (!best || strlen(e->root) >= strlen(best->root)))
			best = e;
	}
	return best;
}

bool mounts_has_root(const struct mounts *m, const char *root)
{
	for (size_t i = 0; i < m->n_entries; i++)
		if (strcmp(m->entries[i].root, root) == 0)
			return true;
	return false;
}

int mount_wait_gone(const char *root, unsigned timeout_ms)
{
	uint64_t deadline_ms = clock_now_ms() + timeout_ms;
	_cleanup_(closep) int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd change = {.fd = fd, .events = POLLPRI};
		struct mounts mounts;
		uint64_t now;
		bool is_there;
		int r = mounts_read_from(fd, &mounts);

		if (r < 0)
			return r;
		is_there = mounts_has_root(&mounts, root);
		mounts_deinit(&mounts);
		if (!is_there)
			return 0;
		now = clock_now_ms();
		if (now >= deadline_ms)
			return -ETIMEDOUT;
		if (poll(&change, 1, (int)(deadline_ms - now)) < 0 && errno != EINTR)
			return -errno;
	}
}
