/* SPDX-License-Identifier: MIT */
/* Back to the provider's view. */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void anything_local_goes(void **state)
{
	struct fixture *f = *state;

	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		put(f->store, f, kind, "item");
		assert_int_equal(store_restore(f->store, "item"), kind == NOTHING ? -ENOENT : 0);
		assert_int_equal(state_of(f->store, "item"), STORE_NONE);
	}
	assert_true(becomes_empty(f, "old"));
}

static void another_users_directory_goes(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	put(f->store, f, LOCAL_DIR, "dir");
	assert_int_equal(chown(fixture_at(f, "dir"), 4321, 4321), 0);
	assert_int_equal(chmod(fixture_at(f, "dir"), 0500), 0);
	assert_int_equal(store_restore(f->store, "dir"), 0);
	assert_true(becomes_empty(f, "old"));
}

static void root_and_malformed_paths_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_restore(f->store, ""), -EINVAL);
	assert_int_equal(store_restore(f->store, "/x"), -EINVAL);
	assert_int_equal(store_restore(f->store, ".projfs/root"), -EPERM);
	assert_int_equal(store_restore(f->store, "no/such"), -ENOENT);
}

static void prepare(struct store *s, const struct fixture *f, const void *context)
{
	const enum kind *kind = context;

	put(s, f, *kind, "item");
}

static int work(struct store *s, const void *context)
{
	return store_restore(s, "item");
}

static void restore_is_before_or_after_a_crash(void **state)
{
	for (enum kind kind = TOMBSTONE; kind < N_KINDS; kind++) {
		const struct crash_case c = {prepare, work, &kind, kind_names[kind], NULL};

		crash_everywhere(&c);
	}
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(anything_local_goes),
	        OPEN(another_users_directory_goes),
	        OPEN(root_and_malformed_paths_are_refused),
	        cmocka_unit_test(restore_is_before_or_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
