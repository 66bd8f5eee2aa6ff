/* SPDX-License-Identifier: MIT */
#include "control/rundir.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util/hash.h"
#include "util/macros.h"

/* Fixed: the command must find the name that the instance chose. */
static const struct hash_key socket_key = {0x70726f6a66732d63ull, 0x6f6e74726f6c2d31ull};

void rundir_socket_name(const char *root_path, char ret_name[RUNDIR_NAME_SIZE])
{
	(void)snprintf(ret_name, RUNDIR_NAME_SIZE, "%016" PRIx64 ".sock",
		       hash_bytes(&socket_key, root_path, strlen(root_path)));
}

int rundir_is_socket_name(const char *name)
{
	for (int i = 0; i < 16; i++)
		if (!isxdigit((unsigned char)name[i]))
			return 0;
	return strcmp(name + 16, ".sock") == 0;
}

/* Somebody else's directory (as after su) is no place for our sockets: they could replace them. */
static bool is_ours(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int candidate_path(unsigned candidate, char ret_path[PATH_MAX])
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n = 0;

	if (candidate == 0) {
		if (!xdg || xdg[0] != '/' || !is_ours(xdg))
			return -ENOENT;
		n = snprintf(ret_path, PATH_MAX, "%s/projfs", xdg);
	} else if (candidate == 1) {
		if (geteuid() != 0)
			return -ENOENT;
		n = snprintf(ret_path, PATH_MAX, "/run/projfs");
	} else {
		n = snprintf(ret_path, PATH_MAX, "/tmp/projfs-%lu", (unsigned long)geteuid());
	}
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_checked(const char *path)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
		return -errno;
	return steal_fd(&fd);
}

int rundir_open(unsigned candidate)
{
	char path[PATH_MAX];
	int r = candidate_path(candidate, path);

	return r < 0 ? r : open_checked(path);
}

int rundir_create(struct errmsg *err)
{
	char path[PATH_MAX] = "";
	int r = -ENOENT;

	for (unsigned i = 0; i < RUNDIR_CANDIDATES; i++) {
		if (candidate_path(i, path) < 0)
			continue;
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			r = -errno;
			continue;
		}
		r = open_checked(path);
		if (r >= 0)
			return r;
	}
	return errmsg_set(err, r,
			  "cannot use '%s' for control sockets: %s; set XDG_RUNTIME_DIR to a "
			  "directory of your own",
			  path, r == -EPERM ? "it belongs to somebody else" : strerror(-r));
}

int rundir_address(int dirfd, const char *name, struct sockaddr_un *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dirfd,
			 name);

	if (n >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret = address;
	return 0;
}
