/* SPDX-License-Identifier: MIT */
/* Removed names: what leaves a tombstone, and who must be asked. */

#include "changes.h"

#include <stdio.h>

static void use_stable_view(struct fake *f)
{
	f->config.stable_view = true;
	fake_restart(f);
}

/* It is hidden by a tombstone now and after a restart, and the provider was not asked. */
static void check_tombstone(struct fake *f, const char *path, size_t asked)
{
	expect_asked(f, COMMAND_PLACEHOLDER, path, asked);
	assert_missing(f, path);
	assert_state(f, path, 0x10);
	fake_restart(f);
	assert_missing(f, path);
	assert_state(f, path, 0x10);
	expect_asked(f, COMMAND_PLACEHOLDER, path, 0);
}

static void a_virtual_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t handle;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5);
	handle = open_dir(f, find(f, "d").node_id);
	assert_int_equal(read_dir(f, find(f, "d").node_id, handle, 0, 0, true, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, find(f, "d").node_id, handle);
	assert_state(f, "d/a", 0);
	assert_int_equal(remove_file(f, find(f, "d").node_id, "a"), 0);
	check_tombstone(f, "d/a", 0);
	assert_names(f, find(f, "d").node_id, "");
}

static void a_placeholder_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_dirty_placeholder_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(change_mode(f, find(f, "a").node_id, 0600), 0);
	fake_restart(f);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 0);
}

static void a_hydrated_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	fake_restart(f);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 0);
}

static void a_converted_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_full_file_of_an_earlier_instance_is_asked_about(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	fake_restart(f);
	find(f, "a");
	expect_asked(f, COMMAND_PLACEHOLDER, "a", 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_new_file_leaves_nothing_unasked(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 0);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void a_new_file_of_an_earlier_instance_is_asked_about(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void a_name_that_the_provider_has_got_meanwhile_stays_hidden(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_tombstone(f, "n", 1);
}

static void a_renamed_file_is_asked_about_by_its_new_name(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "c", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "b", 1);
	assert_int_equal(restore(f, "b"), -ENOENT);
	assert_state(f, "a", 0x10);
	/* And one that lies over another. */
	assert_int_equal(restore(f, "a"), 0);
	find(f, "a");
	find(f, "c");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "c", 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "c"), 0);
	assert_state(f, "c", 0x10);
	assert_state(f, "a", 0x10);
}

static void in_a_renamed_directory_the_question_is_by_the_original_path(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/x", RECORD_FILE, 5);
	dir = find(f, "d").node_id;
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	make_text(f, dir, "n", "n");
	fake_restart(f);
	dir = find(f, "e").node_id;
	find(f, "e/n");
	assert_int_equal(remove_file(f, dir, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "e/n", 0);
	assert_int_equal(restore(f, "e/n"), -ENOENT);
	find(f, "e/x");
	assert_int_equal(remove_file(f, dir, "x"), 0);
	assert_state(f, "e/x", 0x10);
}

static void in_a_directory_of_the_users_own_nobody_is_asked(void **state)
{
	struct fake *f = *state;
	struct core_entry dir;

	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", &dir), 0);
	make_text(f, dir.node_id, "n", "n");
	fake_restart(f);
	dir = find(f, "d");
	find(f, "d/n");
	assert_int_equal(remove_file(f, dir.node_id, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 0);
	assert_int_equal(restore(f, "d/n"), -ENOENT);
}

static void a_provider_that_fails_counts_as_one_that_has_it(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->error[COMMAND_PLACEHOLDER] = -EIO;
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	f->error[COMMAND_PLACEHOLDER] = 0;
	assert_state(f, "n", 0x10);
}

static void a_provider_that_hangs_makes_the_removal_time_out(void **state)
{
	struct fake *f = *state;
	struct fake_call call;

	make_text(f, CORE_ROOT_ID, "n", "n");
	f->config.lookup_timeout_ms = 1000; /* what follows must make it on a busy machine */
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), -ETIMEDOUT);
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	fake_wait_cancelled(f, call.id);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "n");
	assert_names(f, CORE_ROOT_ID, "n");
	assert_int_equal(fake_complete(f, &call, 0), 0); /* late */
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void while_a_removal_waits_others_go_on(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_NOTHING);
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "n", false);
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_string_equal(call.path, "n");
	assert_false(request_is_done(&r));
	assert_text(f, find(f, "n").node_id, "n");
	make_text(f, CORE_ROOT_ID, "m", "m");
	assert_int_equal(move(f, CORE_ROOT_ID, "m", CORE_ROOT_ID, "o", RENAME_NOREPLACE), 0);
	assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	f->pend = 0;
	assert_missing(f, "n");
	assert_names(f, CORE_ROOT_ID, "o");
}

static void a_removal_that_waits_can_be_interrupted(void **state)
{
	struct fake *f = *state;
	struct request r;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_NOTHING);
	r.req.unique = 77;
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "n", false);
	fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	core_interrupt(f->core, 77);
	assert_int_equal(request_wait(&r), -EINTR);
	request_deinit(&r);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "n");
}

