/* SPDX-License-Identifier: MIT */

/*
 * Random records and damaged ones, for the codec of records and markers.
 *
 *	fuzz_record [SEED [ITERATIONS]]
 *
 * A failure prints the seed and the iteration, and the same seed fails there again.
 * Run it under AddressSanitizer: every input lies in an allocation of its exact size.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "record_check.h"
#include "util/macros.h"

#define DEFAULT_SEED 20240229
#define DEFAULT_ITERATIONS 200000
#define POOL_SIZE 4096 /* more than the byte strings of one record together */

static struct {
	uint64_t seed;
	uint64_t iteration;
	uint64_t state;
} rng;

/* A counter, scrambled: two rounds of multiply and fold are random enough to break things with. */
static uint64_t next_random(void)
{
	uint64_t v = ++rng.state * 0x9e3779b97f4a7c15;

	v = (v ^ v >> 32) * 0xd6e8feb86659fd93;
	v = (v ^ v >> 29) * 0xd6e8feb86659fd93;
	return v ^ v >> 32;
}

/* Far from what any other iteration or seed starts with. */
static void begin_iteration(void)
{
	const uint64_t place[] = {rng.seed, rng.iteration};
	static const struct hash_key key = {1, 2};

	rng.state = hash_bytes(&key, place, sizeof(place));
}

static uint64_t below(uint64_t n)
{
	return next_random() % n;
}

/* Numbers of all magnitudes, not only huge ones. */
static uint64_t any_number(void)
{
	uint64_t v = next_random();

	return v >> (v & 63);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "seed %llu iteration %llu: %s\n",                          \
			        (unsigned long long)rng.seed, (unsigned long long)rng.iteration,   \
			        #condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ---- random records ------------------------------------------------------------------- */

struct pool {
	uint8_t bytes[POOL_SIZE];
	size_t used;
};

static struct record_bytes any_bytes(struct pool *pool, size_t max, bool nul_allowed)
{
	uint8_t *data = pool->bytes + pool->used;
	size_t size = below(16) ? below(12) : below(max + 1);

	for (size_t i = 0; i < size; i++) {
		data[i] = (uint8_t)next_random();
		if (data[i] == 0 && !nul_allowed)
			data[i] = 'n';
	}
	pool->used += size;
	return (struct record_bytes){data, size};
}

static struct record_bytes any_path(struct pool *pool)
{
	static const char *const components[] = {"a", "...", ".b", "c d", "\xff\xfe", "long-name"};
	uint8_t *data = pool->bytes + pool->used;
	size_t n = below(5), size = 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = components[below(ARRAY_SIZE(components))];

		if (i > 0)
			data[size++] = '/';
		memcpy(data + size, name, strlen(name));
		size += strlen(name);
	}
	pool->used += size;
	return (struct record_bytes){data, size};
}

static struct record_bytes any_xattrs(struct pool *pool)
{
	_cleanup_(buf_deinit) struct buf packed = {0};
	uint8_t *data = pool->bytes + pool->used;
	size_t n = below(4);

	for (size_t i = 0; i < n; i++) {
		uint64_t value = next_random();
		const char *name = value & 1 ? "user.a" : "security.capability";

		record_xattr_pack(&packed, name, &value, below(sizeof(value) + 1));
	}
	CHECK(!packed.failed);
	if (packed.size > 0)
		memcpy(data, packed.data, packed.size);
	pool->used += packed.size;
	return (struct record_bytes){data, packed.size};
}

static struct record_time any_time(void)
{
	int64_t sec = (int64_t)any_number();
	uint32_t nsec = (uint32_t)below(1000000000);

	return (struct record_time){nsec & 1 ? sec : ~sec, nsec};
}

