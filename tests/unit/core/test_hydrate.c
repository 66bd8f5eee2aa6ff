/* SPDX-License-Identifier: MIT */
/* Content on its way: what is asked for, who is answered when, and what a provider may do wrong. */

#include "fake.h"

#include <stdio.h>

static void start_read(struct fake *f, struct request *r, uint64_t id, uint64_t offset, size_t size)
{
	request_init(f, r, WANT_DATA);
	core_read(f->core, &r->req, id, 0, offset, size);
}

static uint32_t state_word(struct fake *f, const char *path)
{
	struct core_ioctl_state state;

	assert_int_equal(state_of(f, path, 0, &state), 0);
	return state.state;
}

static void a_small_file_comes_whole_and_stays(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 10000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(state_word(f, "a"), 1);
	assert_int_equal(read_check(f, id, item, 5000, 100), 100);
	assert_int_equal(read_check(f, id, item, 0, 65536), 10000);
	assert_int_equal(read_check(f, id, item, 9990, 100), 10);
	assert_int_equal(read_check(f, id, item, 10000, 100), 0);
	assert_int_equal(fake_count(f, COMMAND_DATA), 1);
	assert_int_equal(fake_wait_call(f, COMMAND_DATA, 0).length, 10000);
	/* Readers are answered before the file has its name; this waits for that. */
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(state_word(f, "a"), 3);
	assert_int_equal(STAT(f, hydrations), 1);
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 65536), 10000);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER) + fake_count(f, COMMAND_DATA), 0);
}

static void content_in_directories_makes_them_appear(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	item = fake_add(f, "d/e/a", RECORD_FILE, 100);
	assert_int_equal(hydrate_node(f, find(f, "d/e/a").node_id), 0);
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "d/e/a").node_id, item, 0, 100), 100);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER) + fake_count(f, COMMAND_DATA), 0);
}

/* The ranges that were asked for: within the file, and no byte twice. Returns their sum. */
static uint64_t check_ranges(struct fake *f, uint64_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->n_calls; i++) {
		const struct fake_call *a = &f->calls[i];

		if (a->kind != COMMAND_DATA)
			continue;
		assert_true(a->length > 0 && a->offset + a->length <= size);
		assert_true(a->offset % 4096 == 0);
		sum += a->length;
		for (size_t j = 0; j < i; j++) {
			const struct fake_call *b = &f->calls[j];

			if (b->kind == COMMAND_DATA)
				assert_true(a->offset + a->length <= b->offset ||
				            b->offset + b->length <= a->offset);
		}
	}
	return sum;
}

struct reader {
	struct fake *f;
	const struct fake_item *item;
	uint64_t id;
	unsigned seed;
	bool random;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint64_t size = r->item->size;

	for (uint64_t at = 0; !r->random && at < size; at += 131072)
		assert_int_equal(read_check(r->f, r->id, r->item, at, 131072),
		                 at + 131072 < size ? 131072 : size - at);
	for (int i = 0; r->random && i < 40; i++) {
		uint64_t at = (uint64_t)rand_r(&r->seed) % (size - 5000);

		assert_int_equal(read_check(r->f, r->id, r->item, at, 5000), 5000);
	}
	return NULL;
}

static void sixteen_readers_fetch_each_byte_once(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 11 * MIB + 12345);
	uint64_t id = find(f, "a").node_id;
	struct reader readers[16];
	pthread_t threads[16];

	for (unsigned i = 0; i < 16; i++) {
		readers[i] = (struct reader){f, item, id, i, i >= 4};
		pthread_create(&threads[i], NULL, read_all, &readers[i]);
	}
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(check_ranges(f, item->size), item->size);
	assert_int_equal(STAT(f, bytes_fetched), item->size);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(STAT(f, hydrations), 1);
	assert_int_equal(state_word(f, "a"), 3);
}

