/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/macros.h"
#include "util/name.h"

struct match_case {
	const char *pattern;
	const char *name;
	bool match;
};

static void check(const struct match_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name_match(cases[i].name, cases[i].pattern) != cases[i].match)
			fail_msg("pattern \"%s\", name \"%s\": expected %d", cases[i].pattern,
			         cases[i].name, cases[i].match);
}

/* A name that is not ASCII, as in the tests the table comes from. */
#define X_TXT "\u0442\u0435\u0441\u0442\U0001f600.txt"

static void the_conformance_table_holds(void **state)
{
	static const struct match_case cases[] = {
	        {NULL, "Test", true},     {"", "Test", true},        {"Test", NULL, false},
	        {"Test", "", false},      {NULL, NULL, false},       {NULL, "", false},
	        {"", NULL, false},        {"", "", false},           {"Test", "TEST", true},
	        {"*", "Test", true},      {"*.*", "Test", false},    {"*.*", X_TXT, true},
	        {"*est", "Test", true},   {"*.TXT", X_TXT, true},    {"<est", "Test", true},
	        {"<txt", X_TXT, true},    {"???", "Test", false},    {"????", "Test", true},
	        {"?????", "Test", false}, {"T?st", "Test", true},    {"T??ST", "Test", false},
	        {"T*est", "Test", true},  {"T*?est", "Test", false}, {"T*?t", "Test", true},
	        {"t*?", "Test", true},    {"T<", "Test", true},      {"t<txt", "Test.txt", true},
	        {"Test\"", "Test", true}, {"Test\"", "Test.", true}, {"Test\"", "Test.txt", false},
	        {">>>", "Test", false},   {">>>>", "Test", true},    {">>>>>", "Test", true},
	        {"Te>", "Test", false},   {"TE>>", "Test", true},    {"Test>", "Test", true},
	};

	check(cases, ARRAY_SIZE(cases));
}

static void units_are_utf16_and_upper_cased_one_to_one(void **state)
{
	static const struct match_case cases[] = {
	        {"\u00c9t\u00e9", "\u00e9T\u00c9", true},
	        {"?", "\u20ac", true},
	        {"?", "\U0001f600", false}, /* two units */
	        {"??", "\U0001f600", true},
	        {"\xf0*", "\U0001f600", false}, /* a byte of a character is no prefix */
	        {"\U0001f600", "\U0001f600", true},
	        {"\U00010400", "\U00010428", false},
	        {"??", "\xff\xfe", true},
	        {"\xff?", "\xff\xfe", true},
	        {"\xfe?", "\xff\xfe", false},
	        {"ss", "\u00df", false},
	        {"*\u00df", "a.\u00df", true},
	};

	check(cases, ARRAY_SIZE(cases));
}

static void dos_star_does_not_pass_the_final_dot(void **state)
{
	static const struct match_case cases[] = {
	        {"<", "a.b", false},   {"<.b", "a.b", true},   {"<b", "a.b", true},
	        {"<\"*", "a", true},   {"<.c", "a.b.c", true}, {"<b.c", "a.b.c", true},
	        {"<<", "a.b", true},   {"<.", "a.b", false},   {"a.b<", "a.bcd", true},
	        {"a<", "a.b", false},  {"<", "a.", true},      {"*<", "a.b", true},
	        {"<>>", "a.bc", true}, {">>\"", "ab.", true},  {"a>", "a.", true},
	};

	check(cases, ARRAY_SIZE(cases));
}

/* What the reference says about each character, place by place, with backtracking. */
static bool match_slowly(const char *p, const char *n, const char *end, const char *final_dot)
{
	const char *k = n;

	if (*p == '\0')
		return n == end;

	switch (*p) {
	case '*':
		for (; k <= end; k++)
			if (match_slowly(p + 1, k, end, final_dot))
				return true;
		return false;
	case '<':
		for (; k <= (final_dot && n <= final_dot ? final_dot + 1 : end); k++)
			if (match_slowly(p + 1, k, end, final_dot))
				return true;
		return false;
	case '>':
		if (n < end && *n != '.')
			return match_slowly(p + 1, n + 1, end, final_dot);
		if (n + 1 == end && p[strspn(p, ">")] == '\0')
			return true;
		return match_slowly(p + 1, n, end, final_dot);
	case '"':
		if (n == end)
			return match_slowly(p + 1, n, end, final_dot);
		return *n == '.' && match_slowly(p + 1, n + 1, end, final_dot);
	case '?':
		return n < end && match_slowly(p + 1, n + 1, end, final_dot);
	default:
		return n < end && *n == *p && match_slowly(p + 1, n + 1, end, final_dot);
	}
}

