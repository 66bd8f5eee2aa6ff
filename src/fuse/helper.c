/* SPDX-License-Identifier: MIT */
#include "fuse/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "util/macros.h"

extern char **environ;

static int describe_child(posix_spawn_file_actions_t *actions, int socket_fd, int root_fd)
{
	int r;

	r = posix_spawn_file_actions_adddup2(actions, socket_fd, HELPER_SOCKET_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, root_fd, HELPER_ROOT_FD);
	for (int fd = 0; fd < 3 && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, HELPER_ROOT_FD + 1);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(actions, "/");
	return r;
}

/* Its own session, and no signal blocked or ignored because we do so. */
static int describe_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
	                                                    POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const char *program, char *const argv[], int socket_fd, int root_fd,
                 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = describe_child(&actions, socket_fd, root_fd);
	if (r == 0)
		r = describe_signals(&attributes);
	if (r == 0)
		r = posix_spawn(ret_pid, program, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

int helper_start(const char *mount_point, dev_t dev, int root_fd, int *ret_socket_fd,
                 struct errmsg *err)
{
	const char *program = secure_getenv("PROJFS_HELPER");
	_cleanup_(closep) int theirs = -1, ours = -1, root = -1;
	char dev_text[32];
	char *argv[] = {HELPER_NAME, (char *)mount_point, dev_text, NULL};
	int fds[2], r, status;
	pid_t pid;

	if (!program)
		program = PROJFS_HELPER_PATH "/" HELPER_NAME;
	(void)snprintf(dev_text, sizeof(dev_text), "%u:%u", major(dev), minor(dev));

	/* Not a pipe: writing to one whose reader was killed raises SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return errmsg_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	ours = fds[1];
	/* Above the numbers that they will have in the helper, so that no dup2() hits the other. */
	theirs = fcntl(fds[0], F_DUPFD_CLOEXEC, HELPER_ROOT_FD + 1);
	(void)close(fds[0]);
	root = fcntl(root_fd, F_DUPFD_CLOEXEC, HELPER_ROOT_FD + 1);
	if (theirs < 0 || root < 0)
		return errmsg_set(err, -EMFILE, "too many open files");

	r = spawn(program, argv, theirs, root, &pid);
	if (r < 0)
		return errmsg_set(err, r,
		                  "cannot start '%s': %s; install projfs completely, or set "
		                  "PROJFS_HELPER to where that program is",
		                  program, strerror(-r));
	/* It forks at once: what stays is nobody's child, and no zombie of ours. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_socket_fd = steal_fd(&ours);
	return 0;
}
