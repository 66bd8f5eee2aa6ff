/* SPDX-License-Identifier: MIT */
/* Mode, owner, times and attributes that a user sets: what the provider says of them no longer counts. */

#include "changes.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ROOT CORE_ROOT_ID

static const struct core_setattr change = {
        .fields = CORE_CHANGE_MODE | CORE_CHANGE_MTIME | CORE_CHANGE_ATIME,
        .mode = 0705,
        .mtime = {1234567890, 123456789},
        .atime = {1111111111, 5},
};

static void check_changed(struct fake *f, const char *path, uint32_t type)
{
	struct core_attr attr = find(f, path).attr;

	assert_int_equal(attr.mode, type | 0705);
	assert_int_equal(attr.mtime.tv_sec, change.mtime.tv_sec);
	assert_int_equal(attr.mtime.tv_nsec, change.mtime.tv_nsec);
	assert_int_equal(attr.atime.tv_sec, change.atime.tv_sec);
}

static void a_placeholder_stays_one_and_is_dirty(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(set_attr(f, id, &change), 0);
	assert_state(f, "a", 5);
	check_changed(f, "a", S_IFREG);
	fake_restart(f);
	check_changed(f, "a", S_IFREG);
	assert_state(f, "a", 5);
	/* Its content comes, and it still looks so. */
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	check_changed(f, "a", S_IFREG);
	assert_state(f, "a", 7);
	fake_restart(f);
	check_changed(f, "a", S_IFREG);
	assert_state(f, "a", 7);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void a_hydrated_file_stays_one_and_is_dirty(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(set_attr(f, id, &change), 0);
	assert_state(f, "a", 7);
	check_changed(f, "a", S_IFREG);
	fake_restart(f);
	check_changed(f, "a", S_IFREG);
	assert_state(f, "a", 7);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
}

static void a_directory_keeps_its_times_while_it_is_hydrated_in(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5000);
	assert_int_equal(set_attr(f, find(f, "d").node_id, &change), 0);
	check_changed(f, "d", S_IFDIR);
	assert_int_equal(hydrate_node(f, find(f, "d/a").node_id), 0);
	check_changed(f, "d", S_IFDIR);
	assert_state(f, "d", 5);
	fake_restart(f);
	check_changed(f, "d", S_IFDIR);
	assert_names(f, find(f, "d").node_id, "a");
}

static void ones_own_items_change_on_disk(void **state)
{
	struct fake *f = *state;

	make_text(f, ROOT, "n", "n");
	assert_int_equal(make_dir(f, ROOT, "d", NULL), 0);
	assert_int_equal(set_attr(f, find(f, "n").node_id, &change), 0);
	assert_int_equal(set_attr(f, find(f, "d").node_id, &change), 0);
	for (int i = 0; i < 2; i++) {
		check_changed(f, "n", S_IFREG);
		check_changed(f, "d", S_IFDIR);
		assert_state(f, "n", 8);
		if (!i)
			fake_restart(f);
	}
}

static void a_file_and_a_directory_can_lock_everybody_out(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "a", RECORD_FILE, 500);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	assert_int_equal(change_mode(f, find(f, "a").node_id, 0), 0);
	assert_int_equal(change_mode(f, find(f, "d").node_id, 0), 0);
	assert_int_equal(make_dir(f, ROOT, "own", NULL), 0);
	make_text(f, find(f, "own").node_id, "n", "n");
	assert_int_equal(change_mode(f, find(f, "own").node_id, 0), 0);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(find(f, "a").attr.mode, S_IFREG);
		assert_int_equal(find(f, "d").attr.mode, S_IFDIR);
		assert_int_equal(find(f, "own").attr.mode, S_IFDIR);
		assert_text(f, find(f, "own/n").node_id, "n");
		if (!i)
			fake_restart(f);
	}
	/* What is below is still the business of who may. */
	dir = find(f, "d").node_id;
	make_text(f, dir, "n", "n");
	assert_int_equal(find(f, "d").attr.mode, S_IFDIR);
}

static void the_super_user_gives_items_away(void **state)
{
	struct fake *f = *state;
	const struct core_setattr give = {
	        .fields = CORE_CHANGE_UID | CORE_CHANGE_GID, .uid = 1234, .gid = 4321};

	if (geteuid() != 0)
		skip();
	f->config.may_chown = true;
	fake_restart(f);
	fake_add(f, "placeholder", RECORD_FILE, 50);
	fake_add(f, "hydrated", RECORD_FILE, 50);
	fake_add(f, "dir", RECORD_DIRECTORY, 0);
	fake_add(f, "link", RECORD_SYMLINK, 0)->target = "dir";
	make_text(f, ROOT, "own", "n");
	assert_int_equal(hydrate_node(f, find(f, "hydrated").node_id), 0);
	for (int i = 0; i < 2; i++) {
		static const char *const names[] = {"placeholder", "hydrated", "dir", "link",
		                                    "own"};

		for (int j = 0; j < 5; j++) {
			if (!i)
				assert_int_equal(set_attr(f, find(f, names[j]).node_id, &give), 0);
			assert_int_equal(find(f, names[j]).attr.uid, 1234);
			assert_int_equal(find(f, names[j]).attr.gid, 4321);
		}
		if (!i)
			fake_restart(f);
	}
}

