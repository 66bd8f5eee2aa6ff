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

static int append_entry(struct generations *g, uint64_t identity, uint32_t number)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->list[i].identity == identity) {
			g->list[i].number = number;
			return 0;
		}
	}
	if (g->n % 64 == 0) {
		void *bigger = realloc(g->list, (g->n + 64) * sizeof(*g->list));

		if (!bigger)
			return -ENOMEM;
		g->list = bigger;
	}
	g->list[g->n].identity = identity;
	g->list[g->n++].number = number;
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

		r = append_entry(&s->generations, identity, cursor_u32(&c));
	}
	atomic_store(&s->generations.any, s->generations.n > 0);
	return r;
}

uint32_t store_generation(struct store *s, const char *origin)
{
	struct generations *g = &s->generations;
	uint32_t number = 0;
	uint64_t identity;

	if (!atomic_load(&g->any))
		return 0;
	identity = store_identity(s, origin, 0);
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->n && !number; i++)
		if (g->list[i].identity == identity)
			number = g->list[i].number;
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
	r = append_entry(&s->generations, identity, number);
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
