/* SPDX-License-Identifier: MIT */

/*
 * Neither side ever checks more than once: a buffer that could not grow, or a cursor that ran out,
 * stays failed and turns the calls that follow into no-ops.
 */

#include "util/buf.h"

#include <string.h>

#define BUF_FIRST_CAPACITY 64

/* A 64-bit number has at most ten groups of seven bits, and the tenth holds one bit. */
#define VARINT_MAX_BYTES 10

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

static bool buf_reserve(struct buf *b, size_t more)
{
	size_t capacity = b->capacity ? b->capacity : BUF_FIRST_CAPACITY;
	uint8_t *data;

	if (b->failed)
		return false;
	if (more <= b->capacity - b->size)
		return true;

	while (capacity - b->size < more) {
		if (capacity > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		capacity *= 2;
	}

	data = realloc(b->data, capacity);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
	/* memcpy() may not be given the NULL that an empty field has */
	if (size == 0 || !buf_reserve(b, size))
		return;
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void append_little_endian(struct buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[sizeof(v)];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buf_append(b, bytes, size);
}

void buf_append_u8(struct buf *b, uint8_t v)
{
	buf_append(b, &v, 1);
}

void buf_append_u32(struct buf *b, uint32_t v)
{
	append_little_endian(b, v, sizeof(v));
}

void buf_append_u64(struct buf *b, uint64_t v)
{
	append_little_endian(b, v, sizeof(v));
}

void buf_append_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[VARINT_MAX_BYTES];
	size_t n = 0;

	while (v >= 0x80) {
		bytes[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	buf_append(b, bytes, n);
}

void buf_append_svarint(struct buf *b, int64_t v)
{
	uint64_t sign = v < 0 ? UINT64_MAX : 0;

	/* zigzag: 0, -1, 1, -2... become 0, 1, 2, 3..., so that small numbers stay short */
	buf_append_varint(b, ((uint64_t)v << 1) ^ sign);
}

const uint8_t *cursor_bytes(struct cursor *c, size_t size)
{
	const uint8_t *data = c->data;

	if (c->failed || size > c->size) {
		c->failed = true;
		return NULL;
	}
	if (size > 0)
		c->data += size;
	c->size -= size;
	return data;
}

static uint64_t read_little_endian(struct cursor *c, size_t size)
{
	const uint8_t *bytes = cursor_bytes(c, size);
	uint64_t v = 0;

	if (!bytes)
		return 0;
	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)bytes[i] << (8 * i);
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)read_little_endian(c, sizeof(uint8_t));
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)read_little_endian(c, sizeof(uint32_t));
}

uint64_t cursor_u64(struct cursor *c)
{
	return read_little_endian(c, sizeof(uint64_t));
}

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (size_t i = 0; i < VARINT_MAX_BYTES; i++) {
		uint8_t byte = cursor_u8(c);

		if (c->failed)
			return 0;
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		/* a last group of zero could have been left out; the tenth has room for one bit */
		if ((byte == 0 && i > 0) || (i == VARINT_MAX_BYTES - 1 && byte > 1))
			break;
		return v;
	}
	c->failed = true;
	return 0;
}

int64_t cursor_svarint(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}
