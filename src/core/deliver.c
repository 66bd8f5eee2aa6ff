/* SPDX-License-Identifier: MIT */
/*
 * Bytes from the provider.  They are written with no lock held; what counts is only marked afterwards, so that a
 * reader never sees a byte that is not on the disk yet.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/hydration.h"
#include "core/internal.h"
#include "util/log.h"

#define COPY_BUFFER (256 * 1024)

int hydration_arrived(struct hydration *h, uint64_t start, uint64_t end)
{
	struct range merged;
	int r;

	if (ranges_has(&h->arrived, start, end))
		return 0;
	r = ranges_add(&h->arrived, start, end, &merged);
	if (r < 0)
		return r;
	if (h->partial) {
		/* Only the chunks that these bytes can have completed. */
		merged.start = MAX(merged.start, start / PARTIAL_CHUNK * PARTIAL_CHUNK);
		merged.end = MIN(merged.end, (end / PARTIAL_CHUNK + 1) * PARTIAL_CHUNK);
		partial_mark(h->partial, merged.start, merged.end - merged.start);
		atomic_store(&h->bytes, partial_bytes(h->partial));
	} else {
		atomic_fetch_add(&h->bytes, end - start);
	}
	return 0;
}

static struct flight *flight_of(struct hydration *h, const struct command *cmd)
{
	list_for_each (pos, &h->flights) {
		struct flight *f = list_entry(pos, struct flight, link);

		if (f->cmd == cmd)
			return f;
	}
	return NULL;
}

/* May these bytes be delivered? 0, 1: they are there already, or a negative errno. */
static int admit(struct core *core, const struct command *cmd, uint64_t offset, uint64_t length)
{
	struct hydration *h = cmd->hydration;
	bool is_staged;
	int r = 0;

	pthread_mutex_lock(&h->lock);
	is_staged = h->is_staged;
	if (h->dead)
		r = -EBADF;
	else if (!length || length > INT64_MAX || offset > INT64_MAX - length)
		r = -EINVAL;
	else if (!h->size_unknown && offset + length > h->size)
		r = -EINVAL;
	else if (ranges_has(&h->arrived, offset, offset + length))
		r = 1;
	pthread_mutex_unlock(&h->lock);
	return r == 0 && !is_staged ? staging_open(core, cmd->node, h) : r;
}

/* The bytes are in the file: count them, now or when the command succeeds. */
static int count(struct core *core, struct command *cmd, uint64_t offset, uint64_t length,
		 bool on_completion)
{
	struct hydration *h = cmd->hydration;
	struct outcome progress = {.h = h};
	struct flight *f;
	int r = 0;

	pthread_mutex_lock(&h->lock);
	f = flight_of(h, cmd);
	if (!f || h->dead)
		r = -EBADF;
	else if (on_completion)
		r = ranges_add(&f->held, offset, offset + length, NULL);
	else
		r = hydration_arrived(h, offset, offset + length);
	pthread_mutex_unlock(&h->lock);
	COUNT_ADD(core, bytes_fetched, length);
	if (r == 0 && !on_completion)
		hydration_wake(core, &progress);
	return r;
}

