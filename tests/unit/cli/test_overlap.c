/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/overlap.h"
#include "util/macros.h"

static char top[4096];

static int setup(void **state)
{
	static const char *const names[] = {"", "/a", "/a/b", "/ab", "/c"};
	const char *tmp = getenv("TMPDIR");
	char path[4200];

	(void)snprintf(top, sizeof(top), "%s/overlap-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(top));
	for (size_t i = 1; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", top, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/link", top);
	return symlink("a/b", path);
}

static int teardown(void **state)
{
	static const char *const names[] = {"/link", "/c", "/ab", "/a/b", "/a", ""};
	char path[4200];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", top, names[i]);
		assert_int_equal(remove(path), 0);
	}
	return 0;
}

static int check(const char *source, const char *root)
{
	char source_path[4200], root_path[4200];

	(void)snprintf(source_path, sizeof(source_path), "%s%s", top, source);
	(void)snprintf(root_path, sizeof(root_path), "%s%s", top, root);
	return overlap_check(source_path, root_path);
}

static void separate_directories_do_not_overlap(void **state)
{
	assert_int_equal(check("/a", "/c"), OVERLAP_NONE);
	assert_int_equal(check("/a", "/ab"), OVERLAP_NONE);
	assert_int_equal(check("/ab", "/a"), OVERLAP_NONE);
}

static void overlaps_are_told_apart(void **state)
{
	assert_int_equal(check("/a", "/a"), OVERLAP_SAME);
	assert_int_equal(check("/a", "/a/b"), OVERLAP_SOURCE_CONTAINS_ROOT);
	assert_int_equal(check("", "/a/b"), OVERLAP_SOURCE_CONTAINS_ROOT);
	assert_int_equal(check("/a/b", "/a"), OVERLAP_SOURCE_IN_ROOT);
	assert_int_equal(overlap_check("/", top), OVERLAP_SOURCE_CONTAINS_ROOT);
}

static void links_and_dots_do_not_hide_an_overlap(void **state)
{
	assert_int_equal(check("/link", "/a/b"), OVERLAP_SAME);
	assert_int_equal(check("/link", "/a"), OVERLAP_SOURCE_IN_ROOT);
	assert_int_equal(check("/a/b/..", "/link"), OVERLAP_SOURCE_CONTAINS_ROOT);
}

static void a_missing_directory_is_an_error(void **state)
{
	assert_int_equal(check("/none", "/a"), -ENOENT);
	assert_int_equal(check("/a", "/none"), -ENOENT);
}

static void positions_are_by_whole_components(void **state)
{
	assert_int_equal(path_position("/a/b", "/a"), 2);
	assert_int_equal(path_position("/a", "/a"), 1);
	assert_int_equal(path_position("/ab", "/a"), 0);
	assert_int_equal(path_position("/a", "/a/b"), 0);
	assert_int_equal(path_position("/a", "/"), 2);
	assert_int_equal(path_position("/", "/"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(separate_directories_do_not_overlap),
		cmocka_unit_test(overlaps_are_told_apart),
		cmocka_unit_test(links_and_dots_do_not_hide_an_overlap),
		cmocka_unit_test(a_missing_directory_is_an_error),
		cmocka_unit_test(positions_are_by_whole_components),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
