/* SPDX-License-Identifier: MIT */

/*
 * Mounts whose instance is gone, and paths that lead to them.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "cli/place.h"
#include "util/macros.h"

#define ASK_TIMEOUT_MS 2000

bool mount_is_dead(const char *root)
{
	_cleanup_(closep) int pidfd = -1;
	struct pollfd end;
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return false;
	if (child == 0) {
		struct statfs st;

		/* not stat(), which the kernel may answer from memory */
		_exit(statfs(root, &st) < 0 && errno == ENOTCONN ? 1 : 0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	end = (struct pollfd){.fd = pidfd, .events = POLLIN};
	if (pidfd < 0 || poll(&end, 1, ASK_TIMEOUT_MS) != 1)
		(void)kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int mount_repair(const char *root)
{
	prj_result result;

	if (!mount_is_dead(root))
		return 0;
	result = prj_unmount_root(root, 1);
	/* gone meanwhile: the instance's helper was quicker */
	if (PRJ_FAILED(result) && result != PRJ_ERR_INVALID_PARAMETER)
		return cli_fail("the instance of '%s' is gone, and its mount cannot be removed: %s",
				root, cli_why(result));
	cli_note("the instance of '%s' was gone: removed the mount that it left", root);
	return 0;
}

int place_find_for(const char *operation, const char *path, struct place *ret)
{
	int r = place_find(path, ret);

	if (r == 0 && ret->is_mounted && mount_is_dead(ret->root)) {
		if (mount_repair(ret->root) != 0)
			return EXIT_FAILED;
		r = place_find(path, ret);
	}
	if (r == -ENXIO)
		return cli_fail("cannot %s '%s': it lies in no projfs root", operation, path);
	return r < 0 ? cli_fail("cannot %s '%s': %s", operation, path, strerror(-r)) : 0;
}
