/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_LOG_H
#define PROJFS_UTIL_LOG_H

/*
 * The library never writes to stderr.  What it has to say goes to one process-wide sink
 * that the program sets (the command: stderr or syslog) and, for warnings and errors,
 * to a short ring that `projfs status` shows.
 */

#include <stddef.h>

#include "util/macros.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

typedef void log_sink(void *context, enum log_level level, const char *message);

/* Set the sink and the most talkative level that reaches it.  NULL turns it off.
 * Thread-safe; the former sink may still be running on another thread when this returns. */
void log_set_sink(log_sink *sink, void *context, enum log_level max_level);

/* Write one line (cut and cleaned as errmsg_set() does).  The sink runs on the calling thread with no
 * lock of ours held, so it may log itself.  errno stays as it was. */
void log_write(enum log_level level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* The last warnings and errors, oldest first, at most LOG_RING_SIZE: calls @each for every
 * one, with the wall-clock second it was written.  No lock is held meanwhile: one that is
 * overwritten before its turn is left out, one written since the start is not shown. */
#define LOG_RING_SIZE 32
void log_ring_for_each(void (*each)(void *context, long long unix_seconds, const char *message),
		       void *context);

#endif
