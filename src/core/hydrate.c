/* SPDX-License-Identifier: MIT */
/* Readers, and what has to be fetched for them; see hydration.h. */

#include "core/hydration.h"

#include <errno.h>
#include <string.h>

#include "core/internal.h"
#include "util/clock.h"

#define HYDRATE_AHEAD 4 /* windows in flight when somebody wants all of a large file */

/* op.offset of a request that waits for the end of the hydration, whatever it is. */
#define WAIT_FOR_END UINT64_MAX

/* ---- life ------------------------------------------------------------------------------------- */

struct hydration *hydration_ref(struct hydration *h)
{
	atomic_fetch_add(&h->n_refs, 1);
	return h;
}

void hydration_unref(struct core *core, struct hydration *h)
{
	(void)core;
	if (!h || atomic_fetch_sub(&h->n_refs, 1) != 1)
		return;
	content_unref(h->content);
	stage_free(h->stage);
	partial_free(h->partial);
	ranges_deinit(&h->arrived);
	free(h->rec);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static void waitq_ref(struct waitq *q)
{
	(void)hydration_ref(container_of(q, struct hydration, q));
}

static void waitq_unref(struct core *core, struct waitq *q)
{
	hydration_unref(core, container_of(q, struct hydration, q));
}

/* Tell the provider to stop. Cancelling ends the flights, which takes them off the list. */
static void cancel_flights(struct core *core, struct hydration *h)
{
	struct command *cmd;

	do {
		cmd = NULL;
		pthread_mutex_lock(&h->lock);
		list_for_each (pos, &h->flights) {
			struct flight *f = list_entry(pos, struct flight, link);

			if (f->cancelled)
				continue;
			f->cancelled = true;
			cmd = command_ref(core, f->cmd);
			break;
		}
		pthread_mutex_unlock(&h->lock);
		if (cmd)
			command_cancel(core, cmd);
		command_unref(core, cmd);
	} while (cmd);
}

static void read_abandoned(struct core *core, struct waitq *q)
{
	cancel_flights(core, container_of(q, struct hydration, q));
}

uint64_t hydration_bytes(struct hydration *h)
{
	return atomic_load(&h->bytes);
}

struct hydration *hydration_detach(struct node *node)
{
	return steal_ptr(&node->hydration);
}

void hydration_drop(struct core *core, struct hydration *h, int error)
{
	struct outcome over = {.h = h, .over = true, .error = error};

	pthread_mutex_lock(&h->lock);
	h->dead = true;
	pthread_mutex_unlock(&h->lock);
	cancel_flights(core, h);
	hydration_wake(core, &over);
	hydration_unref(core, h);
}

static int hydration_new(struct core *core, struct node *node, struct hydration **ret)
{
	struct hydration *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	waitq_init(&h->q);
	h->q.abandoned = read_abandoned;
	h->q.ref = waitq_ref;
	h->q.unref = waitq_unref;
	h->n_refs = 1;
	h->fd = -1;
	h->window = WINDOW_MIN;
	pthread_mutex_init(&h->lock, NULL);
	list_init(&h->flights);
	node_lock(core, node);
	if (node->rec) {
		h->rec_size = node->rec_size;
		h->rec = malloc(h->rec_size);
		if (h->rec)
			memcpy(h->rec, node->rec, h->rec_size);
	}
	h->size_unknown = node->flags & NODE_SIZE_UNKNOWN;
	h->size = h->size_unknown ? 0 : node->size;
	node_unlock(core, node);
	h->small = h->size_unknown || h->size <= core->config.small_file_bytes;
	r = h->rec ? staging_take_up(core, node, h) : -EIO;
	if (r < 0) {
		hydration_unref(core, h);
		return r;
	}
	*ret = h;
	return 0;
}

static struct hydration *hydration_of(struct core *core, struct node *node)
{
	struct hydration *h;

	node_lock(core, node);
	h = node->hydration ? hydration_ref(node->hydration) : NULL;
	node_unlock(core, node);
	return h;
}

/* The caller holds the node's staging lock, and has found no hydration. */
static int hydration_install(struct core *core, struct node *node, struct hydration **ret)
{
	struct hydration *fresh = NULL;
	int r = hydration_new(core, node, &fresh);

	if (r < 0)
		return r;
	node_lock(core, node);
	if (node->state == NODE_PLACEHOLDER)
		*ret = hydration_ref(node->hydration = steal_ptr(&fresh));
	else
		r = -EAGAIN; /* somebody else has just finished */
	node_unlock(core, node);
	hydration_unref(core, fresh);
	return r;
}

/* The node's hydration, referenced; a new one if there is none. */
static int hydration_get(struct core *core, struct node *node, struct hydration **ret)
{
	pthread_mutex_t *lock = staging_lock(core, node);
	int r = 0;

	*ret = hydration_of(core, node);
	if (*ret)
		return 0;
	pthread_mutex_lock(lock);
	*ret = hydration_of(core, node);
	if (!*ret)
		r = hydration_install(core, node, ret);
	pthread_mutex_unlock(lock);
	return r;
}

/* ---- asking ------------------------------------------------------------------------------------- */

static int launch(struct core *core, struct core_req *req, struct node *node, struct hydration *h,
		  uint64_t start, uint64_t end)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	int r;

	if (!flight)
		return -ENOMEM;
	flight->cmd = command_new(core, COMMAND_DATA, node);
	if (!flight->cmd) {
		free(flight);
		return -ENOMEM;
	}
	flight->start = start;
	flight->end = end;
	flight->cmd->hydration = hydration_ref(h);
	flight->cmd->finished = hydration_data_finished;
	flight->cmd->offset = start;
	flight->cmd->length = end - start;
	flight->cmd->pid = req->pid;
	flight->cmd->uid = req->uid;
	list_append(&h->flights, &flight->link);
	r = command_submit(core, flight->cmd);
	if (r < 0) {
		list_remove(&flight->link);
		command_unref(core, flight->cmd);
		free(flight);
	}
	return r == -EBUSY ? -EIO : r;
}

