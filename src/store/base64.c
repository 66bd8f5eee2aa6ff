/* SPDX-License-Identifier: MIT */
#include "store/base64.h"

/* Three bytes become four characters of six bits; one or two at the end become two or three. */
void base64_append(struct buf *out, const uint8_t *data, size_t size)
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

bool base64_decode(const char *text, struct buf *out)
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
