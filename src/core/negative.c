/* SPDX-License-Identifier: MIT */
/* See negative.h.  A plain hash table with chains; the kernel is told without its lock. */

#include "core/negative.h"

#include <string.h>

#include "core/internal.h"
#include "util/log.h"
#include "util/name.h"

#define N_BUCKETS_FIRST 256

struct negative_path {
	struct negative_path *next;
	uint64_t told_id; /* the directory below which the kernel may know of it; 0: none */
	uint32_t hash;
	char path[];
};

static uint32_t hash_path(const char *path)
{
	return (uint32_t)hash_bytes(hash_process_key(), path, strlen(path));
}

/* Both only grow, so the sum is the same only if each is. */
static uint64_t generation_locked(const struct negative_paths *t, uint32_t hash)
{
	return t->n_clears + t->n_removals[hash % NEGATIVE_N_COUNTS];
}

/* Where the pointer to it is, or would be. NULL: there is no table yet. */
static struct negative_path **find_locked(struct negative_paths *t, const char *path, uint32_t hash)
{
	struct negative_path **p;

	if (!t->n_buckets)
		return NULL;
	p = &t->buckets[hash & (t->n_buckets - 1)];
	while (*p && ((*p)->hash != hash || strcmp((*p)->path, path) != 0))
		p = &(*p)->next;
	return p;
}

/* Without memory for more buckets the chains just get longer. */
static void grow(struct negative_paths *t)
{
	size_t n = t->n_buckets ? t->n_buckets * 2 : N_BUCKETS_FIRST;
	struct negative_path **buckets = calloc(n, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct negative_path *p = t->buckets[i], *next; p; p = next) {
			next = p->next;
			p->next = buckets[p->hash & (n - 1)];
			buckets[p->hash & (n - 1)] = p;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
}

/* Takes over @fresh if it returns true. */
static bool add_locked(struct negative_paths *t, struct negative_path *fresh)
{
	struct negative_path **p;

	if (t->n_paths >= t->n_buckets)
		grow(t);
	p = find_locked(t, fresh->path, fresh->hash);
	if (!p || *p || t->n_paths >= NEGATIVE_MAX)
		return false;
	*p = fresh;
	t->n_paths++;
	return true;
}

static void expire(struct core *core, uint64_t dir_id, const char *path)
{
	if (dir_id)
		core->kernel->expire_entry(core->kernel_context, dir_id, path_last(path));
}

void negative_init(struct core *core)
{
	pthread_mutex_init(&core->negative.lock, NULL);
}

static void paths_free(struct negative_path **buckets, size_t n_buckets)
{
	for (size_t i = 0; i < n_buckets; i++) {
		for (struct negative_path *p = buckets[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	}
	free(buckets);
}

void negative_deinit(struct core *core)
{
	paths_free(core->negative.buckets, core->negative.n_buckets);
	pthread_mutex_destroy(&core->negative.lock);
}

uint64_t negative_generation(struct core *core, const char *path)
{
	struct negative_paths *t = &core->negative;
	uint64_t generation;

	if (!core->config.negative_path_cache)
		return 0;
	pthread_mutex_lock(&t->lock);
	generation = generation_locked(t, hash_path(path));
	pthread_mutex_unlock(&t->lock);
	return generation;
}

void negative_add(struct core *core, const char *path, uint64_t generation)
{
	struct negative_paths *t = &core->negative;
	struct negative_path *fresh;
	bool added = false, full;
	size_t size = strlen(path) + 1;

	if (!core->config.negative_path_cache)
		return;
	fresh = malloc(sizeof(*fresh) + size);
	if (!fresh)
		return;
	*fresh = (struct negative_path){.hash = hash_path(path)};
	memcpy(fresh->path, path, size);
	pthread_mutex_lock(&t->lock);
	if (generation_locked(t, fresh->hash) == generation)
		added = add_locked(t, fresh);
	full = !added && t->n_paths >= NEGATIVE_MAX && !t->is_full_known;
	t->is_full_known |= full;
	pthread_mutex_unlock(&t->lock);
	if (!added)
		free(fresh);
	if (full)
		log_warning("the negative path cache is full with %d names: of others, \"%s\" first, "
			    "the provider is asked each time, until prj_clear_negative_path_cache()",
			    NEGATIVE_MAX, path);
}

bool negative_knows(struct core *core, struct node *dir, const char *name)
{
	struct negative_paths *t = &core->negative;
	_cleanup_(freep) char *path = NULL;
	struct negative_path **p;
	uint64_t outdated_id = 0;
	bool known;

	if (!core->config.negative_path_cache)
		return false;
	path = node_child_origin(core, dir, name);
	if (!path)
		return false; /* ask, then */
	pthread_mutex_lock(&t->lock);
	p = find_locked(t, path, hash_path(path));
	known = p && *p;
	/* The same path under another node: the kernel forgot the directory, or it was renamed and projected anew. */
	if (known && (*p)->told_id != dir->id) {
		outdated_id = (*p)->told_id;
		(*p)->told_id = dir->id;
	}
	pthread_mutex_unlock(&t->lock);
	expire(core, outdated_id, path);
	return known;
}

void negative_remove(struct core *core, const char *path)
{
	struct negative_paths *t = &core->negative;
	struct negative_path **p, *found = NULL;
	uint32_t hash;

	if (!core->config.negative_path_cache)
		return;
	hash = hash_path(path);
	pthread_mutex_lock(&t->lock);
	t->n_removals[hash % NEGATIVE_N_COUNTS]++;
	p = find_locked(t, path, hash);
	if (p && *p) {
		found = *p;
		*p = found->next;
		t->n_paths--;
	}
	pthread_mutex_unlock(&t->lock);
	if (found)
		expire(core, found->told_id, path);
	free(found);
}

uint32_t core_clear_negative_paths(struct core *core)
{
	struct negative_paths *t = &core->negative;
	struct negative_path **buckets;
	size_t n_buckets, n_paths;

	pthread_mutex_lock(&t->lock);
	t->n_clears++;
	buckets = steal_ptr(&t->buckets);
	n_buckets = t->n_buckets;
	n_paths = t->n_paths;
	t->n_buckets = 0;
	t->n_paths = 0;
	t->is_full_known = false;
	pthread_mutex_unlock(&t->lock);
	/* Nobody is told of these any more, so whoever was hears of it now. */
	for (size_t i = 0; i < n_buckets; i++)
		for (struct negative_path *p = buckets[i]; p; p = p->next)
			expire(core, p->told_id, p->path);
	paths_free(buckets, n_buckets);
	return (uint32_t)n_paths;
}
