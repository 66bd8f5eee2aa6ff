/* SPDX-License-Identifier: MIT */
/*
 * Changes of metadata.  The item on disk is changed first and its record after, so that an error leaves both as they
 * were and a crash in between a mode that the record does not know, which counts as the user's change.
 * Only a new mtime would make a hydrated file look edited: before it is set, the record says that both the
 * old and the new one are right.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "store/change.h"
#include "store/internal.h"

#define TIMES (RECORD_MTIME | RECORD_ATIME)

static int decode(const struct opened *o, struct record *ret)
{
	return record_decode(o->item.rec.data, o->item.rec.size, ret);
}

/* ---- records ---------------------------------------------------------------------------------------- */

/* The record of the file as it is now, with the epoch that it had. */
static int rewrite_file(struct store *s, const struct opened *o, const struct record *rec,
                        const struct stat *st, const struct record *former)
{
	struct record out = *rec;

	attr_bind_file(s, &out, st, o->origin);
	/* A change made while nothing ran stays one until the record says so. */
	if (o->item.meta_differs && !(rec->fields & RECORD_FLAGS && rec->flags & RECORD_FLAG_DIRTY))
		out.binding_meta = former->binding_meta;
	out.fields |= former->fields & RECORD_EPOCH;
	out.epoch = former->epoch;
	return attr_replace_record(s, o->fd, st, &out);
}

static int set_file_record(struct store *s, const struct opened *o, const struct record *rec)
{
	struct record former;
	int r = decode(o, &former);

	return r < 0 ? r : rewrite_file(s, o, rec, &o->item.st, &former);
}

static int set_directory_record(struct store *s, const struct opened *o, const struct record *rec)
{
	struct record out = *rec;
	int r = rec->fields & RECORD_ORIGIN ? moved_note(s) : 0;

	if (r < 0)
		return r;
	attr_bind_directory(s, &out, &o->item.st, o->origin);
	return attr_replace_record(s, o->fd, &o->item.st, &out);
}

int store_set_record(struct store *s, const char *path, const char *origin,
                     const struct record *rec)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	int r;

	if (s->readonly)
		return -EROFS;
	if (!*path || !path_is_valid(origin))
		return -EINVAL;
	r = item_open(s, path, origin, &o);
	if (r < 0)
		return r;
	if (o.item.state == STORE_HYDRATED && rec->kind == RECORD_FILE)
		return set_file_record(s, &o, rec);
	if (o.item.state == STORE_DIRECTORY && rec->kind == RECORD_DIRECTORY)
		return set_directory_record(s, &o, rec);
	return -EBUSY;
}

int meta_rebind(struct store *s, const struct opened *o)
{
	struct timespec btime;
	struct record rec;
	struct stat st;
	int r;

	if (!o->item.rec.size ||
	    (o->item.state != STORE_HYDRATED && o->item.state != STORE_DIRECTORY))
		return 0;
	r = decode(o, &rec);
	if (r == 0)
		r = disk_stat(s, o->fd, &st, &btime);
	if (r < 0)
		return r;
	rec.mode = st.st_mode & 07777;
	if (o->item.state == STORE_HYDRATED)
		return rewrite_file(s, o, &rec, &st, &rec);
	return rec.fields & RECORD_MODE ? set_directory_record(s, o, &rec) : 0;
}

/* ---- the item itself ------------------------------------------------------------------------------------- */

static struct timespec wanted_time(const struct store_change *change, uint32_t field,
                                   struct timespec time)
{
	return change->fields & field ? time : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int apply_times(int fd, const struct store_change *change)
{
	const struct timespec times[2] = {
	        wanted_time(change, RECORD_ATIME, change->atime),
	        wanted_time(change, RECORD_MTIME, change->mtime),
	};

	return change->fields & TIMES ? disk_set_times(fd, times) : 0;
}

/* As it was, as far as the disk goes along. */
static void undo(struct store *s, int fd, const struct stat *before,
                 const struct store_change *change)
{
	const struct store_change back = {.fields = change->fields & TIMES,
	                                  .mtime = before->st_mtim,
	                                  .atime = before->st_atim};

	if (change->fields & RECORD_OWNER)
		(void)disk_chown(s, fd, before->st_uid, before->st_gid);
	if (change->fields & (RECORD_OWNER | RECORD_MODE) && !S_ISLNK(before->st_mode))
		(void)disk_chmod(s, fd, before->st_mode & 07777);
	(void)apply_times(fd, &back);
}

static int apply(struct store *s, int fd, const struct stat *before,
                 const struct store_change *change)
{
	int r = 0;

	if (change->fields & RECORD_OWNER)
		r = disk_chown(s, fd, change->uid, change->gid);
	if (r < 0)
		return r;
	if (change->fields & RECORD_MODE)
		r = disk_chmod(s, fd, change->mode & 07777);
	if (r == 0)
		r = apply_times(fd, change);
	if (r < 0)
		undo(s, fd, before, change);
	return r;
}

/* ---- hydrated files ---------------------------------------------------------------------------------------- */

static void resolve_now(struct timespec *time)
{
	if (time->tv_nsec == UTIME_NOW)
		(void)clock_gettime(CLOCK_REALTIME, time);
}

/* Both the mtime that it has and the one that it will have are right. */
static int allow_both(struct store *s, const struct opened *o, const struct record *rec,
                      struct timespec mtime)
{
	struct stat st = o->item.st;
	struct record out = *rec;

