/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/macros.h"
#include "util/utf16.h"

static void bytes_become_these_units(void **state)
{
	static const struct {
		const char *utf8;
		int units[8];
	} cases[] = {
	        {"", {UTF16_END}},
	        {"aZ", {'a', 'Z', UTF16_END}},
	        {"\xc2\x80\u07ff", {0x80, 0x7ff, UTF16_END}},
	        {"\u0800\uffff", {0x800, 0xffff, UTF16_END}},
	        {"\xed\x9f\xbf\xee\x80\x80", {0xd7ff, 0xe000, UTF16_END}},
	        {"\U00010000\U0010ffff", {0xd800, 0xdc00, 0xdbff, 0xdfff, UTF16_END}},
	        /* stray bytes */
	        {"\x80"
	         "a\xff",
	         {0xdc80, 'a', 0xdcff, UTF16_END}},
	        {"\xc3", {0xdcc3, UTF16_END}},
	        {"\xc3"
	         "a",
	         {0xdcc3, 'a', UTF16_END}},
	        {"\xe2\x82", {0xdce2, 0xdc82, UTF16_END}},
	        {"\xe2\x82\u00e9", {0xdce2, 0xdc82, 0xe9, UTF16_END}},
	        {"\xc0\xaf", {0xdcc0, 0xdcaf, UTF16_END}}, /* overlong */
	        {"\xe0\x9f\xbf", {0xdce0, 0xdc9f, 0xdcbf, UTF16_END}}, /* overlong */
	        {"\xf0\x8f\xbf\xbf", {0xdcf0, 0xdc8f, 0xdcbf, 0xdcbf, UTF16_END}}, /* overlong */
	        {"\xed\xa0\x80", {0xdced, 0xdca0, 0xdc80, UTF16_END}}, /* surrogate */
	        {"\xed\xbf\xbf", {0xdced, 0xdcbf, 0xdcbf, UTF16_END}}, /* surrogate */
	        {"\xf4\x90\x80\x80", {0xdcf4, 0xdc90, 0xdc80, 0xdc80, UTF16_END}}, /* U+110000 */
	        {"\xf8\x88", {0xdcf8, 0xdc88, UTF16_END}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct utf16_reader reader = utf16_read(cases[i].utf8);
		const int *unit = cases[i].units;

		do {
			assert_int_equal(utf16_next(&reader), *unit);
		} while (*unit++ != UTF16_END);
		assert_int_equal(utf16_next(&reader), UTF16_END);
	}
}

static void upper_case_is_one_to_one(void **state)
{
	static const uint16_t cases[][2] = {
	        {'a', 'A'},       {'z', 'Z'},       {'`', '`'},       {'{', '{'},
	        {'_', '_'},       {0xe9, 0xc9},     {0xff, 0x178},    {0xdf, 0xdf},
	        {0x3c9, 0x3a9},   {0x44f, 0x42f},   {0xfb01, 0xfb01}, {0xd801, 0xd801},
	        {0xdc28, 0xdc28}, {0xdce9, 0xdce9}, {0xffff, 0xffff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf16_to_upper(cases[i][0]), cases[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_become_these_units),
	        cmocka_unit_test(upper_case_is_one_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
