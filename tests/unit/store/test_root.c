/* SPDX-License-Identifier: MIT */
/* Marking, opening, locking; who may not be let out of a root. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct store_mark mark = {.guid = {7}};

static void unmarked_directory_is_no_root(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	assert_int_equal(store_is_root(f->path), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), -ENODATA);
	assert_non_null(strstr(err.text, f->path));
	assert_int_equal(store_open(fixture_at(f, "none"), &f->store, &err), -ENOENT);
}

static void marking_makes_a_root_once(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;
	uint8_t guid[16];

	assert_int_equal(store_mark_root(f->path, &mark, false, &err), 0);
	assert_int_equal(store_is_root(f->path), 1);
	assert_int_equal(store_mark_root(f->path, &mark, false, &err), -EEXIST);
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	store_guid(f->store, guid);
	assert_memory_equal(guid, mark.guid, 16);
	assert_int_equal(store_write_alignment(f->store) & (store_write_alignment(f->store) - 1),
	                 0);
}

static void root_in_a_root_is_refused(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	assert_int_equal(store_mark_root(f->path, &mark, false, &err), 0);
	assert_int_equal(mkdir(fixture_at(f, "a"), 0755), 0);
	assert_int_equal(mkdir(fixture_at(f, "a/b"), 0755), 0);
	assert_int_equal(store_mark_root(fixture_at(f, "a/b"), &mark, false, &err), -ELOOP);
	assert_int_equal(access(fixture_at(f, "a/b/.projfs"), F_OK), -1);
}

static void not_a_directory_and_nothing_are_refused(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	write_file(fixture_at(f, "file"), "x");
	assert_int_equal(store_mark_root(fixture_at(f, "file"), &mark, false, &err), -ENOTDIR);
	assert_int_equal(store_mark_root(fixture_at(f, "none"), &mark, false, &err), -ENOENT);
}

static void non_empty_directory_needs_adopt(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;
	struct store_item item;
	struct record rec;

	write_file(fixture_at(f, "file"), "x");
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	write_file(fixture_at(f, "dir/inner"), "y");
	assert_int_equal(store_mark_root(f->path, &mark, false, &err), -ENOTEMPTY);
	assert_int_equal(access(fixture_at(f, ".projfs"), F_OK), -1);
	assert_int_equal(store_mark_root(f->path, &mark, true, &err), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "dir/inner"), STORE_LOCAL);
	assert_int_equal(store_lookup(f->store, "dir", &item), 0);
	assert_int_equal(item.state, STORE_DIRECTORY);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &rec), 0);
	assert_int_equal(rec.flags, RECORD_FLAG_ADOPTED);
	store_item_deinit(&item);
	assert_int_equal(store_discard(f->store, "dir"), -EBUSY);
}

static void failed_marking_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct store_mark too_long = mark;
	uint8_t id[RECORD_ID_MAX + 1];
	struct errmsg err;

	memset(id, 'x', sizeof(id));
	too_long.provider_id = (struct record_bytes){id, sizeof(id)};
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	assert_int_equal(store_mark_root(f->path, &too_long, true, &err), -EINVAL);
	assert_int_equal(access(fixture_at(f, ".projfs"), F_OK), -1);
	assert_int_equal(getxattr(fixture_at(f, "dir"), RECORD_XATTR, NULL, 0), -1);
}

static void second_instance_is_told_that_the_root_is_busy(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	struct errmsg err;

	assert_int_equal(store_open(f->path, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err.text, "another instance"));
	fixture_reopen(f);
}

static void damaged_mark_is_refused(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	f->store = store_free(f->store);
	write_file(fixture_at(f, ".projfs/root"), "this is no record at all");
	assert_int_equal(store_open(f->path, &f->store, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "damaged"));
}

static void readonly_store_looks_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_dir dir = {"d", "d", &rec};
	struct errmsg err;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	f->store = store_free(f->store);
	assert_int_equal(store_open_readonly(f->path, &f->store, &err), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
	assert_int_equal(hydrate(f->store, "other", "text", NULL), -EROFS);
	assert_int_equal(store_make_dirs(f->store, &dir, 1), -EROFS);
	assert_int_equal(store_discard(f->store, "file"), -EROFS);
	assert_int_equal(store_sync(f->store), -EROFS);
	assert_int_equal(store_save_blob(f->store, "b", "x", 1), -EROFS);
	assert_int_equal(store_open_file(f->store, "file", O_RDWR), -EROFS);
}

static void paths_cannot_leave_the_root(void **state)
{
	static const char *const bad[] = {"..", "a/../b", "/etc/passwd", "a//b",
	                                  "a/", ".",      "a/./b"};
	struct fixture *f = *state;
	struct store_item item;
	struct stage *stage;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(store_lookup(f->store, bad[i], &item), -EINVAL);
		assert_int_equal(store_open_file(f->store, bad[i], O_RDONLY), -EINVAL);
		assert_int_equal(store_stage_new(f->store, bad[i], &stage), -EINVAL);
	}
	assert_int_equal(store_lookup(f->store, ".projfs", &item), -EPERM);
	assert_int_equal(store_open_file(f->store, ".projfs/root", O_RDONLY), -EPERM);
}

static void symbolic_links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	struct stage *stage;
	struct record rec = dir_record();
	struct store_dir dir = {"out/new", "out/new", &rec};

	assert_int_equal(symlink("/tmp", fixture_at(f, "out")), 0);
	assert_int_equal(symlink("/etc/passwd", fixture_at(f, "file")), 0);
	assert_int_equal(state_of(f->store, "out"), STORE_LOCAL);
	assert_int_equal(store_lookup(f->store, "out/x", &item), -ENOTDIR);
	assert_int_equal(store_stage_new(f->store, "out/x", &stage), -ENOTDIR);
	assert_int_equal(store_make_dirs(f->store, &dir, 1), -ENOTDIR);
	assert_int_equal(store_open_file(f->store, "file", O_RDONLY), -ELOOP);
	assert_int_equal(store_list(f->store, "out", NULL, NULL), -ENOTDIR);
}

static void blobs_are_replaced_whole(void **state)
{
	struct fixture *f = *state;
	struct buf b = {0};

	assert_int_equal(store_load_blob(f->store, "settings", &b), -ENOENT);
	assert_int_equal(store_save_blob(f->store, "settings", "first and long", 14), 0);
	assert_int_equal(store_save_blob(f->store, "settings", "second", 6), 0);
	assert_int_equal(store_load_blob(f->store, "settings", &b), 0);
	assert_int_equal(b.size, 6);
	assert_memory_equal(b.data, "second", 6);
	buf_deinit(&b);
	assert_int_equal(store_save_blob(f->store, "root", "x", 1), -EINVAL);
	assert_int_equal(store_save_blob(f->store, "a/b", "x", 1), -EINVAL);
	assert_int_equal(count_private(f, "tmp"), 0);
}

static void leftovers_are_moved_aside_and_deleted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(fixture_at(f, ".projfs/tmp/d"), 0755), 0);
	assert_int_equal(mkdir(fixture_at(f, ".projfs/tmp/d/e"), 0500), 0);
	write_file(fixture_at(f, ".projfs/tmp/d/f"), "left over");
	fixture_reopen(f);
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_true(becomes_empty(f, "old"));
	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
}

static void identities_differ_by_path_and_generation(void **state)
{
	struct fixture *f = *state;
	uint64_t id = store_identity(f->store, "a/b", 0);

	assert_true(id >> 63);
	assert_true(id != store_identity(f->store, "a/c", 0));
	assert_true(id != store_identity(f->store, "a/b", 1));
	fixture_reopen(f);
	assert_true(id == store_identity(f->store, "a/b", 0));
}

int main(void)
{
#define BARE(t) cmocka_unit_test_setup_teardown(t, fixture_setup_bare, fixture_teardown)
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        BARE(unmarked_directory_is_no_root),
	        BARE(marking_makes_a_root_once),
	        BARE(root_in_a_root_is_refused),
	        BARE(not_a_directory_and_nothing_are_refused),
	        BARE(non_empty_directory_needs_adopt),
	        BARE(failed_marking_leaves_nothing_behind),
	        OPEN(second_instance_is_told_that_the_root_is_busy),
	        OPEN(damaged_mark_is_refused),
	        OPEN(readonly_store_looks_and_changes_nothing),
	        OPEN(paths_cannot_leave_the_root),
	        OPEN(symbolic_links_are_not_followed),
	        OPEN(blobs_are_replaced_whole),
	        OPEN(leftovers_are_moved_aside_and_deleted),
	        OPEN(identities_differ_by_path_and_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
