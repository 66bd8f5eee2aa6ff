/* SPDX-License-Identifier: MIT */
#include "fault_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	return late_due(0);
}

/* A callback on a thread of its own, since it sleeps. */
struct asker {
	pthread_t thread;
	int32_t command_id;
	prj_result result;
};

static void *asker_main(void *context)
{
	struct asker *asker = context;

	asker->result = ask_info_as("a", asker->command_id);
	return NULL;
}

static void asker_start(struct asker *asker, int32_t command_id)
{
	*asker = (struct asker){.command_id = command_id};
	assert_int_equal(pthread_create(&asker->thread, NULL, asker_main, asker), 0);
}

static void a_delay_comes_before_the_answer(void **state)
{
	int64_t begin = now_ms();

	open_fault("get_placeholder_info delay=30ms");
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_true(now_ms() - begin >= 30);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 1);
}

static void cancel_wakes_who_sleeps_and_nobody_else(void **state)
{
	struct asker first, second;

	open_fault("get_placeholder_info delay=24h");
	asker_start(&first, 1);
	asker_start(&second, 2);
	while (status("faults injected") < 2)
		sched_yield();
	ask_cancel(1);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.result, PRJ_ERR_OPERATION_ABORTED);
	ask_cancel(2);
	pthread_join(second.thread, NULL);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 0);
}

static void a_cancel_that_comes_before_the_callback_holds(void **state)
{
	open_fault("get_placeholder_info delay=24h count=1; any hang");
	ask_cancel(1);
	assert_int_equal(ask_info_as("a", 1), PRJ_ERR_OPERATION_ABORTED);
	ask_cancel(2);
	assert_int_equal(ask_info_as("a", 2), PRJ_ERR_OPERATION_ABORTED);
	assert_int_equal(status("fault calls not answered yet"), 0);
}

static void pend_answers_from_another_thread(void **state)
{
	char path[] = "d/a";

	open_fault("get_placeholder_info pend");
	assert_int_equal(ask_info(path), PRJ_ERR_IO_PENDING);
	memset(path, 'z', sizeof(path) - 1); /* the path is only good until then */
	fake_answers_await(1);
	assert_int_equal(answers.completions[0].command_id, 7);
	assert_int_equal(answers.completions[0].result, PRJ_OK);
	assert_int_equal(answers.completions[0].type, 0);
	assert_string_equal(answers.paths[0], "d/a");
}

static void an_earlier_one_does_not_wait_for_one_that_came_before(void **state)
{
	open_fault("any pend=24h count=1; any pend=1ms");
	assert_int_equal(ask_info_as("a", 1), PRJ_ERR_IO_PENDING);
	assert_int_equal(ask_info_as("b", 2), PRJ_ERR_IO_PENDING);
	fake_answers_await(1);
	assert_int_equal(answers.completions[0].command_id, 2);
	assert_int_equal(status("fault calls not answered yet"), 1);
}

static void a_pended_listing_is_filled_at_once_and_completed_with_its_buffer(void **state)
{
	open_fault("get_directory_enumeration pend=1ms");
	assert_int_equal(ask_list(""), PRJ_ERR_IO_PENDING);
	assert_string_equal(listed(), "a b c");
	fake_answers_await(1);
	assert_int_equal(answers.completions[0].type, PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION);
	assert_ptr_equal(answers.completions[0].buffer, &fixture.buffer);
}

static void a_pended_notification_is_completed_with_the_mask(void **state)
{
	fixture.inner.mask = PRJ_NOTIFY_PRE_DELETE;
	open_fault("notification pend");
	assert_int_equal(ask_notification("a", PRJ_NOTIFICATION_NEW_FILE_CREATED),
	                 PRJ_ERR_IO_PENDING);
	fake_answers_await(1);
	assert_int_equal(answers.completions[0].type, PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION);
	assert_int_equal(answers.completions[0].mask, PRJ_NOTIFY_PRE_DELETE);
	assert_int_equal(ask_notification("a", PRJ_NOTIFICATION_PRE_DELETE), PRJ_ERR_IO_PENDING);
	fake_answers_await(2);
	assert_int_equal(answers.completions[1].type, 0);
}

