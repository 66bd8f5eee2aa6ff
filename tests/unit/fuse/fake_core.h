/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_FAKE_CORE_H
#define PROJFS_TESTS_FAKE_CORE_H

/*
 * A core that answers what the test tells it to, linked in place of the real one.
 *
 * Either every request gets the prepared answer, or, with @tree, it is a tiny file system: in the root, "small"
 * (a few bytes), "big" (FAKE_BIG_BYTES) and "slow", whose look-up is parked until fake_core_finish().
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/core.h"

#define FAKE_SMALL_TEXT "hello from a file\n"
#define FAKE_BIG_BYTES (4 * 1024 * 1024)

struct core {
	/* What to answer. */
	bool tree;
	bool untracked;
	bool park;
	int error;
	struct core_req answer; /* its ret is copied */
	int interrupt_result;
	const struct core_dirent *dirents;
	size_t n_dirents;

	/* What was asked. */
	const char *called; /* the last function */
	uint64_t node_id, handle, offset, n_forgotten;
	size_t size;
	unsigned n_calls;
	size_t n_taken; /* entries that the emitter took */
	char name[256], other_name[256];
	uint64_t numbers[3]; /* further arguments, in their order */
	struct core_setattr change;
	struct core_req *parked;

	pthread_mutex_t lock; /* protects parked, in tree mode */
	int small_fd, big_fd, root_fd;
	_Atomic unsigned n_disk_jobs;
	const struct core_kernel *kernel;
	void *kernel_context;
};

void fake_core_init(struct core *core);
void fake_core_deinit(struct core *core);
/* End the parked request, on the calling thread. */
void fake_core_finish(struct core *core, int error);

#endif
