/* SPDX-License-Identifier: MIT */
/*
 * What listings and look-ups said about one name, to compare them.
 *
 * Two tables of fixed size, in which something new takes the place of what was not used for longest: names, and the
 * directories that they are in.  A directory that lost a name that way since its listing began cannot say what it
 * does not have.  Which of two facts is newer is told by a counter (a "moment"), how old one is by the clock.
 */

#include <stdlib.h>
#include <string.h>

#include "api/checker_internal.h"

#define WAYS 8
#define N_ITEMS 65536u
#define N_DIRS 4096u

enum seen {
	SEEN_NOT,
	SEEN_FOUND,
	SEEN_ABSENT,
};

struct dir {
	uint64_t key; /* 0: free */
	uint64_t used; /* moment */
	struct list items;
	uint64_t since; /* moment at which its last complete listing began; 0: none */
	uint64_t complete_ms;
	uint64_t lost; /* moment at which the last of its names was thrown out of the table */
};

struct item {
	uint64_t key; /* 0: free */
	uint64_t used; /* moment */
	struct dir *dir;
	struct list in_dir;
	char *name; /* owned */
	uint64_t listed; /* moment; 0: never */
	uint64_t listed_ms;
	uint64_t session_id;
	struct item_facts in_listing;
	enum seen seen;
	uint64_t seen_ms;
	struct item_facts in_look_up;
};

struct items {
	uint64_t moment;
	struct item items[N_ITEMS];
	struct dir dirs[N_DIRS];
};

struct items *items_new(void)
{
	return calloc(1, sizeof(struct items));
}

/* A moment after all that was noted before. */
static uint64_t next_moment(struct items *items)
{
	return ++items->moment;
}

static void item_forget(struct items *items, struct item *item)
{
	if (!item->key)
		return;
	list_remove(&item->in_dir);
	item->dir->lost = next_moment(items);
	free(item->name);
	*item = (struct item){0};
}

void items_clear(struct items *items)
{
	for (size_t i = 0; i < N_ITEMS; i++)
		item_forget(items, &items->items[i]);
	memset(items->dirs, 0, sizeof(items->dirs));
}

struct items *items_free(struct items *items)
{
	if (items)
		items_clear(items);
	free(items);
	return NULL;
}

/* ---- the tables ------------------------------------------------------------------------------------- */

static uint64_t key_of(const char *dir, size_t dir_length, const char *name)
{
	struct hash_state h;
	uint64_t key;

	hash_init(&h, hash_process_key());
	hash_append(&h, dir, dir_length);
	if (name) {
		hash_append(&h, "/", 1);
		hash_append(&h, name, strlen(name));
	}
	key = hash_finish(&h);
	return key ? key : 1;
}

