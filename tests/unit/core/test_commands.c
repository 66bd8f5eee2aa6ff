/* SPDX-License-Identifier: MIT */
/* Waiting, and how it ends: completion, cancellation, time limits, killed callers, the end of the instance. */

#include "fake.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/command.h"

static void start_lookup(struct fake *f, struct request *r, const char *name)
{
	request_init(f, r, WANT_ENTRY);
	core_lookup(f->core, &r->req, CORE_ROOT_ID, name);
}

static void a_pended_command_is_completed_by_another_thread(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	fake_add(f, "a", RECORD_FILE, 1);
	f->pend = KIND(PLACEHOLDER);
	start_lookup(f, &r, "a");
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_int_equal(STAT(f, n_parked), 1);
	assert_int_equal(fake_answer(f, &call), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.entry.attr.size, 1);
	assert_int_equal(fake_complete(f, &call, 0), -EINVAL);
	assert_int_equal(core_complete(f->core, 0, 0, NULL), -EINVAL);
	assert_int_equal(core_complete(f->core, -1, 0, NULL), -EINVAL);
	assert_int_equal(core_complete(f->core, 99999, 0, NULL), -EINVAL);
}

static void a_cancelled_listing_may_still_be_filled_until_it_is_completed(void **state)
{
	struct record rec = {.kind = RECORD_FILE};
	struct fake *f = *state;
	struct fake_call call;
	struct request r;
	uint64_t dir;
	int added;

	f->config.lookup_timeout_ms = 50;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 1);
	f->pend = KIND(GET_ENUM);
	dir = open_dir(f, CORE_ROOT_ID);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, dir, 0, 0, false, &r), -ETIMEDOUT);
	request_deinit(&r);
	call = fake_wait_call(f, COMMAND_GET_ENUM, 0);
	fake_wait_cancelled(f, call.id);
	/* It is told a moment before the command has ended. */
	do {
		added = dir_buffer_add(call.buffer, "b", &rec);
	} while (added != -ECANCELED);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	core_releasedir(f->core, CORE_ROOT_ID, dir);
}

static int complete_early(struct fake *f, const struct fake_call *call)
{
	const struct core_completion more = {.buffer = call->buffer};
	int r = fake_answer(f, call);

	assert_int_equal(core_complete(f->core, call->id, r, &more), 0);
	assert_int_equal(core_complete(f->core, call->id, r, &more), -EINVAL);
	return CORE_PENDING;
}

static void completion_may_overtake_the_callbacks_return(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 100);
	char *names;

	f->hook = complete_early;
	assert_int_equal(read_check(f, find(f, "a").node_id, item, 0, 100), 100);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "no", NULL), -ENOENT);
	f->n_started++; /* the hook's answer to START is not seen as one */
	names = names_of(f, CORE_ROOT_ID);
	assert_string_equal(names, "a");
	free(names);
}

static void a_look_up_that_takes_too_long_is_cancelled(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	f->config.lookup_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "a", RECORD_FILE, 1);
	f->pend = KIND(PLACEHOLDER);
	start_lookup(f, &r, "a");
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_int_equal(request_wait(&r), -ETIMEDOUT);
	fake_wait_cancelled(f, call.id);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(STAT(f, timeouts), 1);
	assert_int_equal(STAT(f, cancels), 1);
	f->pend = 0;
	f->config.lookup_timeout_ms = 15000;
	fake_restart(f);
	assert_int_equal(find(f, "a").attr.size, 1);
}

static void a_read_that_takes_too_long_is_cancelled(void **state)
{
	static const uint64_t sizes[] = {100, 3 * MIB};
	struct fake *f = *state;

	for (int i = 0; i < 2; i++) {
		char name[8] = {(char)('a' + i)};
		struct fake_item *item = fake_add(f, name, RECORD_FILE, sizes[i]);
		struct fake_call call;
		uint64_t id;

		f->config.data_timeout_ms = 10;
		fake_restart(f);
		id = find(f, name).node_id;
		f->pend = KIND(DATA);
		assert_int_equal(read_check(f, id, item, 0, 100), -ETIMEDOUT);
		call = fake_wait_call(f, COMMAND_DATA, 0);
		fake_wait_cancelled(f, call.id);
		assert_int_equal(fake_deliver(f, &call, 0, 100), -EBADF);
		assert_int_equal(fake_complete(f, &call, 0), 0);
		f->pend = 0;
		f->config.data_timeout_ms = 15000; /* the disk may be busy */
		fake_restart(f);
		id = find(f, name).node_id;
		assert_int_equal(read_check(f, id, item, 0, 100), 100);
	}
}

