/* SPDX-License-Identifier: MIT */
/*
 * See wait.h.  A request leaves its queue in exactly one of two ways, both under wait.lock: a waker takes it
 * out to run it again, or the timer takes it out to end it.  Whoever took it out owns it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/internal.h"
#include "util/clock.h"
#include "util/log.h"

#define TICK_MS 250            /* how exactly time limits are kept */
#define TICK_INTERRUPTED_MS 100 /* how often the signals of an interrupted caller are looked at */
#define UNSEEN_GRACE_MS 10000  /* an interrupted caller that cannot be seen ends after this */

static struct core_req **bucket_of(struct wait *w, uint64_t unique)
{
	return &w->buckets[(unique >> 1) % WAIT_N_BUCKETS];
}

static void register_add(struct wait *w, struct core_req *req)
{
	struct core_req **bucket = bucket_of(w, req->unique);

	list_append(&w->parked, &req->op.parked_link);
	w->n_parked++;
	w->n_parked_reads += req->op.kind == OP_READ;
	if (!req->unique)
		return; /* nobody will look for it */
	req->op.parked_hash_next = *bucket;
	*bucket = req;
}

/* Out of its queue and of the register. */
static void take_out(struct wait *w, struct core_req *req)
{
	struct core_req **p = bucket_of(w, req->unique);

	while (req->unique && *p != req)
		p = &(*p)->op.parked_hash_next;
	if (req->unique)
		*p = req->op.parked_hash_next;
	list_remove(&req->op.parked_link);
	list_remove(&req->op.wait_link);
	w->n_parked--;
	w->n_parked_reads -= req->op.kind == OP_READ;
}

void waitq_init(struct waitq *q)
{
	*q = (struct waitq){0};
	list_init(&q->waiters);
}

static bool was_interrupted_early(struct wait *w, uint64_t unique)
{
	if (!unique)
		return false;
	for (unsigned i = 0; i < WAIT_N_EARLY; i++)
		if (w->early[i] == unique)
			return true;
	return false;
}

/* Too many reads wait already? Says so once. */
static bool is_read_too_many(struct wait *w, const struct core_req *req)
{
	if (req->op.kind != OP_READ || !w->max_parked_reads ||
	    w->n_parked_reads < w->max_parked_reads)
		return false;
	if (!w->reported_limit)
		log_warning("%llu reads wait for the provider, and the kernel takes hardly more: further "
			    "reads of un-hydrated files fail with EIO until some are answered",
			    (unsigned long long)w->n_parked_reads);
	w->reported_limit = true;
	return true;
}

void core_limit_parked_reads(struct core *core, uint64_t n)
{
	pthread_mutex_lock(&core->wait.lock);
	core->wait.max_parked_reads = n;
	pthread_mutex_unlock(&core->wait.lock);
}

int wait_park(struct core *core, struct waitq *q, struct core_req *req)
{
	struct wait *w = &core->wait;

	pthread_mutex_lock(&w->lock);
	if (w->stopping) {
		pthread_mutex_unlock(&w->lock);
		return -ENOTCONN;
	}
	if (is_read_too_many(w, req)) {
		pthread_mutex_unlock(&w->lock);
		return -EIO;
	}
	if (q->ref)
		q->ref(q);
	req->op.waitq = q;
	list_append(&q->waiters, &req->op.wait_link);
	if (!req->op.interrupted && was_interrupted_early(w, req->unique)) {
		req->op.interrupted = true;
		req->op.interrupted_ms = clock_now_ms();
		w->check_now = true;
	}
	register_add(w, req);
	if (w->timer_idle || w->check_now)
		pthread_cond_signal(&w->wake_timer);
	pthread_mutex_unlock(&w->lock);
	COUNT(core, parked);
	return CORE_PENDING;
}

void wait_wake_some(struct core *core, struct waitq *q, pthread_mutex_t *owner,
		    wait_filter *filter, void *context)
{
	struct wait *w = &core->wait;
	struct list woken;
	unsigned n_woken = 0;

	list_init(&woken);
	if (owner)
		pthread_mutex_lock(owner);
	pthread_mutex_lock(&w->lock);
	list_for_each_safe (pos, tmp, &q->waiters) {
		struct core_req *req = list_entry(pos, struct core_req, op.wait_link);
		int result = 0;

		if (!filter(req, context, &result))
			continue;
		take_out(w, req);
		req->op.wake_result = result;
		list_append(&woken, &req->op.wait_link);
		n_woken++;
	}
	pthread_mutex_unlock(&w->lock);
	if (owner)
		pthread_mutex_unlock(owner);

	list_for_each_safe (pos, tmp, &woken) {
		struct core_req *req = list_entry(pos, struct core_req, op.wait_link);

		list_remove(&req->op.wait_link);
		req_run(req);
	}
	for (; n_woken > 0 && q->unref; n_woken--)
		q->unref(core, q);
}

