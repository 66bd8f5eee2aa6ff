/* SPDX-License-Identifier: MIT */
/*
 * Enumeration sessions, and the buffers that they fill.  With an entry a provider gives nothing but a buffer, so there
 * is one table of buffers for all checkers of the process.  It also remembers some that are no longer a provider's:
 * these must not even be looked at, for their memory may have been freed.
 */

#include <stdlib.h>
#include <string.h>

#include "api/checker_internal.h"
#include "api/result.h"
#include "store/store.h"

#define BUFFER_BUCKETS 1024
#define TAKEN_MAX 1024

struct known_buffer {
	struct list link; /* in its bucket */
	struct list taken_link;
	const struct dir_buffer *buffer;
	struct checker *checker;
	int32_t command_id;
	bool is_taken;
	bool is_cancelled; /* taken: behind the provider's back */
};

/* Its lock is taken before that of a checker. */
static struct {
	pthread_mutex_t lock;
	struct list buckets[BUFFER_BUCKETS]; /* all zeros: not used yet */
	struct list taken; /* oldest first */
	size_t n_taken;
} buffers = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct listed_session {
	struct listed_session *next;
	uint64_t id;
	uint64_t since; /* before its first entry, see items_listing_begins() */
	char last[NAME_MAX_BYTES + 1];
	char refused[NAME_MAX_BYTES + 1]; /* did not fit into the last buffer */
};

/* ---- buffers ---------------------------------------------------------------------------------------- */

static struct list *buffer_bucket(const struct dir_buffer *buffer)
{
	uint64_t hash = hash_bytes(hash_process_key(), &buffer, sizeof(buffer));
	struct list *bucket = &buffers.buckets[hash % BUFFER_BUCKETS];

	if (!bucket->next)
		list_init(bucket);
	if (!buffers.taken.next)
		list_init(&buffers.taken);
	return bucket;
}

static struct known_buffer *buffer_find(const struct dir_buffer *buffer)
{
	struct list *bucket = buffer_bucket(buffer);

	list_for_each (pos, bucket) {
		struct known_buffer *b = list_entry(pos, struct known_buffer, link);

		if (b->buffer == buffer)
			return b;
	}
	return NULL;
}

static void buffer_forget(struct known_buffer *b)
{
	if (!b)
		return;
	list_remove(&b->link);
	list_remove(&b->taken_link);
	buffers.n_taken -= b->is_taken;
	free(b);
}

void buffer_given(struct checker *c, const struct dir_buffer *buffer, int32_t command_id)
{
	struct known_buffer *b = calloc(1, sizeof(*b));

	pthread_mutex_lock(&buffers.lock);
	buffer_forget(buffer_find(buffer)); /* an older one at the same address */
	if (b) {
		b->buffer = buffer;
		b->checker = c;
		b->command_id = command_id;
		list_init(&b->taken_link);
		list_append(buffer_bucket(buffer), &b->link);
	}
	pthread_mutex_unlock(&buffers.lock);
}

void buffer_taken(const struct dir_buffer *buffer, int32_t command_id, bool is_cancelled)
{
	struct known_buffer *b;

	pthread_mutex_lock(&buffers.lock);
	b = buffer_find(buffer);
	if (b && b->command_id == command_id && !b->is_taken) {
		b->is_taken = true;
		b->is_cancelled = is_cancelled;
		list_append(&buffers.taken, &b->taken_link);
		if (++buffers.n_taken > TAKEN_MAX)
			buffer_forget(
			        list_entry(buffers.taken.next, struct known_buffer, taken_link));
	}
	pthread_mutex_unlock(&buffers.lock);
}

void checker_buffer_is_new(const struct dir_buffer *buffer)
{
	pthread_mutex_lock(&buffers.lock);
	buffer_forget(buffer_find(buffer));
	pthread_mutex_unlock(&buffers.lock);
}

void buffers_forget(const struct checker *c)
{
	pthread_mutex_lock(&buffers.lock);
	for (size_t i = 0; i < BUFFER_BUCKETS; i++) {
		if (!buffers.buckets[i].next)
			continue;
		list_for_each_safe (pos, tmp, &buffers.buckets[i]) {
			struct known_buffer *b = list_entry(pos, struct known_buffer, link);

			if (b->checker == c)
				buffer_forget(b);
		}
	}
	pthread_mutex_unlock(&buffers.lock);
}

prj_result checker_buffer(const struct dir_buffer *buffer, const char *file_name)
{
	prj_result result = PRJ_OK;
	struct reports reports = {0};
	const struct known_buffer *b;

	pthread_mutex_lock(&buffers.lock);
	b = buffer_find(buffer);
	if (b && b->is_taken && b->is_cancelled) {
		result = PRJ_ERR_OPERATION_ABORTED;
	} else if (b && b->is_taken) {
		result = PRJ_ERR_INVALID_PARAMETER;
		pthread_mutex_lock(&b->checker->lock);
		report(b->checker, &reports, LISTING_BUFFER, "prj_fill_dir_entry_buffer", file_name,
		       "was called with the buffer of command %d, which is over", b->command_id);
		pthread_mutex_unlock(&b->checker->lock);
	}
	pthread_mutex_unlock(&buffers.lock);
	reports_write(&reports);
	return result;
}

/* ---- sessions ---------------------------------------------------------------------------------------- */

static struct listed_session **session_find(struct checker *c, uint64_t id)
{
	struct listed_session **p = &c->sessions[id % SESSION_BUCKETS];

