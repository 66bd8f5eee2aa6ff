/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_NEGATIVE_H
#define PROJFS_CORE_NEGATIVE_H

/*
 * The negative path cache: names that the provider has said it does not have.
 *
 * A path (the provider's own, byte for byte) gets in when get_placeholder_info ended with "not found", and in no other
 * way.  It leaves when the provider describes an item of that path, or when the provider clears all.  While it is in,
 * the provider is not asked about it; memory and the disk are looked at before it.
 *
 * The kernel may remember such a name as well, for as long as it is in here: each path knows the directory below which
 * the kernel was told of it, and is expired there when it leaves.
 *
 * An answer may be under way while a path leaves, and must not bring it back.  So who asks takes the path's generation
 * first, and the answer counts only if that is still the same.
 *
 * Without core_config.negative_path_cache all of these do nothing, and nothing is known.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct node;

#define NEGATIVE_MAX 262144
#define NEGATIVE_N_COUNTS 1024

struct negative_paths {
	pthread_mutex_t lock; /* one of the innermost; protects what follows */
	struct negative_path **buckets;
	size_t n_buckets; /* 0 or a power of two */
	size_t n_paths;
	uint64_t n_clears;
	uint64_t n_removals[NEGATIVE_N_COUNTS]; /* by the path's hash */
	bool is_full_known; /* that it is full was logged */
};

void negative_init(struct core *core);
void negative_deinit(struct core *core);

/* To be taken before the provider is asked. */
uint64_t negative_generation(struct core *core, const char *path);
/* The provider has no @path, it said when asked at @generation. Without memory it will just be asked again. */
void negative_add(struct core *core, const char *path, uint64_t generation);
/*
 * Is @name in @dir known to be absent?  Then the kernel may be told so without a time limit: it hears when that ends.
 * The caller holds the tree lock.
 */
bool negative_knows(struct core *core, struct node *dir, const char *name);
/* The provider has @path now. */
void negative_remove(struct core *core, const char *path);

#endif
