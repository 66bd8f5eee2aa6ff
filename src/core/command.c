/* SPDX-License-Identifier: MIT */
/* See command.h for the life of a command. */

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/internal.h"
#include "core/listing.h"
#include "core/notice.h"
#include "core/process.h"
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

/* Somebody has to hear of it, though nobody waits. */
static bool is_fact(const struct command *cmd)
{
	return cmd->kind == COMMAND_NOTIFY && notice_is_fact(cmd->event);
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
	list_append(is_fact(cmd) ? &c->facts : &c->outstanding, &cmd->outstanding_link);
	c->n_outstanding++;
}

static void table_remove(struct commands *c, struct command *cmd)
{
	struct command **p = bucket_of(c, cmd->id);

	while (*p != cmd)
		p = &(*p)->hash_next;
	*p = cmd->hash_next;
	list_remove(&cmd->outstanding_link);
	c->n_outstanding--;
	if (cmd->cancelled)
		c->cancelled_ids[cmd->id % COMMAND_N_CANCELLED] = cmd->id;
}

/* The ids for the callback: for an item that is being asked for, those of the directory. */
static void take_version(struct core *core, struct command *cmd)
{
	struct node *described = cmd->kind == COMMAND_PLACEHOLDER ? cmd->node->parent : cmd->node;

	if (!described)
		return;
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

/* Takes over both paths. */
static struct command *new_at(struct core *core, enum command_kind kind, struct node *node, char *path,
			      char *current_path)
{
	struct command *cmd = path ? calloc(1, sizeof(*cmd)) : NULL;

	if (!cmd) {
		free(path);
		free(current_path);
		return NULL;
	}
	cmd->kind = kind;
	cmd->n_refs = 1;
	list_init(&cmd->link);
	list_init(&cmd->lane_link);
	list_init(&cmd->outstanding_link);
	cmd->node = node_ref(core, node);
	cmd->path = path;
	cmd->current_path = current_path;
	take_version(core, cmd);
	return cmd;
}

struct command *command_new(struct core *core, enum command_kind kind, struct node *node)
{
	char *current_path = node_path(core, node);

	return current_path ? new_at(core, kind, node, node_origin(core, node), current_path) : NULL;
}

struct command *command_new_about(struct core *core, enum command_kind kind, struct node *node,
				  const char *path)
{
	return new_at(core, kind, node, strdup(path), NULL);
}

struct command *command_ref(struct core *core, struct command *cmd)
{
	pthread_mutex_lock(&core->commands.lock);
	cmd->n_refs++;
	pthread_mutex_unlock(&core->commands.lock);
	return cmd;
}

struct command *command_unref(struct core *core, struct command *cmd)
{
	bool last;

	if (!cmd)
		return NULL;
	pthread_mutex_lock(&core->commands.lock);
	last = --cmd->n_refs == 0;
	pthread_mutex_unlock(&core->commands.lock);
	if (!last)
		return NULL;
	node_unref(core, cmd->node);
	notice_unref(core, cmd->notice);
	process_unref(cmd->process);
	listing_unref(core, cmd->listing);
	hydration_unref(core, cmd->hydration);
	dir_buffer_free(cmd->buffer);
	free(cmd->path);
	free(cmd->current_path);
	free(cmd->version);
	free(cmd->destination);
	free(cmd->answer);
	free(cmd);
	return NULL;
}

/*
 * Set while this callback thread ends a command, after the provider has returned: what it submits then, it takes from
 * the queue itself in a moment, so nobody has to be woken for it.
 */
static _Thread_local bool is_finishing;

/* For the next free callback thread. */
static void enqueue(struct commands *c, struct command *cmd)
{
	list_append(&c->queue, &cmd->link);
	if (!is_finishing || c->n_queued > 1)
		pthread_cond_signal(&c->work);
}

static struct list *lane_of(struct commands *c, const struct command *cmd)
{
	return &c->lanes[cmd->node->id % COMMAND_N_LANES];
}

/* The first one in the lane about the item of @cmd; NULL: none. */
static struct command *first_about(struct commands *c, const struct command *cmd)
{
	list_for_each (pos, lane_of(c, cmd)) {
		struct command *other = list_entry(pos, struct command, lane_link);

		if (other->node == cmd->node)
			return other;
	}
	return NULL;
}

/* Is it @cmd's turn? */
static bool enter_lane(struct commands *c, struct command *cmd)
{
	bool is_first = !first_about(c, cmd);

	cmd->sequence = ++c->n_notifications;
	list_append(lane_of(c, cmd), &cmd->lane_link);
	return is_first;
}

/* The callback has returned, or will not be called: the next one's turn. */
static void leave_lane(struct commands *c, struct command *cmd)
{
	bool was_first = first_about(c, cmd) == cmd;
	struct command *next;

	list_remove(&cmd->lane_link);
	next = was_first ? first_about(c, cmd) : NULL;
	if (next)
		enqueue(c, next);
}

/* It has left the queue, or its lane. */
static void dequeued(struct commands *c, const struct command *cmd)
{
	c->n_queued--;
	c->n_queued_facts -= is_fact(cmd);
}

/* Why @cmd cannot be taken, or 0. */
static int refuse(const struct commands *c, const struct command *cmd)
{
	if (cmd->kind == COMMAND_END_ENUM)
		return 0;
	if (c->stopping)
		return -ENOTCONN;
	/* Nobody waits for most facts, so they come without a bound, and must not crowd out what is waited for. */
	if (is_fact(cmd))
		return c->n_queued_facts >= COMMAND_FACTS_MAX ? -EBUSY : 0;
	return c->n_queued - c->n_queued_facts >= COMMAND_QUEUE_MAX ? -EBUSY : 0;
}

int command_submit(struct core *core, struct command *cmd)
{
	struct commands *c = &core->commands;
	int r;

	pthread_mutex_lock(&c->lock);
	r = refuse(c, cmd);
	if (r == 0) {
		table_add(c, cmd);
		cmd->state = COMMAND_QUEUED;
		cmd->n_refs++;
		c->n_queued++;
		c->n_queued_facts += is_fact(cmd);
		if (cmd->kind != COMMAND_NOTIFY || enter_lane(c, cmd))
			enqueue(c, cmd);
	}
	pthread_mutex_unlock(&c->lock);
	if (r == -EBUSY)
		log_warning("%u callbacks are waiting for the provider already: refused one for \"%s\"",
			    is_fact(cmd) ? COMMAND_FACTS_MAX : COMMAND_QUEUE_MAX, cmd->path);
	return r;
}

/* The provider has the listing's buffer until it completes the command, which it was told is cancelled. */
static void lend_buffer(struct commands *c, struct command *cmd)
{
	struct dir_buffer_owner *owner = dir_buffer_owner(cmd->buffer);

	dir_buffer_close(cmd->buffer);
	owner->command_id = cmd->id;
	list_append(&c->lent, &owner->link);
	cmd->buffer = NULL;
}

/* It has completed command @id: nothing is filled any more. */
static void take_buffer_back(struct commands *c, int32_t id)
{
	list_for_each_safe (pos, tmp, &c->lent) {
		struct dir_buffer_owner *owner = list_entry(pos, struct dir_buffer_owner, link);

		if (owner->command_id != id)
			continue;
		list_remove(&owner->link);
		dir_buffer_free(dir_buffer_of(owner));
	}
}

/* DONE was set by the caller under the lock, once: only it gets here. Consumes the queue's reference. */
static void finish(struct core *core, struct command *cmd, int error)
{
	struct commands *c = &core->commands;

	if (error < 0 && error != -ENOENT && error != -ECANCELED)
		COUNT(core, callbacks_failed);
	cmd->finished(core, cmd, error);
	pthread_mutex_lock(&c->lock);
	if (cmd->is_lent && !cmd->completed_early && cmd->buffer)
		lend_buffer(c, cmd);
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
	case COMMAND_QUERY_NAME:
		COUNT(core, callbacks_query);
		break;
	case COMMAND_NOTIFY:
		COUNT(core, notifications);
		break;
	case COMMAND_N_KINDS:
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
	if (cmd->kind == COMMAND_NOTIFY)
		leave_lane(c, cmd);
	if (cmd->cancelled) {
		cmd->is_lent = r == CORE_PENDING && !cmd->completed_early;
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
	/* Who stops waits for it, and may cancel it now. */
	if (!done && is_fact(cmd)) {
		list_remove(&cmd->outstanding_link);
		list_append(&c->outstanding, &cmd->outstanding_link);
	}
	if (!done && c->stopping)
		pthread_cond_broadcast(&c->idle);
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
		dequeued(c, cmd);
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
		if (cmd->kind == COMMAND_NOTIFY)
			leave_lane(c, cmd);
		dequeued(c, cmd);
		finish_now = true;
	} else {
		cmd->cancelled = true;
		finish_now = cmd->state == COMMAND_PENDED;
		cmd->is_lent = finish_now;
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
	return c->cancelled_ids[id % COMMAND_N_CANCELLED] == id;
}

/* Does what came with a completion fit the command? */
static bool fits(const struct command *cmd, int error, const struct core_completion *more)
{
	if (more->has_mask && cmd->kind != COMMAND_NOTIFY)
		return false;
	return cmd->kind != COMMAND_GET_ENUM || error || more->buffer == cmd->buffer;
}

int command_complete(struct core *core, int32_t id, int error, const struct core_completion *more)
{
	static const struct core_completion nothing;
	struct commands *c = &core->commands;
	struct command *cmd;
	bool finish_now = false;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	cmd = id > 0 ? find_locked(c, id) : NULL;
	if (!cmd) {
		r = id > 0 && was_cancelled(c, id) ? 0 : -EINVAL;
		take_buffer_back(c, id);
	} else if (cmd->cancelled) {
		/* It may still be running, or just ending. */
		if (!cmd->completed_early)
			cmd->early_error = error;
		cmd->completed_early = true;
	} else if (!fits(cmd, error, more ? more : &nothing)) {
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
	if (r == 0 && cmd && more && more->has_mask)
		cmd->reply_mask = more->mask;
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

void command_handle_id(struct core *core, const struct command *cmd, uint8_t ret_id[16])
{
	memcpy(ret_id, &cmd->handle, sizeof(cmd->handle));
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
	list_init(&c->outstanding);
	list_init(&c->facts);
	list_init(&c->lent);
	for (unsigned i = 0; i < COMMAND_N_LANES; i++)
		list_init(&c->lanes[i]);
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

/* The oldest outstanding command that is not cancelled and need not be run, referenced. Those before it are few: what
 * runs, and what must. */
static struct command *next_to_cancel(struct commands *c)
{
	list_for_each (pos, &c->outstanding) {
		struct command *cmd = list_entry(pos, struct command, outstanding_link);

		if (may_cancel(cmd)) {
			cmd->n_refs++;
			return cmd;
		}
	}
	return NULL;
}

void commands_stop(struct core *core)
{
	struct commands *c = &core->commands;
	struct command *cmd;

	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	for (;;) {
		cmd = next_to_cancel(c);
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

	list_for_each_safe (pos, tmp, &c->lent)
		dir_buffer_free(dir_buffer_of(list_entry(pos, struct dir_buffer_owner, link)));
	free(c->threads);
	pthread_cond_destroy(&c->idle);
	pthread_cond_destroy(&c->cancel_work);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
}
