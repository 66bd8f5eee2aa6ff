/* SPDX-License-Identifier: MIT */
/* What takes too long: callbacks that run, and commands that are pended.  checker.c has the thread that looks. */

#include "api/checker_internal.h"

uint64_t pended_limit(const struct checker *c, const struct active *a)
{
	return a->kind == COMMAND_DATA ? c->config.pended_data_ms : c->config.pended_ms;
}

void wake_watcher_at(struct checker *c, uint64_t ms)
{
	if (ms >= c->wake_ms)
		return;
	c->wake_ms = ms;
	pthread_cond_signal(&c->late);
}

void report_slow(struct checker *c, struct reports *reports, struct active *a, uint64_t now,
                 const char *what)
{
	a->is_slow = true;
	report(c, reports, CALLBACK_SLOW, a->name, a->path, "%s %llu ms", what,
	       (unsigned long long)(now - a->began_ms));
}

void report_overdue(struct checker *c, struct reports *reports, struct active *a, uint64_t now,
                    const char *why)
{
	a->is_overdue = true;
	report(c, reports, a->kind == COMMAND_END_ENUM ? SESSION_LEAK : NEVER_COMPLETED, a->name,
	       a->path, "was pended %llu ms ago and has not been completed%s",
	       (unsigned long long)(now - a->pended_since_ms), why);
}

uint64_t deadline_of(const struct checker *c, const struct active *a)
{
	if (a->pended_since_ms)
		return a->is_overdue ? UINT64_MAX : a->pended_since_ms + pended_limit(c, a);
	return a->is_slow ? UINT64_MAX : a->began_ms + c->config.slow_ms;
}

void active_look(struct checker *c, struct reports *reports)
{
	uint64_t now = c->config.now_ms();

	c->wake_ms = UINT64_MAX;
	list_for_each (pos, &c->all_active) {
		struct active *a = list_entry(pos, struct active, link);

		if (now >= deadline_of(c, a)) {
			if (a->pended_since_ms)
				report_overdue(c, reports, a, now, "");
			else
				report_slow(c, reports, a, now, "has been running for");
		}
		c->wake_ms = MIN(c->wake_ms, deadline_of(c, a));
	}
}