static bool wake_all(struct core_req *req, void *context, int *ret_result)
{
	*ret_result = *(int *)context;
	return true;
}

void wait_wake(struct core *core, struct waitq *q, int result)
{
	wait_wake_some(core, q, NULL, wake_all, &result);
}

static struct core_req *find_parked(struct wait *w, uint64_t unique)
{
	struct core_req *req = *bucket_of(w, unique);

	while (req && req->unique != unique)
		req = req->op.parked_hash_next;
	return req;
}

int wait_interrupt(struct core *core, uint64_t unique)
{
	struct wait *w = &core->wait;
	struct core_req *req;

	pthread_mutex_lock(&w->lock);
	req = find_parked(w, unique);
	if (req) {
		if (!req->op.interrupted) {
			req->op.interrupted = true;
			req->op.interrupted_ms = clock_now_ms();
		}
		w->check_now = true;
		pthread_cond_signal(&w->wake_timer);
	} else {
		/* It is being worked on right now, or was answered already: remember it in case it parks. */
		w->early[w->next_early++ % WAIT_N_EARLY] = unique;
	}
	pthread_mutex_unlock(&w->lock);
	return 0;
}

/* One mask of /proc/PID/status, such as "SigPnd:\t0000000000000100". */
static uint64_t status_mask(const char *status, const char *key)
{
	const char *line = strstr(status, key);
	unsigned long long mask = 0;

	if (!line || sscanf(line + strlen(key), " %llx", &mask) != 1)
		return 0;
	return mask;
}

#define SIGBIT(n) (UINT64_C(1) << ((n) - 1))

/* Signals that do nothing to a process that neither catches nor blocks them, or only stop it. */
#define HARMLESS                                                                              \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT) | SIGBIT(SIGSTOP) | \
	 SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))

enum caller { CALLER_LIVES, CALLER_DIES, CALLER_UNSEEN };

/*
 * Is the interrupted caller going to die?  The kernel tells us of any signal, once, but a signal that is
 * handled must not end the request: the handler runs after the system call anyway.
 */
static enum caller caller_fate(uint32_t pid)
{
	char path[64], status[4096];
	uint64_t thread, process, blocked, ignored, caught;
	_cleanup_(closep) int fd = -1;
	ssize_t n;

	if (!pid)
		return CALLER_UNSEEN;
	(void)snprintf(path, sizeof(path), "/proc/%u/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return CALLER_UNSEEN;
	n = read(fd, status, sizeof(status) - 1);
	if (n <= 0)
		return CALLER_UNSEEN;
	status[n] = '\0';
	thread = status_mask(status, "SigPnd:");
	process = status_mask(status, "ShdPnd:");
	blocked = status_mask(status, "SigBlk:");
	ignored = status_mask(status, "SigIgn:");
	caught = status_mask(status, "SigCgt:");
	if (thread & SIGBIT(SIGKILL))
		return CALLER_DIES;
	if ((thread | process) & ~(blocked | ignored | caught | HARMLESS))
		return CALLER_DIES;
	return CALLER_LIVES;
}

/* 0: let it wait. @fate is that of an interrupted caller. */
static int verdict(struct core *core, const struct core_req *req, enum caller fate, uint64_t now)
{
	if (req->op.interrupted &&
	    (fate == CALLER_DIES ||
	     (fate == CALLER_UNSEEN && now - req->op.interrupted_ms >= UNSEEN_GRACE_MS))) {
		COUNT(core, interrupted);
		return -EINTR;
	}
	if (req->op.deadline_ms && now >= req->op.deadline_ms) {
		COUNT(core, timeouts);
		return -ETIMEDOUT;
	}
	return 0;
}

/* End a request that was taken out of its queue, and tell the queue if it was the last. */
static void give_up(struct core *core, struct core_req *req, int error)
{
	struct waitq *q = req->op.waitq;
	bool empty;

	req_finish(req, error);
	pthread_mutex_lock(&core->wait.lock);
	empty = list_empty(&q->waiters);
	pthread_mutex_unlock(&core->wait.lock);
	if (empty && q->abandoned)
		q->abandoned(core, q);
	if (q->unref)
		q->unref(core, q);
}

static void take_over(struct wait *w, struct core_req *req, int error, struct list *ret_over)
{
	take_out(w, req);
	req->op.wake_result = error;
	list_append(ret_over, &req->op.wait_link);
}

/* An interrupted request, by the number that finds it again: it may be answered while we look at its caller. */
struct suspect {
	uint64_t unique;
	uint32_t pid;
	enum caller fate;
};

#define SUSPECTS_MAX 256 /* looked at in one tick; the others in the next */

/* Those whose time is over, and who has to be looked at. The caller holds w->lock. */
static size_t check_deadlines(struct core *core, struct suspect *suspects, struct list *ret_over)
{
	struct wait *w = &core->wait;
	uint64_t now = clock_now_ms(), left = w->n_parked;
	size_t n = 0;

	list_for_each_safe (pos, tmp, &w->parked) {
		struct core_req *req = list_entry(pos, struct core_req, op.parked_link);
		int error = verdict(core, req, CALLER_LIVES, now);

		if (left-- == 0)
			break; /* those that were moved to the end */
		if (error < 0) {
			take_over(w, req, error, ret_over);
		} else if (req->op.interrupted && n < SUSPECTS_MAX) {
			suspects[n++] = (struct suspect){.unique = req->unique, .pid = req->pid};
			/* To the end of the line, so that everybody's turn comes. */
			list_remove(&req->op.parked_link);
			list_append(&w->parked, &req->op.parked_link);
			if (n == SUSPECTS_MAX)
				break;
		}
	}
	return n;
}

/* The caller holds w->lock, which is given up while /proc is read. */
static void check_suspects(struct core *core, struct suspect *suspects, size_t n,
			   struct list *ret_over)
{
	struct wait *w = &core->wait;
	uint64_t now = clock_now_ms();

