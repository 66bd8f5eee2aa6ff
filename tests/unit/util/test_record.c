/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_check.h"
#include "util/name.h"

static void check_round_trip(const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record back;

	assert_int_equal(record_encode(rec, &encoded), 0);
	assert_int_equal(record_decode(encoded.data, encoded.size, &back), 0);
	assert_true(records_equal(rec, &back));
}

static void each_field_alone_comes_back(void **state)
{
	for (uint32_t field = 1; field <= RECORD_FORMER_BINDING; field <<= 1) {
		_cleanup_(buf_deinit) struct buf encoded = {0};
		struct record rec = full_record(), back;

		rec.fields = field;
		check_round_trip(&rec);

		/* and takes part: another value is not the same record */
		assert_int_equal(record_encode(&rec, &encoded), 0);
		assert_int_equal(record_decode(encoded.data, encoded.size, &back), 0);
		rec = (struct record){.kind = RECORD_FILE, .fields = field};
		assert_false(records_equal(&rec, &back));
	}
}

static void all_fields_and_none_come_back(void **state)
{
	struct record rec = full_record();

	check_round_trip(&rec);
	rec.fields = 0;
	check_round_trip(&rec);
}

static void absent_fields_are_neither_checked_nor_kept(void **state)
{
	static const struct record zero;
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record rec = full_record(), back;

	rec.fields = 0;
	rec.mode = UINT32_MAX;
	rec.mtime.nsec = UINT32_MAX;
	rec.origin = BYTES("../..");
	assert_int_equal(record_encode(&rec, &encoded), 0);
	assert_int_equal(encoded.size, 6);
	assert_int_equal(record_decode(encoded.data, encoded.size, &back), 0);
	assert_int_equal(back.mode, 0);
	assert_true(times_equal(back.mtime, zero.mtime));
	assert_null(back.origin.data);
}

static void every_kind_comes_back(void **state)
{
	for (int kind = RECORD_FILE; kind <= RECORD_PARTIAL; kind++) {
		struct record rec = full_record();

		rec.kind = (enum record_kind)kind;
		check_round_trip(&rec);
	}
}

/* The layout itself: a change here breaks every root there is. */
static void the_encoded_form_is_as_documented(void **state)
{
	static const uint8_t expected[] = {
	        0x11, /* version 1, a file */
	        0,    0,    0,    0, /* checksum */
	        0xde, 0x02, /* fields: 1, 2, 3, 4, 6, 8 */
	        0x84, 0x86, 0x88, 0x08, /* epoch */
	        8,    7,    6,    5,    4, 3, 2, 1, 12, 11, 10, 9, /* binding, binding_meta */
	        0xac, 0x02, /* size */
	        2,    'i',  'd', /* content_id */
	        0xed, 0x03, /* mode */
	        0x03, 0x05, /* mtime */
	};
	uint8_t sealed[sizeof(expected)];
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record rec = {
	        .kind = RECORD_FILE,
	        .fields = RECORD_EPOCH | RECORD_BINDING | RECORD_SIZE | RECORD_CONTENT_ID |
	                  RECORD_MODE | RECORD_MTIME,
	        .epoch = 0x01020304,
	        .binding = 0x0102030405060708,
	        .binding_meta = 0x090a0b0c,
	        .size = 300,
	        .content_id = BYTES("id\0\0"),
	        .mode = 0755,
	        .mtime = {-2, 5},
	};

	memcpy(sealed, expected, sizeof(sealed));
	reseal(sealed, sizeof(sealed));
	assert_int_equal(record_encode(&rec, &encoded), 0);
	assert_int_equal(encoded.size, sizeof(expected));
	assert_memory_equal(encoded.data, sealed, sizeof(sealed));
}

