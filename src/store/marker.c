/* SPDX-License-Identifier: MIT */

/*
 * A marker is the prefix and the encoded record in base64url without padding: a link target may
 * hold any byte but NUL, but people and tools look at it.  As with records there is one spelling
 * only: the bits of the last character that stand for nothing are zero.
 */

#include <errno.h>
#include <string.h>

#include "store/record.h"

#define PREFIX_LENGTH (sizeof(MARKER_PREFIX) - 1)

/* Three bytes become four characters of six bits; one or two at the end become two or three. */
static void append_base64(struct buf *out, const uint8_t *data, size_t size)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | data[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			buf_append_u8(out, (uint8_t)alphabet[bits >> (n_bits - 6) & 0x3f]);
	}
	if (n_bits > 0)
		buf_append_u8(out, (uint8_t)alphabet[bits << (6 - n_bits) & 0x3f]);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

/* False if @text is not what append_base64() would write. */
static bool decode_base64(const char *text, struct buf *out)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (; *text; text++) {
		int value = base64_value(*text);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			buf_append_u8(out, (uint8_t)(bits >> n_bits));
		}
	}
	return n_bits < 6 && (bits & ((1u << n_bits) - 1)) == 0;
}

int marker_encode(const struct record *rec, struct buf *out)
{
	_cleanup_(buf_deinit) struct buf encoded = {0};
	const size_t start = out->size;
	int r;

	r = record_encode(rec, &encoded);
	if (r < 0)
		return r;

	if (PREFIX_LENGTH + (encoded.size * 4 + 2) / 3 > RECORD_MARKER_MAX)
		return -E2BIG;
	buf_append(out, MARKER_PREFIX, PREFIX_LENGTH);
	append_base64(out, encoded.data, encoded.size);
	buf_append_u8(out, '\0');
	if (out->failed) {
		out->size = start;
		return -ENOMEM;
	}
	return 0;
}

bool marker_is(const char *target)
{
	return strncmp(target, MARKER_PREFIX, PREFIX_LENGTH) == 0;
}

int marker_decode(const char *target, struct buf *storage, struct record *ret)
{
	if (!marker_is(target) || strnlen(target, RECORD_MARKER_MAX + 1) > RECORD_MARKER_MAX)
		return -EBADMSG;

	storage->size = 0;
	if (!decode_base64(target + PREFIX_LENGTH, storage))
		return -EBADMSG;
	if (storage->failed)
		return -ENOMEM;
	return record_decode(storage->data, storage->size, ret);
}
