/* SPDX-License-Identifier: MIT */
/* Full files: content that is the user's, and what a power cut makes of it. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IDENTITY UINT64_C(0x8123456789abcdef)

static void make_full(struct fixture *f, const char *path, bool expect_young)
{
	bool young = !expect_young;

	assert_int_equal(store_make_full(f->store, path, IDENTITY, &young), 0);
	assert_int_equal(young, expect_young);
}

static void settle(struct fixture *f, const char *path, bool durable)
{
	int fd = store_open_file(f->store, path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(store_settle(f->store, fd, durable), 0);
	close(fd);
}

/* Is it the user's, with this identity?  0: an ordinary file of his. */
static void assert_full(struct fixture *f, const char *path, uint64_t identity)
{
	struct store_item item;

	assert_int_equal(store_lookup(f->store, path, &item), 0);
	assert_int_equal(item.state, STORE_LOCAL);
	assert_int_equal(item.identity, identity);
	assert_int_equal(item.rec.size > 0, identity != 0);
	assert_false(item.unverified);
	store_item_deinit(&item);
}

static bool has_record(struct fixture *f, const char *path, struct record *ret)
{
	static uint8_t value[RECORD_XATTR_MAX];
	ssize_t n = getxattr(fixture_at(f, path), RECORD_XATTR, value, sizeof(value));

	return n > 0 && record_decode(value, (size_t)n, ret) == 0;
}

static void full_file_keeps_its_identity_whatever_happens_to_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_full(f, "file", true);
	assert_full(f, "file", IDENTITY);
	make_full(f, "file", true);
	write_file(fixture_at(f, "file"), "other text");
	assert_int_equal(chmod(fixture_at(f, "file"), 0600), 0);
	assert_full(f, "file", IDENTITY);
	assert_int_equal(rename(fixture_at(f, "file"), fixture_at(f, "moved")), 0);
	assert_full(f, "moved", IDENTITY);
	assert_int_equal(store_discard(f->store, "moved"), -EBUSY);
}

static void copy_of_a_full_file_is_another(void **state)
{
	struct fixture *f = *state;
	char command[1024];

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_full(f, "file", true);
	(void)snprintf(command, sizeof(command), "cp -a --preserve=all '%s/file' '%s/copy'",
	               f->path, f->path);
	assert_int_equal(system(command), 0);
	assert_true(getxattr(fixture_at(f, "copy"), RECORD_XATTR, NULL, 0) > 0);
	assert_full(f, "copy", 0);
	fixture_reboot(f);
	assert_full(f, "copy", 0);
}

static void forged_record_of_a_full_file_does_not_count(void **state)
{
	const struct record rec = {.kind = RECORD_FILE,
	                           .fields = RECORD_FLAGS | RECORD_IDENTITY | RECORD_BINDING |
	                                     RECORD_EPOCH,
	                           .flags = RECORD_FLAG_FULL,
	                           .identity = IDENTITY,
	                           .binding = 42,
	                           .epoch = 1};
	struct fixture *f = *state;
	struct record unbound = rec;
	struct buf b = {0};

	write_file(fixture_at(f, "file"), "x");
	write_file(fixture_at(f, "unbound"), "x");
	assert_int_equal(record_encode(&rec, &b), 0);
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, b.data, b.size, 0), 0);
	b.size = 0;
	unbound.fields &= ~(uint32_t)RECORD_BINDING;
	assert_int_equal(record_encode(&unbound, &b), 0);
	assert_int_equal(setxattr(fixture_at(f, "unbound"), RECORD_XATTR, b.data, b.size, 0), 0);
	buf_deinit(&b);
	fixture_reboot(f);
	assert_full(f, "file", 0);
	assert_full(f, "unbound", 0);
}

static void young_full_file_is_set_aside_after_a_power_cut(void **state)
{
	struct fixture *f = *state;
	char command[1024];

	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	assert_int_equal(hydrate(f->store, "dir/file", "text", NULL), 0);
	make_full(f, "dir/file", true);
	write_file(fixture_at(f, "dir/file"), "the user's");
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "dir/file"), STORE_NONE);
	assert_int_equal(access(fixture_at(f, "dir/file"), F_OK), -1);
	assert_int_equal(count_private(f, "recovered"), 1);
	(void)snprintf(command, sizeof(command),
	               "grep -q \"the user's\" '%s'/.projfs/recovered/dir%%file.*", f->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(hydrate(f->store, "dir/file", "text", NULL), 0);
	make_full(f, "dir/file", true);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "dir/file"), STORE_NONE);
	assert_int_equal(count_private(f, "recovered"), 2);
}

static void long_paths_are_set_aside_under_their_end(void **state)
{
	struct fixture *f = *state;
	char path[600] = "";

	for (int i = 0; i < 3; i++) {
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%0150d",
		               i ? "/" : "", i);
		if (i < 2)
			assert_int_equal(mkdir(fixture_at(f, path), 0755), 0);
	}
	assert_int_equal(hydrate(f->store, path, "text", NULL), 0);
	make_full(f, path, true);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, path), STORE_NONE);
	assert_int_equal(count_private(f, "recovered"), 1);
}

