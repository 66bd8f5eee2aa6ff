/* SPDX-License-Identifier: MIT */
/* The life of a checker, and the thread that sees what does not happen. */

#include "api/checker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "api/checker_internal.h"
#include "util/clock.h"

#define WATCH_PERIOD_MIN_MS 10 /* many deadlines in a row are seen together */

static atomic_uint n_checkers;

bool checker_is_in_use(void)
{
	return atomic_load_explicit(&n_checkers, memory_order_relaxed) > 0;
}

void checker_config_init(struct checker_config *config, const struct core_config *core)
{
	uint64_t data_ms = core->data_timeout_ms ? core->data_timeout_ms : UINT64_MAX;

	/* When the limit of who waits has passed, the command is cancelled. */
	*config = (struct checker_config){
	        .is_stable = core->stable_view,
	        .order = core->order,
	        .slow_ms = CHECKER_SLOW_MS,
	        .pended_ms = MIN(core->lookup_timeout_ms, (uint64_t)CHECKER_PENDED_MS),
	        .pended_data_ms = MIN(data_ms, (uint64_t)CHECKER_PENDED_MS),
	        .near_ms = CHECKER_NEAR_MS,
	        .now_ms = clock_now_ms,
	};
}

static void wait_until(struct checker *c, uint64_t ms)
{
	struct timespec until = {.tv_sec = (time_t)(ms / 1000),
	                         .tv_nsec = (long)(ms % 1000) * 1000000};

	if (ms == UINT64_MAX)
		pthread_cond_wait(&c->late, &c->lock);
	else
		(void)pthread_cond_timedwait(&c->late, &c->lock, &until);
}

static void *watcher_main(void *arg)
{
	struct checker *c = arg;

	(void)prctl(PR_SET_NAME, "prj-checker");
	pthread_mutex_lock(&c->lock);
	while (!c->quit) {
		struct reports reports = {0};
		uint64_t now = clock_now_ms();

		if (now < c->wake_ms) {
			wait_until(c, c->wake_ms);
			continue;
		}
		active_look(c, &reports);
		if (c->wake_ms != UINT64_MAX)
			c->wake_ms = MAX(c->wake_ms, now + WATCH_PERIOD_MIN_MS);
		pthread_mutex_unlock(&c->lock);
		reports_write(&reports);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int init(struct checker *c)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->late, &monotonic);
	pthread_condattr_destroy(&monotonic);
	list_init(&c->all_active);
	c->wake_ms = UINT64_MAX;
	c->items = items_new();
	c->contents = contents_new();
	return c->items && c->contents ? 0 : -ENOMEM;
}

static void deinit(struct checker *c)
{
	commands_forget(c);
	sessions_free(c);
	items_free(c->items);
	contents_free(c->contents);
	pthread_cond_destroy(&c->late);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int checker_new(const struct checker_config *config, struct checker **ret)
{
	struct checker *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->config = *config;
	r = init(c);
	if (r == 0)
		r = -pthread_create(&c->watcher, NULL, watcher_main, c);
	if (r < 0) {
		deinit(c);
		return r;
	}
	atomic_fetch_add(&n_checkers, 1);
	*ret = c;
	return 0;
}

void checker_stopping(struct checker *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	pthread_mutex_unlock(&c->lock);
}

struct checker *checker_free(struct checker *c)
{
	if (!c)
		return NULL;
	buffers_forget(c);
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_signal(&c->late);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->watcher, NULL);
	atomic_fetch_sub(&n_checkers, 1);
	deinit(c);
	return NULL;
}

void checker_view_changed(struct checker *c)
{
	pthread_mutex_lock(&c->lock);
	items_clear(c->items);
	pthread_mutex_unlock(&c->lock);
}
