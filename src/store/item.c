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

/* What is looked at, and what is known about it beforehand. */
struct examined {
	struct store *store;
	int fd;
	const char *path;
	const char *origin; /* if it has not been moved itself */
	struct store_item *item;
};

static uint64_t identity_of(const struct store *s, const struct record *rec, const char *origin)
{
	char own[PATH_MAX_BYTES + 1];

	if (rec->fields & RECORD_ORIGIN) {
		memcpy(own, rec->origin.data, rec->origin.size); /* a valid path is not longer */
		own[rec->origin.size] = '\0';
		origin = own;
	}
	return store_identity(s, origin, rec->generation);
}

/* The user's content.  What the record says of it counts for this inode only. */
static int examine_full(const struct examined *x, const struct record *rec,
                        enum remnant *ret_remnant)
{
	struct store_item *item = x->item;

	if (!(rec->fields & RECORD_BINDING) ||
	    rec->binding != binding_of_inode(x->store, &item->st))
		return say(item, STORE_LOCAL);
	item->state = STORE_LOCAL;
	item->identity = rec->identity;
	if (rec->fields & RECORD_EPOCH && epoch_is_lost(x->store, rec->epoch)) {
		item->unverified = true;
		*ret_remnant = REMNANT_FULL;
	}
	return 0;
}

static bool file_is_bound(const struct store *s, const struct record *rec, const struct stat *st,
                          uint64_t place)
{
	uint64_t binding = binding_of_file(s, st, place);

	return rec->binding == binding ||
	       (rec->fields & RECORD_FORMER_BINDING && rec->former_binding == binding);
}

/*
 * The record that @head refers to, or is.  A copy of a reference leads to the record of another item, so that
 * it is as if there were none: 1.
 */
static int whole_record(const struct examined *x, const struct record *head, enum record_kind kind,
                        struct record *ret)
{
	int r = 0;

	*ret = *head;
	if (head->kind == RECORD_REFERENCE) {
		if (!reference_is_own(x->store, head, &x->item->st))
			return 1;
		r = follow_reference(x->store, &x->item->rec, ret);
	}
	return r == 0 && ret->kind != kind ? -EBADMSG : r;
}

/*
 * The content of a placeholder that a user renamed or changed did not survive: what he did to it did, and goes on as a
 * marker would.
 */
static int examine_changed(const struct examined *x, const struct record *head,
                           const struct record *rec, enum remnant *ret_remnant)
{
	const struct stat *st = &x->item->st;
	_cleanup_(buf_deinit) struct buf encoded = {0};
	struct record marker = *rec;
	int r;

	marker.fields &= ~(uint32_t)(RECORD_EPOCH | RECORD_BINDING | RECORD_FORMER_BINDING);
	marker.fields |= RECORD_SIZE | RECORD_MODE | RECORD_MTIME;
	marker.size = head->size;
	marker.mode = st->st_mode & 07777;
	marker.mtime = (struct record_time){st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec};
	if (rec->flags & RECORD_FLAG_DIRTY) {
		marker.fields |= RECORD_OWNER;
		marker.uid = st->st_uid;
		marker.gid = st->st_gid;
	}
	if (!(rec->fields & RECORD_ORIGIN)) {
		marker.fields |= RECORD_ORIGIN;
		marker.origin = (struct record_bytes){(const uint8_t *)x->origin, strlen(x->origin)};
	}
	r = record_encode(&marker, &encoded);
	if (r < 0)
		return r;
	x->item->identity = identity_of(x->store, rec, x->origin);
	x->item->state = STORE_PLACEHOLDER;
	buf_deinit(&x->item->rec);
	x->item->rec = encoded;
	encoded = (struct buf){0};
	*ret_remnant = REMNANT_CHANGED;
	return 0;
}

static int examine_projected_file(const struct examined *x, const struct record *head,
                                  enum remnant *ret_remnant)
{
	bool lost = head->fields & RECORD_EPOCH && epoch_is_lost(x->store, head->epoch);
	struct store_item *item = x->item;
	struct record rec;
	bool bound;
	int r;