static void the_common_record_takes_at_most_64_bytes(void **state)
{
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record rec = {
	        .kind = RECORD_FILE,
	        .fields = RECORD_EPOCH | RECORD_BINDING | RECORD_SIZE | RECORD_CONTENT_ID |
	                  RECORD_CTIME,
	        .epoch = (1 << 21) - 1, /* four months of one every five seconds */
	        .binding = UINT64_MAX,
	        .binding_meta = UINT32_MAX,
	        .size = (1 << 28) - 1,
	        .content_id = BYTES("abcdefghijklmnopqrstuvwxyz"),
	        .ctime = {4000000000, 999999999},
	};

	assert_int_equal(rec.content_id.size, 26);
	assert_int_equal(record_encode(&rec, &encoded), 0);
	assert_true(encoded.size <= 64);
}

static void encoding_appends(void **state)
{
	_cleanup_(buf_deinit) struct buf out = {0};
	struct record rec = full_record(), back;
	size_t first;

	assert_int_equal(record_encode(&rec, &out), 0);
	first = out.size;
	rec.fields = RECORD_SIZE;
	assert_int_equal(record_encode(&rec, &out), 0);
	assert_int_equal(record_decode(out.data + first, out.size - first, &back), 0);
	assert_true(records_equal(&rec, &back));

	rec.kind = 0;
	first = out.size;
	assert_int_equal(record_encode(&rec, &out), -EINVAL);
	assert_int_equal(out.size, first);
}

static void a_buffer_out_of_memory_is_reported(void **state)
{
	struct buf out = {.failed = true};
	struct record rec = full_record();

	assert_int_equal(record_encode(&rec, &out), -ENOMEM);
	assert_int_equal(out.size, 0);
}

static int encode_result(const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf out = {0};
	int r = record_encode(rec, &out);

	assert_true(r == 0 ? out.size > 0 : out.size == 0);
	return r;
}

/* A full record with one change must be refused. */
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct record rec = full_record();                                                 \
		change;                                                                            \
		assert_int_equal(encode_result(&rec), -EINVAL);                                    \
	} while (0)

static void fields_that_break_a_rule_are_not_encoded(void **state)
{
	static const char id[RECORD_ID_MAX + 1] = "x";

	REFUSED(rec.kind = 0);
	REFUSED(rec.kind = RECORD_PARTIAL + 1);
	REFUSED(rec.fields |= RECORD_FORMER_BINDING << 1);
	REFUSED(rec.flags = RECORD_FLAGS_KNOWN + 1);
	REFUSED(rec.content_id = bytes_of(id, sizeof(id)));
	REFUSED(rec.provider_id = bytes_of(id, sizeof(id)));
	REFUSED(rec.mode = 010000);
	REFUSED(rec.mtime.nsec = 1000000000);
	REFUSED(rec.ctime.nsec = 1000000000);
	REFUSED(rec.atime.nsec = 1000000000);
	REFUSED(rec.btime.nsec = 1000000000);
	REFUSED(rec.origin = BYTES("a/../b"));
	REFUSED(rec.origin = BYTES("a\0b"));
	REFUSED(rec.target = BYTES("a\0b"));
	REFUSED(rec.xattrs = BYTES("user.a"));
	REFUSED(rec.xattrs = BYTES("user.a\0\1\0\0"));
	REFUSED(rec.xattrs = BYTES("user.a\0\1\0\0\0"));
	REFUSED(rec.xattrs = BYTES("user.a\0\1\0\0\0xy"));
	REFUSED(rec.xattrs = BYTES("\0\1\0\0\0x"));
	REFUSED(rec.xattrs = BYTES("user.a\0\xff\xff\xff\xffx"));
}

static void fields_at_their_limits_come_back(void **state)
{
	char id[RECORD_ID_MAX], path[PATH_MAX_BYTES];
	struct record rec = full_record();

	memset(id, 0xff, sizeof(id));
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 256 == 255 ? '/' : 'x';

	rec.content_id = bytes_of(id, sizeof(id));
	rec.provider_id = bytes_of(id, 0);
	rec.flags = RECORD_FLAGS_KNOWN;
	rec.epoch = 0;
	rec.size = UINT64_MAX;
	rec.mode = 07777;
	rec.mtime.nsec = 999999999;
	rec.origin = bytes_of(path, sizeof(path));
	rec.target = (struct record_bytes){0};
	rec.xattrs = (struct record_bytes){0};
	check_round_trip(&rec);

	rec.origin = BYTES(""); /* the root */
	check_round_trip(&rec);
}

