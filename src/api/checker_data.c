/* SPDX-License-Identifier: MIT */
/*
 * Content: what each command was given, and which ContentID stands for which content.  Different files may share a
 * ContentID (that is what content-addressed stores do); what may not differ is the size, and the bytes.  Bytes are
 * compared, by their hash, if one command delivered the whole file in order, which is so for all small files.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/checker_internal.h"
#include "api/result.h"

#define N_CONTENTS 65536u
#define WAYS 8
#define PIECES_MAX 4096 /* ranges that do not touch, of one command */
#define READ_SIZE (64 * 1024)

struct content_fact {
	uint64_t key; /* 0: free */
	uint64_t used;
	char *path; /* owned; of the file that had it first */
	uint64_t size;
	bool has_hash;
	uint64_t hash;
};

struct contents {
	uint64_t moment;
	struct content_fact facts[N_CONTENTS];
};

struct contents *contents_new(void)
{
	return calloc(1, sizeof(struct contents));
}

struct contents *contents_free(struct contents *contents)
{
	for (size_t i = 0; contents && i < N_CONTENTS; i++)
		free(contents->facts[i].path);
	free(contents);
	return NULL;
}

/* ---- ContentIDs ------------------------------------------------------------------------------------------ */

uint64_t content_key_of(const struct record *rec)
{
	struct hash_state h;
	uint64_t key;

	if (!(rec->fields & RECORD_CONTENT_ID))
		return 0;
	hash_init(&h, hash_process_key());
	hash_append(&h, &rec->content_id.size, sizeof(rec->content_id.size));
	hash_append(&h, rec->content_id.data, rec->content_id.size);
	if (rec->fields & RECORD_PROVIDER_ID)
		hash_append(&h, rec->provider_id.data, rec->provider_id.size);
	key = hash_finish(&h);
	return key ? key : 1;
}

/* What is known of the ContentID, or a fresh fact; NULL: no memory. */
static struct content_fact *fact_of(struct contents *contents, uint64_t key, const char *path,
                                    uint64_t size)
{
	struct content_fact *set = &contents->facts[key % (N_CONTENTS / WAYS) * WAYS];
	struct content_fact *oldest = &set[0];
	char *copy;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			set[i].used = ++contents->moment;
			return &set[i];
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	copy = strdup(path);
	if (!copy)
		return NULL;
	free(oldest->path);
	*oldest = (struct content_fact){
	        .key = key, .used = ++contents->moment, .path = copy, .size = size};
	return oldest;
}

void content_sized(struct checker *c, struct reports *reports, const char *callback,
                   const char *path, uint64_t key, uint64_t size)
{
	struct content_fact *fact = fact_of(c->contents, key, path, size);

	if (!fact || fact->size == size)
		return;
	report(c, reports, CONTENT_ID_REUSED, callback, path,
	       "has %llu bytes, with the ContentID that stood for %llu bytes at \"%.200s\"",
	       (unsigned long long)size, (unsigned long long)fact->size, fact->path);
	fact->size = size;
	fact->has_hash = false;
}

static void content_hashed(struct checker *c, struct reports *reports, const struct active *a)
{
	struct content_fact *fact = fact_of(c->contents, a->content_key, a->path, a->hashed);
	struct hash_state state = a->hash;
	uint64_t hash = hash_finish(&state);

	content_sized(c, reports, a->name, a->path, a->content_key, a->hashed);
	if (!fact)
		return;
	if (fact->has_hash && fact->hash != hash)
		report(c, reports, CONTENT_ID_REUSED, a->name, a->path,
		       "delivered other bytes than before, for the ContentID that \"%.200s\" had",
		       fact->path);
	fact->has_hash = true;
	fact->hash = hash;
}

/* ---- what a command got ------------------------------------------------------------------------------------ */

static void delivered(struct checker *c, struct reports *reports, struct active *a, uint64_t start,
                      uint64_t end)
{
	struct range gap;

	if (a->is_untold)
		return;
	if (!ranges_gap(&a->delivered, start, end, &gap) || gap.start != start || gap.end != end)
		report(c, reports, DATA_OVERLAP, a->name, a->path,
		       "delivered bytes %llu to %llu, some of them for the second time",
		       (unsigned long long)start, (unsigned long long)end);
	if (ranges_add(&a->delivered, start, end, NULL) < 0 || a->delivered.n > PIECES_MAX) {
		a->is_untold = true;
		ranges_deinit(&a->delivered);
	}
}

