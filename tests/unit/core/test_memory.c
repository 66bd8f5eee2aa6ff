/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once.  The linker sends this program's calls of malloc() and its like through here
 * (--wrap); one that is counted down to zero fails.  A failure may make a request fail; it may not crash, hang,
 * leak, or leave something behind that makes the next try fail.
 */

#include "fake.h"

#include <stdatomic.h>
#include <stdio.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static atomic_int until_failure; /* 0: never */
static atomic_bool has_failed;

static bool fails(void)
{
	if (!until_failure || atomic_fetch_sub(&until_failure, 1) != 1)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}

struct answer {
	struct core_req req;
	struct fake *f;
	bool done;
	int error;
	struct core_entry entry;
	uint64_t handle;
	size_t n_entries, length;
};

static void on_done(struct core_req *req, int error)
{
	struct answer *a = (struct answer *)req;

	pthread_mutex_lock(&a->f->lock);
	a->error = error;
	a->entry = req->ret.entry;
	a->handle = req->ret.open.handle;
	a->length = req->ret.read.length;
	a->done = true;
	pthread_cond_broadcast(&a->f->changed);
	pthread_mutex_unlock(&a->f->lock);
}

static bool on_emit(struct core_req *req, const struct core_dirent *d)
{
	((struct answer *)req)->n_entries++;
	return true;
}

static int wait_for(struct answer *a)
{
	pthread_mutex_lock(&a->f->lock);
	while (!a->done)
		pthread_cond_wait(&a->f->changed, &a->f->lock);
	pthread_mutex_unlock(&a->f->lock);
	return a->error;
}

#define ANSWER(f)                                                                                  \
	{                                                                                          \
		.req = {.done = on_done, .emit = on_emit}, .f = (f)                                \
	}

static int scenario(struct fake *f, const char *dir)
{
	struct answer d = ANSWER(f), a = ANSWER(f), r = ANSWER(f), o = ANSWER(f), l = ANSWER(f);
	int error;

	core_lookup(f->core, &d.req, CORE_ROOT_ID, dir);
	error = wait_for(&d);
	if (error < 0)
		return error;
	core_lookup(f->core, &a.req, d.entry.node_id, "a");
	error = wait_for(&a);
	if (error == 0) {
		core_read(f->core, &r.req, a.entry.node_id, 0, 0, 100);
		error = wait_for(&r);
		if (error == 0 && r.length != 100)
			error = -EILSEQ;
		core_forget(f->core, a.entry.node_id, 1);
	}
	if (error == 0) {
		core_opendir(f->core, &o.req, d.entry.node_id);
		error = wait_for(&o);
	}
	if (error == 0) {
		core_readdir(f->core, &l.req, d.entry.node_id, o.handle, 0, false);
		error = wait_for(&l);
		if (error == 0 && l.n_entries != 4)
			error = -EILSEQ;
		core_releasedir(f->core, d.entry.node_id, o.handle);
	}
	core_forget(f->core, d.entry.node_id, 1);
	return error;
}

static int error_of(int r)
{
	return r == -ENOMEM || r == -EIO ? -ENOMEM : r;
}

static void each_allocation_may_fail_once(void **state)
{
	struct fake *f = *state;
	char dir[16], path[32];
	int n_failed = 0;

	f->config.n_callback_threads = 1;
	fake_restart(f);
	for (int n = 1;; n++) {
		int r;

		(void)snprintf(dir, sizeof(dir), "d%d", n);
		f->n_items = 0;
		fake_add(f, dir, RECORD_DIRECTORY, 0);
		(void)snprintf(path, sizeof(path), "d%d/a", n);
		fake_add(f, path, RECORD_FILE, n % 2 ? 100 : 3 * MIB);
		(void)snprintf(path, sizeof(path), "d%d/b", n);
		fake_add(f, path, RECORD_FILE, 100);
		has_failed = false;
		until_failure = n;
		r = scenario(f, dir);
		until_failure = 0;
		if (r == 0 && !has_failed)
			break;
		if (r < 0)
			assert_int_equal(error_of(r), -ENOMEM);
		n_failed += r < 0;
		r = scenario(f, dir);
		if (r != 0)
			fail_msg("after allocation %d failed, the next try says %s", n,
			         strerror(-r));
	}
	assert_true(n_failed > 20);
}

static void an_instance_that_cannot_start_leaves_nothing(void **state)
{
	struct fake *f = *state;
	struct core *core;
	int n = 1;

	for (;; n++) {
		int r;

		until_failure = n;
		r = core_new(f->store, &f->config, &core);
		until_failure = 0;
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 4);
	core_stop(core);
	core_free(core);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(each_allocation_may_fail_once),
	        T(an_instance_that_cannot_start_leaves_nothing),
	};

	return cmocka_run_group_tests_name("core: memory", tests, NULL, NULL);
}
