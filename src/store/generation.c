/* SPDX-License-Identifier: MIT */
/*
 * One name, several items.  A projected item that was renamed keeps its identity, which was made from its origin.  When
 * that name is projected again it must get another: the generation of the name is one higher from then on.  Few
 * names ever have one, so .projfs/generations lists them, each as 8 bytes of the first identity and 4 of the number;
 * the last entry for an identity counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"

#define GENERATIONS "generations"
#define ENTRY_SIZE 12

/* Where @identity is, or belongs, in the sorted list. */
static size_t where_is(const struct generations *g, uint64_t identity)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->list[middle].identity < identity)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct generations *g, size_t at, uint64_t identity)
{
	return at < g->n && g->list[at].identity == identity;
}

static int set_entry(struct generations *g, uint64_t identity, uint32_t number)
{
	size_t at = where_is(g, identity);

	if (is_at(g, at, identity)) {
		g->list[at].number = number;
		return 0;
	}
	if (g->n == g->capacity) {
		size_t capacity = g->capacity ? g->capacity * 2 : 64;
		void *bigger = realloc(g->list, capacity * sizeof(*g->list));

		if (!bigger)
			return -ENOMEM;
		g->list = bigger;
		g->capacity = capacity;
	}
	memmove(&g->list[at + 1], &g->list[at], (g->n - at) * sizeof(*g->list));
	g->list[at] = (struct generation){.identity = identity, .number = number};
	g->n++;
	return 0;
}

int generations_load(struct store *s)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	struct cursor c;
	int r = private_load(s, GENERATIONS, &b);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	c = (struct cursor){.data = b.data, .size = b.size / ENTRY_SIZE * ENTRY_SIZE};
	while (r == 0 && c.size) {
		uint64_t identity = cursor_u64(&c);

		r = set_entry(&s->generations, identity, cursor_u32(&c));
	}
	atomic_store(&s->generations.any, s->generations.n > 0);
	return r;
}

bool store_has_generations(const struct store *s)
{
	return atomic_load(&s->generations.any);
}

uint32_t store_generation(struct store *s, const char *origin)
{
	struct generations *g = &s->generations;
	uint32_t number = 0;
	uint64_t identity;
	size_t at;

	if (!store_has_generations(s))
		return 0;
	identity = store_identity(s, origin, 0);
	pthread_mutex_lock(&g->lock);
	at = where_is(g, identity);
	if (is_at(g, at, identity))
		number = g->list[at].number;
	pthread_mutex_unlock(&g->lock);
	return number;
}

int generation_raise(struct store *s, const char *origin)
{
	uint32_t number = store_generation(s, origin) + 1;
	uint64_t identity = store_identity(s, origin, 0);
	_cleanup_(buf_deinit) struct buf b = {0};
	_cleanup_(closep) int fd = -1;
	int r;

	buf_append_u64(&b, identity);
	buf_append_u32(&b, number);
	if (b.failed)
		return -ENOMEM;
	store_step();
	fd = openat(s->private, GENERATIONS, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b.data, b.size);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->generations.lock);
	r = set_entry(&s->generations, identity, number);
	pthread_mutex_unlock(&s->generations.lock);
	atomic_store(&s->generations.any, true);
	return r;
}

/* ---- what a restore shows again ------------------------------------------------------------------ */

static int raise_one(struct store *s, const char *path, const struct store_item *item)
{
	char storage[PATH_MAX_BYTES + 1];
	const char *origin;
	int r;

	if (item->state != STORE_TOMBSTONE)
		return 0;
	r = place_origin(s, path, NULL, storage, &origin);
	return r < 0 ? r : generation_raise(s, origin);
}

static int raise_visited(void *context, const char *path, const struct store_item *item)
{
	int r = raise_one(context, path, item);

	return r < 0 ? r : WALK_ON;
}

int generation_raise_below(struct store *s, const char *path)
{
	struct store_item item = {0};
	int r = item_peek(s, path, &item);

	if (r == 0)
		r = raise_one(s, path, &item);
	if (r == 0 && S_ISDIR(item.st.st_mode))
		r = walk_below(s, path, true, raise_visited, s);
	store_item_deinit(&item);
	return r;
}
