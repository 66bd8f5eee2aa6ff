/* SPDX-License-Identifier: MIT */
/* The provider's version changes: while content comes, between look-ups, while nothing runs. */

#include "fake.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void start_read(struct fake *f, struct request *r, uint64_t id, uint64_t offset, size_t size)
{
	request_init(f, r, WANT_DATA);
	core_read(f->core, &r->req, id, 0, offset, size);
}

static struct fake_item *new_version(struct fake_item *item, const char *version)
{
	item->version = version;
	item->seed++;
	item->mtime++;
	return item;
}

static unsigned n_busy, n_asked;

/* Says n_busy times that the version has gone, with a new one each time. */
static int change_under_way(struct fake *f, const struct fake_call *call)
{
	static const char *const versions[] = {"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"};

	if (call->kind != COMMAND_DATA || n_asked >= n_busy)
		return fake_answer(f, call);
	(void)fake_deliver(f, call, call->offset, call->length / 2 - 5000);
	new_version(fake_find(f, call->path), versions[n_asked++ % 8]);
	return -EBUSY;
}

static void a_version_that_changes_before_anything_was_seen_starts_over(void **state)
{
	static const uint64_t sizes[] = {100000, 3 * MIB};
	struct fake *f = *state;

	f->hook = change_under_way;
	n_busy = 3;
	for (int i = 0; i < 2; i++) {
		char name[8] = {(char)('a' + i)};
		struct fake_item *item = fake_add(f, name, RECORD_FILE, sizes[i]);
		uint64_t id = find(f, name).node_id;

		n_asked = 0;
		/* The whole of what is asked for, so that half of it is not enough. */
		assert_int_equal(read_check(f, id, item, 0, 3 * MIB), sizes[i]);
		assert_int_equal(n_asked, 3);
	}
}

static void a_version_that_changes_all_the_time_is_given_up(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 100000);
	uint64_t id = find(f, "a").node_id;

	f->hook = change_under_way;
	n_busy = 100;
	n_asked = 0;
	assert_int_equal(read_check(f, id, item, 0, 100000), -EIO);
	assert_int_equal(n_asked, 4);
	n_busy = 0;
	assert_int_equal(read_check(f, id, item, 0, 100000), 100000);
}

static void what_was_seen_of_an_old_version_stays_readable_and_the_rest_fails(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 8 * MIB), old;
	struct core_entry before = find(f, "a"), after;
	struct request one, two;
	struct fake_call calls[2];

	assert_int_equal(read_check(f, before.node_id, item, 0, 4096), 4096);
	old = *item;
	f->pend = KIND(DATA);
	start_read(f, &one, before.node_id, 4 * MIB, 10);
	start_read(f, &two, before.node_id, 7 * MIB, 10);
	calls[0] = fake_wait_call(f, COMMAND_DATA, 1);
	calls[1] = fake_wait_call(f, COMMAND_DATA, 2);
	new_version(item, "v2");
	assert_int_equal(fake_complete(f, &calls[0], -EBUSY), 0);
	assert_int_equal(request_wait(&one), -EIO);
	assert_false(request_is_done(&two));
	assert_int_equal(fake_complete(f, &calls[1], -EBUSY), 0);
	assert_int_equal(request_wait(&two), -EIO);
	f->pend = 0;
	assert_string_equal(f->expired, "a");
	assert_int_equal(read_check(f, before.node_id, &old, 0, 4096), 4096);
	assert_int_equal(read_check(f, before.node_id, &old, 4 * MIB, 10), -EIO);
	after = find(f, "a");
	assert_true(after.node_id != before.node_id);
	assert_int_equal(after.attr.ino, before.attr.ino);
	assert_int_equal(read_check(f, after.node_id, item, 0, 4096), 4096);
	assert_int_equal(hydrate_node(f, after.node_id), 0);
	assert_int_equal(hydrate_node(f, before.node_id), -ESTALE);
	assert_int_equal(read_check(f, before.node_id, &old, 0, 4096), 4096);
	request_deinit(&one);
	request_deinit(&two);
}

static void a_new_version_of_a_file_in_use_gets_a_new_node(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 8 * MIB), old;
	struct core_entry before, after;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	before = find(f, "a");
	assert_int_equal(read_check(f, before.node_id, item, 0, 4096), 4096);
	old = *item;
	new_version(item, "v2");
	f->n_kept = 1; /* the replacement */
	do
		after = find(f, "a");
	while (after.node_id == before.node_id);
	assert_int_equal(after.attr.ino, before.attr.ino);
	assert_int_equal(read_check(f, before.node_id, &old, 0, 4096), 4096);
	assert_int_equal(read_check(f, after.node_id, item, 0, 4096), 4096);
}

