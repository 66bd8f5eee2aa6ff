/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_EPOCH_H
#define PROJFS_STORE_EPOCH_H

/*
 * Which hydrated files survived a power cut?
 *
 * Nothing is fsynced file by file.  A power cut may keep a file's name and lose its bytes, so every
 * record carries the epoch in which it was written; one syncfs makes a whole epoch durable.  What
 * was written in an epoch that was not durable when its boot ended is *lost*: not to be trusted.
 *
 * Two epochs can be in use at a time: while syncfs runs for one, hydration goes on in the next,
 * which that syncfs need not cover.  So on disk all up to `durable` is settled, and at the end of
 * a boot durable + 1 and durable + 2 are lost.  A failed syncfs voids its epoch: the boot that
 * wrote it goes on from memory, every later one takes it for lost.
 *
 * .projfs/epoch: u8 version, u32 durable, boot id, lost and void ranges, u64 checksum.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EPOCH_FILE "epoch"
#define EPOCH_RANGES_MAX 512
#define EPOCH_BOOT_MAX 63

struct store;

/* Ranges in ascending order; when there are too many the oldest two become one, with what lies
 * between them: that costs cache, never data. */
struct epoch_set {
	size_t n_ranges;
	struct epoch_range {
		uint32_t first;
		uint32_t last;
	} ranges[EPOCH_RANGES_MAX];
};

struct epochs {
	char boot[EPOCH_BOOT_MAX + 1];
	_Atomic uint32_t current; /* goes into records */
	uint32_t durable; /* protected by lock */
	_Atomic uint32_t settled; /* no epoch up to this one can be lost any more */
	atomic_bool dirty; /* something was hydrated since the last sync */
	struct epoch_set lost; /* fixed once the store is open */
	struct epoch_set voided; /* protected by lock: lost for the next boot */
	bool unsaved; /* protected by lock: the file says less than we know */
	pthread_mutex_t lock;
};

/* Ready for epoch_load() and for epoch_deinit(). */
void epoch_init(struct epochs *e);
void epoch_deinit(struct epochs *e);

/* The file of a new root. */
int epoch_create(struct store *s);
/* Read it; written again if the boot has changed and the store is not read-only. */
int epoch_load(struct store *s);

/* The epoch for a record; its bytes must have been written before this call. */
uint32_t epoch_current(struct store *s);
/* Something with an epoch was made visible. */
void epoch_touch(struct store *s);
bool epoch_is_lost(const struct store *s, uint32_t epoch);
/* Are the bytes durable that were written in @epoch, which is not lost?  False if in doubt. */
bool epoch_is_settled(const struct store *s, uint32_t epoch);

#endif
