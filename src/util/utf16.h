/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_UTF16_H
#define PROJFS_UTIL_UTF16_H

/*
 * A name as Windows would see it: read UTF-8 as UTF-16 code units, one at a time.
 *
 * Linux names are bytes and need not be UTF-8.  A byte that is no part of a well-formed character
 * (also of an overlong form, an encoded surrogate, or one beyond U+10FFFF) becomes the unit
 * 0xDC00 + byte: a low surrogate without a high one, which well-formed text never contains.
 */

#include <stdint.h>

struct utf16_reader {
	const uint8_t *next; /* NUL-terminated */
	uint16_t low; /* second half of a pair whose first half was read, or 0 */
};

#define UTF16_END (-1)

struct utf16_reader utf16_read(const char *utf8);

/* The next code unit, or UTF16_END: then, and forever after, nothing is left. */
int utf16_next(struct utf16_reader *reader);

/* One-to-one upper case of a unit, never longer, halves of a pair as they are: so U+00DF (sharp s)
 * stays what it is, and so does everything beyond U+FFFF. */
uint16_t utf16_to_upper(uint16_t unit);

#endif