/* Cut [*start, *end) down to its first part that no flight covers. false: nothing is left. */
static bool outside_flights(const struct hydration *h, uint64_t *start, uint64_t *end)
{
	bool moved = true;

	while (moved && *start < *end) {
		moved = false;
		list_for_each (pos, &h->flights) {
			const struct flight *f = list_entry(pos, struct flight, link);

			if (f->start <= *start && *start < f->end) {
				*start = f->end;
				moved = true;
			} else if (*start < f->start && f->start < *end) {
				*end = f->start;
			}
		}
	}
	return *start < *end;
}

/* The aligned window to ask for, so that [start, end), which is missing, comes. */
static struct range window_for(struct hydration *h, uint64_t start, uint64_t end)
{
	struct range w = {start / PARTIAL_CHUNK * PARTIAL_CHUNK, end};

	h->window = w.start == h->next_start ? MIN(h->window * 2, (uint64_t)WINDOW_MAX)
					     : (uint64_t)WINDOW_MIN;
	w.end = MAX((end + PARTIAL_CHUNK - 1) / PARTIAL_CHUNK * PARTIAL_CHUNK,
		    w.start + h->window);
	w.end = MIN(w.end, w.start + WINDOW_MAX);
	w.end = MIN(w.end, h->size);
	return w;
}

/* Launch what is neither there nor on its way in the window. */
static int fetch_window(struct core *core, struct core_req *req, struct node *node,
			struct hydration *h, struct range w)
{
	struct range gap;
	int r = 0;

	while (r == 0 && ranges_gap(&h->arrived, w.start, w.end, &gap)) {
		uint64_t from = gap.start, to = gap.end;

		if (outside_flights(h, &from, &to)) {
			r = launch(core, req, node, h, from, to);
			w.start = to;
		} else {
			w.start = from;
		}
	}
	h->next_start = w.end;
	return r;
}

