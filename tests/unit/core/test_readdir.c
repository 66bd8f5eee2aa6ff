/* SPDX-License-Identifier: MIT */
/* Listings: the merge with what is on disk, offsets, sessions, and providers that list wrongly. */

#include "fake.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define assert_names(f, id, expected)                                                              \
	do {                                                                                       \
		char *names_ = names_of(f, id);                                                    \
		assert_string_equal(names_, expected);                                             \
		free(names_);                                                                      \
	} while (0)

static void put_tombstone(struct fake *f, const char *path)
{
	struct record rec = {.kind = RECORD_TOMBSTONE};
	struct buf target = {0};
	char *at = fake_at(f, path);

	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_int_equal(symlink((char *)target.data, at), 0);
	buf_deinit(&target);
	free(at);
}

static void add_abc(struct fake *f)
{
	fake_add(f, "a", RECORD_FILE, 1);
	fake_add(f, "b", RECORD_DIRECTORY, 0);
	fake_add(f, "c", RECORD_SYMLINK, 0)->target = "a";
}

static void local_items_are_merged_and_win(void **state)
{
	struct fake *f = *state;
	uint64_t handle;
	struct request r;

	add_abc(f);
	fake_put_file(f, "B", "mine");
	fake_put_file(f, "a", "mine too");
	fake_put_file(f, "zz", "last");
	assert_names(f, CORE_ROOT_ID, "a B b c zz");
	handle = open_dir(f, CORE_ROOT_ID);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, true, &r), 0);
	assert_int_equal(r.n_names, 7);
	assert_string_equal(r.names[0].name, ".");
	assert_int_equal(r.names[4].type, DT_DIR);
	assert_int_equal(r.names[5].type, DT_LNK);
	for (int i = 2; i < 7; i++)
		assert_true(r.names[i].has_entry);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_int_equal(find(f, "a").attr.size, 8);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void tombstones_hide(void **state)
{
	struct fake *f = *state;

	add_abc(f);
	put_tombstone(f, "b");
	put_tombstone(f, "never");
	assert_names(f, CORE_ROOT_ID, "a c");
	assert_int_equal(lookup(f, CORE_ROOT_ID, "b", NULL), -ENOENT);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void the_order_is_that_of_windows_unless_told_otherwise(void **state)
{
	struct fake *f = *state;

	fake_add(f, "B", RECORD_FILE, 1);
	fake_add(f, "c", RECORD_FILE, 1);
	fake_add(f, "_", RECORD_FILE, 1);
	fake_put_file(f, "a", "");
	assert_names(f, CORE_ROOT_ID, "a B c _");
	assert_int_equal(STAT(f, listing_faults), 0);
	f->config.order = CORE_ORDER_BYTES;
	fake_restart(f);
	f->items[1].gone = true; /* B _ are in order of bytes */
	assert_names(f, CORE_ROOT_ID, "B _ a");
	assert_int_equal(STAT(f, listing_faults), 0);
}

static void disorder_and_duplicates_are_reported_once_each_name(void **state)
{
	struct fake *f = *state;

	fake_add(f, "b", RECORD_FILE, 1);
	fake_add(f, "a", RECORD_FILE, 1);
	fake_add(f, "c", RECORD_FILE, 1);
	fake_add(f, "b", RECORD_FILE, 1);
	fake_add(f, "c", RECORD_FILE, 1);
	fake_add(f, "d", RECORD_FILE, 1);
	fake_add(f, ".projfs", RECORD_FILE, 1);
	f->per_get = 2;
	assert_names(f, CORE_ROOT_ID, "b a c d");
	assert_true(STAT(f, listing_faults) >= 4);
}

static void every_offset_can_be_resumed_with_the_smallest_buffer(void **state)
{
	struct fake *f = *state;
	uint64_t handle, offset = 0;
	struct request all, one;
	char name[32];

	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "n%02d", i);
		fake_add(f, name, i % 3 ? RECORD_FILE : RECORD_DIRECTORY, 1);
	}
	fake_put_file(f, "n05", "");
	fake_put_file(f, "local", "");
	handle = open_dir(f, CORE_ROOT_ID);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, false, &all), 0);
	assert_int_equal(all.n_names, 43);
	for (size_t i = 0; i < all.n_names; i++) {
		/* Offset 0 again is a rewind, in a live view: the same listing loaded anew. */
		assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, offset, 1, i % 2, &one), 0);
		assert_int_equal(one.n_names, 1);
		assert_string_equal(one.names[0].name, all.names[i].name);
		assert_int_equal(one.names[0].next, all.names[i].next);
		assert_int_equal(one.names[0].ino, all.names[i].ino);
		offset = one.names[0].next;
		request_deinit(&one);
	}
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, offset, 0, false, &one), 0);
	assert_int_equal(one.n_names, 0);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, UINT64_MAX, 0, false, &one), 0);
	assert_int_equal(one.n_names, 0);
	request_deinit(&one);
	request_deinit(&all);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM), 2);
}

