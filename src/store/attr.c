/* SPDX-License-Identifier: MIT */
/*
 * What a record makes of a file or directory, and how it is bound to it.
 *
 * The record in the attribute repeats nothing that the file shows by itself.  It is bound by hashes
 * of what fstat() says once all is set, so that a change or a copy made while nothing ran is noticed.
 * `user.*` attributes need write permission, so the mode comes last.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/internal.h"

/* Kept in the record of a hydrated file and of a directory; the rest is on the file. */
#define FILE_FIELDS                                                                                \
	(RECORD_FLAGS | RECORD_CONTENT_ID | RECORD_PROVIDER_ID | RECORD_CTIME | RECORD_BTIME |     \
	 RECORD_ATTRIBUTES | RECORD_ORIGIN | RECORD_BLOB | RECORD_GENERATION | RECORD_EXTRA)
#define DIRECTORY_FIELDS (FILE_FIELDS | RECORD_MODE | RECORD_OWNER | RECORD_MTIME)

/* Fields that make a hash, in an order that is the same on every machine. */
static uint64_t hash_numbers(const struct store *s, const uint64_t *numbers, size_t n)
{
	uint8_t bytes[4 * 8];

	for (size_t i = 0; i < n * 8; i++)
		bytes[i] = (uint8_t)(numbers[i / 8] >> (i % 8 * 8));
	return hash_bytes(&s->key, bytes, n * 8);
}

uint64_t binding_of_file(const struct store *s, const struct stat *st)
{
	const uint64_t numbers[] = {'f', st->st_ino, (uint64_t)st->st_mtim.tv_sec,
	                            (uint64_t)st->st_mtim.tv_nsec};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint64_t binding_of_directory(const struct store *s, const struct stat *st)
{
	const uint64_t numbers[] = {'d', st->st_ino};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint32_t binding_of_meta(const struct store *s, const struct stat *st)
{
	const uint64_t numbers[] = {'m', st->st_mode & 07777, st->st_uid, st->st_gid};

	return (uint32_t)hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

bool attr_is_users(const char *name)
{
	return strncmp(name, "user.", 5) == 0 && strcmp(name, RECORD_XATTR) != 0;
}

/* Only the super-user gives files away.  @ret: the file has the owner that the record names. */
static int apply_owner(int fd, const struct record *rec, const struct stat *st, bool *ret)
{
	*ret = true;
	if (!(rec->fields & RECORD_OWNER) || (rec->uid == st->st_uid && rec->gid == st->st_gid))
		return 0;
	*ret = false;
	if (geteuid() != 0)
		return 0;
	if (fchown(fd, rec->uid, rec->gid) == 0)
		*ret = true;
	else if (errno != EPERM && errno != EINVAL) /* EINVAL: not mapped in this user namespace */
		return -errno;
	return 0;
}

/* Others than user.* are not the provider's to set, and ours is not either. */
static int apply_xattrs(int fd, const struct record *rec)
{
	struct record_bytes value;
	const char *name;
	size_t pos = 0;

	if (!(rec->fields & RECORD_XATTRS))
		return 0;
	while (record_xattr_next(rec->xattrs, &pos, &name, &value)) {
		if (attr_is_users(name) && fsetxattr(fd, name, value.data, value.size, 0) < 0)
			return -errno;
	}
	return 0;
}

static int apply_times(int fd, const struct record *rec)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (rec->fields & RECORD_ATIME)
		times[0] = (struct timespec){rec->atime.sec, rec->atime.nsec};
	if (rec->fields & RECORD_MTIME)
		times[1] = (struct timespec){rec->mtime.sec, rec->mtime.nsec};
	return futimens(fd, times) < 0 ? -errno : 0;
}

static int write_reference(struct store *s, int fd, const struct record *rec,
                           const struct buf *encoded, uint64_t *ret_ref)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	/* The binding stands in the reference, too: a copy of the file is known without its target. */
	struct record reference = {
	        .kind = RECORD_REFERENCE,
	        .fields =
	                (rec->fields & (RECORD_EPOCH | RECORD_BINDING | RECORD_SIZE)) | RECORD_REF,
	        .epoch = rec->epoch,
	        .binding = rec->binding,
	        .binding_meta = rec->binding_meta,
	        .size = rec->size,
	};
	int r;

	/* A file's epoch tells when what it refers to was lost; a directory has none. */
	r = recordref_write(s, encoded, rec->kind != RECORD_FILE, &reference.ref);
	if (r < 0)
		return r;
	r = record_encode(&reference, &b);
	if (r == 0 && fsetxattr(fd, RECORD_XATTR, b.data, b.size, 0) < 0)
		r = -errno;
	if (r < 0)
		recordref_remove(s, reference.ref);
	else
		*ret_ref = reference.ref;
	return r;
}

static int write_record(struct store *s, int fd, const struct record *rec, uint64_t *ret_ref)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	int r = record_encode(rec, &b);

	if (r < 0)
		return r;
	if (b.size <= RECORD_XATTR_MAX) {
		if (fsetxattr(fd, RECORD_XATTR, b.data, b.size, 0) == 0)
			return 0;
		/* The user attributes may have filled the room that a file has for all of them. */
		if (errno != ENOSPC && errno != E2BIG)
			return -errno;
	}
	return write_reference(s, fd, rec, &b, ret_ref);
}

