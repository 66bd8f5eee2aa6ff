/* SPDX-License-Identifier: MIT */
/* A file of the provider's becomes the user's with its first change: all of its content must be there before. */

#include "changes.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ROOT CORE_ROOT_ID

/* All but the text at @at is the provider's. */
static void check_changed(struct fake *f, uint64_t id, const struct fake_item *item, uint64_t at,
                          const char *text)
{
	size_t length = strlen(text);
	struct request r;

	for (uint64_t pos = 0; pos < at; pos += 65536) {
		size_t n = at - pos < 65536 ? at - pos : 65536;

		assert_int_equal(read_check(f, id, item, pos, n), n);
	}
	if (at + length < item->size)
		assert_true(read_check(f, id, item, at + length, 65536) > 0);
	request_init(f, &r, WANT_DATA);
	core_read(f->core, &r.req, id, 0, at, length);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, length);
	assert_memory_equal(r.data, text, length);
	request_deinit(&r);
}

static void a_hydrated_file_becomes_full_when_written(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	struct core_entry entry = find(f, "a");

	assert_int_equal(hydrate_node(f, entry.node_id), 0);
	assert_state(f, "a", 3);
	assert_int_equal(write_text(f, entry.node_id, 100, "mine"), 0);
	assert_state(f, "a", 8);
	assert_int_equal(STAT(f, converted), 1);
	check_changed(f, entry.node_id, item, 100, "mine");
	assert_int_equal(find(f, "a").attr.ino, entry.attr.ino);
	assert_true(find(f, "a").attr.mtime.tv_sec > 1000000000);
	fake_restart(f);
	assert_state(f, "a", 8);
	assert_int_equal(find(f, "a").attr.ino, entry.attr.ino);
	check_changed(f, find(f, "a").node_id, item, 100, "mine");
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER) + fake_count(f, COMMAND_DATA), 0);
}

static void a_placeholder_is_hydrated_before_it_is_written(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(write_text(f, id, 4998, "mine"), 0);
	expect_asked(f, COMMAND_DATA, "a", 1);
	check_changed(f, id, item, 4998, "mine");
	assert_int_equal(find(f, "a").attr.size, 5002);
}

static void cutting_to_nothing_does_not_ask_for_the_content(void **state)
{
	struct fake *f = *state;
	uint64_t id, ino;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 50 * MIB);
	id = find(f, "d/a").node_id;
	ino = find(f, "d/a").attr.ino;
	assert_int_equal(cut(f, id, 0), 0);
	assert_state(f, "d/a", 8);
	assert_text(f, id, "");
	assert_int_equal(write_text(f, id, 0, "mine"), 0);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
	fake_restart(f);
	assert_text(f, find(f, "d/a").node_id, "mine");
	assert_int_equal(find(f, "d/a").attr.ino, ino);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

static void cutting_to_something_keeps_what_is_before(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(cut(f, id, 4000), 0);
	assert_int_equal(read_check(f, id, item, 0, 9000), 4000);
	assert_int_equal(find(f, "a").attr.size, 4000);
	assert_int_equal(cut(f, id, 4100), 0);
	assert_int_equal(find(f, "a").attr.size, 4100);
	assert_int_equal(read_check(f, id, item, 0, 4000), 4000);
}

static void a_dirty_placeholder_keeps_its_mode_when_cut(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	assert_int_equal(change_mode(f, id, 0601), 0);
	assert_int_equal(set_xattr(f, id, "user.x", "y", 0), 0);
	assert_int_equal(cut(f, id, 0), 0);
	for (int i = 0; i < 2; i++) {
		char *value = xattr_of(f, find(f, "a").node_id, "user.x");

		assert_int_equal(find(f, "a").attr.mode & 07777, 0601);
		assert_non_null(value);
		assert_string_equal(value, "y");
		free(value);
		if (!i)
			fake_restart(f);
	}
}

static void a_large_file_is_completed_before_it_is_written(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 9 * MIB + 77);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(read_check(f, id, item, 4 * MIB, 4096), 4096);
	assert_int_equal(write_text(f, id, 5 * MIB, "mine"), 0);
	assert_int_equal(STAT(f, bytes_fetched), item->size);
	check_changed(f, id, item, 5 * MIB, "mine");
	fake_restart(f);
	check_changed(f, find(f, "a").node_id, item, 5 * MIB, "mine");
}

