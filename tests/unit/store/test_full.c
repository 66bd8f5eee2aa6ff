/* SPDX-License-Identifier: MIT */
/*
 * Disks that are full, read-only or without user attributes: small ones, mounted for a test when root
 * runs it.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static const struct store_mark mark = {.guid = {9}};

static int unmount(void **state)
{
	struct fixture *f = *state;

	f->store = store_free(f->store);
	(void)umount2(f->path, MNT_DETACH);
	return fixture_teardown(state);
}

static void need_disk(struct fixture *f, const char *type, unsigned long flags)
{
	const char *options = strcmp(type, "tmpfs") == 0 ? "size=1m,mode=0700" : NULL;

	if (geteuid() != 0 || mount("none", f->path, type, flags, options) < 0)
		skip();
}

static void mark_and_open(struct fixture *f)
{
	struct errmsg err;
	int r = store_mark_root(f->path, &mark, false, &err);

	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
}

/* Until nothing is left, not even for the smallest file. */
static void fill_disk(struct fixture *f)
{
	static const char block[4096] = "full";
	int fd = open(fixture_at(f, "filler"), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void full_disk_shows_nothing_half_written(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(3 * PARTIAL_CHUNK);
	struct partial *p;
	struct stage *stage;
	uint64_t arrived;
	static char data[PARTIAL_CHUNK];

	need_disk(f, "tmpfs", 0);
	mark_and_open(f);
	assert_int_equal(store_partial_open(f->store, 1, &rec, &p), 0);
	assert_int_equal(pwrite(partial_fd(p), data, sizeof(data), 0), sizeof(data));
	partial_mark(p, 0, PARTIAL_CHUNK);
	assert_int_equal(store_stage_new(f->store, "file", &stage), 0);
	fill_disk(f);
	assert_int_equal(write(stage_fd(stage), data, sizeof(data)), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(store_stage_commit(f->store, stage, PLACE("file"), &rec, NULL), -EIO);
	stage_free(stage);
	assert_int_equal(pwrite(partial_fd(p), data, sizeof(data), PARTIAL_CHUNK), -1);
	partial_mark(p, 2 * PARTIAL_CHUNK, PARTIAL_CHUNK);
	partial_free(p);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
	arrived = store_partial_peek(f->store, 1, &rec);
	assert_true(arrived >= PARTIAL_CHUNK);
	assert_int_equal(store_save_blob(f->store, "blob", data, 10), -ENOSPC);
	assert_int_equal(count_private(f, "tmp"), 0);

	assert_int_equal(unlink(fixture_at(f, "filler")), 0);
	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_sync(f->store), 0);
}

static void marking_a_full_disk_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	need_disk(f, "tmpfs", 0);
	fill_disk(f);
	assert_int_equal(store_mark_root(f->path, &mark, true, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space"));
	assert_int_equal(access(fixture_at(f, ".projfs"), F_OK), -1);
}

static void readonly_disk_is_refused_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	need_disk(f, "tmpfs", 0);
	mark_and_open(f);
	f->store = store_free(f->store);
	assert_int_equal(mount(NULL, f->path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), -EROFS);
	assert_non_null(strstr(err.text, "read-only"));
	assert_int_equal(store_open_readonly(f->path, &f->store, &err), 0);
	f->store = store_free(f->store);
	assert_int_equal(mount(NULL, f->path, NULL, MS_REMOUNT, NULL), 0);
	remove_tree(fixture_at(f, ".projfs"));
	assert_int_equal(mount(NULL, f->path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(store_mark_root(f->path, &mark, false, &err), -EROFS);
	assert_non_null(strstr(err.text, "read-only"));
}

static void disk_without_attributes_is_refused_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	need_disk(f, "ramfs", 0);
	assert_int_equal(store_mark_root(f->path, &mark, false, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "attributes"));
	assert_int_equal(access(fixture_at(f, ".projfs"), F_OK), -1);
}

static void other_mounts_below_the_root_are_not_entered(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	struct stage *stage;
	struct store_usage usage;

	need_disk(f, "tmpfs", 0);
	mark_and_open(f);
	assert_int_equal(mkdir(fixture_at(f, "mnt"), 0755), 0);
	assert_int_equal(mount("none", fixture_at(f, "mnt"), "tmpfs", 0, "size=1m"), 0);
	assert_int_equal(store_lookup(f->store, "mnt/x", &item), -EXDEV);
	assert_int_equal(store_stage_new(f->store, "mnt/x", &stage), -EXDEV);
	assert_int_equal(store_usage(f->store, 10000, &usage), 0);
	assert_int_equal(umount2(fixture_at(f, "mnt"), MNT_DETACH), 0);
}

static void private_folder_of_somebody_else_is_refused_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;

	if (geteuid() != 0)
		skip();
	mark_and_open(f);
	f->store = store_free(f->store);
	assert_int_equal(chmod(f->path, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), -EACCES);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(err.text, "belongs to"));
}

int main(void)
{
#define DISK(t) cmocka_unit_test_setup_teardown(t, fixture_setup_bare, unmount)
	const struct CMUnitTest tests[] = {
	        DISK(full_disk_shows_nothing_half_written),
	        DISK(marking_a_full_disk_leaves_nothing_behind),
	        DISK(readonly_disk_is_refused_with_a_reason),
	        DISK(disk_without_attributes_is_refused_with_a_reason),
	        DISK(other_mounts_below_the_root_are_not_entered),
	        DISK(private_folder_of_somebody_else_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