/* Nothing says that the version changed, so it did not, however often it is asked for. */
static void an_item_without_version_and_time_stays_the_same(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 8 * MIB);
	struct core_entry before;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	item->version = NULL;
	item->mtime = 0;
	before = find(f, "a");
	assert_int_equal(read_check(f, before.node_id, item, 0, 4096), 4096);
	while (fake_count(f, COMMAND_PLACEHOLDER) < 3)
		assert_int_equal(find(f, "a").node_id, before.node_id);
	assert_int_equal(read_check(f, before.node_id, item, 0, 4096), 4096);
	assert_int_equal(fake_count(f, COMMAND_DATA), 1);
}

static void start_revalidating(struct fake *f)
{
	f->config.revalidate = true;
	fake_restart(f);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 100);
	fake_add(f, "d/b", RECORD_FILE, 200);
	assert_int_equal(hydrate_node(f, find(f, "d/a").node_id), 0);
	assert_int_equal(hydrate_node(f, find(f, "d/b").node_id), 0);
}

static void an_unchanged_copy_is_kept_after_a_restart(void **state)
{
	struct fake *f = *state;

	start_revalidating(f);
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "d/a").node_id, fake_find(f, "d/a"), 0, 100), 100);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 2);
	find(f, "d/a");
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 2);
	assert_int_equal(STAT(f, refreshed), 0);
}

static void a_changed_copy_is_dropped_after_a_restart(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;
	struct core_entry entry;

	start_revalidating(f);
	item = new_version(fake_find(f, "d/a"), "v2");
	item->size = 150;
	fake_restart(f);
	entry = find(f, "d/a");
	assert_int_equal(entry.attr.size, 150);
	assert_int_equal(STAT(f, refreshed), 1);
	assert_int_equal(read_check(f, entry.node_id, item, 0, 1000), 150);
	/* And one whose new size is told by its content. */
	item = new_version(fake_find(f, "d/b"), "v2");
	item->size_unknown = true;
	item->size = 77;
	entry = find(f, "d/b");
	assert_int_equal(entry.attr.size, 77);
	assert_int_equal(read_check(f, entry.node_id, item, 0, 1000), 77);
}

static void a_vanished_item_is_removed_after_a_restart(void **state)
{
	struct fake *f = *state;
	char *at = fake_at(f, "d/a"), *names;

	start_revalidating(f);
	fake_find(f, "d/a")->gone = true;
	fake_restart(f);
	names = names_of(f, find(f, "d").node_id);
	assert_string_equal(names, "b");
	free(names);
	assert_int_equal(lookup(f, find(f, "d").node_id, "a", NULL), -ENOENT);
	assert_int_equal(access(at, F_OK), -1);
	free(at);
}

static void without_revalidation_a_vanished_item_stays(void **state)
{
	struct fake *f = *state;

	start_revalidating(f);
	f->config.revalidate = false;
	fake_find(f, "d/a")->gone = true;
	fake_restart(f);
	assert_int_equal(find(f, "d/a").attr.size, 100);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void what_was_edited_while_nothing_ran_is_the_users(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	start_revalidating(f);
	new_version(fake_find(f, "d/a"), "v2");
	fake_stop(f);
	fake_put_file(f, "d/a", "edited");
	fake_restart(f);
	assert_int_equal(find(f, "d/a").attr.size, 6);
	assert_int_equal(state_of(f, "d/a", 0, &info), 0);
	assert_int_equal(info.state, 8);
	fake_find(f, "d/a")->gone = true;
	assert_int_equal(find(f, "d/a").attr.size, 6);
}

/* Its directory leaves the view while the content is under way: it must not come back by that. */
static void content_of_a_file_in_a_vanished_directory_gets_no_name(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;
	uint64_t id;
	char *at = fake_at(f, "d");

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 100);
	id = find(f, "d/a").node_id;
	f->pend = KIND(DATA);
	start_read(f, &r, id, 0, 10);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	fake_find(f, "d")->gone = true;
	while (lookup(f, CORE_ROOT_ID, "d", NULL) == 0)
		;
	assert_int_equal(fake_deliver(f, &call, 0, 100), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(access(at, F_OK), -1);
	assert_int_equal(read_check(f, id, fake_find(f, "d/a"), 0, 100), 100);
	assert_int_equal(hydrate_node(f, id), -ESTALE);
	request_deinit(&r);
	free(at);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_version_that_changes_before_anything_was_seen_starts_over),
	        T(a_version_that_changes_all_the_time_is_given_up),
	        T(what_was_seen_of_an_old_version_stays_readable_and_the_rest_fails),
	        T(a_new_version_of_a_file_in_use_gets_a_new_node),
	        T(an_item_without_version_and_time_stays_the_same),
	        T(an_unchanged_copy_is_kept_after_a_restart),
	        T(a_changed_copy_is_dropped_after_a_restart),
	        T(a_vanished_item_is_removed_after_a_restart),
	        T(without_revalidation_a_vanished_item_stays),
	        T(what_was_edited_while_nothing_ran_is_the_users),
	        T(content_of_a_file_in_a_vanished_directory_gets_no_name),
	};

	return cmocka_run_group_tests_name("core: versions", tests, NULL, NULL);
}
