/* SPDX-License-Identifier: MIT */
/* See command.h for the life of a command. */

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/internal.h"
#include "core/listing.h"
#include "util/log.h"

static struct command **bucket_of(struct commands *c, int32_t id)
{
	return &c->buckets[(uint32_t)id % COMMAND_N_BUCKETS];
}

static struct command *find_locked(struct commands *c, int32_t id)
{
	struct command *cmd = *bucket_of(c, id);

	while (cmd && cmd->id != id)
		cmd = cmd->hash_next;
	return cmd;
}

static void table_add(struct commands *c, struct command *cmd)
{
	struct command **bucket;

	do {
		c->next_id = c->next_id == INT32_MAX ? 1 : c->next_id + 1;
	} while (find_locked(c, c->next_id));
	cmd->id = c->next_id;
	bucket = bucket_of(c, cmd->id);
	cmd->hash_next = *bucket;
	*bucket = cmd;
	c->n_outstanding++;
}

static void table_remove(struct commands *c, struct command *cmd)
{
	struct command **p = bucket_of(c, cmd->id);

	while (*p != cmd)
		p = &(*p)->hash_next;
	*p = cmd->hash_next;
	c->n_outstanding--;
	if (cmd->cancelled)
		c->cancelled_ids[c->next_cancelled++ % COMMAND_N_CANCELLED] = cmd->id;
}

struct command *command_new(struct core *core, enum command_kind kind, struct node *node)
{
	struct command *cmd = calloc(1, sizeof(*cmd));
	struct node *described = kind == COMMAND_PLACEHOLDER ? node->parent : node;

	if (!cmd)
		return NULL;
	cmd->kind = kind;
	cmd->n_refs = 1;
	list_init(&cmd->link);
	cmd->node = node_ref(core, node);
	cmd->path = node_origin(core, node);
	cmd->current_path = node_path(core, node);
	if (!cmd->path || !cmd->current_path) {
		command_unref(core, cmd);
		return NULL;
	}
	/* For an item that is being asked for, the version is that of the directory. */
	if (described) {
		node_lock(core, described);
		if (described->rec) {
			cmd->version = malloc(described->rec_size);
			if (cmd->version) {
				memcpy(cmd->version, described->rec, described->rec_size);
				cmd->version_size = described->rec_size;
			}
		}
		node_unlock(core, described);
	}
	return cmd;
}

struct command *command_ref(struct core *core, struct command *cmd)
{
	pthread_mutex_lock(&core->commands.lock);
	cmd->n_refs++;
	pthread_mutex_unlock(&core->commands.lock);
	return cmd;
}

void command_unref(struct core *core, struct command *cmd)
{
	bool last;

	if (!cmd)
		return;
	pthread_mutex_lock(&core->commands.lock);
	last = --cmd->n_refs == 0;
	pthread_mutex_unlock(&core->commands.lock);
	if (!last)
		return;
	node_unref(core, cmd->node);
	listing_unref(core, cmd->listing);
	hydration_unref(core, cmd->hydration);
	dir_buffer_free(cmd->buffer);
	free(cmd->path);
	free(cmd->current_path);
	free(cmd->version);
	free(cmd->answer);
	free(cmd);
}

/*
 * Set while this callback thread ends a command, after the provider has returned: what it submits then, it takes from
 * the queue itself in a moment, so nobody has to be woken for it.
 */
static _Thread_local bool is_finishing;

int command_submit(struct core *core, struct command *cmd)
{
	struct commands *c = &core->commands;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	if (c->stopping && cmd->kind != COMMAND_END_ENUM) {
		r = -ENOTCONN;
	} else if (c->n_queued >= COMMAND_QUEUE_MAX && cmd->kind != COMMAND_END_ENUM) {
		r = -EBUSY;
	} else {
		table_add(c, cmd);
		cmd->state = COMMAND_QUEUED;
		cmd->n_refs++;
		list_append(&c->queue, &cmd->link);
		c->n_queued++;
		if (!is_finishing || c->n_queued > 1)
			pthread_cond_signal(&c->work);
	}
	pthread_mutex_unlock(&c->lock);
	if (r == -EBUSY)
		log_warning("%u callbacks are waiting for the provider already: refused one for \"%s\"",
			    COMMAND_QUEUE_MAX, cmd->path);
	return r;
}

/* DONE was set by the caller under the lock, once: only it gets here. Consumes the queue's reference. */
static void finish(struct core *core, struct command *cmd, int error)
{
	struct commands *c = &core->commands;

	if (error < 0 && error != -ENOENT && error != -ECANCELED)
		COUNT(core, callbacks_failed);
	cmd->finished(core, cmd, error);
	pthread_mutex_lock(&c->lock);
	table_remove(c, cmd);
	pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
	command_unref(core, cmd);
}