static void a_rewind_in_a_live_view_loads_anew(void **state)
{
	struct fake *f = *state;
	uint64_t handle;
	struct request r;

	add_abc(f);
	handle = open_dir(f, CORE_ROOT_ID);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, false, &r), 0);
		assert_int_equal(r.n_names, 5 - i);
		request_deinit(&r);
		f->items[1].gone = true;
	}
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM), 2);
	fake_wait_call(f, COMMAND_END_ENUM, 1);
}

static void a_stable_view_is_listed_once_for_all(void **state)
{
	struct fake *f = *state;
	struct request r;

	f->config.stable_view = true;
	fake_restart(f);
	add_abc(f);
	assert_names(f, CORE_ROOT_ID, "a b c");
	assert_names(f, CORE_ROOT_ID, "a b c");
	assert_int_equal(read_dir(f, CORE_ROOT_ID, 0, 0, 0, true, &r), 0);
	assert_int_equal(r.n_names, 5);
	request_deinit(&r);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM), 1);
}

static void get_continues_until_nothing_comes(void **state)
{
	struct fake *f = *state;
	char name[32];

	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "n%02d", i);
		fake_add(f, name, RECORD_FILE, 1);
	}
	f->per_get = 3;
	assert_names(f, CORE_ROOT_ID, "n00 n01 n02 n03 n04 n05 n06 n07 n08 n09");
	assert_int_equal(fake_count(f, COMMAND_GET_ENUM), 5);
	assert_true(fake_wait_call(f, COMMAND_GET_ENUM, 0).restart);
	assert_false(fake_wait_call(f, COMMAND_GET_ENUM, 1).restart);
	assert_int_equal(fake_wait_call(f, COMMAND_GET_ENUM, 4).session,
	                 fake_wait_call(f, COMMAND_END_ENUM, 0).session);
}

static void a_long_listing_needs_several_buffers(void **state)
{
	struct fake *f = *state;
	char name[300], *names;

	for (int i = 0; i < FAKE_ITEMS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%03d%0240d", i, 0);
		fake_add(f, name, RECORD_SYMLINK, 0)->target =
		        "0123456789012345678901234567890123456789"
		        "01234567890123456789012345678901234567890123456789012345678901234567890123"
		        "45678901"
		        "01234567890123456789012345678901234567890123456789012345678901234567890123"
		        "45678901"
		        "01234567890123456789012345678901234567890123456789012345678901234567890123"
		        "45678901";
	}
	names = names_of(f, CORE_ROOT_ID);
	assert_int_equal(strlen(names), FAKE_ITEMS_MAX * 244 - 1);
	free(names);
	assert_true(fake_count(f, COMMAND_GET_ENUM) >= 3);
}

static int give_the_same_for_ever(struct fake *f, const struct fake_call *call)
{
	struct record rec = {.kind = RECORD_FILE};

	return call->kind == COMMAND_GET_ENUM ? dir_buffer_add(call->buffer, "a", &rec) : 0;
}

static void a_provider_that_never_ends_is_stopped(void **state)
{
	struct fake *f = *state;

	f->hook = give_the_same_for_ever;
	assert_names(f, CORE_ROOT_ID, "a");
}

static void impossible_names_do_not_get_into_a_buffer(void **state)
{
	struct dir_buffer *b = dir_buffer_new();
	struct record rec = {.kind = RECORD_FILE};
	char name[300];

	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(dir_buffer_add(b, "", &rec), -EINVAL);
	assert_int_equal(dir_buffer_add(b, ".", &rec), -EINVAL);
	assert_int_equal(dir_buffer_add(b, "..", &rec), -EINVAL);
	assert_int_equal(dir_buffer_add(b, "a/b", &rec), -EINVAL);
	assert_int_equal(dir_buffer_add(b, name, &rec), -EINVAL);
	name[255] = '\0';
	assert_int_equal(dir_buffer_add(b, name, &rec), 0);
	assert_int_equal(dir_buffer_count(b), 1);
	assert_string_equal(dir_buffer_at(b, 0).name, name);
	dir_buffer_free(b);
}

