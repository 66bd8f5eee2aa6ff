/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_RANGES_H
#define PROJFS_CORE_RANGES_H

/* A set of bytes of a file, as sorted ranges [start, end) that do not touch. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start;
	uint64_t end;
};

struct ranges {
	struct range *list;
	size_t n;
	size_t capacity;
};

void ranges_deinit(struct ranges *r);
/* Add a range; @ret, if not NULL, becomes the range that it is part of now. -ENOMEM. */
int ranges_add(struct ranges *r, uint64_t start, uint64_t end, struct range *ret);
bool ranges_has(const struct ranges *r, uint64_t start, uint64_t end);
/* The first part of [start, end) that is not in the set. false: all of it is. */
bool ranges_gap(const struct ranges *r, uint64_t start, uint64_t end, struct range *ret);

#endif
