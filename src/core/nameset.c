/* SPDX-License-Identifier: MIT */
#include "core/nameset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

#define SLOTS_MIN 64

static uint32_t hash_of(const char *name)
{
	return (uint32_t)hash_bytes(hash_process_key(), name, strlen(name));
}

void nameset_deinit(struct nameset *set)
{
	free(set->slots);
	*set = (struct nameset){0};
}

/* The slot of that name, or the free one where it would go. */
static struct nameset_slot *slot_of(const struct nameset *set, const char *name, uint32_t hash)
{
	size_t i = hash & (set->n_slots - 1);

	while (set->slots[i].name &&
	       (set->slots[i].hash != hash || strcmp(set->slots[i].name, name) != 0))
		i = (i + 1) & (set->n_slots - 1);
	return &set->slots[i];
}

uint32_t nameset_find(const struct nameset *set, const char *name)
{
	struct nameset_slot *slot;

	if (!set->n_names)
		return NAMESET_NONE;
	slot = slot_of(set, name, hash_of(name));
	return slot->name ? slot->index : NAMESET_NONE;
}

static int grow(struct nameset *set)
{
	struct nameset bigger = {.n_slots = set->n_slots ? set->n_slots * 2 : SLOTS_MIN};

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_slots; i++)
		if (set->slots[i].name)
			*slot_of(&bigger, set->slots[i].name, set->slots[i].hash) = set->slots[i];
	bigger.n_names = set->n_names;
	free(set->slots);
	*set = bigger;
	return 0;
}

int nameset_add(struct nameset *set, const char *name, uint32_t index)
{
	uint32_t hash = hash_of(name);
	struct nameset_slot *slot;

	if ((set->n_names + 1) * 3 > set->n_slots * 2) {
		int r = grow(set);

		if (r < 0)
			return r;
	}
	slot = slot_of(set, name, hash);
	if (slot->name)
		return -EEXIST;
	*slot = (struct nameset_slot){.name = name, .hash = hash, .index = index};
	set->n_names++;
	return 0;
}
