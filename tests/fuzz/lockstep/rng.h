/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUZZ_LOCKSTEP_RNG_H
#define PROJFS_FUZZ_LOCKSTEP_RNG_H

/* Chance that can be repeated: a counter, scrambled. */

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t v = (rng->state += 0x9e3779b97f4a7c15);

	v = (v ^ v >> 32) * 0xd6e8feb86659fd93;
	v = (v ^ v >> 29) * 0xd6e8feb86659fd93;
	return v ^ v >> 32;
}

static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* Bytes that a seed stands for, none of them zero, so that a hole is never mistaken for data. */
static inline void rng_fill(uint64_t seed, uint8_t *data, uint64_t size)
{
	struct rng rng = {seed};

	for (uint64_t i = 0; i < size; i++)
		data[i] = (uint8_t)(rng_next(&rng) % 255 + 1);
}

#endif
