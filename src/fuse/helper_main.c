/* SPDX-License-Identifier: MIT */

/*
 * projfs-helper: waits for the end of the instance that started it, and cleans up (helper.h).
 *
 * It never touches the mount itself, not even with stat(): if nobody serves it, that would hang.  Nor does it wait
 * for the disk without a limit.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "fuse/attach.h"
#include "fuse/helper.h"
#include "fuse/mountinfo.h"

#define ABORT_GRACE_MS 2000
#define DETACH_TRIES 5
#define SYNC_DEADLINE_S 300

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* true: it ended in order. */
static bool wait_for_end(void)
{
	bool in_order = false;
	char byte;
	ssize_t n;

	while ((n = read(HELPER_SOCKET_FD, &byte, 1)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		in_order |= n == 1 && byte == HELPER_DETACHED;
	}
	return in_order;
}

static bool is_mounted(const char *mount_point, dev_t dev)
{
	bool projfs;
	dev_t now;

	return mountinfo_at(MOUNTINFO_PATH, mount_point, &now, &projfs) == 1 && projfs &&
	       now == dev;
}

static void detach_if_mounted(const char *mount_point, dev_t dev)
{
	for (int i = 0; i < DETACH_TRIES && is_mounted(mount_point, dev); i++) {
		if (i > 0)
			sleep_ms(50);
		/* not again: the number is free now, and the next mount here may have it already */
		if (detach(mount_point, true, NULL) == 0)
			return;
	}
}

/*
 * The files of our connection in fusectl, opened while it is there for sure: its number is that of the next mount as
 * soon as it ends, but these descriptors then lead to nothing.
 */
struct connection {
	int waiting_fd;
	int abort_fd;
};

static int open_control(dev_t dev, const char *name, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/%s", minor(dev), name);
	return open(path, flags | O_CLOEXEC);
}

/* A process that inherited the device keeps the connection, and all who wait for it, alive. */
static void abort_if_connected(const struct connection *connection)
{
	char byte;

	if (read(connection->waiting_fd, &byte, 1) != 1)
		return;
	sleep_ms(ABORT_GRACE_MS);
	(void)!write(connection->abort_fd, "1", 1);
}

static void flush_root(void)
{
	int fd = openat(HELPER_ROOT_FD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)alarm(SYNC_DEADLINE_S); /* ends us: there is nothing left to do */
	(void)syncfs(fd);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	unsigned dev_major, dev_minor;
	struct connection connection;
	dev_t dev;

	if (argc != 3 || sscanf(argv[2], "%u:%u", &dev_major, &dev_minor) != 2) {
		fprintf(stderr,
		        "usage: " HELPER_NAME " MOUNT_POINT MAJOR:MINOR (started by projfs, "
		        "not by people)\n");
		return 2;
	}
	if (fork() != 0)
		return 0;

	dev = makedev(dev_major, dev_minor);
	connection.waiting_fd = open_control(dev, "waiting", O_RDONLY);
	connection.abort_fd = open_control(dev, "abort", O_WRONLY);
	if (!wait_for_end()) {
		detach_if_mounted(argv[1], dev);
		abort_if_connected(&connection);
	}
	flush_root();
	return 0;
}
