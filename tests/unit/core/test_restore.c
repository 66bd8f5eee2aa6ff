/* SPDX-License-Identifier: MIT */
/* Back to the provider's view; what is missing from it; and disks that refuse. */

#include "changes.h"

#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define ROOT CORE_ROOT_ID

static void a_changed_file_becomes_the_providers_again(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(write_text(f, id, 0, "mine"), 0);
	assert_int_equal(restore(f, "a"), 0);
	assert_string_equal(f->expired, "a");
	assert_int_not_equal(find(f, "a").node_id, id);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
	/* Who has it open keeps what he wrote. */
	assert_int_equal(write_text(f, id, 4, "!"), 0);
	assert_int_equal(cut(f, id, 5), 0);
	assert_text(f, id, "mine!");
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
}

static void a_deleted_name_comes_back(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);

	find(f, "a");
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_names(f, ROOT, "");
	assert_int_equal(restore(f, "a"), 0);
	assert_names(f, ROOT, "a");
	assert_state(f, "a", 0);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
}

static void ones_own_file_is_gone_afterwards(void **state)
{
	struct fake *f = *state;

	make_text(f, ROOT, "n", "n");
	assert_int_equal(restore(f, "n"), 0);
	assert_missing(f, "n");
	assert_names(f, ROOT, "");
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void a_tree_with_open_files_is_restored(void **state)
{
	struct fake *f = *state;
	struct fake_item *changed, *hydrated, *placeholder;
	uint64_t dir, ids[4], handle;
	struct request r;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	changed = fake_add(f, "d/e/changed", RECORD_FILE, 5000);
	hydrated = fake_add(f, "d/e/hydrated", RECORD_FILE, 5000);
	placeholder = fake_add(f, "d/e/placeholder", RECORD_FILE, 5000);
	fake_add(f, "d/gone", RECORD_FILE, 5000);
	dir = find(f, "d/e").node_id;
	ids[0] = find(f, "d/e/changed").node_id;
	ids[1] = find(f, "d/e/hydrated").node_id;
	ids[2] = find(f, "d/e/placeholder").node_id;
	ids[3] = make_text(f, dir, "own", "own");
	assert_int_equal(write_text(f, ids[0], 0, "mine"), 0);
	assert_int_equal(hydrate_node(f, ids[1]), 0);
	find(f, "d/gone");
	assert_int_equal(remove_file(f, find(f, "d").node_id, "gone"), 0);
	handle = open_dir(f, dir);
	assert_int_equal(restore(f, "d"), 0);

	assert_int_equal(read_check(f, ids[0], changed, 4, 9000), 4996);
	assert_int_equal(read_check(f, ids[1], hydrated, 0, 9000), 5000);
	assert_int_equal(read_check(f, ids[2], placeholder, 0, 9000), 5000);
	assert_text(f, ids[3], "own");
	assert_int_equal(make_file(f, dir, "late", NULL), -ENOENT);
	assert_int_equal(read_dir(f, dir, handle, 0, 0, false, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, dir, handle);

	assert_names(f, find(f, "d").node_id, "e gone");
	assert_names(f, find(f, "d/e").node_id, "changed hydrated placeholder");
	assert_state(f, "d/e/hydrated", 0);
	assert_int_equal(read_check(f, find(f, "d/e/changed").node_id, changed, 0, 9000), 5000);
	fake_restart(f);
	assert_names(f, find(f, "d").node_id, "e gone");
}

static void what_moved_in_is_dropped_and_its_old_place_stays_deleted(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5000);
	find(f, "a");
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	assert_int_equal(restore(f, "b"), 0);
	assert_names(f, ROOT, "");
	assert_int_equal(restore(f, "a"), 0);
	assert_names(f, ROOT, "a");
}

static void a_tombstone_in_a_stable_view_comes_back(void **state)
{
	struct fake *f = *state;

	f->config.stable_view = true;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 5000);
	find(f, "a");
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_names(f, ROOT, "");
	assert_int_equal(restore(f, "a"), 0);
	assert_names(f, ROOT, "a");
	assert_int_equal(find(f, "a").attr.size, 5000);
}

