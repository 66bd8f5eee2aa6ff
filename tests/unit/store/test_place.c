/* SPDX-License-Identifier: MIT */
/* Items that are not where the provider knows them: moved by hand, copied, or carried by a renamed directory. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t identity_at(struct store *s, const char *path)
{
	struct store_item item;
	uint64_t identity;

	assert_int_equal(store_lookup(s, path, &item), 0);
	identity = item.identity;
	store_item_deinit(&item);
	return identity;
}

static void make_dir(struct fixture *f, const char *path)
{
	struct record rec = dir_record();
	struct store_dir dir = {path, path, &rec};

	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
}

/* As the core does before it renames: the record says where the item comes from. */
static void note_origin(struct fixture *f, const char *path, struct record rec, const char *origin)
{
	rec.fields |= RECORD_ORIGIN | RECORD_FLAGS;
	rec.origin = bytes_of(origin);
	rec.flags = RECORD_FLAG_RENAMED;
	assert_int_equal(store_set_record(f->store, path, origin, &rec), 0);
}

static void move(struct fixture *f, const char *from, const char *to)
{
	assert_int_equal(rename(fixture_at(f, from), fixture_at(f, to)), 0);
}

static void moved_by_hand_is_the_users_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir");
	move(f, "file", "other");
	move(f, "dir", "elsewhere");
	assert_int_equal(state_of(f->store, "other"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "elsewhere"), STORE_LOCAL);
	assert_int_equal(identity_at(f->store, "other"), 0);
	move(f, "other", "file");
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
}

static void who_knows_the_origin_finds_a_moved_item(void **state)
{
	struct fixture *f = *state;
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	move(f, "file", "other");
	assert_int_equal(store_lookup_at(f->store, "other", "file", &item), 0);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_int_equal(item.identity, store_identity(f->store, "file", 0));
	store_item_deinit(&item);
	assert_int_equal(store_lookup_at(f->store, "other", "../file", &item), -EINVAL);
}

static void renamed_file_keeps_its_record_and_identity(void **state)
{
	struct fixture *f = *state;
	uint64_t identity = store_identity(f->store, "file", 0);

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(identity_at(f->store, "file"), identity);
	note_origin(f, "file", file_record(4), "file");
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
	move(f, "file", "other");
	assert_int_equal(state_of(f->store, "other"), STORE_HYDRATED);
	assert_int_equal(identity_at(f->store, "other"), identity);
	assert_int_equal(store_discard(f->store, "other"), -EBUSY);
}

static void renamed_directory_carries_what_is_in_it(void **state)
{
	struct fixture *f = *state;
	struct store_usage usage;

	make_dir(f, "dir");
	make_dir(f, "dir/sub");
	assert_int_equal(hydrate(f->store, "dir/sub/file", "text", NULL), 0);
	note_origin(f, "dir", dir_record(), "dir");
	move(f, "dir", "moved");
	assert_int_equal(state_of(f->store, "moved"), STORE_DIRECTORY);
	assert_int_equal(state_of(f->store, "moved/sub/file"), STORE_HYDRATED);
	assert_int_equal(identity_at(f->store, "moved/sub/file"),
	                 store_identity(f->store, "dir/sub/file", 0));
	fixture_reopen(f);
	assert_int_equal(state_of(f->store, "moved/sub"), STORE_DIRECTORY);
	assert_int_equal(state_of(f->store, "moved/sub/file"), STORE_HYDRATED);
	/* A walk keeps track of it, too. */
	assert_int_equal(store_usage(f->store, 10000, &usage), 0);
	assert_int_equal(usage.n_hydrated, 1);
	assert_int_equal(usage.n_directories, 2);
	assert_int_equal(usage.n_local, 0);
}

static void nearest_renamed_directory_decides(void **state)
{
	struct fixture *f = *state;

	make_dir(f, "a");
	make_dir(f, "a/b");
	assert_int_equal(hydrate(f->store, "a/b/file", "text", NULL), 0);
	note_origin(f, "a/b", dir_record(), "a/b");
	move(f, "a/b", "a/c");
	note_origin(f, "a", dir_record(), "a");
	move(f, "a", "z");
	assert_int_equal(identity_at(f->store, "z/c/file"),
	                 store_identity(f->store, "a/b/file", 0));
}

static void hydration_in_a_renamed_directory_is_told_the_origin(void **state)
{
	struct fixture *f = *state;
	const struct store_place place = {.path = "moved/file", .origin = "dir/file"};
	struct record rec = file_record(4);
	struct store_item item;
	struct stage *stage;

	make_dir(f, "dir");
	note_origin(f, "dir", dir_record(), "dir");
	move(f, "dir", "moved");
	assert_int_equal(store_stage_new(f->store, "moved/file", &stage), 0);
	assert_int_equal(write(stage_fd(stage), "text", 4), 4);
	assert_int_equal(store_stage_commit(f->store, stage, &place, &rec, &item), 0);
	stage_free(stage);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_int_equal(item.identity, store_identity(f->store, "dir/file", 0));
	store_item_deinit(&item);
	assert_int_equal(state_of(f->store, "moved/file"), STORE_HYDRATED);
}

