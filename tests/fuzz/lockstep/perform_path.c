/* SPDX-License-Identifier: MIT */

/*
 * Operations on paths.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "rng.h"
#include "side.h"

static long arg(const struct turn *turn, unsigned i)
{
	return turn->op->arg[i].n;
}

PERFORM(truncate)
{
	const char *path = turn_path(turn, 0);
	int fd;

	turn_result(turn, truncate(path, arg(turn, 1)));
	if (turn->side != 0 || !turn->world->sabotage ||
	    strcmp(turn->world->sabotage, "truncate") != 0)
		return;
	fd = open(path,
	          O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* so that the fuzzer has something to find */
	if (fd >= 0 && arg(turn, 1) > 1000 && pwrite(fd, "X", 1, 7) < 0)
		turn_result(turn, -1);
	closep(&fd);
}

PERFORM(unlink)
{
	turn_result(turn, unlink(turn_path(turn, 0)));
}

PERFORM(rmdir)
{
	turn_result(turn, rmdir(turn_path(turn, 0)));
}

PERFORM(mkdir)
{
	turn_result(turn, mkdir(turn_path(turn, 0), (mode_t)arg(turn, 1)));
}

PERFORM(symlink)
{
	turn_result(turn, symlink(turn->op->arg[0].text, turn_path(turn, 1)));
}

PERFORM(link)
{
	turn_result(turn, link(turn_path(turn, 0), turn_path(turn, 1)));
}

PERFORM(rename)
{
	turn_result(turn, renameat2(AT_FDCWD, turn_path(turn, 0), AT_FDCWD, turn_path(turn, 1),
	                            (unsigned)arg(turn, 2)));
}

PERFORM(mknod)
{
	turn_result(turn,
	            mknod(turn_path(turn, 0), (mode_t)(arg(turn, 1) | (arg(turn, 2) & 0777)), 0));
}

/* ---- metadata ------------------------------------------------------------------------------- */

PERFORM(chmod)
{
	turn_result(turn, chmod(turn_path(turn, 0), (mode_t)arg(turn, 1)));
}

PERFORM(chown)
{
	turn_result(turn, lchown(turn_path(turn, 0), (uid_t)arg(turn, 1), (gid_t)arg(turn, 2)));
}

/* -1 is now, -2 leaves it. */
static void make_times(long when, struct timespec times[2])
{
	times[0] = times[1] = (struct timespec){when, when * 7919 % 1000000000};
	if (when == -1)
		times[0].tv_nsec = times[1].tv_nsec = UTIME_NOW;
	if (when == -2)
		times[1].tv_nsec = UTIME_OMIT;
	if (when < 0)
		times[0].tv_sec = times[1].tv_sec = 0;
	if (when == -2)
		times[0].tv_nsec = 5;
}

PERFORM(utimens)
{
	struct timespec times[2];

	make_times(arg(turn, 1), times);
	turn_result(turn, utimensat(AT_FDCWD, turn_path(turn, 0), times, AT_SYMLINK_NOFOLLOW));
}

PERFORM(futimens)
{
	struct timespec times[2];

	make_times(arg(turn, 1), times);
	turn_result(turn, futimens(turn_slot(turn, 0)->fd, times));
}

static const char *attribute(const struct turn *turn)
{
	static const char *const names[] = {"user.a", "user.b", "user.lockstep.longer",
	                                    "user.\xc3\xbc"};

	return names[(unsigned long)arg(turn, 1) % ARRAY_SIZE(names)];
}

PERFORM(setx)
{
	uint8_t value[4096];
	size_t size = MIN((size_t)arg(turn, 2), sizeof(value));

	rng_fill((uint64_t)arg(turn, 3), value, size);
	turn_result(turn,
	            lsetxattr(turn_path(turn, 0), attribute(turn), value, size, (int)arg(turn, 4)));
}

PERFORM(getx)
{
	uint8_t value[4096];
	ssize_t n = lgetxattr(turn_path(turn, 0), attribute(turn), value, sizeof(value));

	turn_result(turn, n);
	if (n > 0)
		buf_append(&turn->out->data, value, (size_t)n);
}

PERFORM(rmx)
{
	turn_result(turn, lremovexattr(turn_path(turn, 0), attribute(turn)));
}

PERFORM(listx)
{
	turn->out->is_text = true;
	describe_xattrs(turn_path(turn, 0), &turn->out->data);
}

PERFORM(stat)
{
	struct stat st;
	int r = lstat(turn_path(turn, 0), &st);

	turn_result(turn, r);
	turn->out->is_text = true;
	if (r == 0)
		describe_stat(&st, &turn->out->data);
}

PERFORM(readlink)
{
	char target[4096];
	ssize_t n = readlink(turn_path(turn, 0), target, sizeof(target));

	turn_result(turn, n);
	turn->out->is_text = true;
	if (n > 0)
		buf_append(&turn->out->data, target, (size_t)n);
}

PERFORM(list)
{
	turn->out->is_text = true;
	errno = describe_names(turn_path(turn, 0), &turn->out->data);
	turn_result(turn, errno ? -1 : 0);
}

/* ---- what programs do ------------------------------------------------------------------------ */

PERFORM(cat)
{
	_cleanup_(closep) int fd = open(turn_path(turn, 0), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint8_t piece[65536];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
		buf_append(&turn->out->data, piece, (size_t)n);
	turn_result(turn, n);
}

/* As editors save: a new file beside it, synced, renamed over it. */
PERFORM(save)
{
	const char *path = turn_path(turn, 0);
	char beside[8192];
	_cleanup_(freep) uint8_t *data = malloc((size_t)arg(turn, 1) + 1);
	_cleanup_(closep) int fd = -1;

	snprintf(beside, sizeof(beside), "%s~", path);
	rng_fill((uint64_t)arg(turn, 2), data, (uint64_t)arg(turn, 1));
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data, (size_t)arg(turn, 1)) < 0 || fsync(fd) < 0 ||
	    rename(beside, path) < 0)
		turn_result(turn, -1);
}

PERFORM(rmtree)
{
	errno = tree_remove(turn_path(turn, 0));
	turn_result(turn, errno ? -1 : 0);
}

PERFORM(fsyncdir)
{
	_cleanup_(closep) int fd = open(turn_path(turn, 0), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	turn_result(turn, fd < 0 ? -1 : fsync(fd));
}
