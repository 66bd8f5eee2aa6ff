/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_PROCESS_H
#define PROJFS_CORE_PROCESS_H

/*
 * Which process, running what, does a thread id of the kernel belong to?  Who opens a file may have ended when it is
 * closed, so this is an object that can be kept; many files that one process has open share one.
 */

#include <stdatomic.h>
#include <stdint.h>

struct process {
	atomic_uint n_refs;
	uint32_t pid;
	uint32_t uid;
	char image[]; /* path of the executable; "" if unknown */
};

/* Referenced; NULL: it cannot be seen (any more, or in this pid namespace), is the kernel itself (write-back), or there
 * is no memory. */
struct process *process_of_thread(uint32_t tid, uint32_t uid);
struct process *process_ref(struct process *p);    /* NULL is fine in all three */
struct process *process_unref(struct process *p);  /* NULL */

/* Is it the one that this code runs in? */
int process_is_own(const struct process *p);

#endif
