/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "util/macros.h"
#include "util/name.h"
#include "util/utf16.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void names_come_in_the_order_of_windows(void **state)
{
	/* ascending; every pair is checked in both directions */
	static const char *const names[] = {
	        "",           "!",
	        "-",          "1",
	        "10",         "2", /* no numeric sorting */
	        "A",          "a.txt",
	        "AB",         "b",
	        "Z",          "[",
	        "_", /* after the letters, because they are upper-cased */
	        "{",          "\u00c9",
	        "\u00df", /* no one-to-one upper case: stays itself */
	        "\u00ff", /* upper-cased to U+0178 */
	        "\u03a9",     "\xed\x9f\xbf", /* U+D7FF, the last below the surrogates */
	        "\U00010000", "\U0010ffff",
	        "\x80", /* stray bytes are 0xDC00 + byte, above the first halves of pairs */
	        "\xc3",       "\xe9",
	        "\xff",       "\ue000", /* above all surrogates, although its code point is lower */
	        "\uffff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			int expected = (i > j) - (i < j);

			assert_int_equal(sign(name_compare(names[i], names[j])), expected);
			assert_int_equal(sign(name_order(names[i], names[j])), expected);
		}
	}
}

static void case_does_not_count_in_compare_but_breaks_ties_in_order(void **state)
{
	static const char *const pairs[][2] = {
	        {"TEST", "test"},     {"Readme", "readMe"},     {"\u00c9t\u00c9", "\u00e9T\u00e9"},
	        {"\u0416", "\u0436"}, {"A\u00e9b", "a\u00c9B"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const char *a = pairs[i][0], *b = pairs[i][1];

		assert_int_equal(name_compare(a, b), 0);
		assert_int_equal(name_compare(b, a), 0);
		assert_int_equal(sign(name_order(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(name_order(b, a)), sign(strcmp(b, a)));
		assert_int_equal(name_order(a, a), 0);
	}
	/* supplementary characters have a case, but their halves do not */
	assert_true(name_compare("\U00010400", "\U00010428") < 0);
}

/* The definition of the order, unit by unit. */
static int compare_slowly(const char *a, const char *b)
{
	struct utf16_reader ra = utf16_read(a), rb = utf16_read(b);
	int ua, ub;

	do {
		ua = utf16_next(&ra);
		ub = utf16_next(&rb);
		ua = ua < 0 ? -1 : utf16_to_upper((uint16_t)ua);
		ub = ub < 0 ? -1 : utf16_to_upper((uint16_t)ub);
	} while (ua == ub && ua >= 0);
	return sign(ua - ub);
}

static void every_short_byte_string_compares_as_defined(void **state)
{
	static const char alphabet[] = {'A', 'a', '_', '.', '\xc3', '\xa9', '\x89', '\xf0', '\x9f'};
	char names[1 + 9 + 81 + 729][4] = {{0}};
	size_t n = 1;

	for (size_t done = 0; strlen(names[done]) < 3 && n < ARRAY_SIZE(names); done++)
		for (size_t i = 0; i < ARRAY_SIZE(alphabet); i++)
			snprintf(names[n++], sizeof(names[0]), "%s%c", names[done], alphabet[i]);
	assert_int_equal(n, ARRAY_SIZE(names));

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			assert_int_equal(sign(name_compare(names[i], names[j])),
			                 compare_slowly(names[i], names[j]));
}

static void wild_cards_are_these_five(void **state)
{
	assert_true(name_has_wildcards("*"));
	assert_true(name_has_wildcards("a?b"));
	assert_true(name_has_wildcards("\""));
	assert_true(name_has_wildcards("a<"));
	assert_true(name_has_wildcards(">b"));
	assert_false(name_has_wildcards(""));
	assert_false(name_has_wildcards("a.b[c]|d\\e:f'g\u00e9"));
}

static void names_that_no_entry_can_have_are_refused(void **state)
{
	char longest[NAME_MAX_BYTES + 1];

	memset(longest, 'x', sizeof(longest));
	assert_true(name_is_valid(longest, NAME_MAX_BYTES));
	assert_false(name_is_valid(longest, NAME_MAX_BYTES + 1));
	assert_true(name_is_valid("a", 1));
	assert_true(name_is_valid("...", 3));
	assert_true(name_is_valid(".a", 2));
	assert_true(name_is_valid("a\\b:\n\xff", 6));
	assert_false(name_is_valid("", 0));
	assert_false(name_is_valid(".", 1));
	assert_false(name_is_valid("..", 2));
	assert_false(name_is_valid("a/b", 3));
	assert_false(name_is_valid("/", 1));
	assert_false(name_is_valid("a\0b", 3));
}

static void paths_must_be_relative_and_plain(void **state)
{
	static const char *const good[] = {"", "a", "a/b", "a/b/c.d", ".a/..b/...", "\xff/a"};
	static const char *const bad[] = {"/",   "/a",     "a/",      "a//b", ".",
	                                  "..",  "a/./b",  "a/../b",  "./a",  "a/..",
	                                  "../", "a/b/./", "a/b/c/.."};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(path_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(path_is_valid(bad[i]));
	assert_false(path_bytes_are_valid("a\0b", 3));
	assert_true(path_bytes_are_valid("a/bc/", 4));
}

static void a_path_has_at_most_4095_bytes(void **state)
{
	char path[PATH_MAX_BYTES + 2];

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 256 == 255 ? '/' : 'x';
	path[PATH_MAX_BYTES + 1] = '\0';
	path[PATH_MAX_BYTES] = 'y';
	assert_false(path_is_valid(path));
	path[PATH_MAX_BYTES] = '\0';
	assert_true(path_is_valid(path));
	path[255] = 'x'; /* one component of 511 bytes */
	assert_false(path_is_valid(path));
}

static void the_last_component_follows_the_last_slash(void **state)
{
	assert_string_equal(path_last(""), "");
	assert_string_equal(path_last("a"), "a");
	assert_string_equal(path_last("a/b/c"), "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_come_in_the_order_of_windows),
	        cmocka_unit_test(case_does_not_count_in_compare_but_breaks_ties_in_order),
	        cmocka_unit_test(every_short_byte_string_compares_as_defined),
	        cmocka_unit_test(wild_cards_are_these_five),
	        cmocka_unit_test(names_that_no_entry_can_have_are_refused),
	        cmocka_unit_test(paths_must_be_relative_and_plain),
	        cmocka_unit_test(a_path_has_at_most_4095_bytes),
	        cmocka_unit_test(the_last_component_follows_the_last_slash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
