/* SPDX-License-Identifier: MIT */
/* Looking for what is damaged, and mending it without losing content. */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/hash.h"

static struct {
	enum store_problem problem;
	char path[256];
	bool repaired;
} reports[16];
static size_t n_reports;

static void report(void *context, enum store_problem problem, const char *path, const char *what,
                   bool repaired)
{
	assert_true(n_reports < 16);
	assert_true(strlen(what) > 10);
	reports[n_reports].problem = problem;
	reports[n_reports].repaired = repaired;
	(void)snprintf(reports[n_reports].path, sizeof(reports[0].path), "%s", path);
	n_reports++;
}

static void check(struct store *s, bool repair)
{
	n_reports = 0;
	assert_int_equal(store_check(s, repair, report, NULL), 0);
}

static void expect_one(enum store_problem problem, const char *path, bool repaired)
{
	assert_int_equal(n_reports, 1);
	assert_int_equal(reports[0].problem, problem);
	assert_memory_equal(reports[0].path, path, strlen(path));
	assert_int_equal(reports[0].repaired, repaired);
}

/* What is found, mended, and then found no more. */
static void expect_mended(struct fixture *f, enum store_problem problem, const char *path)
{
	check(f->store, false);
	expect_one(problem, path, false);
	check(f->store, true);
	expect_one(problem, path, true);
	check(f->store, true);
}

static void healthy_root_has_no_problems(void **state)
{
	struct fixture *f = *state;

	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "item %d", kind);
		put(f->store, f, kind, path);
	}
	check(f->store, true);
	assert_int_equal(n_reports, 0);
}

static void damaged_record_is_removed_and_the_content_kept(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, HYDRATED, "file");
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, "\021junk", 5, 0), 0);
	assert_int_equal(chmod(fixture_at(f, "file"), 0444), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_DAMAGED);
	expect_mended(f, STORE_PROBLEM_RECORD, "file");
	assert_int_equal(n_reports, 0);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
}

static void directory_with_a_damaged_record_becomes_local(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, PROJECTED_DIR, "dir");
	assert_int_equal(setxattr(fixture_at(f, "dir"), RECORD_XATTR, "\022", 1, 0), 0);
	expect_mended(f, STORE_PROBLEM_RECORD, "dir");
	assert_int_equal(n_reports, 0);
	assert_int_equal(state_of(f->store, "dir"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "dir/inner"), STORE_LOCAL);
}

static void damaged_marker_is_set_aside(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, EMPTY_DIR, "dir");
	assert_int_equal(symlink(MARKER_PREFIX "junk", fixture_at(f, "dir/marker")), 0);
	expect_mended(f, STORE_PROBLEM_MARKER, "dir/marker");
	/* From now on it is something to look at. */
	expect_one(STORE_PROBLEM_RECOVERED, ".projfs/recovered/marker-", false);
	assert_int_equal(state_of(f->store, "dir/marker"), STORE_NONE);
}

static void record_of_a_newer_version_is_left_alone(void **state)
{
	const struct hash_key key = {RECORD_CHECKSUM_K0, RECORD_CHECKSUM_K1};
	uint8_t body[] = {(RECORD_VERSION + 1) << 4 | RECORD_FILE, 'n', 'e', 'w'};
	struct fixture *f = *state;
	struct buf b = {0};

	buf_append_u8(&b, body[0]);
	buf_append_u32(&b, (uint32_t)hash_bytes(&key, body, sizeof(body)));
	buf_append(&b, body + 1, sizeof(body) - 1);
	put(f->store, f, LOCAL, "file");
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, b.data, b.size, 0), 0);
	buf_deinit(&b);
	/* It may refer to a record that seems to be nobody's. */
	assert_int_equal(mkdir(fixture_at(f, ".projfs/rec"), 0700), 0);
	write_file(fixture_at(f, ".projfs/rec/00000000000000aa"), "perhaps its");
	fixture_reopen(f);
	check(f->store, true);
	expect_one(STORE_PROBLEM_NEWER, "file", false);
	assert_int_equal(count_private(f, "rec"), 1);
	assert_true(getxattr(fixture_at(f, "file"), RECORD_XATTR, NULL, 0) > 0);
}

