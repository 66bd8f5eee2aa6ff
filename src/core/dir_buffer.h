/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_DIR_BUFFER_H
#define PROJFS_CORE_DIR_BUFFER_H

/* What a get directory enumeration callback fills, and the entries that listings are made of. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"
#include "util/list.h"

struct listing_entry {
	const char *name;
	const char *target;  /* of a symbolic link, or NULL */
	uint64_t size;
	struct record_time mtime, ctime, atime;
	uint32_t mode, uid, gid, attributes;
	uint32_t fields;     /* enum record_field: which of the above the provider gave */
	uint8_t kind;        /* enum record_kind */
	bool local;          /* on disk: the above does not count */
	bool removed;        /* deleted by a user; if kind is set the provider still has it */
};

struct dir_buffer;

/* Room for this many bytes of names and entries in one call of the provider. */
#define DIR_BUFFER_SIZE (256 * 1024)

/* A link for whoever owns it. */
struct dir_buffer_owner {
	struct list link;
	int32_t command_id;
};

struct dir_buffer *dir_buffer_new(void);
void dir_buffer_free(struct dir_buffer *b);
struct dir_buffer_owner *dir_buffer_owner(struct dir_buffer *b);
struct dir_buffer *dir_buffer_of(struct dir_buffer_owner *owner);
/* Nobody wants what is in it any more, but the provider may still add to it. */
void dir_buffer_close(struct dir_buffer *b);
/* Append one entry. -ENOBUFS: full (never when it is empty); -EINVAL: not a possible name; -ECANCELED: closed. */
int dir_buffer_add(struct dir_buffer *b, const char *name, const struct record *rec);
size_t dir_buffer_count(const struct dir_buffer *b);
/* Its strings stay in the buffer. */
struct listing_entry dir_buffer_at(const struct dir_buffer *b, size_t index);

#endif
