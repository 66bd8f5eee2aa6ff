/* SPDX-License-Identifier: MIT */
/*
 * An enumeration session is a snapshot: START reads the whole directory, GET hands it out in pieces, each as
 * large as the buffer it is given.
 *
 * The session is in the table from START to END.  A GET that is still running when END comes (it was
 * cancelled) holds a reference of its own.
 */

#include "listing.h"

#include "dir.h"
#include "entries.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct listing {
	struct prj_guid id;
	struct listing *next; /* in its bucket, protected by listings->lock */
	unsigned int n_refs; /* protected by listings->lock */
	struct entries entries;
	/* Of the GETs, of which projfs calls one at a time. */
	bool is_started;
	size_t position;
	char *pattern; /* NULL: all */
};

/* ---- The table ---- */

void listings_init(struct listings *listings)
{
	*listings = (struct listings){0};
	(void)pthread_mutex_init(&listings->lock, NULL);
}

static struct listing *listing_free(struct listing *listing)
{
	entries_deinit(&listing->entries);
	free(listing->pattern);
	free(listing);
	return NULL;
}

void listings_deinit(struct listings *listings)
{
	for (size_t i = 0; i < LISTINGS_BUCKETS; i++) {
		struct listing *next;

		for (struct listing *l = listings->buckets[i]; l; l = next) {
			next = l->next;
			(void)listing_free(l);
		}
	}
	(void)pthread_mutex_destroy(&listings->lock);
}

size_t listings_count(struct listings *listings)
{
	size_t n;

	(void)pthread_mutex_lock(&listings->lock);
	n = listings->n_listings;
	(void)pthread_mutex_unlock(&listings->lock);
	return n;
}

/* Ids may be random or counted: use every byte. */
static struct listing **bucket_of(struct listings *listings, const struct prj_guid *id)
{
	unsigned int hash = 0;

	for (size_t i = 0; i < sizeof(id->bytes); i++)
		hash = hash * 31 + id->bytes[i];
	return &listings->buckets[hash % LISTINGS_BUCKETS];
}

/* Where the pointer to the session @id is, or the NULL at the end.  Call with listings->lock held. */
static struct listing **find(struct listings *listings, const struct prj_guid *id)
{
	struct listing **p = bucket_of(listings, id);

	while (*p && memcmp(&(*p)->id, id, sizeof(*id)))
		p = &(*p)->next;
	return p;
}

static prj_result listings_add(struct listings *listings, struct listing *listing)
{
	struct listing **p;
	prj_result result = PRJ_ERR_INVALID_PARAMETER;

	(void)pthread_mutex_lock(&listings->lock);
	p = find(listings, &listing->id);
	if (!*p) {
		*p = listing;
		listings->n_listings++;
		result = PRJ_OK;
	}
	(void)pthread_mutex_unlock(&listings->lock);
	return result;
}

static struct listing *listings_ref(struct listings *listings, const struct prj_guid *id)
{
	struct listing *listing;

	(void)pthread_mutex_lock(&listings->lock);
	listing = *find(listings, id);
	if (listing)
		listing->n_refs++;
	(void)pthread_mutex_unlock(&listings->lock);
	return listing;
}

static struct listing *listings_unref(struct listings *listings, struct listing *listing)
{
	bool is_last;

	(void)pthread_mutex_lock(&listings->lock);
	is_last = !--listing->n_refs;
	(void)pthread_mutex_unlock(&listings->lock);
	return is_last ? listing_free(listing) : NULL;
}

/* Take the session out of the table, with the table's reference. */
static struct listing *listings_remove(struct listings *listings, const struct prj_guid *id)
{
	struct listing **p, *listing;

	(void)pthread_mutex_lock(&listings->lock);
	p = find(listings, id);
	listing = *p;
	if (listing) {
		*p = listing->next;
		listings->n_listings--;
	}
	(void)pthread_mutex_unlock(&listings->lock);
	return listing;
}

/* ---- The callbacks ---- */

prj_result listing_start(const struct prj_callback_data *data,
                         const struct prj_guid *enumeration_id)
{
	struct dir_provider *dir = data->instance_context;
	struct listing *listing;
	prj_result result;

	listing = calloc(1, sizeof(*listing));
	if (!listing)
		return PRJ_ERR_OUT_OF_MEMORY;
	listing->id = *enumeration_id;
	listing->n_refs = 1;

	result = entries_read(&listing->entries, dir, data->file_path_name);
	if (PRJ_SUCCEEDED(result))
		result = listings_add(&dir->listings, listing);
	if (PRJ_FAILED(result))
		listing = listing_free(listing);
	return result;
}

static prj_result restart(struct listing *listing, const char *search_expression)
{
	char *pattern = NULL;

	if (search_expression) {
		pattern = strdup(search_expression);
		if (!pattern)
			return PRJ_ERR_OUT_OF_MEMORY;
	}
	free(listing->pattern);
	listing->pattern = pattern;
	listing->position = 0;
	listing->is_started = true;
	return PRJ_OK;
}

static prj_result fill_entry(const struct entry *entry, prj_dir_entry_buffer *buffer)
{
	struct prj_extended_info link = {
	        .info_type = PRJ_EXT_INFO_TYPE_SYMLINK,
	        .u.symlink.target_name = entry->target,
	};

	return prj_fill_dir_entry_buffer2(buffer, entry->name, &entry->info,
	                                  entry->target ? &link : NULL);
}

/* The entry for which there is no room is the first of the next call. */
static prj_result fill(struct listing *listing, prj_dir_entry_buffer *buffer)
{
	bool is_empty = true;
	prj_result result;

	for (; listing->position < listing->entries.n_items; listing->position++) {
		const struct entry *entry = listing->entries.items[listing->position];

		if (listing->pattern && !prj_file_name_match(entry->name, listing->pattern))
			continue;
		result = fill_entry(entry, buffer);
		if (result == PRJ_ERR_INSUFFICIENT_BUFFER && !is_empty)
			return PRJ_OK;
		if (PRJ_FAILED(result))
			return result;
		is_empty = false;
	}
	return PRJ_OK;
}

prj_result listing_get(const struct prj_callback_data *data, const struct prj_guid *enumeration_id,
                       const char *search_expression, prj_dir_entry_buffer *buffer)
{
	struct dir_provider *dir = data->instance_context;
	struct listing *listing;
	prj_result result = PRJ_OK;

	listing = listings_ref(&dir->listings, enumeration_id);
	if (!listing)
		return PRJ_ERR_INVALID_PARAMETER;
	if (!listing->is_started || data->flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN)
		result = restart(listing, search_expression);
	if (PRJ_SUCCEEDED(result))
		result = fill(listing, buffer);
	(void)listings_unref(&dir->listings, listing);
	return result;
}

prj_result listing_end(const struct prj_callback_data *data, const struct prj_guid *enumeration_id)
{
	struct dir_provider *dir = data->instance_context;
	struct listing *listing;

	listing = listings_remove(&dir->listings, enumeration_id);
	if (!listing)
		return PRJ_ERR_INVALID_PARAMETER;
	(void)listings_unref(&dir->listings, listing);
	return PRJ_OK;
}
