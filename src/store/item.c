/* SPDX-License-Identifier: MIT */
/*
 * What is this item?  Decided from the item alone: its type, its record, and whether the record is
 * about this very file.  Attributes and links are things that users can copy, keep and forge, so a
 * record that does not fit makes the item local: what is the user's is never taken for cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/internal.h"
#include "util/log.h"
#include "util/name.h"

void store_item_deinit(struct store_item *item)
{
	buf_deinit(&item->rec);
	*item = (struct store_item){0};
}

/*
 * The record attribute, as it stands there.  0 there is none; positive: there is one in @rec;
 * -EBADMSG and -EPROTONOSUPPORT: there is one that cannot be read.
 */
static int read_record(struct store *s, int fd, const struct stat *st, struct buf *storage,
                       struct record *rec)
{
	uint8_t value[RECORD_XATTR_MAX];
	ssize_t n = disk_getxattr(s, fd, RECORD_XATTR, value, sizeof(value));
	int r;

	if (n == -ENODATA || n == -EOPNOTSUPP)
		return 0;
	if (n == -ERANGE)
		return -EBADMSG; /* none of ours is that long */
	if (n == -EACCES && st->st_uid != geteuid())
		return 0; /* what we wrote is ours */
	if (n < 0)
		return (int)n;
	buf_append(storage, value, (size_t)n);
	if (storage->failed)
		return -ENOMEM;
	r = record_decode(storage->data, storage->size, rec);
	return r < 0 ? r : 1;
}

/* Put the record that a reference leads to in its place. */
static int follow_reference(const struct store *s, struct buf *storage, struct record *rec)
{
	uint64_t ref = rec->ref;
	int r;

	if (!(rec->fields & RECORD_REF))
		return -EBADMSG;
	storage->size = 0;
	r = recordref_load(s, ref, storage);
	if (r == -ENOENT || r == -EFBIG || r == -EISDIR)
		return -EBADMSG;
	if (r < 0)
		return r;
	r = record_decode(storage->data, storage->size, rec);
	return r < 0 ? r : 0;
}

static bool is_damage(int r)
{
	return r == -EBADMSG || r == -EPROTONOSUPPORT;
}

/* Forget what was read: the item is not what its record says. */
static int say(struct store_item *item, enum store_state state)
{
	buf_deinit(&item->rec);
	item->state = state;
	return 0;
}

static int examine_file(struct store *s, int fd, struct store_item *item, bool *ret_remnant)
{
	const uint32_t needed = RECORD_BINDING | RECORD_SIZE;
	struct record rec;
	uint32_t meta;
	bool bound;
	int r;

	r = read_record(s, fd, &item->st, &item->rec, &rec);
	if (r == 0)
		return say(item, STORE_LOCAL);
	if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	if ((rec.kind != RECORD_FILE && rec.kind != RECORD_REFERENCE) ||
	    (rec.fields & needed) != needed)
		return say(item, STORE_LOCAL);

	bound = rec.binding == binding_of_file(s, &item->st);
	meta = rec.binding_meta;
	if (rec.fields & RECORD_EPOCH && epoch_is_lost(s, rec.epoch)) {
		/* Whatever its size: if nobody has touched it since, a power cut made it so. */
		*ret_remnant = bound;
		item->unverified = !bound;
		return say(item, bound ? STORE_NONE : STORE_LOCAL);
	}
	if (!bound || rec.size != (uint64_t)item->st.st_size)
		return say(item, STORE_LOCAL);
	if (rec.kind == RECORD_REFERENCE) {
		r = follow_reference(s, &item->rec, &rec);
		if (r == 0 && rec.kind != RECORD_FILE)
			r = -EBADMSG;
		if (r < 0)
			return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	}
	item->state = STORE_HYDRATED;
	item->meta_differs = meta != binding_of_meta(s, &item->st);
	return 0;
}

static int examine_directory(struct store *s, int fd, struct store_item *item)
{
	struct record rec;
	int r;

	r = read_record(s, fd, &item->st, &item->rec, &rec);
	if (r == 0)
		return say(item, STORE_LOCAL);
	if (r > 0 &&
	    (!(rec.fields & RECORD_BINDING) || rec.binding != binding_of_directory(s, &item->st)))
		return say(item, STORE_LOCAL);
	if (r > 0 && rec.kind == RECORD_REFERENCE)
		r = follow_reference(s, &item->rec, &rec);
	if (r >= 0 && rec.kind != RECORD_DIRECTORY)
		r = -EBADMSG;
	if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	item->state = STORE_DIRECTORY;
	return 0;
}