static void too_big_is_told_at_the_byte(void **state)
{
	_cleanup_(freep) char *big = calloc(1, RECORD_ENCODED_MAX);
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_BLOB};

	assert_non_null(big);
	/* head 5, fields 3, length 3 */
	rec.blob = bytes_of(big, RECORD_ENCODED_MAX - 11);
	check_round_trip(&rec);
	rec.blob.size++;
	assert_int_equal(encode_result(&rec), -E2BIG);
	rec.blob.size = SIZE_MAX;
	assert_int_equal(encode_result(&rec), -E2BIG);
	rec.fields |= RECORD_EXTRA;
	rec.blob.size = rec.extra.size = SIZE_MAX / 2 + 1;
	assert_int_equal(encode_result(&rec), -E2BIG);
}

static void ids_are_the_same_without_trailing_zeros(void **state)
{
	static const char zeros[8];
	struct record_bytes none = {0};

	assert_true(record_bytes_equal(BYTES("id"), BYTES("id\0\0\0")));
	assert_true(record_bytes_equal(BYTES("a\0b"), BYTES("a\0b\0")));
	assert_false(record_bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
	assert_false(record_bytes_equal(BYTES("id"), BYTES("i")));
	assert_false(record_bytes_equal(BYTES("id"), BYTES("\0id")));
	assert_true(record_bytes_equal(none, bytes_of(zeros, sizeof(zeros))));
	assert_true(record_bytes_equal(none, none));
	assert_int_equal(record_bytes_trim("id\0\0", 4).size, 2);
	assert_int_equal(record_bytes_trim(zeros, sizeof(zeros)).size, 0);
	assert_int_equal(record_bytes_trim(NULL, 0).size, 0);
}

static void packed_attributes_are_walked_in_order(void **state)
{
	_cleanup_(buf_deinit) struct buf packed = {0};
	struct record_bytes list, value;
	const char *name;
	size_t pos = 0;

	record_xattr_pack(&packed, "user.a", "\0x", 2);
	record_xattr_pack(&packed, "user.empty", NULL, 0);
	assert_false(packed.failed);
	list = (struct record_bytes){packed.data, packed.size};

	assert_true(record_xattr_next(list, &pos, &name, &value));
	assert_string_equal(name, "user.a");
	assert_true(exactly_equal(value, BYTES("\0x")));
	assert_true(record_xattr_next(list, &pos, &name, &value));
	assert_string_equal(name, "user.empty");
	assert_int_equal(value.size, 0);
	assert_false(record_xattr_next(list, &pos, &name, &value));
	assert_int_equal(pos, list.size);

	list.size--; /* damage ends the walk before the end */
	pos = 0;
	assert_true(record_xattr_next(list, &pos, &name, &value));
	assert_false(record_xattr_next(list, &pos, &name, &value));
	assert_true(pos < list.size);
}

static void an_attribute_too_big_to_store_fails_the_list(void **state)
{
	_cleanup_(buf_deinit) struct buf packed = {0};

	record_xattr_pack(&packed, "user.a", "never read", (size_t)RECORD_ENCODED_MAX + 1);
	assert_true(packed.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_field_alone_comes_back),
	        cmocka_unit_test(all_fields_and_none_come_back),
	        cmocka_unit_test(absent_fields_are_neither_checked_nor_kept),
	        cmocka_unit_test(every_kind_comes_back),
	        cmocka_unit_test(the_encoded_form_is_as_documented),
	        cmocka_unit_test(the_common_record_takes_at_most_64_bytes),
	        cmocka_unit_test(encoding_appends),
	        cmocka_unit_test(a_buffer_out_of_memory_is_reported),
	        cmocka_unit_test(fields_that_break_a_rule_are_not_encoded),
	        cmocka_unit_test(fields_at_their_limits_come_back),
	        cmocka_unit_test(too_big_is_told_at_the_byte),
	        cmocka_unit_test(ids_are_the_same_without_trailing_zeros),
	        cmocka_unit_test(packed_attributes_are_walked_in_order),
	        cmocka_unit_test(an_attribute_too_big_to_store_fails_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
