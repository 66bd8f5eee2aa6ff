/* SPDX-License-Identifier: MIT */
/* How many callbacks run at once, and what a provider hears of those that nobody waits for. */

#include "tiny.h"

#include <stdio.h>
#include <unistd.h>

#define MAX_MORE 3
#define MAX_SPAWNED (256 + MAX_MORE)

static pid_t look(struct tiny *t, unsigned n)
{
	char script[64];

	(void)snprintf(script, sizeof(script), "! test -e \"$0/name%u\"", n);
	return tiny_spawn(t, script);
}

static void check_limit(struct tiny *t, unsigned limit)
{
	pid_t pids[MAX_SPAWNED];

	t->is_held = true;
	t->n_inside = t->max_inside = 0;
	tiny_start(t);
	for (unsigned i = 0; i < limit + MAX_MORE; i++)
		pids[i] = look(t, i);
	tiny_wait_inside(t, limit);
	tiny_let_go(t);
	for (unsigned i = 0; i < limit + MAX_MORE; i++)
		assert_int_equal(tiny_wait(pids[i]), 0);
	assert_int_equal(t->max_inside, limit);
	tiny_stop(t);
}

static void no_more_callbacks_run_at_once_than_were_asked_for(void **state)
{
	struct tiny *t = *state;

	t->options.concurrent_thread_count = 1;
	check_limit(t, 1);
	t->options.concurrent_thread_count = 3;
	t->options.pool_thread_count = 8;
	check_limit(t, 3);
}

static void by_default_they_are_as_many_as_processors(void **state)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (n_cpus < 1 || n_cpus > MAX_SPAWNED - MAX_MORE)
		skip();
	check_limit(*state, (unsigned)n_cpus);
}

static void what_runs_is_cancelled_and_what_waits_in_the_queue_was_never_there(void **state)
{
	struct tiny *t = *state;
	pid_t first, second;

	t->options.concurrent_thread_count = 1;
	t->options.lookup_timeout_ms = 500;
	t->is_held = true;
	tiny_start(t);
	first = look(t, 1);
	tiny_wait_inside(t, 1);
	second = look(t, 2);
	/* Both time out; the first is in its callback all the while. */
	assert_int_equal(tiny_wait(second), 0);
	assert_int_equal(tiny_wait(first), 0);
	assert_int_equal(tiny_find(t, TINY_CANCEL, "name1").data.command_id,
	                 tiny_find(t, TINY_INFO, "name1").data.command_id);
	tiny_let_go(t);
	assert_int_equal(tiny_run(t, "test -f \"$0/file\"", NULL), 0);
	assert_int_equal(tiny_count(t, TINY_CANCEL), 1);
	tiny_assert_sequence(t, "name2", "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, tiny_setup, tiny_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(no_more_callbacks_run_at_once_than_were_asked_for),
	        T(by_default_they_are_as_many_as_processors),
	        T(what_runs_is_cancelled_and_what_waits_in_the_queue_was_never_there),
	};

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return 77;
	return cmocka_run_group_tests_name("api: threads", tests, NULL, NULL);
}
