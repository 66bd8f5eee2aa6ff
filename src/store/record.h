/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_RECORD_H
#define PROJFS_STORE_RECORD_H

/*
 * What projfs knows about one item that the file itself does not say.
 *
 * The same description travels everywhere: the provider's answer becomes a record, a node in
 * memory keeps one in its encoded form, a hydrated file carries one in an extended attribute
 * (RECORD_XATTR), a placeholder that must survive without content is a symbolic link whose target
 * is one (a marker).  Each field is optional and takes no room when it is absent.
 *
 * Encoded form, little-endian:
 *	u8  version << 4 | kind
 *	u32 checksum over everything else
 *	varint fields     bit set of enum record_field
 *	the fields in the order of their bits
 * A reader refuses a newer version (-EPROTONOSUPPORT) and anything it cannot account for to the
 * last byte (-EBADMSG).  Unknown field bits are an error too: a writer that adds a field raises
 * the version, unless old readers may ignore it, in which case it goes into RECORD_EXTRA.
 * The first byte and the checksum stay as they are in all versions: damage is told from news by them.
 *
 * In all fields: varints (see util/buf.h) for flags, epoch, size, mode, owner, attributes, generation, ref
 * and lengths; fixed width for bindings, identity and hash key; a time is a signed varint of seconds and a
 * varint of nanoseconds.  A record has one encoding only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define RECORD_VERSION 1
/* The checksum is the low 32 bits of hash_bytes() with this key: against accidents, no secret. */
#define RECORD_CHECKSUM_K0 0x722e73666a6f7270
#define RECORD_CHECKSUM_K1 0x31302e64726f6365
#define RECORD_XATTR "user.projfs"
#define RECORD_ID_MAX 128       /* bytes of a ContentID or ProviderID */
#define RECORD_XATTR_MAX 900    /* larger ones lie in .projfs/rec/ */
#define RECORD_MARKER_MAX 900   /* likewise; length of the link target */
#define RECORD_ENCODED_MAX (1024 * 1024)

enum record_kind {
	RECORD_FILE = 1,
	RECORD_DIRECTORY = 2,
	RECORD_SYMLINK = 3,
	RECORD_TOMBSTONE = 4,
	RECORD_ROOT = 5,      /* .projfs/root */
	RECORD_REFERENCE = 6, /* the record is .projfs/rec/<reference> */
	RECORD_PARTIAL = 7,   /* heads the map of a partly hydrated file */
};

enum record_field {
	RECORD_FLAGS = 1 << 0,
	RECORD_EPOCH = 1 << 1,
	RECORD_BINDING = 1 << 2,
	RECORD_SIZE = 1 << 3,
	RECORD_CONTENT_ID = 1 << 4,
	RECORD_PROVIDER_ID = 1 << 5,
	RECORD_MODE = 1 << 6,
	RECORD_OWNER = 1 << 7,
	RECORD_MTIME = 1 << 8,
	RECORD_CTIME = 1 << 9,
	RECORD_ATIME = 1 << 10,
	RECORD_BTIME = 1 << 11,
	RECORD_ATTRIBUTES = 1 << 12,
	RECORD_ORIGIN = 1 << 13,
	RECORD_TARGET = 1 << 14,
	RECORD_XATTRS = 1 << 15,
	RECORD_BLOB = 1 << 16,
	RECORD_GENERATION = 1 << 17,
	RECORD_GUID = 1 << 18,
	RECORD_HASH_KEY = 1 << 19,
	RECORD_REF = 1 << 20,
	RECORD_EXTRA = 1 << 21,
	RECORD_IDENTITY = 1 << 22,
	RECORD_FORMER_BINDING = 1 << 23,
};

enum record_flag {
	RECORD_FLAG_DIRTY = 1 << 0,   /* metadata changed locally */
	RECORD_FLAG_ADOPTED = 1 << 1, /* directory: local, merged with the provider's of that name */
	RECORD_FLAG_RENAMED = 1 << 2, /* lives under another name than its origin */
	RECORD_FLAG_OPAQUE = 1 << 3,  /* directory: the provider is not asked about what is in it */
	RECORD_FLAG_FULL = 1 << 4,    /* the content is the user's; there is a record for identity or epoch */
	RECORD_FLAGS_KNOWN = (1 << 5) - 1,
};

