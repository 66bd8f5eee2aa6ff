/* SPDX-License-Identifier: MIT */
/*
 * Callbacks on their way: from the call to the return, or to the completion if they were pended.  What one came to is
 * judged once, when the provider says so for the first time: its return, or prj_complete_command().
 */

#include <stdlib.h>
#include <string.h>

#include "api/checker_internal.h"
#include "api/result.h"

static struct active **bucket_of(struct checker *c, int32_t id)
{
	return &c->active[(uint32_t)id % ACTIVE_BUCKETS];
}

struct active *active_find(struct checker *c, int32_t id)
{
	struct active *a = *bucket_of(c, id);

	while (a && a->id != id)
		a = a->hash_next;
	return a;
}

static void active_free(struct active *a)
{
	if (!a)
		return;
	ranges_deinit(&a->delivered);
	free(a->similar);
	free(a->path);
	free(a);
}

static void add(struct checker *c, struct active *a)
{
	struct active **bucket = bucket_of(c, a->id);

	a->hash_next = *bucket;
	*bucket = a;
	list_append(&c->all_active, &a->link);
	c->newest_id = MAX(c->newest_id, a->id);
}

/* It has ended: only its name stays, and of a cancelled one not even that, for it may be completed at any time. */
static void drop(struct checker *c, struct active *a)
{
	struct active **p = bucket_of(c, a->id);
	struct past *past;

	while (*p != a)
		p = &(*p)->hash_next;
	*p = a->hash_next;
	list_remove(&a->link);
	if (!a->is_cancelled) {
		past = &c->past[c->next_past++ % PAST_MAX];
		free(past->path);
		*past = (struct past){.id = a->id, .name = a->name, .path = steal_ptr(&a->path)};
	}
	active_free(a);
}

void commands_forget(struct checker *c)
{
	list_for_each_safe (pos, tmp, &c->all_active)
		active_free(list_entry(pos, struct active, link));
	for (size_t i = 0; i < PAST_MAX; i++)
		free(c->past[i].path);
}

static bool was_cancelled(const struct checker *c, int32_t id)
{
	for (size_t i = 0; i < CANCELLED_MAX; i++)
		if (c->cancelled[i] == id)
			return true;
	return false;
}

/* ---- what it came to ----------------------------------------------------------------------------- */

static void check_code(struct checker *c, struct reports *reports, const struct active *a,
                       prj_result result)
{
	prj_result meant = PRJ_RESULT(0x80070000u | (unsigned)result);
	int documented, is_known;

	(void)result_of_callback(result, &documented);
	if (documented)
		return;
	/* what is left of an HRESULT when its macro is forgotten */
	(void)result_of_callback(meant, &is_known);
	if (result > 0 && result <= UINT16_MAX && is_known)
		report(c, reports, UNDOCUMENTED_CODE, a->name, a->path,
		       "returned %d: is that the Win32 code whose result is 0x%08x (%s)?", result,
		       (unsigned)meant, prj_result_name(meant));
	else
		report(c, reports, UNDOCUMENTED_CODE, a->name, a->path, "returned 0x%08x (%s)",
		       (unsigned)result, prj_result_name(result));
}

static void judge(struct checker *c, struct reports *reports, const struct active *a,
                  prj_result result)
{
	check_code(c, reports, a, result);
	if (a->kind == COMMAND_START_ENUM)
		listing_started(c, reports, a, result);
	else if (a->kind == COMMAND_END_ENUM)
		listing_ended(c, reports, a, result);
	if (a->is_cancelled)
		return; /* whatever it delivered, or not, nobody wanted it */
	if (a->kind == COMMAND_GET_ENUM)
		listing_got(c, reports, a, result);
	else if (a->kind == COMMAND_PLACEHOLDER)
		placeholder_ended(c, reports, a, result);
	else if (a->kind == COMMAND_QUERY_NAME)
		query_ended(c, reports, a, result);
	else if (a->kind == COMMAND_DATA)
		data_ended(c, reports, a, result);
}

/* ---- hooks -------------------------------------------------------------------------------------------- */

static void take_version(struct active *a, const struct command *cmd)
{
	struct record rec;

	if (!cmd->version || record_decode(cmd->version, cmd->version_size, &rec) < 0)
		return;
	a->has_size = rec.fields & RECORD_SIZE;
	a->size = rec.size;
	a->content_key = content_key_of(&rec);
}

static struct active *active_new(const struct command *cmd, const char *name)
{
	struct active *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct active){
	        .id = cmd->id,
	        .kind = cmd->kind,
	        .name = name,
	        .path = strdup(cmd->path),
	        .offset = cmd->offset,
	        .length = cmd->length,
	        .buffer = cmd->buffer,
	};
	if (!a->path) {
		active_free(a);
		return NULL;
	}
	a->path_hash = hash_bytes(hash_process_key(), a->path, strlen(a->path));
	memcpy(&a->session_id, cmd->session_id, sizeof(a->session_id));
	if (cmd->kind == COMMAND_DATA) {
		take_version(a, cmd);
		hash_init(&a->hash, hash_process_key());
	}
	return a;
}