/* The whole target of a link, with a NUL. */
static int read_target(int fd, char ret[PATH_MAX_BYTES + 1])
{
	ssize_t n = readlinkat(fd, "", ret, PATH_MAX_BYTES + 1);

	if (n < 0)
		return -errno;
	if (n > PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	ret[n] = '\0';
	return 0;
}

static int examine_marker(struct store *s, const char *target, struct store_item *item)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	struct record rec;
	int r;

	r = marker_decode(target, &storage, &rec);
	if (r == 0 && rec.kind == RECORD_REFERENCE)
		r = follow_reference(s, &storage, &rec);
	if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	switch (rec.kind) {
	case RECORD_TOMBSTONE:
		item->state = STORE_TOMBSTONE;
		break;
	case RECORD_FILE:
	case RECORD_DIRECTORY:
	case RECORD_SYMLINK:
		item->state = STORE_PLACEHOLDER;
		break;
	default:
		return say(item, STORE_DAMAGED);
	}
	/* The storage may hold more than the record; the encoder gives its plain form. */
	return record_encode(&rec, &item->rec);
}

static int examine_link(struct store *s, int fd, struct store_item *item)
{
	char target[PATH_MAX_BYTES + 1];
	int r = read_target(fd, target);

	if (r < 0)
		return r;
	return marker_is(target) ? examine_marker(s, target, item) : say(item, STORE_LOCAL);
}

int item_examine(struct store *s, int fd, struct store_item *ret, bool *ret_remnant)
{
	struct store_item item = {0};
	int r;

	*ret_remnant = false;
	r = disk_stat(s, fd, &item.st, &item.btime);
	if (r < 0)
		return r;
	if (S_ISREG(item.st.st_mode))
		r = examine_file(s, fd, &item, ret_remnant);
	else if (S_ISDIR(item.st.st_mode))
		r = examine_directory(s, fd, &item);
	else if (S_ISLNK(item.st.st_mode))
		r = examine_link(s, fd, &item);
	else
		item.state = STORE_LOCAL;
	if (r < 0) {
		buf_deinit(&item.rec);
		return r;
	}
	*ret = item;
	return 0;
}

/*
 * Two threads may meet the same remnant, and between them somebody may have put the true content in
 * its place: under the lock, only what still has that inode is moved.  Our descriptor keeps its
 * number from being used again.
 */
static int remove_remnant(struct store *s, const char *path, const struct stat *remnant)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	struct stat st;
	int r = 0;

	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	pthread_mutex_lock(&s->remove_lock);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == remnant->st_ino)
		r = clean_move(s, dir, name);
	pthread_mutex_unlock(&s->remove_lock);
	if (r == 0)
		log_info("'%s' was not complete when the machine went down, it is virtual again",
		         path);
	return r;
}

static int lookup(struct store *s, const char *path, bool keep, struct store_item *ret)
{
	_cleanup_(closep) int fd = -1;
	bool remnant;
	int r;

	r = disk_check(path);
	if (r < 0)
		return r;
	fd = disk_open(s, path, O_PATH);
	if (fd == -ENOENT) {
		*ret = (struct store_item){.state = STORE_NONE};
		return 0;
	}
	if (fd < 0)
		return fd;
	if (!*path) {
		*ret = (struct store_item){.state = STORE_DIRECTORY};
		return disk_stat(s, fd, &ret->st, &ret->btime);
	}
	r = item_examine(s, fd, ret, &remnant);
	if (r == 0 && remnant) {
		struct stat st = ret->st;

		*ret = (struct store_item){.state = STORE_NONE};
		if (!keep && !s->readonly)
			r = remove_remnant(s, path, &st);
	}
	return r;
}

int item_peek(struct store *s, const char *path, struct store_item *ret)
{
	return lookup(s, path, true, ret);
}

int store_lookup(struct store *s, const char *path, struct store_item *ret)
{
	return lookup(s, path, false, ret);
}