static void wrong_paths_are_refused(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_restore arg;
	struct request r;

	assert_int_equal(restore(f, ""), -EINVAL);
	assert_int_equal(restore(f, "../a"), -EINVAL);
	assert_int_equal(restore(f, "none"), -ENOENT);
	assert_int_equal(restore(f, ".projfs"), -EPERM);
	memset(&arg, 'x', sizeof(arg));
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, ROOT, CORE_IOCTL_RESTORE, &arg, sizeof(arg));
	assert_int_equal(request_wait(&r), -EINVAL);
	request_deinit(&r);
}

/* ---- tombstones ------------------------------------------------------------------------------ */

/* One page; the names are marked in @seen by their numbers. */
static size_t next_page(struct fake *f, struct core_ioctl_tombstones *arg, bool *seen)
{
	struct core_ioctl_tombstones page;
	struct request r;
	size_t n = 0;

	request_init(f, &r, WANT_BYTES);
	core_ioctl(f->core, &r.req, ROOT, CORE_IOCTL_TOMBSTONES, arg, sizeof(*arg));
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, sizeof(page));
	memcpy(&page, r.data, sizeof(page));
	request_deinit(&r);
	assert_true(page.n_bytes <= sizeof(page.names));
	for (uint32_t at = 0; at < page.n_bytes; at += (uint32_t)strlen(page.names + at) + 1) {
		int i = atoi(page.names + at);

		assert_false(seen[i]);
		seen[i] = true;
		n++;
	}
	arg->cookie = page.cookie;
	return n;
}

static void deleted_names_come_page_by_page(void **state)
{
	enum { N = 100 };
	struct fake *f = *state;
	struct core_ioctl_tombstones arg = {.path = "d"};
	bool seen[N] = {false};
	size_t n = 0, n_pages = 0;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	for (int i = 0; i < N; i++) {
		char path[256];
		int at = snprintf(path, sizeof(path), "d/%d", i);

		memset(path + at, '_', 200 - (size_t)at);
		path[200] = '\0';
		fake_add(f, path, RECORD_FILE, 5);
		find(f, path);
		assert_int_equal(remove_file(f, dir, path + 2), 0);
	}
	make_text(f, dir, "1000", "not deleted");
	assert_int_equal(make_symlink(f, dir, "1001", "neither", NULL), 0);
	do {
		n += next_page(f, &arg, seen);
		n_pages++;
	} while (arg.cookie);
	assert_int_equal(n, N);
	assert_true(n_pages > 2);
}

static void a_directory_that_is_not_on_disk_has_no_deleted_names(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_tombstones arg = {.path = "d"};
	bool seen[1];

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	assert_int_equal(next_page(f, &arg, seen), 0);
	assert_int_equal(arg.cookie, 0);
}

/* ---- disks that refuse ----------------------------------------------------------------------- */

