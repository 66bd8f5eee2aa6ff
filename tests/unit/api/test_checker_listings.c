/* SPDX-License-Identifier: MIT */
/* The contract checker, -o check: what it says about listings. */

#include "checked.h"

#include <string.h>

#include "api/checker_internal.h"

static void a_sorted_listing_is_fine(void **state)
{
	struct command *session = session_begin("d");

	(void)state;
	session_list(session, "A", "B", "a", NULL);
	session_list(session, "b", "c", NULL);
	session_list(session, NULL);
	session_end(session);
	list_all("", "d", "e");
	assert_int_equal(count_all(), 0);
}

static void an_entry_out_of_order_is_reported_with_both_names(void **state)
{
	(void)state;
	list_all("d", "b", "a", "c");
	assert_int_equal(count_of("listing-order"), 1);
	assert_int_equal(count_all(), 1);
	assert_reported("get_directory_enumeration of \"d\" gave \"a\" after \"b\"; sort as");
}

static void the_order_is_that_of_the_instance(void **state)
{
	(void)state;
	checked_restart(true, CORE_ORDER_WINDOWS);
	list_all("d", "A", "b", "C");
	assert_int_equal(count_all(), 0);
	checked_restart(true, CORE_ORDER_BYTES);
	list_all("d", "A", "b", "C");
	assert_int_equal(count_of("listing-order"), 1);
	checked_restart(true, CORE_ORDER_NONE);
	list_all("d", "c", "a", "b");
	assert_int_equal(count_all(), 0);
}

static void the_order_goes_on_in_the_next_buffer(void **state)
{
	struct command *session = session_begin("d");

	(void)state;
	session_list(session, "b", NULL);
	session_list(session, "a", NULL);
	session_list(session, NULL);
	session_end(session);
	assert_int_equal(count_of("listing-order"), 1);
}

static void a_name_given_twice_is_reported(void **state)
{
	(void)state;
	checked_restart(true, CORE_ORDER_NONE);
	list_all("d", "a", "a", "b", "a");
	assert_int_equal(count_of("listing-duplicate"), 2);
	assert_int_equal(count_all(), 2);
}

