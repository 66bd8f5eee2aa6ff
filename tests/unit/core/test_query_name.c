/* SPDX-License-Identifier: MIT */
/* query_file_name: what lies under a file that goes away, without asking what it is. */

#include "changes.h"

static int setup(void **state)
{
	struct fake *f;
	int r = fake_setup(state);

	if (r < 0)
		return r;
	f = *state;
	f->config.can_query_name = true;
	fake_restart(f);
	return 0;
}

/* A full file that is not known to have been new: removing it needs the provider's word. */
static void put_full_file(struct fake *f, const char *name)
{
	make_text(f, CORE_ROOT_ID, "made", "x");
	assert_int_equal(move(f, CORE_ROOT_ID, "made", CORE_ROOT_ID, name, 0), 0);
}

static void check_hidden(struct fake *f, const char *path)
{
	assert_missing(f, path);
	assert_state(f, path, 0x10);
}

static void check_no_trace(struct fake *f, const char *path)
{
	assert_missing(f, path);
	assert_int_equal(restore(f, path), -ENOENT);
}

static void begin_removal(struct fake *f, struct request *r)
{
	request_init(f, r, WANT_NOTHING);
	r->req.unique = 77;
	core_unlink(f->core, &r->req, CORE_ROOT_ID, "n", false);
}

static void a_name_that_the_provider_has_leaves_a_tombstone(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "n", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 0);
	assert_int_equal(STAT(f, callbacks_query), 1);
	check_hidden(f, "n");
}

static void a_name_that_the_provider_has_not_leaves_nothing(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "n", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 0);
	check_no_trace(f, "n");
}

static void a_provider_that_cannot_say_counts_as_one_that_has_it(void **state)
{
	static const int errors[] = {EIO, EACCES, EINVAL};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		put_full_file(f, "n");
		f->error[COMMAND_QUERY_NAME] = -errors[i];
		assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
		expect_asked(f, COMMAND_QUERY_NAME, "n", i + 1);
		check_hidden(f, "n");
		assert_int_equal(restore(f, "n"), 0);
	}
}

static void a_provider_without_memory_makes_the_removal_fail(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	f->error[COMMAND_QUERY_NAME] = -ENOMEM;
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), -ENOMEM);
	f->error[COMMAND_QUERY_NAME] = 0;
	assert_text(f, find(f, "n").node_id, "x");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_no_trace(f, "n");
}

static void the_answer_may_come_later(void **state)
{
	static const int answers[] = {0, -ENOENT, -EACCES};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct fake_call call;
		struct request r;

		put_full_file(f, "n");
		f->pend = KIND(QUERY_NAME);
		begin_removal(f, &r);
		call = fake_wait_call(f, COMMAND_QUERY_NAME, i);
		assert_false(request_is_done(&r));
		assert_int_equal(fake_complete(f, &call, answers[i]), 0);
		assert_int_equal(request_wait(&r), 0);
		request_deinit(&r);
		f->pend = 0;
		if (answers[i] == -ENOENT)
			check_no_trace(f, "n");
		else
			check_hidden(f, "n");
		(void)restore(f, "n");
	}
}

static void a_renamed_file_is_queried_by_the_name_that_it_leaves(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	assert_int_equal(move(f, CORE_ROOT_ID, "n", CORE_ROOT_ID, "m", 0), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "n", 1);
	expect_asked(f, COMMAND_QUERY_NAME, "m", 0);
	check_hidden(f, "n");
	assert_text(f, find(f, "m").node_id, "x");
}

static void in_a_renamed_directory_the_query_is_by_the_original_path(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	put_full_file(f, "n");
	assert_int_equal(move(f, CORE_ROOT_ID, "n", dir, "n", 0), 0);
	assert_int_equal(remove_file(f, dir, "n"), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "d/n", 1);
	expect_asked(f, COMMAND_QUERY_NAME, "e/n", 0);
}

static void the_query_says_who_causes_it(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	put_full_file(f, "n");
	request_init(f, &r, WANT_NOTHING);
	r.req.pid = 4711;
	r.req.uid = 815;
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "n", false);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	call = fake_wait_call(f, COMMAND_QUERY_NAME, 0);
	assert_int_equal(call.pid, 4711);
	assert_int_equal(call.uid, 815);
}

