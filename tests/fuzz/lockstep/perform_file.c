/* SPDX-License-Identifier: MIT */

/*
 * Operations on open files.  Every open has O_NONBLOCK, because a path may lead to a fifo.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "rng.h"
#include "side.h"

static long arg(const struct turn *turn, unsigned i)
{
	return turn->op->arg[i].n;
}

static void keep(struct turn *turn, int fd)
{
	struct slot *slot = turn_slot(turn, 0);

	if (fd < 0) {
		turn_result(turn, -1);
		return;
	}
	slot_close(slot);
	slot->fd = fd;
}

PERFORM(open)
{
	keep(turn, open(turn_path(turn, 1), (int)arg(turn, 2) | O_NONBLOCK | O_CLOEXEC,
	                (mode_t)arg(turn, 3)));
}

PERFORM(tmpfile)
{
	keep(turn, open(turn_path(turn, 1), O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)arg(turn, 2)));
}

PERFORM(close)
{
	slot_close(turn_slot(turn, 0));
}

/* Room for @size bytes that the outcome keeps. */
static uint8_t *room(struct turn *turn, size_t size)
{
	static const uint8_t zeros[4096];

	for (size_t done = 0; done < size; done += sizeof(zeros))
		buf_append(&turn->out->data, zeros, MIN(sizeof(zeros), size - done));
	return turn->out->data.failed ? NULL : turn->out->data.data;
}

static void read_result(struct turn *turn, ssize_t n)
{
	int error = errno;

	turn->out->data.size = n > 0 ? (size_t)n : 0;
	errno = error;
	turn_result(turn, n);
}

PERFORM(pread)
{
	uint8_t *data = room(turn, (size_t)arg(turn, 2));

	read_result(turn, pread(turn_slot(turn, 0)->fd, data, (size_t)arg(turn, 2), arg(turn, 1)));
}

PERFORM(read)
{
	uint8_t *data = room(turn, (size_t)arg(turn, 1));

	read_result(turn, read(turn_slot(turn, 0)->fd, data, (size_t)arg(turn, 1)));
}

static uint8_t *made_bytes(long seed, long size)
{
	uint8_t *data = malloc((size_t)size + 1);

	if (data)
		rng_fill((uint64_t)seed, data, (uint64_t)size);
	return data;
}

PERFORM(pwrite)
{
	_cleanup_(freep) uint8_t *data = made_bytes(arg(turn, 3), arg(turn, 2));

	turn_result(turn, pwrite(turn_slot(turn, 0)->fd, data, (size_t)arg(turn, 2), arg(turn, 1)));
}

PERFORM(write)
{
	_cleanup_(freep) uint8_t *data = made_bytes(arg(turn, 2), arg(turn, 1));

	turn_result(turn, write(turn_slot(turn, 0)->fd, data, (size_t)arg(turn, 1)));
}

PERFORM(seek)
{
	turn_result(turn, lseek(turn_slot(turn, 0)->fd, arg(turn, 1), SEEK_SET));
}

PERFORM(ftruncate)
{
	turn_result(turn, ftruncate(turn_slot(turn, 0)->fd, arg(turn, 1)));
}

PERFORM(fallocate)
{
	turn_result(turn, fallocate(turn_slot(turn, 0)->fd, (int)arg(turn, 1), arg(turn, 2),
	                            arg(turn, 3)));
}

/* How much one call copies is up to the file system: what all of them did is compared. */
PERFORM(copy)
{
	off_t from = arg(turn, 1), to = arg(turn, 3);
	size_t left = (size_t)arg(turn, 4);
	ssize_t n;

	do {
		n = copy_file_range(turn_slot(turn, 0)->fd, &from, turn_slot(turn, 2)->fd, &to,
		                    left, 0);
		if (n > 0)
			left -= (size_t)n;
	} while (n > 0 && left > 0);
	turn_result(turn, n < 0 ? n : arg(turn, 4) - (long)left);
}

static void *map_slot(const struct slot *slot)
{
	return mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, slot->fd, 0);
}

PERFORM(map)
{
	struct slot *slot = turn_slot(turn, 0);
	void *map;

	if (slot->map)
		return;
	map = map_slot(slot);
	if (map == MAP_FAILED)
		turn_result(turn, -1);
	else
		slot->map = map;
}

PERFORM(unmap)
{
	struct slot *slot = turn_slot(turn, 0);

	if (slot->map)
		(void)munmap(slot->map, MAP_SIZE);
	slot->map = NULL;
}

/*
 * The bytes of a mapping that lie in the file, -1 if it cannot be mapped.  Beyond the end, in its last page, a store
 * has no defined effect, and a read finds what such a store left.
 */
static long mapped_length(struct turn *turn, void **ret_map)
{
	struct slot *slot = turn_slot(turn, 0);
	long offset = MIN(arg(turn, 1), MAP_SIZE);
	struct stat st;

	*ret_map = slot->map ? slot->map : map_slot(slot);
	if (*ret_map == MAP_FAILED || fstat(slot->fd, &st) < 0) {
		turn_result(turn, -1);
		return -1;
	}
	return MAX(0, MIN(arg(turn, 2), MIN(MAP_SIZE, st.st_size) - offset));
}

static void end_map(struct turn *turn, void *map)
{
	if (map != turn_slot(turn, 0)->map)
		(void)munmap(map, MAP_SIZE);
}

PERFORM(mread)
{
	void *map;
	long length = mapped_length(turn, &map);

	if (length < 0)
		return;
	if (length > 0)
		buf_append(&turn->out->data, (uint8_t *)map + arg(turn, 1), (size_t)length);
	end_map(turn, map);
}

PERFORM(mwrite)
{
	_cleanup_(freep) uint8_t *data = made_bytes(arg(turn, 3), arg(turn, 2));
	void *map;
	long length = mapped_length(turn, &map);

	if (length < 0)
		return;
	if (length > 0)
		memcpy((uint8_t *)map + arg(turn, 1), data, (size_t)length);
	turn_result(turn, msync(map, MAP_SIZE, MS_SYNC));
	end_map(turn, map);
}

PERFORM(fstat)
{
	struct stat st;
	int r = fstat(turn_slot(turn, 0)->fd, &st);

	turn_result(turn, r);
	turn->out->is_text = true;
	if (r == 0)
		describe_stat(&st, &turn->out->data);
}

PERFORM(fchmod)
{
	turn_result(turn, fchmod(turn_slot(turn, 0)->fd, (mode_t)arg(turn, 1)));
}

PERFORM(fsync)
{
	turn_result(turn, fsync(turn_slot(turn, 0)->fd));
}

PERFORM(fdatasync)
{
	turn_result(turn, fdatasync(turn_slot(turn, 0)->fd));
}

/* Is what is open what has this name? */
PERFORM(same)
{
	struct stat open_st, st;

	if (fstat(turn_slot(turn, 0)->fd, &open_st) < 0 || stat(turn_path(turn, 1), &st) < 0)
		turn_result(turn, -1);
	else
		turn_result(turn, open_st.st_ino == st.st_ino && open_st.st_dev == st.st_dev);
}

PERFORM(linkfd)
{
	char link_path[64];

	snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", turn_slot(turn, 0)->fd);
	turn_result(turn,
	            linkat(AT_FDCWD, link_path, AT_FDCWD, turn_path(turn, 1), AT_SYMLINK_FOLLOW));
}
