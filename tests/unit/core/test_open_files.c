/* SPDX-License-Identifier: MIT */
/* Files that are removed while somebody uses them: he goes on, whatever state they were in. */

#include "changes.h"

#include <stdio.h>
#include <sys/resource.h>

#include "core/content.h"

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
