/* SPDX-License-Identifier: MIT */
/*
 * Every call of the provider fails once: the same work is done again and again, each time in a new instance, and the
 * n-th callback says an error, until there is no n-th callback any more.  What an application sees is that error or
 * success, never another one; then the same work succeeds; and nothing is left over, for which fake_teardown() looks.
 */

#include "changes.h"

#include <stdio.h>

/* ---- the work -------------------------------------------------------------------------------- */

static int walk(struct fake *f, const char *path, uint64_t *ret)
{
	struct core_entry entry = {.node_id = CORE_ROOT_ID};
	char copy[300], *rest = copy, *name;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, "/"))) {
		int r = lookup(f, entry.node_id, name, &entry);

		if (r == 0 && !entry.node_id)
			r = -ENOENT;
		if (r < 0)
			return r;
	}
	*ret = entry.node_id;
	return 0;
}

static int list(struct fake *f, uint64_t id, bool plus)
{
	uint64_t handle = open_dir(f, id);
	struct request r;
	int error = read_dir(f, id, handle, 0, 0, plus, &r);

	request_deinit(&r);
	core_releasedir(f->core, id, handle);
	return error;
}

static int lists_the_root(struct fake *f)
{
	return list(f, CORE_ROOT_ID, true);
}

static int lists_a_directory(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d", &id);

	return r < 0 ? r : list(f, id, false);
}

static int reads(struct fake *f, const char *path, uint64_t offset, size_t size)
{
	int64_t n;
	uint64_t id;
	int r = walk(f, path, &id);

	if (r < 0)
		return r;
	n = read_check(f, id, fake_find(f, path), offset, size);
	return n < 0 ? (int)n : (size_t)n == size ? 0 : -EILSEQ;
}

static int reads_a_file(struct fake *f)
{
	return reads(f, "d/read", 0, 100);
}

static int reads_in_a_large_file(struct fake *f)
{
	return reads(f, "d/large", 2 * MIB, 5000);
}

static int hydrates(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d/hydrated", &id);

	return r < 0 ? r : hydrate_node(f, id);
}

static int writes(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d/written", &id);

	return r < 0 ? r : write_text(f, id, 50, "new");
}

static int cuts(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d/cut", &id);

	return r < 0 ? r : cut(f, id, 10);
}

static int empties(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d/emptied", &id);

	return r < 0 ? r : cut(f, id, 0);
}

static int changes_a_mode(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "d/mode", &id);

	return r < 0 ? r : change_mode(f, id, 0600);
}

/* As the kernel does it: names are looked up before something is done to them. */
static int moves(struct fake *f, const char *name, const char *new_name)
{
	uint64_t from, to;
	int r = walk(f, "d", &from);

	if (r == 0)
		r = lookup(f, from, name, NULL);
	if (r == 0)
		r = walk(f, "e", &to);
	if (r < 0)
		return r;
	r = lookup(f, to, new_name, NULL);
	return r < 0 && r != -ENOENT ? r : move(f, from, name, to, new_name, 0);
}

static int renames(struct fake *f)
{
	return moves(f, "renamed", "renamed2");
}

static int renames_over_another(struct fake *f)
{
	return moves(f, "winner", "loser");
}

static int renames_a_directory(struct fake *f)
{
	return moves(f, "sub", "sub2");
}

static int links(struct fake *f)
{
	uint64_t id, to;
	int r = walk(f, "d/linked", &id);

	if (r == 0)
		r = walk(f, "e", &to);
	return r < 0 ? r : add_name(f, id, to, "hard");
}

static int removes(struct fake *f)
{
	uint64_t dir, id;
	int r = walk(f, "d/removed", &id);

	if (r == 0)
		r = walk(f, "d", &dir);
	return r < 0 ? r : remove_file(f, dir, "removed");
}

static int removes_a_directory(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "empty", &id);

	return r < 0 ? r : remove_dir(f, CORE_ROOT_ID, "empty");
}

