/* SPDX-License-Identifier: MIT */
/* Large files that arrive in pieces. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY 0x8000000000001234
#define SIZE (3 * PARTIAL_CHUNK + 1000)

static void arrive(struct partial *p, uint64_t offset, uint64_t length)
{
	char byte = 'x';

	assert_int_equal(pwrite(partial_fd(p), &byte, 1, (off_t)offset), 1);
	partial_mark(p, offset, length);
}

static void whole_chunks_inside_the_range_are_marked(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_false(partial_has(p, 0, 1));
	assert_true(partial_has(p, SIZE, 1000));
	partial_mark(p, 1, 2 * PARTIAL_CHUNK - 2);
	assert_int_equal(partial_bytes(p), 0);
	partial_mark(p, 1, 2 * PARTIAL_CHUNK);
	assert_int_equal(partial_bytes(p), PARTIAL_CHUNK);
	assert_true(partial_has(p, PARTIAL_CHUNK, PARTIAL_CHUNK));
	assert_false(partial_has(p, PARTIAL_CHUNK - 1, 2));
	partial_mark(p, 3 * PARTIAL_CHUNK, UINT64_MAX);
	assert_int_equal(partial_bytes(p), PARTIAL_CHUNK + 1000);
	assert_true(partial_has(p, SIZE - 1, UINT64_MAX));
	partial_mark(p, 0, 3 * PARTIAL_CHUNK);
	assert_true(partial_complete(p));
	assert_int_equal(partial_bytes(p), SIZE);
	partial_free(p);
}

static void what_arrived_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;
	char byte = 0;

	assert_int_equal(store_partial_peek(f->store, KEY, &rec), 0);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, PARTIAL_CHUNK, PARTIAL_CHUNK);
	partial_free(p);
	fixture_reopen(f);
	assert_int_equal(store_partial_peek(f->store, KEY, &rec), PARTIAL_CHUNK);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_true(partial_has(p, PARTIAL_CHUNK, PARTIAL_CHUNK));
	assert_false(partial_has(p, 0, 1));
	assert_int_equal(pread(partial_fd(p), &byte, 1, PARTIAL_CHUNK), 1);
	assert_int_equal(byte, 'x');
	partial_free(p);
}

static void another_version_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, 0, PARTIAL_CHUNK);
	partial_free(p);
	rec.content_id = bytes_of("v2");
	assert_int_equal(store_partial_peek(f->store, KEY, &rec), 0);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_int_equal(partial_bytes(p), 0);
	arrive(p, 0, PARTIAL_CHUNK);
	partial_free(p);
	rec.size++;
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_int_equal(partial_bytes(p), 0);
	partial_free(p);
}

static void chunks_of_a_lost_epoch_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, 0, PARTIAL_CHUNK);
	assert_int_equal(store_sync(f->store), 0);
	arrive(p, PARTIAL_CHUNK, PARTIAL_CHUNK);
	partial_free(p);
	fixture_reboot(f);
	assert_int_equal(store_partial_peek(f->store, KEY, &rec), PARTIAL_CHUNK);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_true(partial_has(p, 0, PARTIAL_CHUNK));
	assert_false(partial_has(p, PARTIAL_CHUNK, 1));
	partial_free(p);
}

static void damaged_map_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, 0, SIZE);
	partial_free(p);
	write_file(fixture_at(f, ".projfs/partial/8000000000001234.map"), "short");
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_int_equal(partial_bytes(p), 0);
	partial_free(p);
}

static void complete_one_becomes_the_file(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct store_usage usage;
	struct store_item item;
	struct partial *p;

	rec.mode = 0444;
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, 0, PARTIAL_CHUNK);
	assert_int_equal(store_partial_commit(f->store, p, PLACE("file"), &rec, NULL), -EIO);
	assert_int_equal(store_usage(f->store, 10000, &usage), 0);
	assert_int_equal(usage.n_partial, 1);
	assert_int_equal(usage.bytes_partial, PARTIAL_CHUNK);
	arrive(p, PARTIAL_CHUNK, SIZE);
	write_file(fixture_at(f, "taken"), "");
	assert_int_equal(store_partial_commit(f->store, p, PLACE("taken"), &rec, NULL), -EEXIST);
	partial_free(p);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_true(partial_complete(p));
	assert_int_equal(store_partial_commit(f->store, p, PLACE("file"), &rec, &item), 0);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_int_equal(item.st.st_size, SIZE);
	assert_int_equal(item.st.st_mode & 07777, 0444);
	store_item_deinit(&item);
	partial_free(p);
	assert_int_equal(count_private(f, "partial"), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
}

static void dropped_one_is_gone(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(SIZE);
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	arrive(p, 0, SIZE);
	partial_free(p);
	store_partial_drop(f->store, KEY);
	assert_int_equal(count_private(f, "partial"), 0);
	assert_int_equal(store_partial_peek(f->store, KEY, &rec), 0);
}

static void unreasonable_sizes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(0);
	struct partial *p;

	rec.size = UINT64_MAX;
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), -EFBIG);
	rec.fields &= ~(uint32_t)RECORD_SIZE;
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), -EINVAL);
	rec = file_record(0);
	assert_int_equal(store_partial_open(f->store, KEY, &rec, &p), 0);
	assert_true(partial_complete(p));
	assert_int_equal(store_partial_commit(f->store, p, PLACE("empty"), &rec, NULL), 0);
	partial_free(p);
	assert_int_equal(state_of(f->store, "empty"), STORE_HYDRATED);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(whole_chunks_inside_the_range_are_marked),
	        OPEN(what_arrived_survives_a_restart),
	        OPEN(another_version_begins_anew),
	        OPEN(chunks_of_a_lost_epoch_do_not_count),
	        OPEN(damaged_map_begins_anew),
	        OPEN(complete_one_becomes_the_file),
	        OPEN(dropped_one_is_gone),
	        OPEN(unreasonable_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
