/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "util/errmsg.h"
#include "util/text.h"

static void _printf_(3, 4) format_into(char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vformat(text, size, format, args);
	va_end(args);
}

static void a_message_is_formatted_and_the_error_handed_back(void **state)
{
	struct errmsg err;

	errno = EAGAIN;
	assert_int_equal(errmsg_set(&err, -EROFS, "cannot write \"%s\": %d", "a/b", 7), -EROFS);
	assert_string_equal(err.text, "cannot write \"a/b\": 7");
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(errmsg_set(NULL, -EIO, "%s", "nobody listens"), -EIO);
}

static void a_long_message_is_cut_to_fit(void **state)
{
	char path[5000];
	struct errmsg err;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	errmsg_set(&err, 0, "%s", path);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void the_cut_falls_between_characters(void **state)
{
	static const struct {
		const char *input;
		const char *output;
	} cases[] = {
	        {"abcdefg", "abcdefg"},
	        {"abcdefgh", "abcdefg"},
	        {"abcdef\u00e9", "abcdef"}, /* one of two bytes would fit */
	        {"abcde\u00e9z", "abcde\u00e9"}, /* just fits */
	        {"abcde\u20acz", "abcde"}, /* two of three */
	        {"abcd\u20acz", "abcd\u20ac"},
	        {"abcd\U0001f600z", "abcd"}, /* three of four */
	        {"abc\U0001f600z", "abc\U0001f600"},
	        {"\x80\x80\x80\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80\x80\x80"},
	};
	char text[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_into(text, sizeof(text), "%s", cases[i].input);
		assert_string_equal(text, cases[i].output);
	}
	format_into(text, 1, "%s", "abc");
	assert_string_equal(text, "");
}

static void control_bytes_do_not_reach_the_terminal(void **state)
{
	char text[64];

	format_into(text, sizeof(text), "%s", "a\nb\033[31mc\177\t\u00e9");
	assert_string_equal(text, "a?b?[31mc??\u00e9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_message_is_formatted_and_the_error_handed_back),
	        cmocka_unit_test(a_long_message_is_cut_to_fit),
	        cmocka_unit_test(the_cut_falls_between_characters),
	        cmocka_unit_test(control_bytes_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