/* One statement a field: the order in which an initializer is evaluated is the compiler's. */
static void any_record(struct pool *pool, struct record *ret)
{
	pool->used = 0;
	ret->kind = (enum record_kind)(RECORD_FILE + below(RECORD_PARTIAL));
	ret->fields = (uint32_t)(next_random() & next_random() & ALL_FIELDS);
	ret->flags = (uint32_t)below(RECORD_FLAGS_KNOWN + 1);
	ret->epoch = (uint32_t)any_number();
	ret->binding = next_random();
	ret->binding_meta = (uint32_t)next_random();
	ret->size = any_number();
	ret->content_id = any_bytes(pool, RECORD_ID_MAX, true);
	ret->provider_id = any_bytes(pool, RECORD_ID_MAX, true);
	ret->mode = (uint32_t)below(010000);
	ret->uid = (uint32_t)any_number();
	ret->gid = (uint32_t)any_number();
	ret->mtime = any_time();
	ret->ctime = any_time();
	ret->atime = any_time();
	ret->btime = any_time();
	ret->attributes = (uint32_t)any_number();
	ret->origin = any_path(pool);
	ret->target = any_bytes(pool, 300, false);
	ret->xattrs = any_xattrs(pool);
	ret->blob = any_bytes(pool, 600, true);
	ret->generation = (uint32_t)any_number();
	for (size_t i = 0; i < sizeof(ret->guid); i++)
		ret->guid[i] = (uint8_t)next_random();
	ret->hash_key[0] = next_random();
	ret->hash_key[1] = next_random();
	ret->ref = any_number();
	ret->extra = any_bytes(pool, 100, true);
	ret->identity = next_random();
	ret->former_binding = next_random();
}

/* ---- damage --------------------------------------------------------------------------- */

static uint8_t *any_place(struct buf *b)
{
	return &b->data[below(b->size)];
}

static void flip_bit(uint8_t *byte)
{
	*byte ^= (uint8_t)(1 << below(8));
}

static void flip_bits(struct buf *b)
{
	for (uint64_t n = 1 + below(4); n > 0 && b->size > 0; n--)
		flip_bit(any_place(b));
}

static void truncate_somewhere(struct buf *b)
{
	b->size = below(b->size + 1);
}

/* The head of @b, then the tail of @other. */
static void splice(struct buf *b, const struct buf *other)
{
	size_t from = below(other->size + 1);

	truncate_somewhere(b);
	if (from < other->size)
		buf_append(b, other->data + from, other->size - from);
	CHECK(!b->failed);
}

/* A number in the place of any byte: sooner or later in that of a length. */
static void lie_about_a_length(struct buf *b)
{
	static const uint8_t lies[][10] = {
	        {0},
	        {1},
	        {0x7f},
	        {0x80, 0x01},
	        {0x80, 0x00},
	        {0xff, 0xff, 0x03},
	        {0xff, 0xff, 0xff, 0xff, 0x0f},
	        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	};
	const uint8_t *lie = lies[below(ARRAY_SIZE(lies))];
	size_t place, i = 0;

	if (b->size <= 5)
		return;
	place = 5 + below(b->size - 5);
	do
		b->data[place++] = lie[i];
	while (lie[i++] & 0x80 && place < b->size);
}

static void insert_bytes(struct buf *b)
{
	_cleanup_(buf_deinit) struct buf tail = {0};
	size_t place = below(b->size + 1);

	buf_append(&tail, b->data + place, b->size - place);
	b->size = place;
	for (uint64_t n = 1 + below(8); n > 0; n--)
		buf_append_u8(b, (uint8_t)next_random());
	buf_append(b, tail.data, tail.size);
	CHECK(!b->failed && !tail.failed);
}

static void damage(struct buf *b, const struct buf *other)
{
	for (uint64_t n = 1 + below(3); n > 0; n--) {
		switch (below(5)) {
		case 0:
			flip_bits(b);
			break;
		case 1:
			truncate_somewhere(b);
			break;
		case 2:
			splice(b, other);
			break;
		case 3:
			lie_about_a_length(b);
			break;
		case 4:
			insert_bytes(b);
			break;
		}
	}
}

