/* SPDX-License-Identifier: MIT */
/*
 * Looking at everything below a root, which nothing else does: a start takes constant time.  What cannot be
 * read is mended so that no content of the user's is lost: a file loses its record, not its bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/change.h"
#include "store/check.h"
#include "store/internal.h"

void check_say(const struct check *c, enum store_problem problem, const char *path,
               const char *what, bool repaired)
{
	c->report(c->context, problem, path, what, repaired);
}

/* ---- items -------------------------------------------------------------------------------------- */

int check_head(struct store *s, int fd, const struct stat *st, struct buf *storage,
               struct record *ret)
{
	uint8_t value[RECORD_XATTR_MAX];
	char target[PATH_MAX_BYTES + 1];
	ssize_t n;
	int r;

	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		target[MAX(n, 0)] = '\0';
		if (n < 0 || !marker_is(target))
			return n < 0 ? -errno : 0;
		r = marker_decode(target, storage, ret);
		return r < 0 ? r : 1;
	}
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	n = disk_getxattr(s, fd, RECORD_XATTR, value, sizeof(value));
	if (n < 0)
		return n == -ENODATA || n == -EOPNOTSUPP ? 0 : n == -ERANGE ? -EBADMSG : (int)n;
	buf_append(storage, value, (size_t)n);
	if (storage->failed)
		return -ENOMEM;
	r = record_decode(storage->data, storage->size, ret);
	return r < 0 ? r : 1;
}

/* Was the record of the damaged item written by a newer version? */
static bool is_newer(struct store *s, int fd, const struct stat *st)
{
	_cleanup_(buf_deinit) struct buf head = {0};
	_cleanup_(buf_deinit) struct buf whole = {0};
	struct record rec;
	int r = check_head(s, fd, st, &head, &rec);

	if (r > 0 && rec.kind == RECORD_REFERENCE && recordref_load(s, rec.ref, &whole) == 0)
		r = record_decode(whole.data, whole.size, &rec);
	return r == -EPROTONOSUPPORT;
}

/* .projfs/recovered/<name>-<16 hex digits>, with as much of the name as there is room for. */
static int set_aside(struct store *s, const char *path)
{
	char unique[PRIVATE_NAME_SIZE];
	char aside[NAME_MAX_BYTES + 1];
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int dir = -1;
	const char *name;

	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	folder = disk_open_private(s, "recovered");
	if (folder < 0)
		return folder;
	private_name(s, unique);
	(void)snprintf(aside, sizeof(aside), "%.*s-%s", NAME_MAX_BYTES - PRIVATE_NAME_SIZE, name,
	               unique);
	store_step();
	return disk_rename(s, dir, name, folder, aside);
}

static void check_damaged(const struct check *c, const char *path, const struct stat *st)
{
	_cleanup_(closep) int fd = disk_open(c->store, path, O_PATH);
	bool mended = false;

	if (fd < 0)
		return; /* gone meanwhile */
	if (is_newer(c->store, fd, st)) {
		check_say(c, STORE_PROBLEM_NEWER, path,
		          "its record was written by a newer version of projfs", false);
		return;
	}
	if (S_ISLNK(st->st_mode)) {
		mended = c->repair && set_aside(c->store, path) == 0;
		check_say(c, STORE_PROBLEM_MARKER, path,
		          mended ? "its marker cannot be read and was moved to '" STORE_PRIVATE
		                   "/recovered', the item is the provider's again"
		                 : "its marker cannot be read",
		          mended);
		return;
	}
	if (c->repair) {
		store_step();
		mended = disk_removexattr(c->store, fd, RECORD_XATTR) == 0;
	}
	check_say(c, STORE_PROBLEM_RECORD, path,
	          mended ? "its record could not be read and was removed, the item is kept as "
	                   "your own"
	                 : "its record cannot be read",
	          mended);
}

static int check_one(void *context, const char *path, const struct store_item *item)
{
	const struct check *c = context;

	if (item->state == STORE_DAMAGED)
		check_damaged(c, path, &item->st);
	else if (item->unverified)
		check_say(c, STORE_PROBLEM_UNVERIFIED, path,
		          "it was edited, and the machine went down before its content was safe: "
		          "look whether it is whole",
		          false);
	return WALK_ON;
}

int store_check(struct store *s, bool repair, store_report *report, void *context)
{
	struct check c = {.store = s, .repair = repair, .report = report, .context = context};
	int r;

	if (repair && s->readonly)
		return -EROFS;
	r = check_private(&c);
	if (r == 0)
		r = walk_below(s, "", true, check_one, &c);
	if (r == 0)
		r = check_records(&c);
	return r;
}
