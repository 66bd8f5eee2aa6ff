/* SPDX-License-Identifier: MIT */

/*
 * The byte strings inside a record: ids, which may come padded with zeros as the fixed arrays of
 * the Windows interface are, and packed extended attributes.
 */

#include <string.h>

#include "store/record.h"

struct record_bytes record_bytes_trim(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	while (size > 0 && bytes[size - 1] == 0)
		size--;
	return (struct record_bytes){bytes, size};
}

bool record_bytes_equal(struct record_bytes a, struct record_bytes b)
{
	a = record_bytes_trim(a.data, a.size);
	b = record_bytes_trim(b.data, b.size);
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool record_xattr_next(struct record_bytes packed, size_t *pos, const char **ret_name,
                       struct record_bytes *ret_value)
{
	struct cursor c;
	const uint8_t *name, *end, *value;
	size_t value_size;

	if (*pos >= packed.size)
		return false;
	name = packed.data + *pos;
	end = memchr(name, '\0', packed.size - *pos);
	if (!end || end == name)
		return false;

	c = (struct cursor){.data = end + 1, .size = packed.size - (size_t)(end + 1 - packed.data)};
	value_size = cursor_u32(&c);
	value = cursor_bytes(&c, value_size);
	if (c.failed)
		return false;

	*ret_name = (const char *)name;
	*ret_value = (struct record_bytes){value, value_size};
	*pos = packed.size - c.size;
	return true;
}

void record_xattr_pack(struct buf *packed, const char *name, const void *value, size_t size)
{
	/* nothing that big could be stored, and its length would not fit */
	if (size > RECORD_ENCODED_MAX) {
		packed->failed = true;
		return;
	}
	buf_append(packed, name, strlen(name) + 1);
	buf_append_u32(packed, (uint32_t)size);
	buf_append(packed, value, size);
}
