/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/mounts.h"
#include "util/macros.h"

static const char table[] =
	"22 27 0:20 / /proc rw,relatime shared:5 - proc proc rw\n"
	"80 27 0:50 / /r/one rw,nosuid shared:9 master:1 - fuse.projfs dir:/usr rw,user_id=1000\n"
	"81 27 0:51 / /r/with\\040space rw - fuse.projfs dir:/a\\134b rw,user_id=0,group_id=0\n"
	"82 27 0:52 / /r/one/below rw - fuse.sshfs host: rw,user_id=1000\n"
	"83 27 0:53 / /r/one/inner rw - fuse.projfs git:x rw\n"
	"broken line\n";

static void only_projfs_mounts_are_found(void **state)
{
	struct mounts m;

	assert_int_equal(mounts_parse(table, &m), 0);
	assert_int_equal(m.n_entries, 3);
	assert_string_equal(m.entries[0].root, "/r/one");
	assert_string_equal(m.entries[0].source, "dir:/usr");
	assert_int_equal(m.entries[0].uid, 1000);
	assert_string_equal(m.entries[1].root, "/r/with space");
	assert_string_equal(m.entries[1].source, "dir:/a\\b");
	assert_true(mounts_has_root(&m, "/r/one"));
	assert_false(mounts_has_root(&m, "/r/one/below"));
	mounts_deinit(&m);
}

static void the_innermost_mount_covers_a_path(void **state)
{
	struct mounts m;

	assert_int_equal(mounts_parse(table, &m), 0);
	assert_string_equal(mounts_covering(&m, "/r/one/x")->root, "/r/one");
	assert_string_equal(mounts_covering(&m, "/r/one/inner/x")->root, "/r/one/inner");
	assert_null(mounts_covering(&m, "/r/one2"));
	assert_null(mounts_covering(&m, "/"));
	mounts_deinit(&m);
}

static void paths_are_cleaned_by_text(void **state)
{
	static const char *const cases[][2] = {
		{"/a/b", "/a/b"},   {"/a//b/", "/a/b"}, {"/a/./b/../c", "/a/c"},
		{"/../../a", "/a"}, {"/", "/"},         {"/a/..", "/"},
	};
	char path[PATH_MAX], cwd[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(path_make_absolute(cases[i][0], path), 0);
		assert_string_equal(path, cases[i][1]);
	}
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(path_make_absolute(".", path), 0);
	assert_string_equal(path, cwd);
	assert_int_equal(path_make_absolute("", path), -ENOENT);
}

static void paths_that_are_too_long_are_refused(void **state)
{
	char text[PATH_MAX + 10], path[PATH_MAX];

	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(path_make_absolute(text, path), -ENAMETOOLONG);
}

static void a_place_without_a_mount_is_gone_at_once(void **state)
{
	assert_int_equal(mount_wait_gone("/no mount of this name", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_projfs_mounts_are_found),
		cmocka_unit_test(the_innermost_mount_covers_a_path),
		cmocka_unit_test(paths_are_cleaned_by_text),
		cmocka_unit_test(paths_that_are_too_long_are_refused),
		cmocka_unit_test(a_place_without_a_mount_is_gone_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