void checker_begin(struct checker *c, const struct command *cmd, const char *name)
{
	struct active *a = active_new(cmd, name);

	if (!a)
		return; /* without memory it is not watched */
	if (a->buffer)
		buffer_given(c, a->buffer, a->id);
	pthread_mutex_lock(&c->lock);
	a->began_ms = c->config.now_ms();
	a->is_cancelled = was_cancelled(c, a->id);
	add(c, a);
	if (a->kind == COMMAND_GET_ENUM)
		listing_begun(c, a, cmd->restart);
	wake_watcher_at(c, a->began_ms + c->config.slow_ms);
	pthread_mutex_unlock(&c->lock);
}

/* true: it is pended now. */
static bool take_result(struct checker *c, struct reports *reports, struct active *a,
                        prj_result result)
{
	uint64_t now = c->config.now_ms();

	if (!a->is_slow && now - a->began_ms >= c->config.slow_ms)
		report_slow(c, reports, a, now, "took");
	if (result == PRJ_ERR_IO_PENDING && !a->is_completed && !a->is_cancelled) {
		a->pended_since_ms = MAX(now, UINT64_C(1));
		wake_watcher_at(c, deadline_of(c, a));
		return true;
	}
	if (result != PRJ_ERR_IO_PENDING && a->is_completed)
		report(c, reports, COMPLETED_NOT_PENDED, a->name, a->path,
		       "was completed with prj_complete_command() and returned %s all the same: "
		       "the "
		       "completion does not count",
		       prj_result_name(result));
	else if (result != PRJ_ERR_IO_PENDING)
		judge(c, reports, a, result);
	return false;
}

void checker_returned(struct checker *c, const struct command *cmd, prj_result result)
{
	struct reports reports = {0};
	bool is_ended = true, is_cancelled = false;
	struct active *a;

	pthread_mutex_lock(&c->lock);
	a = active_find(c, cmd->id);
	if (a) {
		is_cancelled = a->is_cancelled;
		is_ended = !take_result(c, &reports, a, result);
		if (is_ended)
			drop(c, a);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_ended && cmd->buffer)
		buffer_taken(cmd->buffer, cmd->id, is_cancelled && result == PRJ_ERR_IO_PENDING);
	reports_write(&reports);
}

/* A pended command is over, with the lock.  Most cancellations are fine; some come because it took too long. */
static void end_cancelled(struct checker *c, struct reports *reports, struct active *a)
{
	uint64_t now = c->config.now_ms(), limit = pended_limit(c, a);

	limit = c->is_stopping ? MIN(limit, c->config.slow_ms) : limit - limit / 4;
	if (!a->is_overdue && now - a->pended_since_ms >= limit)
		report_overdue(c, reports, a, now,
		               c->is_stopping ? ", and the instance stops"
		                              : ", and nobody waits any more");
	if (a->kind == COMMAND_END_ENUM)
		listing_ended(c, reports, a, PRJ_OK);
	a->is_cancelled = true;
	drop(c, a);
}

void checker_cancelled(struct checker *c, int32_t command_id)
{
	const struct dir_buffer *buffer = NULL;
	struct reports reports = {0};
	struct active *a;

	pthread_mutex_lock(&c->lock);
	c->cancelled[c->next_cancelled++ % CANCELLED_MAX] = command_id;
	a = active_find(c, command_id);
	if (a && a->pended_since_ms) {
		buffer = a->buffer;
		end_cancelled(c, &reports, a);
	} else if (a) {
		a->is_cancelled = true;
	}
	pthread_mutex_unlock(&c->lock);
	if (buffer)
		buffer_taken(buffer, command_id, true);
	reports_write(&reports);
}

/* The completion of something that neither runs nor is pended.  What was over long ago may have been cancelled. */
static void check_unknown(struct checker *c, struct reports *reports, int32_t id)
{
	if (id <= 0 || id > c->newest_id) {
		report(c, reports, COMPLETED_UNKNOWN, "prj_complete_command", NULL,
		       "was called with %d, which is no command", id);
		return;
	}
	for (size_t i = 0; i < PAST_MAX; i++) {
		const struct past *past = &c->past[i];

		if (past->id != id)
			continue;
		report(c, reports, COMPLETED_TWICE, past->name, past->path,
		       "was over already when command %d was completed", id);
		return;
	}
}

/* As the core sees it; it keeps a command pended whose completion does not fit. */
static bool fits(const struct active *a, prj_result result, const struct core_completion *more)
{
	if (more->has_mask && a->kind != COMMAND_NOTIFY)
		return false;
	return a->kind != COMMAND_GET_ENUM || result != PRJ_OK || more->buffer == a->buffer;
}

void checker_completing(struct checker *c, int32_t command_id, prj_result result,
                        const struct core_completion *more)
{
	const struct dir_buffer *taken = NULL;
	struct reports reports = {0};
	struct active *a;

	pthread_mutex_lock(&c->lock);
	a = active_find(c, command_id);
	if (!a) {
		check_unknown(c, &reports, command_id);
	} else if (a->is_completed) {
		report(c, &reports, COMPLETED_TWICE, a->name, a->path,
		       "was completed a second time, before it returned");
	} else if (!fits(a, result, more)) {
		report(c, &reports, COMPLETION_PARAMETERS, a->name, a->path,
		       "was completed with parameters that do not fit, and stays pended");
	} else {
		judge(c, &reports, a, result);
		taken = a->buffer;
		a->is_completed = true;
		if (a->pended_since_ms)
			drop(c, a);
	}
	pthread_mutex_unlock(&c->lock);
	if (taken)
		buffer_taken(taken, command_id, false);
	reports_write(&reports);
}
