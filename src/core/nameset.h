/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_NAMESET_H
#define PROJFS_CORE_NAMESET_H

/* A set of names that lie elsewhere: maps a name to the index its owner gave it. Names must outlive it. */

#include <stddef.h>
#include <stdint.h>

#define NAMESET_NONE UINT32_MAX

struct nameset {
	struct nameset_slot {
		const char *name; /* NULL: free */
		uint32_t hash;
		uint32_t index;
	} *slots;
	size_t n_slots; /* 0 or a power of two */
	size_t n_names;
};

void nameset_deinit(struct nameset *set);
uint32_t nameset_find(const struct nameset *set, const char *name);
/* 0, -EEXIST (nothing changed), -ENOMEM. */
int nameset_add(struct nameset *set, const char *name, uint32_t index);

#endif
