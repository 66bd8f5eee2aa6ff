/* SPDX-License-Identifier: MIT */

/*
 * SipHash-2-4 after the paper of Aumasson and Bernstein: four words of state, two rounds for each
 * eight bytes of input (little-endian), four rounds at the end.  The last word holds the bytes that
 * are left over and, on top, the length modulo 256.
 */

#include "util/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

static inline uint64_t rotate_left(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32);

	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

static inline void compress(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static inline uint64_t load_little_endian(const uint8_t *p)
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

void hash_init(struct hash_state *h, const struct hash_key *key)
{
	*h = (struct hash_state){
	        .v =
	                {
	                        key->k0 ^ 0x736f6d6570736575,
	                        key->k1 ^ 0x646f72616e646f6d,
	                        key->k0 ^ 0x6c7967656e657261,
	                        key->k1 ^ 0x7465646279746573,
	                },
	};
}

void hash_append(struct hash_state *h, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		if (h->size % 8 == 0 && size >= 8) {
			compress(h->v, load_little_endian(p));
			h->size += 8;
			p += 8;
			size -= 8;
			continue;
		}

		h->tail |= (uint64_t)*p << (8 * (h->size % 8));
		h->size++;
		p++;
		size--;
		if (h->size % 8 == 0) {
			compress(h->v, h->tail);
			h->tail = 0;
		}
	}
}

uint64_t hash_finish(struct hash_state *h)
{
	compress(h->v, h->tail | h->size << 56);
	h->v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(h->v);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t size)
{
	struct hash_state h;

	hash_init(&h, key);
	hash_append(&h, data, size);
	return hash_finish(&h);
}

static struct hash_key process_key;

static void make_process_key(void)
{
	struct timespec now;

	if (getrandom(&process_key, sizeof(process_key), 0) == sizeof(process_key))
		return;

	/* A sandbox may forbid getrandom().  Addresses and the clock are then the best secret we
	 * have; what is at stake is the speed of a table, not its correctness. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	process_key.k0 = (uint64_t)(uintptr_t)&now ^ (uint64_t)now.tv_nsec << 32;
	process_key.k1 = (uint64_t)(uintptr_t)&process_key ^ (uint64_t)now.tv_sec << 32;
}

const struct hash_key *hash_process_key(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_process_key);
	return &process_key;
}
