/* SPDX-License-Identifier: MIT */
/*
 * Files of our own in .projfs/: small, replaced whole (written beside, synced, renamed), read whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"
#include "util/name.h"

void private_name(struct store *s, char ret[PRIVATE_NAME_SIZE])
{
	(void)snprintf(ret, PRIVATE_NAME_SIZE, "%016" PRIx64,
	               (uint64_t)atomic_fetch_add(&s->next_name, 1));
}

int write_all(int fd, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int read_all(int fd, size_t max, struct buf *ret)
{
	uint8_t block[4096];

	for (;;) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if ((size_t)n > max)
			return -EFBIG;
		max -= (size_t)n;
		buf_append(ret, block, (size_t)n);
		if (ret->failed)
			return -ENOMEM;
	}
}

static int write_synced(int dir, const char *name, const void *data, size_t size)
{
	_cleanup_(closep) int fd = -1;
	int r;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int private_save(struct store *s, const char *name, const void *data, size_t size)
{
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	store_step();
	r = write_synced(tmp, temporary, data, size);
	if (r == 0) {
		store_step();
		r = renameat(tmp, temporary, s->private, name) < 0 ? -errno : 0;
	}
	if (r < 0) {
		(void)unlinkat(tmp, temporary, 0);
		return r;
	}
	return fsync(s->private) < 0 ? -errno : 0;
}

int private_load(const struct store *s, const char *name, struct buf *ret)
{
	_cleanup_(closep) int fd = -1;

	fd = openat(s->private, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	return read_all(fd, PRIVATE_FILE_MAX, ret);
}

/* Names that mean something else in .projfs. */
static bool blob_name_is_valid(const char *name)
{
	static const char *const reserved[] = {"root",      "lock",  "epoch",  "tmp",   "old",
	                                       "partial",   "rec",   "intent", "probe", "conflicts",
	                                       "recovered", "moved", "open",
	                                       "generations"};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (strcmp(name, reserved[i]) == 0)
			return false;
	}
	return name_is_valid(name, strlen(name));
}

int store_save_blob(struct store *s, const char *name, const void *data, size_t size)
{
	if (s->readonly)
		return -EROFS;
	if (!blob_name_is_valid(name))
		return -EINVAL;
	if (size > PRIVATE_FILE_MAX)
		return -EFBIG;
	return private_save(s, name, data, size);
}

int store_load_blob(struct store *s, const char *name, struct buf *ret)
{
	if (!blob_name_is_valid(name))
		return -EINVAL;
	return private_load(s, name, ret);
}
