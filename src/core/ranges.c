/* SPDX-License-Identifier: MIT */
#include "core/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"

void ranges_deinit(struct ranges *r)
{
	free(r->list);
	*r = (struct ranges){0};
}

/* The first range that ends at @at or later. */
static size_t find(const struct ranges *r, uint64_t at)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->list[middle].end < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int ranges_add(struct ranges *r, uint64_t start, uint64_t end, struct range *ret)
{
	size_t first = find(r, start), last = first;
	struct range merged = {start, end};

	while (last < r->n && r->list[last].start <= end) {
		merged.start = MIN(merged.start, r->list[last].start);
		merged.end = MAX(merged.end, r->list[last].end);
		last++;
	}
	if (first == last && r->n == r->capacity) {
		size_t capacity = r->capacity ? r->capacity * 2 : 4;
		struct range *bigger = realloc(r->list, capacity * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		r->list = bigger;
		r->capacity = capacity;
	}
	memmove(&r->list[first + 1], &r->list[last], (r->n - last) * sizeof(*r->list));
	r->n = r->n - (last - first) + 1;
	r->list[first] = merged;
	if (ret)
		*ret = merged;
	return 0;
}

bool ranges_has(const struct ranges *r, uint64_t start, uint64_t end)
{
	struct range gap;

	return !ranges_gap(r, start, end, &gap);
}

bool ranges_gap(const struct ranges *r, uint64_t start, uint64_t end, struct range *ret)
{
	for (size_t i = find(r, start); i < r->n && start < end; i++) {
		if (r->list[i].start > start)
			break;
		start = MAX(start, r->list[i].end);
	}
	if (start >= end)
		return false;
	*ret = (struct range){start, end};
	for (size_t i = find(r, start); i < r->n; i++) {
		if (r->list[i].start > start) {
			ret->end = MIN(end, r->list[i].start);
			break;
		}
	}
	return true;
}
