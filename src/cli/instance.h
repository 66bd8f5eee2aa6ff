/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_INSTANCE_H
#define PROJFS_CLI_INSTANCE_H

#include "cli/daemon.h"
#include "cli/mount_options.h"
#include "cli/provider_chain.h"

/* All that a mounting process needs to know. */
struct instance_plan {
	const char *root; /* canonical */
	bool is_foreground;
	struct mount_options *options;
	struct provider_chain *chain; /* not opened yet */
};

/*
 * Open the providers, mount, wait until somebody wants an end, unmount.  @context is a struct instance_plan.
 * Returns the exit code.
 */
int instance_run(void *context, struct daemon_report *report);

#endif
