/* SPDX-License-Identifier: MIT */
/* Names, memory, ids, log: what needs no instance. */

#include <prj/prj.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/config.h"
#include "util/log.h"
#include "util/name.h"

#define BUFFER_ALIGNMENT 4096 /* suits O_DIRECT on every file system */

const char *prj_version(void)
{
	return PROJFS_VERSION;
}

void prj_guid_generate(struct prj_guid *ret_guid)
{
	/* 16 bytes never come short once the pool is initialised. */
	while (getrandom(ret_guid->bytes, sizeof(ret_guid->bytes), 0) !=
	       (ssize_t)sizeof(ret_guid->bytes))
		;
	ret_guid->bytes[6] = (uint8_t)((ret_guid->bytes[6] & 0x0f) | 0x40);
	ret_guid->bytes[8] = (uint8_t)((ret_guid->bytes[8] & 0x3f) | 0x80);
}

int prj_file_name_match(const char *name, const char *pattern)
{
	return name_match(name, pattern);
}

int prj_file_name_compare(const char *name1, const char *name2)
{
	return name_compare(name1 ? name1 : "", name2 ? name2 : "");
}

int prj_does_name_contain_wild_cards(const char *name)
{
	return name && name_has_wildcards(name);
}

void *prj_allocate_aligned_buffer(prj_instance *instance, size_t size)
{
	void *buffer = NULL;

	(void)instance;
	if (size > SIZE_MAX - BUFFER_ALIGNMENT ||
	    posix_memalign(&buffer, BUFFER_ALIGNMENT, size ? size : 1) != 0)
		return NULL;
	return buffer;
}

void prj_free_aligned_buffer(void *buffer)
{
	free(buffer);
}

static struct {
	pthread_mutex_t lock;
	prj_log_cb *callback;
	void *context;
} log_target = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* May still be running on another thread when the callback has been changed. */
static void forward(void *context, enum log_level level, const char *message)
{
	prj_log_cb *callback;

	pthread_mutex_lock(&log_target.lock);
	callback = log_target.callback;
	context = log_target.context;
	pthread_mutex_unlock(&log_target.lock);
	if (callback)
		callback(context, (enum prj_log_level)level, message);
}

void prj_set_log_callback(prj_log_cb *callback, void *context, enum prj_log_level max_level)
{
	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	pthread_mutex_lock(&log_target.lock);
	log_target.callback = callback;
	log_target.context = context;
	pthread_mutex_unlock(&log_target.lock);
	if (callback)
		log_set_sink(forward, NULL, (enum log_level)max_level);
}

void prj_log(enum prj_log_level level, const char *message)
{
	log_write((enum log_level)level, "%s", message ? message : "");
}