	r = whole_record(x, head, RECORD_FILE, &rec);
	if (r > 0)
		return say(item, STORE_LOCAL);
	if (is_damage(r) && lost)
		rec = *head; /* what it refers to was lost as well */
	else if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	bound = file_is_bound(x->store, head, &item->st, place_of(x->store, &rec, x->origin));
	if (lost && bound && rec.flags & (RECORD_FLAG_DIRTY | RECORD_FLAG_RENAMED))
		return examine_changed(x, head, &rec, ret_remnant);
	if (lost) {
		/* Whatever its size: if nobody has touched it since, a power cut made it so. */
		*ret_remnant = bound ? REMNANT_CACHE : REMNANT_NONE;
		item->unverified = !bound;
		return say(item, bound ? STORE_NONE : STORE_LOCAL);
	}
	if (!bound || head->size != (uint64_t)item->st.st_size)
		return say(item, STORE_LOCAL);
	item->state = STORE_HYDRATED;
	item->identity = identity_of(x->store, &rec, x->origin);
	item->meta_differs = head->binding_meta != binding_of_meta(x->store, &item->st);
	return 0;
}

static int examine_file(const struct examined *x, enum remnant *ret_remnant)
{
	const uint32_t needed = RECORD_BINDING | RECORD_SIZE;
	struct store_item *item = x->item;
	struct record rec;
	int r;

	r = read_record(x->store, x->fd, &item->st, &item->rec, &rec);
	if (r == 0)
		return say(item, STORE_LOCAL);
	if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	if (rec.kind == RECORD_FILE && rec.flags & RECORD_FLAG_FULL)
		return examine_full(x, &rec, ret_remnant);
	if ((rec.kind != RECORD_FILE && rec.kind != RECORD_REFERENCE) ||
	    (rec.fields & needed) != needed)
		return say(item, STORE_LOCAL);
	return examine_projected_file(x, &rec, ret_remnant);
}

static int examine_directory(const struct examined *x)
{
	struct store_item *item = x->item;
	struct record head;
	struct record rec;
	int r;

	r = read_record(x->store, x->fd, &item->st, &item->rec, &head);
	if (r == 0 || (r > 0 && !(head.fields & RECORD_BINDING)))
		return say(item, STORE_LOCAL);
	if (r > 0)
		r = whole_record(x, &head, RECORD_DIRECTORY, &rec);
	if (r < 0)
		return is_damage(r) ? say(item, STORE_DAMAGED) : r;
	if (r > 0 || head.binding != binding_of_directory(x->store, &item->st,
	                                                  place_of(x->store, &rec, x->origin)))
		return say(item, STORE_LOCAL);
	item->state = STORE_DIRECTORY;
	/* One that the provider is not asked about is the user's own. */
	if (!(rec.flags & RECORD_FLAG_OPAQUE))
		item->identity = identity_of(x->store, &rec, x->origin);
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

/* Does the marker lie where it was written?  A copy, or one that was moved by hand, does not. */
static bool marker_is_bound(const struct examined *x, const struct record *rec)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	struct stat st;

	if (!(rec->fields & RECORD_BINDING))
		return false;
	dir = disk_open_parent(x->store, x->path, &name);
	return dir >= 0 && fstat(dir, &st) == 0 &&
	       rec->binding == binding_of_marker(x->store, &st, name);
}

static int examine_marker(const struct examined *x, const char *target)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	struct store_item *item = x->item;
	struct record rec;
	int r;

	r = marker_decode(target, &storage, &rec);
	if (r == 0 && rec.kind == RECORD_REFERENCE)
		r = follow_reference(x->store, &storage, &rec);
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
		if (rec.fields & RECORD_ORIGIN && marker_is_bound(x, &rec))
			item->identity = identity_of(x->store, &rec, x->origin);
		break;
	default:
		return say(item, STORE_DAMAGED);
	}
	/* The storage may hold more than the record; the encoder gives its plain form. */
	return record_encode(&rec, &item->rec);
}

