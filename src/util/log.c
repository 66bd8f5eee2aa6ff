/* SPDX-License-Identifier: MIT */

/*
 * One lock guards the sink's description and the ring, and is held only to copy: formatting and
 * the sink itself, which may block on a terminal, run without it.  Lines in the ring are numbered
 * from the start of the process; line n is in slot n % LOG_RING_SIZE until n + LOG_RING_SIZE comes.
 */

#include "util/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "util/text.h"

#define LOG_LINE_SIZE 1024 /* bytes, with the NUL */

struct log_line {
	long long unix_seconds;
	char message[LOG_LINE_SIZE];
};

static struct {
	pthread_mutex_t lock;
	log_sink *sink; /* protected by lock */
	void *context; /* protected by lock */
	enum log_level max_level; /* protected by lock */
	uint64_t n_lines; /* protected by lock; ever written to the ring */
	struct log_line ring[LOG_RING_SIZE]; /* protected by lock */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The most talkative level that goes anywhere: debug lines are many, and mostly nobody listens. */
static _Atomic int wanted_level = LOG_LEVEL_WARNING;

void log_set_sink(log_sink *sink, void *context, enum log_level max_level)
{
	pthread_mutex_lock(&state.lock);
	state.sink = sink;
	state.context = context;
	state.max_level = max_level;
	/* the ring takes warnings whatever the sink wants */
	atomic_store(&wanted_level,
	             sink && max_level > LOG_LEVEL_WARNING ? (int)max_level : LOG_LEVEL_WARNING);
	pthread_mutex_unlock(&state.lock);
}

/* lock is held */
static void ring_append(const char *message)
{
	struct log_line *line = &state.ring[state.n_lines++ % LOG_RING_SIZE];

	line->unix_seconds = time(NULL);
	strcpy(line->message, message); /* both are LOG_LINE_SIZE */
}

void log_write(enum log_level level, const char *format, ...)
{
	char message[LOG_LINE_SIZE];
	int saved_errno = errno;
	log_sink *sink = NULL;
	void *context = NULL;
	va_list args;

	if ((int)level > atomic_load(&wanted_level))
		return;

	va_start(args, format);
	text_vformat(message, sizeof(message), format, args);
	va_end(args);

	pthread_mutex_lock(&state.lock);
	if (level <= LOG_LEVEL_WARNING)
		ring_append(message);
	if (state.sink && level <= state.max_level) {
		sink = state.sink;
		context = state.context;
	}
	pthread_mutex_unlock(&state.lock);

	if (sink)
		sink(context, level, message);
	errno = saved_errno;
}

/* Copy line @number, if it is still there. */
static bool ring_get(uint64_t number, struct log_line *ret)
{
	bool present;

	pthread_mutex_lock(&state.lock);
	present = number + LOG_RING_SIZE >= state.n_lines;
	if (present)
		*ret = state.ring[number % LOG_RING_SIZE];
	pthread_mutex_unlock(&state.lock);
	return present;
}

void log_ring_for_each(void (*each)(void *context, long long unix_seconds, const char *message),
                       void *context)
{
	struct log_line line;
	uint64_t end;

	pthread_mutex_lock(&state.lock);
	end = state.n_lines;
	pthread_mutex_unlock(&state.lock);

	for (uint64_t n = end > LOG_RING_SIZE ? end - LOG_RING_SIZE : 0; n < end; n++)
		if (ring_get(n, &line))
			each(context, line.unix_seconds, line.message);
}
