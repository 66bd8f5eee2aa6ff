/* SPDX-License-Identifier: MIT */
/* The contract checker, -o check: codes, completions, time; and how reports are written. */

#include "checked.h"

#include <string.h>

static void documented_codes_are_fine(void **state)
{
	static const prj_result codes[] = {PRJ_ERR_FILE_NOT_FOUND,
	                                   PRJ_ERR_ACCESS_DENIED,
	                                   PRJ_ERR_OUT_OF_MEMORY,
	                                   PRJ_ERR_INVALID_PARAMETER,
	                                   PRJ_ERR_VIRTUALIZATION_UNAVAILABLE,
	                                   PRJ_ERR_INTERNAL_ERROR,
	                                   PRJ_ERR_VIRTUALIZATION_BUSY,
	                                   PRJ_ERR_IO_DEVICE,
	                                   PRJ_ERR_TIMEOUT};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct command *cmd = begin(COMMAND_PLACEHOLDER, "a");

		returned(cmd, codes[i]);
		command_end(cmd);
	}
	assert_int_equal(count_all(), 0);
}

static void undocumented_codes_are_reported_by_name(void **state)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "a");

	(void)state;
	returned(cmd, PRJ_ERR_PATH_NOT_FOUND);
	command_end(cmd);
	assert_reported("get_placeholder_info of \"a\" returned 0x80070003 (PATH_NOT_FOUND)");
	cmd = begin(COMMAND_DATA, "b");
	returned(cmd, PRJ_ERR_IO_PENDING);
	completed(cmd, PRJ_RESULT(0x80004005u));
	command_end(cmd);
	assert_int_equal(count_of("undocumented-code"), 2);
	assert_int_equal(count_all(), 2);
}

static void a_raw_win32_code_is_recognized(void **state)
{
	struct command *cmd = begin(COMMAND_DATA, "a");

	(void)state;
	returned(cmd, 997);
	command_end(cmd);
	cmd = begin(COMMAND_DATA, "a");
	returned(cmd, 1);
	command_end(cmd);
	assert_int_equal(count_of("undocumented-code"), 2);
	assert_reported("returned 0x00000001 (undocumented code)");
	assert_reported(
	        "returned 997: is that the Win32 code whose result is 0x800703e5 (IO_PENDING)?");
}

static void completing_before_and_after_the_return_is_fine(void **state)
{
	struct command *cmd = begin(COMMAND_NOTIFY, "a");

	(void)state;
	completed(cmd, PRJ_OK);
	returned(cmd, PRJ_ERR_IO_PENDING);
	command_end(cmd);
	cmd = begin(COMMAND_NOTIFY, "a");
	returned(cmd, PRJ_ERR_IO_PENDING);
	completed(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_all(), 0);
}

static void a_second_completion_is_reported(void **state)
{
	struct command *cmd = begin(COMMAND_NOTIFY, "a");

	(void)state;
	completed(cmd, PRJ_OK);
	completed(cmd, PRJ_OK);
	assert_int_equal(count_of("completed-twice"), 1);
	returned(cmd, PRJ_ERR_IO_PENDING);
	completed(cmd, PRJ_OK);
	assert_int_equal(count_of("completed-twice"), 2);
	assert_reported("notification of \"a\" was over already");
	command_end(cmd);
	cmd = begin(COMMAND_NOTIFY, "b");
	returned(cmd, PRJ_OK);
	completed(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("completed-twice"), 3);
	assert_int_equal(count_all(), 3);
}

static void completing_what_does_not_exist_is_reported(void **state)
{
	struct core_completion more = {0};

	(void)state;
	checker_completing(checked.checker, 4711, PRJ_OK, &more);
	checker_completing(checked.checker, 0, PRJ_OK, &more);
	checker_completing(checked.checker, -1, PRJ_OK, &more);
	assert_int_equal(count_of("completed-unknown"), 3);
	assert_int_equal(count_all(), 3);
}

static void a_result_after_a_completion_is_reported(void **state)
{
	struct command *cmd = begin(COMMAND_NOTIFY, "a");

	(void)state;
	completed(cmd, PRJ_OK);
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("completed-not-pended"), 1);
	assert_int_equal(count_all(), 1);
}

