/* SPDX-License-Identifier: MIT */
#include "core/opened.h"

#include <fcntl.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/process.h"

/* An item that is open. Protected by the table's lock. */
struct opened {
	struct opened *next;
	struct node *node; /* referenced */
	uint64_t n_changes;
	uint32_t mask;
	struct list handles; /* never empty but for a moment */
};

static struct opened **find(struct opened_table *t, const struct node *node)
{
	struct opened **p = &t->buckets[node->id % OPENED_N_BUCKETS];

	while (*p && (*p)->node != node)
		p = &(*p)->next;
	return p;
}

void opened_init(struct opened_table *t)
{
	pthread_mutex_init(&t->lock, NULL);
}

static void handle_free(struct handle *h)
{
	process_unref(h->process);
	free(h);
}

void opened_deinit(struct core *core, struct opened_table *t)
{
	for (size_t i = 0; i < OPENED_N_BUCKETS; i++) {
		while (t->buckets[i]) {
			struct opened *o = t->buckets[i];

			t->buckets[i] = o->next;
			list_for_each_safe (pos, tmp, &o->handles)
				handle_free(list_entry(pos, struct handle, link));
			node_unref(core, o->node);
			free(o);
		}
	}
	pthread_mutex_destroy(&t->lock);
}

/* The caller has a reference to spare: *ret_taken. */
static struct opened *opened_of(struct opened_table *t, struct node *node, bool *ret_taken)
{
	struct opened **p = find(t, node), *o = *p;

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->node = node;
	*ret_taken = true;
	o->mask = CORE_MASK_UNCHANGED;
	list_init(&o->handles);
	o->next = NULL;
	*p = o;
	return o;
}

struct handle *handle_new(struct core *core, struct core_req *req, struct node *node, uint32_t flags)
{
	struct opened_table *t = &core->opened;
	struct handle *h = calloc(1, sizeof(*h));
	bool taken = false;

	if (!h)
		return NULL;
	(void)node_ref(core, node);
	h->id = atomic_fetch_add(&core->next_handle, 1);
	h->process = process_of_thread(req->pid, req->uid);
	h->may_write = (flags & O_ACCMODE) != O_RDONLY;
	h->truncated = flags & O_TRUNC;
	pthread_mutex_lock(&t->lock);
	h->opened = opened_of(t, node, &taken);
	if (h->opened) {
		h->changes = h->opened->n_changes;
		list_append(&h->opened->handles, &h->link);
	}
	pthread_mutex_unlock(&t->lock);
	if (!taken)
		node_unref(core, node);
	if (h->opened)
		return h;
	handle_free(h);
	return NULL;
}

/* The caller holds the lock. */
static bool is_changed(const struct handle *h)
{
	return h->truncated || (h->may_write && h->changes != h->opened->n_changes);
}

bool handle_close(struct core *core, struct handle *h)
{
	struct opened_table *t = &core->opened;
	struct opened *last = NULL;
	bool changed;

	pthread_mutex_lock(&t->lock);
	changed = is_changed(h);
	list_remove(&h->link);
	if (list_empty(&h->opened->handles)) {
		last = h->opened;
		*find(t, last->node) = last->next;
	}
	pthread_mutex_unlock(&t->lock);
	if (last)
		node_unref(core, last->node);
	free(last);
	handle_free(h);
	return changed;
}

struct node *handle_node(struct core *core, struct handle *h)
{
	struct node *node;

	pthread_mutex_lock(&core->opened.lock);
	node = h->opened->node;
	pthread_mutex_unlock(&core->opened.lock);
	return node_ref(core, node);
}

void opened_note_change(struct core *core, const struct node *node)
{
	struct opened *o;

	pthread_mutex_lock(&core->opened.lock);
	o = *find(&core->opened, node);
	if (o)
		o->n_changes++;
	pthread_mutex_unlock(&core->opened.lock);
}

bool opened_is_changed(struct core *core, const struct node *node)
{
	bool changed = false;
	struct opened *o;

	pthread_mutex_lock(&core->opened.lock);
	o = *find(&core->opened, node);
	if (o)
		list_for_each_safe (pos, tmp, &o->handles)
			changed |= is_changed(list_entry(pos, struct handle, link));
	pthread_mutex_unlock(&core->opened.lock);
	return changed;
}

uint32_t opened_mask(struct core *core, const struct node *node)
{
	struct opened *o;
	uint32_t mask;

	pthread_mutex_lock(&core->opened.lock);
	o = *find(&core->opened, node);
	mask = o ? o->mask : CORE_MASK_UNCHANGED;
	pthread_mutex_unlock(&core->opened.lock);
	return mask;
}

bool opened_set_mask(struct core *core, const struct node *node, uint32_t mask)
{
	struct opened *o;

	pthread_mutex_lock(&core->opened.lock);
	o = *find(&core->opened, node);
	if (o)
		o->mask = mask;
	pthread_mutex_unlock(&core->opened.lock);
	return o;
}