/* ---- what must hold ------------------------------------------------------------------- */

static bool is_clean_failure(int r)
{
	return r == -EBADMSG || r == -EPROTONOSUPPORT;
}

/* What decodes, encodes to the very same bytes, because a record has one encoding only. */
static bool check_decode(const struct buf *input)
{
	_cleanup_(freep) uint8_t *exact = malloc(input->size ? input->size : 1);
	_cleanup_(buf_deinit) struct buf again = {0};
	struct record rec;
	int r;

	CHECK(exact);
	if (input->size > 0)
		memcpy(exact, input->data, input->size);
	r = record_decode(exact, input->size, &rec);
	if (r < 0) {
		CHECK(is_clean_failure(r));
		return false;
	}
	CHECK(record_encode(&rec, &again) == 0);
	CHECK(again.size == input->size && memcmp(again.data, exact, again.size) == 0);
	return true;
}

static bool check_marker(const char *target)
{
	_cleanup_(freep) char *exact = strdup(target);
	_cleanup_(buf_deinit) struct buf storage = {0}, again = {0};
	struct record rec;
	int r;

	CHECK(exact);
	r = marker_decode(exact, &storage, &rec);
	if (r < 0) {
		CHECK(is_clean_failure(r));
		return false;
	}
	CHECK(marker_encode(&rec, &again) == 0);
	CHECK(strcmp((char *)again.data, exact) == 0);
	return true;
}

static void round_trip(const struct record *rec, struct buf *encoded)
{
	_cleanup_(buf_deinit) struct buf target = {0}, storage = {0};
	struct record back;
	int r;

	CHECK(record_encode(rec, encoded) == 0);
	CHECK(check_decode(encoded));
	CHECK(record_decode(encoded->data, encoded->size, &back) == 0);
	CHECK(records_equal(rec, &back));

	r = marker_encode(rec, &target);
	CHECK(r == 0 || r == -E2BIG);
	if (r < 0)
		return;
	CHECK(marker_decode((char *)target.data, &storage, &back) == 0);
	CHECK(records_equal(rec, &back));
	target.size--;
	damage(&target, encoded);
	buf_append_u8(&target, '\0');
	CHECK(!target.failed);
	(void)check_marker((char *)target.data);
}

/* Returns whether a damaged record got through to the end of the parser. */
static bool iterate(struct buf *previous)
{
	struct pool pool;
	struct record rec;
	struct buf encoded = {0};
	_cleanup_(buf_deinit) struct buf broken = {0};
	bool accepted;

	any_record(&pool, &rec);
	round_trip(&rec, &encoded);
	buf_append(&broken, encoded.data, encoded.size);
	damage(&broken, previous);
	(void)check_decode(&broken);

	if (broken.size >= 5) {
		/* most of the damage in the version would end there */
		if (below(8))
			broken.data[0] = (uint8_t)(RECORD_VERSION << 4 | (broken.data[0] & 0xf));
		reseal(broken.data, broken.size);
	}
	accepted = check_decode(&broken);

	buf_deinit(previous);
	*previous = encoded;
	return accepted;
}

int main(int argc, char **argv)
{
	uint64_t iterations = argc > 2 ? strtoull(argv[2], NULL, 0) : DEFAULT_ITERATIONS;
	_cleanup_(buf_deinit) struct buf previous = {0};
	uint64_t n_accepted = 0;

	rng.seed = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_SEED;
	for (; rng.iteration < iterations; rng.iteration++) {
		begin_iteration();
		n_accepted += iterate(&previous);
	}
	printf("seed %llu: %llu iterations, %llu damaged records with a right checksum accepted\n",
	       (unsigned long long)rng.seed, (unsigned long long)iterations,
	       (unsigned long long)n_accepted);
	/* none at all would mean that the damage never gets behind the checksum */
	return iterations >= 1000 && n_accepted == 0;
}
