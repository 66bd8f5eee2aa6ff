/* SPDX-License-Identifier: MIT */

/*
 * The codec is one table: a row for each number, time or byte string of a record, in the order of
 * the field bits, which is the order on disk.  A field of several rows (an owner is two numbers) is
 * there with all of them or not at all.  A new field is a new row.
 *
 * A record has exactly one encoding: varints are shortest, ids have no trailing zeros, no byte is
 * left over.  What decodes therefore encodes to the same bytes, which the fuzz test holds us to.
 */

#include "store/record.h"

#include <errno.h>
#include <string.h>

#include "util/hash.h"
#include "util/name.h"

#define NSEC_PER_SEC 1000000000u
#define MODE_BITS 07777u
#define CHECKSUM_SIZE sizeof(uint32_t)
#define HEAD_SIZE (1 + CHECKSUM_SIZE) /* version and kind, checksum */

enum form {
	FORM_U32, /* four bytes: numbers that are rarely small */
	FORM_U64, /* eight bytes, likewise */
	FORM_VARINT32, /* in a uint32_t */
	FORM_VARINT64, /* in a uint64_t */
	FORM_TIME, /* seconds as signed varint, nanoseconds as varint */
	FORM_GUID, /* 16 bytes as they are */
	FORM_ID, /* as FORM_BYTES, without trailing zeros */
	FORM_BYTES, /* length as varint, bytes */
};

#define ROW(field, form, member)                                                                   \
	{                                                                                          \
		RECORD_##field, FORM_##form, offsetof(struct record, member)                       \
	}

/* clang-format off */
static const struct row {
	uint32_t field;
	enum form form;
	size_t offset;
} rows[] = {
	ROW(FLAGS,       VARINT32, flags),
	ROW(EPOCH,       VARINT32, epoch),
	ROW(BINDING,     U64,      binding),
	ROW(BINDING,     U32,      binding_meta),
	ROW(SIZE,        VARINT64, size),
	ROW(CONTENT_ID,  ID,       content_id),
	ROW(PROVIDER_ID, ID,       provider_id),
	ROW(MODE,        VARINT32, mode),
	ROW(OWNER,       VARINT32, uid),
	ROW(OWNER,       VARINT32, gid),
	ROW(MTIME,       TIME,     mtime),
	ROW(CTIME,       TIME,     ctime),
	ROW(ATIME,       TIME,     atime),
	ROW(BTIME,       TIME,     btime),
	ROW(ATTRIBUTES,  VARINT32, attributes),
	ROW(ORIGIN,      BYTES,    origin),
	ROW(TARGET,      BYTES,    target),
	ROW(XATTRS,      BYTES,    xattrs),
	ROW(BLOB,        BYTES,    blob),
	ROW(GENERATION,  VARINT32, generation),
	ROW(GUID,        GUID,     guid),
	ROW(HASH_KEY,    U64,      hash_key[0]),
	ROW(HASH_KEY,    U64,      hash_key[1]),
	ROW(REF,         VARINT64, ref),
	ROW(EXTRA,       BYTES,    extra),
	ROW(IDENTITY,    U64,      identity),
	ROW(FORMER_BINDING, U64,   former_binding),
};
/* clang-format on */

/* ---- rules that hold for any record, ours or read ------------------------------------- */

static uint32_t known_fields(void)
{
	uint32_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		known |= rows[i].field;
	return known;
}

static bool xattrs_are_valid(struct record_bytes packed)
{
	struct record_bytes value;
	const char *name;
	size_t pos = 0;

	while (record_xattr_next(packed, &pos, &name, &value))
		;
	return pos == packed.size;
}

/* Fields that are absent are not looked at: they hold whatever the caller left there. */
static bool record_is_valid(const struct record *rec)
{
	const uint32_t fields = rec->fields;

	if (rec->kind < RECORD_FILE || rec->kind > RECORD_PARTIAL)
		return false;
	if (fields & ~known_fields())
		return false;
	if (fields & RECORD_FLAGS && rec->flags & ~RECORD_FLAGS_KNOWN)
		return false;
	if (fields & RECORD_CONTENT_ID && rec->content_id.size > RECORD_ID_MAX)
		return false;
	if (fields & RECORD_PROVIDER_ID && rec->provider_id.size > RECORD_ID_MAX)
		return false;
	if (fields & RECORD_MODE && rec->mode & ~MODE_BITS)
		return false;
	if (fields & RECORD_MTIME && rec->mtime.nsec >= NSEC_PER_SEC)
		return false;
	if (fields & RECORD_CTIME && rec->ctime.nsec >= NSEC_PER_SEC)
		return false;
	if (fields & RECORD_ATIME && rec->atime.nsec >= NSEC_PER_SEC)
		return false;
	if (fields & RECORD_BTIME && rec->btime.nsec >= NSEC_PER_SEC)
		return false;
	if (fields & RECORD_ORIGIN &&
	    !path_bytes_are_valid((const char *)rec->origin.data, rec->origin.size))
		return false;
	if (fields & RECORD_TARGET && rec->target.size > 0 &&
	    memchr(rec->target.data, '\0', rec->target.size))
		return false;
	if (fields & RECORD_XATTRS && !xattrs_are_valid(rec->xattrs))
		return false;
	return true;
}

/* ---- encoding ------------------------------------------------------------------------- */

static uint32_t checksum(uint8_t first, const void *body, size_t size)
{
	static const struct hash_key key = {RECORD_CHECKSUM_K0, RECORD_CHECKSUM_K1};
	struct hash_state h;

	hash_init(&h, &key);
	hash_append(&h, &first, 1);
	hash_append(&h, body, size);
	return (uint32_t)hash_finish(&h);
}

