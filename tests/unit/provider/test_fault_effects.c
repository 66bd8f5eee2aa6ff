/* SPDX-License-Identifier: MIT */
#include "fault_fixture.h"

#include <string.h>

static void what_is_not_meant_passes_unchanged(void **state)
{
	open_fault("any error=access_denied path=other");
	assert_int_equal(ask_start("d"), PRJ_OK);
	assert_int_equal(ask_list("d"), PRJ_OK);
	assert_string_equal(listed(), "a b c");
	assert_int_equal(ask_end("d"), PRJ_OK);
	assert_int_equal(ask_info("d/a"), PRJ_OK);
	assert_int_equal(ask_data("d/a", 5, 10), PRJ_OK);
	assert_int_equal(ask_query("d/a"), PRJ_OK);
	assert_int_equal(ask_notification("d/a", PRJ_NOTIFICATION_PRE_DELETE), PRJ_OK);
	ask_cancel(9);
	for (enum callback c = 0; c < N_CALLBACKS; c++)
		assert_int_equal(fixture.inner.n_asked[c], 1);
	assert_string_equal(answers.paths[0], "d/a");
	assert_int_equal(fixture.inner.offset, 5);
	assert_int_equal(fixture.inner.length, 10);
	assert_int_equal(fixture.inner.cancelled_id, 9);
	fixture.inner.result = PRJ_ERR_VIRTUALIZATION_BUSY;
	assert_int_equal(ask_data("d/a", 0, 10), PRJ_ERR_VIRTUALIZATION_BUSY);
}

static void facts_of_the_wrapped_provider_are_handed_on(void **state)
{
	open_fault("any drop");
	assert_int_equal(fixture.filter.struct_size, sizeof(fixture.filter));
	assert_int_equal(fixture.filter.start_flags, PRJ_FLAG_REVALIDATE);
	assert_int_equal(fixture.filter.compare_order, PRJ_COMPARE_BYTES);
	assert_string_equal(fixture.filter.source, "inner:source");
	assert_string_equal(fixture.filter.source_directory, "/source");
}

static void optional_callbacks_are_those_of_the_wrapped_provider(void **state)
{
	struct prj_callbacks *inner = &fixture.inner.instance.callbacks;

	inner->query_file_name = NULL;
	inner->notification = NULL;
	inner->cancel_command = NULL;
	open_fault("any error=access_denied");
	assert_null(fixture.filter.callbacks.query_file_name);
	assert_null(fixture.filter.callbacks.notification);
	ask_cancel(9);
	assert_int_equal(try_open_fault("query_file_name drop"), PRJ_ERR_INVALID_PARAMETER);
	assert_non_null(strstr(fixture.message, "get_placeholder_info"));
}

static void a_rule_can_refuse_what_the_wrapped_provider_is_not_told(void **state)
{
	fixture.inner.instance.callbacks.notification = NULL;
	open_fault("notification error=0xD0000121 path=a");
	assert_int_equal(ask_notification("a", PRJ_NOTIFICATION_PRE_DELETE), PRJ_ERR_CANNOT_DELETE);
	assert_int_equal(ask_notification("b", PRJ_NOTIFICATION_PRE_DELETE), PRJ_OK);
}

static void an_error_comes_without_asking(void **state)
{
	open_fault("any error=0xDEADBEEF");
	assert_int_equal(ask_start(""), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_list(""), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_end(""), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_info("a"), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_data("a", 0, 10), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_query("a"), PRJ_RESULT(0xDEADBEEFu));
	assert_int_equal(ask_notification("a", PRJ_NOTIFICATION_PRE_DELETE),
	                 PRJ_RESULT(0xDEADBEEFu));
	for (enum callback c = 0; c < N_CALLBACKS; c++)
		assert_int_equal(fixture.inner.n_asked[c], 0);
}

static void drop_says_ok_and_does_nothing(void **state)
{
	open_fault("any drop");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "");
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(answers.n_placeholders, 0);
	assert_int_equal(ask_data("a", 0, 10), PRJ_OK);
	assert_int_equal(answers.n_writes, 0);
	ask_cancel(9);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_CANCEL], 0);
}

static void short_is_half_or_some_bytes_fewer(void **state)
{
	open_fault("get_file_data short");
	assert_int_equal(ask_data("a", 20, 9), PRJ_OK);
	assert_int_equal(fixture.inner.offset, 20);
	assert_int_equal(fixture.inner.length, 4);
	assert_int_equal(ask_data("a", 0, 1), PRJ_OK);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_DATA], 1);

	open_fault("get_file_data short=3");
	assert_int_equal(ask_data("a", 20, 10), PRJ_OK);
	assert_int_equal(fixture.inner.length, 7);
	assert_int_equal(ask_data("a", 20, 3), PRJ_OK);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_DATA], 2);
	assert_int_equal(ask_data("a", 0, 0), PRJ_OK);
	assert_int_equal(fixture.inner.length, 0);
}

static void an_error_may_come_after_a_part(void **state)
{
	open_fault("get_file_data short error=access_denied");
	assert_int_equal(ask_data("a", 0, 10), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(answers.n_writes, 1);
	assert_int_equal(answers.writes[0].length, 5);
}

static void corrupt_writes_other_bytes_of_the_same_length(void **state)
{
	open_fault("get_file_data corrupt");
	assert_int_equal(ask_data("a", 100, 5000), PRJ_OK);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_DATA], 0);
	assert_int_equal(answers.n_writes, 2);
	assert_int_equal(answers.writes[0].offset, 100);
	assert_int_equal(answers.writes[1].offset, 4196);
	assert_int_equal(answers.writes[0].length + answers.writes[1].length, 5000);
	assert_int_not_equal(answers.writes[0].first, 'x');
	assert_int_not_equal(answers.writes[0].first, 0);
}

