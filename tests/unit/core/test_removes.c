/* SPDX-License-Identifier: MIT */
/* Removed names: what leaves a tombstone, who must be asked, and what those see who have the file open. */

#include "changes.h"

#include <stdio.h>
#include <sys/resource.h>

#include "core/content.h"

static void use_stable_view(struct fake *f)
{
	f->config.stable_view = true;
	fake_restart(f);
}

/* It is hidden by a tombstone now and after a restart, and the provider was not asked. */
static void check_tombstone(struct fake *f, const char *path, size_t asked)
{
	expect_asked(f, COMMAND_PLACEHOLDER, path, asked);
	assert_missing(f, path);
	assert_state(f, path, 0x10);
	fake_restart(f);
	assert_missing(f, path);
	assert_state(f, path, 0x10);
	expect_asked(f, COMMAND_PLACEHOLDER, path, 0);
}

static void a_virtual_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t handle;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5);
	handle = open_dir(f, find(f, "d").node_id);
	assert_int_equal(read_dir(f, find(f, "d").node_id, handle, 0, 0, true, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, find(f, "d").node_id, handle);
	assert_state(f, "d/a", 0);
	assert_int_equal(remove_file(f, find(f, "d").node_id, "a"), 0);
	check_tombstone(f, "d/a", 0);
	assert_names(f, find(f, "d").node_id, "");
}

static void a_placeholder_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_dirty_placeholder_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(change_mode(f, find(f, "a").node_id, 0600), 0);
	fake_restart(f);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 0);
}

static void a_hydrated_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	fake_restart(f);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 0);
}

static void a_converted_file_leaves_a_tombstone_unasked(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_full_file_of_an_earlier_instance_is_asked_about(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	fake_restart(f);
	find(f, "a");
	expect_asked(f, COMMAND_PLACEHOLDER, "a", 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	check_tombstone(f, "a", 1);
}

static void a_new_file_leaves_nothing_unasked(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 0);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void a_new_file_of_an_earlier_instance_is_asked_about(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void a_name_that_the_provider_has_got_meanwhile_stays_hidden(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_tombstone(f, "n", 1);
}

static void a_renamed_file_is_asked_about_by_its_new_name(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "c", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "b", 1);
	assert_int_equal(restore(f, "b"), -ENOENT);
	assert_state(f, "a", 0x10);
	/* And one that lies over another. */
	assert_int_equal(restore(f, "a"), 0);
	find(f, "a");
	find(f, "c");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "c", 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "c"), 0);
	assert_state(f, "c", 0x10);
	assert_state(f, "a", 0x10);
}

static void in_a_renamed_directory_the_question_is_by_the_original_path(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/x", RECORD_FILE, 5);
	dir = find(f, "d").node_id;
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	make_text(f, dir, "n", "n");
	fake_restart(f);
	dir = find(f, "e").node_id;
	find(f, "e/n");
	assert_int_equal(remove_file(f, dir, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "e/n", 0);
	assert_int_equal(restore(f, "e/n"), -ENOENT);
	find(f, "e/x");
	assert_int_equal(remove_file(f, dir, "x"), 0);
	assert_state(f, "e/x", 0x10);
}

static void in_a_directory_of_the_users_own_nobody_is_asked(void **state)
{
	struct fake *f = *state;
	struct core_entry dir;

	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", &dir), 0);
	make_text(f, dir.node_id, "n", "n");
	fake_restart(f);
	dir = find(f, "d");
	find(f, "d/n");
	assert_int_equal(remove_file(f, dir.node_id, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 0);
	assert_int_equal(restore(f, "d/n"), -ENOENT);
}

static void a_provider_that_fails_counts_as_one_that_has_it(void **state)
{
	struct fake *f = *state;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->error[COMMAND_PLACEHOLDER] = -EIO;
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	f->error[COMMAND_PLACEHOLDER] = 0;
	assert_state(f, "n", 0x10);
}

static void a_provider_that_hangs_makes_the_removal_time_out(void **state)
{
	struct fake *f = *state;
	struct fake_call call;

	make_text(f, CORE_ROOT_ID, "n", "n");
	f->config.lookup_timeout_ms = 50;
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), -ETIMEDOUT);
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	fake_wait_cancelled(f, call.id);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "n");
	assert_names(f, CORE_ROOT_ID, "n");
	assert_int_equal(fake_complete(f, &call, 0), 0); /* late */
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void while_a_removal_waits_others_go_on(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_NOTHING);
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "n", false);
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_string_equal(call.path, "n");
	assert_false(request_is_done(&r));
	assert_text(f, find(f, "n").node_id, "n");
	make_text(f, CORE_ROOT_ID, "m", "m");
	assert_int_equal(move(f, CORE_ROOT_ID, "m", CORE_ROOT_ID, "o", RENAME_NOREPLACE), 0);
	assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	f->pend = 0;
	assert_missing(f, "n");
	assert_names(f, CORE_ROOT_ID, "o");
}

