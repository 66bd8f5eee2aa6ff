/* SPDX-License-Identifier: MIT */
/* Changes of state and metadata with a crash at every step: the item is as before or as after. */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record dirty_record(void)
{
	struct record rec = file_record(4);

	rec.fields |= RECORD_FLAGS | RECORD_ORIGIN;
	rec.flags = RECORD_FLAG_DIRTY;
	rec.origin = bytes_of("origin");
	return rec;
}

static void put_kind(struct store *s, const struct fixture *f, const void *context)
{
	put(s, f, *(const enum kind *)context, "item");
}

static int become_full(struct store *s, const void *context)
{
	bool young;

	(void)context;
	return store_make_full(s, "item", 1, &young);
}

static int set_record(struct store *s, const void *context)
{
	const struct record rec = dirty_record();

	(void)context;
	return store_set_record(s, "item", "item", &rec);
}

static int change_mode(struct store *s, const void *context)
{
	const struct store_change change = {.fields = RECORD_MODE, .mode = 0711};

	(void)context;
	return store_change_meta(s, "item", &change);
}

static int write_marker(struct store *s, const void *context)
{
	const struct record rec = dirty_record();

	(void)context;
	return store_write_marker(s, "item", &rec);
}

static int commit_content(struct store *s, const void *context)
{
	(void)context;
	return hydrate(s, "item", "text", NULL);
}

static void every_step_may_be_the_last(void **state)
{
	static const enum kind nothing = NOTHING, marker = MARKER, hydrated = HYDRATED,
	                       local = LOCAL, directory = EMPTY_DIR, projected = PROJECTED_DIR;
	const struct crash_case cases[] = {
	        {put_kind, become_full, &hydrated, "making a file full", NULL},
	        {put_kind, set_record, &hydrated, "setting a record", NULL},
	        {put_kind, change_mode, &hydrated, "chmod of a hydrated file", NULL},
	        {put_kind, change_mode, &local, "chmod of a local file", NULL},
	        {put_kind, change_mode, &directory, "chmod of a local directory", NULL},
	        {put_kind, change_mode, &projected, "chmod of a placeholder directory", NULL},
	        {put_kind, write_marker, &nothing, "writing a marker", NULL},
	        {put_kind, write_marker, &marker, "replacing a marker", NULL},
	        {put_kind, commit_content, &nothing, "content", NULL},
	        {put_kind, commit_content, &marker, "content for a marker", NULL},
	        {put_kind, commit_content, &marker, "content for a marker", "tmpfile"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		crash_everywhere(&cases[i]);
}

/* Does a process that is killed at step @n of giving the file other times get through? */
static bool touch_until(const struct fixture *f, int n)
{
	const struct store_change change = {
	        .fields = RECORD_MTIME | RECORD_MODE, .mtime = {1234567890, 5}, .mode = 0600};
	struct errmsg err;
	struct store *s;
	char step[32];
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)snprintf(step, sizeof(step), "kill:%d", n);
		setenv("PROJFS_STORE_STEP", step, 1);
		if (store_open(f->path, &s, &err) < 0)
			_exit(1);
		_exit(store_change_meta(s, "item", &change) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

static void no_step_of_a_touch_makes_the_file_the_users(void **state)
{
	bool through = false;

	for (int n = 1; !through; n++) {
		struct fixture *f;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		assert_int_equal(hydrate(f->store, "item", "text", NULL), 0);
		f->store = store_free(f->store);
		through = touch_until(f, n);
		assert_true(n > 3 || !through);
		fixture_reopen(f);
		assert_int_equal(state_of(f->store, "item"), STORE_HYDRATED);
		fixture_teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_step_may_be_the_last),
	        cmocka_unit_test(no_step_of_a_touch_makes_the_file_the_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