/* Answers that come in while somebody gives up: nobody who came later may suffer. */
static void *read_again_and_again(void *arg)
{
	struct fake *f = arg;

	for (int i = 0; i < 200; i++) {
		int r = lookup(f, CORE_ROOT_ID, "slow", NULL);

		assert_true(r == 0 || r == -ETIMEDOUT);
	}
	return NULL;
}

static void giving_up_and_asking_again_do_not_disturb_each_other(void **state)
{
	struct fake *f = *state;
	pthread_t threads[4];

	f->may_keep = true;
	f->config.lookup_timeout_ms = 1;
	f->config.placeholder_timeout_ms = 10;
	fake_restart(f);
	fake_add(f, "slow", RECORD_FILE, 1);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, read_again_and_again, f);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static pid_t stopped_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void a_killed_caller_is_let_go_and_another_one_is_not(void **state)
{
	struct fake *f = *state;
	struct request dying, living;
	struct fake_call call;
	pid_t pid = stopped_child();

	fake_add(f, "a", RECORD_FILE, 1);
	f->pend = KIND(PLACEHOLDER);
	/* A stopped process keeps SIGTERM pending. */
	assert_int_equal(kill(pid, SIGTERM), 0);
	request_init(f, &dying, WANT_ENTRY);
	dying.req.unique = 2;
	dying.req.pid = (uint32_t)pid;
	request_init(f, &living, WANT_ENTRY);
	living.req.unique = 4;
	living.req.pid = (uint32_t)getpid();
	core_lookup(f->core, &dying.req, CORE_ROOT_ID, "a");
	core_lookup(f->core, &living.req, CORE_ROOT_ID, "a");
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_int_equal(core_interrupt(f->core, 4), 0);
	assert_int_equal(core_interrupt(f->core, 2), 0);
	assert_int_equal(request_wait(&dying), -EINTR);
	assert_false(request_is_done(&living));
	assert_int_equal(fake_answer(f, &call), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&living), 0);
	assert_int_equal(STAT(f, interrupted), 1);
	assert_int_equal(STAT(f, cancels), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void an_interrupt_may_overtake_its_request(void **state)
{
	struct fake *f = *state;
	struct request r;
	pid_t pid = stopped_child();

	f->pend = KIND(PLACEHOLDER);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(core_interrupt(f->core, 6), 0);
	request_init(f, &r, WANT_ENTRY);
	r.req.unique = 6;
	r.req.pid = (uint32_t)pid;
	core_lookup(f->core, &r.req, CORE_ROOT_ID, "a");
	assert_int_equal(request_wait(&r), -EINTR);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *stop(void *arg)
{
	struct fake *f = arg;

	core_stop(f->core);
	return NULL;
}

static void stopping_ends_queued_running_and_pended_commands(void **state)
{
	struct fake *f = *state;
	struct request pended[3], running, queued, listing;
	uint64_t handle, id;
	pthread_t stopper;

	f->config.n_callback_threads = 1;
	fake_restart(f);
	fake_add(f, "large", RECORD_FILE, 5 * MIB);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	id = find(f, "large").node_id;
	handle = open_dir(f, find(f, "d").node_id);
	f->pend = KIND(DATA) | KIND(PLACEHOLDER) | KIND(GET_ENUM);
	request_init(f, &pended[0], WANT_DATA);
	core_read(f->core, &pended[0].req, id, 0, 0, 10);
	start_lookup(f, &pended[1], "a");
	request_init(f, &listing, WANT_NOTHING);
	core_readdir(f->core, &listing.req, find(f, "d").node_id, handle, 0, false);
	request_init(f, &pended[2], WANT_BYTES);
	core_ioctl(f->core, &pended[2].req, id, CORE_IOCTL_HYDRATE, NULL, 0);
	fake_wait_call(f, COMMAND_DATA, 1);
	fake_wait_call(f, COMMAND_PLACEHOLDER, 2);
	fake_wait_call(f, COMMAND_GET_ENUM, 0);
	f->gate = KIND(PLACEHOLDER);
	f->n_gated = 0;
	start_lookup(f, &running, "b");
	fake_wait_gated(f, 1);
	start_lookup(f, &queued, "c");
	pthread_create(&stopper, NULL, stop, f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(request_wait(&pended[i]), -ENOTCONN);
	assert_int_equal(request_wait(&running), -ENOTCONN);
	assert_int_equal(request_wait(&queued), -ENOTCONN);
	assert_int_equal(request_wait(&listing), -ENOTCONN);
	fake_open_gate(f);
	pthread_join(stopper, NULL);
	f->stopped = true;
	assert_int_equal(fake_count(f, COMMAND_END_ENUM), 1);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "x", NULL), -ENOTCONN);
	assert_int_equal(read_check(f, id, fake_find(f, "large"), 0, 10), -ENOTCONN);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	for (int i = 0; i < 3; i++)
		request_deinit(&pended[i]);
	request_deinit(&listing);
}

static void *work(void *arg)
{
	struct fake *f = arg;

	for (int i = 0;; i++) {
		struct core_entry entry;
		struct request r;
		char name[16];
		int error;

		(void)snprintf(name, sizeof(name), "f%d", i % 20);
		error = lookup(f, CORE_ROOT_ID, name, &entry);
		if (error == 0)
			error = (int)read_check(f, entry.node_id, fake_find(f, name), 0, 5000);
		if (error >= 0) {
			uint64_t handle = open_dir(f, CORE_ROOT_ID);

			error = read_dir(f, CORE_ROOT_ID, handle, 0, 0, true, &r);
			request_deinit(&r);
			core_releasedir(f->core, CORE_ROOT_ID, handle);
		}
		if (error < 0)
			return (void *)(intptr_t)error;
	}
}

static void stopping_in_the_middle_of_work_hangs_nobody(void **state)
{
	struct fake *f = *state;
	pthread_t threads[4];

	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%d", i);
		fake_add(f, name, RECORD_FILE, i % 2 ? 5000 : 2 * MIB);
	}
	f->may_keep = true;
	for (int round = 0; round < 5; round++) {
		f->config.placeholder_timeout_ms = 10;
		fake_restart(f);
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, work, f);
		fake_wait_call(f, COMMAND_END_ENUM, (size_t)round);
		fake_stop(f);
		for (int i = 0; i < 4; i++) {
			void *error;

			pthread_join(threads[i], &error);
			/* Which error depends on the moment; the test of each kind of command tells them apart. */
			assert_true((intptr_t)error < 0);
		}
	}
}