static void edit_on_top_of_a_power_cut_is_reported(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, HYDRATED, "file");
	f->store = store_free(f->store);
	write_file(fixture_at(f, "file"), "edited");
	fixture_reboot(f);
	check(f->store, true);
	expect_one(STORE_PROBLEM_UNVERIFIED, "file", false);
}

static void bad_intent_is_removed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(fixture_at(f, ".projfs/intent"), 0700), 0);
	assert_int_equal(symlink("/dev/null/projfs-intent/AAAA",
	                         fixture_at(f, ".projfs/intent/0000000000000001")),
	                 0);
	fixture_reopen(f);
	expect_mended(f, STORE_PROBLEM_INTENT, ".projfs/intent/bad-0000000000000001");
	assert_int_equal(n_reports, 0);
}

static void records_and_partial_files_that_nothing_refers_to_are_removed(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	static uint8_t blob[2000];

	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){blob, sizeof(blob)};
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(count_private(f, "rec"), 1);
	write_file(fixture_at(f, ".projfs/rec/00000000000000aa"), "alone");
	expect_mended(f, STORE_PROBLEM_ORPHAN, ".projfs/rec/00000000000000aa");
	assert_int_equal(n_reports, 0);
	assert_int_equal(count_private(f, "rec"), 1);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);

	assert_int_equal(mkdir(fixture_at(f, ".projfs/partial"), 0700), 0);
	write_file(fixture_at(f, ".projfs/partial/00000000000000bb.map"), "alone");
	expect_mended(f, STORE_PROBLEM_ORPHAN, ".projfs/partial/00000000000000bb.map");
	assert_int_equal(n_reports, 0);
}

static void unfinished_hydration_is_no_problem(void **state)
{
	const struct record rec = file_record(1000000);
	struct fixture *f = *state;
	struct partial *p;

	assert_int_equal(store_partial_open(f->store, 77, &rec, &p), 0);
	partial_free(p);
	check(f->store, true);
	assert_int_equal(n_reports, 0);
}

static void mode_of_our_folder_is_mended(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chmod(fixture_at(f, ".projfs"), 0755), 0);
	expect_mended(f, STORE_PROBLEM_PRIVATE, ".projfs");
	assert_int_equal(n_reports, 0);
}

static void looking_needs_no_lock_and_mending_does(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;
	struct store *s;

	put(f->store, f, HYDRATED, "file");
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, "\021junk", 5, 0), 0);
	write_file(fixture_at(f, ".projfs/epoch"), "junk");
	assert_int_equal(store_open_readonly(f->path, &s, &err), 0);
	check(s, false);
	assert_int_equal(n_reports, 2);
	assert_int_equal(reports[0].problem, STORE_PROBLEM_PRIVATE);
	assert_string_equal(reports[0].path, ".projfs/epoch");
	assert_int_equal(reports[1].problem, STORE_PROBLEM_RECORD);
	assert_int_equal(store_check(s, true, report, NULL), -EROFS);
	store_free(s);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(healthy_root_has_no_problems),
	        OPEN(damaged_record_is_removed_and_the_content_kept),
	        OPEN(directory_with_a_damaged_record_becomes_local),
	        OPEN(damaged_marker_is_set_aside),
	        OPEN(record_of_a_newer_version_is_left_alone),
	        OPEN(edit_on_top_of_a_power_cut_is_reported),
	        OPEN(bad_intent_is_removed),
	        OPEN(records_and_partial_files_that_nothing_refers_to_are_removed),
	        OPEN(unfinished_hydration_is_no_problem),
	        OPEN(mode_of_our_folder_is_mended),
	        OPEN(looking_needs_no_lock_and_mending_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
