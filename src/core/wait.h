/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_WAIT_H
#define PROJFS_CORE_WAIT_H

/*
 * Parking: how a request waits without a thread.
 *
 * A request that cannot be answered yet is put into the wait queue of what it waits for (a command, a
 * listing, a hydration) and is run again when that wakes it.  Every parked request is also in one
 * register, by which the timer thread finds those whose time is over or whose caller has been killed.
 *
 * One lock protects all queues and the register.  It is held for list operations only, and is the innermost
 * lock: it may be taken with any other held, and nothing is taken under it.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/list.h"

struct core;
struct core_req;

/* Part of something that can be waited for. */
struct waitq {
	struct list waiters; /* core_req.op.wait_link; protected by core->wait.lock */
	/* Nobody is left in the queue because the last one gave up: called without locks. May be NULL. */
	void (*abandoned)(struct core *core, struct waitq *q);
	/* One more, or one less, reference to what the queue is part of, so that it outlives its waiters. */
	void (*ref)(struct waitq *q);
	void (*unref)(struct core *core, struct waitq *q);
};

#define WAIT_N_BUCKETS 1024
#define WAIT_N_EARLY 256

struct wait {
	pthread_mutex_t lock;
	pthread_cond_t wake_timer;
	struct list parked;                        /* core_req.op.parked_link */
	struct core_req *buckets[WAIT_N_BUCKETS];  /* by unique */
	uint64_t early[WAIT_N_EARLY];              /* interrupts that came before their request was parked */
	unsigned next_early;
	uint64_t n_parked;
	uint64_t n_parked_reads;
	uint64_t max_parked_reads; /* 0: no limit */
	bool reported_limit;
	bool check_now;
	bool timer_idle; /* it waits without a time: a request that parks wakes it */
	bool stopping;
	pthread_t timer;
	bool timer_started;
};

int wait_init(struct core *core);
void wait_deinit(struct core *core);
/* End every parked request with @error, and every later one at once. */
void wait_stop(struct core *core, int error);
/* Ends the timer thread. */
void wait_join(struct core *core);

void waitq_init(struct waitq *q);

/*
 * Park @req in @q.  Call it with the lock held under which @q's owner decides to wake (so that no wake-up
 * is lost), and do not touch @req afterwards.  Returns CORE_PENDING, -ENOTCONN when stopping, or -EIO
 * for a read too many.
 */
int wait_park(struct core *core, struct waitq *q, struct core_req *req);

/* What to do with a waiter: keep it parked, or run it again with *ret_result. */
typedef bool wait_filter(struct core_req *req, void *context, int *ret_result);

/* Run waiters again, with @result, or those that @filter picks while @owner (if not NULL) is held.
 * Call without locks. */
void wait_wake(struct core *core, struct waitq *q, int result);
void wait_wake_some(struct core *core, struct waitq *q, pthread_mutex_t *owner,
		    wait_filter *filter, void *context);

int wait_interrupt(struct core *core, uint64_t unique);

#endif
