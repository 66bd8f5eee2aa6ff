/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "record_check.h"

static void check_round_trip(const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf target = {0}, storage = {0};
	struct record back;

	assert_int_equal(marker_encode(rec, &target), 0);
	assert_int_equal(target.data[target.size - 1], '\0');
	assert_int_equal(strlen((char *)target.data), target.size - 1);
	assert_true(marker_is((char *)target.data));
	assert_int_equal(marker_decode((char *)target.data, &storage, &back), 0);
	assert_true(records_equal(rec, &back));
}

static void a_marker_of_any_length_comes_back(void **state)
{
	struct record rec = full_record();

	check_round_trip(&rec);
	rec.fields = RECORD_BLOB;
	for (rec.blob.size = 0; rec.blob.size < 6; rec.blob.size++)
		check_round_trip(&rec);
	rec = (struct record){.kind = RECORD_TOMBSTONE};
	check_round_trip(&rec);
}

static void a_marker_is_text_after_the_prefix(void **state)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	struct record rec = full_record();
	const char *text;

	assert_int_equal(marker_encode(&rec, &target), 0);
	text = (char *)target.data;
	assert_memory_equal(text, MARKER_PREFIX, strlen(MARKER_PREFIX));
	text += strlen(MARKER_PREFIX);
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789-_"),
	                 strlen(text));
}

static void base64url_is_the_standard_one(void **state)
{
	/* what `base64 | tr +/ -_` says of a tombstone without fields */
	_cleanup_(buf_deinit) struct buf target = {0};
	struct record rec = {.kind = RECORD_TOMBSTONE, .fields = RECORD_BLOB};
	static const uint8_t blob[] = {0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff};

	/* fields (3 bytes) and the length stand before it: 9 bytes, a multiple of three */
	rec.blob = (struct record_bytes){blob, sizeof(blob)};
	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_string_equal((char *)target.data + target.size - 9, "----____");
	assert_memory_equal(target.data + strlen(MARKER_PREFIX), "F", 1); /* 0x14 */
}

static void encoding_appends_and_undoes_failures(void **state)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	struct buf failed = {.failed = true};
	struct record rec = full_record();

	buf_append(&target, "before", 6);
	rec.kind = 0;
	assert_int_equal(marker_encode(&rec, &target), -EINVAL);
	assert_int_equal(target.size, 6);
	rec.kind = RECORD_FILE;
	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_true(marker_is((char *)target.data + 6));
	assert_int_equal(marker_encode(&rec, &failed), -ENOMEM);
}

static void a_marker_has_at_most_900_bytes(void **state)
{
	static const uint8_t blob[RECORD_MARKER_MAX];
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_BLOB, .blob = {blob, 0}};
	_cleanup_(buf_deinit) struct buf target = {0};
	size_t longest = 0;
	int r;

	while ((r = marker_encode(&rec, &target)) == 0) {
		longest = target.size - 1;
		target.size = 0;
		rec.blob.size++;
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(target.size, 0);
	assert_in_range(longest, RECORD_MARKER_MAX - 1, RECORD_MARKER_MAX);
	rec.blob.size--;
	check_round_trip(&rec);
}

static void other_links_are_no_markers(void **state)
{
	static const char *const targets[] = {
	        "",
	        "a",
	        "/dev/null",
	        "/dev/null/",
	        "/dev/null/projfs",
	        MARKER_ESCAPE,
	        MARKER_ESCAPE "/dev/null/projfs/FAAA",
	        "dev/null/projfs/FAAA",
	};
	_cleanup_(buf_deinit) struct buf storage = {0};
	struct record rec;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_false(marker_is(targets[i]));
		assert_int_equal(marker_decode(targets[i], &storage, &rec), -EBADMSG);
	}
	assert_true(marker_is(MARKER_PREFIX));
}

static void damaged_markers_are_refused(void **state)
{
	_cleanup_(buf_deinit) struct buf good = {0}, storage = {0};
	struct record rec = full_record(), back;
	char text[RECORD_MARKER_MAX + 2];
	size_t length;

	/* a size that is no multiple of three, so that the last character has spare bits */
	rec.fields = RECORD_EXTRA;
	assert_int_equal(marker_encode(&rec, &good), 0);
	length = good.size - 1;
	assert_int_not_equal((length - strlen(MARKER_PREFIX)) % 4, 0);

	for (size_t i = strlen(MARKER_PREFIX); i < length; i++) {
		for (const char *c = "AQz9-_+/= \xff"; *c; c++) {
			if (*c == (char)good.data[i])
				continue;
			memcpy(text, good.data, good.size);
			text[i] = *c;
			assert_int_equal(marker_decode(text, &storage, &back), -EBADMSG);
		}
	}
	for (size_t cut = strlen(MARKER_PREFIX); cut < length; cut++) {
		memcpy(text, good.data, good.size);
		text[cut] = '\0';
		assert_int_equal(marker_decode(text, &storage, &back), -EBADMSG);
	}

	memcpy(text, good.data, good.size);
	memset(text + length, 'A', sizeof(text) - length);
	text[length + 1] = '\0';
	assert_int_equal(marker_decode(text, &storage, &back), -EBADMSG);
	memset(text + length, 'A', sizeof(text) - length);
	text[RECORD_MARKER_MAX + 1] = '\0';
	assert_int_equal(marker_decode(text, &storage, &back), -EBADMSG);
}

static void spare_bits_of_the_last_character_must_be_zero(void **state)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	_cleanup_(buf_deinit) struct buf good = {0}, storage = {0};
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_FLAGS}, back;
	char *last;
	int accepted = 0;

	/* 7 bytes: two characters for the last one, four spare bits */
	assert_int_equal(marker_encode(&rec, &good), 0);
	last = (char *)&good.data[good.size - 2];
	for (const char *c = alphabet; *c; c++) {
		*last = *c;
		accepted += marker_decode((char *)good.data, &storage, &back) == 0;
	}
	assert_int_equal(accepted, 1);
}

static void storage_can_be_used_again(void **state)
{
	_cleanup_(buf_deinit) struct buf a = {0}, b = {0}, storage = {0};
	struct record rec = full_record(), back;

	assert_int_equal(marker_encode(&rec, &a), 0);
	rec.fields = RECORD_SIZE;
	assert_int_equal(marker_encode(&rec, &b), 0);
	assert_int_equal(marker_decode((char *)a.data, &storage, &back), 0);
	assert_int_equal(marker_decode((char *)b.data, &storage, &back), 0);
	assert_true(records_equal(&rec, &back));
}

static void a_marker_cannot_be_opened_while_nothing_runs(void **state)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	struct record rec = full_record();
	const char *tmp = getenv("TMPDIR");
	char directory[256], path[300];
	int fd, error;

	snprintf(directory, sizeof(directory), "%s/projfs-test-XXXXXX", tmp ? tmp : "/tmp");
	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/m", directory);
	assert_int_equal(symlink((char *)target.data, path), 0);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	error = errno;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(error, ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_marker_of_any_length_comes_back),
	        cmocka_unit_test(a_marker_is_text_after_the_prefix),
	        cmocka_unit_test(base64url_is_the_standard_one),
	        cmocka_unit_test(encoding_appends_and_undoes_failures),
	        cmocka_unit_test(a_marker_has_at_most_900_bytes),
	        cmocka_unit_test(other_links_are_no_markers),
	        cmocka_unit_test(damaged_markers_are_refused),
	        cmocka_unit_test(spare_bits_of_the_last_character_must_be_zero),
	        cmocka_unit_test(storage_can_be_used_again),
	        cmocka_unit_test(a_marker_cannot_be_opened_while_nothing_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
