/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_RECORD_CHECK_H
#define PROJFS_TESTS_RECORD_CHECK_H

/*
 * What the tests of the codec and its fuzzer share.  Written against the description in
 * store/record.h rather than the codec, field by field, so that a row missing there shows here.
 */

#include <string.h>

#include "store/record.h"
#include "util/hash.h"

#define ALL_FIELDS ((uint32_t)(RECORD_FORMER_BINDING << 1) - 1)

static inline struct record_bytes bytes_of(const char *text, size_t size)
{
	return (struct record_bytes){(const uint8_t *)text, size};
}

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

static inline bool exactly_equal(struct record_bytes a, struct record_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool times_equal(struct record_time a, struct record_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

/* Every field is there, each with a value of its own. */
static inline struct record full_record(void)
{
	return (struct record){
	        .kind = RECORD_FILE,
	        .fields = ALL_FIELDS,
	        .flags = RECORD_FLAG_DIRTY | RECORD_FLAG_RENAMED,
	        .epoch = 0xfedcba98,
	        .binding = 0x1122334455667788,
	        .binding_meta = 0x99aabbcc,
	        .size = 123456789012,
	        .content_id = BYTES("content\0id"),
	        .provider_id = BYTES("provider"),
	        .mode = 04755,
	        .uid = 1000,
	        .gid = UINT32_MAX,
	        .mtime = {1700000001, 1},
	        .ctime = {-1, 999999999},
	        .atime = {INT64_MAX, 3},
	        .btime = {INT64_MIN, 0},
	        .attributes = 0x80000020,
	        .origin = BYTES("some/where \xff/else"),
	        .target = BYTES("../\nelse/"),
	        .xattrs = BYTES("user.a\0\3\0\0\0abcuser.empty\0\0\0\0\0"),
	        .blob = BYTES("\0blob\0"),
	        .generation = 77,
	        .guid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	        .hash_key = {0x0123456789abcdef, 0xfedcba9876543210},
	        .ref = UINT64_MAX,
	        .extra = BYTES("\1"),
	        .identity = 0x8000000000000001,
	        .former_binding = 0x1122334455667788,
	};
}

/* Are the kind, the set of fields and all fields in it the same? */
static inline bool records_equal(const struct record *a, const struct record *b)
{
	if (a->kind != b->kind || a->fields != b->fields)
		return false;

#define SAME(field, condition)                                                                     \
	if (a->fields & RECORD_##field && !(condition))                                            \
	return false

	SAME(FLAGS, a->flags == b->flags);
	SAME(EPOCH, a->epoch == b->epoch);
	SAME(BINDING, a->binding == b->binding && a->binding_meta == b->binding_meta);
	SAME(SIZE, a->size == b->size);
	SAME(CONTENT_ID, record_bytes_equal(a->content_id, b->content_id));
	SAME(PROVIDER_ID, record_bytes_equal(a->provider_id, b->provider_id));
	SAME(MODE, a->mode == b->mode);
	SAME(OWNER, a->uid == b->uid && a->gid == b->gid);
	SAME(MTIME, times_equal(a->mtime, b->mtime));
	SAME(CTIME, times_equal(a->ctime, b->ctime));
	SAME(ATIME, times_equal(a->atime, b->atime));
	SAME(BTIME, times_equal(a->btime, b->btime));
	SAME(ATTRIBUTES, a->attributes == b->attributes);
	SAME(ORIGIN, exactly_equal(a->origin, b->origin));
	SAME(TARGET, exactly_equal(a->target, b->target));
	SAME(XATTRS, exactly_equal(a->xattrs, b->xattrs));
	SAME(BLOB, exactly_equal(a->blob, b->blob));
	SAME(GENERATION, a->generation == b->generation);
	SAME(GUID, memcmp(a->guid, b->guid, sizeof(a->guid)) == 0);
	SAME(HASH_KEY, a->hash_key[0] == b->hash_key[0] && a->hash_key[1] == b->hash_key[1]);
	SAME(REF, a->ref == b->ref);
	SAME(EXTRA, exactly_equal(a->extra, b->extra));
	SAME(IDENTITY, a->identity == b->identity);
	SAME(FORMER_BINDING, a->former_binding == b->former_binding);
#undef SAME
	return true;
}

/* Make the checksum right again, so that what is wrong behind it is reached. */
static inline void reseal(uint8_t *encoded, size_t size)
{
	static const struct hash_key key = {RECORD_CHECKSUM_K0, RECORD_CHECKSUM_K1};
	struct hash_state h;
	uint64_t sum;

	if (size < 5)
		return;
	hash_init(&h, &key);
	hash_append(&h, encoded, 1);
	hash_append(&h, encoded + 5, size - 5);
	sum = hash_finish(&h);
	for (unsigned i = 0; i < 4; i++)
		encoded[1 + i] = (uint8_t)(sum >> (8 * i));
}

#endif
