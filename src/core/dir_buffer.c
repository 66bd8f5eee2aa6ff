/* SPDX-License-Identifier: MIT */
/* What one call of a get directory enumeration callback delivers; see dir_buffer.h. */

#include "core/dir_buffer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/name.h"

struct dir_buffer {
	pthread_mutex_t lock; /* the provider may fill it while the command is cancelled */
	bool closed;
	struct buf entries; /* struct raw_entry */
	struct buf text;
	struct dir_buffer_owner owner;
};

struct raw_entry {
	struct listing_entry entry; /* name and target not set yet */
	uint32_t name_at;
	uint32_t target_at; /* UINT32_MAX: none */
};

struct dir_buffer *dir_buffer_new(void)
{
	struct dir_buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	list_init(&b->owner.link);
	return b;
}

void dir_buffer_free(struct dir_buffer *b)
{
	if (!b)
		return;
	buf_deinit(&b->entries);
	buf_deinit(&b->text);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct dir_buffer_owner *dir_buffer_owner(struct dir_buffer *b)
{
	return &b->owner;
}

struct dir_buffer *dir_buffer_of(struct dir_buffer_owner *owner)
{
	return container_of(owner, struct dir_buffer, owner);
}

void dir_buffer_close(struct dir_buffer *b)
{
	pthread_mutex_lock(&b->lock);
	b->closed = true;
	buf_deinit(&b->entries);
	buf_deinit(&b->text);
	pthread_mutex_unlock(&b->lock);
}

static int add(struct dir_buffer *b, const char *name, const struct record *rec)
{
	size_t length = strlen(name), target = rec->fields & RECORD_TARGET ? rec->target.size : 0;
	struct raw_entry raw = {
		.entry = {
			.size = rec->size,
			.mtime = rec->mtime,
			.ctime = rec->ctime,
			.atime = rec->atime,
			.mode = rec->mode,
			.uid = rec->uid,
			.gid = rec->gid,
			.attributes = rec->attributes,
			.fields = rec->fields,
			.kind = (uint8_t)rec->kind,
		},
		.name_at = (uint32_t)b->text.size,
		.target_at = UINT32_MAX,
	};

	if (b->closed)
		return -ECANCELED;
	if (!name_is_valid(name, length))
		return -EINVAL;
	if (b->entries.size &&
	    b->entries.size + b->text.size + sizeof(raw) + length + target > DIR_BUFFER_SIZE)
		return -ENOBUFS;
	buf_append(&b->text, name, length + 1);
	if (rec->fields & RECORD_TARGET) {
		raw.target_at = (uint32_t)b->text.size;
		buf_append(&b->text, rec->target.data, target);
		buf_append_u8(&b->text, 0);
	}
	buf_append(&b->entries, &raw, sizeof(raw));
	return b->text.failed || b->entries.failed ? -ENOMEM : 0;
}

int dir_buffer_add(struct dir_buffer *b, const char *name, const struct record *rec)
{
	int r;

	pthread_mutex_lock(&b->lock);
	r = add(b, name, rec);
	pthread_mutex_unlock(&b->lock);
	return r;
}

size_t dir_buffer_count(const struct dir_buffer *b)
{
	return b->entries.size / sizeof(struct raw_entry);
}

struct listing_entry dir_buffer_at(const struct dir_buffer *b, size_t index)
{
	const struct raw_entry *raw = (const struct raw_entry *)(const void *)b->entries.data + index;
	struct listing_entry entry = raw->entry;

	entry.name = (const char *)b->text.data + raw->name_at;
	entry.target = raw->target_at == UINT32_MAX ? NULL
						    : (const char *)b->text.data + raw->target_at;
	return entry;
}