static void parameters_that_do_not_fit_are_reported(void **state)
{
	struct core_completion nothing = {0}, mask = {.has_mask = true};
	struct command *session = session_begin("d"), *get = get_begin(session), *data;

	(void)state;
	returned(get, PRJ_ERR_IO_PENDING);
	checker_completing(checked.checker, get->id, PRJ_OK, &nothing);
	assert_int_equal(count_of("completion-parameters"), 1);
	data = begin(COMMAND_DATA, "a");
	returned(data, PRJ_ERR_IO_PENDING);
	checker_completing(checked.checker, data->id, PRJ_ERR_IO_DEVICE, &mask);
	assert_int_equal(count_of("completion-parameters"), 2);
	/* both are still pended */
	completed(get, PRJ_OK);
	completed(data, PRJ_ERR_IO_DEVICE);
	command_end(get);
	command_end(data);
	session_end(session);
	assert_int_equal(count_all(), 2);
}

static void completing_what_was_cancelled_is_fine(void **state)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "a");

	(void)state;
	returned(cmd, PRJ_ERR_IO_PENDING);
	checker_cancelled(checked.checker, cmd->id);
	completed(cmd, PRJ_OK);
	command_end(cmd);
	cmd = begin(COMMAND_PLACEHOLDER, "a");
	checker_cancelled(checked.checker, cmd->id);
	returned(cmd, PRJ_OK);
	command_end(cmd);
	cmd = begin(COMMAND_PLACEHOLDER, "a");
	checker_cancelled(checked.checker, cmd->id);
	returned(cmd, PRJ_ERR_IO_PENDING);
	completed(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_all(), 0);
}

static void a_cancelled_command_may_be_completed_very_late(void **state)
{
	struct command *pended = begin(COMMAND_PLACEHOLDER, "a"), *running;

	(void)state;
	returned(pended, PRJ_ERR_IO_PENDING);
	checker_cancelled(checked.checker, pended->id);
	running = begin(COMMAND_PLACEHOLDER, "b");
	checker_cancelled(checked.checker, running->id);
	/* More than are remembered. */
	for (int i = 0; i < 2000; i++) {
		struct command *cmd = begin(COMMAND_NOTIFY, "c");

		checker_cancelled(checked.checker, cmd->id);
		returned(cmd, PRJ_OK);
		command_end(cmd);
	}
	returned(running, PRJ_ERR_IO_PENDING);
	completed(running, PRJ_OK);
	completed(pended, PRJ_OK);
	command_end(running);
	command_end(pended);
	assert_int_equal(count_all(), 0);
}

/* ---- time -------------------------------------------------------------------------------------------- */

static void a_slow_callback_is_reported_once_when_it_returns(void **state)
{
	struct command *cmd = begin(COMMAND_NOTIFY, "a");

	(void)state;
	checked_now_ms += CHECKER_SLOW_MS;
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("callback-slow"), 1);
	cmd = begin(COMMAND_NOTIFY, "a");
	checked_now_ms += CHECKER_SLOW_MS - 1;
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_all(), 1);
}

static void a_slow_callback_is_reported_while_it_runs(void **state)
{
	struct command *cmd = begin(COMMAND_NOTIFY, "a");

	(void)state;
	checked_now_ms += CHECKER_SLOW_MS;
	assert_reported("(callback-slow): notification of \"a\" has been running for 5000 ms");
	checked_now_ms += CHECKER_SLOW_MS;
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_all(), 1);
}

static void a_pended_callback_may_take_its_time(void **state)
{
	struct command *cmd = begin(COMMAND_DATA, "a");

	(void)state;
	returned(cmd, PRJ_ERR_IO_PENDING);
	checked_now_ms += CHECKER_PENDED_MS - 1;
	completed(cmd, PRJ_ERR_IO_DEVICE);
	command_end(cmd);
	assert_int_equal(count_all(), 0);
}

static void a_command_that_is_pended_for_long_is_reported_once(void **state)
{
	struct command *cmd = begin(COMMAND_DATA, "a");

	(void)state;
	returned(cmd, PRJ_ERR_IO_PENDING);
	checked_now_ms += CHECKER_PENDED_MS;
	assert_reported("(never-completed): get_file_data of \"a\" was pended 60000 ms ago");
	checked_now_ms += CHECKER_PENDED_MS;
	checker_cancelled(checked.checker, cmd->id);
	command_end(cmd);
	assert_int_equal(count_of("never-completed"), 1);
	assert_int_equal(count_all(), 1);
}

