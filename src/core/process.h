/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_PROCESS_H
#define PROJFS_API_PROCESS_H

/* Which process, running what, does a thread id of the kernel belong to?
 * Looked up in /proc, remembered for a second. */

#include <limits.h>
#include <stdint.h>

struct process {
	uint32_t pid;         /* 0: unknown */
	char image[PATH_MAX]; /* "" if unknown */
};

void process_of_thread(uint32_t tid, struct process *ret);

#endif
