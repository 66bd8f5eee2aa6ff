/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/walk.h"
#include "util/macros.h"

static char top[4096];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(top, sizeof(top), "%s/walk-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	assert_int_equal(mkdir("b", 0700), 0);
	assert_int_equal(mkdir("b/.projfs", 0700), 0);
	assert_int_equal(mkdir(".projfs", 0700), 0);
	assert_int_equal(close(creat(".projfs/root", 0600)), 0);
	assert_int_equal(close(creat("b/file", 0600)), 0);
	assert_int_equal(close(creat("a", 0600)), 0);
	return symlink("b", "c");
}

static int teardown(void **state)
{
	static const char *const names[] = {"c",       "a",         "b/file", ".projfs/root",
					    ".projfs", "b/.projfs", "b"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(remove(names[i]), 0);
	assert_int_equal(chdir("/"), 0);
	return rmdir(top);
}

struct seen {
	char text[1024];
	int n_failed;
	int result;
};

static int see(void *context, const char *path, unsigned char type)
{
	struct seen *seen = context;
	size_t length = strlen(seen->text);

	(void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s%s ",
		       path + strlen(top) + 1,
		       type == DT_DIR   ? "/"
		       : type == DT_LNK ? "@"
					: "");
	return seen->result;
}

static void see_failure(void *context, const char *path, int error)
{
	struct seen *seen = context;

	assert_int_equal(error, ENOENT);
	seen->n_failed++;
}

static struct seen walk(bool is_recursive, const char *path, int result)
{
	struct seen seen = {.result = result};
	const struct walk w = {.is_recursive = is_recursive,
			       .one_file_system = true,
			       .entry = see,
			       .failed = see_failure,
			       .context = &seen};

	assert_int_equal(walk_directory(&w, path), result);
	return seen;
}

static void names_come_in_order_without_the_private_folder(void **state)
{
	assert_string_equal(walk(false, top, 0).text, "a b/ c@ ");
}

static void links_are_not_followed_and_a_users_own_folder_is_shown(void **state)
{
	assert_string_equal(walk(true, top, 0).text, "a b/ b/.projfs/ b/file c@ ");
}

static void the_callback_can_end_a_walk(void **state)
{
	assert_string_equal(walk(true, top, -7).text, "a ");
}

static int see_and_skip(void *context, const char *path, unsigned char type)
{
	(void)see(context, path, type);
	return WALK_SKIP;
}

static void the_callback_can_skip_a_directory(void **state)
{
	struct seen seen = {0};
	const struct walk w = {.is_recursive = true,
			       .entry = see_and_skip,
			       .failed = see_failure,
			       .context = &seen};

	assert_int_equal(walk_directory(&w, top), 0);
	assert_string_equal(seen.text, "a b/ c@ ");
}

static void a_directory_that_cannot_be_read_is_reported(void **state)
{
	assert_int_equal(walk(true, "/no such directory", 0).n_failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_in_order_without_the_private_folder),
		cmocka_unit_test(links_are_not_followed_and_a_users_own_folder_is_shown),
		cmocka_unit_test(the_callback_can_end_a_walk),
		cmocka_unit_test(the_callback_can_skip_a_directory),
		cmocka_unit_test(a_directory_that_cannot_be_read_is_reported),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