struct record_time {
	int64_t sec;
	uint32_t nsec; /* below 1,000,000,000 */
};

struct record_bytes {
	const uint8_t *data; /* borrowed */
	size_t size;
};

struct record {
	enum record_kind kind;
	uint32_t fields; /* which of the following are present */
	uint32_t flags;
	uint32_t epoch;         /* see store/epoch.h */
	uint64_t binding;       /* hash of what the file looked like: inode, mtime */
	uint32_t binding_meta;  /* ...and of its mode and owner; goes with RECORD_BINDING */
	uint64_t size;          /* bytes */
	struct record_bytes content_id;  /* at most RECORD_ID_MAX; trailing zeros dropped */
	struct record_bytes provider_id; /* likewise */
	uint32_t mode;          /* permission bits, 07777 */
	uint32_t uid;
	uint32_t gid;
	struct record_time mtime;
	struct record_time ctime;
	struct record_time atime;
	struct record_time btime; /* creation */
	uint32_t attributes;    /* Windows file attribute bits, kept as given */
	struct record_bytes origin; /* path that the provider knows, if it is not where the item is */
	struct record_bytes target; /* of a symbolic link; no NUL in it */
	struct record_bytes xattrs; /* packed: name NUL, u32 size, value; repeated */
	struct record_bytes blob;   /* opaque, the Windows interface's */
	uint32_t generation;
	uint8_t guid[16];
	uint64_t hash_key[2];
	uint64_t ref;
	struct record_bytes extra;
	uint64_t identity;       /* of a full file that was projected: its st_ino; of a reference: whose it is */
	uint64_t former_binding; /* as valid as binding: its times are being changed */
};

/*
 * Append the encoded form to @out, which is as before after an error.  -EINVAL when a field breaks
 * a rule above (a length, nsec; an origin is a valid path), -E2BIG beyond RECORD_ENCODED_MAX,
 * -ENOMEM.  What absent fields hold does not matter.
 */
int record_encode(const struct record *rec, struct buf *out);

/*
 * Decode @size bytes.  The byte fields of @ret point into @data, absent fields are zero.  Any input
 * is safe, and what is accepted obeys the rules of record_encode().
 * -EBADMSG damaged, -EPROTONOSUPPORT written by a newer projfs.
 */
int record_decode(const void *data, size_t size, struct record *ret);

/* Two ids are the same if they are equal after trailing zeros are dropped. */
bool record_bytes_equal(struct record_bytes a, struct record_bytes b);
struct record_bytes record_bytes_trim(const void *data, size_t size);

/* Walk the packed extended attributes: false at the end (@pos is the size then) or at damage.
 * @pos starts at 0. */
bool record_xattr_next(struct record_bytes packed, size_t *pos, const char **ret_name,
		       struct record_bytes *ret_value);
/* Append one to a packed list, which fails if there is no memory or it could never be stored. */
void record_xattr_pack(struct buf *packed, const char *name, const void *value, size_t size);

/*
 * Markers: the record as a link target that begins with MARKER_PREFIX, so that every open of one
 * while nothing runs fails with ENOTDIR.  A user's own link whose target happens to begin so is
 * stored with MARKER_ESCAPE in front.
 */
#define MARKER_PREFIX "/dev/null/projfs/"
#define MARKER_ESCAPE "/dev/null/projfs-link/"

/* Append the NUL-terminated target. -E2BIG beyond RECORD_MARKER_MAX. */
int marker_encode(const struct record *rec, struct buf *out);
bool marker_is(const char *target);
/* Decode into @storage (what was in it is lost), which the fields of @ret then point into.  Errors as
 * record_decode(), and -ENOMEM. */
int marker_decode(const char *target, struct buf *storage, struct record *ret);

#endif