/* What a user made goes away: what lies under it? */
static int makes_and_removes(struct fake *f)
{
	uint64_t id;
	int r = walk(f, "e", &id);

	if (r == 0)
		r = make_file(f, id, "made", NULL);
	if (r == 0 || r == -EEXIST)
		r = remove_file(f, id, "made");
	return r;
}

static int restores(struct fake *f)
{
	uint64_t dir, id;
	int r = walk(f, "e/restored", &id);

	if (r == 0)
		r = walk(f, "e", &dir);
	if (r == 0)
		r = remove_file(f, dir, "restored");
	if (r == 0)
		r = restore(f, "e/restored");
	return r < 0 ? r : walk(f, "e/restored", &id);
}

static int asks_for_a_state(struct fake *f)
{
	struct core_ioctl_state state;
	int r = state_of(f, "d/asked", 0, &state);

	return r == -ENOTDIR ? -ENOENT
	                     : r; /* how it tells that a directory on the way is missing */
}

static int reads_a_link(struct fake *f)
{
	struct request r;
	uint64_t id;
	int error = walk(f, "d/link", &id);

	if (error < 0)
		return error;
	request_init(f, &r, WANT_BYTES);
	core_readlink(f->core, &r.req, id);
	error = request_wait(&r);
	request_deinit(&r);
	return error;
}

#define OPERATION(function)                                                                        \
	{                                                                                          \
#function, function                                                                \
	}

