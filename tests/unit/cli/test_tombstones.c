/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cli/tombstones.h"

static struct core_ioctl_tombstones page;

/* @names: with a NUL after each but the last, which has the literal's own. */
static int append(struct tombstones *t, const char *names, size_t n_bytes)
{
	memset(&page, 'x', sizeof(page));
	memcpy(page.names, names, n_bytes);
	page.n_bytes = (uint32_t)n_bytes;
	return tombstones_append(t, &page);
}

static void pages_are_taken_apart_into_names(void **state)
{
	static const char first[] = "b\0a name\0\xff", second[] = "c";
	struct tombstones t = {0};

	assert_int_equal(append(&t, first, sizeof(first)), 0);
	assert_int_equal(append(&t, "", 0), 0);
	assert_int_equal(append(&t, second, sizeof(second)), 0);
	assert_int_equal(t.n_names, 4);
	assert_string_equal(t.names[0], "b");
	assert_string_equal(t.names[1], "a name");
	assert_string_equal(t.names[2], "\xff");
	assert_string_equal(t.names[3], "c");
	tombstones_deinit(&t);
}

static void a_page_that_makes_no_sense_is_refused(void **state)
{
	static const char empty[] = "a\0", path[] = "a/b", parent[] = "..";
	struct tombstones t = {0};

	assert_int_equal(append(&t, empty, sizeof(empty)), -EPROTO);
	assert_int_equal(append(&t, path, sizeof(path)), -EPROTO);
	assert_int_equal(append(&t, parent, sizeof(parent)), -EPROTO);
	/* no NUL at the end */
	assert_int_equal(append(&t, "abc", 3), -EPROTO);
	page.n_bytes = sizeof(page.names) + 1;
	assert_int_equal(tombstones_append(&t, &page), -EPROTO);
	tombstones_deinit(&t);
}

static void a_full_page_is_read_to_its_end(void **state)
{
	struct tombstones t = {0};

	memset(&page, 'x', sizeof(page));
	page.n_bytes = sizeof(page.names);
	for (size_t i = 1; i < sizeof(page.names); i += 2)
		page.names[i] = '\0';
	assert_int_equal(tombstones_append(&t, &page), 0);
	assert_int_equal(t.n_names, sizeof(page.names) / 2);
	tombstones_deinit(&t);
}

static void asking_where_nothing_is_mounted_fails(void **state)
{
	struct tombstones t;

	assert_int_equal(tombstones_read("/", "", &t), -ENOTTY);
	assert_int_equal(tombstones_read("/no such directory", "", &t), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_taken_apart_into_names),
		cmocka_unit_test(a_page_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_full_page_is_read_to_its_end),
		cmocka_unit_test(asking_where_nothing_is_mounted_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
