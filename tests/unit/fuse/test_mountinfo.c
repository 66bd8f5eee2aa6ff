/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuse/attach.h"
#include "fuse/mountinfo.h"

static const char table[] =
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        "40 22 0:30 / /home/a\\040b rw,nodev - fuse.projfs dir:/x rw,user_id=0\n"
        "41 40 0:31 / /home/a\\040b/inner rw shared:2 master:1 - tmpfs tmpfs rw\n"
        "42 22 0:32 / /srv rw - fuse.projfs dir:/old rw\n"
        "this is no such line\n"
        "43 42 0:33 / /srv rw - fuse.projfs dir:/new rw\n"
        "44 22 0:34 / /srv2 rw - fuse.other x rw\n";

static char file[] = "/tmp/test_mountinfo.XXXXXX";

static int write_table(void **state)
{
	int fd = mkstemp(file);
	ssize_t n = write(fd, table, sizeof(table) - 1);

	close(fd);
	return n == sizeof(table) - 1 ? 0 : -1;
}

static int remove_table(void **state)
{
	return unlink(file);
}

static void a_line_is_taken_apart(void **state)
{
	char line[] = "41 40 0:31 / /a\\040b\\134\\011 rw shared:2 master:1 - fuse.projfs src rw\n";
	struct mountinfo_entry e;

	assert_true(mountinfo_parse(line, &e));
	assert_string_equal(e.mount_point, "/a b\\\t");
	assert_string_equal(e.type, "fuse.projfs");
	assert_true(e.dev == makedev(0, 31));
}

static void broken_lines_are_refused(void **state)
{
	static const char *const lines[] = {
	        "",
	        "1 2 3",
	        "41 40 0:31 / /a rw shared:2",
	        "41 40 0:31 / /a rw -",
	        "41 40 031 / /a rw - t s rw",
	        "41 40 0:31 / - t s rw",
	};
	struct mountinfo_entry e;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char line[64];

		strcpy(line, lines[i]);
		assert_false(mountinfo_parse(line, &e));
	}
}

static void the_topmost_of_stacked_mounts_counts(void **state)
{
	bool projfs = false;
	dev_t dev = 0;

	assert_int_equal(mountinfo_at(file, "/srv", &dev, &projfs), 1);
	assert_true(projfs);
	assert_true(dev == makedev(0, 33));
	assert_int_equal(mountinfo_at(file, "/srv2", &dev, &projfs), 1);
	assert_false(projfs);
	assert_int_equal(mountinfo_at(file, "/srv/below", &dev, &projfs), 0);
	assert_true(mountinfo_at("/nowhere/at/all", "/srv", &dev, &projfs) < 0);
}

static void the_innermost_mount_covers_a_path(void **state)
{
	char mount_point[PATH_MAX];
	bool projfs;

	assert_int_equal(mountinfo_covering(file, "/home/a b/x", mount_point, &projfs), 1);
	assert_string_equal(mount_point, "/home/a b");
	assert_true(projfs);
	assert_int_equal(mountinfo_covering(file, "/home/a b/inner/x", mount_point, &projfs), 1);
	assert_false(projfs);
	/* A longer name is another name. */
	assert_int_equal(mountinfo_covering(file, "/srv3", mount_point, &projfs), 1);
	assert_string_equal(mount_point, "/");
}

static void commas_in_options_are_escaped(void **state)
{
	char *escaped = attach_escape("dir:/a,b\\c");

	assert_string_equal(escaped, "dir:/a\\,b\\\\c");
	free(escaped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_is_taken_apart),
	        cmocka_unit_test(broken_lines_are_refused),
	        cmocka_unit_test(the_topmost_of_stacked_mounts_counts),
	        cmocka_unit_test(the_innermost_mount_covers_a_path),
	        cmocka_unit_test(commas_in_options_are_escaped),
	};

	return cmocka_run_group_tests(tests, write_table, remove_table);
}
