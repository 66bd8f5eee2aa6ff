/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

struct seen {
	unsigned n;
	enum log_level level;
	char first[1024];
	char last[1024];
};

static void remember(void *context, enum log_level level, const char *message)
{
	struct seen *seen = context;

	seen->n++;
	seen->level = level;
	snprintf(seen->last, sizeof(seen->last), "%s", message);
	errno = ENOSPC; /* as a sink that writes may */
}

static void remember_ring(void *context, long long unix_seconds, const char *message)
{
	struct seen *seen = context;

	assert_true(unix_seconds > 1500000000);
	if (seen->n++ == 0)
		snprintf(seen->first, sizeof(seen->first), "%s", message);
	snprintf(seen->last, sizeof(seen->last), "%s", message);
}

static int silence(void **state)
{
	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	return 0;
}

static void the_sink_gets_what_its_level_asks_for(void **state)
{
	struct seen seen = {0};

	log_set_sink(remember, &seen, LOG_LEVEL_INFO);
	errno = EAGAIN;
	log_info("mounted \"%s\"", "a\nb");
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.level, LOG_LEVEL_INFO);
	assert_string_equal(seen.last, "mounted \"a?b\"");
	log_debug("lookup");
	assert_int_equal(seen.n, 1);
	log_error("lost");
	assert_int_equal(seen.n, 2);

	log_set_sink(remember, &seen, LOG_LEVEL_ERROR);
	log_warning("only for the ring");
	assert_int_equal(seen.n, 2);

	log_set_sink(NULL, NULL, LOG_LEVEL_DEBUG);
	log_error("nobody listens");
	assert_int_equal(seen.n, 2);
}

static void the_ring_keeps_the_last_warnings_and_errors(void **state)
{
	struct seen seen = {0};

	log_warning("first");
	log_ring_for_each(remember_ring, &seen);
	assert_string_equal(seen.last, "first");

	for (int i = 0; i < LOG_RING_SIZE + 3; i++)
		log_write(i % 2 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "line %d", i);
	log_info("not for the ring");

	seen = (struct seen){0};
	log_ring_for_each(remember_ring, &seen);
	assert_int_equal(seen.n, LOG_RING_SIZE);
	assert_string_equal(seen.first, "line 3");
	assert_string_equal(seen.last, "line 34");
}

static void log_from_sink(void *context, enum log_level level, const char *message)
{
	unsigned *n = context;

	if ((*n)++ == 0)
		log_error("from the sink");
}

static void log_from_ring(void *context, long long unix_seconds, const char *message)
{
	(*(unsigned *)context)++;
	assert_null(strstr(message, "seen"));
	log_warning("seen \"%s\"", message);
	log_warning("seen again");
}

static void sinks_and_readers_may_log_themselves(void **state)
{
	unsigned n = 0;

	log_set_sink(log_from_sink, &n, LOG_LEVEL_WARNING);
	log_warning("outer");
	assert_int_equal(n, 2);

	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	for (int i = 0; i < LOG_RING_SIZE; i++)
		log_warning("line %d", i);
	n = 0;
	log_ring_for_each(log_from_ring, &n);
	/* each line that is read pushes out itself and the next one, which is then not shown */
	assert_int_equal(n, LOG_RING_SIZE / 2);
}

static void *write_lines(void *context)
{
	for (int i = 0; i < 2000; i++)
		log_warning("thread %s line %d", (const char *)context, i);
	return NULL;
}

static void check_line(void *context, long long unix_seconds, const char *message)
{
	int line;
	char name;

	assert_int_equal(sscanf(message, "thread %c line %d", &name, &line), 2);
	(*(unsigned *)context)++;
}

static void lines_of_threads_do_not_mix(void **state)
{
	unsigned n = 0;
	pthread_t a, b;

	for (int i = 0; i < LOG_RING_SIZE; i++)
		log_warning("thread m line %d", i);
	assert_int_equal(pthread_create(&a, NULL, write_lines, (void *)"a"), 0);
	assert_int_equal(pthread_create(&b, NULL, write_lines, (void *)"b"), 0);
	for (int i = 0; i < 100; i++)
		log_ring_for_each(check_line, &n);
	pthread_join(a, NULL);
	pthread_join(b, NULL);

	n = 0;
	log_ring_for_each(check_line, &n);
	assert_int_equal(n, LOG_RING_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_sink_gets_what_its_level_asks_for, silence),
	        cmocka_unit_test(the_ring_keeps_the_last_warnings_and_errors),
	        cmocka_unit_test_teardown(sinks_and_readers_may_log_themselves, silence),
	        cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
