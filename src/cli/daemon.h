/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_DAEMON_H
#define PROJFS_CLI_DAEMON_H

/*
 * A process in the background that says once, through a pipe, whether it got going.
 *
 * It must be forked before anything starts a thread, and it keeps nothing of its caller: own session, own
 * descriptors, "/" as its directory once it is ready.
 */

/* Where the news goes: the pipe, or -1 in the foreground, where failures go to stderr. */
struct daemon_report {
	int fd;
};

/*
 * Run @run in a child and wait for its report. Returns the exit code of the command, in the child as well.
 */
int daemon_start(int (*run)(void *context, struct daemon_report *report), void *context);

/* Everything works.  Negative: whoever waited for it has gone. */
int daemon_report_ready(struct daemon_report *report);
/* It failed, and @message says why. Returns the exit code. */
int daemon_report_failure(struct daemon_report *report, const char *message);

#endif
