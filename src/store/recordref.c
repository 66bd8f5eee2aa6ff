/* SPDX-License-Identifier: MIT */
/*
 * A record that is too big for an attribute or a link target lies in .projfs/rec/<16 hex digits>; in
 * its place stands a short one that refers to it.  The file is written before the reference, so a
 * crash leaves at most a file that nobody refers to.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "store/internal.h"

#define FOLDER "rec"

struct ref_name {
	char text[sizeof(FOLDER) + 17];
};

static struct ref_name ref_name(uint64_t ref)
{
	struct ref_name n;

	(void)snprintf(n.text, sizeof(n.text), FOLDER "/%016" PRIx64, ref);
	return n;
}

/* References travel with their files, even into other roots: random numbers do not meet. */
static int create(struct store *s, uint64_t *ret_ref)
{
	for (;;) {
		uint64_t ref = 0;
		int fd;

		if (getrandom(&ref, sizeof(ref), 0) != sizeof(ref))
			return -EIO;
		fd = openat(s->private, ref_name(ref).text,
		            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd >= 0)
			*ret_ref = ref;
		return fd < 0 ? -errno : fd;
	}
}

int recordref_write(struct store *s, const struct buf *encoded, bool durable, uint64_t *ret_ref)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int fd = -1;
	uint64_t ref = 0;
	int r;

	folder = disk_open_private(s, FOLDER);
	if (folder < 0)
		return folder;
	fd = create(s, &ref);
	if (fd < 0)
		return fd;
	atomic_store(&s->has_records, true);
	r = write_all(fd, encoded->data, encoded->size);
	if (r == 0 && durable && (fsync(fd) < 0 || fsync(folder) < 0))
		r = -errno;
	if (r < 0) {
		recordref_remove(s, ref);
		return r;
	}
	*ret_ref = ref;
	return 0;
}

int recordref_load(const struct store *s, uint64_t ref, struct buf *ret)
{
	_cleanup_(closep) int fd = -1;

	fd = openat(s->private, ref_name(ref).text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	return read_all(fd, RECORD_ENCODED_MAX, ret);
}

void recordref_remove(const struct store *s, uint64_t ref)
{
	/* What stays behind takes room and does no harm. */
	if (ref)
		(void)unlinkat(s->private, ref_name(ref).text, 0);
}
