/* SPDX-License-Identifier: MIT */
/* In which order notifications come, who waits for whom, and how all that ends. */

#include "told.h"

#include <sched.h>
#include <stdio.h>

static void start_open(struct fake *f, struct request *r, uint64_t id)
{
	request_init(f, r, WANT_HANDLE);
	core_open(f->core, &r->req, id, O_RDONLY, false);
}

static void listen_with_threads(struct fake *f, const struct core_mapping *mapping, unsigned n)
{
	f->config.mappings = mapping;
	f->config.n_mappings = 1;
	f->config.n_callback_threads = n;
	fake_restart(f);
	f->config.mappings = NULL;
	f->config.n_mappings = 0;
}

/* The @n-th notification about @path, from 0. */
static struct fake_call wait_call_about(struct fake *f, const char *path, size_t n)
{
	for (size_t i = 0;; i++) {
		struct fake_call call = fake_wait_call(f, COMMAND_NOTIFY, i);

		if (!strcmp(call.path, path) && n-- == 0)
			return call;
	}
}

static size_t count_about(struct fake *f, const char *path)
{
	return times_asked(f, COMMAND_NOTIFY, path);
}

static void one_item_is_told_in_order_and_others_do_not_wait(void **state)
{
	struct fake *f = *state;
	struct request a[4], b, c;
	uint64_t last = 0;

	listen_with_threads(f, &(struct core_mapping){"", CORE_EVENT_OPENED}, 8);
	fake_add(f, "a", RECORD_FILE, 1);
	fake_add(f, "b", RECORD_FILE, 1);
	fake_add(f, "c", RECORD_FILE, 1);
	f->gate = KIND(NOTIFY);
	for (int i = 0; i < 4; i++)
		start_open(f, &a[i], find(f, "a").node_id);
	start_open(f, &b, find(f, "b").node_id);
	start_open(f, &c, find(f, "c").node_id);
	fake_wait_gated(f, 3);
	assert_int_equal(count_about(f, "a"), 1);
	assert_int_equal(count_about(f, "b"), 1);
	assert_int_equal(count_about(f, "c"), 1);
	fake_open_gate(f);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(request_wait(&a[i]), 0);
		close_file(f, find(f, "a").node_id, a[i].handle);
	}
	assert_int_equal(request_wait(&b), 0);
	assert_int_equal(request_wait(&c), 0);
	close_file(f, find(f, "b").node_id, b.handle);
	close_file(f, find(f, "c").node_id, c.handle);
	for (size_t i = 0; i < 4; i++) {
		struct fake_call call = wait_call_about(f, "a", i);

		assert_true(call.sequence > last);
		last = call.sequence;
	}
}