static void effects_may_be_late(void **state)
{
	open_fault("get_file_data pend short=1 error=access_denied");
	assert_int_equal(ask_data("a", 0, 10), PRJ_ERR_IO_PENDING);
	fake_answers_await(1);
	assert_int_equal(answers.completions[0].result, PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(fixture.inner.length, 9);
}

static void what_the_wrapped_provider_pends_it_completes_itself(void **state)
{
	fixture.inner.result = PRJ_ERR_IO_PENDING;
	open_fault("get_directory_enumeration pend; get_placeholder_info pend path=a;"
	           "get_placeholder_info pend error=access_denied");
	assert_int_equal(ask_list(""), PRJ_ERR_IO_PENDING);
	ask_cancel(7);
	assert_int_equal(fixture.inner.cancelled_id, 7);
	assert_int_equal(ask_info_as("a", 1), PRJ_ERR_IO_PENDING);
	assert_int_equal(ask_info_as("b", 2), PRJ_ERR_IO_PENDING);
	fake_answers_await(1); /* the second comes after the first */
	assert_int_equal(answers.completions[0].command_id, 2);
	assert_int_equal(answers.n_completions, 1);
}

static void twice_completes_twice(void **state)
{
	open_fault("get_placeholder_info twice");
	assert_int_equal(ask_info("a"), PRJ_ERR_IO_PENDING);
	fake_answers_await(2);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 1);
	assert_true(answers.completions[0].is_accepted);
	assert_false(answers.completions[1].is_accepted);
	assert_int_equal(answers.completions[1].command_id, 7);
}

static void hang_is_never_answered_and_ends_with_cancel(void **state)
{
	open_fault("get_file_data hang");
	assert_int_equal(ask_data("a", 0, 10), PRJ_ERR_IO_PENDING);
	assert_int_equal(status("fault calls not answered yet"), 1);
	ask_cancel(7);
	assert_int_equal(status("fault calls not answered yet"), 0);
	/* it was never asked, so it is not told */
	assert_int_equal(fixture.inner.n_asked[CALLBACK_CANCEL], 0);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_DATA], 0);
	assert_int_equal(answers.n_completions, 0);
}

static void what_is_cancelled_before_it_is_due_is_not_asked(void **state)
{
	open_fault("get_placeholder_info pend=24h");
	assert_int_equal(ask_info_as("a", 1), PRJ_ERR_IO_PENDING);
	ask_cancel(1);
	assert_int_equal(status("fault calls not answered yet"), 0);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_CANCEL], 0);
	close_fault();
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 0);
}

static void close_forgets_what_waits(void **state)
{
	open_fault("get_placeholder_info pend=24h count=10; get_placeholder_info hang");
	for (int i = 1; i <= 20; i++)
		assert_int_equal(ask_info_as("a", i), PRJ_ERR_IO_PENDING);
	close_fault();
	assert_int_equal(answers.n_completions, 0);
}

/* Of the process that asks, and without a word. */
static void crash_kills_the_process(void **state)
{
	pid_t pid;
	int how;

	open_fault("get_file_data crash after=1");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)ask_data("a", 0, 10);
		(void)ask_data("a", 0, 10);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how));
	assert_int_equal(WTERMSIG(how), SIGKILL);
	assert_int_equal(ask_data("a", 0, 10), PRJ_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_INNER(a_delay_comes_before_the_answer),
	        WITH_INNER(cancel_wakes_who_sleeps_and_nobody_else),
	        WITH_INNER(a_cancel_that_comes_before_the_callback_holds),
	        WITH_INNER(pend_answers_from_another_thread),
	        WITH_INNER(an_earlier_one_does_not_wait_for_one_that_came_before),
	        WITH_INNER(a_pended_listing_is_filled_at_once_and_completed_with_its_buffer),
	        WITH_INNER(a_pended_notification_is_completed_with_the_mask),
	        WITH_INNER(effects_may_be_late),
	        WITH_INNER(what_the_wrapped_provider_pends_it_completes_itself),
	        WITH_INNER(twice_completes_twice),
	        WITH_INNER(hang_is_never_answered_and_ends_with_cancel),
	        WITH_INNER(what_is_cancelled_before_it_is_due_is_not_asked),
	        WITH_INNER(close_forgets_what_waits),
	        WITH_INNER(crash_kills_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
