/* SPDX-License-Identifier: MIT */

/*
 * Order and validity of names; the search expressions are in name_match.c.
 *
 * Listings of 200,000 entries are sorted with name_compare(), and nearly all names are ASCII, so it
 * compares bytes as long as both sides are, and decodes from the first one that is not.
 */

#include "util/name.h"

#include <stdint.h>
#include <string.h>

#include "util/utf16.h"

static inline int ascii_to_upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
}

static int compare_decoded(const char *a, const char *b)
{
	struct utf16_reader reader_a = utf16_read(a);
	struct utf16_reader reader_b = utf16_read(b);

	for (;;) {
		int unit_a = utf16_next(&reader_a);
		int unit_b = utf16_next(&reader_b);

		/* the end is below every unit: a prefix comes first */
		if (unit_a == UTF16_END || unit_b == UTF16_END)
			return (unit_a != UTF16_END) - (unit_b != UTF16_END);
		if (unit_a == unit_b)
			continue;
		unit_a = utf16_to_upper((uint16_t)unit_a);
		unit_b = utf16_to_upper((uint16_t)unit_b);
		if (unit_a != unit_b)
			return unit_a - unit_b;
	}
}

int name_compare(const char *a, const char *b)
{
	for (;; a++, b++) {
		uint8_t byte_a = (uint8_t)*a;
		uint8_t byte_b = (uint8_t)*b;

		if ((byte_a | byte_b) & 0x80)
			return compare_decoded(a, b);
		if (byte_a != byte_b) {
			int diff = ascii_to_upper(byte_a) - ascii_to_upper(byte_b);

			if (diff != 0)
				return diff;
		}
		if (byte_a == 0)
			return 0;
	}
}

int name_order(const char *a, const char *b)
{
	int diff = name_compare(a, b);

	return diff != 0 ? diff : strcmp(a, b);
}

bool name_has_wildcards(const char *name)
{
	return strpbrk(name, "*?\"<>") != NULL;
}

bool name_is_valid(const char *name, size_t length)
{
	if (length == 0 || length > NAME_MAX_BYTES)
		return false;
	if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
		return false;
	return !memchr(name, '/', length) && !memchr(name, '\0', length);
}

bool path_bytes_are_valid(const char *path, size_t length)
{
	if (length > PATH_MAX_BYTES)
		return false;
	if (length == 0)
		return true;

	for (;;) {
		const char *slash = memchr(path, '/', length);
		size_t component = slash ? (size_t)(slash - path) : length;

		if (!name_is_valid(path, component))
			return false;
		if (!slash)
			return true;
		path += component + 1;
		length -= component + 1;
	}
}

bool path_is_valid(const char *path)
{
	return path_bytes_are_valid(path, strnlen(path, PATH_MAX_BYTES + 1));
}

const char *path_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