static void a_read_in_a_huge_file_asks_for_little(void **state)
{
	struct fake *f = *state;
	uint64_t size = 20 * 1024 * MIB;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, size);
	uint64_t id = find(f, "a").node_id;
	struct core_ioctl_state info;

	assert_int_equal(read_check(f, id, item, size / 2 + 1000, 131072), 131072);
	assert_true(check_ranges(f, size) <= 2 * MIB);
	assert_int_equal(state_of(f, "a", 0, &info), 0);
	assert_true(info.local_bytes >= MIB && info.local_bytes <= 2 * MIB);
	assert_int_equal(info.state, 1);
	/* It survives a restart. */
	fake_restart(f);
	id = find(f, "a").node_id;
	assert_int_equal(read_check(f, id, item, size / 2 + 1000, 131072), 131072);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

static void what_came_without_a_version_is_not_trusted_after_a_restart(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5 * MIB);

	item->version = NULL;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 1000), 1000);
	fake_restart(f);
	item->seed = 7;
	item->mtime++;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 1000), 1000);
}

static void readers_are_answered_when_their_bytes_have_come(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 3 * MIB);
	uint64_t id = find(f, "a").node_id;
	struct fake_call call;
	struct request first, second;

	f->pend = KIND(DATA);
	start_read(f, &first, id, 0, 4096);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	start_read(f, &second, id, 500000, 4096);
	/* Out of order, in pieces, twice. */
	assert_int_equal(fake_deliver(f, &call, 490000, 20000), 0);
	assert_int_equal(request_wait(&second), 0);
	assert_int_equal(second.data[0], fake_byte(item, 500000));
	assert_false(request_is_done(&first));
	assert_int_equal(fake_deliver(f, &call, 2000, 3000), 0);
	assert_false(request_is_done(&first));
	assert_int_equal(fake_deliver(f, &call, 0, 2500), 0);
	assert_int_equal(request_wait(&first), 0);
	assert_int_equal(first.data[4095], fake_byte(item, 4095));
	assert_int_equal(fake_deliver(f, &call, 0, call.length), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(fake_complete(f, &call, 0), -EINVAL);
	assert_int_equal(fake_deliver(f, &call, 0, 10), -EBADF);
	assert_int_equal(read_check(f, id, item, 700000, 10), 10);
	assert_int_equal(fake_count(f, COMMAND_DATA), 1);
	request_deinit(&first);
	request_deinit(&second);
}

static void more_than_asked_is_taken_and_beyond_the_end_is_not(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 3 * MIB);
	uint64_t id = find(f, "a").node_id;
	struct fake_call call;
	struct request r;

	f->pend = KIND(DATA);
	start_read(f, &r, id, 0, 4096);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	assert_int_equal(fake_deliver(f, &call, 3 * MIB - 10, 11), -EINVAL);
	assert_int_equal(fake_deliver(f, &call, 3 * MIB, 1), -EINVAL);
	assert_int_equal(core_write_data(f->core, call.stream, "", UINT64_MAX, 2), -EINVAL);
	assert_int_equal(core_write_data(f->core, call.stream, "", 0, 0), -EINVAL);
	call.stream[12] ^= 1;
	assert_int_equal(fake_deliver(f, &call, 0, 10), -EBADF);
	call.stream[12] ^= 1;
	assert_int_equal(fake_deliver(f, &call, 0, 3 * MIB), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(read_check(f, id, item, 3 * MIB - 100, 1000), 100);
	assert_int_equal(fake_count(f, COMMAND_DATA), 1);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(state_word(f, "a"), 3);
	request_deinit(&r);
}

/* Somebody may still write where another command has delivered already: the file gets its name afterwards. */
static void the_name_is_given_when_nobody_writes_any_more(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 4 * MIB);
	uint64_t id = find(f, "a").node_id;
	struct fake_call one, two;
	struct request a, b;

	f->pend = KIND(DATA);
	start_read(f, &a, id, 0, 10);
	start_read(f, &b, id, 3 * MIB, 10);
	one = fake_wait_call(f, COMMAND_DATA, 0);
	two = fake_wait_call(f, COMMAND_DATA, 1);
	assert_int_equal(fake_deliver(f, &one, 0, 4 * MIB), 0);
	assert_int_equal(fake_complete(f, &one, 0), 0);
	assert_int_equal(request_wait(&a), 0);
	assert_int_equal(request_wait(&b), 0);
	assert_int_equal(STAT(f, hydrations), 0);
	assert_int_equal(fake_complete(f, &two, 0), 0);
	assert_int_equal(STAT(f, hydrations), 1);
	assert_int_equal(read_check(f, id, item, 100, 10), 10);
	request_deinit(&a);
	request_deinit(&b);
}

