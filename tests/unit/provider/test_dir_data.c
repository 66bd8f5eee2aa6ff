/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "provider/dir/data.h"

#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)

static void content_arrives_on_completion(void **state)
{
	make_file("source/a", "some content");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 12), PRJ_OK);
	assert_int_equal(fake.n_writes, 1);
	assert_int_equal(fake.write_flags, PRJ_WRITE_ON_COMPLETION);
	assert_int_equal(fake.n_content, 12);
	assert_memory_equal(fake.content, "some content", 12);
}

static void a_range_ends_with_the_file(void **state)
{
	make_file("source/a", "0123456789");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 2, 3), PRJ_OK);
	assert_int_equal(fake.byte_offset, 2);
	assert_int_equal(fake.n_content, 3);
	assert_memory_equal(fake.content, "234", 3);
	assert_int_equal(ask_data("a", 8, 4096), PRJ_OK);
	assert_int_equal(fake.n_content, 2);
	assert_memory_equal(fake.content, "89", 2);
	assert_int_equal(ask_data("a", 4, 0), PRJ_OK);
	assert_int_equal(fake.n_content, 6);
}

static void a_file_of_another_version_is_not_read(void **state)
{
	make_file("source/a", "old");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	make_file("source/a", "newer");
	assert_int_equal(ask_data("a", 0, 3), PRJ_ERR_VIRTUALIZATION_BUSY);
	assert_int_equal(fake.n_writes, 0);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 5), PRJ_OK);
	assert_memory_equal(fake.content, "newer", 5);
}

static void what_is_no_file_any_more_is_not_read(void **state)
{
	make_file("source/a", "text");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	move("source/a", "source/b");
	assert_int_equal(ask_data("a", 0, 4), PRJ_ERR_VIRTUALIZATION_BUSY);
	make_link("source/a", "b");
	assert_int_equal(ask_data("a", 0, 4), PRJ_ERR_VIRTUALIZATION_BUSY);
	assert_int_equal(unlink("source/a"), 0);
	make_directory("source/a");
	assert_int_equal(ask_data("a", 0, 4), PRJ_ERR_VIRTUALIZATION_BUSY);
	assert_int_equal(fake.n_writes, 0);
}

static void overwrite(void)
{
	make_file("source/a", "XXXXXXXX");
}

static void truncate_it(void)
{
	assert_int_equal(truncate("source/a", 2), 0);
}

static void replace(void)
{
	make_file("source/b", "XXXXXXXX");
	move("source/b", "source/a");
}

static void remove_it(void)
{
	assert_int_equal(unlink("source/a"), 0);
}

static void copy_while(void (*in_the_middle)(void))
{
	make_file("source/a", "12345678");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	fake.in_the_middle = in_the_middle;
	assert_int_equal(ask_data("a", 0, 8), PRJ_ERR_VIRTUALIZATION_BUSY);
	assert_int_equal(fake.n_writes, 1);
}

static void a_file_that_is_overwritten_during_the_copy_does_not_count(void **state)
{
	copy_while(overwrite);
}

static void a_file_that_is_truncated_during_the_copy_does_not_count(void **state)
{
	copy_while(truncate_it);
}

static void a_file_that_is_replaced_during_the_copy_does_not_count(void **state)
{
	copy_while(replace);
}

static void a_file_that_is_removed_during_the_copy_does_not_count(void **state)
{
	copy_while(remove_it);
}

static void a_young_file_is_copied_when_its_tick_is_over(void **state)
{
	make_file("source/a", "text");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 4), PRJ_OK);
	assert_true(fake.age_ns >= 10 * MS);
}

static int64_t settle_ns(int64_t changed_s, uint32_t changed_ns, int64_t now_s, int64_t now_ns)
{
	struct statx_timestamp changed = {.tv_sec = changed_s, .tv_nsec = changed_ns};
	struct timespec now = {.tv_sec = now_s, .tv_nsec = now_ns};

	return data_settle_ns(&changed, &now);
}

static void the_wait_is_for_the_rest_of_a_tick(void **state)
{
	assert_int_equal(settle_ns(100, 5, 200, 0), 0);
	assert_int_equal(settle_ns(100, 1 * MS, 100, 21 * MS), 0);
	assert_int_equal(settle_ns(100, 1 * MS, 100, 1 * MS), 20 * MS);
	assert_int_equal(settle_ns(100, 1 * MS, 100, 16 * MS), 5 * MS);
	assert_int_equal(settle_ns(100, 999 * MS, 101, 4 * MS), 15 * MS);
}

static void a_change_in_the_future_waits_for_one_tick(void **state)
{
	assert_int_equal(settle_ns(101, 1, 100, 0), 20 * MS);
	assert_int_equal(settle_ns(100, 2, 100, 1), 20 * MS);
	assert_int_equal(settle_ns(INT64_MAX / 2, 2, 100, 1), 20 * MS);
}

static void whole_seconds_are_a_clock_that_ticks_slowly(void **state)
{
	assert_int_equal(settle_ns(100, 0, 100, 0), 2 * S);
	assert_int_equal(settle_ns(100, 0, 101, 500 * MS), 500 * MS);
	assert_int_equal(settle_ns(100, 0, 102, 0), 0);
}

static void an_unreadable_file_is_denied(void **state)
{
	prj_result result;

	make_file("source/a", "secret");
	assert_int_equal(chmod("source/a", geteuid() ? 0 : 0600), 0);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	result = ask_data("a", 0, 6);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(result, PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(fake.n_writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_SOURCE(content_arrives_on_completion),
	        WITH_SOURCE(a_range_ends_with_the_file),
	        WITH_SOURCE(a_file_of_another_version_is_not_read),
	        WITH_SOURCE(what_is_no_file_any_more_is_not_read),
	        WITH_SOURCE(a_file_that_is_overwritten_during_the_copy_does_not_count),
	        WITH_SOURCE(a_file_that_is_truncated_during_the_copy_does_not_count),
	        WITH_SOURCE(a_file_that_is_replaced_during_the_copy_does_not_count),
	        WITH_SOURCE(a_file_that_is_removed_during_the_copy_does_not_count),
	        WITH_SOURCE(a_young_file_is_copied_when_its_tick_is_over),
	        cmocka_unit_test(the_wait_is_for_the_rest_of_a_tick),
	        cmocka_unit_test(a_change_in_the_future_waits_for_one_tick),
	        cmocka_unit_test(whole_seconds_are_a_clock_that_ticks_slowly),
	        WITH_SOURCE(an_unreadable_file_is_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
