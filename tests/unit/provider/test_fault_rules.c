/* SPDX-License-Identifier: MIT */
#include "fault_fixture.h"

#include <string.h>

/* Ask @n times for data: 'x' where a rule fired, '.' where not. */
static const char *pattern(const char *text, int n)
{
	static char shown[256];

	open_fault(text);
	for (int i = 0; i < n; i++)
		shown[i] = ask_data("f", 0, 10) == PRJ_ERR_ACCESS_DENIED ? 'x' : '.';
	shown[n] = '\0';
	return shown;
}

static void a_rule_without_conditions_always_fires(void **state)
{
	assert_string_equal(pattern("get_file_data error=access_denied", 5), "xxxxx");
	assert_int_equal(fixture.inner.n_asked[CALLBACK_DATA], 0);
}

static void after_lets_the_first_calls_through(void **state)
{
	assert_string_equal(pattern("get_file_data error=access_denied after=2", 5), "..xxx");
}

static void count_ends_it(void **state)
{
	assert_string_equal(pattern("get_file_data error=access_denied count=2", 5), "xx...");
	assert_string_equal(pattern("any error=access_denied count=1 after=3", 6), "...x..");
}

static void every_takes_the_first_and_each_nth_from_there(void **state)
{
	assert_string_equal(pattern("any error=access_denied every=3", 7), "x..x..x");
	assert_string_equal(pattern("any error=access_denied every=3 after=1 count=2", 9),
	                    ".x..x....");
}

static void the_same_seed_makes_the_same_faults(void **state)
{
	char first[256];

	strcpy(first, pattern("any error=access_denied probability=0.5 seed=1", 100));
	assert_string_equal(pattern("any error=access_denied probability=0.5 seed=1", 100), first);
	assert_string_not_equal(pattern("any error=access_denied probability=0.5 seed=2", 100),
	                        first);
	assert_non_null(strchr(first, 'x'));
	assert_non_null(strchr(first, '.'));
	assert_string_equal(pattern("any error=access_denied probability=0", 5), ".....");
	assert_string_equal(pattern("any error=access_denied probability=1", 5), "xxxxx");
}

static void a_path_is_a_glob_whose_star_crosses_slashes(void **state)
{
	open_fault("get_placeholder_info error=access_denied path=d/*.c");
	assert_int_equal(ask_info("d/a.c"), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(ask_info("d/e/a.c"), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(ask_info("d/a.h"), PRJ_OK);
	assert_int_equal(ask_info("a.c"), PRJ_OK);
	open_fault("start_directory_enumeration path=\"\" error=access_denied");
	assert_int_equal(ask_start(""), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(ask_start("d"), PRJ_OK);
}

static void other_callbacks_and_paths_do_not_count(void **state)
{
	open_fault("get_placeholder_info error=access_denied after=1 path=a");
	assert_int_equal(ask_info("b"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 10), PRJ_OK);
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(ask_info("b"), PRJ_OK);
	assert_int_equal(ask_info("a"), PRJ_ERR_ACCESS_DENIED);
}

static void the_first_rule_that_fires_wins_and_the_next_does_not_see_the_call(void **state)
{
	open_fault("get_placeholder_info error=access_denied count=2;"
	           "get_placeholder_info error=file_not_found after=1");
	assert_int_equal(ask_info("a"), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(ask_info("a"), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(ask_info("a"), PRJ_ERR_FILE_NOT_FOUND);
}

static void listings_are_counted_by_their_first_call(void **state)
{
	open_fault("get_directory_enumeration add=x after=1");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "a b c");
	assert_int_equal(ask_list_again(""), PRJ_OK);
	assert_string_equal(listed(), "");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "x a b c");
}

static void status_tells_what_was_injected(void **state)
{
	open_fault("get_file_data error=access_denied delay=0ms; any crash after=1000; any hang "
	           "after=1000");
	assert_int_equal(status("faults injected"), 0);
	(void)ask_data("f", 0, 10);
	(void)ask_data("f", 0, 10);
	(void)ask_info("f");
	assert_int_equal(status("faults injected"), 2);
	assert_int_equal(status("fault error"), 2);
	assert_int_equal(status("fault delay"), 2);
	assert_int_equal(status("fault crash"), 0);
	assert_int_equal(status("fault short"), -1);
	assert_int_equal(status("inner"), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_INNER(a_rule_without_conditions_always_fires),
	        WITH_INNER(after_lets_the_first_calls_through),
	        WITH_INNER(count_ends_it),
	        WITH_INNER(every_takes_the_first_and_each_nth_from_there),
	        WITH_INNER(the_same_seed_makes_the_same_faults),
	        WITH_INNER(a_path_is_a_glob_whose_star_crosses_slashes),
	        WITH_INNER(other_callbacks_and_paths_do_not_count),
	        WITH_INNER(the_first_rule_that_fires_wins_and_the_next_does_not_see_the_call),
	        WITH_INNER(listings_are_counted_by_their_first_call),
	        WITH_INNER(status_tells_what_was_injected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
