/* SPDX-License-Identifier: MIT */
#include "util/utf16.h"

#include <stdbool.h>
#include <stddef.h>
#include <unicase.h>

#define STRAY_BYTE 0xdc00
#define SURROGATE_FIRST 0xd800
#define SURROGATE_LAST 0xdfff
#define PAIR_FIRST 0x10000
#define PAIR_LAST 0x10ffff

struct utf16_reader utf16_read(const char *utf8)
{
	return (struct utf16_reader){.next = (const uint8_t *)utf8};
}

/* Decode the character of @length bytes at @p.  A terminating NUL is no continuation byte, so
 * nothing behind it is looked at. */
static bool decode(const uint8_t *p, size_t length, uint32_t *ret)
{
	static const uint32_t shortest_for[] = {[2] = 0x80, [3] = 0x800, [4] = PAIR_FIRST};
	uint32_t c = p[0] & (0x7f >> length);

	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < shortest_for[length] || c > PAIR_LAST)
		return false;
	if (c >= SURROGATE_FIRST && c <= SURROGATE_LAST)
		return false;

	*ret = c;
	return true;
}

int utf16_next(struct utf16_reader *reader)
{
	const uint8_t *p = reader->next;
	uint32_t c = *p;
	size_t length = 1;

	if (reader->low) {
		int low = reader->low;

		reader->low = 0;
		return low;
	}
	if (c == 0)
		return UTF16_END;
	if (c >= 0x80) {
		length = c >= 0xf8 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		if (length == 1 || !decode(p, length, &c)) {
			reader->next = p + 1;
			return STRAY_BYTE + p[0];
		}
	}

	reader->next = p + length;
	if (c < PAIR_FIRST)
		return (int)c;
	c -= PAIR_FIRST;
	reader->low = (uint16_t)(0xdc00 | (c & 0x3ff));
	return (int)(0xd800 | c >> 10);
}

uint16_t utf16_to_upper(uint16_t unit)
{
	ucs4_t upper;

	if (unit < 0x80)
		return unit >= 'a' && unit <= 'z' ? unit - ('a' - 'A') : unit;
	if (unit >= SURROGATE_FIRST && unit <= SURROGATE_LAST)
		return unit;
	upper = uc_toupper(unit);
	return upper < PAIR_FIRST ? (uint16_t)upper : unit;
}
