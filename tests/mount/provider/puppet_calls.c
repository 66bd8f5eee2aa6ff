/* SPDX-License-Identifier: MIT */
/*
 * Calls that are not answered where they are made.  Some get a thread each.  Those that a rule keeps lie in a list
 * until the test does with each what it wants, wrong things included:
 *
 *	complete ID CODE [buffer|mask=N|type=N]   prj_complete_command(), with what the word says; answers the result
 *	fill ID                      do what a good answer does, and do not complete it; answers the result
 *	write ID OFFSET LENGTH       prj_write_file_data(); answers the result
 *	scatter THREADS SEED         good answers to all, in random order; how many completions were refused
 */

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "puppet.h"

#define THREADS_MAX 16

static prj_result complete(const struct call *call, prj_result result)
{
	struct prj_complete_command_extended_parameters parameters = {
	        .command_type = PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION,
	        .u.enumeration.dir_entry_buffer = call->buffer};

	return prj_complete_command(call->instance, call->command_id, result,
	                            call->kind == KIND_LIST ? &parameters : NULL);
}

/* ---- a thread for one call ------------------------------------------------------------------ */

static void *early_main(void *argument)
{
	const struct call *call = argument;

	(void)complete(call, call->has_result ? call->result : answer(call, -1));
	return NULL;
}

static void *worker_main(void *argument)
{
	struct call *call = argument;
	struct puppet *p = call->puppet;
	bool is_stopping;

	pthread_mutex_lock(&p->lock);
	if (call->is_held)
		wait_released(call);
	is_stopping = p->is_stopping;
	pthread_mutex_unlock(&p->lock);
	if (!is_stopping)
		(void)early_main(call);
	pthread_mutex_lock(&p->lock);
	p->n_workers--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	free(call);
	return NULL;
}

static prj_result answer_early(struct call *call)
{
	pthread_t thread;
	bool started;

	pthread_mutex_unlock(&call->puppet->lock);
	started = pthread_create(&thread, NULL, early_main, call) == 0;
	if (started)
		(void)pthread_join(thread, NULL);
	pthread_mutex_lock(&call->puppet->lock);
	return started ? PRJ_ERR_IO_PENDING : PRJ_ERR_OUT_OF_MEMORY;
}

prj_result answer_on_a_thread(const struct call *call, const struct rule *rule)
{
	struct call *copy = malloc(sizeof(*copy));
	prj_result result = PRJ_ERR_IO_PENDING;
	pthread_t thread;

	if (!copy)
		return PRJ_ERR_OUT_OF_MEMORY;
	*copy = *call;
	copy->is_held = rule->mode == MODE_PEND;
	copy->has_result = rule->has_result;
	copy->result = rule->result;
	if (rule->mode == MODE_EARLY) {
		result = answer_early(copy);
		free(copy);
		return result;
	}
	/* It begins by taking the lock, which the callback lets go of as the last thing that it does. */
	call->puppet->n_workers++;
	if (pthread_create(&thread, NULL, worker_main, copy)) {
		call->puppet->n_workers--;
		free(copy);
		return PRJ_ERR_OUT_OF_MEMORY;
	}
	pthread_detach(thread);
	return result;
}

/* ---- kept calls ----------------------------------------------------------------------------- */

prj_result keep_call(const struct call *call)
{
	struct call *copy = malloc(sizeof(*copy));

	if (!copy)
		return PRJ_ERR_OUT_OF_MEMORY;
	*copy = *call;
	copy->next = call->puppet->kept;
	call->puppet->kept = copy;
	return PRJ_ERR_IO_PENDING;
}

/* Kept calls are freed with the puppet only. */
static const struct call *find_kept(struct puppet *p, int32_t id)
{
	const struct call *call;

	pthread_mutex_lock(&p->lock);
	call = p->kept;
	while (call && call->command_id != id)
		call = call->next;
	pthread_mutex_unlock(&p->lock);
	return call;
}

static prj_result complete_as_told(struct puppet *p, int32_t id, prj_result result,
                                   const char *with)
{
	struct prj_complete_command_extended_parameters e = {0};
	const struct call *call = find_kept(p, id);

	if (!with)
		return prj_complete_command(p->instance, id, result, NULL);
	if (!strncmp(with, "mask=", 5)) {
		e.command_type = PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION;
		e.u.notification.notification_mask = (uint32_t)strtoul(with + 5, NULL, 0);
	} else if (!strncmp(with, "type=", 5)) {
		e.command_type = (enum prj_complete_command_type)strtol(with + 5, NULL, 0);
	} else {
		e.command_type = PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION;
		e.u.enumeration.dir_entry_buffer = call ? call->buffer : NULL;
	}
	return prj_complete_command(p->instance, id, result, &e);
}