/* Two removals of one name: the second finds nothing, and no tombstone too many is made. */
static void of_two_removals_that_wait_one_finds_nothing(void **state)
{
	struct fake *f = *state;
	struct request r[2];

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	for (int i = 0; i < 2; i++) {
		request_init(f, &r[i], WANT_NOTHING);
		core_unlink(f->core, &r[i].req, CORE_ROOT_ID, "n", false);
	}
	for (size_t i = 0; i < 2; i++) {
		struct fake_call call = fake_wait_call(f, COMMAND_PLACEHOLDER, i);

		assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	}
	assert_int_equal(request_wait(&r[0]), 0);
	assert_int_equal(request_wait(&r[1]), -ENOENT);
	f->pend = 0;
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void two_questions_about_one_path_are_both_answered(void **state)
{
	struct fake *f = *state;
	struct request r[2];

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	for (int i = 0; i < 2; i++) {
		request_init(f, &r[i], WANT_NOTHING);
		core_unlink(f->core, &r[i].req, CORE_ROOT_ID, "n", false);
	}
	for (size_t i = 0; i < 2; i++) {
		struct fake_call call = fake_wait_call(f, COMMAND_PLACEHOLDER, i);

		assert_int_equal(fake_complete(f, &call, fake_answer(f, &call)), 0);
	}
	assert_int_equal(request_wait(&r[0]), 0);
	assert_int_equal(request_wait(&r[1]), -ENOENT);
	assert_int_equal(STAT(f, provider_faults), 0);
	f->pend = 0;
	assert_state(f, "n", 0x10);
}

static void wrong_kinds_and_missing_names_are_refused(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "a");
	find(f, "d");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "a"), -ENOTDIR);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "d"), -EISDIR);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "none"), -ENOENT);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "none"), -ENOENT);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, ".projfs"), -EPERM);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, ".projfs"), -EPERM);
	assert_int_equal(remove_file(f, find(f, "a").node_id, "x"), -ENOTDIR);
	assert_names(f, CORE_ROOT_ID, "a d");
}

/* ---- directories ----------------------------------------------------------------------------- */

static void check_directory(struct fake *f)
{
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5);
	fake_add(f, "d/b", RECORD_FILE, 5);
	dir = find(f, "d").node_id;
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	expect_asked(f, COMMAND_START_ENUM, "d", 1);
	find(f, "d/a");
	find(f, "d/b");
	assert_int_equal(remove_file(f, dir, "a"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(move(f, dir, "b", CORE_ROOT_ID, "b", 0), 0);
	make_text(f, dir, "n", "n");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(f, dir, "n"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_missing(f, "d");
	assert_names(f, CORE_ROOT_ID, "b");
	/* Whoever has it open sees an empty directory in which nothing can be made. */
	assert_names(f, dir, "");
	assert_int_equal(make_file(f, dir, "x", NULL), -ENOENT);
	fake_restart(f);
	assert_missing(f, "d");
	assert_state(f, "d", 0x10);
	assert_names(f, CORE_ROOT_ID, "b");
	assert_int_equal(read_check(f, find(f, "b").node_id, fake_find(f, "d/b"), 0, 100), 5);
}

static void a_directory_that_looks_empty_can_be_removed_from_a_live_view(void **state)
{
	check_directory(*state);
}

static void a_directory_that_looks_empty_can_be_removed_from_a_stable_view(void **state)
{
	use_stable_view(*state);
	check_directory(*state);
	expect_asked(*state, COMMAND_START_ENUM, "d", 0);
}

static void an_empty_virtual_directory_leaves_a_tombstone(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "d");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	check_tombstone(f, "d", 1);
}

static void a_directory_whose_listing_fails_stays(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "d");
	f->error[COMMAND_GET_ENUM] = -EIO;
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -EIO);
	f->error[COMMAND_GET_ENUM] = 0;
	assert_state(f, "d", 1);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
}

static void ones_own_directory_goes_without_questions(void **state)
{
	struct fake *f = *state;
	struct core_entry dir;

	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", &dir), 0);
	make_text(f, dir.node_id, "n", "n");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(f, dir.node_id, "n"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM) + fake_count(f, COMMAND_PLACEHOLDER), 0);
	assert_int_equal(restore(f, "d"), -ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_virtual_file_leaves_a_tombstone_unasked),
	        T(a_placeholder_leaves_a_tombstone_unasked),
	        T(a_dirty_placeholder_leaves_a_tombstone_unasked),
	        T(a_hydrated_file_leaves_a_tombstone_unasked),
	        T(a_converted_file_leaves_a_tombstone_unasked),
	        T(a_full_file_of_an_earlier_instance_is_asked_about),
	        T(a_new_file_leaves_nothing_unasked),
	        T(a_new_file_of_an_earlier_instance_is_asked_about),
	        T(a_name_that_the_provider_has_got_meanwhile_stays_hidden),
	        T(a_renamed_file_is_asked_about_by_its_new_name),
	        T(in_a_renamed_directory_the_question_is_by_the_original_path),
	        T(in_a_directory_of_the_users_own_nobody_is_asked),
	        T(a_provider_that_fails_counts_as_one_that_has_it),
	        T(a_provider_that_hangs_makes_the_removal_time_out),
	        T(while_a_removal_waits_others_go_on),
	        T(a_removal_that_waits_can_be_interrupted),
	        T(of_two_removals_that_wait_one_finds_nothing),
	        T(two_questions_about_one_path_are_both_answered),
	        T(wrong_kinds_and_missing_names_are_refused),
	        T(a_directory_that_looks_empty_can_be_removed_from_a_live_view),
	        T(a_directory_that_looks_empty_can_be_removed_from_a_stable_view),
	        T(an_empty_virtual_directory_leaves_a_tombstone),
	        T(a_directory_whose_listing_fails_stays),
	        T(ones_own_directory_goes_without_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