static int write_all(int fd, const uint8_t *data, uint64_t offset, uint64_t length)
{
	while (length) {
		ssize_t n = pwrite(fd, data, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

int core_write_data(struct core *core, const uint8_t stream_id[16], const void *data,
		    uint64_t offset, uint64_t length)
{
	struct command *cmd = command_find_stream(core, stream_id);
	int r;

	if (!cmd)
		return -EBADF;
	r = admit(core, cmd, offset, length);
	if (r == 0)
		r = write_all(cmd->hydration->fd, data, offset, length);
	if (r == 0)
		r = count(core, cmd, offset, length, false);
	command_unref(core, cmd);
	return r < 0 ? r : 0;
}

static int copy_by_buffer(int from, uint64_t from_offset, int to, uint64_t offset, uint64_t length)
{
	_cleanup_(freep) uint8_t *buffer = malloc(MIN(length, (uint64_t)COPY_BUFFER));
	int r = 0;

	if (!buffer)
		return -ENOMEM;
	while (r == 0 && length) {
		ssize_t n = pread(from, buffer, MIN(length, (uint64_t)COPY_BUFFER), (off_t)from_offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) /* what these mean of the provider's descriptor is not what they mean of its command */
			return errno == EBADF || errno == EINVAL ? -EIO : -errno;
		if (n == 0)
			return -EBUSY; /* it ended early: it has changed */
		r = write_all(to, buffer, offset, (uint64_t)n);
		from_offset += (uint64_t)n;
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return r;
}

/* Inside the kernel where it can, so that file systems may share the blocks. */
static int copy_range(int from, uint64_t from_offset, int to, uint64_t offset, uint64_t length)
{
	while (length) {
		off64_t in = (off64_t)from_offset, out = (off64_t)offset;
		ssize_t n = copy_file_range(from, &in, to, &out, length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
			return -errno;
		/* Nothing: the end of the file, or a file system that cannot do it. */
		if (n <= 0)
			return copy_by_buffer(from, from_offset, to, offset, length);
		from_offset += (uint64_t)n;
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

/* Below this a read and a write are cheaper than the kernel's copying. */
#define COPY_RANGE_MIN (64 * 1024)

int core_write_data_from_fd(struct core *core, const uint8_t stream_id[16], int fd,
			    uint64_t fd_offset, uint64_t offset, uint64_t length,
			    bool on_completion)
{
	struct command *cmd = command_find_stream(core, stream_id);
	int to, r;

	if (!cmd)
		return -EBADF;
	r = admit(core, cmd, offset, length);
	to = cmd->hydration->fd;
	if (r == 0)
		r = length < COPY_RANGE_MIN ? copy_by_buffer(fd, fd_offset, to, offset, length)
					    : copy_range(fd, fd_offset, to, offset, length);
	if (r == 0)
		r = count(core, cmd, offset, length, on_completion);
	command_unref(core, cmd);
	return r < 0 ? r : 0;
}

/* ---- the end of a command ---------------------------------------------------------------------- */

/* The provider has another version now.  Start over, unless somebody has seen bytes of the old one. */
static int superseded(struct core *core, struct node *node, struct hydration *h)
{
	bool served, mine, current;
	int r = 0;

	node_lock(core, node);
	current = node->hydration == h;
	mine = current && node->state == NODE_PLACEHOLDER && !(node->flags & NODE_COMMITTING);
	served = node->flags & NODE_SERVED;
	if (mine && !served) {
		node->hydration = NULL;
		node->flags |= NODE_ASK_AGAIN;
		if (++node->n_restarts > RESTARTS_MAX) {
			node->n_restarts = 0;
			r = -EIO;
		}
	}
	node_unlock(core, node);
	if (mine && served) {
		node_retire(core, node);
		core->kernel->expire_entry(core->kernel_context, node->parent->id, node->name);
		return -EIO;
	}
	if (!mine)
		return current ? -EIO : -ECANCELED; /* the rest of an old version; or it was dropped before */
	hydration_drop(core, h, r);
	return r;
}

/* A small file that failed starts over with the next reader; of a large one what has come stays. */
static void forget_failed(struct core *core, struct node *node, struct hydration *h)
{
	bool mine = false;

	if (!h->small)
		return;
	node_lock(core, node);
	if (node->hydration == h && node->state == NODE_PLACEHOLDER) {
		node->hydration = NULL;
		mine = true;
	}
	node_unlock(core, node);
	if (mine)
		hydration_unref(core, h);
}

/* The caller holds h->lock. */
static int take_held(struct hydration *h, struct flight *f)
{
	for (size_t i = 0; i < f->held.n; i++) {
		int r = hydration_arrived(h, f->held.list[i].start, f->held.list[i].end);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Did the command deliver what it was asked for?  The caller holds h->lock. */
static int settle(struct core *core, struct hydration *h, struct flight *f)
{
	int r = take_held(h, f);

	if (r < 0)
		return r;
	if (h->size_unknown) {
		/* Whatever came is the file, if it has no holes. */
		if (h->arrived.n > 1 || (h->arrived.n == 1 && h->arrived.list[0].start != 0))
			r = -EIO;
		else
			h->size = h->arrived.n ? h->arrived.list[0].end : 0;
		h->size_unknown = r < 0;
	} else if (!ranges_has(&h->arrived, f->start, f->end)) {
		r = -EIO;
	}
	if (r < 0) {
		COUNT(core, provider_faults);
		log_warning("get_file_data of \"%s\" returned success but did not deliver all of "
			    "bytes %llu to %llu: reported as EIO", f->cmd->path,
			    (unsigned long long)f->start, (unsigned long long)f->end);
	}
	return r;
}

static void flight_free(struct core *core, struct flight *f)
{
	ranges_deinit(&f->held);
	command_unref(core, f->cmd);
	free(f);
}

/*
 * Has all arrived, and does nobody write to the file any more?  What a large file has got counts even if the last
 * command failed, since readers have seen it; a small file comes whole or not at all.  The caller holds h->lock.
 */
static bool is_complete(const struct hydration *h, int error)
{
	if (error < 0 && (h->small || error == -EBUSY))
		return false;
	return !h->dead && !h->committing && !h->size_unknown && list_empty(&h->flights) &&
	       ranges_has(&h->arrived, 0, h->size);
}

void hydration_data_finished(struct core *core, struct command *cmd, int error)
{
	struct hydration *h = cmd->hydration;
	struct node *node = cmd->node;
	struct outcome outcome = {.h = h, .start = cmd->offset, .end = cmd->offset + cmd->length};
	bool commit = false;
	struct flight *f;

	pthread_mutex_lock(&h->lock);
	f = flight_of(h, cmd);
	if (f) {
		list_remove(&f->link);
		if (error == 0 && !h->dead)
			error = settle(core, h, f);
		commit = is_complete(h, error);
		if (commit)
			h->committing = true;
	}
	if (h->small)
		outcome.end = UINT64_MAX;
	pthread_mutex_unlock(&h->lock);
	if (f)
		flight_free(core, f);
	if (error == -EBUSY)
		error = superseded(core, node, h);
	else if (error < 0 && error != -ECANCELED)
		COUNT(core, hydrations_failed);
	if (error < 0)
		forget_failed(core, node, h);
	if (commit) {
		(void)hydration_end(core, node, h);
		return;
	}
	outcome.error = error;
	hydration_wake(core, &outcome);
}
