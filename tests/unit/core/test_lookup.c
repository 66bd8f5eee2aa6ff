/* SPDX-License-Identifier: MIT */
/* From a name to an entry: who is asked, how often, and what is kept. */

#include "fake.h"

#include <stdio.h>
#include <sys/stat.h>

#include "util/clock.h"

static void lookup_asks_the_provider_once(void **state)
{
	struct fake *f = *state;
	struct core_entry first, second;

	fake_add(f, "a", RECORD_FILE, 10);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "a", &first), 0);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "a", &second), 0);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 1);
	assert_int_equal(first.node_id, second.node_id);
	assert_int_equal(first.attr.size, 10);
	assert_int_equal(first.attr.mode, S_IFREG | 0644);
	assert_int_equal(first.attr.mtime.tv_sec, 1000000000);
	assert_true(first.attr.ino >> 63);
	assert_true(first.entry_valid_ms > 0 && first.entry_valid_ms <= 600000);
}

static void *look_up_many(void *arg)
{
	struct fake *f = arg;

	for (int i = 0; i < 20; i++) {
		struct core_entry entry;
		char name[16];

		(void)snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(lookup(f, CORE_ROOT_ID, name, &entry), 0);
		assert_int_equal(entry.attr.size, i);
		assert_true(entry.attr.ino >> 63);
	}
	return NULL;
}

static void eight_threads_share_one_question(void **state)
{
	struct fake *f = *state;
	pthread_t threads[8];
	char name[16];

	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "f%u", i);
		fake_add(f, name, RECORD_FILE, i);
	}
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, look_up_many, f);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 20);
}

static void an_absent_name_is_asked_each_time_in_a_live_view(void **state)
{
	struct fake *f = *state;

	assert_int_equal(lookup(f, CORE_ROOT_ID, "no", NULL), -ENOENT);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "no", NULL), -ENOENT);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 2);
}

static void an_absent_name_is_remembered_in_a_stable_view(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;

	f->config.stable_view = true;
	fake_restart(f);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "no", &entry), 0);
	assert_int_equal(entry.node_id, 0);
	assert_true(entry.entry_valid_ms == CORE_FOREVER);
}

static void impossible_names_are_not_asked_for(void **state)
{
	struct fake *f = *state;
	char name[300];

	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(lookup(f, CORE_ROOT_ID, name, NULL), -ENAMETOOLONG);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "..", NULL), -ENOENT);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "", NULL), -ENOENT);
	assert_int_equal(lookup(f, CORE_ROOT_ID, ".projfs", NULL), -ENOENT);
	assert_int_equal(lookup(f, 12345, "a", NULL), -ESTALE);
	fake_add(f, "file", RECORD_FILE, 1);
	assert_int_equal(lookup(f, find(f, "file").node_id, "a", NULL), -ENOTDIR);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 1);
	name[255] = '\0';
	assert_int_equal(lookup(f, CORE_ROOT_ID, name, NULL), -ENOENT);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 2);
}

static void a_placeholder_expires_in_a_live_view(void **state)
{
	struct fake *f = *state;
	struct core_attr attr;
	uint64_t id;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	f->items[0].mtime++;
	f->items[0].version = "v2";
	/* Time passes: every question is free to be answered from memory for 10 ms. */
	do
		assert_int_equal(get_attr(f, id, &attr), 0);
	while (attr.mtime.tv_sec == 1000000000);
	assert_true(fake_count(f, COMMAND_PLACEHOLDER) >= 2);
	assert_true(f->n_invalidated >= 1);
}

static void a_placeholder_never_expires_in_a_stable_view(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;

	f->config.stable_view = true;
	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 10);
	entry = find(f, "a");
	assert_true(entry.entry_valid_ms == CORE_FOREVER);
	for (uint64_t until = clock_now_ms() + 15; clock_now_ms() < until;)
		find(f, "a"); /* beyond the time limit that must not count */
	find(f, "a");
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 1);
}

static void a_loaded_listing_answers_look_ups_in_a_stable_view(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;

	f->config.stable_view = true;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 10);
	free(names_of(f, CORE_ROOT_ID));
	assert_int_equal(find(f, "a").attr.size, 10);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "no", &entry), 0);
	assert_int_equal(entry.node_id, 0);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void what_is_described_unasked_is_found_without_asking(void **state)
{
	struct fake *f = *state;
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_SIZE, .size = 5};

	f->n_kept = 1;
	assert_int_equal(core_write_placeholder(f->core, "a", &rec), 0);
	assert_int_equal(find(f, "a").attr.size, 5);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
	assert_int_equal(core_write_placeholder(f->core, "no/a", &rec), -ENOENT);
	assert_int_equal(core_write_placeholder(f->core, "", &rec), -EINVAL);
	assert_int_equal(core_write_placeholder(f->core, "a/../b", &rec), -EINVAL);
}