static void encode_row(const struct record *rec, const struct row *row, struct buf *out)
{
	const void *member = (const char *)rec + row->offset;
	const struct record_time *time = member;
	struct record_bytes bytes;

	switch (row->form) {
	case FORM_U32:
		buf_append_u32(out, *(const uint32_t *)member);
		break;
	case FORM_U64:
		buf_append_u64(out, *(const uint64_t *)member);
		break;
	case FORM_VARINT32:
		buf_append_varint(out, *(const uint32_t *)member);
		break;
	case FORM_VARINT64:
		buf_append_varint(out, *(const uint64_t *)member);
		break;
	case FORM_TIME:
		buf_append_svarint(out, time->sec);
		buf_append_varint(out, time->nsec);
		break;
	case FORM_GUID:
		buf_append(out, member, sizeof(rec->guid));
		break;
	case FORM_ID:
	case FORM_BYTES:
		bytes = *(const struct record_bytes *)member;
		if (row->form == FORM_ID)
			bytes = record_bytes_trim(bytes.data, bytes.size);
		buf_append_varint(out, bytes.size);
		buf_append(out, bytes.data, bytes.size);
		break;
	}
}

/* The sum of all byte strings, so that we never copy one only to find that it is too long. */
static bool is_too_big(const struct record *rec)
{
	size_t left = RECORD_ENCODED_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct record_bytes *bytes;

		if (rows[i].form != FORM_BYTES || !(rec->fields & rows[i].field))
			continue;
		bytes = (const void *)((const char *)rec + rows[i].offset);
		if (bytes->size > left)
			return true;
		left -= bytes->size;
	}
	return false;
}

static void write_checksum(uint8_t *encoded, size_t size)
{
	uint32_t sum = checksum(encoded[0], encoded + HEAD_SIZE, size - HEAD_SIZE);

	for (size_t i = 0; i < CHECKSUM_SIZE; i++)
		encoded[1 + i] = (uint8_t)(sum >> (8 * i));
}

int record_encode(const struct record *rec, struct buf *out)
{
	const size_t start = out->size;

	if (is_too_big(rec))
		return -E2BIG;
	if (!record_is_valid(rec))
		return -EINVAL;

	buf_append_u8(out, (uint8_t)(RECORD_VERSION << 4 | rec->kind));
	buf_append_u32(out, 0);
	buf_append_varint(out, rec->fields);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rec->fields & rows[i].field)
			encode_row(rec, &rows[i], out);

	if (out->failed) {
		out->size = start;
		return -ENOMEM;
	}
	if (out->size - start > RECORD_ENCODED_MAX) {
		out->size = start;
		return -E2BIG;
	}
	write_checksum(out->data + start, out->size - start);
	return 0;
}

/* ---- decoding ------------------------------------------------------------------------- */

static uint32_t read_varint32(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	if (v > UINT32_MAX)
		c->failed = true;
	return (uint32_t)v;
}

static struct record_bytes read_bytes(struct cursor *c)
{
	uint64_t size = cursor_varint(c);
	const uint8_t *data;

	/* compared before it is narrowed: size_t may be shorter */
	if (size > c->size)
		c->failed = true;
	data = cursor_bytes(c, c->failed ? 0 : (size_t)size);
	return (struct record_bytes){data, c->failed ? 0 : (size_t)size};
}

static void decode_row(struct cursor *c, const struct row *row, struct record *rec)
{
	void *member = (char *)rec + row->offset;
	struct record_time *time = member;
	struct record_bytes *bytes = member;
	const uint8_t *guid;

	switch (row->form) {
	case FORM_U32:
		*(uint32_t *)member = cursor_u32(c);
		break;
	case FORM_U64:
		*(uint64_t *)member = cursor_u64(c);
		break;
	case FORM_VARINT32:
		*(uint32_t *)member = read_varint32(c);
		break;
	case FORM_VARINT64:
		*(uint64_t *)member = cursor_varint(c);
		break;
	case FORM_TIME:
		time->sec = cursor_svarint(c);
		time->nsec = read_varint32(c);
		break;
	case FORM_GUID:
		guid = cursor_bytes(c, sizeof(rec->guid));
		if (guid)
			memcpy(member, guid, sizeof(rec->guid));
		break;
	case FORM_ID:
		*bytes = read_bytes(c);
		if (bytes->size > 0 && bytes->data[bytes->size - 1] == 0)
			c->failed = true;
		break;
	case FORM_BYTES:
		*bytes = read_bytes(c);
		break;
	}
}

int record_decode(const void *data, size_t size, struct record *ret)
{
	struct cursor c = {.data = data, .size = size};
	struct record rec = {0};
	uint8_t first;
	uint32_t sum;

	if (size > RECORD_ENCODED_MAX)
		return -EBADMSG;
	first = cursor_u8(&c);
	sum = cursor_u32(&c);
	if (c.failed || sum != checksum(first, c.data, c.size))
		return -EBADMSG;

	/* after the checksum: a flipped bit must not pass for a newer version */
	if (first >> 4 > RECORD_VERSION)
		return -EPROTONOSUPPORT;
	if (first >> 4 < RECORD_VERSION)
		return -EBADMSG;

	rec.kind = first & 0xf;
	rec.fields = read_varint32(&c);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rec.fields & rows[i].field)
			decode_row(&c, &rows[i], &rec);
	if (c.failed || c.size > 0 || !record_is_valid(&rec))
		return -EBADMSG;

	*ret = rec;
	return 0;
}