	st.st_mtim = mtime;
	out.former_binding = binding_of_file(s, &o->item.st, place_of(s, rec, o->origin));
	out.binding = binding_of_file(s, &st, place_of(s, rec, o->origin));
	out.fields |= RECORD_BINDING | RECORD_FORMER_BINDING;
	return attr_replace_record(s, o->fd, &o->item.st, &out);
}

static int change_file(struct store *s, const struct opened *o, struct store_change change)
{
	struct timespec btime;
	struct record former;
	struct record rec;
	struct stat st;
	int r = decode(o, &former);

	if (r < 0)
		return r;
	if (change.fields & RECORD_MTIME) {
		resolve_now(&change.mtime);
		r = allow_both(s, o, &former, change.mtime);
	}
	if (r < 0)
		return r;
	/* What it shows of these is the user's now, and on the disk. */
	rec = former;
	rec.fields &= ~(change.fields & (RECORD_MODE | RECORD_OWNER));
	r = apply(s, o->fd, &o->item.st, &change);
	if (r == 0) {
		r = disk_stat(s, o->fd, &st, &btime);
		if (r == 0)
			r = rewrite_file(s, o, &rec, &st, &former);
		if (r < 0)
			undo(s, o->fd, &o->item.st, &change);
	}
	if (r < 0 && change.fields & RECORD_MTIME)
		(void)attr_replace_record(s, o->fd, &o->item.st, &former);
	return r;
}

/* ---- directories -------------------------------------------------------------------------------------------- */

/* Permissions that we need ourselves. */
static mode_t own_mode(void)
{
	return geteuid() == 0 ? 0 : 0700;
}

/* The record of a directory as the user has changed it. */
static void note_change(struct record *rec, const struct store_change *change,
                        const struct stat *now)
{
	/* Set-id bits are as the kernel let us have them. */
	if (change->fields & RECORD_MODE)
		rec->mode = (now->st_mode & 07000) | (change->mode & 0777);
	if (change->fields & RECORD_OWNER) {
		rec->uid = now->st_uid;
		rec->gid = now->st_gid;
	}
	rec->fields |= change->fields & (RECORD_MODE | RECORD_OWNER);
	/* From now on the disk's counts. */
	if (change->fields & RECORD_MTIME)
		rec->fields &= ~(uint32_t)RECORD_MTIME;
}

static int change_directory(struct store *s, const struct opened *o,
                            const struct store_change *change)
{
	struct store_change on_disk = *change;
	struct timespec btime;
	struct record rec;
	struct stat st;
	int r = decode(o, &rec);

	if (r < 0)
		return r;
	on_disk.mode |= own_mode();
	r = apply(s, o->fd, &o->item.st, &on_disk);
	if (r < 0)
		return r;
	r = disk_stat(s, o->fd, &st, &btime);
	if (r == 0) {
		note_change(&rec, change, &st);
		r = set_directory_record(s, o, &rec);
	}
	if (r < 0)
		undo(s, o->fd, &o->item.st, change);
	return r;
}

static bool locks_out(const struct opened *o, const struct store_change *change)
{
	return S_ISDIR(o->item.st.st_mode) && change->fields & RECORD_MODE &&
	       (change->mode & own_mode()) != own_mode();
}

/* The user's own directory gets a record for a mode that we could not work with.  The record first: it
 * says what the directory is to show. */
static int change_locked_directory(struct store *s, const struct opened *o,
                                   const struct store_change *change)
{
	struct store_change on_disk = *change;
	struct record rec = {
	        .kind = RECORD_DIRECTORY,
	        .fields = RECORD_FLAGS | RECORD_MODE | RECORD_OWNER,
	        .flags = RECORD_FLAG_OPAQUE,
	        .mode = change->mode & 07777,
	        .uid = o->item.st.st_uid,
	        .gid = o->item.st.st_gid,
	};
	int r;

	if (change->fields & RECORD_OWNER && change->gid != UINT32_MAX)
		rec.gid = change->gid; /* an ordinary user gives away nothing else */
	r = set_directory_record(s, o, &rec);
	if (r < 0)
		return r;
	on_disk.mode |= own_mode();
	r = apply(s, o->fd, &o->item.st, &on_disk);
	if (r < 0)
		(void)disk_removexattr(s, o->fd, RECORD_XATTR);
	return r;
}

int store_change_meta(struct store *s, const char *path, const struct store_change *change)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	int r;

	if (s->readonly)
		return -EROFS;
	r = item_open(s, path, NULL, &o);
	if (r < 0)
		return r;
	switch (o.item.state) {
	case STORE_LOCAL:
		if (locks_out(&o, change))
			return change_locked_directory(s, &o, change);
		return apply(s, o.fd, &o.item.st, change);
	case STORE_HYDRATED:
		return change_file(s, &o, *change);
	case STORE_DIRECTORY:
		if (*path)
			return change_directory(s, &o, change);
		return apply(s, o.fd, &o.item.st, change);
	case STORE_DAMAGED:
		return -EIO;
	default:
		return -EBUSY;
	}
}

/* ---- files without a name ------------------------------------------------------------------------------------- */

int store_change_fd(int fd, const struct store_change *change)
{
	const struct timespec times[2] = {
	        wanted_time(change, RECORD_ATIME, change->atime),
	        wanted_time(change, RECORD_MTIME, change->mtime),
	};
	struct stat before;
	int r = 0;

	if (fstat(fd, &before) < 0)
		return -errno;
	if (change->fields & RECORD_OWNER && fchown(fd, change->uid, change->gid) < 0)
		return -errno;
	if (change->fields & RECORD_MODE && fchmod(fd, change->mode & 07777) < 0)
		r = -errno;
	else if (change->fields & TIMES && futimens(fd, times) < 0)
		r = -errno;
	if (r < 0) {
		(void)fchown(fd, before.st_uid, before.st_gid);
		(void)fchmod(fd, before.st_mode & 07777);
	}
	return r;
}