/* The record of a file that is, or is about to be, as @st says. */
static struct record file_record(struct store *s, const struct record *rec, const struct stat *st,
                                 bool owner_applied)
{
	struct record out = *rec;

	out.kind = RECORD_FILE;
	out.fields &= FILE_FIELDS;
	if (!owner_applied)
		out.fields |= RECORD_OWNER;
	if (rec->fields & RECORD_MODE && (st->st_mode & 07777) != rec->mode)
		out.fields |= RECORD_MODE;
	out.fields |= RECORD_EPOCH | RECORD_BINDING | RECORD_SIZE;
	out.epoch = epoch_current(s);
	out.size = (uint64_t)st->st_size;
	out.binding = binding_of_file(s, st);
	out.binding_meta = binding_of_meta(s, st);
	return out;
}

/*
 * The record, then the mode.  The kernel may take set-id bits away from a mode that we set; then the
 * record says so, in a second round.
 */
static int apply_record_and_mode(struct store *s, int fd, const struct record *rec,
                                 bool owner_applied, struct stat *st, uint64_t *ret_ref)
{
	mode_t type = st->st_mode & S_IFMT;

	if (rec->fields & RECORD_MODE)
		st->st_mode = type | (rec->mode & 07777);
	for (int round = 0; round < 2; round++) {
		mode_t wanted = st->st_mode;
		struct record out = file_record(s, rec, st, owner_applied);
		int r = write_record(s, fd, &out, ret_ref);

		if (r < 0)
			return r;
		if (!(rec->fields & RECORD_MODE))
			return 0;
		if (fchmod(fd, wanted & 07777) < 0)
			return -errno;
		if (!(wanted & 06000))
			return 0;
		if (fstat(fd, st) < 0)
			return -errno;
		if (st->st_mode == wanted)
			return 0;
		recordref_remove(s, *ret_ref);
		*ret_ref = 0;
		if (round == 0 && fchmod(fd, 0600) < 0)
			return -errno;
	}
	return -EIO;
}

int attr_apply_file(struct store *s, int fd, const struct record *rec, uint64_t *ret_ref)
{
	bool owner_applied;
	struct stat st;
	int r;

	*ret_ref = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (rec->fields & RECORD_SIZE && rec->size != (uint64_t)st.st_size)
		return -EIO; /* not all of it has arrived */
	r = apply_owner(fd, rec, &st, &owner_applied);
	if (r == 0)
		r = apply_xattrs(fd, rec);
	if (r == 0)
		r = apply_times(fd, rec);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0)
		r = apply_record_and_mode(s, fd, rec, owner_applied, &st, ret_ref);
	if (r < 0) {
		recordref_remove(s, *ret_ref);
		*ret_ref = 0;
	}
	return r;
}

int attr_apply_directory(struct store *s, int fd, const struct record *rec, uint64_t *ret_ref)
{
	struct record out = *rec;
	bool owner_applied;
	struct stat st;
	int r;

	*ret_ref = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = apply_owner(fd, rec, &st, &owner_applied);
	if (r == 0)
		r = apply_xattrs(fd, rec);
	if (r < 0)
		return r;
	out.kind = RECORD_DIRECTORY;
	out.fields = (out.fields & DIRECTORY_FIELDS) | RECORD_BINDING;
	out.binding = binding_of_directory(s, &st);
	out.binding_meta = 0;
	r = write_record(s, fd, &out, ret_ref);
	if (r < 0)
		return r;
	/* An ordinary user's instance must not lock itself out; the record has the true mode. */
	if (rec->fields & RECORD_MODE &&
	    fchmod(fd, (rec->mode & 07777) | (geteuid() == 0 ? 0 : 0700)) < 0)
		r = -errno;
	if (r == 0)
		r = apply_times(fd, rec);
	if (r < 0) {
		recordref_remove(s, *ret_ref);
		*ret_ref = 0;
	}
	return r;
}
