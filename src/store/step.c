/* SPDX-License-Identifier: MIT */
/*
 * Where a crash may come between.  Each change to what is visible, or to the state in .projfs, announces
 * itself here, and tests say which of them is never reached: a killed process loses what it had not yet done,
 * a disk that is shut down also what it had not yet written.  What the cleaner removes from .projfs/old
 * is nobody's state and is not counted.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "store/change.h"
#include "store/internal.h"

/* linux/ext4.h is no header for programs. */
#define IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_NOLOGFLUSH 2u

enum step_mode {
	STEP_UNKNOWN, /* the environment was not looked at yet */
	STEP_OFF,
	STEP_COUNT,
	STEP_KILL,
	STEP_SHUTDOWN,
};

static _Atomic enum step_mode mode;
static _Atomic uint64_t n_steps;
static _Atomic uint64_t last_step; /* the one that is not reached */
static atomic_int disk_fd = -1;

static enum step_mode parse(void)
{
	static const struct {
		const char *prefix;
		enum step_mode mode;
	} kinds[] = {{"kill:", STEP_KILL}, {"shutdown:", STEP_SHUTDOWN}, {"count:", STEP_COUNT}};
	const char *value = secure_getenv("PROJFS_STORE_STEP");

	for (size_t i = 0; value && i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(value, kinds[i].prefix, n) != 0)
			continue;
		if (kinds[i].mode != STEP_COUNT)
			atomic_store(&last_step, strtoull(value + n, NULL, 10));
		return kinds[i].mode;
	}
	return STEP_OFF;
}

static void end_here(enum step_mode how)
{
	const uint32_t flags = SHUTDOWN_NOLOGFLUSH;

	if (how == STEP_SHUTDOWN)
		(void)ioctl(atomic_load(&disk_fd), IOC_SHUTDOWN, &flags);
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

static void count_step(enum step_mode now)
{
	uint64_t n = atomic_fetch_add(&n_steps, 1) + 1;

	if (now != STEP_COUNT && n == atomic_load(&last_step))
		end_here(now);
}

void store_step(void)
{
	enum step_mode now = atomic_load_explicit(&mode, memory_order_relaxed);

	if (now == STEP_OFF)
		return;
	if (now == STEP_UNKNOWN) {
		now = parse();
		atomic_store(&mode, now);
		if (now == STEP_OFF)
			return;
	}
	count_step(now);
}

void step_begin(int fd)
{
	atomic_store(&disk_fd, fd);
	atomic_store(&mode, STEP_UNKNOWN);
}

void step_end(void)
{
	const char *value = secure_getenv("PROJFS_STORE_STEP");
	FILE *f;

	if (atomic_load(&mode) != STEP_COUNT || !value)
		return;
	f = fopen(value + strlen("count:"), "ae");
	if (!f)
		return; /* whoever counts will miss the line */
	(void)fprintf(f, "%llu\n", (unsigned long long)atomic_load(&n_steps));
	(void)fclose(f);
}