static void a_name_may_come_again_in_another_listing_or_after_a_restart(void **state)
{
	struct command *session;

	(void)state;
	list_all("d", "a", "b");
	list_all("d", "a", "b");
	list_all("e", "a", "b");
	session = session_begin("f");
	session_list(session, "a", "b", NULL);
	session->restart = true;
	session_list(session, "a", "b", NULL);
	session_list(session, NULL);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

static void two_sessions_of_one_directory_do_not_disturb_each_other(void **state)
{
	struct command *one = session_begin("d"), *other = session_begin("d");

	(void)state;
	session_list(one, "a", "b", NULL);
	session_list(other, "a", NULL);
	session_list(one, "c", NULL);
	session_list(other, "b", "c", NULL);
	session_list(one, NULL);
	session_list(other, NULL);
	session_end(one);
	session_end(other);
	assert_int_equal(count_all(), 0);
}

static void a_name_that_is_none_is_reported(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	add_entry(get, "a/b", RECORD_FILE, 1, PRJ_ERR_INVALID_PARAMETER);
	returned(get, PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_of("listing-name"), 1);
	assert_reported("\"a/b\"");
	list_all("", ".projfs");
	assert_int_equal(count_of("listing-name"), 2);
	assert_int_equal(count_all(), 2);
	list_all("d", ".projfs");
	assert_int_equal(count_all(), 2);
}

static void an_entry_that_cannot_be_read_is_a_bad_argument(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	checker_entry(get->buffer, "a", NULL, PRJ_ERR_INSUFFICIENT_BUFFER);
	returned(get, PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_of("bad-argument"), 1);
	assert_int_equal(count_all(), 1);
}

/* A session whose first buffer takes "a" and refuses "b". */
static struct command *session_with_full_buffer(struct command **ret_get)
{
	struct command *session = session_begin("d");

	*ret_get = get_begin(session);
	session->restart = false;
	add_entry(*ret_get, "a", RECORD_FILE, 1, PRJ_OK);
	add_entry(*ret_get, "b", RECORD_FILE, 1, PRJ_ERR_INSUFFICIENT_BUFFER);
	return session;
}

static void the_entry_that_did_not_fit_comes_first_in_the_next_buffer(void **state)
{
	struct command *get, *session = session_with_full_buffer(&get);

	(void)state;
	returned(get, PRJ_OK);
	command_end(get);
	session_list(session, "b", "c", NULL);
	session_list(session, NULL);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

static void an_entry_that_is_lost_between_two_buffers_is_reported(void **state)
{
	struct command *get, *session = session_with_full_buffer(&get);

	(void)state;
	returned(get, PRJ_OK);
	command_end(get);
	session_list(session, "c", NULL);
	session_list(session, NULL);
	session_end(session);
	assert_int_equal(count_of("listing-entry-lost"), 1);
	assert_int_equal(count_all(), 1);
	assert_reported("gave \"c\" next, though \"b\"");
}

static void an_entry_that_is_lost_at_the_end_is_reported(void **state)
{
	struct command *get, *session = session_with_full_buffer(&get);

	(void)state;
	returned(get, PRJ_OK);
	command_end(get);
	session_list(session, NULL);
	session_end(session);
	assert_int_equal(count_of("listing-entry-lost"), 1);
}

static void an_entry_added_after_the_buffer_was_full_is_reported(void **state)
{
	struct command *get, *session = session_with_full_buffer(&get);

	(void)state;
	add_entry(get, "c", RECORD_FILE, 1, PRJ_OK);
	returned(get, PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_of("listing-entry-lost"), 1);
}

static void a_full_buffer_is_no_error(void **state)
{
	struct command *get, *session = session_with_full_buffer(&get);

	(void)state;
	returned(get, PRJ_ERR_INSUFFICIENT_BUFFER);
	command_end(get);
	session_end(session);
	assert_int_equal(count_of("listing-result"), 1);
	assert_int_equal(count_all(), 1);
}

static void a_buffer_is_not_the_providers_when_its_callback_is_over(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	assert_int_equal(checker_buffer(get->buffer, "a"), PRJ_OK);
	returned(get, PRJ_OK);
	assert_int_equal(checker_buffer(get->buffer, "late"), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(count_of("listing-buffer"), 1);
	assert_reported("prj_fill_dir_entry_buffer of \"late\"");
	/* another instance may get the same memory */
	checker_buffer_is_new(get->buffer);
	assert_int_equal(checker_buffer(get->buffer, "a"), PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_all(), 1);
}

static void a_pended_listing_keeps_its_buffer_until_it_is_completed(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	returned(get, PRJ_ERR_IO_PENDING);
	add_entry(get, "a", RECORD_FILE, 1, PRJ_OK);
	completed(get, PRJ_OK);
	assert_int_equal(count_all(), 0);
	assert_int_equal(checker_buffer(get->buffer, "b"), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(count_of("listing-buffer"), 1);
	command_end(get);
	session_end(session);
}

static void nobody_is_blamed_for_the_buffer_of_a_cancelled_listing(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	returned(get, PRJ_ERR_IO_PENDING);
	checker_cancelled(checked.checker, get->id);
	assert_int_equal(checker_buffer(get->buffer, "a"), PRJ_ERR_OPERATION_ABORTED);
	completed(get, PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

/* The core closes the buffer at once; that the listing was cancelled is told a moment later. */
static void a_listing_that_learns_of_its_cancel_from_the_buffer_is_not_blamed(void **state)
{
	struct command *session, *get;

	(void)state;
	look_up_file("d/known", 1, NULL);
	session = session_begin("d");
	get = get_begin(session);
	returned(get, PRJ_ERR_IO_PENDING);
	add_entry(get, "a", RECORD_FILE, 1, PRJ_ERR_OPERATION_ABORTED);
	completed(get, PRJ_OK);
	checker_cancelled(checked.checker, get->id);
	command_end(get);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

static void without_memory_for_an_entry_nobody_is_blamed(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	add_entry(get, "a", RECORD_FILE, 1, PRJ_ERR_OUT_OF_MEMORY);
	returned(get, PRJ_ERR_OUT_OF_MEMORY);
	command_end(get);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

static void a_buffer_that_is_another_commands_now_is_not_taken_from_it(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	/* What a cancel does last comes when the memory has its next owner. */
	buffer_taken(get->buffer, get->id - 1, true);
	assert_int_equal(checker_buffer(get->buffer, "a"), PRJ_OK);
	returned(get, PRJ_OK);
	command_end(get);
	session_end(session);
	assert_int_equal(count_all(), 0);
}

/* It may have returned in time: then its buffer is gone like any other. */
static void a_cancelled_listing_that_has_returned_has_no_buffer(void **state)
{
	struct command *session = session_begin("d"), *get = get_begin(session);

	(void)state;
	checker_cancelled(checked.checker, get->id);
	returned(get, PRJ_OK);
	assert_int_equal(checker_buffer(get->buffer, "late"), PRJ_ERR_INVALID_PARAMETER);
	command_end(get);
	session_end(session);
	assert_int_equal(count_of("listing-buffer"), 1);
	assert_int_equal(count_all(), 1);
}

static void an_end_that_fails_leaks_the_session(void **state)
{
	struct command *end = begin(COMMAND_END_ENUM, "d");

	(void)state;
	returned(end, PRJ_ERR_OUT_OF_MEMORY);
	command_end(end);
	assert_int_equal(count_of("session-leak"), 1);
	assert_int_equal(count_all(), 1);
	assert_reported("end_directory_enumeration of \"d\" returned OUT_OF_MEMORY");
}

static void an_end_that_is_never_completed_leaks_the_session(void **state)
{
	struct command *end = begin(COMMAND_END_ENUM, "d");

	(void)state;
	returned(end, PRJ_ERR_IO_PENDING);
	checked_now_ms += 60000;
	assert_reported(
	        "(session-leak): end_directory_enumeration of \"d\" was pended 60000 ms ago");
	command_end(end);
	assert_int_equal(count_all(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_sorted_listing_is_fine),
	        TEST(an_entry_out_of_order_is_reported_with_both_names),
	        TEST(the_order_is_that_of_the_instance),
	        TEST(the_order_goes_on_in_the_next_buffer),
	        TEST(a_name_given_twice_is_reported),
	        TEST(a_name_may_come_again_in_another_listing_or_after_a_restart),
	        TEST(two_sessions_of_one_directory_do_not_disturb_each_other),
	        TEST(a_name_that_is_none_is_reported),
	        TEST(an_entry_that_cannot_be_read_is_a_bad_argument),
	        TEST(the_entry_that_did_not_fit_comes_first_in_the_next_buffer),
	        TEST(an_entry_that_is_lost_between_two_buffers_is_reported),
	        TEST(an_entry_that_is_lost_at_the_end_is_reported),
	        TEST(an_entry_added_after_the_buffer_was_full_is_reported),
	        TEST(a_full_buffer_is_no_error),
	        TEST(a_buffer_is_not_the_providers_when_its_callback_is_over),
	        TEST(a_pended_listing_keeps_its_buffer_until_it_is_completed),
	        TEST(nobody_is_blamed_for_the_buffer_of_a_cancelled_listing),
	        TEST(a_listing_that_learns_of_its_cancel_from_the_buffer_is_not_blamed),
	        TEST(without_memory_for_an_entry_nobody_is_blamed),
	        TEST(a_buffer_that_is_another_commands_now_is_not_taken_from_it),
	        TEST(a_cancelled_listing_that_has_returned_has_no_buffer),
	        TEST(an_end_that_fails_leaks_the_session),
	        TEST(an_end_that_is_never_completed_leaks_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