static int examine_link(const struct examined *x)
{
	char target[PATH_MAX_BYTES + 1];
	int r = read_target(x->fd, target);

	if (r < 0)
		return r;
	if (marker_is(target))
		return examine_marker(x, target);
	x->item->st.st_size = (off_t)strlen(marker_plain_target(target));
	return say(x->item, STORE_LOCAL);
}

int item_examine(struct store *s, int fd, const char *path, const char *origin,
                 struct store_item *ret, enum remnant *ret_remnant)
{
	struct store_item item = {0};
	const struct examined x = {s, fd, path, origin, &item};
	int r;

	*ret_remnant = REMNANT_NONE;
	r = disk_stat(s, fd, &item.st, &item.btime);
	if (r < 0)
		return r;
	if (S_ISREG(item.st.st_mode))
		r = examine_file(&x, ret_remnant);
	else if (S_ISDIR(item.st.st_mode))
		r = examine_directory(&x);
	else if (S_ISLNK(item.st.st_mode))
		r = examine_link(&x);
	else
		item.state = STORE_LOCAL;
	if (r < 0) {
		buf_deinit(&item.rec);
		return r;
	}
	*ret = item;
	return 0;
}

/* ---- looking up ------------------------------------------------------------------------------------- */

void opened_close(struct opened *o)
{
	closep(&o->fd);
	store_item_deinit(&o->item);
}

/* -ENOENT there is nothing of that name. */
static int examine_path(struct store *s, const char *path, const char *origin, struct opened *o,
                        enum remnant *ret_remnant)
{
	int r;

	*ret_remnant = REMNANT_NONE;
	o->fd = disk_open(s, path, O_PATH);
	if (o->fd < 0)
		return o->fd;
	if (!*path) {
		o->origin = path;
		o->item.state = STORE_DIRECTORY;
		return disk_stat(s, o->fd, &o->item.st, &o->item.btime);
	}
	r = place_origin(s, path, origin, o->storage, &o->origin);
	return r < 0 ? r : item_examine(s, o->fd, path, o->origin, &o->item, ret_remnant);
}

int item_open(struct store *s, const char *path, const char *origin, struct opened *ret)
{
	enum remnant remnant;
	int r;

	*ret = (struct opened){.fd = -1};
	r = disk_check(path);
	if (r < 0)
		return r;
	r = examine_path(s, path, origin, ret, &remnant);
	return r == 0 && remnant == REMNANT_CACHE ? -ENOENT : r;
}

static int lookup(struct store *s, const char *path, const char *origin, bool keep,
                  struct store_item *ret)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	enum remnant remnant;
	int r;

	r = disk_check(path);
	if (r < 0)
		return r;
	r = examine_path(s, path, origin, &o, &remnant);
	if (r == -ENOENT) {
		*ret = (struct store_item){.state = STORE_NONE};
		return 0;
	}
	if (r < 0)
		return r;
	if (remnant == REMNANT_CACHE || (remnant == REMNANT_FULL && !keep && !s->readonly)) {
		if (!keep && !s->readonly)
			r = remnant_remove(s, path, &o.item.st, remnant);
		if (r == 0)
			*ret = (struct store_item){.state = STORE_NONE};
		return r;
	}
	if (remnant == REMNANT_CHANGED && !keep && !s->readonly) {
		r = remnant_to_marker(s, path, &o.item);
		if (r < 0)
			return r;
	}
	*ret = o.item;
	o.item = (struct store_item){0};
	return 0;
}

int item_peek(struct store *s, const char *path, struct store_item *ret)
{
	return lookup(s, path, NULL, true, ret);
}

int item_peek_at(struct store *s, const char *path, const char *origin, struct store_item *ret)
{
	return lookup(s, path, origin, true, ret);
}

int store_lookup(struct store *s, const char *path, struct store_item *ret)
{
	return lookup(s, path, NULL, false, ret);
}

int store_lookup_at(struct store *s, const char *path, const char *origin, struct store_item *ret)
{
	if (!path_is_valid(origin))
		return -EINVAL;
	return lookup(s, path, origin, false, ret);
}