static void one_id_alone_leaves_the_other(void **state)
{
	struct fake *f = *state;
	struct core_attr attr;

	if (geteuid() != 0)
		skip();
	fake_add(f, "a", RECORD_FILE, 50);
	assert_int_equal(set_attr(f, find(f, "a").node_id,
	                          &(struct core_setattr){.fields = CORE_CHANGE_GID, .gid = 77}),
	                 0);
	attr = find(f, "a").attr;
	assert_int_equal(attr.gid, 77);
	assert_int_equal(attr.uid, f->config.owner_uid);
}

static void the_provider_does_not_undo_a_dirty_placeholder(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);

	assert_int_equal(set_attr(f, find(f, "a").node_id, &change), 0);
	item->mtime = 1500000000;
	item->version = "v2";
	f->config.revalidate = true;
	fake_restart(f);
	check_changed(f, "a", S_IFREG);
	assert_state(f, "a", 5);
}

static void changing_an_unknown_item_asks_first(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	fake_find(f, "a")->gone = true;
	f->config.placeholder_timeout_ms = 0;
	fake_restart(f);
	assert_int_equal(set_attr(f, id, &change), -ESTALE);
	assert_missing(f, "a");
}

/* ---- extended attributes --------------------------------------------------------------------- */

static void assert_xattr(struct fake *f, const char *path, const char *name, const char *value)
{
	char *is = xattr_of(f, find(f, path).node_id, name);

	if (!value)
		assert_null(is);
	else if (!is || strcmp(is, value) != 0)
		fail_msg("%s of \"%s\" is %s, not %s", name, path, is ? is : "missing", value);
	free(is);
}

static void check_xattrs(struct fake *f, const char *path)
{
	uint64_t id = find(f, path).node_id;

	assert_xattr(f, path, "user.a", NULL);
	assert_int_equal(set_xattr(f, id, "user.a", "1", XATTR_REPLACE), -ENODATA);
	assert_int_equal(set_xattr(f, id, "user.a", "1", 0), 0);
	assert_int_equal(set_xattr(f, id, "user.a", "2", XATTR_CREATE), -EEXIST);
	assert_int_equal(set_xattr(f, id, "user.a", "3", XATTR_REPLACE), 0);
	assert_int_equal(set_xattr(f, id, "user.b", "", XATTR_CREATE), 0);
	assert_int_equal(remove_xattr(f, id, "user.c"), -ENODATA);
	assert_xattr(f, path, "user.a", "3");
	fake_restart(f);
	id = find(f, path).node_id;
	assert_xattr(f, path, "user.a", "3");
	assert_xattr(f, path, "user.b", "");
	assert_int_equal(remove_xattr(f, id, "user.a"), 0);
	assert_int_equal(remove_xattr(f, id, "user.a"), -ENODATA);
	assert_xattr(f, path, "user.a", NULL);
	/* Ours are nobody's business. */
	assert_int_equal(set_xattr(f, id, RECORD_XATTR, "x", 0), -EPERM);
	assert_xattr(f, path, RECORD_XATTR, NULL);
	fake_restart(f);
	assert_xattr(f, path, "user.a", NULL);
	assert_xattr(f, path, "user.b", "");
}

static void attributes_of_a_placeholder_go_into_its_marker(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);

	check_xattrs(f, "a");
	assert_state(f, "a", 5);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	assert_xattr(f, "a", "user.b", "");
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
}

static void attributes_of_a_hydrated_file_are_on_disk(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);

	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	check_xattrs(f, "a");
	assert_state(f, "a", 7);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 9000), 5000);
}

static void attributes_of_directories_and_ones_own_files(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	make_text(f, ROOT, "n", "n");
	check_xattrs(f, "d");
	check_xattrs(f, "n");
	assert_state(f, "d", 5);
	assert_state(f, "n", 8);
}

static void attributes_survive_that_a_file_becomes_full(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	assert_int_equal(set_xattr(f, id, "user.a", "1", 0), 0);
	assert_int_equal(write_text(f, id, 0, "mine"), 0);
	assert_xattr(f, "a", "user.a", "1");
	fake_restart(f);
	assert_xattr(f, "a", "user.a", "1");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_placeholder_stays_one_and_is_dirty),
	        T(a_hydrated_file_stays_one_and_is_dirty),
	        T(a_directory_keeps_its_times_while_it_is_hydrated_in),
	        T(ones_own_items_change_on_disk),
	        T(a_file_and_a_directory_can_lock_everybody_out),
	        T(the_super_user_gives_items_away),
	        T(one_id_alone_leaves_the_other),
	        T(the_provider_does_not_undo_a_dirty_placeholder),
	        T(changing_an_unknown_item_asks_first),
	        T(attributes_of_a_placeholder_go_into_its_marker),
	        T(attributes_of_a_hydrated_file_are_on_disk),
	        T(attributes_of_directories_and_ones_own_files),
	        T(attributes_survive_that_a_file_becomes_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
