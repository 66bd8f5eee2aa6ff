/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_BASE64_H
#define PROJFS_STORE_BASE64_H

/*
 * base64url without padding, for bytes that stand in the target of a link.  There is one spelling only:
 * the bits of the last character that stand for nothing are zero.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* How many characters @size bytes become. */
#define BASE64_LENGTH(size) (((size) * 4 + 2) / 3)

/* Without a NUL at the end. */
void base64_append(struct buf *out, const uint8_t *data, size_t size);
/* False if @text is not what base64_append() would write. */
bool base64_decode(const char *text, struct buf *out);

#endif