static struct dir *dir_find(struct items *items, uint64_t key)
{
	struct dir *set = &items->dirs[key % (N_DIRS / WAYS) * WAYS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

static struct dir *dir_get(struct items *items, uint64_t key)
{
	struct dir *set = &items->dirs[key % (N_DIRS / WAYS) * WAYS], *dir = dir_find(items, key);

	if (!dir) {
		dir = &set[0];
		for (size_t i = 1; i < WAYS; i++)
			if (set[i].used < dir->used)
				dir = &set[i];
		if (dir->key)
			list_for_each_safe (pos, tmp, &dir->items)
				item_forget(items, list_entry(pos, struct item, in_dir));
		*dir = (struct dir){.key = key, .lost = next_moment(items)};
		list_init(&dir->items);
	}
	dir->used = next_moment(items);
	return dir;
}

static struct item *item_find(struct items *items, uint64_t key)
{
	struct item *set = &items->items[key % (N_ITEMS / WAYS) * WAYS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* NULL: no memory. */
static struct item *item_get(struct items *items, const char *dir, size_t dir_length,
                             const char *name)
{
	uint64_t key = key_of(dir, dir_length, name);
	struct item *set = &items->items[key % (N_ITEMS / WAYS) * WAYS];
	struct item *item = item_find(items, key);

	if (!item) {
		char *copy = strdup(name);

		if (!copy)
			return NULL;
		item = &set[0];
		for (size_t i = 1; i < WAYS; i++)
			if (set[i].used < item->used)
				item = &set[i];
		item_forget(items, item);
		*item = (struct item){.key = key, .name = copy};
		item->dir = dir_get(items, key_of(dir, dir_length, NULL));
		list_append(&item->dir->items, &item->in_dir);
	}
	item->used = next_moment(items);
	return item;
}

/* ---- comparing ---------------------------------------------------------------------------------------- */

static bool is_near(const struct checker *c, uint64_t then_ms)
{
	return c->config.is_stable || c->config.now_ms() - then_ms <= c->config.near_ms;
}

static const char *kind_text(uint8_t kind)
{
	return kind == RECORD_DIRECTORY ? "directory"
	       : kind == RECORD_SYMLINK ? "symbolic link"
	                                : "file";
}

/* Both are known. */
static void compare(struct checker *c, struct reports *reports, const char *callback,
                    const char *path, const struct item *item)
{
	const struct item_facts *listed = &item->in_listing, *found = &item->in_look_up;

	if (!listed->kind || !found->kind)
		return;
	if (listed->kind != found->kind)
		report(c, reports, KIND_DIFFERS, callback, path,
		       "\"%s\" is a %s in the listing and a %s on look-up%s", item->name,
		       kind_text(listed->kind), kind_text(found->kind), live_note(c));
	else if (listed->kind == RECORD_FILE && listed->has_size && found->has_size &&
	         listed->size != found->size)
		report(c, reports, SIZE_DIFFERS, callback, path,
		       "\"%s\" has %llu bytes in the listing and %llu on look-up%s", item->name,
		       (unsigned long long)listed->size, (unsigned long long)found->size,
		       live_note(c));
}

uint64_t items_listing_begins(struct items *items, const char *dir)
{
	(void)dir_get(items, key_of(dir, strlen(dir), NULL));
	return next_moment(items);
}

/* ---- listings --------------------------------------------------------------------------------------------- */

bool items_listed(struct checker *c, struct reports *reports, const char *callback, const char *dir,
                  const char *name, const struct item_facts *facts, uint64_t session_id,
                  uint64_t since)
{
	struct item *item = item_get(c->items, dir, strlen(dir), name);

	if (!item)
		return true;
	if (item->session_id == session_id && item->listed > since)
		return false;
	item->session_id = session_id;
	item->listed = next_moment(c->items);
	item->listed_ms = c->config.now_ms();
	item->in_listing = *facts;
	if (item->seen == SEEN_NOT || !is_near(c, item->seen_ms))
		return true;
	if (item->seen == SEEN_FOUND)
		compare(c, reports, callback, dir, item);
	else
		report(c, reports, LISTED_NOT_FOUND, callback, dir,
		       "lists \"%s\", which was not found on look-up%s", name, live_note(c));
	return true;
}

void items_complete(struct checker *c, struct reports *reports, const char *callback,
                    const char *dir_path, uint64_t since)
{
	struct dir *dir = dir_get(c->items, key_of(dir_path, strlen(dir_path), NULL));

	dir->since = since;
	dir->complete_ms = c->config.now_ms();
	list_for_each (pos, &dir->items) {
		struct item *item = list_entry(pos, struct item, in_dir);

		if (item->seen != SEEN_FOUND || item->listed > since || !is_near(c, item->seen_ms))
			continue;
		report(c, reports, FOUND_NOT_LISTED, callback, dir_path,
		       "lists all but \"%s\", which was found on look-up%s", item->name,
		       live_note(c));
		item->seen = SEEN_NOT;
	}
}

/* ---- look-ups ------------------------------------------------------------------------------------------------ */

/* The length of the path of its directory. */
static size_t dir_length_of(const char *path)
{
	const char *name = path_last(path);

	return name > path ? (size_t)(name - path - 1) : 0;
}

/* The last complete listing, if it still counts and says that @item, which may be NULL, is not there. */
static bool is_unlisted(const struct checker *c, const struct dir *dir, const struct item *item)
{
	return dir && dir->since && is_near(c, dir->complete_ms) &&
	       (!item || item->listed < dir->since);
}

static struct item *looked_up(struct checker *c, const char *path, enum seen seen)
{
	struct item *item = item_get(c->items, path, dir_length_of(path), path_last(path));

	if (!item)
		return NULL;
	item->seen = seen;
	item->seen_ms = c->config.now_ms();
	return item;
}

void items_found(struct checker *c, struct reports *reports, const char *callback, const char *path,
                 const struct item_facts *facts)
{
	size_t dir_length = dir_length_of(path);
	struct dir *dir = dir_find(c->items, key_of(path, dir_length, NULL));
	struct item *item = item_find(c->items, key_of(path, dir_length, path_last(path)));

	if (!*path)
		return; /* the root is in no listing */
	if (is_unlisted(c, dir, item) && dir->lost < dir->since)
		report(c, reports, FOUND_NOT_LISTED, callback, path,
		       "found it, but the complete listing of its directory did not have it%s",
		       live_note(c));
	item = looked_up(c, path, SEEN_FOUND);
	if (!item)
		return;
	item->in_look_up = *facts;
	if (item->listed && is_near(c, item->listed_ms))
		compare(c, reports, callback, path, item);
}

void items_absent(struct checker *c, struct reports *reports, const char *callback,
                  const char *path)
{
	struct item *item;

	if (!*path)
		return;
	item = looked_up(c, path, SEEN_ABSENT);
	if (item && item->listed && is_near(c, item->listed_ms) && !is_unlisted(c, item->dir, item))
		report(c, reports, LISTED_NOT_FOUND, callback, path,
		       "found nothing, but the listing of its directory had it%s", live_note(c));
}
