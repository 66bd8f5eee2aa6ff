/* SPDX-License-Identifier: MIT */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

#define READY 'R'
#define MESSAGE_SIZE 2048

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int daemon_report_ready(struct daemon_report *report)
{
	char ready = READY;
	int r;

	if (report->fd < 0)
		return 0;
	/* only now: the source may have been given relative to the caller's directory */
	if (chdir("/") < 0)
		return -errno;
	r = write_all(report->fd, &ready, 1);
	(void)close(report->fd);
	report->fd = -1;
	return r;
}

int daemon_report_failure(struct daemon_report *report, const char *message)
{
	if (report->fd < 0)
		return cli_fail("%s", message);
	/* without a reader nobody wants to know */
	(void)write_all(report->fd, message, strlen(message));
	return EXIT_FAILED;
}

/*
 * At once, because whatever the instance starts inherits: a helper that keeps the caller's stdout would keep
 * `$(projfs mount ...)` waiting for ever.
 */
static int leave_caller(int *report_fd)
{
	int null_fd;

	if (setsid() < 0)
		return -errno;
	null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0)
		return -errno;
	if (*report_fd != 3) {
		if (dup3(*report_fd, 3, O_CLOEXEC) < 0)
			return -errno;
		*report_fd = 3;
	}
	return close_range(4, ~0U, 0) < 0 ? -errno : 0;
}

static int run_child(int report_fd, int (*run)(void *context, struct daemon_report *report),
		     void *context)
{
	struct daemon_report report = {.fd = report_fd};
	int r = leave_caller(&report.fd);

	if (r < 0)
		return daemon_report_failure(&report, strerror(-r));
	return run(context, &report);
}

/* What the child has to say: READY alone, a message, or nothing when it died. */
static size_t read_report(int fd, char text[MESSAGE_SIZE])
{
	size_t size = 0;

	while (size < MESSAGE_SIZE - 1) {
		ssize_t n = read(fd, text + size, MESSAGE_SIZE - 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	text[size] = '\0';
	return size;
}

static int wait_for_report(int fd, pid_t child)
{
	char text[MESSAGE_SIZE];
	int status = 0;

	(void)read_report(fd, text);
	if (text[0] == READY && text[1] == '\0')
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (text[0])
		return cli_fail("%s", text);
	if (WIFSIGNALED(status))
		return cli_fail("the instance was killed by signal %d while it started; "
				"'projfs mount -f' shows more",
				WTERMSIG(status));
	return cli_fail("the instance ended while it started; 'projfs mount -f' shows more");
}

int daemon_start(int (*run)(void *context, struct daemon_report *report), void *context)
{
	int pipe_fds[2];
	pid_t child;
	int code;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return cli_fail("cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child < 0) {
		code = cli_fail("cannot start a process: %s", strerror(errno));
	} else if (child == 0) {
		(void)close(pipe_fds[0]);
		return run_child(pipe_fds[1], run, context);
	}
	(void)close(pipe_fds[1]);
	if (child > 0)
		code = wait_for_report(pipe_fds[0], child);
	(void)close(pipe_fds[0]);
	return code;
}
