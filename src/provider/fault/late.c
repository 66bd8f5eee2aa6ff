/* SPDX-License-Identifier: MIT */
#include "late.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

/* A callback that sleeps; on its stack. */
struct sleeper {
	TAILQ_ENTRY(sleeper) link;
	int32_t command_id;
	bool is_cancelled;
};

int64_t late_due(int64_t delay_ms)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + delay_ms;
}

/* Until something changes, or it is time. The caller holds the lock. */
static void wait_until(struct late *late, int64_t due_ms)
{
	struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

	(void)pthread_cond_timedwait(&late->changed, &late->lock, &due);
}

void late_init(struct late *late)
{
	pthread_condattr_t attributes;

	*late = (struct late){0};
	TAILQ_INIT(&late->sleepers);
	TAILQ_INIT(&late->due);
	TAILQ_INIT(&late->hanging);
	pthread_mutex_init(&late->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&late->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void late_call_free(struct late_call *late_call)
{
	if (late_call)
		call_free(late_call->call);
	free(late_call);
}

static void free_all(struct late_calls *calls)
{
	struct late_call *first;

	while ((first = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, first, link);
		late_call_free(first);
	}
}

void late_deinit(struct late *late)
{
	pthread_mutex_lock(&late->lock);
	late->is_stopping = true;
	pthread_cond_broadcast(&late->changed);
	pthread_mutex_unlock(&late->lock);
	if (late->has_thread)
		pthread_join(late->thread, NULL);
	free_all(&late->due);
	free_all(&late->hanging);
	pthread_cond_destroy(&late->changed);
	pthread_mutex_destroy(&late->lock);
}

/* Ids count up, so one that was cancelled does not come again before the ring has forgotten it. */
static bool was_cancelled(const struct late *late, int32_t command_id)
{
	size_t n = late->n_cancelled < LATE_N_CANCELLED ? late->n_cancelled : LATE_N_CANCELLED;

	for (size_t i = 0; i < n; i++)
		if (late->cancelled[i] == command_id)
			return true;
	return false;
}

bool late_sleep(struct late *late, int32_t command_id, int64_t delay_ms)
{
	struct sleeper sleeper = {.command_id = command_id};
	int64_t due_ms = late_due(delay_ms);

	pthread_mutex_lock(&late->lock);
	sleeper.is_cancelled = was_cancelled(late, command_id);
	TAILQ_INSERT_TAIL(&late->sleepers, &sleeper, link);
	while (!sleeper.is_cancelled && late_due(0) < due_ms)
		wait_until(late, due_ms);
	TAILQ_REMOVE(&late->sleepers, &sleeper, link);
	pthread_mutex_unlock(&late->lock);
	return !sleeper.is_cancelled;
}

static void *late_main(void *context)
{
	struct late *late = context;
	struct late_call *first;

	(void)prctl(PR_SET_NAME, "fault-late");
	pthread_mutex_lock(&late->lock);
	while (!late->is_stopping) {
		first = TAILQ_FIRST(&late->due);
		if (!first) {
			pthread_cond_wait(&late->changed, &late->lock);
		} else if (late_due(0) < first->due_ms) {
			wait_until(late, first->due_ms);
		} else {
			TAILQ_REMOVE(&late->due, first, link);
			late->n_calls--;
			pthread_mutex_unlock(&late->lock);
			first->run(first);
			late_call_free(first);
			pthread_mutex_lock(&late->lock);
		}
	}
	pthread_mutex_unlock(&late->lock);
	return NULL;
}

/* Calls mostly come in the order in which they are due. The caller holds the lock. */
static void insert_due(struct late *late, struct late_call *late_call)
{
	struct late_call *before = TAILQ_LAST(&late->due, late_calls);

	while (before && before->due_ms > late_call->due_ms)
		before = TAILQ_PREV(before, late_calls, link);
	if (before)
		TAILQ_INSERT_AFTER(&late->due, before, late_call, link);
	else
		TAILQ_INSERT_HEAD(&late->due, late_call, link);
}

int late_add(struct late *late, struct late_call *late_call)
{
	bool hangs = late_call->due_ms == LATE_NEVER;
	int r = 0;

	pthread_mutex_lock(&late->lock);
	if (was_cancelled(late, late_call->call->data.command_id))
		r = -ECANCELED;
	/* Not made before: the command may have gone to the background after open(). */
	else if (!hangs && !late->has_thread)
		r = -pthread_create(&late->thread, NULL, late_main, late);
	if (r == 0 && hangs) {
		TAILQ_INSERT_TAIL(&late->hanging, late_call, link);
	} else if (r == 0) {
		late->has_thread = true;
		insert_due(late, late_call);
		pthread_cond_broadcast(&late->changed);
	}
	late->n_calls += r == 0;
	pthread_mutex_unlock(&late->lock);
	return r == -EAGAIN ? -ENOMEM : r;
}

static struct late_call *take(struct late_calls *calls, int32_t command_id)
{
	struct late_call *late_call;

	TAILQ_FOREACH(late_call, calls, link)
	if (late_call->call->data.command_id == command_id)
		break;
	if (late_call)
		TAILQ_REMOVE(calls, late_call, link);
	return late_call;
}

bool late_cancel(struct late *late, int32_t command_id)
{
	struct late_call *found;
	struct sleeper *sleeper;

	pthread_mutex_lock(&late->lock);
	late->cancelled[late->n_cancelled++ % LATE_N_CANCELLED] = command_id;
	TAILQ_FOREACH(sleeper, &late->sleepers, link)
	if (sleeper->command_id == command_id)
		break;
	if (sleeper) {
		sleeper->is_cancelled = true;
		pthread_cond_broadcast(&late->changed);
	}
	found = take(&late->due, command_id);
	if (!found)
		found = take(&late->hanging, command_id);
	late->n_calls -= found != NULL;
	pthread_mutex_unlock(&late->lock);
	late_call_free(found);
	return found || sleeper;
}

size_t late_count(struct late *late)
{
	size_t n;

	pthread_mutex_lock(&late->lock);
	n = late->n_calls;
	pthread_mutex_unlock(&late->lock);
	return n;
}
