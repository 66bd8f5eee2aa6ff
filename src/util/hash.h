/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_HASH_H
#define PROJFS_UTIL_HASH_H

/*
 * SipHash-2-4: a keyed 64-bit hash.  Tables use it because names come from users and
 * providers, who must not be able to choose collisions; the store uses it for identities,
 * bindings and checksums.
 */

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0;
	uint64_t k1;
};

/* The hash of @size bytes; the same on every machine, so it may be stored. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t size);

/* The same for bytes that do not lie next to each other: init, append each piece, finish (once). */
struct hash_state {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet */
	uint64_t size; /* bytes so far */
};

void hash_init(struct hash_state *h, const struct hash_key *key);
void hash_append(struct hash_state *h, const void *data, size_t size);
uint64_t hash_finish(struct hash_state *h);

/* A key for tables in memory, random once per process: never store what was hashed with it.
 * Thread-safe. */
const struct hash_key *hash_process_key(void);

#endif
