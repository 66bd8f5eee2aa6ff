/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_LEFT_OUT_H
#define PROJFS_PROVIDER_DIR_LEFT_OUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* More than these are not told apart any more, and not counted. */
#define LEFT_OUT_MAX 65536u

struct left_out_item {
	uint64_t device;
	uint64_t inode; /* 0: free */
};

/* Which items of the source the view does not show. */
struct left_out {
	pthread_mutex_t lock;
	struct left_out_item *slots; /* protected by lock; a hash table with open addressing */
	size_t n_slots; /* protected by lock; 0 or a power of two */
	size_t n_special; /* protected by lock */
	bool has_reserved_name; /* protected by lock */
};

void left_out_init(struct left_out *left_out);
void left_out_deinit(struct left_out *left_out);

/* A fifo, socket or device was seen.  Without memory it is not counted: the number only informs. */
void left_out_add_special(struct left_out *left_out, const struct statx *st);

/* Whether the top of the source has an item with the name that projfs keeps for itself. */
void left_out_set_reserved_name(struct left_out *left_out, bool is_there);

/* The numbers for `projfs status`. */
void left_out_count(struct left_out *left_out, size_t *ret_n_special, size_t *ret_n_reserved);

#endif