/* Have everything of [start, end) that is missing fetched. The caller holds h->lock. */
static int fetch(struct core *core, struct core_req *req, struct node *node, struct hydration *h,
		 uint64_t start, uint64_t end)
{
	int r = 0;

	if (h->small)
		return list_empty(&h->flights) ? launch(core, req, node, h, 0, h->size) : 0;
	while (r == 0 && start < end) {
		struct range gap, w;
		uint64_t from, to;

		if (!ranges_gap(&h->arrived, start, end, &gap))
			break;
		from = gap.start;
		to = gap.end;
		if (outside_flights(h, &from, &to)) {
			w = window_for(h, from, to);
			r = fetch_window(core, req, node, h, w);
			start = w.end;
		} else {
			start = from;
		}
	}
	return r;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static int answer(struct core *core, struct core_req *req, struct content *content, uint64_t offset,
		  uint64_t size)
{
	size_t length = offset < size ? (size_t)MIN(req->op.size, size - offset) : 0;

	req->ret.read.content = content;
	req->ret.read.offset = offset;
	req->ret.read.length = length;
	COUNT_ADD(core, read_bytes, length);
	req_finish(req, 0);
	return CORE_PENDING;
}

/* Bytes are about to be handed out: from now on this node may not change its version. */
static void mark_served(struct core *core, struct node *node)
{
	node_lock(core, node);
	node->flags |= NODE_SERVED;
	node_unlock(core, node);
}

static int read_from_disk(struct core *core, struct core_req *req, struct node *node)
{
	struct content *content;
	uint64_t size;
	int r = content_of_node(core, node, false, &content);

	if (r < 0)
		return r;
	r = content_size(content, &size);
	if (r == 0)
		r = answer(core, req, content, req->op.offset, size);
	content_unref(content);
	return r;
}

/* Serve the request from what has arrived, or park it. @gone: nothing more will be fetched. */
static int read_from_hydration(struct core *core, struct core_req *req, struct node *node,
			       struct hydration *h, bool gone)
{
	uint64_t start = req->op.offset, end;
	int r;

	pthread_mutex_lock(&h->lock);
	end = MIN(start + req->op.size, h->size);
	if (!h->size_unknown && ranges_has(&h->arrived, start, end)) {
		uint64_t size = h->size;

		if (!h->dead)
			mark_served(core, node);
		pthread_mutex_unlock(&h->lock);
		return answer(core, req, h->content, start, size);
	}
	if (gone || h->dead || h->over)
		r = gone ? -EIO : -EAGAIN;
	else
		r = fetch(core, req, node, h, start, end);
	if (r == 0)
		r = wait_park(core, &h->q, req);
	pthread_mutex_unlock(&h->lock);
	return r;
}

/* Where the bytes of @node come from right now. */
enum source { SOURCE_DISK, SOURCE_ARRIVED, SOURCE_PROVIDER, SOURCE_UNDESCRIBED };

static enum source source_of(struct core *core, struct node *node)
{
	enum source source = SOURCE_PROVIDER;

	node_lock(core, node);
	switch (node->state) {
	case NODE_HYDRATED:
	case NODE_LOCAL:
		source = SOURCE_DISK;
		break;
	case NODE_GONE:
		source = SOURCE_ARRIVED;
		break;
	case NODE_PLACEHOLDER:
		if (!(node->flags & NODE_ASK_AGAIN))
			break;
		/* fall through */
	default:
		source = SOURCE_UNDESCRIBED;
		break;
	}
	node_unlock(core, node);
	return source;
}

static int read_gone(struct core *core, struct core_req *req, struct node *node)
{
	struct hydration *h = hydration_of(core, node);
	int r;

	if (!h)
		return -EIO;
	r = read_from_hydration(core, req, node, h, true);
	hydration_unref(core, h);
	return r;
}

/* Everything that must be known before content is fetched. 0, CORE_PENDING, or a negative errno. */
static int prepare(struct core *core, struct core_req *req, struct node *node,
		   struct hydration **ret)
{
	int r = 0;

	if (source_of(core, node) == SOURCE_UNDESCRIBED)
		r = resolve_fresh(core, req, node);
	if (r == 0)
		r = dirs_describe(core, req, node->parent);
	if (r == 0)
		r = hydration_get(core, node, ret);
	return r;
}

static int read_node(struct core *core, struct core_req *req, struct node *node)
{
	struct hydration *h;
	int r;

	do {
		switch (source_of(core, node)) {
		case SOURCE_DISK:
			return read_from_disk(core, req, node);
		case SOURCE_ARRIVED:
			return read_gone(core, req, node);
		default:
			break;
		}
		r = prepare(core, req, node, &h);
		if (r == 0) {
			r = read_from_hydration(core, req, node, h, false);
			hydration_unref(core, h);
		}
	} while (r == -EAGAIN); /* it changed in between: what there is now decides */
	return r;
}

int op_read(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	r = S_ISREG(node->mode) ? read_node(core, req, node) : -EISDIR;
	node_unref(core, node);
	return r;
}

/* ---- all of it -------------------------------------------------------------------------------------- */

static int wait_for_end(struct core *core, struct core_req *req, struct hydration *h)
{
	req->op.offset = WAIT_FOR_END;
	return wait_park(core, &h->q, req);
}

/* The next windows of a large file, or the whole of a small one. */
static int fetch_all(struct core *core, struct core_req *req, struct node *node, struct hydration *h)
{
	struct range gap;
	int r;

	if (h->small || h->committing)
		r = h->committing ? 0 : fetch(core, req, node, h, 0, h->size);
	else if (!ranges_gap(&h->arrived, 0, h->size, &gap))
		r = 0;
	else
		r = fetch(core, req, node, h, gap.start,
			  MIN(gap.start + HYDRATE_AHEAD * h->window, h->size));
	if (r < 0)
		return r;
	if (h->small || h->committing || !ranges_gap(&h->arrived, 0, h->size, &gap))
		return wait_for_end(core, req, h);
	req->op.offset = gap.start;
	req->op.size = MIN((uint64_t)PARTIAL_CHUNK, h->size - gap.start);
	return wait_park(core, &h->q, req);
}

int op_hydrate_node(struct core *core, struct core_req *req, struct node *node)
{
	struct hydration *h;
	bool all;
	int r;

	do {
		if (source_of(core, node) == SOURCE_DISK)
			return 0;
		if (source_of(core, node) == SOURCE_ARRIVED)
			return -ESTALE;
		r = prepare(core, req, node, &h);
		if (r != 0)
			continue; /* -EAGAIN: look again; else out of the loop */
		pthread_mutex_lock(&h->lock);
		/* Nothing to fetch: an empty file, or a partial one that lacked only its name. */
		all = !h->size_unknown && !h->committing && !h->dead && list_empty(&h->flights) &&
		      ranges_has(&h->arrived, 0, h->size);
		if (all)
			h->committing = true;
		else
			r = h->dead || h->over ? -EAGAIN : fetch_all(core, req, node, h);
		pthread_mutex_unlock(&h->lock);
		if (all)
			r = hydration_end(core, node, h);
		hydration_unref(core, h);
	} while (r == -EAGAIN);
	return r;
}

int op_hydrate(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	/* The limit is for each step on the way: a large file may take long. */
	if (core->config.data_timeout_ms)
		req->op.deadline_ms = clock_now_ms() + core->config.data_timeout_ms;
	r = S_ISREG(node->mode) ? op_hydrate_node(core, req, node) : 0;
	if (r == 0) {
		req->ret.bytes.data = NULL;
		req->ret.bytes.size = 0;
	}
	node_unref(core, node);
	return r;
}

/* ---- waking --------------------------------------------------------------------------------------------- */

/* Who asked for what was cancelled has gone; who came just then asks again. */
static int again_or(int error)
{
	return error == -ECANCELED ? 0 : error;
}

static bool concerned(struct core_req *req, void *context, int *ret_result)
{
	const struct outcome *o = context;
	uint64_t start = req->op.offset, end;

	*ret_result = 0;
	if (o->over) {
		*ret_result = o->error;
		return true;
	}
	/* Those who wait for all of a small file, or for its size, wait for its only command. */
	if (start == WAIT_FOR_END || o->h->size_unknown) {
		*ret_result = again_or(o->error);
		return o->error < 0;
	}
	end = MIN(start + req->op.size, o->h->size);
	/* What came of a small file that failed is thrown away: its readers would ask again, for ever. */
	if (!(o->h->small && o->error < 0) && ranges_has(&o->h->arrived, start, end))
		return true;
	if (o->error < 0 && start < o->end && o->start < end) {
		*ret_result = again_or(o->error);
		return true;
	}
	return false;
}

/* The ranges may not change while the waiters are looked through. */
void hydration_wake(struct core *core, const struct outcome *outcome)
{
	struct outcome copy = *outcome;

	if (copy.over) {
		pthread_mutex_lock(&copy.h->lock);
		copy.h->over = true;
		pthread_mutex_unlock(&copy.h->lock);
	}
	wait_wake_some(core, &copy.h->q, &copy.h->lock, concerned, &copy);
}

int hydration_end(struct core *core, struct node *node, struct hydration *h)
{
	struct outcome over = {.h = h, .over = true};
	bool shrunk;

	over.error = hydration_commit(core, node, h);
	hydration_wake(core, &over);
	/* Those who read have been told by what they got; now everybody may ask for the rest. */
	node_lock(core, node);
	shrunk = node->flags & NODE_SHRUNK;
	node->flags &= (uint16_t)~NODE_SHRUNK;
	node_unlock(core, node);
	if (shrunk)
		core->kernel->inval_node(core->kernel_context, node->id, false);
	return over.error;
}
