/* SPDX-License-Identifier: MIT */

/*
 * Records that come from a disk which lies, from a newer projfs, or from somebody who can compute a
 * checksum too.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "record_check.h"

/* Decode from a copy of the exact size, so that the sanitizer sees a read past its end. */
static int decode_copy(const void *data, size_t size)
{
	_cleanup_(freep) uint8_t *copy = malloc(size ? size : 1);
	struct record rec;

	assert_non_null(copy);
	if (size > 0)
		memcpy(copy, data, size);
	return record_decode(copy, size, &rec);
}

static int encode_full(void **state)
{
	struct buf *encoded = calloc(1, sizeof(*encoded));
	struct record rec = full_record();

	*state = encoded;
	return encoded ? record_encode(&rec, encoded) : -1;
}

static int free_full(void **state)
{
	buf_deinit(*state);
	free(*state);
	return 0;
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct buf *b = *state;

	for (size_t bit = 0; bit < b->size * 8; bit++) {
		b->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(decode_copy(b->data, b->size), -EBADMSG);
		b->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(decode_copy(b->data, b->size), 0);
}

static void every_truncation_is_noticed(void **state)
{
	struct buf *b = *state;

	for (size_t size = 0; size < b->size; size++) {
		_cleanup_(freep) uint8_t *copy = malloc(size + 1);

		assert_non_null(copy);
		assert_int_equal(decode_copy(b->data, size), -EBADMSG);
		memcpy(copy, b->data, size);
		reseal(copy, size);
		assert_int_equal(decode_copy(copy, size), -EBADMSG);
	}
}

static void bytes_left_over_are_damage(void **state)
{
	struct buf *b = *state;

	buf_append_u8(b, 0);
	reseal(b->data, b->size);
	assert_int_equal(decode_copy(b->data, b->size), -EBADMSG);
}

static void a_newer_version_is_told_from_damage(void **state)
{
	struct buf *b = *state;

	for (unsigned version = 0; version < 16; version++) {
		int expected = version > RECORD_VERSION   ? -EPROTONOSUPPORT
		               : version < RECORD_VERSION ? -EBADMSG
		                                          : 0;

		b->data[0] = (uint8_t)(version << 4 | RECORD_FILE);
		if (version != RECORD_VERSION)
			assert_int_equal(decode_copy(b->data, b->size), -EBADMSG);
		reseal(b->data, b->size);
		assert_int_equal(decode_copy(b->data, b->size), expected);
	}
}

static void a_newer_version_may_look_quite_different(void **state)
{
	uint8_t newer[] = {(RECORD_VERSION + 1) << 4, 0, 0, 0, 0, 0xff, 0xff};

	reseal(newer, sizeof(newer));
	assert_int_equal(decode_copy(newer, sizeof(newer)), -EPROTONOSUPPORT);
}

/* Bodies, from the varint of fields on, behind a right checksum. */
static const struct {
	const char *what;
	uint8_t kind;
	uint8_t body[24];
	size_t size;
} crafted[] = {
        {"kind 0", 0, {0}, 1},
        {"kind 8", 8, {0}, 1},
        {"kind 15", 15, {0}, 1},
        {"no fields at all", 1, {0}, 0},
        {"an unknown field", 1, {0x80, 0x80, 0x80, 0x08}, 4},
        {"an identity cut short", 1, {0x80, 0x80, 0x80, 0x02, 1, 2, 3}, 7},
        {"fields beyond 32 bits", 1, {0x80, 0x80, 0x80, 0x80, 0x10}, 5},
        {"fields not the shortest", 1, {0x80, 0x00}, 2},
        {"an unknown flag", 1, {0x01, 0x20}, 2},
        {"flags beyond 32 bits", 1, {0x01, 0x81, 0x80, 0x80, 0x80, 0x10}, 6},
        {"an id with trailing zeros", 1, {0x10, 2, 'a', 0}, 4},
        {"an id longer than the record", 1, {0x10, 3, 'a', 'b'}, 4},
        {"a length of 64 bits",
         1,
         {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'},
         12},
        {"mode 010000", 1, {0x40, 0x80, 0x20}, 3},
        {"a billion nanoseconds", 1, {0x80, 0x02, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03}, 8},
        {"origin above the root", 1, {0x80, 0x40, 4, '.', '.', '/', 'a'}, 7},
        {"origin with NUL", 1, {0x80, 0x40, 3, 'a', 0, 'b'}, 6},
        {"target with NUL", 1, {0x80, 0x80, 0x01, 3, 'a', 0, 'b'}, 7},
        {"attribute without a size", 1, {0x80, 0x80, 0x02, 2, 'a', 0}, 6},
        {"attribute without a name", 1, {0x80, 0x80, 0x02, 5, 0, 0, 0, 0, 0}, 9},
        {"attribute longer than the list", 1, {0x80, 0x80, 0x02, 6, 'a', 0, 1, 0, 0, 0}, 10},
        {"a guid cut short", 1, {0x80, 0x80, 0x10, 1, 2, 3}, 6},
};

static void what_cannot_be_accounted_for_is_damage(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(crafted); i++) {
		uint8_t encoded[5 + sizeof(crafted[i].body)] = {0};

		encoded[0] = (uint8_t)(RECORD_VERSION << 4 | crafted[i].kind);
		memcpy(encoded + 5, crafted[i].body, crafted[i].size);
		reseal(encoded, 5 + crafted[i].size);
		if (decode_copy(encoded, 5 + crafted[i].size) != -EBADMSG)
			fail_msg("accepted: %s", crafted[i].what);
	}
}

static void an_id_beyond_the_limit_is_damage(void **state)
{
	uint8_t encoded[8 + RECORD_ID_MAX + 1];

	for (size_t length = RECORD_ID_MAX; length <= RECORD_ID_MAX + 1; length++) {
		memset(encoded, 'x', sizeof(encoded));
		encoded[0] = RECORD_VERSION << 4 | RECORD_FILE;
		encoded[5] = RECORD_CONTENT_ID;
		encoded[6] = (uint8_t)length; /* 128 and more: one bit in the second byte */
		encoded[6] |= 0x80;
		encoded[7] = 1;
		reseal(encoded, 8 + length);
		assert_int_equal(decode_copy(encoded, 8 + length),
		                 length > RECORD_ID_MAX ? -EBADMSG : 0);
	}
}

static void a_record_beyond_the_limit_is_not_even_summed(void **state)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	_cleanup_(freep) uint8_t *bigger = calloc(1, RECORD_ENCODED_MAX + 1);
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_BLOB};

	assert_non_null(bigger);
	rec.blob = (struct record_bytes){bigger, RECORD_ENCODED_MAX - 11};
	assert_int_equal(record_encode(&rec, &b), 0);
	assert_int_equal(b.size, RECORD_ENCODED_MAX);

	/* one byte more in the blob: right in all but its size */
	buf_append_u8(&b, 0);
	b.data[8]++;
	reseal(b.data, b.size);
	assert_int_equal(decode_copy(b.data, b.size), -EBADMSG);
}

static void a_failed_decode_leaves_the_result_alone(void **state)
{
	struct record rec = {.kind = RECORD_ROOT, .ref = 5};

	assert_int_equal(record_decode(NULL, 0, &rec), -EBADMSG);
	assert_int_equal(record_decode("\x11", 1, &rec), -EBADMSG);
	assert_int_equal(rec.kind, RECORD_ROOT);
	assert_int_equal(rec.ref, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, encode_full,
	                                        free_full),
	        cmocka_unit_test_setup_teardown(every_truncation_is_noticed, encode_full,
	                                        free_full),
	        cmocka_unit_test_setup_teardown(bytes_left_over_are_damage, encode_full, free_full),
	        cmocka_unit_test_setup_teardown(a_newer_version_is_told_from_damage, encode_full,
	                                        free_full),
	        cmocka_unit_test(a_newer_version_may_look_quite_different),
	        cmocka_unit_test(what_cannot_be_accounted_for_is_damage),
	        cmocka_unit_test(an_id_beyond_the_limit_is_damage),
	        cmocka_unit_test(a_record_beyond_the_limit_is_not_even_summed),
	        cmocka_unit_test(a_failed_decode_leaves_the_result_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
