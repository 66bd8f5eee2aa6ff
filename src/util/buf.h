/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_BUF_H
#define PROJFS_UTIL_BUF_H

/*
 * A growing byte buffer, and the opposite, a cursor over bytes from somebody else.
 * Both remember the first failure, so that a series of calls needs one check at its end.
 * Numbers are little-endian; varints are LEB128, zigzag for signed ones, and a number has one
 * encoding only: the shortest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

/* All zero is an empty buffer. */
struct buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	bool failed; /* out of memory: nothing was appended since */
};

void buf_deinit(struct buf *b); /* leaves an empty, usable buffer */
void buf_append(struct buf *b, const void *data, size_t size);
void buf_append_u8(struct buf *b, uint8_t v);
void buf_append_u32(struct buf *b, uint32_t v);
void buf_append_u64(struct buf *b, uint64_t v);
void buf_append_varint(struct buf *b, uint64_t v);
void buf_append_svarint(struct buf *b, int64_t v);

struct cursor {
	const uint8_t *data;
	size_t size; /* bytes left */
	bool failed; /* something was read past the end, or a varint was longer than it need be */
};

/* What a failed cursor reads is 0. */
uint8_t cursor_u8(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);
int64_t cursor_svarint(struct cursor *c);
/* @size bytes that stay where they are, or NULL (and failed) if there are fewer. */
const uint8_t *cursor_bytes(struct cursor *c, size_t size);

#endif
