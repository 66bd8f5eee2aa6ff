/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_LATE_H
#define PROVIDER_FAULT_LATE_H

/*
 * Calls that take time: those whose callback sleeps, those that are answered later by a thread of ours, and those
 * that are never answered.  All of them are here under the id of their command, so that a cancel finds them: who sleeps
 * is woken, and the others are forgotten.  projfs cancels what somebody waits for when it stops.  The end of a
 * session and a notification of what has happened it lets come to their end: who sleeps in these holds the stop up.
 */

#include "call.h"

#include <pthread.h>
#include <sys/queue.h>

/* A cancel may overtake the callback that it is meant for: so many ids are remembered. */
#define LATE_N_CANCELLED 1024
#define LATE_NEVER INT64_MAX

struct sleeper;

/* One pended command. */
struct late_call {
	TAILQ_ENTRY(late_call) link;
	struct call *call; /* owned */
	int64_t due_ms; /* by the monotonic clock, or LATE_NEVER */
	/* Answers it, on the late thread and with no lock held; NULL if it is never due. */
	void (*run)(struct late_call *late_call);
	void *context; /* of run, as what follows */
	const void *rule;
	bool is_answered; /* @result is there already, only the completion is late */
	prj_result result;
};

void late_call_free(struct late_call *late_call);

TAILQ_HEAD(late_calls, late_call);
TAILQ_HEAD(sleepers, sleeper);

struct late {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sleepers sleepers; /* protected by lock, as what follows */
	struct late_calls due; /* the earliest first */
	struct late_calls hanging;
	size_t n_calls; /* in both lists */
	pthread_t thread; /* made for the first call that is due some time */
	bool has_thread;
	bool is_stopping;
	int32_t cancelled[LATE_N_CANCELLED]; /* a ring */
	size_t n_cancelled;
};

void late_init(struct late *late);
/* Ends the thread, when what it runs has returned, and forgets the rest. */
void late_deinit(struct late *late);

/* When @delay_ms from now are over. */
int64_t late_due(int64_t delay_ms);

/* Sleep, at most until the command is cancelled: then false. */
bool late_sleep(struct late *late, int32_t command_id, int64_t delay_ms);

/* Takes the call over, except when this fails. 0, -ECANCELED: the command is cancelled already, or -ENOMEM. */
int late_add(struct late *late, struct late_call *late_call);

/* True if the command was waiting here, so that nobody else has to be told. */
bool late_cancel(struct late *late, int32_t command_id);

size_t late_count(struct late *late);

#endif
