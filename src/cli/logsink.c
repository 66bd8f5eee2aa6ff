/* SPDX-License-Identifier: MIT */
#include "cli/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "util/macros.h"

static void to_syslog(enum prj_log_level level, const char *message)
{
	static const int priorities[] = {
		[PRJ_LOG_ERROR] = LOG_ERR,
		[PRJ_LOG_WARNING] = LOG_WARNING,
		[PRJ_LOG_INFO] = LOG_INFO,
		[PRJ_LOG_DEBUG] = LOG_DEBUG,
	};

	syslog(priorities[level], "%s", message);
}

static void write_message(void *context, enum prj_log_level level, const char *message)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	const struct logsink *s = context;
	char stamp[32] = "", line[2048];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (s->fd < 0) {
		to_syslog(level, message);
		return;
	}
	if (s->fd != STDERR_FILENO && localtime_r(&now, &tm))
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S%z ", &tm);
	n = snprintf(line, sizeof(line), "%sprojfs: %s: %s\n", stamp, names[level], message);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* one write, so that lines of several threads stay whole; a full disk has no better place to say so */
	if (write(s->fd, line, (size_t)n) < 0)
		return;
}

int logsink_init(struct logsink *s, const struct mount_options *options, bool is_foreground,
		 struct errmsg *err)
{
	enum log_kind kind = options->log_kind;

	if (kind == LOG_TO_DEFAULT)
		kind = is_foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG;
	s->fd = -1;
	if (kind == LOG_TO_NONE)
		return 0;
	if (kind == LOG_TO_STDERR)
		s->fd = STDERR_FILENO;
	else if (kind == LOG_TO_SYSLOG)
		openlog("projfs", LOG_PID, LOG_DAEMON);
	else
		s->fd = open(options->log_file,
			     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (s->fd < 0 && kind == LOG_TO_FILE)
		return errmsg_set(err, -errno, "cannot open the log '%s': %s", options->log_file,
				  strerror(errno));
	prj_set_log_callback(write_message, s, options->log_level);
	return 0;
}

void logsink_deinit(struct logsink *s)
{
	prj_set_log_callback(NULL, NULL, PRJ_LOG_ERROR);
	if (s->fd > STDERR_FILENO)
		(void)close(s->fd);
}
