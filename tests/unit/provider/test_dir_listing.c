/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static void a_listing_is_in_the_order_of_windows(void **state)
{
	make_file("source/b", "");
	make_file("source/_", "");
	make_file("source/C", "");
	make_file("source/a", "");
	make_file("source/9", "");
	make_file("source/é2", "");
	make_file("source/É1", "");
	assert_string_equal(list(""), "9 a b C _ É1 é2");
}

static void names_that_differ_in_case_only_are_ordered_by_bytes(void **state)
{
	make_file("source/readme", "");
	make_file("source/README", "");
	make_file("source/ReadMe", "");
	assert_string_equal(list(""), "README ReadMe readme");
}

static void a_full_buffer_is_continued_where_it_ended(void **state)
{
	make_file("source/a", "");
	make_file("source/b", "");
	make_file("source/c", "");
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(get(1, NULL, 0, 2), PRJ_OK);
	assert_string_equal(names(), "a b");
	assert_int_equal(get(1, NULL, 0, 0), PRJ_ERR_INSUFFICIENT_BUFFER);
	assert_int_equal(get(1, NULL, 0, 2), PRJ_OK);
	assert_string_equal(names(), "c");
	assert_int_equal(get(1, NULL, 0, 2), PRJ_OK);
	assert_string_equal(names(), "");
	assert_int_equal(end(1), PRJ_OK);
}

static void a_search_expression_is_kept_until_a_restart_brings_another(void **state)
{
	make_file("source/a1", "");
	make_file("source/a2", "");
	make_file("source/b1", "");
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(get(1, "a*", 0, 1), PRJ_OK);
	assert_string_equal(names(), "a1");
	assert_int_equal(get(1, "b*", 0, 9), PRJ_OK);
	assert_string_equal(names(), "a2");
	assert_int_equal(get(1, "B*", PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN, 9), PRJ_OK);
	assert_string_equal(names(), "b1");
	assert_int_equal(get(1, NULL, PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN, 9), PRJ_OK);
	assert_string_equal(names(), "a1 a2 b1");
	assert_int_equal(end(1), PRJ_OK);
}

static void sessions_of_one_directory_do_not_disturb_each_other(void **state)
{
	make_file("source/a", "");
	make_file("source/b", "");
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(start(2, ""), PRJ_OK);
	assert_int_equal(status("open listings"), 2);
	assert_int_equal(get(1, NULL, 0, 1), PRJ_OK);
	assert_int_equal(get(2, NULL, 0, 9), PRJ_OK);
	assert_string_equal(names(), "a b");
	assert_int_equal(end(2), PRJ_OK);
	assert_int_equal(get(1, NULL, 0, 9), PRJ_OK);
	assert_string_equal(names(), "b");
	assert_int_equal(end(1), PRJ_OK);
	assert_int_equal(status("open listings"), 0);
}

static void an_unknown_session_is_an_invalid_parameter(void **state)
{
	assert_int_equal(get(1, NULL, 0, 9), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(end(1), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(start(1, ""), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(end(1), PRJ_OK);
	assert_int_equal(get(1, NULL, 0, 9), PRJ_ERR_INVALID_PARAMETER);
}

static void a_session_that_is_never_ended_goes_with_the_instance(void **state)
{
	make_file("source/a", "");
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(get(1, "*", 0, 9), PRJ_OK);
}

static void what_is_not_a_directory_is_not_found(void **state)
{
	make_file("source/file", "");
	make_directory("source/directory");
	make_link("source/link", "directory");
	assert_int_equal(start(1, "missing"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(start(1, "file"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(start(1, "file/below"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(start(1, "link"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(start(1, "directory"), PRJ_OK);
	assert_int_equal(end(1), PRJ_OK);
}

static void an_unreadable_directory_is_denied(void **state)
{
	make_directory("source/closed");
	assert_int_equal(chmod("source/closed", 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	else
		assert_int_equal(chmod("source/closed", 0), 0);
	assert_int_equal(start(1, "closed"), PRJ_ERR_ACCESS_DENIED);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static void special_files_are_left_out_and_counted_once(void **state)
{
	make_file("source/a", "");
	assert_int_equal(mkfifo("source/fifo", 0644), 0);
	assert_int_equal(mknod("source/socket", S_IFSOCK | 0644, 0), 0);
	assert_string_equal(list(""), "a");
	assert_string_equal(list(""), "a");
	assert_int_equal(status("special files left out"), 2);
}

static void more_special_files_than_the_first_table_holds_are_counted(void **state)
{
	for (char c = 'a'; c <= 'z'; c++) {
		char path[] = "source/1?";

		for (path[7] = '1'; path[7] <= '4'; path[7]++) {
			path[8] = c;
			assert_int_equal(mkfifo(path, 0644), 0);
		}
	}
	assert_string_equal(list(""), "");
	assert_int_equal(status("special files left out"), 4 * 26);
}

static void the_reserved_name_is_left_out_at_the_top_only(void **state)
{
	make_directory("source/.projfs");
	make_directory("source/below");
	make_directory("source/below/.projfs");
	assert_string_equal(list(""), "below");
	assert_int_equal(status("reserved names left out"), 1);
	assert_string_equal(list("below"), ".projfs");
	assert_int_equal(rmdir("source/.projfs"), 0);
	assert_string_equal(list(""), "below");
	assert_int_equal(status("reserved names left out"), 0);
}

static void entries_come_with_their_metadata(void **state)
{
	const struct fake_entry *e = fixture.buffer.entries;

	make_directory("source/directory");
	make_file("source/file", "1234567");
	make_link("source/link", "no/where");
	assert_int_equal(chmod("source/file", 04751), 0);
	assert_string_equal(list(""), "directory file link");
	assert_true(e[0].info.is_directory);
	assert_string_equal(e[0].target, "");
	assert_false(e[1].info.is_directory);
	assert_int_equal(e[1].info.file_size, 7);
	assert_int_equal(e[1].info.mode, 04751);
	assert_false(e[2].info.is_directory);
	assert_string_equal(e[2].target, "no/where");
	assert_int_equal(e[2].info.file_size, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_SOURCE(a_listing_is_in_the_order_of_windows),
	        WITH_SOURCE(names_that_differ_in_case_only_are_ordered_by_bytes),
	        WITH_SOURCE(a_full_buffer_is_continued_where_it_ended),
	        WITH_SOURCE(a_search_expression_is_kept_until_a_restart_brings_another),
	        WITH_SOURCE(sessions_of_one_directory_do_not_disturb_each_other),
	        WITH_SOURCE(an_unknown_session_is_an_invalid_parameter),
	        WITH_SOURCE(a_session_that_is_never_ended_goes_with_the_instance),
	        WITH_SOURCE(what_is_not_a_directory_is_not_found),
	        WITH_SOURCE(an_unreadable_directory_is_denied),
	        WITH_SOURCE(special_files_are_left_out_and_counted_once),
	        WITH_SOURCE(more_special_files_than_the_first_table_holds_are_counted),
	        WITH_SOURCE(the_reserved_name_is_left_out_at_the_top_only),
	        WITH_SOURCE(entries_come_with_their_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