static void count_invocation(struct core *core, const struct command *cmd)
{
	switch (cmd->kind) {
	case COMMAND_START_ENUM:
		COUNT(core, callbacks_start_enum);
		break;
	case COMMAND_GET_ENUM:
		COUNT(core, callbacks_get_enum);
		break;
	case COMMAND_END_ENUM:
		COUNT(core, callbacks_end_enum);
		break;
	case COMMAND_PLACEHOLDER:
		COUNT(core, callbacks_placeholder);
		break;
	case COMMAND_DATA:
		COUNT(core, callbacks_data);
		break;
	}
}

static void run(struct core *core, struct command *cmd)
{
	struct commands *c = &core->commands;
	bool done = true;
	int r;

	count_invocation(core, cmd);
	r = core->config.provider.invoke(core->config.provider_context, cmd);

	pthread_mutex_lock(&c->lock);
	c->n_running--;
	if (cmd->cancelled) {
		cmd->succeeded = r == 0 || (r == CORE_PENDING && cmd->completed_early &&
					    cmd->early_error == 0);
		r = -ECANCELED;
	} else if (r == CORE_PENDING) {
		if (cmd->completed_early)
			r = cmd->early_error;
		else
			done = false;
	}
	cmd->state = done ? COMMAND_DONE : COMMAND_PENDED;
	pthread_mutex_unlock(&c->lock);
	if (!done)
		return;
	is_finishing = true;
	finish(core, cmd, r);
	is_finishing = false;
}