static void what_is_described_unasked_does_not_hide_local_items(void **state)
{
	struct fake *f = *state;
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_SIZE, .size = 50};

	fake_put_file(f, "a", "mine");
	f->n_kept = 1;
	assert_int_equal(core_write_placeholder(f->core, "a", &rec), 0);
	assert_int_equal(find(f, "a").attr.size, 4);
}

static void success_without_a_placeholder_is_an_error(void **state)
{
	struct fake *f = *state;

	f->pend = KIND(PLACEHOLDER);
	for (int i = 0; i < 2; i++) {
		struct fake_call call;
		struct request r;

		request_init(f, &r, WANT_ENTRY);
		core_lookup(f->core, &r.req, CORE_ROOT_ID, "a");
		call = fake_wait_call(f, COMMAND_PLACEHOLDER, i);
		assert_int_equal(fake_complete(f, &call, 0), 0);
		assert_int_equal(request_wait(&r), -EIO);
		request_deinit(&r);
	}
	assert_int_equal(STAT(f, provider_faults), 2);
}

static void errors_of_the_provider_pass_through(void **state)
{
	static const int errors[] = {-EACCES, -ENOMEM, -EIO, -EPERM, -ETIMEDOUT};
	struct fake *f = *state;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		f->error[COMMAND_PLACEHOLDER] = errors[i];
		assert_int_equal(lookup(f, CORE_ROOT_ID, "a", NULL), errors[i]);
	}
	assert_int_equal(STAT(f, callbacks_failed), 5);
}

static void a_link_shows_its_target(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;
	struct request r;

	fake_add(f, "l", RECORD_SYMLINK, 0)->target = "some/where";
	entry = find(f, "l");
	assert_int_equal(entry.attr.mode, S_IFLNK | 0777);
	assert_int_equal(entry.attr.size, 10);
	request_init(f, &r, WANT_BYTES);
	core_readlink(f->core, &r.req, entry.node_id);
	assert_int_equal(request_wait(&r), 0);
	assert_string_equal((char *)r.data, "some/where");
	request_deinit(&r);
}

static void a_link_without_version_is_compared_by_its_target(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "l", RECORD_SYMLINK, 0);
	struct core_attr attr;
	uint64_t id;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	item->target = "one";
	item->version = NULL;
	id = find(f, "l").node_id;
	item->target = "other";
	do
		assert_int_equal(get_attr(f, id, &attr), 0);
	while (attr.size == 3);
	assert_int_equal(attr.size, 5);
}

static void an_item_of_another_kind_gets_another_node(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;
	struct core_entry before, after;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	item = fake_add(f, "a", RECORD_FILE, 10);
	before = find(f, "a");
	item->kind = RECORD_DIRECTORY;
	f->n_kept = 1; /* the replacement */
	do
		after = find(f, "a");
	while (after.node_id == before.node_id);
	assert_true(S_ISDIR(after.attr.mode));
	assert_int_equal(after.attr.ino, before.attr.ino);
	assert_int_equal(get_attr(f, before.node_id, NULL), 0);
	assert_int_equal(open_node(f, before.node_id), -ESTALE);
	assert_string_equal(f->expired, "a");
}

static void *look_up_local(void *arg)
{
	struct fake *f = arg;

	for (int i = 0; i < 50; i++) {
		char name[16];
		struct core_entry entry;

		(void)snprintf(name, sizeof(name), "l%d", i);
		assert_int_equal(lookup(f, CORE_ROOT_ID, name, &entry), 0);
		assert_int_equal(entry.attr.size, 4);
	}
	return NULL;
}

/* The provider does not know them: an answer that comes late may not take them away. */
static void local_files_are_found_by_many_threads_at_once(void **state)
{
	struct fake *f = *state;
	pthread_t threads[8];

	for (int i = 0; i < 50; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "l%d", i);
		fake_put_file(f, name, "mine");
	}
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, look_up_local, f);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(lookup_asks_the_provider_once),
	        T(eight_threads_share_one_question),
	        T(an_absent_name_is_asked_each_time_in_a_live_view),
	        T(an_absent_name_is_remembered_in_a_stable_view),
	        T(impossible_names_are_not_asked_for),
	        T(a_placeholder_expires_in_a_live_view),
	        T(a_placeholder_never_expires_in_a_stable_view),
	        T(a_loaded_listing_answers_look_ups_in_a_stable_view),
	        T(what_is_described_unasked_is_found_without_asking),
	        T(what_is_described_unasked_does_not_hide_local_items),
	        T(success_without_a_placeholder_is_an_error),
	        T(errors_of_the_provider_pass_through),
	        T(a_link_shows_its_target),
	        T(a_link_without_version_is_compared_by_its_target),
	        T(an_item_of_another_kind_gets_another_node),
	        T(local_files_are_found_by_many_threads_at_once),
	};

	return cmocka_run_group_tests_name("core: lookup", tests, NULL, NULL);
}
