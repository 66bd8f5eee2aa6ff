/* SPDX-License-Identifier: MIT */
/*
 * What a record makes of a file or directory.
 *
 * The record in the attribute repeats nothing that the file shows by itself.  It is bound by hashes
 * of what fstat() says once all is set (binding.c).  `user.*` attributes need write permission, so the
 * mode comes last.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/internal.h"

/* Kept in the record of a hydrated file and of a directory; the rest is on the file. */
#define FILE_FIELDS                                                                                \
	(RECORD_FLAGS | RECORD_CONTENT_ID | RECORD_PROVIDER_ID | RECORD_CTIME | RECORD_BTIME |     \
	 RECORD_ATTRIBUTES | RECORD_ORIGIN | RECORD_BLOB | RECORD_GENERATION | RECORD_EXTRA)
#define DIRECTORY_FIELDS (FILE_FIELDS | RECORD_MODE | RECORD_OWNER | RECORD_MTIME)

/* ---- records ---------------------------------------------------------------------------------------- */

void attr_bind_file(const struct store *s, struct record *rec, const struct stat *st,
                    const char *origin)
{
	uint32_t kept = FILE_FIELDS;

	/* What the disk could not be made to show. */
	if (rec->mode != (st->st_mode & 07777))
		kept |= RECORD_MODE;
	if (rec->uid != st->st_uid || rec->gid != st->st_gid)
		kept |= RECORD_OWNER;
	rec->kind = RECORD_FILE;
	rec->fields = (rec->fields & kept) | RECORD_BINDING | RECORD_SIZE;
	rec->flags &= ~(uint32_t)RECORD_FLAG_FULL;
	rec->size = (uint64_t)st->st_size;
	rec->binding = binding_of_file(s, st, place_of(s, rec, origin));
	rec->binding_meta = binding_of_meta(s, st);
}

void attr_bind_directory(const struct store *s, struct record *rec, const struct stat *st,
                         const char *origin)
{
	rec->kind = RECORD_DIRECTORY;
	rec->fields = (rec->fields & DIRECTORY_FIELDS) | RECORD_BINDING;
	rec->flags &= ~(uint32_t)RECORD_FLAG_FULL;
	rec->binding = binding_of_directory(s, st, place_of(s, rec, origin));
	rec->binding_meta = 0;
}

/* A descriptor that is not O_PATH saves the way through /proc. */
static int set_attribute(struct store *s, int fd, const struct buf *b)
{
	store_step();
	if (fsetxattr(fd, RECORD_XATTR, b->data, b->size, 0) == 0)
		return 0;
	if (errno != EBADF && errno != EACCES)
		return -errno;
	return disk_setxattr(s, fd, RECORD_XATTR, b->data, b->size, 0);
}

static int write_reference(struct store *s, int fd, const struct stat *st, const struct record *rec,
                           const struct buf *encoded, bool durable, uint64_t *ret_ref)
{
	const uint32_t repeated =
	        RECORD_EPOCH | RECORD_BINDING | RECORD_SIZE | RECORD_FORMER_BINDING;
	_cleanup_(buf_deinit) struct buf b = {0};
	struct record reference = *rec;
	int r;

	reference.kind = RECORD_REFERENCE;
	reference.fields = (rec->fields & repeated) | RECORD_REF | RECORD_IDENTITY;
	reference.identity = binding_of_inode(s, st);
	r = recordref_write(s, encoded, durable, &reference.ref);
	if (r < 0)
		return r;
	r = record_encode(&reference, &b);
	if (r == 0)
		r = set_attribute(s, fd, &b);
	if (r < 0)
		recordref_remove(s, reference.ref);
	else
		*ret_ref = reference.ref;
	return r;
}

/* @ret_ref: the record that was put aside, untouched if there is none. */
static int write_record(struct store *s, int fd, const struct stat *st, const struct record *rec,
                        bool durable, uint64_t *ret_ref)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	int r = record_encode(rec, &b);

	if (r < 0)
		return r;
	if (b.size <= RECORD_XATTR_MAX) {
		r = set_attribute(s, fd, &b);
		/* The user attributes may have filled the room that a file has for all of them;
		 * that of a full file is no longer than a reference. */
		if ((r != -ENOSPC && r != -E2BIG) || rec->flags & RECORD_FLAG_FULL)
			return r;
	}
	return write_reference(s, fd, st, rec, &b, durable, ret_ref);
}

