/* SPDX-License-Identifier: MIT */

/*
 * It hands the descriptor over on a socket whose number is in _FUSE_COMMFD.  The child gets nothing of ours but
 * that socket and a pipe for its complaints.
 */

#include "fuse/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "util/macros.h"

#define PROGRAM "fusermount3"
#define COMM_FD 3

extern char **environ;

struct child {
	pid_t pid;
	int complaints_fd;
};

/* Our environment and _FUSE_COMMFD.  The strings are not copied. */
static char **child_environment(void)
{
	static char comm[] = "_FUSE_COMMFD=3";
	size_t n = 0;
	char **env;

	while (environ && environ[n])
		n++;
	env = malloc((n + 2) * sizeof(*env));
	if (!env)
		return NULL;
	env[0] = comm;
	for (size_t i = 0; i < n; i++)
		env[i + 1] = environ[i];
	env[n + 1] = NULL;
	return env;
}

/* Descriptors in the child: 0 and 1 /dev/null, 2 the pipe, 3 the socket (-1: none), no other. */
static int set_up_descriptors(posix_spawn_file_actions_t *actions, int complaints_fd, int comm_fd)
{
	int r;

	r = posix_spawn_file_actions_adddup2(actions, complaints_fd, 2);
	if (r == 0 && comm_fd >= 0)
		r = posix_spawn_file_actions_adddup2(actions, comm_fd, COMM_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions,
		                                             comm_fd >= 0 ? COMM_FD + 1 : 3);
	return r;
}

/* Both ends above the descriptors that the child rearranges. */
static int high_pipe(int ret_fds[2])
{
	int low[2];

	if (pipe2(low, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		ret_fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, COMM_FD + 1);
		(void)close(low[i]);
	}
	if (ret_fds[0] >= 0 && ret_fds[1] >= 0)
		return 0;
	closep(&ret_fds[0]);
	closep(&ret_fds[1]);
	return -EMFILE;
}

static int child_start(char *const argv[], int comm_fd, struct child *ret, struct errmsg *err)
{
	_cleanup_(freep) char **env = child_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int fds[2] = {-1, -1}, r;

	if (!env)
		return errmsg_set(err, -ENOMEM, "out of memory");
	r = high_pipe(fds);
	if (r < 0)
		return errmsg_set(err, r, "cannot make a pipe: %s", strerror(-r));

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = set_up_descriptors(&actions, fds[1], comm_fd);
	if (r == 0)
		r = posix_spawnp(&ret->pid, PROGRAM, &actions, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	(void)close(fds[1]);
	if (r == 0) {
		ret->complaints_fd = fds[0];
		return 0;
	}
	(void)close(fds[0]);
	if (r == ENOENT)
		return errmsg_set(err, -ENOENT,
		                  PROGRAM " is not installed, and only root can mount without it; "
		                          "install the package fuse3");
	return errmsg_set(err, -r, "cannot run " PROGRAM ": %s", strerror(r));
}

/* Collect what it says until it ends; cut to one line. 0 if it succeeded. */
static int child_finish(struct child *c, char *ret_complaint, size_t size)
{
	size_t used = 0;
	int status = 0;

	for (;;) {
		char rest[256];
		bool full = used + 1 >= size;
		ssize_t n = read(c->complaints_fd, full ? rest : ret_complaint + used,
		                 full ? sizeof(rest) : size - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += full ? 0 : (size_t)n;
	}
	ret_complaint[used] = '\0';
	ret_complaint[strcspn(ret_complaint, "\n")] = '\0';
	(void)close(c->complaints_fd);

	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR) /* somebody else reaps our children: believe what it said */
			return used > 0 ? -EIO : 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int receive_descriptor(int socket_fd)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
	        .msg_iov = &iov,
	        .msg_iovlen = 1,
	        .msg_control = control,
	        .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EIO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int explain_mount(const char *path, const char *complaint, struct errmsg *err)
{
	if (strstr(complaint, "user_allow_other"))
		return errmsg_set(
		        err, -EPERM,
		        "cannot mount on '%s' for other users too: write the line "
		        "user_allow_other into /etc/fuse.conf, or mount without allow_other",
		        path);
	if (strstr(complaint, "/dev/fuse") && strstr(complaint, strerror(EACCES)))
		return errmsg_set(err, -EACCES,
		                  "cannot mount on '%s': %s; only root may open it until root says "
		                  "`chmod 666 /dev/fuse`",
		                  path, complaint);
	if (strstr(complaint, "/dev/fuse") || strstr(complaint, "fuse device"))
		return errmsg_set(err, -ENODEV, "cannot mount on '%s': %s", path, complaint);
	return errmsg_set(err, -EPERM, "cannot mount on '%s': %s", path,
	                  *complaint ? complaint : PROGRAM " failed and did not say why");
}

int fusermount_mount(const char *path, const char *options, int *ret_fd, struct errmsg *err)
{
	char *argv[] = {PROGRAM, "-o", (char *)options, "--", (char *)path, NULL};
	_cleanup_(closep) int ours = -1, theirs = -1;
	_cleanup_(closep) int fd = -1;
	char complaint[512];
	struct child child;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return errmsg_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	ours = pair[0];
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, COMM_FD + 1);
	(void)close(pair[1]);
	if (theirs < 0)
		return errmsg_set(err, -EMFILE, "too many open files");

	r = child_start(argv, theirs, &child, err);
	if (r < 0)
		return r;
	closep(&theirs);
	theirs = -1;
	fd = receive_descriptor(ours);
	r = child_finish(&child, complaint, sizeof(complaint));
	if (fd < 0 || r < 0)
		return explain_mount(path, complaint, err);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int fusermount_unmount(const char *path, bool lazy, struct errmsg *err)
{
	char *argv_lazy[] = {PROGRAM, "-u", "-z", "--", (char *)path, NULL};
	char *argv[] = {PROGRAM, "-u", "--", (char *)path, NULL};
	char complaint[512];
	struct child child;
	int r;

	r = child_start(lazy ? argv_lazy : argv, -1, &child, err);
	if (r < 0)
		return r;
	if (child_finish(&child, complaint, sizeof(complaint)) == 0)
		return 0;
	if (strstr(complaint, "busy"))
		return errmsg_set(err, -EBUSY, "cannot unmount '%s': it is in use", path);
	return errmsg_set(err, -EPERM, "cannot unmount '%s': %s", path, complaint);
}