static void a_write_while_the_content_comes_waits_for_it(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;
	struct request read, write[2];
	struct fake_call call;
	char text[] = "mine";

	f->pend = KIND(DATA);
	request_init(f, &read, WANT_DATA);
	core_read(f->core, &read.req, id, 0, 0, 5000);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	for (int i = 0; i < 2; i++) {
		request_init(f, &write[i], WANT_COUNT);
		core_write(f->core, &write[i].req, id, 100 + 4u * (unsigned)i, text, 4, false);
		assert_false(request_is_done(&write[i]));
	}
	strcpy(text, "gone"); /* it was copied */
	assert_int_equal(fake_deliver(f, &call, 0, 5000), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&read), 0);
	assert_int_equal(request_wait(&write[0]), 0);
	assert_int_equal(request_wait(&write[1]), 0);
	assert_int_equal(write[0].length, 4);
	request_deinit(&read);
	check_changed(f, id, item, 100, "minemine");
	assert_int_equal(fake_count(f, COMMAND_DATA), 1);
}

static void cutting_to_nothing_ends_a_hydration_in_flight(void **state)
{
	struct fake *f = *state;
	uint64_t id;
	struct fake_call call;
	struct request read;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	f->pend = KIND(DATA);
	request_init(f, &read, WANT_DATA);
	core_read(f->core, &read.req, id, 0, 0, 5000);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	assert_int_equal(cut(f, id, 0), 0);
	assert_int_equal(request_wait(&read), 0);
	assert_int_equal(read.length, 0);
	request_deinit(&read);
	fake_wait_cancelled(f, call.id);
	assert_true(fake_deliver(f, &call, 0, 5000) < 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(write_text(f, id, 0, "mine"), 0);
	assert_text(f, id, "mine");
	assert_state(f, "a", 8);
}

static void a_write_whose_content_does_not_come_changes_nothing(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	f->error[COMMAND_DATA] = -EIO;
	assert_int_equal(write_text(f, id, 0, "mine"), -EIO);
	assert_int_equal(cut(f, id, 10), -EIO);
	f->error[COMMAND_DATA] = 0;
	assert_state(f, "a", 1);
	assert_int_equal(read_check(f, id, item, 0, 9000), 5000);
}

static void a_write_times_out(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	struct fake_call call;
	uint64_t id;

	f->config.data_timeout_ms = 50;
	fake_restart(f);
	id = find(f, "a").node_id;
	f->pend = KIND(DATA);
	assert_int_equal(write_text(f, id, 0, "mine"), -ETIMEDOUT);
	/* Who comes before that would wait for the same answer. */
	call = fake_wait_call(f, COMMAND_DATA, 0);
	fake_wait_cancelled(f, call.id);
	assert_state(f, "a", 1);
	f->pend = 0;
	f->config.data_timeout_ms = 15000; /* the disk may be busy */
	fake_restart(f);
	id = find(f, "a").node_id;
	assert_int_equal(read_check(f, id, item, 0, 9000), 5000);
}

static void a_write_can_be_interrupted(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;
	struct fake_call call;
	struct request r;

	f->pend = KIND(DATA);
	request_init(f, &r, WANT_COUNT);
	r.req.unique = 5;
	core_write(f->core, &r.req, id, 0, "mine", 4, false);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	core_interrupt(f->core, 5);
	assert_int_equal(request_wait(&r), -EINTR);
	request_deinit(&r);
	fake_wait_cancelled(f, call.id); /* who comes before that waits for the same answer */
	f->pend = 0;
	assert_int_equal(read_check(f, id, item, 0, 9000), 5000);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_state(f, "a", 3);
}

static void set_id_bits_go_when_an_ordinary_user_writes(void **state)
{
	struct fake *f = *state;
	uint64_t id = make_text(f, ROOT, "n", "text");
	struct request r;

	assert_int_equal(change_mode(f, id, 06755), 0);
	request_init(f, &r, WANT_COUNT);
	core_write(f->core, &r.req, id, 0, "x", 1, true);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	assert_int_equal(find(f, "n").attr.mode & 07777, 0755);
}

static void space_is_reserved(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_fallocate(f->core, &r.req, id, 0, 0, 9000);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	assert_int_equal(find(f, "a").attr.size, 9000);
	assert_int_equal(read_check(f, id, item, 0, 5000), 5000);
	request_init(f, &r, WANT_COUNT);
	core_lseek(f->core, &r.req, id, 9000, SEEK_DATA);
	assert_int_equal(request_wait(&r), -ENXIO);
	request_deinit(&r);
	request_init(f, &r, WANT_COUNT);
	core_lseek(f->core, &r.req, id, 10, SEEK_DATA);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, 10);
	request_deinit(&r);
}