static void overlap_delivers_the_second_half_again(void **state)
{
	open_fault("get_file_data overlap");
	assert_int_equal(ask_data("a", 10, 9), PRJ_OK);
	assert_int_equal(answers.n_writes, 2);
	assert_int_equal(answers.writes[0].length, 9);
	assert_int_equal(answers.writes[1].offset, 14);
	assert_int_equal(answers.writes[1].length, 5);
}

static void beyond_writes_where_no_file_is_and_then_all(void **state)
{
	open_fault("get_file_data beyond");
	assert_int_equal(ask_data("a", 0, 10), PRJ_OK);
	assert_int_equal(answers.n_writes, 2);
	assert_true(answers.writes[0].offset > INT64_MAX / 4);
	assert_int_equal(answers.writes[1].length, 10);
	/* of a file of unknown size no byte is beyond the end */
	assert_int_equal(ask_data("a", 0, 0), PRJ_OK);
	assert_int_equal(answers.n_writes, 3);
}

static void add_gives_an_entry_of_its_own_once_in_a_listing(void **state)
{
	open_fault("get_directory_enumeration add=b kind=directory size=7");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "b a b c");
	assert_true(fixture.buffer.entries[0].info.is_directory);
	assert_int_equal(fixture.buffer.entries[0].info.file_size, 7);
	assert_int_equal(ask_list_again(""), PRJ_OK);
	assert_string_equal(listed(), "");
}

static void add_may_give_a_name_that_is_none(void **state)
{
	open_fault("get_directory_enumeration add=x/y count=1; get_directory_enumeration add=\"\"");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "a b c");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "a b c");
	assert_int_equal(answers.n_refused_names, 2);
}

static void duplicate_lists_twice(void **state)
{
	open_fault("get_directory_enumeration duplicate");
	assert_int_equal(ask_list(""), PRJ_OK);
	assert_string_equal(listed(), "a b c a b c");
	assert_int_equal(ask_list_again(""), PRJ_OK);
	assert_string_equal(listed(), "");
}

static void disorder_lists_two_files_that_exist(void **state)
{
	open_fault("get_directory_enumeration disorder");
	assert_int_equal(ask_list("d"), PRJ_OK);
	assert_string_equal(listed(), "~fault-2 ~fault-1 a b c");
	assert_int_equal(ask_info("d/~fault-1"), PRJ_OK);
	assert_int_equal(ask_query("~fault-2"), PRJ_OK);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 0);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_QUERY], 0);
	assert_string_equal(answers.paths[0], "d/~fault-1");
	assert_int_equal(answers.infos[0].file_basic_info.file_size, 0);
	open_fault("any drop after=1000");
	assert_int_equal(ask_info("d/~fault-1"), PRJ_OK);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 1);
}

static void kind_and_size_are_told_instead_of_the_true_ones(void **state)
{
	open_fault("get_placeholder_info kind=directory; any drop");
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(answers.n_placeholders, 1);
	assert_string_equal(answers.paths[0], "a");
	assert_true(answers.infos[0].file_basic_info.is_directory);
	assert_int_equal(fixture.inner.n_asked[CALLBACK_INFO], 0);
}

static void all_sizes_have_one_content_id(void **state)
{
	open_fault("get_placeholder_info size=5 count=1; get_placeholder_info size=6");
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(ask_info("a"), PRJ_OK);
	assert_int_equal(answers.infos[0].file_basic_info.file_size, 5);
	assert_int_equal(answers.infos[1].file_basic_info.file_size, 6);
	assert_false(answers.infos[0].file_basic_info.is_directory);
	assert_true(answers.infos[0].version_info.content_id[0]);
	assert_memory_equal(&answers.infos[0].version_info, &answers.infos[1].version_info,
	                    sizeof(answers.infos[0].version_info));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_INNER(what_is_not_meant_passes_unchanged),
	        WITH_INNER(facts_of_the_wrapped_provider_are_handed_on),
	        WITH_INNER(optional_callbacks_are_those_of_the_wrapped_provider),
	        WITH_INNER(a_rule_can_refuse_what_the_wrapped_provider_is_not_told),
	        WITH_INNER(an_error_comes_without_asking),
	        WITH_INNER(drop_says_ok_and_does_nothing),
	        WITH_INNER(short_is_half_or_some_bytes_fewer),
	        WITH_INNER(an_error_may_come_after_a_part),
	        WITH_INNER(corrupt_writes_other_bytes_of_the_same_length),
	        WITH_INNER(overlap_delivers_the_second_half_again),
	        WITH_INNER(beyond_writes_where_no_file_is_and_then_all),
	        WITH_INNER(add_gives_an_entry_of_its_own_once_in_a_listing),
	        WITH_INNER(add_may_give_a_name_that_is_none),
	        WITH_INNER(duplicate_lists_twice),
	        WITH_INNER(disorder_lists_two_files_that_exist),
	        WITH_INNER(kind_and_size_are_told_instead_of_the_true_ones),
	        WITH_INNER(all_sizes_have_one_content_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
