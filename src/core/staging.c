/* SPDX-License-Identifier: MIT */
/*
 * Where content lies until it is complete.  The files are opened when the first byte comes, not when somebody asks: ten
 * thousand readers may wait for a provider that delivers nothing, and may not use up the descriptors of the process.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/hydration.h"
#include "core/internal.h"

/* What an earlier instance, or an earlier reader, left behind.  The caller holds h->lock. */
static int take_up_partial(struct hydration *h)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && partial_bytes(h->partial) && at < h->size; at += PARTIAL_CHUNK) {
		uint64_t end = MIN(at + PARTIAL_CHUNK, h->size);

		if (partial_has(h->partial, at, end - at))
			r = ranges_add(&h->arrived, at, end, NULL);
	}
	atomic_store(&h->bytes, partial_bytes(h->partial));
	return r;
}

static int open_partial(struct core *core, struct node *node, struct hydration *h)
{
	struct record rec;
	int r = record_decode(h->rec, h->rec_size, &rec);

	if (r < 0)
		return r;
	/* Without a ContentID nothing tells which version an earlier part is of. */
	if (!rec.content_id.size)
		store_partial_drop(core->store, node->ino);
	r = store_partial_open(core->store, node->ino, &rec, &h->partial);
	if (r < 0)
		return r;
	h->fd = partial_fd(h->partial);
	return 0;
}

static int open_stage(struct core *core, struct node *node, struct hydration *h)
{
	_cleanup_(freep) char *path = node_path(core, node);
	int r;

	if (!path)
		return -ENOMEM;
	r = store_stage_new(core->store, path, &h->stage);
	/* A directory that lay on its way has been removed: it needs no place any more. */
	if (r == -ENOTDIR)
		r = store_stage_new(core->store, node->name, &h->stage);
	if (r == 0)
		h->fd = stage_fd(h->stage);
	return r;
}

/* The caller holds the tree lock, and the node's staging lock.  May be tried again after a failure. */
static int open_files(struct core *core, struct node *node, struct hydration *h)
{
	int fd, r = 0;

	if (h->fd < 0)
		r = h->small ? open_stage(core, node, h) : open_partial(core, node, h);
	if (r < 0)
		return r;
	fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	h->content = content_new(fd, true);
	if (!h->content)
		return -ENOMEM;
	/* Readers are answered from it as soon as something counts as arrived. */
	pthread_mutex_lock(&h->lock);
	if (h->partial)
		r = take_up_partial(h);
	h->is_staged = r == 0;
	pthread_mutex_unlock(&h->lock);
	if (r < 0)
		h->content = content_unref(h->content);
	return r;
}

int staging_take_up(struct core *core, struct node *node, struct hydration *h)
{
	struct record rec;
	int r;

	if (h->small)
		return 0;
	r = record_decode(h->rec, h->rec_size, &rec);
	if (r < 0 || !rec.content_id.size || !store_partial_peek(core->store, node->ino, &rec))
		return r;
	return open_files(core, node, h);
}

pthread_mutex_t *staging_lock(struct core *core, const struct node *node)
{
	return &core->staging_locks[node->ino % CORE_N_STAGING_LOCKS];
}

int staging_open(struct core *core, struct node *node, struct hydration *h)
{
	pthread_mutex_t *lock = staging_lock(core, node);
	bool current;
	int r = 0;

	tree_read(core);
	pthread_mutex_lock(lock);
	if (!h->content) {
		node_lock(core, node);
		current = node->hydration == h && node->state != NODE_GONE;
		node_unlock(core, node);
		/* Those of a large one are named by the item's identity: they belong to whoever has the name now. */
		r = current || h->small ? open_files(core, node, h) : -EBADF;
	}
	pthread_mutex_unlock(lock);
	tree_unlock(core);
	return r;
}
