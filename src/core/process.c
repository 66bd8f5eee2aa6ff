/* SPDX-License-Identifier: MIT */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/macros.h"

#define CACHE_SIZE 64
#define CACHE_VALID_MS 1000

/* A thread stays in its process, but the process may run something else from one moment to the next. */
static struct {
	uint32_t tid;
	uint64_t until_ms;
	struct process *process; /* referenced */
} cache[CACHE_SIZE];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* The process id, or 0. */
static uint32_t look_up(uint32_t tid)
{
	char path[64], status[1024];
	_cleanup_(closep) int fd = -1;
	const char *line;
	uint32_t pid;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (n <= 0)
		return 0;
	status[n] = '\0';
	line = strstr(status, "\nTgid:");
	return line && sscanf(line, "\nTgid: %u", &pid) == 1 ? pid : 0;
}

/* false: it is a thread of the kernel's own (write-back), or ends just now. */
static bool read_image(uint32_t tid, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/exe", tid);
	n = readlink(path, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	return n >= 0 || errno != ENOENT;
}

/* Of that thread, if it was looked up just before. */
static struct process *cached(uint32_t tid)
{
	struct process *p = NULL;

	pthread_mutex_lock(&cache_lock);
	if (cache[tid % CACHE_SIZE].tid == tid && clock_now_ms() < cache[tid % CACHE_SIZE].until_ms)
		p = process_ref(cache[tid % CACHE_SIZE].process);
	pthread_mutex_unlock(&cache_lock);
	return p;
}

static void remember(uint32_t tid, struct process *p)
{
	struct process *former;

	pthread_mutex_lock(&cache_lock);
	former = cache[tid % CACHE_SIZE].process;
	cache[tid % CACHE_SIZE].tid = tid;
	cache[tid % CACHE_SIZE].until_ms = clock_now_ms() + CACHE_VALID_MS;
	cache[tid % CACHE_SIZE].process = process_ref(p);
	pthread_mutex_unlock(&cache_lock);
	process_unref(former);
}

struct process *process_of_thread(uint32_t tid, uint32_t uid)
{
	struct process *known, *p;
	char image[PATH_MAX];
	uint32_t pid;

	if (!tid)
		return NULL;
	known = cached(tid);
	pid = known ? known->pid : look_up(tid);
	if (!pid || !read_image(tid, image, sizeof(image))) {
		process_unref(known);
		return NULL;
	}
	if (known && known->uid == uid && !strcmp(known->image, image))
		return known;
	process_unref(known);
	p = malloc(sizeof(*p) + strlen(image) + 1);
	if (!p)
		return NULL;
	atomic_init(&p->n_refs, 1);
	p->pid = pid;
	p->uid = uid;
	strcpy(p->image, image);
	remember(tid, p);
	return p;
}

struct process *process_ref(struct process *p)
{
	if (p)
		atomic_fetch_add(&p->n_refs, 1);
	return p;
}

struct process *process_unref(struct process *p)
{
	if (p && atomic_fetch_sub(&p->n_refs, 1) == 1)
		free(p);
	return NULL;
}

int process_is_own(const struct process *p)
{
	return p && p->pid == (uint32_t)getpid();
}