uint64_t attr_reference(struct store *s, int fd, const struct stat *st)
{
	uint8_t value[RECORD_XATTR_MAX];
	struct record rec;
	ssize_t n;

	if (!atomic_load(&s->has_records))
		return 0;
	n = disk_getxattr(s, fd, RECORD_XATTR, value, sizeof(value));
	if (n <= 0 || record_decode(value, (size_t)n, &rec) < 0 || rec.kind != RECORD_REFERENCE)
		return 0;
	return reference_is_own(s, &rec, st) ? rec.ref : 0;
}

int attr_replace_record(struct store *s, int fd, const struct stat *st, const struct record *rec)
{
	uint64_t before = attr_reference(s, fd, st);
	uint64_t ref = 0;
	int r = write_record(s, fd, st, rec, true, &ref);

	if (r == 0)
		recordref_remove(s, before);
	return r;
}

/* ---- files and directories that are not visible yet ------------------------------------------------- */

bool attr_is_users(const char *name)
{
	const size_t n = strlen(RECORD_XATTR);

	if (strncmp(name, "user.", 5) != 0)
		return false;
	return strncmp(name, RECORD_XATTR, n) != 0 || (name[n] != '\0' && name[n] != '.');
}

/* Only the super-user gives files away. */
static int apply_owner(int fd, const struct record *rec, const struct stat *st)
{
	if (!(rec->fields & RECORD_OWNER) || geteuid() != 0 ||
	    (rec->uid == st->st_uid && rec->gid == st->st_gid))
		return 0;
	if (fchown(fd, rec->uid, rec->gid) < 0 && errno != EPERM &&
	    errno != EINVAL) /* EINVAL: not mapped in this user namespace */
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

/* The record of a file that is, or is about to be, as @st says. */
static struct record file_record(struct store *s, const struct store_place *place,
                                 const struct record *rec, const struct stat *st)
{
	struct record out = *rec;

	if (place->full)
		return full_record(s, st, place->full, epoch_current(s));
	/* The user has given it what it shows. */
	if (rec->fields & RECORD_FLAGS && rec->flags & RECORD_FLAG_DIRTY)
		out.fields &= ~(uint32_t)(RECORD_MODE | RECORD_OWNER);
	attr_bind_file(s, &out, st, place->origin);
	out.fields |= RECORD_EPOCH;
	out.epoch = epoch_current(s);
	return out;
}

/*
 * The record, then the mode.  The kernel may take set-id bits away from a mode that we set; then the
 * record says so, in a second round.
 */
static int apply_record_and_mode(struct store *s, int fd, const struct store_place *place,
                                 const struct record *rec, struct stat *st, uint64_t *ret_ref)
{
	mode_t type = st->st_mode & S_IFMT;

	if (rec->fields & RECORD_MODE)
		st->st_mode = type | (rec->mode & 07777);
	for (int round = 0; round < 2; round++) {
		mode_t wanted = st->st_mode;
		struct record out = file_record(s, place, rec, st);
		/* Its epoch tells when what it refers to was lost. */
		int r = write_record(s, fd, st, &out, false, ret_ref);

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

int attr_apply_file(struct store *s, int fd, const struct store_place *place,
                    const struct record *rec, uint64_t *ret_ref)
{
	struct stat st;
	int r;

	*ret_ref = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!place->full && rec->fields & RECORD_SIZE && rec->size != (uint64_t)st.st_size)
		return -EIO; /* not all of it has arrived */
	r = apply_owner(fd, rec, &st);
	if (r == 0)
		r = apply_xattrs(fd, rec);
	if (r == 0)
		r = apply_times(fd, rec);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0)
		r = apply_record_and_mode(s, fd, place, rec, &st, ret_ref);
	if (r < 0) {
		recordref_remove(s, *ret_ref);
		*ret_ref = 0;
	}
	return r;
}

int attr_apply_directory(struct store *s, int fd, const char *origin, const struct record *rec,
                         uint64_t *ret_ref)
{
	struct record out = *rec;
	struct stat st;
	int r;

	*ret_ref = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = apply_owner(fd, rec, &st);
	if (r == 0)
		r = apply_xattrs(fd, rec);
	if (r < 0)
		return r;
	attr_bind_directory(s, &out, &st, origin);
	r = write_record(s, fd, &st, &out, true, ret_ref);
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
