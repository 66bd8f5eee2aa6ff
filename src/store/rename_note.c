/* SPDX-License-Identifier: MIT */
/* The note of a rename that takes several steps, its last step, and its replay. */
#include "store/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/intent.h"
#include "util/name.h"

/* ---- the note ---------------------------------------------------------------------------------- */

static void append_text(struct buf *b, const char *text)
{
	buf_append_varint(b, strlen(text));
	buf_append(b, text, strlen(text));
}

int plan_note(struct store *s, const struct plan *plan, const struct end *from,
              const struct end *to, uint64_t *ret_intent)
{
	_cleanup_(buf_deinit) struct buf b = {0};

	buf_append_u8(&b, (uint8_t)plan->flags);
	buf_append_u64(&b, plan->moved);
	buf_append_u64(&b, plan->replaced);
	append_text(&b, plan->aside);
	append_text(&b, from->path);
	append_text(&b, to->path);
	if (b.failed)
		return -ENOMEM;
	return intent_begin(s, INTENT_RENAME, b.data, b.size, ret_intent);
}

/* At most @size bytes with the NUL. */
static bool read_text(struct cursor *c, char *ret, size_t size)
{
	uint64_t n = cursor_varint(c);
	const uint8_t *text = n < size ? cursor_bytes(c, (size_t)n) : NULL;

	if (!text || memchr(text, '\0', (size_t)n))
		return false;
	memcpy(ret, text, (size_t)n);
	ret[n] = '\0';
	return true;
}

static bool read_note(struct cursor *c, struct plan *plan, char from[PATH_MAX_BYTES + 1],
                      char to[PATH_MAX_BYTES + 1])
{
	plan->flags = cursor_u8(c);
	plan->moved = cursor_u64(c);
	plan->replaced = cursor_u64(c);
	return read_text(c, plan->aside, sizeof(plan->aside)) &&
	       read_text(c, from, PATH_MAX_BYTES + 1) && read_text(c, to, PATH_MAX_BYTES + 1) &&
	       !c->failed && c->size == 0 && path_is_valid(from) && path_is_valid(to) &&
	       (!*plan->aside || name_is_valid(plan->aside, strlen(plan->aside)));
}

/* ---- both ends --------------------------------------------------------------------------------- */

void end_deinit(struct end *end)
{
	closep(&end->dir);
}

int end_look(struct end *end)
{
	end->there = fstatat(end->dir, end->name, &end->st, AT_SYMLINK_NOFOLLOW) == 0;
	return end->there || errno == ENOENT ? 0 : -errno;
}

int end_find(struct store *s, const char *path, struct end *ret)
{
	int r = disk_check(path);

	if (r == 0 && !*path)
		r = -EINVAL;
	if (r < 0)
		return r;
	ret->path = path;
	ret->dir = disk_open_parent(s, path, &ret->name);
	return ret->dir < 0 ? ret->dir : end_look(ret);
}

/* ---- the old name afterwards --------------------------------------------------------------------- */

static int take_away(struct store *s, const struct end *from, bool tombstone)
{
	bool is_dir = S_ISDIR(from->st.st_mode);
	uint64_t ref = is_dir ? 0 : clean_reference(s, from->dir, from->name, &from->st);
	int r;

	if (tombstone) {
		r = tombstone_replace(s, from->path, from->dir, from->name, is_dir);
	} else if (is_dir) {
		r = clean_move(s, from->dir, from->name);
	} else {
		store_step();
		r = unlinkat(from->dir, from->name, 0) < 0 ? -errno : 0;
	}
	if (r == 0)
		recordref_remove(s, ref);
	return r;
}

/* What has moved is at its new name. */
int plan_settle(struct store *s, const struct plan *plan, struct end *from)
{
	bool tombstone = plan->flags & STORE_RENAME_TOMBSTONE;
	int r = end_look(from);

	if (r < 0)
		return r;
	if (!from->there)
		return tombstone ? tombstone_write(from->dir, from->name) : 0;
	if (from->st.st_ino != plan->replaced || (tombstone && tombstone_is(from->dir, from->name)))
		return 0;
	return take_away(s, from, tombstone);
}

/* ---- replay -------------------------------------------------------------------------------------------- */

/* Bring what is aside, if it is, to @end, if nothing is there. */
static int bring_back(struct store *s, const struct plan *plan, const struct end *end)
{
	_cleanup_(closep) int tmp = -1;
	int r;

	if (!*plan->aside || end->there)
		return 0;
	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	store_step();
	r = disk_move(s, tmp, plan->aside, end->dir, end->name, 0);
	return r == -ENOENT ? 0 : r;
}

int rename_replay(struct store *s, const void *payload, size_t size)
{
	struct cursor c = {.data = payload, .size = size};
	_cleanup_(end_deinit) struct end from = {.dir = -1};
	_cleanup_(end_deinit) struct end to = {.dir = -1};
	char from_path[PATH_MAX_BYTES + 1];
	char to_path[PATH_MAX_BYTES + 1];
	struct plan plan;
	int r;

	if (!read_note(&c, &plan, from_path, to_path))
		return 0; /* not written by us: there is nothing to finish */
	r = end_find(s, from_path, &from);
	if (r == 0)
		r = end_find(s, to_path, &to);
	if (r < 0)
		return disk_is_gone(r) || r == -EPERM || r == -EINVAL ? 0 : r;
	if (!to.there || to.st.st_ino != plan.moved)
		return bring_back(s, &plan, &to);
	if (plan.flags & STORE_RENAME_EXCHANGE)
		return bring_back(s, &plan, &from);
	return plan_settle(s, &plan, &from);
}