/* A callback that has said "later" has been delivered. */
static void a_pended_one_lets_the_next_come(void **state)
{
	struct fake *f = *state;
	struct request a, b;
	struct fake_call first, second;
	uint64_t id;

	LISTEN(f, {"", CORE_EVENT_OPENED});
	fake_add(f, "a", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	f->pend = KIND(NOTIFY);
	start_open(f, &a, id);
	start_open(f, &b, id);
	first = fake_wait_call(f, COMMAND_NOTIFY, 0);
	second = fake_wait_call(f, COMMAND_NOTIFY, 1);
	assert_int_equal(fake_complete(f, &second, -EACCES), 0);
	assert_int_equal(request_wait(&b), -EACCES);
	assert_false(request_is_done(&a));
	assert_int_equal(fake_complete(f, &first, 0), 0);
	assert_int_equal(request_wait(&a), 0);
	close_file(f, id, a.handle);
}

static void a_question_that_nobody_waits_for_is_not_asked(void **state)
{
	struct fake *f = *state;
	struct request a, b;
	uint64_t id, handle;

	f->config.lookup_timeout_ms = 20;
	LISTEN(f, {"", CORE_EVENT_OPENED});
	fake_add(f, "a", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	f->gate = KIND(NOTIFY);
	start_open(f, &a, id);
	fake_wait_gated(f, 1);
	start_open(f, &b, id);
	assert_int_equal(request_wait(&a), -ETIMEDOUT);
	assert_int_equal(request_wait(&b), -ETIMEDOUT);
	while (STAT(f, cancels) < 2)
		sched_yield();
	fake_open_gate(f);
	f->config.lookup_timeout_ms = 15000;
	while (open_file(f, id, O_RDONLY, &handle) != 0)
		continue; /* the first callback has to return first */
	close_file(f, id, handle);
	/* Those opens that came to be called; never the second one. */
	for (size_t i = 1; i < count_about(f, "a"); i++)
		assert_int_not_equal(fake_wait_call(f, COMMAND_NOTIFY, i).sequence, 2);
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void stopping_delivers_what_has_happened(void **state)
{
	struct fake *f = *state;
	uint64_t id, handles[50];
	size_t n = 0;

	LISTEN(f, {"", CORE_EVENT_CLOSED});
	fake_add(f, "a", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	for (int i = 0; i < 50; i++)
		assert_int_equal(open_file(f, id, O_RDONLY, &handles[i]), 0);
	f->gate = KIND(NOTIFY);
	for (int i = 0; i < 50; i++)
		close_file(f, id, handles[i]);
	fake_wait_gated(f, 1);
	fake_open_gate(f);
	fake_stop(f);
	for (size_t i = 0; i < f->n_calls; i++)
		n += f->calls[i].kind == COMMAND_NOTIFY;
	assert_int_equal(n, 50);
}

/* The first one at once, the second when stopping has ended the first, and has nothing to do but wait. */
static int pend_when_stopping(struct fake *f, const struct fake_call *call)
{
	if (call->kind != COMMAND_NOTIFY)
		return fake_answer(f, call);
	while (call->sequence == 2 && !STAT(f, cancels))
		sched_yield();
	for (int i = 0; i < 1000; i++)
		sched_yield();
	return CORE_PENDING;
}

static void stopping_does_not_wait_for_what_the_provider_pends_meanwhile(void **state)
{
	struct fake *f = *state;
	uint64_t id, handles[2];

	f->config.provider.cancel = NULL;
	LISTEN(f, {"", CORE_EVENT_CLOSED});
	fake_add(f, "a", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	for (int i = 0; i < 2; i++)
		assert_int_equal(open_file(f, id, O_RDONLY, &handles[i]), 0);
	f->hook = pend_when_stopping;
	for (int i = 0; i < 2; i++)
		close_file(f, id, handles[i]);
	(void)fake_wait_call(f, COMMAND_NOTIFY, 1);
	fake_stop(f);
	assert_int_equal(fake_count(f, COMMAND_NOTIFY), 2);
}

static void stopping_ends_those_who_wait(void **state)
{
	struct fake *f = *state;
	struct request open, remove, make;
	uint64_t id;

	LISTEN(f, {"", CORE_EVENT_OPENED | CORE_EVENT_PRE_DELETE | CORE_EVENT_CREATED});
	fake_add(f, "a", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	f->pend = KIND(NOTIFY);
	start_open(f, &open, id);
	request_init(f, &remove, WANT_NOTHING);
	core_unlink(f->core, &remove.req, CORE_ROOT_ID, "a", false);
	request_init(f, &make, WANT_ENTRY);
	core_mknod(f->core, &make.req, CORE_ROOT_ID, "d", S_IFDIR | 0755, 0, 0);
	(void)fake_wait_call(f, COMMAND_NOTIFY, 2);
	fake_stop(f);
	assert_int_equal(request_wait(&open), -ENOTCONN);
	assert_int_equal(request_wait(&remove), -ENOTCONN);
	assert_int_equal(request_wait(&make), 0); /* it was made */
}

/* ---- time and room --------------------------------------------------------------------------------- */

/* The time to answer a question is no part of the time to fetch content. */
static void fetching_after_a_question_has_its_own_time(void **state)
{
	struct fake *f = *state;
	struct request r;
	struct fake_call call;
	uint64_t id;

	f->config.lookup_timeout_ms = 20;
	f->config.data_timeout_ms = 0;
	LISTEN(f, {"", CORE_EVENT_PRE_LINK});
	fake_add(f, "a", RECORD_FILE, 10);
	fake_add(f, "slow", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	f->pend = KIND(DATA);
	request_init(f, &r, WANT_ENTRY);
	core_link(f->core, &r.req, id, CORE_ROOT_ID, "b");
	call = fake_wait_call(f, COMMAND_DATA, 0);
	/* A look-up that starts later and has the shorter limit ends first. */
	f->pend |= KIND(PLACEHOLDER);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lookup(f, CORE_ROOT_ID, "slow", NULL), -ETIMEDOUT);
	f->pend = 0;
	assert_false(request_is_done(&r));
	assert_int_equal(fake_answer(f, &call), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
}

/* Closes that a provider does not take must not make others' look-ups fail. */
static void closes_do_not_crowd_out_questions(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;
	struct request r;

	listen_with_threads(f, &(struct core_mapping){"", CORE_EVENT_CLOSED}, 2);
	fake_add(f, "a", RECORD_FILE, 1);
	fake_add(f, "b", RECORD_FILE, 1);
	id = find(f, "a").node_id;
	f->gate = KIND(NOTIFY);
	for (int i = 0; i < COMMAND_QUEUE_MAX + 10; i++) {
		assert_int_equal(open_file(f, id, O_RDONLY, &handle), 0);
		close_file(f, id, handle);
	}
	request_init(f, &r, WANT_ENTRY);
	core_lookup(f->core, &r.req, CORE_ROOT_ID, "b");
	assert_int_equal(request_wait(&r), 0);
	fake_open_gate(f);
	fake_stop(f);
	assert_int_equal(STAT(f, notifications), COMMAND_QUEUE_MAX + 10);
	assert_int_equal(STAT(f, notifications_lost), 0);
}

/* ---- becoming full ------------------------------------------------------------------------------ */

#define N_RACERS 4
#define N_RACES 100

struct race {
	struct fake *f;
	pthread_barrier_t *barrier;
	const uint64_t *ids;
	unsigned char digit;
};

static void *write_all_files(void *arg)
{
	struct race *race = arg;
	char text[2] = {(char)race->digit};

	for (size_t i = 0; i < N_RACES; i++) {
		(void)pthread_barrier_wait(race->barrier);
		assert_int_equal(write_text(race->f, race->ids[i], race->digit - '0', text), 0);
	}
	return NULL;
}

static void writers_that_race_ask_once(void **state)
{
	struct fake *f = *state;
	uint64_t ids[N_RACES];
	pthread_barrier_t barrier;
	pthread_t threads[N_RACERS];
	struct race races[N_RACERS];

	listen_with_threads(f, &(struct core_mapping){"", CORE_EVENT_PRE_CONVERT}, 4);
	pthread_barrier_init(&barrier, NULL, N_RACERS);
	for (size_t i = 0; i < N_RACES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%zu", i);
		fake_add(f, name, RECORD_FILE, 4);
		ids[i] = find(f, name).node_id;
		assert_int_equal(hydrate_node(f, ids[i]), 0);
	}
	for (int i = 0; i < N_RACERS; i++) {
		races[i] = (struct race){f, &barrier, ids, (unsigned char)('0' + i)};
		assert_int_equal(pthread_create(&threads[i], NULL, write_all_files, &races[i]), 0);
	}
	for (int i = 0; i < N_RACERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(fake_count(f, COMMAND_NOTIFY), N_RACES);
}

/* The provider agreed to one change, not to all that come after that was undone. */
static void after_a_restore_it_is_asked_again(void **state)
{
	struct fake *f = *state;

	LISTEN(f, {"", CORE_EVENT_PRE_CONVERT});
	fake_add(f, "a", RECORD_FILE, 4);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	assert_int_equal(restore(f, "a"), 0);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	assert_told(f, "pre-convert a; pre-convert a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(one_item_is_told_in_order_and_others_do_not_wait),
	        TEST(a_pended_one_lets_the_next_come),
	        TEST(a_question_that_nobody_waits_for_is_not_asked),
	        TEST(stopping_delivers_what_has_happened),
	        TEST(stopping_does_not_wait_for_what_the_provider_pends_meanwhile),
	        TEST(stopping_ends_those_who_wait),
	        TEST(fetching_after_a_question_has_its_own_time),
	        TEST(closes_do_not_crowd_out_questions),
	        TEST(writers_that_race_ask_once),
	        TEST(after_a_restore_it_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
