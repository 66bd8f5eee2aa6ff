/* SPDX-License-Identifier: MIT */
#include "api/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/macros.h"

#define CACHE_SIZE 64
#define CACHE_VALID_MS 1000

static struct {
	uint32_t tid;
	uint64_t until_ms;
	struct process process;
} cache[CACHE_SIZE];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static void look_up(uint32_t tid, struct process *ret)
{
	char path[64], status[1024];
	_cleanup_(closep) int fd = -1;
	const char *line;
	ssize_t n;

	*ret = (struct process){0};
	(void)snprintf(path, sizeof(path), "/proc/%u/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (n <= 0)
		return;
	status[n] = '\0';
	line = strstr(status, "\nTgid:");
	if (!line || sscanf(line, "\nTgid: %u", &ret->pid) != 1)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%u/exe", tid);
	n = readlink(path, ret->image, sizeof(ret->image) - 1);
	ret->image[n > 0 ? n : 0] = '\0';
}

void process_of_thread(uint32_t tid, struct process *ret)
{
	unsigned slot = tid % CACHE_SIZE;
	uint64_t now = clock_now_ms();
	int hit;

	*ret = (struct process){0};
	if (!tid)
		return;
	pthread_mutex_lock(&cache_lock);
	hit = cache[slot].tid == tid && now < cache[slot].until_ms;
	if (hit)
		*ret = cache[slot].process;
	pthread_mutex_unlock(&cache_lock);
	if (hit)
		return;
	look_up(tid, ret);
	pthread_mutex_lock(&cache_lock);
	cache[slot].tid = tid;
	cache[slot].until_ms = now + CACHE_VALID_MS;
	cache[slot].process = *ret;
	pthread_mutex_unlock(&cache_lock);
}