static int deliver_short(struct fake *f, const struct fake_call *call)
{
	if (call->kind != COMMAND_DATA || f->listed[0]++)
		return fake_answer(f, call);
	return fake_deliver(f, call, call->offset, call->length - 1);
}

static void short_data_is_an_error_and_the_next_read_asks_again(void **state)
{
	static const uint64_t sizes[] = {10000, 3 * MIB};
	struct fake *f = *state;

	f->hook = deliver_short;
	for (int i = 0; i < 2; i++) {
		char name[8] = {(char)('a' + i)};
		struct fake_item *item = fake_add(f, name, RECORD_FILE, sizes[i]);
		uint64_t id = find(f, name).node_id;

		f->listed[0] = 0;
		assert_int_equal(read_check(f, id, item, 0, 131072 * 16), -EIO);
		assert_int_equal(state_word(f, name), 1);
		assert_true(read_check(f, id, item, 0, 4096) == 4096);
	}
	assert_int_equal(STAT(f, provider_faults), 2);
}

static void errors_reach_the_reader_and_the_file_stays_a_placeholder(void **state)
{
	static const int errors[] = {-EACCES, -ENOENT, -ENOSPC, -ENOMEM, -EIO};
	struct fake *f = *state;
	struct fake_item *small = fake_add(f, "a", RECORD_FILE, 10);
	struct fake_item *large = fake_add(f, "b", RECORD_FILE, 3 * MIB);
	uint64_t ids[] = {find(f, "a").node_id, find(f, "b").node_id};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		f->error[COMMAND_DATA] = errors[i];
		assert_int_equal(read_check(f, ids[0], small, 0, 10), errors[i]);
		assert_int_equal(read_check(f, ids[1], large, 0, 10), errors[i]);
		assert_int_equal(hydrate_node(f, ids[0]), errors[i]);
		assert_int_equal(hydrate_node(f, ids[1]), errors[i]);
	}
	assert_int_equal(state_word(f, "a"), 1);
	f->error[COMMAND_DATA] = 0;
	assert_int_equal(read_check(f, ids[0], small, 0, 10), 10);
	assert_int_equal(hydrate_node(f, ids[1]), 0);
	assert_int_equal(state_word(f, "b"), 3);
}

static int deliver_then_fail(struct fake *f, const struct fake_call *call)
{
	int r = fake_answer(f, call);

	return call->kind == COMMAND_DATA && r == 0 ? -EACCES : r;
}

static void a_small_file_whose_command_failed_is_not_kept(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	f->hook = deliver_then_fail;
	assert_int_equal(hydrate_node(f, id), -EACCES);
	assert_int_equal(state_word(f, "a"), 1);
}

static void an_empty_file_is_hydrated_without_asking(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 0);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(read_check(f, id, item, 0, 100), 0);
	assert_int_equal(hydrate_node(f, id), 0);
	assert_int_equal(state_word(f, "a"), 3);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

static void the_size_of_a_file_can_be_learned_from_its_content(void **state)
{
	static const uint64_t sizes[] = {0, 12345};
	struct fake *f = *state;

	for (int i = 0; i < 2; i++) {
		char name[8] = {(char)('a' + i)};
		struct fake_item *item = fake_add(f, name, RECORD_FILE, sizes[i]);
		struct core_entry entry;

		item->size_unknown = true;
		entry = find(f, name);
		assert_int_equal(entry.attr.size, sizes[i]);
		assert_int_equal(read_check(f, entry.node_id, item, 0, 65536), sizes[i]);
		assert_int_equal(state_word(f, name), 3);
	}
	assert_int_equal(fake_count(f, COMMAND_DATA), 2);
}