static void looking_only_leaves_a_young_full_file_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	struct errmsg err;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_full(f, "file", true);
	f->store = store_free(f->store);
	setenv("PROJFS_BOOT_ID", "looked at", 1);
	assert_int_equal(store_open_readonly(f->path, &f->store, &err), 0);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_LOCAL);
	assert_true(item.unverified);
	store_item_deinit(&item);
	assert_int_equal(store_make_full(f->store, "file", IDENTITY, &(bool){false}), -EROFS);
	assert_int_equal(access(fixture_at(f, "file"), F_OK), 0);
}

static void young_full_file_keeps_its_directory_from_being_discarded(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_dir dir = {"dir", "dir", &rec};

	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
	assert_int_equal(hydrate(f->store, "dir/file", "text", NULL), 0);
	make_full(f, "dir/file", true);
	fixture_reboot(f);
	assert_int_equal(store_discard(f->store, "dir"), -EBUSY);
	assert_int_equal(access(fixture_at(f, "dir/file"), F_OK), 0);
}

static void settled_full_file_stays(void **state)
{
	struct fixture *f = *state;
	struct record rec;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_full(f, "file", true);
	settle(f, "file", false);
	assert_true(has_record(f, "file", &rec));
	assert_false(rec.fields & RECORD_EPOCH);
	settle(f, "file", true);
	fixture_reboot(f);
	assert_full(f, "file", IDENTITY);
	make_full(f, "file", false);
}

static void settled_file_without_identity_needs_no_record(void **state)
{
	struct fixture *f = *state;
	struct record rec;
	bool young;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_make_full(f->store, "file", 0, &young), 0);
	assert_true(young);
	assert_true(has_record(f, "file", &rec));
	settle(f, "file", true);
	assert_false(has_record(f, "file", &rec));
	assert_full(f, "file", 0);
}

static void fsync_of_the_user_settles_his_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_full(f, "file", true);
	write_file(fixture_at(f, "file"), "the user's");
	assert_int_equal(store_sync_item(f->store, "file", true), 0);
	fixture_reboot(f);
	assert_full(f, "file", IDENTITY);
}

static void synced_epoch_makes_a_file_full_without_one(void **state)
{
	struct fixture *f = *state;
	struct record rec;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
	make_full(f, "file", false);
	assert_true(has_record(f, "file", &rec));
	assert_false(rec.fields & RECORD_EPOCH);
	fixture_reboot(f);
	assert_full(f, "file", IDENTITY);
}

static void settling_leaves_other_records_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "hydrated", "text", NULL), 0);
	write_file(fixture_at(f, "local"), "x");
	settle(f, "hydrated", true);
	settle(f, "local", true);
	assert_int_equal(state_of(f->store, "hydrated"), STORE_HYDRATED);
	assert_full(f, "local", 0);
}

static void only_files_become_full(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_dir dir = {"dir", "dir", &rec};
	bool young;

	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
	write_file(fixture_at(f, "local"), "x");
	assert_int_equal(store_make_full(f->store, "dir", 1, &young), -EBUSY);
	assert_int_equal(store_make_full(f->store, "none", 1, &young), -ENOENT);
	assert_int_equal(store_make_full(f->store, "local", 1, &young), 0);
	assert_false(young);
	assert_full(f, "local", 0);
}

static void big_record_goes_when_a_file_becomes_full(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	char blob[5000];

	memset(blob, 'b', sizeof(blob));
	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){(const uint8_t *)blob, sizeof(blob)};
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(count_private(f, "rec"), 1);
	make_full(f, "file", true);
	assert_int_equal(count_private(f, "rec"), 0);
	assert_full(f, "file", IDENTITY);
}

static void truncated_placeholder_is_committed_as_full(void **state)
{
	const struct store_place place = {"file", "file", false, IDENTITY};
	struct fixture *f = *state;
	struct record rec = file_record(1000);
	struct record marker = rec;
	struct store_item item;
	struct stage *stage;
	struct record got;

	marker.fields |= RECORD_ORIGIN;
	marker.origin = bytes_of("file");
	assert_int_equal(store_write_marker(f->store, "file", &marker), 0);
	assert_int_equal(store_stage_new(f->store, "file", &stage), 0);
	assert_int_equal(store_stage_commit(f->store, stage, &place, &rec, &item), 0);
	stage_free(stage);
	assert_int_equal(item.state, STORE_LOCAL);
	assert_int_equal(item.identity, IDENTITY);
	assert_int_equal(item.st.st_mode & 07777, 0644);
	store_item_deinit(&item);
	assert_full(f, "file", IDENTITY);
	assert_true(has_record(f, "file", &got));
	assert_true(got.fields & RECORD_EPOCH);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
	assert_int_equal(count_private(f, "recovered"), 1);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(full_file_keeps_its_identity_whatever_happens_to_it),
	        OPEN(copy_of_a_full_file_is_another),
	        OPEN(forged_record_of_a_full_file_does_not_count),
	        OPEN(young_full_file_is_set_aside_after_a_power_cut),
	        OPEN(long_paths_are_set_aside_under_their_end),
	        OPEN(looking_only_leaves_a_young_full_file_where_it_is),
	        OPEN(young_full_file_keeps_its_directory_from_being_discarded),
	        OPEN(settled_full_file_stays),
	        OPEN(settled_file_without_identity_needs_no_record),
	        OPEN(fsync_of_the_user_settles_his_file),
	        OPEN(synced_epoch_makes_a_file_full_without_one),
	        OPEN(settling_leaves_other_records_alone),
	        OPEN(only_files_become_full),
	        OPEN(big_record_goes_when_a_file_becomes_full),
	        OPEN(truncated_placeholder_is_committed_as_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