static void errors_end_the_session_once(void **state)
{
	struct fake *f = *state;
	uint64_t handle = open_dir(f, CORE_ROOT_ID);
	struct request r;

	add_abc(f);
	f->error[COMMAND_GET_ENUM] = -EACCES;
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, false, &r), -EACCES);
	f->error[COMMAND_GET_ENUM] = 0;
	f->error[COMMAND_START_ENUM] = -ENOMEM;
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, false, &r), -ENOMEM);
	fake_wait_call(f, COMMAND_END_ENUM, 0);
	assert_int_equal(fake_count(f, COMMAND_END_ENUM), 1);
	f->error[COMMAND_START_ENUM] = 0;
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, false, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
}

static void a_pended_listing_is_completed_with_its_buffer(void **state)
{
	struct fake *f = *state;
	uint64_t handle = open_dir(f, CORE_ROOT_ID);
	struct fake_call call;
	struct request r;

	add_abc(f);
	f->pend = KIND(START_ENUM) | KIND(GET_ENUM) | KIND(END_ENUM);
	request_init(f, &r, WANT_NOTHING);
	core_readdir(f->core, &r.req, CORE_ROOT_ID, handle, 0, false);
	call = fake_wait_call(f, COMMAND_START_ENUM, 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	call = fake_wait_call(f, COMMAND_GET_ENUM, 0);
	assert_int_equal(core_complete(f->core, call.id, 0, NULL), -EINVAL);
	assert_int_equal(fake_answer(f, &call), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	call = fake_wait_call(f, COMMAND_GET_ENUM, 1);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.n_names, 5);
	call = fake_wait_call(f, COMMAND_END_ENUM, 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
}

/* Started by the provider while it was being cancelled: open all the same. */
static void a_session_that_starts_while_it_is_cancelled_is_ended(void **state)
{
	struct fake *f = *state;
	uint64_t handle;
	struct request r;

	f->config.lookup_timeout_ms = 10;
	fake_restart(f);
	handle = open_dir(f, CORE_ROOT_ID);
	f->gate = KIND(START_ENUM);
	request_init(f, &r, WANT_NOTHING);
	core_readdir(f->core, &r.req, CORE_ROOT_ID, handle, 0, false);
	fake_wait_gated(f, 1);
	assert_int_equal(request_wait(&r), -ETIMEDOUT);
	fake_wait_cancelled(f, fake_wait_call(f, COMMAND_START_ENUM, 0).id);
	fake_open_gate(f);
	fake_wait_call(f, COMMAND_END_ENUM, 0);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
}

static void a_directory_of_the_users_own_is_not_asked_for(void **state)
{
	struct fake *f = *state;
	char *at = fake_at(f, "mine");

	assert_int_equal(mkdir(at, 0755), 0);
	free(at);
	fake_put_file(f, "mine/x", "");
	assert_names(f, find(f, "mine").node_id, "x");
	assert_int_equal(lookup(f, find(f, "mine").node_id, "y", NULL), -ENOENT);
	assert_int_equal(f->n_calls, 0);
}

static void a_listing_with_entries_counts_look_ups(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t handle = open_dir(f, CORE_ROOT_ID);

	add_abc(f);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, true, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_int_equal(STAT(f, n_nodes), 4);
	assert_int_equal(f->n_seen, 3);
	for (size_t i = 0; i < 3; i++)
		core_forget(f->core, f->seen[i].id, 1);
	f->n_seen = 0;
	assert_int_equal(STAT(f, n_nodes), 1);
}

static void a_file_is_no_directory(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t id;

	add_abc(f);
	id = find(f, "a").node_id;
	request_init(f, &r, WANT_HANDLE);
	core_opendir(f->core, &r.req, id);
	assert_int_equal(request_wait(&r), -ENOTDIR);
	assert_int_equal(read_dir(f, id, 0, 0, 0, false, &r), -ENOTDIR);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(local_items_are_merged_and_win),
	        T(tombstones_hide),
	        T(the_order_is_that_of_windows_unless_told_otherwise),
	        T(disorder_and_duplicates_are_reported_once_each_name),
	        T(every_offset_can_be_resumed_with_the_smallest_buffer),
	        T(a_rewind_in_a_live_view_loads_anew),
	        T(a_stable_view_is_listed_once_for_all),
	        T(get_continues_until_nothing_comes),
	        T(a_long_listing_needs_several_buffers),
	        T(a_provider_that_never_ends_is_stopped),
	        cmocka_unit_test(impossible_names_do_not_get_into_a_buffer),
	        T(errors_end_the_session_once),
	        T(a_pended_listing_is_completed_with_its_buffer),
	        T(a_session_that_starts_while_it_is_cancelled_is_ended),
	        T(a_directory_of_the_users_own_is_not_asked_for),
	        T(a_listing_with_entries_counts_look_ups),
	        T(a_file_is_no_directory),
	};

	return cmocka_run_group_tests_name("core: readdir", tests, NULL, NULL);
}
