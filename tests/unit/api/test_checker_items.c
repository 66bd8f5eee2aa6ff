/* SPDX-License-Identifier: MIT */
/* The contract checker, -o check: listings against look-ups, and what a look-up may answer. */

#include "checked.h"

#include <stdio.h>
#include <string.h>

static void a_view_that_agrees_with_itself_is_fine(void **state)
{
	(void)state;
	look_up_file("d/a", 1, NULL);
	look_up_nothing("d/x");
	list_all("d", "a", "b");
	look_up_file("d/a", 1, NULL);
	look_up_file("d/b", 1, NULL);
	look_up_nothing("d/x");
	look_up_nothing("d/b/c");
	look_up_file("e/x", 1, NULL);
	assert_int_equal(count_all(), 0);
}

static void what_is_listed_must_be_found(void **state)
{
	(void)state;
	list_all("d", "a");
	look_up_nothing("d/a");
	assert_int_equal(count_of("listed-not-found"), 1);
	assert_reported("get_placeholder_info of \"d/a\" found nothing");
	look_up_nothing("e/a");
	list_all("e", "a");
	assert_int_equal(count_of("listed-not-found"), 2);
	assert_reported("get_directory_enumeration of \"e\" lists \"a\"");
	assert_int_equal(count_all(), 2);
}

static void what_is_found_must_be_listed(void **state)
{
	(void)state;
	list_all("d", "a");
	look_up_file("d/b", 1, NULL);
	assert_int_equal(count_of("found-not-listed"), 1);
	assert_reported("get_placeholder_info of \"d/b\" found it");
	look_up_file("e/b", 1, NULL);
	list_all("e", "a");
	assert_int_equal(count_of("found-not-listed"), 2);
	assert_reported("get_directory_enumeration of \"e\" lists all but \"b\"");
	assert_int_equal(count_all(), 2);
}

static void a_listing_that_was_not_read_to_its_end_lacks_nothing(void **state)
{
	struct command *session = session_begin("d");

	(void)state;
	session_list(session, "a", NULL);
	look_up_file("d/b", 1, NULL);
	session_end(session);
	look_up_file("d/c", 1, NULL);
	assert_int_equal(count_all(), 0);
}

static void a_query_for_a_name_counts_as_a_look_up(void **state)
{
	struct command *query;

	(void)state;
	list_all("d", "a");
	query = begin(COMMAND_QUERY_NAME, "d/a");
	returned(query, PRJ_OK);
	command_end(query);
	assert_int_equal(count_all(), 0);
	query = begin(COMMAND_QUERY_NAME, "d/b");
	returned(query, PRJ_OK);
	command_end(query);
	query = begin(COMMAND_QUERY_NAME, "d/a");
	returned(query, PRJ_ERR_FILE_NOT_FOUND);
	command_end(query);
	assert_int_equal(count_of("found-not-listed"), 1);
	assert_int_equal(count_of("listed-not-found"), 1);
}

static void a_listed_directory_that_cannot_be_opened_is_reported(void **state)
{
	struct command *start;

	(void)state;
	list_all("", "d");
	start = begin(COMMAND_START_ENUM, "d");
	returned(start, PRJ_ERR_FILE_NOT_FOUND);
	command_end(start);
	assert_int_equal(count_of("listed-not-found"), 1);
}

static void kinds_must_be_the_same(void **state)
{
	(void)state;
	list_all("d", "a", "b");
	look_up_kind("d/a", RECORD_DIRECTORY);
	assert_int_equal(count_of("kind-differs"), 1);
	assert_reported("\"a\" is a file in the listing and a directory on look-up");
	look_up_kind("e/a", RECORD_SYMLINK);
	list_all("e", "a");
	assert_int_equal(count_of("kind-differs"), 2);
	look_up_kind("d/b", RECORD_FILE);
	assert_int_equal(count_all(), 2);
}

static void sizes_must_be_the_same_where_both_are_known(void **state)
{
	(void)state;
	list_all("d", "a", "b");
	look_up_kind("d/a", RECORD_FILE);
	assert_int_equal(count_all(), 0);
	look_up_file("d/a", 2, NULL);
	assert_int_equal(count_of("size-differs"), 1);
	assert_reported("\"a\" has 1 bytes in the listing and 2 on look-up");
	look_up_file("e/a", 2, NULL);
	list_all("e", "a");
	assert_int_equal(count_of("size-differs"), 2);
	assert_int_equal(count_all(), 2);
}

static void a_live_view_may_change_between_answers_that_lie_apart(void **state)
{
	(void)state;
	checked_restart(false, CORE_ORDER_BYTES);
	list_all("d", "a", "b");
	checked_now_ms += CHECKER_NEAR_MS + 1;
	look_up_nothing("d/a");
	look_up_file("d/b", 2, NULL);
	look_up_file("d/c", 2, NULL);
	checked_now_ms += CHECKER_NEAR_MS + 1;
	list_all("d", "a", "b");
	assert_int_equal(count_all(), 0);
}

static void a_live_view_is_compared_within_a_second_and_the_report_says_so(void **state)
{
	(void)state;
	checked_restart(false, CORE_ORDER_BYTES);
	list_all("d", "a", "b");
	checked_now_ms += CHECKER_NEAR_MS;
	look_up_nothing("d/a");
	look_up_file("d/b", 2, NULL);
	look_up_file("d/c", 2, NULL);
	assert_int_equal(count_of("listed-not-found"), 1);
	assert_int_equal(count_of("size-differs"), 1);
	assert_int_equal(count_of("found-not-listed"), 1);
	assert_reported("the view is live");
}