static void *callback_main(void *arg)
{
	struct core *core = arg;
	struct commands *c = &core->commands;

	(void)prctl(PR_SET_NAME, "prj-callback");
	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct command *cmd;

		while (list_empty(&c->queue) && !c->quit)
			pthread_cond_wait(&c->work, &c->lock);
		if (list_empty(&c->queue))
			break;
		cmd = list_entry(c->queue.next, struct command, link);
		list_remove(&cmd->link);
		c->n_queued--;
		c->n_running++;
		cmd->state = COMMAND_RUNNING;
		pthread_mutex_unlock(&c->lock);
		run(core, cmd);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Cancel callbacks have a thread of their own: all callback threads may be what has to be cancelled. */
static void *cancel_main(void *arg)
{
	struct core *core = arg;
	struct commands *c = &core->commands;

	(void)prctl(PR_SET_NAME, "prj-cancel");
	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct command *cmd;

		while (list_empty(&c->cancel_queue) && !c->quit)
			pthread_cond_wait(&c->cancel_work, &c->lock);
		if (list_empty(&c->cancel_queue))
			break;
		cmd = list_entry(c->cancel_queue.next, struct command, link);
		list_remove(&cmd->link);
		pthread_mutex_unlock(&c->lock);
		core->config.provider.cancel(core->config.provider_context, cmd);
		command_unref(core, cmd);
		pthread_mutex_lock(&c->lock);
		pthread_cond_broadcast(&c->idle);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void command_cancel(struct core *core, struct command *cmd)
{
	struct commands *c = &core->commands;
	bool finish_now = false;

	pthread_mutex_lock(&c->lock);
	if (cmd->cancelled || cmd->state == COMMAND_DONE || cmd->state == COMMAND_NEW ||
	    cmd->completed_early) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	COUNT(core, cancels);
	if (cmd->state == COMMAND_QUEUED) {
		list_remove(&cmd->link);
		c->n_queued--;
		finish_now = true;
	} else {
		cmd->cancelled = true;
		finish_now = cmd->state == COMMAND_PENDED;
		if (core->config.provider.cancel) {
			cmd->n_refs++;
			list_append(&c->cancel_queue, &cmd->link);
			pthread_cond_signal(&c->cancel_work);
		}
	}
	if (finish_now)
		cmd->state = COMMAND_DONE;
	pthread_mutex_unlock(&c->lock);
	if (finish_now)
		finish(core, cmd, -ECANCELED);
}

static bool was_cancelled(const struct commands *c, int32_t id)
{
	for (unsigned i = 0; i < COMMAND_N_CANCELLED; i++)
		if (c->cancelled_ids[i] == id)
			return true;
	return false;
}

int command_complete(struct core *core, int32_t id, int error, struct dir_buffer *buffer)
{
	struct commands *c = &core->commands;
	struct command *cmd;
	bool finish_now = false;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	cmd = id > 0 ? find_locked(c, id) : NULL;
	if (!cmd) {
		r = id > 0 && was_cancelled(c, id) ? 0 : -EINVAL;
	} else if (cmd->cancelled) {
		r = 0;
	} else if (cmd->kind == COMMAND_GET_ENUM && !error && buffer != cmd->buffer) {
		r = -EINVAL;
	} else if (cmd->state == COMMAND_PENDED) {
		cmd->state = COMMAND_DONE;
		finish_now = true;
	} else if (cmd->state == COMMAND_RUNNING && !cmd->completed_early) {
		cmd->completed_early = true;
		cmd->early_error = error;
	} else {
		r = -EINVAL;
	}
	pthread_mutex_unlock(&c->lock);
	if (finish_now)
		finish(core, cmd, error);
	return r;
}

struct command *command_find(struct core *core, int32_t id)
{
	struct commands *c = &core->commands;
	struct command *cmd;

	pthread_mutex_lock(&c->lock);
	cmd = find_locked(c, id);
	if (cmd && (cmd->cancelled || cmd->state == COMMAND_DONE || cmd->completed_early))
		cmd = NULL;
	if (cmd)
		cmd->n_refs++;
	pthread_mutex_unlock(&c->lock);
	return cmd;
}

size_t command_find_placeholders(struct core *core, const char *path, struct command **ret, size_t max)
{
	struct commands *c = &core->commands;
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < COMMAND_N_BUCKETS; i++) {
		for (struct command *cmd = c->buckets[i]; cmd && n < max; cmd = cmd->hash_next) {
			if (cmd->kind != COMMAND_PLACEHOLDER || strcmp(cmd->path, path) != 0)
				continue;
			if (cmd->cancelled || cmd->state == COMMAND_DONE)
				continue;
			cmd->n_refs++;
			ret[n++] = cmd;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

void command_stream_id(struct core *core, const struct command *cmd, uint8_t ret_id[16])
{
	memset(ret_id, 0, 16);
	memcpy(ret_id, &cmd->id, sizeof(cmd->id));
	memcpy(ret_id + 8, core->stream_secret, 8);
}

struct command *command_find_stream(struct core *core, const uint8_t id[16])
{
	struct command *cmd;
	int32_t command_id;

	if (memcmp(id + 8, core->stream_secret, 8) != 0)
		return NULL;
	memcpy(&command_id, id, sizeof(command_id));
	cmd = command_find(core, command_id);
	if (cmd && cmd->kind != COMMAND_DATA) {
		command_unref(core, cmd);
		return NULL;
	}
	return cmd;
}

int commands_init(struct core *core, unsigned n_threads)
{
	struct commands *c = &core->commands;
	int r;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->cancel_work, NULL);
	pthread_cond_init(&c->idle, NULL);
	list_init(&c->queue);
	list_init(&c->cancel_queue);
	c->threads = calloc(n_threads, sizeof(*c->threads));
	if (!c->threads)
		return -ENOMEM;
	for (; c->n_threads < n_threads; c->n_threads++) {
		r = pthread_create(&c->threads[c->n_threads], NULL, callback_main, core);
		if (r)
			return -r;
	}
	if (core->config.provider.cancel) {
		r = pthread_create(&c->cancel_thread, NULL, cancel_main, core);
		if (r)
			return -r;
		c->cancel_started = true;
	}
	return 0;
}

static bool may_cancel(const struct command *cmd)
{
	return !cmd->cancelled && !cmd->completed_early && cmd->state != COMMAND_DONE &&
	       (cmd->kind != COMMAND_END_ENUM || cmd->state == COMMAND_PENDED);
}

/* Some outstanding command, referenced, that is not cancelled and does not end a session.  The search goes on at
 * *bucket, where the last one ended: there may be very many. */
static struct command *next_to_cancel(struct commands *c, size_t *bucket)
{
	for (size_t n = 0; n < COMMAND_N_BUCKETS; n++) {
		for (struct command *cmd = c->buckets[*bucket]; cmd; cmd = cmd->hash_next) {
			if (may_cancel(cmd)) {
				cmd->n_refs++;
				return cmd;
			}
		}
		*bucket = (*bucket + 1) % COMMAND_N_BUCKETS;
	}
	return NULL;
}

void commands_stop(struct core *core)
{
	struct commands *c = &core->commands;
	struct command *cmd;
	size_t bucket = 0;

	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	for (;;) {
		cmd = next_to_cancel(c, &bucket);
		if (cmd) {
			pthread_mutex_unlock(&c->lock);
			command_cancel(core, cmd);
			command_unref(core, cmd);
			pthread_mutex_lock(&c->lock);
		} else if (c->n_outstanding || !list_empty(&c->cancel_queue)) {
			pthread_cond_wait(&c->idle, &c->lock);
		} else {
			break;
		}
	}
	c->quit = true;
	pthread_cond_broadcast(&c->work);
	pthread_cond_broadcast(&c->cancel_work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n_threads; i++)
		pthread_join(c->threads[i], NULL);
	c->n_threads = 0;
	if (c->cancel_started)
		pthread_join(c->cancel_thread, NULL);
	c->cancel_started = false;
}

void commands_deinit(struct core *core)
{
	struct commands *c = &core->commands;

	free(c->threads);
	pthread_cond_destroy(&c->idle);
	pthread_cond_destroy(&c->cancel_work);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
}
