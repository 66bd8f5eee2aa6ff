/* SPDX-License-Identifier: MIT */
/* Changes in several steps that a crash has parted. */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/intent.h"

static char replayed[64];
static int verdict;

static int replay(struct store *s, const void *payload, size_t size)
{
	strncat(replayed, payload, size);
	return verdict;
}

static const struct intent_handler handlers[] = {{.type = 9, .replay = replay}};

static int setup(void **state)
{
	replayed[0] = '\0';
	verdict = 0;
	return fixture_setup(state);
}

static void finished_intents_leave_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	assert_int_equal(intent_begin(f->store, 9, "a", 1, &id), 0);
	assert_int_equal(count_private(f, "intent"), 1);
	assert_int_equal(intent_end(f->store, id), 0);
	assert_int_equal(count_private(f, "intent"), 0);
	assert_int_equal(intent_end(f->store, id), -ENOENT);
	assert_int_equal(intent_replay(f->store, handlers, 1), 0);
	assert_string_equal(replayed, "");
}

static void leftover_intents_are_replayed_in_their_order(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	assert_int_equal(intent_begin(f->store, 9, "a", 1, &id), 0);
	assert_int_equal(intent_begin(f->store, 9, "b", 1, &id), 0);
	assert_int_equal(intent_begin(f->store, 9, "c", 1, &id), 0);
	assert_int_equal(intent_replay(f->store, handlers, 1), 0);
	assert_string_equal(replayed, "abc");
	assert_int_equal(count_private(f, "intent"), 0);
}

static void failing_replay_keeps_the_intent(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	assert_int_equal(intent_begin(f->store, 9, "a", 1, &id), 0);
	verdict = -EIO;
	assert_int_equal(intent_replay(f->store, handlers, 1), -EIO);
	assert_int_equal(count_private(f, "intent"), 1);
	verdict = 0;
	assert_int_equal(intent_replay(f->store, handlers, 1), 0);
	assert_string_equal(replayed, "aa");
}

static void torn_intents_are_set_aside(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	assert_int_equal(intent_begin(f->store, 9, "a", 1, &id), 0);
	write_file(fixture_at(f, ".projfs/intent/00000000000000ff"), "\001\011torn off");
	assert_int_equal(unlink(fixture_at(f, ".projfs/intent/0000000000000000")), 0);
	write_file(fixture_at(f, ".projfs/intent/0000000000000000"), "");
	assert_int_equal(intent_replay(f->store, handlers, 1), 0);
	assert_int_equal(access(fixture_at(f, ".projfs/intent/bad-00000000000000ff"), F_OK), 0);
	assert_int_equal(access(fixture_at(f, ".projfs/intent/bad-0000000000000000"), F_OK), 0);
	assert_int_equal(intent_begin(f->store, 9, "b", 1, &id), 0);
	assert_int_equal(id, 0x100);
}

static void unknown_intent_fails_the_start(void **state)
{
	struct fixture *f = *state;
	struct errmsg err;
	uint64_t id;

	assert_int_equal(intent_begin(f->store, 200, "a", 1, &id), 0);
	f->store = store_free(f->store);
	assert_int_equal(store_open(f->path, &f->store, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "newer"));
	assert_int_equal(count_private(f, "intent"), 1);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(finished_intents_leave_nothing),
	        OPEN(leftover_intents_are_replayed_in_their_order),
	        OPEN(failing_replay_keeps_the_intent),
	        OPEN(torn_intents_are_set_aside),
	        OPEN(unknown_intent_fails_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
