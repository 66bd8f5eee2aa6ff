/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_LISTING_H
#define PROJFS_PROVIDER_DIR_LISTING_H

#include <prj/prj.h>
#include <pthread.h>
#include <stddef.h>

#define LISTINGS_BUCKETS 64u

struct listing;

/* The enumeration sessions that are open, by their id. */
struct listings {
	pthread_mutex_t lock;
	struct listing *buckets[LISTINGS_BUCKETS]; /* protected by lock */
	size_t n_listings; /* protected by lock */
};

void listings_init(struct listings *listings);

/* Frees the sessions whose end was never told, too. */
void listings_deinit(struct listings *listings);

size_t listings_count(struct listings *listings);

prj_start_directory_enumeration_cb listing_start;
prj_get_directory_enumeration_cb listing_get;
prj_end_directory_enumeration_cb listing_end;

#endif