static void a_command_that_is_cancelled_at_its_time_limit_is_reported(void **state)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "a");

	(void)state;
	returned(cmd, PRJ_ERR_IO_PENDING);
	checked_now_ms += 29000; /* it waited in the queue, too */
	checker_cancelled(checked.checker, cmd->id);
	command_end(cmd);
	assert_int_equal(count_of("never-completed"), 1);
	assert_reported("nobody waits any more");
	cmd = begin(COMMAND_PLACEHOLDER, "a");
	returned(cmd, PRJ_ERR_IO_PENDING);
	checked_now_ms += 6000; /* somebody pressed ^C */
	checker_cancelled(checked.checker, cmd->id);
	command_end(cmd);
	assert_int_equal(count_all(), 1);
}

static void a_command_that_is_left_pended_at_the_stop_is_reported(void **state)
{
	struct command *old = begin(COMMAND_DATA, "old"), *young;

	(void)state;
	returned(old, PRJ_ERR_IO_PENDING);
	checked_now_ms += CHECKER_SLOW_MS;
	young = begin(COMMAND_DATA, "young");
	returned(young, PRJ_ERR_IO_PENDING);
	checker_stopping(checked.checker);
	checker_cancelled(checked.checker, old->id);
	checker_cancelled(checked.checker, young->id);
	command_end(old);
	command_end(young);
	assert_int_equal(count_of("never-completed"), 1);
	assert_reported("get_file_data of \"old\" was pended 5000 ms ago and has not been "
	                "completed, and the "
	                "instance stops");
}

/* ---- reports ---------------------------------------------------------------------------------------------- */

static void many_reports_of_a_kind_are_counted_and_few_are_written(void **state)
{
	struct core_completion more = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		checker_completing(checked.checker, 0, PRJ_OK, &more);
	assert_int_equal(n_reports(), 100);
	for (int i = 100; i < 999; i++)
		checker_completing(checked.checker, 0, PRJ_OK, &more);
	assert_int_equal(n_reports(), 100);
	checker_completing(checked.checker, 0, PRJ_OK, &more);
	assert_int_equal(n_reports(), 101);
	assert_reported("(completed-unknown, number 1000)");
	for (int i = 1000; i < 10000; i++)
		checker_completing(checked.checker, 0, PRJ_OK, &more);
	assert_int_equal(n_reports(), 102);
	assert_int_equal(count_of("completed-unknown"), 10000);
	checker_placeholder(checked.checker, "a", NULL, PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(n_reports(), 103); /* of another kind */
}

static void a_report_of_a_long_path_still_ends_in_advice(void **state)
{
	struct command *cmd;
	char path[4000];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 200; i < sizeof(path) - 1; i += 200)
		path[i] = '/';
	cmd = begin(COMMAND_PLACEHOLDER, path);
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_reported("or return PRJ_ERR_FILE_NOT_FOUND");
}

static void a_checker_is_in_use_while_there_is_one(void **state)
{
	(void)state;
	assert_true(checker_is_in_use());
	checked.checker = checker_free(checked.checker);
	assert_false(checker_is_in_use());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(documented_codes_are_fine),
	        TEST(undocumented_codes_are_reported_by_name),
	        TEST(a_raw_win32_code_is_recognized),
	        TEST(completing_before_and_after_the_return_is_fine),
	        TEST(a_second_completion_is_reported),
	        TEST(completing_what_does_not_exist_is_reported),
	        TEST(a_result_after_a_completion_is_reported),
	        TEST(parameters_that_do_not_fit_are_reported),
	        TEST(completing_what_was_cancelled_is_fine),
	        TEST(a_cancelled_command_may_be_completed_very_late),
	        TEST(a_slow_callback_is_reported_once_when_it_returns),
	        TEST(a_slow_callback_is_reported_while_it_runs),
	        TEST(a_pended_callback_may_take_its_time),
	        TEST(a_command_that_is_pended_for_long_is_reported_once),
	        TEST(a_command_that_is_cancelled_at_its_time_limit_is_reported),
	        TEST(a_command_that_is_left_pended_at_the_stop_is_reported),
	        TEST(many_reports_of_a_kind_are_counted_and_few_are_written),
	        TEST(a_report_of_a_long_path_still_ends_in_advice),
	        TEST(a_checker_is_in_use_while_there_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
