/* SPDX-License-Identifier: MIT */
/* What has come, and waiting for it. */

#include "tiny.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_S 60

static struct timespec deadline(void)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	return until;
}

struct tiny_call tiny_find(struct tiny *t, enum tiny_kind kind, const char *path)
{
	struct timespec until = deadline();
	struct tiny_call found = {0};
	bool is_found = false;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (!is_found && r == 0) {
		for (size_t i = 0; i < t->n_calls && !is_found; i++) {
			found = t->calls[i];
			is_found = found.kind == kind && !strcmp(found.path, path);
		}
		if (!is_found)
			r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	}
	pthread_mutex_unlock(&t->lock);
	if (!is_found)
		fail_msg("no callback of kind %d for \"%s\"", (int)kind, path);
	return found;
}

/* The caller holds the lock. */
static size_t count(const struct tiny *t, enum tiny_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_calls; i++)
		n += t->calls[i].kind == kind;
	return n;
}

size_t tiny_count(struct tiny *t, enum tiny_kind kind)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = count(t, kind);
	pthread_mutex_unlock(&t->lock);
	return n;
}

void tiny_wait_count(struct tiny *t, enum tiny_kind kind, size_t n)
{
	struct timespec until = deadline();
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (count(t, kind) < n && r == 0)
		r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
	assert_int_equal(r, 0);
}

static uint32_t events(const struct tiny *t)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < t->n_calls; i++)
		mask |= (uint32_t)t->calls[i].event;
	return mask;
}

uint32_t tiny_wait_events(struct tiny *t, uint32_t mask)
{
	struct timespec until = deadline();
	uint32_t found;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while ((events(t) & mask) != mask && r == 0)
		r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	found = events(t);
	pthread_mutex_unlock(&t->lock);
	return found;
}

static const char *word_of(const struct tiny_call *call)
{
	static const char *const kinds[] = {"start", "get", "end", "info", "data"};
	static const char *const events[] = {
	        "opened",  "created", "overwritten", "pre-delete", "pre-rename", "pre-link",
	        "renamed", "linked",  "closed",      "modified",   "deleted",    "pre-convert"};

	if (call->kind != TINY_NOTIFICATION)
		return call->kind < TINY_NOTIFICATION ? kinds[call->kind] : "cancel";
	return events[__builtin_ctz((unsigned)call->event) - 1];
}

/* The caller holds the lock. */
static void words_of(const struct tiny *t, const char *path, bool told, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < t->n_calls && n < size; i++)
		if (!strcmp(t->calls[i].path, path) &&
		    (!told || t->calls[i].kind == TINY_NOTIFICATION))
			n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? " " : "",
			                      word_of(&t->calls[i]));
}

static void assert_words(struct tiny *t, const char *path, bool told, const char *expected)
{
	struct timespec until = deadline();
	char found[512];
	int r = 0;

	pthread_mutex_lock(&t->lock);
	words_of(t, path, told, found, sizeof(found));
	/* A longer one can only become wrong. */
	while (strlen(found) < strlen(expected) && r == 0) {
		r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
		words_of(t, path, told, found, sizeof(found));
	}
	pthread_mutex_unlock(&t->lock);
	assert_string_equal(found, expected);
}

void tiny_assert_sequence(struct tiny *t, const char *path, const char *expected)
{
	assert_words(t, path, false, expected);
}

void tiny_assert_told(struct tiny *t, const char *path, const char *expected)
{
	assert_words(t, path, true, expected);
}

void tiny_wait_inside(struct tiny *t, unsigned n)
{
	struct timespec until = deadline();
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (t->n_inside < n && r == 0)
		r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
	assert_int_equal(r, 0);
}

void tiny_let_go(struct tiny *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_held = false;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}
