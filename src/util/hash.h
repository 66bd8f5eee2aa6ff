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

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t size);

/* A key for tables in memory, random once per process. */
const struct hash_key *hash_process_key(void);

#endif