static const struct {
	const char *name;
	int (*run)(struct fake *f);
} operations[] = {
        OPERATION(asks_for_a_state),
        OPERATION(reads_a_file),
        OPERATION(lists_the_root),
        OPERATION(lists_a_directory),
        OPERATION(reads_in_a_large_file),
        OPERATION(reads_a_link),
        OPERATION(hydrates),
        OPERATION(writes),
        OPERATION(cuts),
        OPERATION(empties),
        OPERATION(changes_a_mode),
        OPERATION(renames),
        OPERATION(renames_over_another),
        OPERATION(renames_a_directory),
        OPERATION(links),
        OPERATION(removes),
        OPERATION(removes_a_directory),
        OPERATION(makes_and_removes),
        OPERATION(restores),
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void add_view(struct fake *f)
{
	static const char *const files[] = {"d/read",    "d/hydrated", "d/written", "d/cut",
	                                    "d/emptied", "d/mode",     "d/renamed", "d/winner",
	                                    "d/linked",  "d/removed",  "d/asked",   "d/sub/x",
	                                    "e/loser",   "e/restored"};

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/sub", RECORD_DIRECTORY, 0);
	fake_add(f, "e", RECORD_DIRECTORY, 0);
	fake_add(f, "empty", RECORD_DIRECTORY, 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fake_add(f, files[i], RECORD_FILE, 100);
	fake_add(f, "d/large", RECORD_FILE, 3 * MIB);
	fake_add(f, "d/link", RECORD_SYMLINK, 0)->target = "read";
}

/* ---- the provider ---------------------------------------------------------------------------- */

/* What is pended is completed here, one after the other. */
static struct completer {
	struct fake *f;
	pthread_mutex_t lock; /* protects all that follows */
	pthread_cond_t changed;
	struct fake_call calls[16];
	int errors[16];
	size_t n;
	bool is_pending; /* callbacks are pended at all */
	bool quit;
	pthread_t thread;
	/* Which callback fails, and with what. */
	size_t n_callbacks, failing;
	int error;
} completer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *completer_main(void *arg)
{
	struct completer *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct fake_call call;
		int error;

		while (!c->n && !c->quit)
			pthread_cond_wait(&c->changed, &c->lock);
		if (!c->n)
			break;
		c->n--;
		call = c->calls[c->n];
		error = c->errors[c->n];
		pthread_mutex_unlock(&c->lock);
		(void)fake_complete(c->f, &call, error ? error : fake_answer(c->f, &call));
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int answer_or_fail(struct fake *f, const struct fake_call *call)
{
	struct completer *c = &completer;
	bool pend;
	int error;

	pthread_mutex_lock(&c->lock);
	error = ++c->n_callbacks == c->failing ? c->error : 0;
	pend = c->is_pending;
	if (pend) {
		c->calls[c->n] = *call;
		c->errors[c->n++] = error;
		pthread_cond_signal(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return pend ? CORE_PENDING : error ? error : fake_answer(f, call);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static struct fake *start_instance(bool stable, bool pend, size_t failing, int error)
{
	struct completer *c = &completer;
	void *state;

	assert_int_equal(fake_setup(&state), 0);
	c->f = state;
	c->n = c->n_callbacks = 0;
	c->quit = false;
	c->is_pending = pend;
	c->failing = failing;
	c->error = error;
	c->f->config.stable_view = stable;
	c->f->hook = answer_or_fail;
	fake_restart(c->f);
	add_view(c->f);
	assert_int_equal(pthread_create(&c->thread, NULL, completer_main, c), 0);
	return c->f;
}

static void end_instance(struct fake *f)
{
	struct completer *c = &completer;
	void *state = f;

	/* Listings are ended by a callback that may be pended, too. */
	fake_stop(f);
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	(void)fake_teardown(&state);
}

/* All operations; in @results what came of each.  The first that went wrong is told in @text. */
static void work(struct fake *f, int error, int *results, char *text, size_t size)
{
	for (size_t i = 0; i < N_OPERATIONS; i++) {
		if (!results[i])
			continue; /* done before */
		results[i] = operations[i].run(f);
		if (results[i] != 0 && results[i] != error && !*text)
			(void)snprintf(text, size, "\"%s\" says %s", operations[i].name,
			               strerror(-results[i]));
	}
}

/* false: there was no such callback. */
static bool fail_one(bool stable, bool pend, size_t failing, int error)
{
	struct fake *f = start_instance(stable, pend, failing, error);
	/* To a stable view "not found" is no failure but an answer, which holds. */
	int later = stable && error == -ENOENT ? error : 0;
	char text[200] = "", text_again[200] = "";
	int results[N_OPERATIONS];
	size_t n_callbacks;

	for (size_t i = 0; i < N_OPERATIONS; i++)
		results[i] = 1;
	work(f, error, results, text, sizeof(text));
	pthread_mutex_lock(&completer.lock);
	n_callbacks = completer.n_callbacks;
	pthread_mutex_unlock(&completer.lock);
	work(f, later, results, text_again, sizeof(text_again));
	end_instance(f);
	if (*text)
		fail_msg("callback %zu said %s: %s", failing, strerror(-error), text);
	if (*text_again)
		fail_msg("callback %zu said %s: %s when done again", failing, strerror(-error),
		         text_again);
	return failing <= n_callbacks;
}

static void fail_each(bool stable, bool pend)
{
	static const int errors[] = {-EIO, -ENOENT, -EACCES, -ENOMEM};
	/* Those that are treated alike in all that comes after the answer need not be pended, too. */
	size_t n_errors = pend ? 2 : 4;

	for (size_t i = 0; i < n_errors; i++) {
		size_t n = 1;

		while (fail_one(stable, pend, n, errors[i]))
			n++;
		assert_true(n > N_OPERATIONS);
	}
}

static void each_callback_may_fail_in_a_live_view(void **state)
{
	fail_each(false, false);
}

static void each_callback_may_fail_in_a_stable_view(void **state)
{
	fail_each(true, false);
}

static void each_pended_callback_may_fail_in_a_live_view(void **state)
{
	fail_each(false, true);
}

static void each_pended_callback_may_fail_in_a_stable_view(void **state)
{
	fail_each(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_callback_may_fail_in_a_live_view),
	        cmocka_unit_test(each_callback_may_fail_in_a_stable_view),
	        cmocka_unit_test(each_pended_callback_may_fail_in_a_live_view),
	        cmocka_unit_test(each_pended_callback_may_fail_in_a_stable_view),
	};

	return cmocka_run_group_tests_name("core: failures", tests, NULL, NULL);
}
