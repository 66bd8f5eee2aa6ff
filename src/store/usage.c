/* SPDX-License-Identifier: MIT */
/* How much of what lies below a root. */
#include <errno.h>

#include "store/internal.h"
#include "util/clock.h"

struct count {
	struct store_usage *usage;
	uint64_t deadline_ms;
};

static int count_one(void *context, const char *path, const struct store_item *item)
{
	struct count *c = context;
	struct store_usage *u = c->usage;

	switch (item->state) {
	case STORE_HYDRATED:
		u->n_hydrated++;
		u->bytes_hydrated += (uint64_t)item->st.st_size;
		break;
	case STORE_LOCAL:
		if (S_ISDIR(item->st.st_mode))
			break;
		u->n_local++;
		if (S_ISREG(item->st.st_mode))
			u->bytes_local += (uint64_t)item->st.st_size;
		break;
	case STORE_DIRECTORY:
		u->n_directories++;
		break;
	case STORE_PLACEHOLDER:
	case STORE_TOMBSTONE:
		u->n_markers++;
		break;
	case STORE_DAMAGED:
		u->n_damaged++;
		break;
	case STORE_NONE:
		break;
	}
	u->truncated = clock_now_ms() >= c->deadline_ms;
	return u->truncated ? WALK_STOP : WALK_ON;
}

int store_usage(struct store *s, unsigned limit_ms, struct store_usage *ret)
{
	struct store_usage usage = {0};
	struct count count = {.usage = &usage, .deadline_ms = clock_now_ms() + limit_ms};
	int r;

	r = partial_usage(s, &usage.n_partial, &usage.bytes_partial);
	if (r == 0)
		r = walk_below(s, "", true, count_one, &count);
	if (r == 0)
		*ret = usage;
	return r;
}
