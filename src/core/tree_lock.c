/* SPDX-License-Identifier: MIT */
/* See tree_lock.h. */

#include "core/tree_lock.h"

#include "core/internal.h"

static _Thread_local struct {
	unsigned depth;
	bool exclusive;
	bool draining;
	bool has_list;
	struct list deferred; /* core_req.op.wait_link */
} held;

void tree_lock_init(struct tree_lock *t)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* A stream of look-ups must not starve a rename. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&t->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

void tree_lock_deinit(struct tree_lock *t)
{
	pthread_rwlock_destroy(&t->lock);
}

void tree_read(struct core *core)
{
	if (held.depth++ == 0)
		pthread_rwlock_rdlock(&core->tree.lock);
}

void tree_write(struct core *core)
{
	if (held.depth++ == 0) {
		pthread_rwlock_wrlock(&core->tree.lock);
		held.exclusive = true;
	}
}

bool tree_is_exclusive(void)
{
	return held.exclusive;
}

bool tree_defer(struct core_req *req)
{
	if (!held.depth)
		return false;
	if (!held.has_list) {
		list_init(&held.deferred);
		held.has_list = true;
	}
	list_append(&held.deferred, &req->op.wait_link);
	return true;
}

/* Each of them may wake others, which are put at the end of the list. */
static void run_deferred(void)
{
	if (held.draining || !held.has_list)
		return;
	held.draining = true;
	while (!list_empty(&held.deferred)) {
		struct core_req *req =
			list_entry(held.deferred.next, struct core_req, op.wait_link);

		list_remove(&req->op.wait_link);
		req_run(req);
	}
	held.draining = false;
}

void tree_unlock(struct core *core)
{
	if (--held.depth)
		return;
	held.exclusive = false;
	pthread_rwlock_unlock(&core->tree.lock);
	run_deferred();
}