	if (!n)
		return;
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < n; i++)
		suspects[i].fate = caller_fate(suspects[i].pid);
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < n; i++) {
		struct core_req *req = find_parked(w, suspects[i].unique);
		int error = req ? verdict(core, req, suspects[i].fate, now) : 0;

		if (error < 0)
			take_over(w, req, error, ret_over);
	}
}

/* Look through the parked requests once.  Returns the time until the next look. */
static unsigned check_parked(struct core *core, struct list *ret_over)
{
	struct suspect suspects[SUSPECTS_MAX];
	size_t n = check_deadlines(core, suspects, ret_over);

	check_suspects(core, suspects, n, ret_over);
	return n ? TICK_INTERRUPTED_MS : TICK_MS;
}

static void *timer_main(void *arg)
{
	struct core *core = arg;
	struct wait *w = &core->wait;
	bool was_idle = true;

	(void)prctl(PR_SET_NAME, "prj-timer");
	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		struct list over;
		struct timespec until;
		unsigned tick;

		/*
		 * Only after a whole tick without parked requests: while requests come and go, each would have
		 * to wake this thread otherwise.
		 */
		if (!w->n_parked && was_idle) {
			w->timer_idle = true;
			pthread_cond_wait(&w->wake_timer, &w->lock);
			w->timer_idle = false;
		}
		was_idle = !w->n_parked;
		list_init(&over);
		w->check_now = false;
		tick = check_parked(core, &over);
		if (!list_empty(&over)) {
			pthread_mutex_unlock(&w->lock);
			list_for_each_safe (pos, tmp, &over) {
				struct core_req *req =
					list_entry(pos, struct core_req, op.wait_link);

				list_remove(&req->op.wait_link);
				give_up(core, req, req->op.wake_result);
			}
			pthread_mutex_lock(&w->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)tick * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (!w->check_now && !w->stopping)
			(void)pthread_cond_timedwait(&w->wake_timer, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int wait_init(struct core *core)
{
	struct wait *w = &core->wait;
	pthread_condattr_t attr;
	int r;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake_timer, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&w->parked);
	r = pthread_create(&w->timer, NULL, timer_main, core);
	if (r)
		return -r;
	w->timer_started = true;
	return 0;
}

void wait_stop(struct core *core, int error)
{
	struct wait *w = &core->wait;
	struct list all;

	list_init(&all);
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake_timer);
	list_for_each_safe (pos, tmp, &w->parked) {
		struct core_req *req = list_entry(pos, struct core_req, op.parked_link);

		take_out(w, req);
		list_append(&all, &req->op.wait_link);
	}
	pthread_mutex_unlock(&w->lock);
	list_for_each_safe (pos, tmp, &all) {
		struct core_req *req = list_entry(pos, struct core_req, op.wait_link);

		list_remove(&req->op.wait_link);
		give_up(core, req, error);
	}
}

void wait_join(struct core *core)
{
	if (core->wait.timer_started)
		pthread_join(core->wait.timer, NULL);
	core->wait.timer_started = false;
}

void wait_deinit(struct core *core)
{
	pthread_cond_destroy(&core->wait.wake_timer);
	pthread_mutex_destroy(&core->wait.lock);
}