static prj_result write_zeros(const struct call *call, const char *offset, const char *length)
{
	size_t n = strtoul(length, NULL, 0);
	char *zeros = calloc(1, n + 1);
	prj_result result = PRJ_ERR_OUT_OF_MEMORY;

	if (zeros)
		result = prj_write_file_data(call->instance, &call->id, zeros,
		                             strtoull(offset, NULL, 0), (uint32_t)n);
	free(zeros);
	return result;
}

struct scatter {
	struct call **calls;
	size_t n_calls;
	atomic_size_t next, n_refused;
};

static void *scatter_main(void *argument)
{
	struct scatter *s = argument;
	size_t i;

	while ((i = atomic_fetch_add(&s->next, 1)) < s->n_calls)
		if (complete(s->calls[i], answer(s->calls[i], -1)) != PRJ_OK)
			atomic_fetch_add(&s->n_refused, 1);
	return NULL;
}

/* All kept calls, in random order; the caller frees the array. */
static struct call **shuffled(struct puppet *p, unsigned seed, size_t *ret_n)
{
	struct call **calls = NULL;
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (const struct call *c = p->kept; c; c = c->next)
		n++;
	calls = calloc(n + 1, sizeof(*calls));
	*ret_n = calls ? n : 0;
	n = 0;
	for (struct call *c = p->kept; c && calls; c = c->next)
		calls[n++] = c;
	pthread_mutex_unlock(&p->lock);
	for (size_t i = *ret_n; i > 1; i--) {
		size_t other = (size_t)rand_r(&seed) % i;
		struct call *call = calls[other];

		calls[other] = calls[i - 1];
		calls[i - 1] = call;
	}
	return calls;
}

static const char *scatter(struct puppet *p, unsigned n_threads, unsigned seed, FILE *out)
{
	pthread_t threads[THREADS_MAX];
	struct scatter s = {0};
	unsigned n = 0;

	s.calls = shuffled(p, seed, &s.n_calls);
	while (n < n_threads && n < THREADS_MAX &&
	       pthread_create(&threads[n], NULL, scatter_main, &s) == 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	free(s.calls);
	fprintf(out, "%zu\n", (size_t)s.n_refused);
	return n == n_threads ? NULL : "no thread";
}

bool calls_obey(struct puppet *p, char **words, int n, FILE *out, const char **ret_error)
{
	const struct call *call;
	prj_result result;
	int32_t id;

	*ret_error = NULL;
	if (n < 2)
		return false;
	if (n == 3 && !strcmp(words[0], "scatter")) {
		*ret_error = scatter(p, (unsigned)strtoul(words[1], NULL, 0),
		                     (unsigned)strtoul(words[2], NULL, 0), out);
		return true;
	}
	id = (int32_t)strtol(words[1], NULL, 0);
	call = find_kept(p, id);
	if (n >= 3 && !strcmp(words[0], "complete"))
		result = complete_as_told(p, id, (prj_result)strtoll(words[2], NULL, 0),
		                          n > 3 ? words[3] : NULL);
	else if (call && n == 2 && !strcmp(words[0], "fill"))
		result = answer(call, -1);
	else if (call && n == 4 && !strcmp(words[0], "write"))
		result = write_zeros(call, words[2], words[3]);
	else
		return false;
	fprintf(out, "0x%08" PRIx32 "\n", (uint32_t)result);
	return true;
}

/* What a careless provider does: it goes on when its instance is no more. */
void calls_end(struct puppet *p, FILE *journal)
{
	struct call *call;

	while ((call = p->kept)) {
		p->kept = call->next;
		if (call->kind == KIND_DATA)
			fprintf(journal, "late-write %d 0x%08" PRIx32 "\n", call->command_id,
			        (uint32_t)write_zeros(call, "0", "1"));
		fprintf(journal, "late-complete %d 0x%08" PRIx32 "\n", call->command_id,
		        (uint32_t)complete(call, PRJ_ERR_INTERNAL_ERROR));
		free(call);
	}
}
