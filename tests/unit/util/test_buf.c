/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/buf.h"

static struct cursor cursor_of(const struct buf *b)
{
	return (struct cursor){.data = b->data, .size = b->size};
}

static void numbers_are_little_endian(void **state)
{
	static const uint8_t expected[] = {0x01, 0x05, 0x04, 0x03, 0x02, 0x0d, 0x0c,
	                                   0x0b, 0x0a, 0x09, 0x08, 0x07, 0x06};
	_cleanup_(buf_deinit) struct buf b = {0};
	struct cursor c;

	buf_append_u8(&b, 0x01);
	buf_append_u32(&b, 0x02030405);
	buf_append_u64(&b, 0x060708090a0b0c0d);
	assert_int_equal(b.size, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));

	c = cursor_of(&b);
	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u32(&c), 0x02030405);
	assert_true(cursor_u64(&c) == 0x060708090a0b0c0d);
	assert_int_equal(c.size, 0);
	assert_false(c.failed);
}

static void varints_come_back_and_are_short(void **state)
{
	static const struct {
		uint64_t v;
		size_t size;
	} cases[] = {
	        {0, 1},           {1, 1},         {127, 1},
	        {128, 2},         {16383, 2},     {16384, 3},
	        {UINT32_MAX, 5},  {INT64_MAX, 9}, {(uint64_t)INT64_MAX + 1, 10},
	        {UINT64_MAX, 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_deinit) struct buf b = {0};
		struct cursor c;

		buf_append_varint(&b, cases[i].v);
		assert_int_equal(b.size, cases[i].size);
		c = cursor_of(&b);
		assert_true(cursor_varint(&c) == cases[i].v);
		assert_false(c.failed);
		assert_int_equal(c.size, 0);
	}
}

static void signed_varints_come_back_and_are_short(void **state)
{
	static const struct {
		int64_t v;
		size_t size;
	} cases[] = {
	        {0, 1},   {-1, 1},         {63, 1},         {-64, 1},        {64, 2},
	        {-65, 2}, {1700000000, 5}, {INT64_MAX, 10}, {INT64_MIN, 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_deinit) struct buf b = {0};
		struct cursor c;

		buf_append_svarint(&b, cases[i].v);
		assert_int_equal(b.size, cases[i].size);
		c = cursor_of(&b);
		assert_true(cursor_svarint(&c) == cases[i].v);
		assert_false(c.failed);
	}
}

static void varints_that_are_too_long_or_cut_fail(void **state)
{
	static const struct {
		uint8_t bytes[11];
		size_t size;
	} cases[] = {
	        {{0}, 0},
	        {{0x80}, 1},
	        {{0x80, 0x00}, 2}, /* zero in two bytes */
	        {{0xff, 0x80, 0x00}, 3}, /* not the shortest */
	        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 10}, /* 65 bits */
	        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x01}, 11},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cursor c = {.data = cases[i].bytes, .size = cases[i].size};

		assert_true(cursor_varint(&c) == 0);
		assert_true(c.failed);
	}
}

static void a_cursor_that_ran_out_stays_failed(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4};
	struct cursor c = {.data = bytes, .size = sizeof(bytes)};

	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.failed);
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 1));
	assert_null(cursor_bytes(&c, 0));
	assert_int_equal(c.size, 3);
}

static void cursor_bytes_point_into_the_data(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct cursor c = {.data = bytes, .size = sizeof(bytes)};

	assert_ptr_equal(cursor_bytes(&c, 2), bytes);
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_true(c.failed);
}

static void a_buffer_grows_and_can_be_used_again(void **state)
{
	_cleanup_(buf_deinit) struct buf b = {0};

	for (unsigned i = 0; i < 10000; i++)
		buf_append_u8(&b, (uint8_t)i);
	assert_int_equal(b.size, 10000);
	assert_int_equal(b.data[9999], (uint8_t)9999);
	buf_append(&b, NULL, 0);
	assert_int_equal(b.size, 10000);

	buf_deinit(&b);
	assert_int_equal(b.size, 0);
	buf_append(&b, "x", 1);
	assert_int_equal(b.data[0], 'x');
}

static void a_failed_buffer_takes_nothing_more(void **state)
{
	_cleanup_(buf_deinit) struct buf b = {0};

	buf_append_u8(&b, 1);
	buf_append(&b, "never read", SIZE_MAX - 1);
	assert_true(b.failed);
	buf_append_u8(&b, 2);
	assert_int_equal(b.size, 1);

	buf_deinit(&b);
	assert_false(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(numbers_are_little_endian),
	        cmocka_unit_test(varints_come_back_and_are_short),
	        cmocka_unit_test(signed_varints_come_back_and_are_short),
	        cmocka_unit_test(varints_that_are_too_long_or_cut_fail),
	        cmocka_unit_test(a_cursor_that_ran_out_stays_failed),
	        cmocka_unit_test(cursor_bytes_point_into_the_data),
	        cmocka_unit_test(a_buffer_grows_and_can_be_used_again),
	        cmocka_unit_test(a_failed_buffer_takes_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