static void a_stable_view_is_compared_however_long_it_is_ago(void **state)
{
	(void)state;
	list_all("d", "a", "b");
	look_up_nothing("e/a");
	checked_now_ms += UINT64_C(3600000);
	look_up_nothing("d/a");
	look_up_file("d/b", 2, NULL);
	look_up_file("d/c", 2, NULL);
	list_all("e", "a");
	assert_int_equal(count_of("listed-not-found"), 2);
	assert_int_equal(count_of("size-differs"), 1);
	assert_int_equal(count_of("found-not-listed"), 1);
	assert_int_equal(count_all(), 4);
}

static void the_newest_listing_counts(void **state)
{
	(void)state;
	checked_restart(false, CORE_ORDER_BYTES);
	list_all("d", "a", "b");
	list_all("d", "b");
	look_up_nothing("d/a");
	assert_int_equal(count_all(), 0);
}

static void a_view_that_is_said_to_have_changed_may_have(void **state)
{
	(void)state;
	list_all("d", "a");
	look_up_nothing("d/b");
	checker_view_changed(checked.checker);
	look_up_nothing("d/a");
	list_all("d", "b");
	look_up_file("d/b", 1, NULL);
	assert_int_equal(count_all(), 0);
}

/* More names than are remembered: those that were forgotten are not held against anybody. */
static void names_beyond_the_bound_are_forgotten_without_false_reports(void **state)
{
	struct command *session = session_begin("big"), *get = get_begin(session);
	char name[32], path[40];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "f%06d", i);
		add_entry(get, name, RECORD_FILE, 1, PRJ_OK);
	}
	returned(get, PRJ_OK);
	command_end(get);
	session->restart = false;
	session_list(session, NULL);
	session_end(session);
	for (int i = 0; i < 100000; i += 7) {
		(void)snprintf(path, sizeof(path), "big/f%06d", i);
		look_up_file(path, 1, NULL);
	}
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "d%d", i);
		list_all(name, "a", "b");
	}
	look_up_file("d0/a", 1, NULL);
	look_up_file("d0/b", 1, NULL);
	assert_int_equal(count_all(), 0);
}

/* ---- placeholders --------------------------------------------------------------------------------- */

static void success_without_a_placeholder_is_reported(void **state)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "a");

	(void)state;
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("placeholder-missing"), 1);
	assert_int_equal(count_all(), 1);
}

static void an_answer_in_other_letters_is_reported(void **state)
{
	struct record rec = {.kind = RECORD_FILE};
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "Dir/File");

	(void)state;
	checker_placeholder(checked.checker, "dir/file", &rec, PRJ_OK);
	returned(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("placeholder-path"), 1);
	assert_int_equal(count_all(), 1);
	assert_reported("get_placeholder_info of \"Dir/File\" succeeded, but the placeholder was "
	                "written for \"dir/file\"");
}

static void placeholders_that_nobody_asked_for_are_fine(void **state)
{
	struct record rec = {.kind = RECORD_FILE};
	struct command *cmd = begin(COMMAND_PLACEHOLDER, "makefile");

	(void)state;
	checker_placeholder(checked.checker, "other", &rec, PRJ_OK);
	checker_placeholder(checked.checker, "Makefile", &rec, PRJ_OK);
	returned(cmd, PRJ_ERR_FILE_NOT_FOUND);
	command_end(cmd);
	assert_int_equal(count_all(), 0);
}

static void a_placeholder_that_is_refused_is_reported(void **state)
{
	(void)state;
	checker_placeholder(checked.checker, "/a", NULL, PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(count_of("bad-argument"), 1);
	checker_placeholder(checked.checker, NULL, NULL, PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(count_of("bad-argument"), 2);
	checker_placeholder(checked.checker, "a", NULL, PRJ_ERR_DISK_FULL);
	assert_int_equal(count_all(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_view_that_agrees_with_itself_is_fine),
	        TEST(what_is_listed_must_be_found),
	        TEST(what_is_found_must_be_listed),
	        TEST(a_listing_that_was_not_read_to_its_end_lacks_nothing),
	        TEST(a_query_for_a_name_counts_as_a_look_up),
	        TEST(a_listed_directory_that_cannot_be_opened_is_reported),
	        TEST(kinds_must_be_the_same),
	        TEST(sizes_must_be_the_same_where_both_are_known),
	        TEST(a_live_view_may_change_between_answers_that_lie_apart),
	        TEST(a_live_view_is_compared_within_a_second_and_the_report_says_so),
	        TEST(a_stable_view_is_compared_however_long_it_is_ago),
	        TEST(the_newest_listing_counts),
	        TEST(a_view_that_is_said_to_have_changed_may_have),
	        TEST(names_beyond_the_bound_are_forgotten_without_false_reports),
	        TEST(success_without_a_placeholder_is_reported),
	        TEST(an_answer_in_other_letters_is_reported),
	        TEST(placeholders_that_nobody_asked_for_are_fine),
	        TEST(a_placeholder_that_is_refused_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