static void an_unknown_size_that_cannot_be_learned_fails_the_look_up(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 10)->size_unknown = true;
	f->error[COMMAND_DATA] = -EACCES;
	assert_int_equal(lookup(f, CORE_ROOT_ID, "a", NULL), -EACCES);
	f->error[COMMAND_DATA] = 0;
	assert_int_equal(find(f, "a").attr.size, 10);
}

struct hydrater {
	struct fake *f;
	uint64_t id;
};

static void *hydrate_one(void *arg)
{
	struct hydrater *h = arg;

	assert_int_equal(hydrate_node(h->f, h->id), 0);
	return NULL;
}

static void many_hydrate_requests_all_end(void **state)
{
	struct fake *f = *state;

	for (int round = 0; round < 30; round++) {
		static const uint64_t sizes[] = {0, 5000, 3 * MIB};
		struct hydrater h = {.f = f};
		pthread_t threads[6];
		char name[8];

		(void)snprintf(name, sizeof(name), "f%d", round);
		fake_add(f, name, RECORD_FILE, sizes[round % 3]);
		h.id = find(f, name).node_id;
		for (int i = 0; i < 6; i++)
			pthread_create(&threads[i], NULL, hydrate_one, &h);
		for (int i = 0; i < 6; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(state_word(f, name), 3);
	}
	assert_int_equal(STAT(f, hydrations), 30);
}

static int deliver_from_fd(struct fake *f, const struct fake_call *call)
{
	FILE *source;
	int r;

	if (call->kind != COMMAND_DATA)
		return fake_answer(f, call);
	source = tmpfile();
	for (uint64_t i = 0; i < call->length; i++)
		(void)fputc(fake_byte(fake_find(f, call->path), call->offset + i), source);
	(void)fflush(source);
	r = core_write_data_from_fd(f->core, call->stream, fileno(source), 0, call->offset,
	                            call->length, true);
	/* Held until the command succeeds. */
	assert_int_equal(STAT(f, hydrations), 0);
	if (r == 0 && f->pend)
		r = core_write_data_from_fd(f->core, call->stream, fileno(source), 10, 0,
		                            call->length, false);
	(void)fclose(source);
	return r;
}

static void content_can_come_from_a_descriptor(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 900000);

	f->hook = deliver_from_fd;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 1000000), 900000);
}

static int end_early(struct fake *f, const struct fake_call *call)
{
	FILE *source;
	int r;

	if (call->kind != COMMAND_DATA)
		return fake_answer(f, call);
	source = tmpfile();
	r = core_write_data_from_fd(f->core, call->stream, fileno(source), 0, 0, call->length,
	                            false);
	(void)fclose(source);
	assert_int_equal(r, -EBUSY);
	return -EIO;
}

static void a_descriptor_that_ends_early_has_changed(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 100);

	f->hook = end_early;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 100), -EIO);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_small_file_comes_whole_and_stays),
	        T(content_in_directories_makes_them_appear),
	        T(sixteen_readers_fetch_each_byte_once),
	        T(a_read_in_a_huge_file_asks_for_little),
	        T(what_came_without_a_version_is_not_trusted_after_a_restart),
	        T(readers_are_answered_when_their_bytes_have_come),
	        T(more_than_asked_is_taken_and_beyond_the_end_is_not),
	        T(the_name_is_given_when_nobody_writes_any_more),
	        T(short_data_is_an_error_and_the_next_read_asks_again),
	        T(errors_reach_the_reader_and_the_file_stays_a_placeholder),
	        T(a_small_file_whose_command_failed_is_not_kept),
	        T(an_empty_file_is_hydrated_without_asking),
	        T(the_size_of_a_file_can_be_learned_from_its_content),
	        T(an_unknown_size_that_cannot_be_learned_fails_the_look_up),
	        T(many_hydrate_requests_all_end),
	        T(content_can_come_from_a_descriptor),
	        T(a_descriptor_that_ends_early_has_changed),
	};

	return cmocka_run_group_tests_name("core: hydrate", tests, NULL, NULL);
}