static void without_the_callback_a_description_is_asked_for(void **state)
{
	struct fake *f = *state;

	f->config.can_query_name = false;
	fake_restart(f);
	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "n", 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
}

static void a_look_up_is_no_query(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_missing(f, "n");
	assert_int_equal(fake_count(f, COMMAND_QUERY_NAME), 0);
}

static void what_came_from_the_provider_is_not_queried(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(fake_count(f, COMMAND_QUERY_NAME), 0);
	check_hidden(f, "a");
}

static void what_a_stable_listing_tells_is_not_queried(void **state)
{
	struct fake *f = *state;

	f->config.stable_view = true;
	fake_restart(f);
	free(names_of(f, CORE_ROOT_ID));
	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(fake_count(f, COMMAND_QUERY_NAME), 0);
	check_no_trace(f, "n");
}

static void what_is_known_to_be_absent_is_not_queried(void **state)
{
	struct fake *f = *state;

	f->config.negative_path_cache = true;
	fake_restart(f);
	assert_missing(f, "n");
	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(fake_count(f, COMMAND_QUERY_NAME), 0);
	assert_int_equal(STAT(f, negative_hits), 1);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
}

static void a_query_does_not_make_a_name_known_as_absent(void **state)
{
	struct fake *f = *state;

	f->config.negative_path_cache = true;
	fake_restart(f);
	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_QUERY_NAME, "n", 1);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	assert_missing(f, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
}

static void a_removal_whose_query_hangs_times_out_and_the_query_is_cancelled(void **state)
{
	struct fake *f = *state;
	struct fake_call call;

	f->config.lookup_timeout_ms = 1000; /* what follows must make it on a busy machine */
	fake_restart(f);
	put_full_file(f, "n");
	f->pend = KIND(QUERY_NAME);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), -ETIMEDOUT);
	call = fake_wait_call(f, COMMAND_QUERY_NAME, 0);
	fake_wait_cancelled(f, call.id);
	assert_int_equal(fake_complete(f, &call, 0), 0); /* late */
	f->pend = 0;
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_no_trace(f, "n");
}

static void a_removal_whose_caller_dies_leaves_the_file(void **state)
{
	struct fake *f = *state;
	struct request r;

	put_full_file(f, "n");
	f->pend = KIND(QUERY_NAME);
	begin_removal(f, &r);
	fake_wait_call(f, COMMAND_QUERY_NAME, 0);
	core_interrupt(f->core, 77);
	assert_int_equal(request_wait(&r), -EINTR);
	request_deinit(&r);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "x");
}

static void stopping_ends_a_removal_that_waits_for_its_query(void **state)
{
	struct fake *f = *state;
	struct request r;

	put_full_file(f, "n");
	f->pend = KIND(QUERY_NAME);
	begin_removal(f, &r);
	fake_wait_call(f, COMMAND_QUERY_NAME, 0);
	fake_stop(f);
	assert_int_equal(request_wait(&r), -ENOTCONN);
	request_deinit(&r);
	f->pend = 0;
	fake_restart(f);
	assert_text(f, find(f, "n").node_id, "x");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_name_that_the_provider_has_leaves_a_tombstone),
	        T(a_name_that_the_provider_has_not_leaves_nothing),
	        T(a_provider_that_cannot_say_counts_as_one_that_has_it),
	        T(a_provider_without_memory_makes_the_removal_fail),
	        T(the_answer_may_come_later),
	        T(a_renamed_file_is_queried_by_the_name_that_it_leaves),
	        T(in_a_renamed_directory_the_query_is_by_the_original_path),
	        T(the_query_says_who_causes_it),
	        T(without_the_callback_a_description_is_asked_for),
	        T(a_look_up_is_no_query),
	        T(what_came_from_the_provider_is_not_queried),
	        T(what_a_stable_listing_tells_is_not_queried),
	        T(what_is_known_to_be_absent_is_not_queried),
	        T(a_query_does_not_make_a_name_known_as_absent),
	        T(a_removal_whose_query_hangs_times_out_and_the_query_is_cancelled),
	        T(a_removal_whose_caller_dies_leaves_the_file),
	        T(stopping_ends_a_removal_that_waits_for_its_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