static void a_removal_that_waits_can_be_interrupted(void **state)
{
	struct fake *f = *state;
	struct request r;

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_NOTHING);
	r.req.unique = 77;
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "n", false);
	fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	core_interrupt(f->core, 77);
	assert_int_equal(request_wait(&r), -EINTR);
	request_deinit(&r);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "n");
}

/* Two removals of one name: the second finds nothing, and no tombstone too many is made. */
static void of_two_removals_that_wait_one_finds_nothing(void **state)
{
	struct fake *f = *state;
	struct request r[2];

	make_text(f, CORE_ROOT_ID, "n", "n");
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	for (int i = 0; i < 2; i++) {
		request_init(f, &r[i], WANT_NOTHING);
		core_unlink(f->core, &r[i].req, CORE_ROOT_ID, "n", false);
	}
	for (size_t i = 0; i < 2; i++) {
		struct fake_call call = fake_wait_call(f, COMMAND_PLACEHOLDER, i);

		assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	}
	assert_int_equal(request_wait(&r[0]), 0);
	assert_int_equal(request_wait(&r[1]), -ENOENT);
	f->pend = 0;
	assert_int_equal(restore(f, "n"), -ENOENT);
}

static void wrong_kinds_and_missing_names_are_refused(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "a");
	find(f, "d");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "a"), -ENOTDIR);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "d"), -EISDIR);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "none"), -ENOENT);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "none"), -ENOENT);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, ".projfs"), -EPERM);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, ".projfs"), -EPERM);
	assert_int_equal(remove_file(f, find(f, "a").node_id, "x"), -ENOTDIR);
	assert_names(f, CORE_ROOT_ID, "a d");
}

/* ---- directories ----------------------------------------------------------------------------- */

static void check_directory(struct fake *f)
{
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5);
	fake_add(f, "d/b", RECORD_FILE, 5);
	dir = find(f, "d").node_id;
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	expect_asked(f, COMMAND_START_ENUM, "d", 1);
	find(f, "d/a");
	find(f, "d/b");
	assert_int_equal(remove_file(f, dir, "a"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(move(f, dir, "b", CORE_ROOT_ID, "b", 0), 0);
	make_text(f, dir, "n", "n");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(f, dir, "n"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_missing(f, "d");
	assert_names(f, CORE_ROOT_ID, "b");
	/* Whoever has it open sees an empty directory in which nothing can be made. */
	assert_names(f, dir, "");
	assert_int_equal(make_file(f, dir, "x", NULL), -ENOENT);
	fake_restart(f);
	assert_missing(f, "d");
	assert_state(f, "d", 0x10);
	assert_names(f, CORE_ROOT_ID, "b");
	assert_int_equal(read_check(f, find(f, "b").node_id, fake_find(f, "d/b"), 0, 100), 5);
}

static void a_directory_that_looks_empty_can_be_removed_from_a_live_view(void **state)
{
	check_directory(*state);
}

static void a_directory_that_looks_empty_can_be_removed_from_a_stable_view(void **state)
{
	use_stable_view(*state);
	check_directory(*state);
	expect_asked(*state, COMMAND_START_ENUM, "d", 0);
}

static void an_empty_virtual_directory_leaves_a_tombstone(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "d");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	check_tombstone(f, "d", 1);
}

static void a_directory_whose_listing_fails_stays(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "d");
	f->error[COMMAND_GET_ENUM] = -EIO;
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -EIO);
	f->error[COMMAND_GET_ENUM] = 0;
	assert_state(f, "d", 1);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
}

static void ones_own_directory_goes_without_questions(void **state)
{
	struct fake *f = *state;
	struct core_entry dir;

	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", &dir), 0);
	make_text(f, dir.node_id, "n", "n");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(f, dir.node_id, "n"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM) + fake_count(f, COMMAND_PLACEHOLDER), 0);
	assert_int_equal(restore(f, "d"), -ENOENT);
}

