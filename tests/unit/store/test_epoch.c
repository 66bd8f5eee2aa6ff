/* SPDX-License-Identifier: MIT */
/* Power cuts: what is trusted after one, and what becomes of the rest. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void restart_in_the_same_boot_keeps_all(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_true(store_needs_sync(f->store));
	fixture_reopen(f);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
}

static void synced_files_survive_a_power_cut(void **state)
{
	struct fixture *f = *state;

	assert_false(store_needs_sync(f->store));
	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	assert_false(store_needs_sync(f->store));
	for (int i = 0; i < 5; i++) {
		fixture_reboot(f);
		assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
	}
}

static void untouched_files_of_a_lost_epoch_are_virtual_again(void **state)
{
	const struct timespec times[2] = {{MTIME_SEC, MTIME_NSEC}, {MTIME_SEC, MTIME_NSEC}};
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "whole", "text", NULL), 0);
	assert_int_equal(hydrate(f->store, "empty", "text", NULL), 0);
	/* What ext4 leaves of a file whose blocks were not written. */
	assert_int_equal(truncate(fixture_at(f, "empty"), 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, fixture_at(f, "empty"), times, 0), 0);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "whole"), STORE_NONE);
	assert_int_equal(state_of(f->store, "empty"), STORE_NONE);
	assert_int_equal(access(fixture_at(f, "whole"), F_OK), -1);
	assert_int_equal(hydrate(f->store, "whole", "again", NULL), 0);
	assert_int_equal(state_of(f->store, "whole"), STORE_HYDRATED);
	assert_true(becomes_empty(f, "old"));
}

static void edited_files_of_a_lost_epoch_stay_and_are_unverified(void **state)
{
	struct fixture *f = *state;
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	write_file(fixture_at(f, "file"), "the user's");
	fixture_reboot(f);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_LOCAL);
	assert_true(item.unverified);
	store_item_deinit(&item);
}

static void what_was_hydrated_after_the_sync_is_lost_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "before", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	assert_int_equal(hydrate(f->store, "after", "text", NULL), 0);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "before"), STORE_HYDRATED);
	assert_int_equal(state_of(f->store, "after"), STORE_NONE);
}

static void lost_epochs_stay_lost_over_many_boots(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "lost", "text", NULL), 0);
	for (int i = 0; i < 3; i++) {
		char name[16];

		fixture_reboot(f);
		(void)snprintf(name, sizeof(name), "kept%d", i);
		assert_int_equal(hydrate(f->store, name, "text", NULL), 0);
		assert_int_equal(store_sync(f->store), 0);
	}
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "lost"), STORE_NONE);
	assert_int_equal(state_of(f->store, "kept0"), STORE_HYDRATED);
	assert_int_equal(state_of(f->store, "kept2"), STORE_HYDRATED);
}

static void looking_only_leaves_a_remnant_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	f->store = store_free(f->store);
	setenv("PROJFS_BOOT_ID", "looked at", 1);
	assert_int_equal(store_open_readonly(f->path, &f->store, &err), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
	assert_int_equal(access(fixture_at(f, "file"), F_OK), 0);
}

static void without_the_list_of_epochs_nothing_is_trusted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "removed", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	f->store = store_free(f->store);
	assert_int_equal(unlink(fixture_at(f, ".projfs/epoch")), 0);
	fixture_reopen(f);
	assert_int_equal(state_of(f->store, "removed"), STORE_NONE);
	assert_int_equal(hydrate(f->store, "new", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "new"), STORE_HYDRATED);
}

static void damaged_list_of_epochs_is_not_trusted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	f->store = store_free(f->store);
	write_file(fixture_at(f, ".projfs/epoch"), "damaged beyond all recognition");
	fixture_reopen(f);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(restart_in_the_same_boot_keeps_all),
	        OPEN(synced_files_survive_a_power_cut),
	        OPEN(untouched_files_of_a_lost_epoch_are_virtual_again),
	        OPEN(edited_files_of_a_lost_epoch_stay_and_are_unverified),
	        OPEN(what_was_hydrated_after_the_sync_is_lost_alone),
	        OPEN(lost_epochs_stay_lost_over_many_boots),
	        OPEN(looking_only_leaves_a_remnant_where_it_is),
	        OPEN(without_the_list_of_epochs_nothing_is_trusted),
	        OPEN(damaged_list_of_epochs_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
