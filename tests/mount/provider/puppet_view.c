/* SPDX-License-Identifier: MIT */
/* What the puppet projects, and how a well-behaved provider answers for it. */

#include <stdlib.h>
#include <string.h>

#include "puppet.h"

#define CHUNK (256u * 1024)

/* One open listing: the items that existed when it was opened, in the order in which they are given. */
struct session {
	struct session *next;
	struct prj_guid id;
	struct item **items;
	size_t n_items, position;
};

struct item *item_find(struct puppet *p, const char *path, bool create)
{
	uint32_t hash = 2166136261u;
	struct item **bucket, *item, **items;

	for (const char *c = path; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	bucket = &p->buckets[(hash ^ hash >> 16) % N_BUCKETS];
	for (item = *bucket; item; item = item->next)
		if (!strcmp(item->path, path))
			return item;
	if (!create)
		return NULL;
	item = calloc(1, sizeof(*item) + strlen(path) + 1);
	if (!item)
		return NULL;
	if ((p->n_items & (p->n_items - 1)) == 0) { /* a power of two: the room is used up */
		items = reallocarray(p->items, p->n_items ? p->n_items * 2 : 1, sizeof(*items));
		if (!items) {
			free(item);
			return NULL;
		}
		p->items = items;
	}
	strcpy(item->path, path);
	p->items[p->n_items++] = item;
	item->next = *bucket;
	*bucket = item;
	return item;
}

static void fill_info(const struct item *item, struct prj_placeholder_info *ret)
{
	*ret = (struct prj_placeholder_info){
	        .struct_size = sizeof(*ret),
	        .file_basic_info = {
	                .struct_size = sizeof(ret->file_basic_info),
	                .is_directory = item->is_dir,
	                .file_size = item->is_dir ? 0 : (int64_t)item->size,
	                .last_write_time.sec = 1700000000 + (int64_t)item->seed,
	                .change_time.sec = 1700000000 + (int64_t)item->seed,
	                .valid = PRJ_BASIC_INFO_MODE,
	                .mode = item->mode,
	        }};
	if (!item->is_dir) {
		memcpy(ret->version_info.content_id, &item->seed, sizeof(item->seed));
		memcpy(ret->version_info.content_id + 8, &item->size, sizeof(item->size));
	}
}

/* 1 and what it is, or 0: no such item. */
static bool look_up(const struct call *call, struct prj_placeholder_info *ret)
{
	struct puppet *p = call->puppet;
	const struct item *item;
	bool exists;

	pthread_mutex_lock(&p->lock);
	item = item_find(p, call->path, false);
	exists = item && item->exists;
	if (exists)
		fill_info(item, ret);
	pthread_mutex_unlock(&p->lock);
	return exists;
}

static prj_result answer_lookup(const struct call *call)
{
	struct prj_placeholder_info info;

	if (!look_up(call, &info))
		return PRJ_ERR_FILE_NOT_FOUND;
	return prj_write_placeholder_info(call->instance, call->path, &info, sizeof(info));
}

static prj_result answer_query(const struct call *call)
{
	struct prj_placeholder_info info;

	return look_up(call, &info) ? PRJ_OK : PRJ_ERR_FILE_NOT_FOUND;
}

/* ---- listings ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return prj_file_name_compare((*(struct item *const *)a)->path,
	                             (*(struct item *const *)b)->path);
}

/* The caller holds the lock. */
static bool collect(struct puppet *p, const struct item *dir, struct session *s)
{
	size_t length = strlen(dir->path), n = 0;

	s->items = calloc(2 * p->n_items + 1, sizeof(*s->items));
	if (!s->items)
		return false;
	for (size_t i = 0; i < p->n_items; i++) {
		struct item *item = p->items[i];
		const char *slash = strrchr(item->path, '/');
		size_t parent = slash ? (size_t)(slash - item->path) : 0;

		if (item->exists && *item->path && parent == length &&
		    !strncmp(item->path, dir->path, length))
			s->items[n++] = item;
	}
	qsort(s->items, n, sizeof(*s->items), compare);
	for (size_t i = 0; dir->lists_reversed && i < n / 2; i++) {
		struct item *other = s->items[i];

		s->items[i] = s->items[n - 1 - i];
		s->items[n - 1 - i] = other;
	}
	for (size_t i = n; dir->lists_twice && i-- > 0;)
		s->items[2 * i] = s->items[2 * i + 1] = s->items[i];
	s->n_items = dir->lists_twice ? 2 * n : n;
	return true;
}

static prj_result answer_start(const struct call *call)
{
	struct session *s = calloc(1, sizeof(*s));
	struct puppet *p = call->puppet;
	prj_result result = PRJ_OK;
	const struct item *dir;

	if (!s)
		return PRJ_ERR_OUT_OF_MEMORY;
	s->id = call->id;
	pthread_mutex_lock(&p->lock);
	dir = item_find(p, call->path, false);
	if (!dir || !dir->exists)
		result = PRJ_ERR_FILE_NOT_FOUND;
	else if (!collect(p, dir, s))
		result = PRJ_ERR_OUT_OF_MEMORY;
	if (PRJ_SUCCEEDED(result)) {
		s->next = p->sessions;
		p->sessions = s;
	}
	pthread_mutex_unlock(&p->lock);
	if (PRJ_FAILED(result))
		free(s);
	return result;
}

static struct session **find_session(struct puppet *p, const struct prj_guid *id)
{
	struct session **s = &p->sessions; /* the caller holds the lock */