struct flood {
	struct core_req req;
	int error;
	bool done;
};

static void flood_done(struct core_req *req, int error)
{
	struct flood *one = (struct flood *)req;

	one->error = error;
	one->done = true;
}

static void the_queue_of_callbacks_has_a_bound(void **state)
{
	struct fake *f = *state;
	struct flood *all = calloc(COMMAND_QUEUE_MAX + 1, sizeof(*all));
	struct request first;
	char name[16];

	f->config.n_callback_threads = 1;
	fake_restart(f);
	f->gate = KIND(PLACEHOLDER);
	start_lookup(f, &first, "first");
	fake_wait_gated(f, 1);
	for (size_t i = 0; i <= COMMAND_QUEUE_MAX; i++) {
		all[i].req.done = flood_done;
		(void)snprintf(name, sizeof(name), "%zu", i);
		core_lookup(f->core, &all[i].req, CORE_ROOT_ID, name);
	}
	assert_false(all[COMMAND_QUEUE_MAX - 1].done);
	assert_true(all[COMMAND_QUEUE_MAX].done);
	assert_int_equal(all[COMMAND_QUEUE_MAX].error, -EIO);
	f->error[COMMAND_PLACEHOLDER] = -ENOENT;
	pthread_mutex_lock(&f->lock);
	f->gate = 0;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	assert_int_equal(request_wait(&first), -ENOENT);
	fake_stop(f);
	for (size_t i = 0; i <= COMMAND_QUEUE_MAX; i++)
		assert_true(all[i].done && all[i].error < 0);
	free(all);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_pended_command_is_completed_by_another_thread),
	        T(a_cancelled_listing_may_still_be_filled_until_it_is_completed),
	        T(completion_may_overtake_the_callbacks_return),
	        T(a_look_up_that_takes_too_long_is_cancelled),
	        T(a_read_that_takes_too_long_is_cancelled),
	        T(giving_up_and_asking_again_do_not_disturb_each_other),
	        T(a_killed_caller_is_let_go_and_another_one_is_not),
	        T(an_interrupt_may_overtake_its_request),
	        T(stopping_ends_queued_running_and_pended_commands),
	        T(stopping_in_the_middle_of_work_hangs_nobody),
	        T(the_queue_of_callbacks_has_a_bound),
	};

	return cmocka_run_group_tests_name("core: commands", tests, NULL, NULL);
}