static void a_read_only_store_refuses_every_change(void **state)
{
	struct fake *f = *state;
	uint64_t local, hydrated, placeholder;

	fake_add(f, "hydrated", RECORD_FILE, 50);
	fake_add(f, "placeholder", RECORD_FILE, 50);
	assert_int_equal(hydrate_node(f, find(f, "hydrated").node_id), 0);
	make_text(f, ROOT, "local", "text");
	f->read_only = true;
	fake_restart(f);
	local = find(f, "local").node_id;
	hydrated = find(f, "hydrated").node_id;
	placeholder = find(f, "placeholder").node_id;
	assert_int_equal(make_file(f, ROOT, "n", NULL), -EROFS);
	assert_int_equal(make_dir(f, ROOT, "n", NULL), -EROFS);
	assert_int_equal(make_symlink(f, ROOT, "n", "x", NULL), -EROFS);
	assert_int_equal(make_unnamed(f, ROOT, NULL), -EROFS);
	assert_int_equal(add_name(f, local, ROOT, "n"), -EROFS);
	for (const char *name = "local\0hydrated\0placeholder\0"; *name; name += strlen(name) + 1) {
		assert_int_equal(remove_file(f, ROOT, name), -EROFS);
		assert_int_equal(move(f, ROOT, name, ROOT, "n", 0), -EROFS);
		assert_int_equal(change_mode(f, find(f, name).node_id, 0600), -EROFS);
		assert_int_equal(set_xattr(f, find(f, name).node_id, "user.a", "b", 0), -EROFS);
	}
	assert_int_equal(write_text(f, hydrated, 0, "x"), -EROFS);
	assert_int_equal(write_text(f, placeholder, 0, "x"), -EROFS);
	assert_int_equal(cut(f, placeholder, 0), -EROFS);
	assert_int_equal(restore(f, "local"), -EROFS);
	assert_names(f, ROOT, "hydrated local placeholder");
	assert_text(f, local, "text");
	assert_state(f, "placeholder", 1);
	assert_state(f, "hydrated", 3);
	f->read_only = false;
	fake_restart(f);
	assert_names(f, ROOT, "hydrated local placeholder");
}

/* Fills the disk by means of one file of the user's. */
static void fill(struct fake *f)
{
	uint64_t id = make_text(f, ROOT, "filler", "x"), at = 1;
	char *text = malloc(65537);

	memset(text, 'x', 65536);
	text[65536] = '\0';
	while (strlen(text)) {
		if (write_text(f, id, at, text) == 0)
			at += strlen(text);
		else
			text[strlen(text) / 2] = '\0';
	}
	free(text);
}

static void check_full_disk(struct fake *f)
{
	struct fake_item *big = fake_add(f, "big", RECORD_FILE, 900000);
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 20000);
	uint64_t id = find(f, "big").node_id;
	int r;

	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	fill(f);
	assert_int_equal(write_text(f, id, 0, "mine"), -ENOSPC);
	assert_state(f, "big", 1);
	/* A file that is here can still be changed where it has blocks. */
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "mine"), 0);
	r = make_file(f, ROOT, "n", NULL);
	assert_true(r == 0 || r == -ENOSPC);
	assert_int_equal(remove_file(f, ROOT, "filler"), 0);
	forget_all(f, find(f, "a").node_id);
	fake_restart(f);
	id = find(f, "big").node_id;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 4, 30000), 19996);
	assert_int_equal(read_check(f, id, big, 800000, 4096), 4096);
	assert_int_equal(write_text(f, id, 0, "mine"), 0);
}

static void a_full_disk_leaves_things_as_they_were(void **state)
{
	char dir[] = "/tmp/projfs-full-XXXXXX", *former = getenv("TMPDIR");
	void *full = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "size=4m") < 0) {
		(void)rmdir(dir);
		skip();
	}
	former = former ? strdup(former) : NULL;
	(void)setenv("TMPDIR", dir, 1);
	/* A file system without user attributes cannot be a root. */
	if (fake_setup(&full) == 0) {
		check_full_disk(full);
		assert_int_equal(fake_teardown(&full), 0);
	}
	if (former)
		(void)setenv("TMPDIR", former, 1);
	else
		(void)unsetenv("TMPDIR");
	free(former);
	assert_int_equal(umount(dir), 0);
	(void)rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_changed_file_becomes_the_providers_again),
	        T(a_deleted_name_comes_back),
	        T(ones_own_file_is_gone_afterwards),
	        T(a_tree_with_open_files_is_restored),
	        T(what_moved_in_is_dropped_and_its_old_place_stays_deleted),
	        T(a_tombstone_in_a_stable_view_comes_back),
	        T(wrong_paths_are_refused),
	        T(deleted_names_come_page_by_page),
	        T(a_directory_that_is_not_on_disk_has_no_deleted_names),
	        T(a_read_only_store_refuses_every_change),
	        cmocka_unit_test(a_full_disk_leaves_things_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