/* ---- open files ------------------------------------------------------------------------------ */

static void a_removed_file_that_is_open_is_still_readable_and_writable(void **state)
{
	struct fake *f = *state;
	struct core_attr attr;
	uint64_t id = make_text(f, CORE_ROOT_ID, "n", "text");

	assert_int_equal(open_node(f, id), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_text(f, id, "text");
	assert_int_equal(write_text(f, id, 4, " more"), 0);
	assert_text(f, id, "text more");
	assert_int_equal(cut(f, id, 4), 0);
	assert_int_equal(change_mode(f, id, 0600), 0);
	assert_int_equal(get_attr(f, id, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.size, 4);
	assert_int_equal(attr.mode & 07777, 0600);
	assert_int_equal(sync_node(f, id), 0);
	/* Its name is free for another. */
	assert_text(f, make_text(f, CORE_ROOT_ID, "n", "other"), "other");
	assert_text(f, id, "text");
}

static void a_removed_hydrated_file_can_be_read_and_becomes_the_users_when_written(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;
	struct core_attr attr;

	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(read_check(f, id, item, 0, 10000), 5000);
	assert_int_equal(write_text(f, id, 5000, "x"), 0);
	assert_int_equal(get_attr(f, id, &attr), 0);
	assert_int_equal(attr.size, 5001);
	assert_int_equal(attr.nlink, 0);
	assert_state(f, "a", 0x10);
}

static void check_unhydrated(struct fake *f, uint64_t size)
{
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, size);
	uint64_t id = find(f, "a").node_id;
	struct core_attr attr;

	assert_int_equal(open_node(f, id), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(get_attr(f, id, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.size, size);
	assert_int_equal(read_check(f, id, item, 0, 4096), 4096);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(read_check(f, id, item, size - 10, 4096), 10);
	assert_int_equal(get_attr(f, id, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.mtime.tv_sec, 1000000000);
	assert_int_equal(write_text(f, id, size, "x"), 0);
	assert_int_equal(get_attr(f, id, &attr), 0);
	assert_int_equal(attr.size, size + 1);
	assert_missing(f, "a");
	assert_names(f, CORE_ROOT_ID, "");
	expect_asked(f, COMMAND_PLACEHOLDER, "a", 1);
	fake_restart(f);
	assert_missing(f, "a");
}

static void a_removed_placeholder_hydrates_without_a_name(void **state)
{
	check_unhydrated(*state, 5000);
}

static void a_removed_large_placeholder_hydrates_without_a_name(void **state)
{
	check_unhydrated(*state, 5 * MIB + 100);
}

static void a_removed_placeholder_can_be_written(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(write_text(f, id, 5000, "x"), 0);
	assert_int_equal(read_check(f, id, item, 0, 5000), 5000);
	assert_state(f, "a", 0x10);
}

static void a_removed_placeholder_can_be_cut(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 5000);
	id = find(f, "a").node_id;
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(cut(f, id, 0), 0);
	assert_text(f, id, "");
	assert_state(f, "a", 0x10);
}

static void a_file_removed_while_its_content_comes_is_answered(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;
	struct fake_call call;
	struct request r;

	f->pend = KIND(DATA);
	request_init(f, &r, WANT_DATA);
	core_read(f->core, &r.req, id, 0, 0, 5000);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(fake_deliver(f, &call, 0, 5000), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.length, 5000);
	request_deinit(&r);
	f->pend = 0;
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(read_check(f, id, item, 0, 5000), 5000);
	assert_missing(f, "a");
}

/* Both use what arrived of the same content of the same item, and one has no name. */
static void a_removed_large_file_and_the_restored_one_do_not_disturb_each_other(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 6 * MIB);
	uint64_t id = find(f, "a").node_id, again;

	assert_int_equal(read_check(f, id, item, 0, 4096), 4096);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(restore(f, "a"), 0);
	again = find(f, "a").node_id;
	assert_int_not_equal(again, id);
	assert_int_equal(read_check(f, again, item, 3 * MIB, 4096), 4096);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(read_check(f, id, item, 5 * MIB, 4096), 4096);
	assert_int_equal(hydrate_node(f, again), 0);
	assert_state(f, "a", 3);
	for (uint64_t at = 0; at < item->size; at += 65536)
		assert_int_equal(read_check(f, again, item, at, 65536), 65536);
	fake_restart(f);
	again = find(f, "a").node_id;
	for (uint64_t at = 0; at < item->size; at += 65536)
		assert_int_equal(read_check(f, again, item, at, 65536), 65536);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

/* Beyond so many their content has a name in .projfs. */
static void more_removed_open_files_than_descriptors_stay_readable(void **state)
{
	enum { N = CONTENT_PINNED_MAX + 40 };
	struct fake *f = *state;
	struct rlimit limit;
	uint64_t *ids;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < CONTENT_PINNED_MAX + CONTENT_MAX + 200)
		skip();
	ids = calloc(N, sizeof(*ids));
	for (int i = 0; i < N; i++) {
		char name[20];

		(void)snprintf(name, sizeof(name), "%d", i);
		ids[i] = make_text(f, CORE_ROOT_ID, name, name);
		assert_int_equal(remove_file(f, CORE_ROOT_ID, name), 0);
	}
	assert_names(f, CORE_ROOT_ID, "");
	for (int i = 0; i < N; i++) {
		char name[20];
		struct core_attr attr;

		(void)snprintf(name, sizeof(name), "%d", i);
		assert_text(f, ids[i], name);
		if (i < CONTENT_PINNED_MAX)
			continue;
		assert_int_equal(write_text(f, ids[i], strlen(name), "!"), 0);
		strcat(name, "!");
		assert_text(f, ids[i], name);
		assert_int_equal(get_attr(f, ids[i], &attr), 0);
		assert_int_equal(attr.size, strlen(name));
		assert_int_equal(attr.nlink, 0);
		assert_int_equal(change_mode(f, ids[i], 0600), 0);
		assert_int_equal(sync_node(f, ids[i]), 0);
	}
	/* Forgetting one makes room; the files leave nothing behind. */
	for (int i = 0; i < N; i++)
		forget_all(f, ids[i]);
	free(ids);
	fake_restart(f);
	assert_names(f, CORE_ROOT_ID, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_virtual_file_leaves_a_tombstone_unasked),
	        T(a_placeholder_leaves_a_tombstone_unasked),
	        T(a_dirty_placeholder_leaves_a_tombstone_unasked),
	        T(a_hydrated_file_leaves_a_tombstone_unasked),
	        T(a_converted_file_leaves_a_tombstone_unasked),
	        T(a_full_file_of_an_earlier_instance_is_asked_about),
	        T(a_new_file_leaves_nothing_unasked),
	        T(a_new_file_of_an_earlier_instance_is_asked_about),
	        T(a_name_that_the_provider_has_got_meanwhile_stays_hidden),
	        T(a_renamed_file_is_asked_about_by_its_new_name),
	        T(in_a_renamed_directory_the_question_is_by_the_original_path),
	        T(in_a_directory_of_the_users_own_nobody_is_asked),
	        T(a_provider_that_fails_counts_as_one_that_has_it),
	        T(a_provider_that_hangs_makes_the_removal_time_out),
	        T(while_a_removal_waits_others_go_on),
	        T(a_removal_that_waits_can_be_interrupted),
	        T(of_two_removals_that_wait_one_finds_nothing),
	        T(wrong_kinds_and_missing_names_are_refused),
	        T(a_directory_that_looks_empty_can_be_removed_from_a_live_view),
	        T(a_directory_that_looks_empty_can_be_removed_from_a_stable_view),
	        T(an_empty_virtual_directory_leaves_a_tombstone),
	        T(a_directory_whose_listing_fails_stays),
	        T(ones_own_directory_goes_without_questions),
	        T(a_removed_file_that_is_open_is_still_readable_and_writable),
	        T(a_removed_hydrated_file_can_be_read_and_becomes_the_users_when_written),
	        T(a_removed_placeholder_hydrates_without_a_name),
	        T(a_removed_large_placeholder_hydrates_without_a_name),
	        T(a_removed_placeholder_can_be_written),
	        T(a_removed_placeholder_can_be_cut),
	        T(a_file_removed_while_its_content_comes_is_answered),
	        T(a_removed_large_file_and_the_restored_one_do_not_disturb_each_other),
	        T(more_removed_open_files_than_descriptors_stay_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
