/* SPDX-License-Identifier: MIT */
/* Removing, with and without a tombstone, and a crash at every step of it. */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_hollow(enum kind kind)
{
	return kind == HOLLOW_DIR || kind == EMPTY_DIR;
}

static void remove_takes_everything_but_directories(void **state)
{
	struct fixture *f = *state;

	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		for (int tombstone = 0; tombstone < 2; tombstone++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "item %d %d", kind, tombstone);
			put(f->store, f, kind, name);
			if (is_dir_kind(kind)) {
				assert_int_equal(store_remove(f->store, name, tombstone), -EISDIR);
				continue;
			}
			assert_int_equal(store_remove(f->store, name, tombstone), 0);
			assert_int_equal(state_of(f->store, name),
			                 tombstone ? STORE_TOMBSTONE : STORE_NONE);
		}
	}
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_int_equal(count_private(f, "intent"), 0);
}

static void remove_dir_takes_only_what_holds_nothing_visible(void **state)
{
	struct fixture *f = *state;

	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		for (int tombstone = 0; tombstone < 2; tombstone++) {
			int expected = 0;
			char name[32];

			(void)snprintf(name, sizeof(name), "item %d %d", kind, tombstone);
			put(f->store, f, kind, name);
			if (kind == LOCAL_DIR || kind == PROJECTED_DIR)
				expected = -ENOTEMPTY;
			else if (kind == HYDRATED || kind == LOCAL || kind == LOCAL_LINK)
				expected = -ENOTDIR;
			assert_int_equal(store_remove_dir(f->store, name, tombstone), expected);
			if (expected == 0)
				assert_int_equal(state_of(f->store, name),
				                 tombstone ? STORE_TOMBSTONE : STORE_NONE);
			else
				assert_int_not_equal(state_of(f->store, name), STORE_NONE);
		}
	}
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_int_equal(count_private(f, "intent"), 0);
}

static void directory_with_a_stale_placeholder_is_not_empty(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, HOLLOW_DIR, "dir");
	put(f->store, f, MARKER, "dir/file");
	assert_int_equal(store_remove_dir(f->store, "dir", true), -ENOTEMPTY);
	assert_int_equal(state_of(f->store, "dir/file"), STORE_PLACEHOLDER);
}

static void kept_file_can_be_opened_until_it_is_dropped(void **state)
{
	struct fixture *f = *state;
	char name[STORE_HIDDEN_NAME_SIZE];
	char text[8] = "";
	int fd;

	for (int tombstone = 0; tombstone < 2; tombstone++) {
		put(f->store, f, LOCAL, "file");
		assert_int_equal(chmod(fixture_at(f, "file"), 0), 0);
		assert_int_equal(store_keep(f->store, "file", name), 0);
		assert_int_equal(store_remove(f->store, "file", tombstone), 0);
		fd = store_open_hidden(f->store, name);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof(text)), 4);
		assert_string_equal(text, "file");
		assert_int_equal(write(fd, "more", 4), 4);
		close(fd);
		store_drop_hidden(f->store, name);
		assert_int_equal(store_open_hidden(f->store, name), -ENOENT);
		assert_int_equal(count_private(f, "open"), 0);
	}
	assert_int_equal(store_open_hidden(f->store, "../root"), -EINVAL);
	assert_int_equal(store_keep(f->store, "none", name), -ENOENT);
}

static void record_put_aside_goes_with_the_last_name(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	char name[STORE_HIDDEN_NAME_SIZE];
	static uint8_t blob[2000];

	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){blob, sizeof(blob)};
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(store_keep(f->store, "file", name), 0);
	assert_int_equal(store_remove(f->store, "file", true), 0);
	assert_int_equal(count_private(f, "rec"), 1);
	store_drop_hidden(f->store, name);
	assert_int_equal(count_private(f, "rec"), 0);
}

static void kept_files_go_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	char name[STORE_HIDDEN_NAME_SIZE];

	put(f->store, f, LOCAL, "file");
	assert_int_equal(store_keep(f->store, "file", name), 0);
	assert_int_equal(count_private(f, "open"), 1);
	fixture_reopen(f);
	assert_int_equal(count_private(f, "open"), 0);
	assert_true(becomes_empty(f, "old"));
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
}

static void refusals_change_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_remove(f->store, "", true), -EINVAL);
	assert_int_equal(store_remove_dir(f->store, "", true), -EINVAL);
	assert_int_equal(store_remove(f->store, ".projfs/root", false), -EPERM);
	assert_int_equal(store_remove(f->store, "no/file", true), -ENOENT);
	assert_int_equal(store_remove(f->store, "a//b", true), -EINVAL);
}

/* ---- crashes ----------------------------------------------------------------------------------- */

struct removal {
	enum kind kind;
	bool tombstone;
};

static void prepare(struct store *s, const struct fixture *f, const void *context)
{
	const struct removal *r = context;

	put(s, f, r->kind, "item");
}

static int work(struct store *s, const void *context)
{
	const struct removal *r = context;

	if (is_dir_kind(r->kind))
		return store_remove_dir(s, "item", r->tombstone);
	return store_remove(s, "item", r->tombstone);
}

static void crash_with(enum kind kind, bool tombstone, const char *disable)
{
	const struct removal r = {kind, tombstone};
	const struct crash_case c = {prepare, work, &r, kind_names[kind], disable};

	crash_everywhere(&c);
}

static void removal_is_before_or_after_a_crash(void **state)
{
	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		if (is_dir_kind(kind) && !is_hollow(kind))
			continue;
		if (kind != NOTHING)
			crash_with(kind, false, NULL);
		if (kind != TOMBSTONE)
			crash_with(kind, true, NULL);
	}
}

static void so_it_is_on_disks_that_cannot_exchange(void **state)
{
	crash_with(HOLLOW_DIR, true, "exchange");
	crash_with(EMPTY_DIR, true, "exchange");
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(remove_takes_everything_but_directories),
	        OPEN(remove_dir_takes_only_what_holds_nothing_visible),
	        OPEN(directory_with_a_stale_placeholder_is_not_empty),
	        OPEN(kept_file_can_be_opened_until_it_is_dropped),
	        OPEN(record_put_aside_goes_with_the_last_name),
	        OPEN(kept_files_go_at_the_next_start),
	        OPEN(refusals_change_nothing),
	        cmocka_unit_test(removal_is_before_or_after_a_crash),
	        cmocka_unit_test(so_it_is_on_disks_that_cannot_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