static void a_placeholder_has_no_holes(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	request_init(f, &r, WANT_COUNT);
	core_lseek(f->core, &r.req, id, 10, SEEK_HOLE);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, 5000);
	request_deinit(&r);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

static void a_range_is_copied_from_a_placeholder_into_another(void **state)
{
	struct fake *f = *state;
	struct fake_item *from = fake_add(f, "a", RECORD_FILE, 5000);
	struct fake_item *to = fake_add(f, "b", RECORD_FILE, 3000);
	struct request r;
	uint64_t id;

	from->seed = 7;
	id = find(f, "b").node_id;
	request_init(f, &r, WANT_COUNT);
	core_copy_range(f->core, &r.req, find(f, "a").node_id, 3000, id, 3000, 90000);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, 2000);
	request_deinit(&r);
	assert_int_equal(find(f, "b").attr.size, 5000);
	assert_int_equal(read_check(f, id, to, 0, 3000), 3000);
	assert_int_equal(read_check(f, id, from, 3000, 9000), 2000);
	assert_state(f, "a", 3);
	assert_state(f, "b", 8);
}

/* What a full file was made from may not be durable: until it is, its record says so. */
static void fsync_settles_a_file_that_was_converted_young(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(write_text(f, id, 0, "mine"), 0);
	assert_int_equal(sync_node(f, id), 0);
	assert_int_equal(sync_node(f, id), 0);
	assert_text(f, make_text(f, ROOT, "n", "n"), "n");
	assert_int_equal(sync_node(f, find(f, "n").node_id), 0);
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_int_equal(sync_node(f, id), 0); /* without a name */
	assert_int_equal(read_check(f, id, item, 4, 4000), 4000);
}

static void fsync_of_what_has_no_content_of_its_own_succeeds(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	id = find(f, "a").node_id;
	assert_int_equal(sync_node(f, ROOT), 0);
	assert_int_equal(sync_node(f, id), 0);
	assert_int_equal(sync_node(f, find(f, "d").node_id), 0);
	assert_int_equal(change_mode(f, id, 0600), 0);
	assert_int_equal(sync_node(f, id), 0);
	assert_int_equal(change_mode(f, find(f, "d").node_id, 0700), 0);
	assert_int_equal(sync_node(f, find(f, "d").node_id), 0);
	assert_int_equal(make_symlink(f, ROOT, "l", "a", NULL), 0);
	assert_int_equal(sync_node(f, find(f, "l").node_id), 0);
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_int_equal(sync_node(f, id), 0);
	assert_int_equal(sync_node(f, 4711), -ESTALE);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

static void directories_and_links_are_not_written(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "l", RECORD_SYMLINK, 0)->target = "d";
	assert_int_equal(write_text(f, find(f, "d").node_id, 0, "x"), -EISDIR);
	assert_int_equal(write_text(f, find(f, "l").node_id, 0, "x"), -EINVAL);
	assert_int_equal(cut(f, find(f, "d").node_id, 0), -EISDIR);
	assert_int_equal(write_text(f, 4711, 0, "x"), -ESTALE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_hydrated_file_becomes_full_when_written),
	        T(a_placeholder_is_hydrated_before_it_is_written),
	        T(cutting_to_nothing_does_not_ask_for_the_content),
	        T(cutting_to_something_keeps_what_is_before),
	        T(a_dirty_placeholder_keeps_its_mode_when_cut),
	        T(a_large_file_is_completed_before_it_is_written),
	        T(a_write_while_the_content_comes_waits_for_it),
	        T(cutting_to_nothing_ends_a_hydration_in_flight),
	        T(a_write_whose_content_does_not_come_changes_nothing),
	        T(a_write_times_out),
	        T(a_write_can_be_interrupted),
	        T(set_id_bits_go_when_an_ordinary_user_writes),
	        T(space_is_reserved),
	        T(a_placeholder_has_no_holes),
	        T(a_range_is_copied_from_a_placeholder_into_another),
	        T(fsync_settles_a_file_that_was_converted_young),
	        T(fsync_of_what_has_no_content_of_its_own_succeeds),
	        T(directories_and_links_are_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