static void generation_tells_items_of_one_origin_apart(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);

	rec.fields |= RECORD_GENERATION;
	rec.generation = 7;
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(identity_at(f->store, "file"), store_identity(f->store, "file", 7));
}

/* ---- markers ---------------------------------------------------------------------------------------- */

static struct record marker_record(const char *origin)
{
	struct record rec = file_record(4);

	rec.fields |= RECORD_ORIGIN;
	rec.origin = bytes_of(origin);
	return rec;
}

static void marker_has_its_identity_only_where_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct record rec = marker_record("from/here");
	char target[2000];
	ssize_t n;

	make_dir(f, "dir");
	assert_int_equal(store_write_marker(f->store, "dir/name", &rec), 0);
	assert_int_equal(identity_at(f->store, "dir/name"),
	                 store_identity(f->store, "from/here", 0));
	n = readlink(fixture_at(f, "dir/name"), target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_int_equal(symlink(target, fixture_at(f, "dir/copy")), 0);
	assert_int_equal(symlink(target, fixture_at(f, "name")), 0);
	assert_int_equal(state_of(f->store, "dir/copy"), STORE_PLACEHOLDER);
	assert_int_equal(identity_at(f->store, "dir/copy"), 0);
	assert_int_equal(state_of(f->store, "name"), STORE_PLACEHOLDER);
	assert_int_equal(identity_at(f->store, "name"), 0);
	/* A directory above takes it along. */
	move(f, "dir", "elsewhere");
	assert_int_equal(identity_at(f->store, "elsewhere/name"),
	                 store_identity(f->store, "from/here", 0));
}

static void content_takes_the_place_of_a_marker(void **state)
{
	struct fixture *f = *state;
	struct record rec = marker_record("file");
	char blob[3000];

	memset(blob, 'b', sizeof(blob));
	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){(const uint8_t *)blob, sizeof(blob)};
	for (int named = 0; named < 2; named++) {
		assert_int_equal(store_write_marker(f->store, "file", &rec), 0);
		assert_int_equal(count_private(f, "rec"), 1);
		assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
		assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
		assert_int_equal(count_private(f, "rec"), 0);
		assert_int_equal(count_private(f, "tmp"), 0);
		assert_int_equal(unlink(fixture_at(f, "file")), 0);
		setenv("PROJFS_DISABLE", "tmpfile", 1);
		fixture_reopen(f);
	}
}

static void tombstone_does_not_give_way_to_content(void **state)
{
	const struct record rec = {.kind = RECORD_TOMBSTONE};
	struct fixture *f = *state;
	struct record marker = marker_record("gone");
	struct buf target = {0};

	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_int_equal(symlink((const char *)target.data, fixture_at(f, "gone")), 0);
	buf_deinit(&target);
	assert_int_equal(hydrate(f->store, "gone", "text", NULL), -EEXIST);
	assert_int_equal(store_write_marker(f->store, "gone", &marker), -EEXIST);
	assert_int_equal(state_of(f->store, "gone"), STORE_TOMBSTONE);
	assert_int_equal(count_private(f, "tmp"), 0);
}

static void hydration_leaves_the_times_of_the_directory(void **state)
{
	const struct store_place place = {"dir/file", "dir/file", true, 0};
	struct fixture *f = *state;
	struct record rec = file_record(0);
	struct record marker = marker_record("dir/marker");
	struct timespec btime;
	struct stage *stage;
	struct stat st;

	make_dir(f, "dir");
	assert_int_equal(store_stage_new(f->store, "dir/file", &stage), 0);
	assert_int_equal(store_stage_commit(f->store, stage, &place, &rec, NULL), 0);
	stage_free(stage);
	assert_int_equal(store_write_marker(f->store, "dir/marker", &marker), 0);
	make_dir(f, "dir/sub");
	assert_int_equal(store_discard(f->store, "dir/file"), 0);
	assert_int_equal(store_stat(f->store, "dir", &st, &btime), 0);
	assert_int_equal(st.st_mtim.tv_sec, MTIME_SEC);
	assert_int_equal(st.st_mtim.tv_nsec, MTIME_NSEC);
	assert_int_equal(hydrate(f->store, "dir/other", "text", NULL), 0);
	assert_int_equal(store_stat(f->store, "dir", &st, &btime), 0);
	assert_int_not_equal(st.st_mtim.tv_sec, MTIME_SEC);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(moved_by_hand_is_the_users_own),
	        OPEN(who_knows_the_origin_finds_a_moved_item),
	        OPEN(renamed_file_keeps_its_record_and_identity),
	        OPEN(renamed_directory_carries_what_is_in_it),
	        OPEN(nearest_renamed_directory_decides),
	        OPEN(hydration_in_a_renamed_directory_is_told_the_origin),
	        OPEN(generation_tells_items_of_one_origin_apart),
	        OPEN(marker_has_its_identity_only_where_it_was_written),
	        OPEN(content_takes_the_place_of_a_marker),
	        OPEN(tombstone_does_not_give_way_to_content),
	        OPEN(hydration_leaves_the_times_of_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
