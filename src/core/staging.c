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
	pthread_mutex_lock(&h->lock);
	r = take_up_partial(h);
	pthread_mutex_unlock(&h->lock);
	return r;
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
	pthread_mutex_lock(&h->lock);
	h->is_staged = true;
	pthread_mutex_unlock(&h->lock);
	return 0;
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

int staging_open(struct core *core, struct node *node, struct hydration *h)
{
	pthread_mutex_t *lock = &core->staging_locks[node->id % CORE_N_STAGING_LOCKS];
	bool current;
	int r = 0;

	tree_read(core);
	pthread_mutex_lock(lock);
	if (!h->content) {
		node_lock(core, node);
		current = node->hydration == h;
		node_unlock(core, node);
		/* Of a large one the files belong to whatever is the node's hydration now. */
		r = current || h->small ? open_files(core, node, h) : -EBADF;
	}
	pthread_mutex_unlock(lock);
	tree_unlock(core);
	return r;
}