/* The next string over @alphabet: counting, the first character being the lowest digit. */
static bool next_string(char *s, size_t max_length, const char *alphabet)
{
	for (size_t i = 0; i < max_length; i++) {
		const char *digit = s[i] ? strchr(alphabet, s[i]) + 1 : alphabet;

		s[i] = *digit ? *digit : alphabet[0];
		if (*digit)
			return true;
	}
	return false;
}

static void every_short_pattern_and_name_matches_as_defined(void **state)
{
	char pattern[5] = "";
	unsigned n_pairs = 0, n_matches = 0;

	while (next_string(pattern, 4, "A.*?<>\"")) {
		char name[5] = "";

		while (next_string(name, 4, "AB.")) {
			bool expected = match_slowly(pattern, name, name + strlen(name),
			                             strrchr(name, '.'));

			n_pairs++;
			n_matches += expected;
			if (name_match(name, pattern) != expected)
				fail_msg("pattern \"%s\", name \"%s\": expected %d", pattern, name,
				         expected);
		}
	}
	assert_int_equal(n_pairs, (7 + 49 + 343 + 2401) * (3 + 9 + 27 + 81));
	assert_true(n_matches > 10000);
}

/* Names and patterns long enough to cross the words of the sets. */
static void random_long_names_match_as_defined(void **state)
{
	uint32_t seed = 1;

	for (unsigned round = 0; round < 3000; round++) {
		char name[151] = "", pattern[5] = "";
		size_t n_name, n_pattern;

		seed = seed * 1664525 + 1013904223;
		n_name = 60 + (seed >> 16) % 90;
		n_pattern = 1 + (seed >> 8) % 4;
		for (size_t i = 0; i < n_name; i++) {
			seed = seed * 1664525 + 1013904223;
			name[i] = "AAAAAAAAAAAAAAAAAAAAAAAB."[(seed >> 16) % 25];
		}
		for (size_t i = 0; i < n_pattern; i++) {
			seed = seed * 1664525 + 1013904223;
			pattern[i] = "**<<AB.>\"?"[(seed >> 16) % 10];
		}
		if (name_match(name, pattern) !=
		    match_slowly(pattern, name, name + n_name, strrchr(name, '.')))
			fail_msg("pattern \"%s\", name \"%s\"", pattern, name);
	}
}

static void patterns_made_to_be_slow_are_not(void **state)
{
	static char name[PATH_MAX_BYTES + 2], pattern[8001];
	clock_t start = clock();

	memset(name, 'a', PATH_MAX_BYTES);
	for (size_t i = 0; i < sizeof(pattern) - 1; i++)
		pattern[i] = "*a<a*?>"[i % 7];
	assert_false(name_match(name, pattern));

	memset(pattern, 0, sizeof(pattern));
	for (size_t i = 0; i < 1000; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	assert_true(name_match(name, pattern));
	pattern[1000] = 'b';
	assert_false(name_match(name, pattern));
	/* backtracking would take longer than the universe has been there */
	assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
}

static void a_name_longer_than_any_path_matches_nothing(void **state)
{
	static char name[PATH_MAX_BYTES + 2];

	memset(name, 'a', PATH_MAX_BYTES + 1);
	assert_false(name_match(name, "*"));
	assert_true(name_match(name, ""));
	name[PATH_MAX_BYTES] = '\0';
	assert_true(name_match(name, "*"));
	assert_true(name_match(name, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_conformance_table_holds),
	        cmocka_unit_test(units_are_utf16_and_upper_cased_one_to_one),
	        cmocka_unit_test(dos_star_does_not_pass_the_final_dot),
	        cmocka_unit_test(every_short_pattern_and_name_matches_as_defined),
	        cmocka_unit_test(random_long_names_match_as_defined),
	        cmocka_unit_test(patterns_made_to_be_slow_are_not),
	        cmocka_unit_test(a_name_longer_than_any_path_matches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
