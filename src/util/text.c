/* SPDX-License-Identifier: MIT */
#include "util/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many of the first @length bytes end with a whole character, if the next one was cut off? */
static size_t cut_between_characters(const char *text, size_t length)
{
	size_t start = length;

	/* back over at most three continuation bytes to the one that says how long it should be */
	while (start > 0 && length - start < 3 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return length;

	uint8_t first = (uint8_t)text[start - 1];
	size_t present = length - start + 1;
	size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;

	return present < wanted ? start - 1 : length;
}

void text_vformat(char *text, size_t size, const char *format, va_list args)
{
	int saved_errno = errno;
	int length = vsnprintf(text, size, format, args);

	errno = saved_errno;
	if (length < 0)
		text[0] = '\0';
	else if ((size_t)length >= size)
		text[cut_between_characters(text, size - 1)] = '\0';

	for (char *p = text; *p; p++)
		if ((uint8_t)*p < 0x20 || *p == 0x7f)
			*p = '?';
}
