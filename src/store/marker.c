/* SPDX-License-Identifier: MIT */

/*
 * A marker is the prefix and the encoded record in base64url: a link target may hold any byte but NUL,
 * but people and tools look at it.
 */

#include <errno.h>
#include <string.h>

#include "store/base64.h"
#include "store/record.h"

#define PREFIX_LENGTH (sizeof(MARKER_PREFIX) - 1)

int marker_encode(const struct record *rec, struct buf *out)
{
	_cleanup_(buf_deinit) struct buf encoded = {0};
	const size_t start = out->size;
	int r;

	r = record_encode(rec, &encoded);
	if (r < 0)
		return r;

	if (PREFIX_LENGTH + BASE64_LENGTH(encoded.size) > RECORD_MARKER_MAX)
		return -E2BIG;
	buf_append(out, MARKER_PREFIX, PREFIX_LENGTH);
	base64_append(out, encoded.data, encoded.size);
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
	if (!base64_decode(target + PREFIX_LENGTH, storage))
		return -EBADMSG;
	if (storage->failed)
		return -ENOMEM;
	return record_decode(storage->data, storage->size, ret);
}
