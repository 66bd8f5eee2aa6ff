/* SPDX-License-Identifier: MIT */
/* Sets of bytes and of names, against the simplest thing that could be right. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/nameset.h"
#include "core/ranges.h"

#define N 64

static void ranges_agree_with_an_array_of_flags(void **state)
{
	unsigned seed = 1;

	for (int round = 0; round < 300; round++) {
		struct ranges set = {0};
		bool flags[N] = {false};

		for (int i = 0; i < 12; i++) {
			uint64_t a = (uint64_t)rand_r(&seed) % N,
			         b = a + (uint64_t)rand_r(&seed) % 9;
			struct range merged, gap;
			bool all = true;

			b = b > N ? N : b;
			if (a < b)
				assert_int_equal(ranges_add(&set, a, b, &merged), 0);
			for (uint64_t at = a; at < b; at++)
				flags[at] = true;
			if (a < b)
				assert_true(merged.start <= a && merged.end >= b);
			a = (uint64_t)rand_r(&seed) % N;
			b = a + (uint64_t)rand_r(&seed) % (N - a);
			for (uint64_t at = a; at < b; at++)
				all &= flags[at];
			assert_int_equal(ranges_has(&set, a, b), all);
			if (!ranges_gap(&set, a, b, &gap))
				continue;
			assert_true(gap.start >= a && gap.end <= b && gap.start < gap.end);
			for (uint64_t at = a; at < gap.start; at++)
				assert_true(flags[at]);
			for (uint64_t at = gap.start; at < gap.end; at++)
				assert_false(flags[at]);
			assert_true(gap.end == b || flags[gap.end]);
		}
		for (size_t i = 1; i < set.n; i++)
			assert_true(set.list[i - 1].end < set.list[i].start);
		ranges_deinit(&set);
	}
}

static void a_name_set_finds_what_was_added(void **state)
{
	static char names[2000][8];
	struct nameset set = {0};

	assert_int_equal(nameset_find(&set, "0"), NAMESET_NONE);
	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%u", i);
		assert_int_equal(nameset_add(&set, names[i], i), 0);
		assert_int_equal(nameset_add(&set, names[i], i + 1), -EEXIST);
	}
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(nameset_find(&set, names[i]), i);
	assert_int_equal(nameset_find(&set, "2000"), NAMESET_NONE);
	nameset_deinit(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ranges_agree_with_an_array_of_flags),
	        cmocka_unit_test(a_name_set_finds_what_was_added),
	};

	return cmocka_run_group_tests_name("core: ranges", tests, NULL, NULL);
}
