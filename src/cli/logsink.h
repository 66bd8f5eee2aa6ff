/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_LOGSINK_H
#define PROJFS_CLI_LOGSINK_H

/* Where the messages of the library and the providers go. */

#include "cli/mount_options.h"

struct logsink {
	int fd; /* stderr, a file, or -1: syslog */
};

/* Set the library's log. @s must live until logsink_deinit(). 0, or a negative errno with a message. */
int logsink_init(struct logsink *s, const struct mount_options *options, bool is_foreground,
		 struct errmsg *err);
void logsink_deinit(struct logsink *s);

#endif