static struct active *take_data(struct checker *c, struct reports *reports, int32_t id,
                                uint64_t offset, uint64_t length, int r)
{
	struct active *a = active_find(c, id);

	if (!a || a->kind != COMMAND_DATA)
		return NULL;
	if (r < 0 && !a->write_error)
		a->write_error = r;
	if (r == -EINVAL)
		report(c, reports, DATA_BEYOND_END, a->name, a->path,
		       "delivered %llu bytes at %llu of a file of %llu bytes",
		       (unsigned long long)length, (unsigned long long)offset,
		       (unsigned long long)a->size);
	if (r < 0)
		return NULL;
	delivered(c, reports, a, offset, offset + length);
	return a;
}

/* ---- its hash, which is made without the lock ------------------------------------------------------------------ */

/* true: these bytes are the next ones, and nobody else's turn. */
static bool hash_begin(struct active *a, uint64_t offset, struct hash_state *ret)
{
	if (!a->content_key || a->is_unordered)
		return false;
	if (a->is_hashing || offset != a->hashed) {
		a->is_unordered = true;
		return false;
	}
	a->is_hashing = true;
	*ret = a->hash;
	return true;
}

static void hash_end(struct checker *c, int32_t id, const struct hash_state *state, uint64_t length)
{
	struct active *a;

	pthread_mutex_lock(&c->lock);
	a = active_find(c, id);
	if (a) {
		a->is_hashing = false;
		a->hash = *state;
		a->hashed += length;
	}
	pthread_mutex_unlock(&c->lock);
}

static uint64_t hash_file(struct hash_state *state, int fd, uint64_t offset, uint64_t length)
{
	uint8_t *buffer = malloc(READ_SIZE);
	uint64_t done = 0;

	while (buffer && done < length) {
		ssize_t n = pread(fd, buffer, MIN(length - done, (uint64_t)READ_SIZE),
		                  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		hash_append(state, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	free(buffer);
	return done;
}

static int32_t id_of(const uint8_t stream_id[16])
{
	int32_t id;

	memcpy(&id, stream_id, sizeof(id)); /* as command_stream_id() made it */
	return id;
}

/* true: hash them next. */
static bool take(struct checker *c, int32_t id, uint64_t offset, uint64_t length, int r,
                 struct hash_state *ret)
{
	struct reports reports = {0};
	struct active *a;
	bool hash;

	pthread_mutex_lock(&c->lock);
	a = take_data(c, &reports, id, offset, length, r);
	hash = a && hash_begin(a, offset, ret);
	pthread_mutex_unlock(&c->lock);
	reports_write(&reports);
	return hash;
}

void checker_data(struct checker *c, const uint8_t stream_id[16], const void *data, uint64_t offset,
                  uint64_t length, int r)
{
	struct hash_state state;

	if (!take(c, id_of(stream_id), offset, length, r, &state))
		return;
	hash_append(&state, data, length);
	hash_end(c, id_of(stream_id), &state, length);
}

void checker_data_from_fd(struct checker *c, const uint8_t stream_id[16], int fd,
                          uint64_t fd_offset, uint64_t offset, uint64_t length, int r)
{
	struct hash_state state;

	if (take(c, id_of(stream_id), offset, length, r, &state))
		hash_end(c, id_of(stream_id), &state, hash_file(&state, fd, fd_offset, length));
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Of a file whose size is not known, what came is the file: [0, *@ret_size), without holes. */
static bool is_all(const struct active *a, struct range *ret_gap, uint64_t *ret_size)
{
	uint64_t end = a->offset + a->length;

	*ret_gap = (struct range){0};
	*ret_size = a->size;
	if (a->has_size) {
		end = MIN(a->length ? end : a->size, a->size);
		return end <= a->offset || !ranges_gap(&a->delivered, a->offset, end, ret_gap);
	}
	if (a->length)
		return !ranges_gap(&a->delivered, a->offset, end, ret_gap);
	*ret_size = a->delivered.n ? a->delivered.list[a->delivered.n - 1].end : 0;
	return !*ret_size || !ranges_gap(&a->delivered, 0, *ret_size, ret_gap);
}

void data_ended(struct checker *c, struct reports *reports, const struct active *a,
                prj_result result)
{
	struct range gap;
	uint64_t size;

	/* Nobody waited for it any more: how much came is all the same. */
	if (result != PRJ_OK || a->is_untold || a->write_error == -EBADF)
		return;
	if (!is_all(a, &gap, &size)) {
		report(c, reports, DATA_SHORT, a->name, a->path,
		       "succeeded without bytes %llu to %llu (asked for %llu at %llu)%s%s",
		       (unsigned long long)gap.start, (unsigned long long)gap.end,
		       (unsigned long long)a->length, (unsigned long long)a->offset,
		       a->write_error ? ", though a delivery failed with " : "",
		       a->write_error ? prj_result_name(result_from(a->write_error)) : "");
		return;
	}
	if (a->content_key && !a->is_unordered && !a->is_hashing && a->hashed == size)
		content_hashed(c, reports, a);
}