	while (*s && memcmp(&(*s)->id, id, sizeof(*id)))
		s = &(*s)->next;
	return s;
}

static prj_result answer_list(const struct call *call)
{
	struct puppet *p = call->puppet;
	prj_result result = PRJ_OK;
	struct session *s;
	int n_filled = 0;

	pthread_mutex_lock(&p->lock);
	s = *find_session(p, &call->id);
	if (s && call->restart)
		s->position = 0;
	for (; s && s->position < s->n_items; s->position++, n_filled++) {
		const struct item *item = s->items[s->position];
		const char *slash = strrchr(item->path, '/');
		struct prj_placeholder_info info;

		fill_info(item, &info);
		result = prj_fill_dir_entry_buffer(slash ? slash + 1 : item->path,
		                                   &info.file_basic_info, call->buffer);
		if (PRJ_FAILED(result))
			break;
	}
	pthread_mutex_unlock(&p->lock);
	return n_filled && result == PRJ_ERR_INSUFFICIENT_BUFFER ? PRJ_OK : result;
}

/* The caller holds the lock. */
static void session_free(struct session **at)
{
	struct session *s = *at;

	*at = s->next;
	free(s->items);
	free(s);
}

static prj_result answer_end(const struct call *call)
{
	struct puppet *p = call->puppet;
	struct session **at;

	pthread_mutex_lock(&p->lock);
	at = find_session(p, &call->id);
	if (*at)
		session_free(at);
	pthread_mutex_unlock(&p->lock);
	return PRJ_OK;
}

size_t sessions_free(struct puppet *p)
{
	size_t n = 0;

	for (; p->sessions; n++)
		session_free(&p->sessions);
	return n;
}

/* ---- content -------------------------------------------------------------------------------- */

static prj_result answer_data(const struct call *call, int64_t limit)
{
	uint64_t offset = call->offset, end = offset + call->length, seed = 0, size = 0;
	struct puppet *p = call->puppet;
	prj_result result = PRJ_OK;
	const struct item *item;
	uint64_t *words = malloc(CHUNK + 8);

	if (!words)
		return PRJ_ERR_OUT_OF_MEMORY;
	pthread_mutex_lock(&p->lock);
	item = item_find(p, call->path, false);
	if (item) {
		seed = item->seed;
		size = item->size;
	}
	pthread_mutex_unlock(&p->lock);
	if (end > size)
		end = size;
	if (limit >= 0 && end > offset + (uint64_t)limit)
		end = offset + (uint64_t)limit;
	while (offset < end && PRJ_SUCCEEDED(result)) {
		uint32_t n = end - offset < CHUNK ? (uint32_t)(end - offset) : CHUNK;

		for (uint32_t i = 0; i <= n / 8; i++)
			words[i] = (seed << 40) + offset / 8 + i + 1;
		result = prj_write_file_data(call->instance, &call->id, (char *)words + offset % 8,
		                             offset, n);
		offset += n;
	}
	free(words);
	return result;
}

prj_result answer(const struct call *call, int64_t limit)
{
	switch (call->kind) {
	case KIND_LOOKUP:
		return answer_lookup(call);
	case KIND_START:
		return answer_start(call);
	case KIND_LIST:
		return answer_list(call);
	case KIND_END:
		return answer_end(call);
	case KIND_DATA:
		return answer_data(call, limit);
	case KIND_QUERY:
		return answer_query(call);
	default:
		return PRJ_OK; /* a notification */
	}
}