	while (*p && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

void listing_started(struct checker *c, struct reports *reports, const struct active *a,
                     prj_result result)
{
	struct listed_session *s;

	if (result == PRJ_ERR_FILE_NOT_FOUND && !a->is_cancelled)
		items_absent(c, reports, a->name, a->path);
	if (result != PRJ_OK)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->id = a->session_id;
	*session_find(c, s->id) = s;
}

void listing_begun(struct checker *c, const struct active *a, bool is_restart)
{
	struct listed_session *s = *session_find(c, a->session_id);

	if (!s || !is_restart)
		return;
	s->since = items_listing_begins(c->items, a->path);
	s->last[0] = s->refused[0] = '\0';
}

void listing_got(struct checker *c, struct reports *reports, const struct active *a,
                 prj_result result)
{
	struct listed_session *s = *session_find(c, a->session_id);

	if (result == PRJ_ERR_INSUFFICIENT_BUFFER)
		report(c, reports, LISTING_RESULT, a->name, a->path,
		       "returned INSUFFICIENT_BUFFER after %zu entries were added", a->n_entries);
	if (!s || result != PRJ_OK || a->n_entries)
		return;
	if (s->refused[0])
		report(c, reports, LISTING_ENTRY_LOST, a->name, a->path,
		       "ended without \"%s\", which had not fit into the buffer before",
		       s->refused);
	items_complete(c, reports, a->name, a->path, s->since);
}

void listing_ended(struct checker *c, struct reports *reports, const struct active *a,
                   prj_result result)
{
	struct listed_session **p = session_find(c, a->session_id), *s = *p;

	if (result != PRJ_OK)
		report(c, reports, SESSION_LEAK, a->name, a->path,
		       "returned %s, and is not called again for this session",
		       prj_result_name(result));
	if (s)
		*p = s->next;
	free(s);
}

void sessions_free(struct checker *c)
{
	for (size_t i = 0; i < SESSION_BUCKETS; i++) {
		for (struct listed_session *s = c->sessions[i], *next; s; s = next) {
			next = s->next;
			free(s);
		}
	}
}

/* ---- entries ------------------------------------------------------------------------------------------- */

static void entry_refused(struct checker *c, struct reports *reports, struct active *a,
                          struct listed_session *s, const char *name, bool is_converted,
                          prj_result result)
{
	if (is_converted && result == PRJ_ERR_INSUFFICIENT_BUFFER) {
		a->is_full = true;
		if (s && !s->refused[0])
			strcpy(s->refused,
			       name); /* a possible name: that is checked before the room */
	} else if (is_converted && result == PRJ_ERR_INVALID_PARAMETER) {
		report(c, reports, LISTING_NAME, a->name, a->path, "gave \"%.300s\"", name);
	} else if (result == PRJ_ERR_OPERATION_ABORTED) {
		a->is_cancelled = true; /* checker_cancelled() comes in a moment */
	} else if (is_bad_argument(result)) {
		report(c, reports, BAD_ARGUMENT, a->name, a->path,
		       "gave \"%.300s\", which was refused: %s", name, prj_last_error_message());
	}
}

static int order(const struct checker *c, const char *a, const char *b)
{
	return c->config.order == CORE_ORDER_BYTES ? strcmp(a, b) : name_order(a, b);
}

static void check_refused(struct checker *c, struct reports *reports, const struct active *a,
                          struct listed_session *s, const char *name)
{
	if (!s->refused[0])
		return;
	if (!strcmp(s->refused, name)) {
		s->refused[0] = '\0';
	} else if (a->is_full || c->config.order != CORE_ORDER_NONE) {
		report(c, reports, LISTING_ENTRY_LOST, a->name, a->path,
		       "gave \"%s\" next, though \"%s\" had not fit into the buffer", name,
		       s->refused);
		s->refused[0] = '\0';
	}
}

static void entry_added(struct checker *c, struct reports *reports, struct active *a,
                        struct listed_session *s, const char *name, const struct record *rec)
{
	struct item_facts facts = {(uint8_t)rec->kind, rec->fields & RECORD_SIZE, rec->size};

	a->n_entries++;
	if (!*a->path && !strcmp(name, STORE_PRIVATE))
		report(c, reports, LISTING_NAME, a->name, a->path, "gave \"%s\"", name);
	if (!s)
		return;
	check_refused(c, reports, a, s, name);
	if (!items_listed(c, reports, a->name, a->path, name, &facts, s->id, s->since) ||
	    !strcmp(s->last, name))
		report(c, reports, LISTING_DUPLICATE, a->name, a->path, "gave \"%s\" twice", name);
	else if (c->config.order != CORE_ORDER_NONE && s->last[0] && order(c, s->last, name) > 0)
		report(c, reports, LISTING_DISORDER, a->name, a->path, "gave \"%s\" after \"%s\"",
		       name, s->last);
	strcpy(s->last, name);
}

void checker_entry(const struct dir_buffer *buffer, const char *file_name, const struct record *rec,
                   prj_result result)
{
	struct reports reports = {0};
	struct known_buffer *b;
	struct active *a;

	pthread_mutex_lock(&buffers.lock);
	b = buffer_find(buffer);
	if (b && !b->is_taken) {
		struct checker *c = b->checker;

		pthread_mutex_lock(&c->lock);
		a = active_find(c, b->command_id);
		if (a && result == PRJ_OK)
			entry_added(c, &reports, a, *session_find(c, a->session_id), file_name,
			            rec);
		else if (a)
			entry_refused(c, &reports, a, *session_find(c, a->session_id), file_name,
			              rec != NULL, result);
		pthread_mutex_unlock(&c->lock);
	}
	pthread_mutex_unlock(&buffers.lock);
	reports_write(&reports);
}
