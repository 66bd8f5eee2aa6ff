/* SPDX-License-Identifier: MIT */
/*
 * Full files: the content is the user's.  One that was projected keeps a small record, which says what
 * its identity was, and as long as the bytes that it had from the provider are not durable their epoch.  It
 * is bound to the inode alone, since all else is the user's to change.
 */
#include <errno.h>
#include <fcntl.h>

#include "store/change.h"
#include "store/internal.h"

struct record full_record(const struct store *s, const struct stat *st, uint64_t identity,
                          uint32_t epoch)
{
	return (struct record){
	        .kind = RECORD_FILE,
	        .fields = RECORD_FLAGS | RECORD_BINDING | (identity ? RECORD_IDENTITY : 0u) |
	                  (epoch ? RECORD_EPOCH : 0u),
	        .flags = RECORD_FLAG_FULL,
	        .epoch = epoch,
	        .binding = binding_of_inode(s, st),
	        .identity = identity,
	};
}

static bool is_young(const struct store *s, const struct record *rec)
{
	return rec->fields & RECORD_EPOCH && !epoch_is_settled(s, rec->epoch);
}

int store_make_full(struct store *s, const char *path, uint64_t identity, bool *ret_young)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	struct record rec = {0};
	struct record full;
	bool young;
	int r;

	if (s->readonly)
		return -EROFS;
	r = item_open(s, path, NULL, &o);
	if (r == 0 && o.item.rec.size)
		r = record_decode(o.item.rec.data, o.item.rec.size, &rec);
	if (r < 0)
		return r;
	young = is_young(s, &rec);
	if (o.item.state == STORE_HYDRATED) {
		full = full_record(s, &o.item.st, identity, young ? rec.epoch : 0);
		r = attr_replace_record(s, o.fd, &o.item.st, &full);
	} else if (o.item.state != STORE_LOCAL || !S_ISREG(o.item.st.st_mode)) {
		r = -EBUSY;
	}
	if (r == 0)
		*ret_young = young;
	return r;
}

/* The epoch leaves the record, and with it a record that says nothing else. */
static int drop_epoch(struct store *s, int fd)
{
	uint8_t value[RECORD_XATTR_MAX];
	struct record rec;
	struct stat st;
	ssize_t n;

	n = disk_getxattr(s, fd, RECORD_XATTR, value, sizeof(value));
	if (n < 0)
		return n == -ENODATA || n == -EOPNOTSUPP || n == -ERANGE ? 0 : (int)n;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (record_decode(value, (size_t)n, &rec) < 0 || rec.kind != RECORD_FILE ||
	    !(rec.flags & RECORD_FLAG_FULL) || !(rec.fields & RECORD_EPOCH) ||
	    rec.binding != binding_of_inode(s, &st))
		return 0;
	if (!rec.identity)
		return disk_removexattr(s, fd, RECORD_XATTR);
	rec = full_record(s, &st, rec.identity, 0);
	return attr_replace_record(s, fd, &st, &rec);
}

int store_settle(struct store *s, int fd, bool durable)
{
	int r;

	if (s->readonly)
		return -EROFS;
	if (fsync(fd) < 0)
		return -errno;
	r = drop_epoch(s, fd);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	return r;
}
