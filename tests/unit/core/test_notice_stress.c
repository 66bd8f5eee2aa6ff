/* SPDX-License-Identifier: MIT */
/*
 * Several users who make, open, write, close, rename and remove the same few names, and a provider that hears of
 * everything, answers now or later, and refuses now and then, until it is stopped.  From what it was told of an
 * item, in order, it must be able to say where the item is: that is what the order is for.
 *
 * Like the kernel, a user holds the directory while he changes its names.
 */

#include "told.h"

#include <sched.h>
#include <stdio.h>

#include "util/clock.h"

#define N_USERS 4
#define N_NAMES 6
#define N_CALLS 200000
#define N_PENDED 64
#define RUN_MS 1500

struct stress {
	struct fake *f;
	pthread_mutex_t dir;
	uint64_t end_ms;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct fake_call *calls;
	size_t n_calls;
	int32_t pended[N_PENDED];
	size_t n_pended;
	bool quit;
	unsigned seed;
};

struct user {
	struct stress *s;
	unsigned seed;
	unsigned long n_done;
};

/* The hook has no context of its own. */
static struct stress *current;

/* ---- the provider -------------------------------------------------------------------------------- */

static int hear(struct fake *f, const struct fake_call *call)
{
	const uint32_t deniable = CORE_EVENT_OPENED | CORE_EVENT_PRE_CONVERT |
	                          CORE_EVENT_PRE_DELETE | CORE_EVENT_PRE_RENAME;
	struct stress *s = current;
	int dice, r = 0;

	if (call->kind != COMMAND_NOTIFY)
		return fake_answer(f, call);
	pthread_mutex_lock(&s->lock);
	if (s->n_calls < N_CALLS)
		s->calls[s->n_calls++] = *call;
	dice = rand_r(&s->seed) % 8;
	if (dice < 2 && s->n_pended < N_PENDED && !s->quit) {
		s->pended[s->n_pended++] = call->id;
		pthread_cond_signal(&s->work);
		r = CORE_PENDING;
	} else if (dice == 7 && (call->event & deniable)) {
		r = -EACCES;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void *answer_later(void *arg)
{
	struct stress *s = arg;

	pthread_mutex_lock(&s->lock);
	while (s->n_pended || !s->quit) {
		int32_t id;
		int error;

		if (!s->n_pended) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		id = s->pended[--s->n_pended];
		error = rand_r(&s->seed) % 8 ? 0 : -EACCES;
		pthread_mutex_unlock(&s->lock);
		(void)core_complete(s->f->core, id, error, NULL);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the users ----------------------------------------------------------------------------------- */

static void name_of(struct user *u, char ret[8])
{
	(void)snprintf(ret, 8, "n%d", rand_r(&u->seed) % N_NAMES);
}

static bool is_over(const struct user *u, int r)
{
	return r == -ENOTCONN || clock_now_ms() >= u->s->end_ms;
}

static int use_open(struct user *u, uint64_t id, uint64_t handle)
{
	struct fake *f = u->s->f;
	int r = 0;

	if (rand_r(&u->seed) % 2)
		r = write_text(f, id, 0, "text");
	if (rand_r(&u->seed) % 4 == 0)
		r = cut_open(f, id, 1);
	close_file(f, id, handle);
	return r;
}

static int make_one(struct user *u, const char *name)
{
	struct fake *f = u->s->f;
	uint64_t id, handle;
	int r;

	pthread_mutex_lock(&u->s->dir);
	r = create_file(f, CORE_ROOT_ID, name, &id, &handle);
	pthread_mutex_unlock(&u->s->dir);
	return r == 0 ? use_open(u, id, handle) : r;
}

static int open_one(struct user *u, const char *name)
{
	static const uint32_t flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_TRUNC};
	struct fake *f = u->s->f;
	struct core_entry entry;
	uint64_t handle;
	int r;

	pthread_mutex_lock(&u->s->dir);
	r = lookup(f, CORE_ROOT_ID, name, &entry);
	pthread_mutex_unlock(&u->s->dir);
	if (r == 0)
		r = open_file(f, entry.node_id, flags[rand_r(&u->seed) % 3], &handle);
	return r == 0 ? use_open(u, entry.node_id, handle) : r;
}

static int change_names(struct user *u, const char *name)
{
	struct fake *f = u->s->f;
	char other[8];
	int r;

	name_of(u, other);
	pthread_mutex_lock(&u->s->dir);
	r = lookup(f, CORE_ROOT_ID, name, NULL);
	if (r == 0 && rand_r(&u->seed) % 3)
		r = move(f, CORE_ROOT_ID, name, CORE_ROOT_ID, other, 0);
	else if (r == 0)
		r = remove_file(f, CORE_ROOT_ID, name);
	pthread_mutex_unlock(&u->s->dir);
	return r;
}

static void *use(void *arg)
{
	struct user *u = arg;
	char name[8];
	int r;

	do {
		name_of(u, name);
		switch (rand_r(&u->seed) % 4) {
		case 0:
			r = make_one(u, name);
			break;
		case 1:
		case 2:
			r = open_one(u, name);
			break;
		default:
			r = change_names(u, name);
			break;
		}
		u->n_done += r == 0;
	} while (!is_over(u, r));
	return NULL;
}

/* ---- what can be concluded ------------------------------------------------------------------------- */

static int by_item(const void *a, const void *b)
{
	const struct fake_call *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Each item's calls came in the order of their numbers. */
static void check_order(const struct stress *s)
{
	struct {
		uint64_t node, sequence;
	} *last = calloc(65536, sizeof(*last));

	for (size_t i = 0; i < s->n_calls; i++) {
		const struct fake_call *c = &s->calls[i];
		size_t at = c->node % 65536;

		if (last[at].node == c->node)
			assert_true(last[at].sequence < c->sequence);
		last[at].node = c->node;
		last[at].sequence = c->sequence;
	}
	free(last);
}

static void check_step(const struct fake_call *c, const char *path)
{
	if (!*path)
		fail_msg("event 0x%x of \"%s\", which was deleted", c->event, c->path);
	if (strcmp(c->path, path) != 0)
		fail_msg("event 0x%x, number %llu, of \"%s\", which is at \"%s\"", c->event,
		         (unsigned long long)c->sequence, c->path, path);
}

static void check_places(struct stress *s)
{
	const char *path = NULL;

	qsort(s->calls, s->n_calls, sizeof(*s->calls), by_item);
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct fake_call *c = &s->calls[i];

		/* What had been there before has a first event of some kind. */
		if (i == 0 || s->calls[i - 1].node != c->node)
			path = c->path;
		check_step(c, path);
		if (c->event == CORE_EVENT_RENAMED)
			path = c->destination;
		else if (c->event == CORE_EVENT_CLOSED_DELETED)
			path = "";
	}
}

static void what_is_told_in_order_says_where_everything_is(void **state)
{
	struct fake *f = *state;
	struct stress s = {.f = f, .seed = 1};
	struct user users[N_USERS];
	pthread_t threads[N_USERS], answerer;
	unsigned long n_done = 0;

	f->config.mappings = &(struct core_mapping){"", ALL};
	f->config.n_mappings = 1;
	f->may_keep = true;
	fake_restart(f);
	for (int i = 0; i < N_NAMES; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "n%d", i);
		fake_add(f, name, RECORD_FILE, 100);
	}
	s.calls = calloc(N_CALLS, sizeof(*s.calls));
	s.end_ms = clock_now_ms() + 2 * RUN_MS;
	pthread_mutex_init(&s.dir, NULL);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.work, NULL);
	current = &s;
	f->hook = hear;
	assert_int_equal(pthread_create(&answerer, NULL, answer_later, &s), 0);
	for (unsigned i = 0; i < N_USERS; i++) {
		users[i] = (struct user){.s = &s, .seed = i + 1};
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	}
	while (clock_now_ms() < s.end_ms - RUN_MS)
		sched_yield();
	/* In the middle of it. */
	fake_stop(f);
	for (unsigned i = 0; i < N_USERS; i++) {
		pthread_join(threads[i], NULL);
		n_done += users[i].n_done;
	}
	pthread_mutex_lock(&s.lock);
	s.quit = true;
	pthread_cond_signal(&s.work);
	pthread_mutex_unlock(&s.lock);
	pthread_join(answerer, NULL);
	f->hook = NULL;
	assert_true(n_done > 10);
	check_order(&s);
	check_places(&s);
	pthread_cond_destroy(&s.work);
	pthread_mutex_destroy(&s.lock);
	pthread_mutex_destroy(&s.dir);
	free(s.calls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(what_is_told_in_order_says_where_everything_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
