/* SPDX-License-Identifier: MIT */
/* See content.h. */

#include "core/content.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/internal.h"

struct content {
	atomic_uint n_refs;
	int fd;
	bool writable;
	/* Protected by contents.lock. */
	bool pinned;
	struct list link;
	struct node *node; /* not referenced: a node detaches its content before it goes */
};

void contents_init(struct contents *c)
{
	pthread_mutex_init(&c->lock, NULL);
	list_init(&c->list);
}

void contents_deinit(struct contents *c)
{
	pthread_mutex_destroy(&c->lock);
}

struct content *content_new(int fd, bool writable)
{
	struct content *c = malloc(sizeof(*c));

	if (!c) {
		(void)close(fd);
		return NULL;
	}
	*c = (struct content){.n_refs = 1, .fd = fd, .writable = writable};
	list_init(&c->link);
	return c;
}

int content_fd(const struct content *c)
{
	return c->fd;
}

int content_size(const struct content *c, uint64_t *ret)
{
	struct stat st;

	if (fstat(c->fd, &st) < 0)
		return -errno;
	*ret = (uint64_t)st.st_size;
	return 0;
}

struct content *content_ref(struct content *c)
{
	atomic_fetch_add(&c->n_refs, 1);
	return c;
}

struct content *content_unref(struct content *c)
{
	if (c && atomic_fetch_sub(&c->n_refs, 1) == 1) {
		(void)close(c->fd);
		free(c);
	}
	return NULL;
}

/* The caller holds the lock. The list's reference becomes the caller's. */
static struct content *take_locked(struct contents *all, struct node *node)
{
	struct content *c = steal_ptr(&node->content);

	if (!c)
		return NULL;
	if (c->pinned)
		all->n_pinned--;
	else
		all->n--;
	list_remove(&c->link);
	c->pinned = false;
	c->node = NULL;
	return c;
}

void content_attach(struct core *core, struct node *node, struct content *content, bool pin)
{
	struct contents *all = &core->contents;
	struct content *oldest = NULL, *former;

	(void)content_ref(content);
	pthread_mutex_lock(&all->lock);
	former = take_locked(all, node);
	node->content = content;
	content->node = node;
	content->pinned = pin;
	if (pin) {
		all->n_pinned++;
	} else {
		list_append(&all->list, &content->link);
		all->n++;
	}
	if (all->n > CONTENT_MAX)
		oldest = take_locked(all,
				     list_entry(all->list.next, struct content, link)->node);
	pthread_mutex_unlock(&all->lock);
	content_unref(former);
	content_unref(oldest);
}

void content_detach(struct core *core, struct node *node)
{
	struct content *c;

	pthread_mutex_lock(&core->contents.lock);
	c = take_locked(&core->contents, node);
	pthread_mutex_unlock(&core->contents.lock);
	content_unref(c);
}

bool content_is_attached(struct core *core, const struct node *node)
{
	bool yes;

	pthread_mutex_lock(&core->contents.lock);
	yes = node->content;
	pthread_mutex_unlock(&core->contents.lock);
	return yes;
}

static struct content *lookup(struct core *core, struct node *node)
{
	struct contents *all = &core->contents;
	struct content *c;

	pthread_mutex_lock(&all->lock);
	c = node->content;
	if (c) {
		content_ref(c);
		if (!c->pinned) {
			list_remove(&c->link);
			list_append(&all->list, &c->link);
		}
	}
	pthread_mutex_unlock(&all->lock);
	return c;
}

/* By its name, or the one that it was hidden under. */
static int open_by_name(struct core *core, struct node *node, bool writable)
{
	_cleanup_(freep) char *path = NULL;
	uint16_t flags;

	node_lock(core, node);
	flags = node->flags;
	node_unlock(core, node);
	if (flags & NODE_HIDDEN)
		return store_open_hidden(core->store, node->name);
	if (flags & NODE_UNLINKED)
		return -ESTALE;
	path = node_path(core, node);
	return path ? store_open_file(core->store, path, writable ? O_RDWR : O_RDONLY) : -ENOMEM;
}

int content_of_node(struct core *core, struct node *node, bool writable, struct content **ret)
{
	struct content *c = lookup(core, node);
	int fd;

	if (!c || (writable && !c->writable)) {
		content_unref(c);
		fd = open_by_name(core, node, writable);
		if (fd < 0)
			return fd;
		c = content_new(fd, writable);
		if (!c)
			return -ENOMEM;
		content_attach(core, node, c, false);
	}
	*ret = c;
	return 0;
}

int content_pin(struct core *core, struct node *node)
{
	struct content *c;
	bool full;
	int r;

	pthread_mutex_lock(&core->contents.lock);
	full = core->contents.n_pinned >= CONTENT_PINNED_MAX;
	pthread_mutex_unlock(&core->contents.lock);
	if (full)
		return -EMFILE;
	r = content_of_node(core, node, true, &c);
	if (r < 0)
		return r;
	content_attach(core, node, c, true);
	content_unref(c);
	return 0;
}
