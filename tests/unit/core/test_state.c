/* SPDX-License-Identifier: MIT */
/* Asking for the state of an item does not change it. */

#include "fake.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void asking_makes_no_placeholder(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 10);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(state_of(f, "d/a", 0, &info), 0);
		assert_int_equal(info.state, 0);
		assert_int_equal(info.mode, S_IFREG | 0644);
		assert_int_equal(info.size, 10);
		assert_int_equal(info.local_bytes, 0);
		assert_string_equal((char *)info.content_id, "v1");
		/* The callback's thread lets go of the node a moment after the answer. */
		while (STAT(f, n_nodes) != 1)
			(void)sched_yield();
	}
	assert_int_equal(STAT(f, n_nodes), 1);
	find(f, "d/a");
	assert_int_equal(state_of(f, "d/a", 0, &info), 0);
	assert_int_equal(info.state, 1);
	assert_int_equal(state_of(f, "", 0, &info), 0);
	assert_int_equal(info.state, 1);
}

static void a_listed_name_is_not_asked_for(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	fake_add(f, "a", RECORD_FILE, 10);
	assert_int_equal(state_of(f, "a", CORE_IOCTL_STATE_LISTED, &info), 0);
	assert_int_equal(info.state, 0);
	assert_int_equal(info.size, 0);
	assert_int_equal(info.local_bytes, 0);
	assert_int_equal(info.content_id[0], 0);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
}

static void each_state_is_told_from_the_others(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	fake_add(f, "hydrated", RECORD_FILE, 10);
	assert_int_equal(hydrate_node(f, find(f, "hydrated").node_id), 0);
	fake_put_file(f, "local", "mine");
	put_tombstone(f, "dead");
	for (unsigned flags = 0; flags < 2; flags++) {
		assert_int_equal(state_of(f, "hydrated", flags, &info), 0);
		assert_int_equal(info.state, 3);
		assert_int_equal(info.local_bytes, 10);
		assert_int_equal(state_of(f, "local", flags, &info), 0);
		assert_int_equal(info.state, 8);
		assert_int_equal(state_of(f, "dead", flags, &info), 0);
		assert_int_equal(info.state, 0x10);
		assert_int_equal(info.mode, 0);
		assert_int_equal(info.size, 0);
	}
}

static void what_is_missing_is_told_from_where_it_is_missing(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	fake_add(f, "a", RECORD_FILE, 10);
	assert_int_equal(state_of(f, "no", 0, &info), -ENOENT);
	assert_int_equal(state_of(f, "no/a", 0, &info), -ENOTDIR);
	assert_int_equal(state_of(f, "no/a/b", 0, &info), -ENOTDIR);
	assert_int_equal(state_of(f, "a/b", 0, &info), -ENOTDIR);
	assert_int_equal(state_of(f, "a//b", 0, &info), -EINVAL);
	assert_int_equal(state_of(f, "/a", 0, &info), -EINVAL);
	assert_int_equal(state_of(f, "../a", 0, &info), -EINVAL);
}

static void an_expired_placeholder_in_a_directory_is_one_still(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state info;

	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 10);
	find(f, "d/a");
	while (fake_count(f, COMMAND_PLACEHOLDER) < 8) {
		assert_int_equal(state_of(f, "d/a", 0, &info), 0);
		assert_int_equal(info.state, 1);
	}
}

static void odd_ioctls_are_refused(void **state)
{
	struct fake *f = *state;
	struct core_ioctl_state *arg = calloc(1, sizeof(*arg));
	struct request r;

	fake_add(f, "a", RECORD_FILE, 10);
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, CORE_ROOT_ID, 12345, NULL, 0);
	assert_int_equal(request_wait(&r), -ENOTTY);
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, CORE_ROOT_ID, CORE_IOCTL_STATE, arg, 10);
	assert_int_equal(request_wait(&r), -EINVAL);
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, find(f, "a").node_id, CORE_IOCTL_STATE, arg, sizeof(*arg));
	assert_int_equal(request_wait(&r), -ENOTTY);
	memset(arg->path, 'x', sizeof(arg->path));
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, CORE_ROOT_ID, CORE_IOCTL_STATE, arg, sizeof(*arg));
	assert_int_equal(request_wait(&r), -EINVAL);
	assert_int_equal(hydrate_node(f, CORE_ROOT_ID), 0);
	assert_int_equal(hydrate_node(f, 777), -ESTALE);
	free(arg);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(asking_makes_no_placeholder),
	        T(a_listed_name_is_not_asked_for),
	        T(each_state_is_told_from_the_others),
	        T(what_is_missing_is_told_from_where_it_is_missing),
	        T(an_expired_placeholder_in_a_directory_is_one_still),
	        T(odd_ioctls_are_refused),
	};

	return cmocka_run_group_tests_name("core: state", tests, NULL, NULL);
}
