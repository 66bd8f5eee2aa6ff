/* SPDX-License-Identifier: MIT */
/*
 * Renaming, so that a crash shows it done or not begun.
 *
 * Most renames are one system call.  A directory cannot take the place of a marker, or of a directory that
 * holds tombstones: they change places, and what has come to the old name is taken away.  That, and a
 * tombstone at the old name, are noted first; the note tells by inode numbers how far it got:
 * is what was to move at its new name?  Then the old one is settled, else nothing has happened.
 *
 * Disks without RENAME_EXCHANGE put what is replaced aside in .projfs/tmp for the moment.
 */
#include "store/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/intent.h"
#include "util/log.h"

/* ---- the ways to do it ----------------------------------------------------------------------------- */

/* One system call for everything. */
static int move_at_once(struct store *s, struct end *from, const struct end *to, unsigned flags)
{
	uint64_t ref = flags || !to->there ? 0 : clean_reference(s, to->dir, to->name, &to->st);
	int r;

	store_step();
	r = disk_move(s, from->dir, from->name, to->dir, to->name, flags);
	if (r == 0)
		recordref_remove(s, ref);
	return r;
}

/* The note stays for the next start. */
static int leave(const struct end *from, const struct end *to, int error)
{
	log_warning("'%s' was renamed to '%s', but the old name cannot be settled: %s, "
	            "the next start does it",
	            from->path, to->path, strerror(-error));
	return 0;
}

/* The old name could not be settled: as before, if that is still possible. */
static int give_up(struct store *s, const struct end *from, const struct end *to, unsigned flags,
                   uint64_t intent, int error)
{
	if (flags || !to->there) {
		store_step();
		if (disk_move(s, to->dir, to->name, from->dir, from->name, flags) == 0) {
			(void)intent_end(s, intent);
			return error;
		}
	}
	return leave(from, to, error);
}

static int move_noted(struct store *s, struct end *from, const struct end *to,
                      const struct plan *plan)
{
	unsigned flags = plan->replaced ? RENAME_EXCHANGE : 0;
	uint64_t intent;
	int r = plan_note(s, plan, from, to, &intent);

	if (r < 0)
		return r;
	r = move_at_once(s, from, to, flags);
	if (r == 0) {
		r = plan_settle(s, plan, from);
		if (r < 0)
			return give_up(s, from, to, flags, intent, r);
	}
	(void)intent_end(s, intent);
	return r;
}

/* What is at @to goes aside, and @from takes its place. */
static int move_by_aside(struct store *s, const struct end *from, const struct end *to, int tmp,
                         const char *aside)
{
	int r;

	store_step();
	r = disk_move(s, to->dir, to->name, tmp, aside, 0);
	if (r < 0)
		return r;
	store_step();
	r = disk_move(s, from->dir, from->name, to->dir, to->name, 0);
	if (r < 0) {
		store_step();
		(void)disk_move(s, tmp, aside, to->dir, to->name, 0);
	}
	return r;
}

/* What is aside goes where it belongs. */
static int finish_aside(struct store *s, struct end *from, int tmp, const struct plan *plan)
{
	int r;

	if (plan->flags & STORE_RENAME_EXCHANGE) {
		store_step();
		return disk_move(s, tmp, plan->aside, from->dir, from->name, 0);
	}
	r = plan_settle(s, plan, from);
	if (r == 0)
		(void)clean_move(s, tmp, plan->aside);
	return r;
}

/* For disks without RENAME_EXCHANGE. */
static int move_in_steps(struct store *s, struct end *from, const struct end *to, unsigned flags)
{
	struct plan plan = {.flags = flags, .moved = from->st.st_ino};
	_cleanup_(closep) int tmp = -1;
	uint64_t intent;
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, plan.aside);
	r = plan_note(s, &plan, from, to, &intent);
	if (r < 0)
		return r;
	r = move_by_aside(s, from, to, tmp, plan.aside);
	if (r == 0) {
		int late = finish_aside(s, from, tmp, &plan);

		if (late < 0)
			return leave(from, to, late);
	}
	(void)intent_end(s, intent);
	return r;
}

/* ---- which one --------------------------------------------------------------------------------------- */

/* May @from replace @to?  Positive: they have to change places for it. */
static int check_replace(struct store *s, const struct end *from, const struct end *to)
{
	struct dir_content content;
	int r;

	if (!to->there)
		return 0;
	if (!S_ISDIR(from->st.st_mode))
		return S_ISDIR(to->st.st_mode) ? -EISDIR : 0;
	if (!S_ISDIR(to->st.st_mode))
		return marker_lies_at(to->dir, to->name) ? 1 : -ENOTDIR;
	r = remove_look(s, to->path, &content);
	if (r < 0)
		return r;
	return content.others ? -ENOTEMPTY : content.tombstones;
}

static int replace(struct store *s, struct end *from, const struct end *to, unsigned flags,
                   bool swap)
{
	struct plan plan = {.flags = flags, .moved = from->st.st_ino};
	bool tombstone = flags & STORE_RENAME_TOMBSTONE;
	int r;

	/* A tombstone on the other side is just what is wanted here. */
	if (tombstone && to->there && !s->no_exchange && tombstone_is(to->dir, to->name))
		return move_at_once(s, from, to, RENAME_EXCHANGE);
	if (!swap && !tombstone)
		return move_at_once(s, from, to, 0);
	if (swap)
		plan.replaced = to->st.st_ino;
	r = move_noted(s, from, to, &plan);
	return r == -EINVAL && swap ? move_in_steps(s, from, to, flags) : r;
}

static int exchange(struct store *s, struct end *from, const struct end *to)
{
	int r = move_at_once(s, from, to, RENAME_EXCHANGE);

	return r == -EINVAL ? move_in_steps(s, from, to, STORE_RENAME_EXCHANGE) : r;
}

static int check_exchange(const struct end *to)
{
	return !to->there || tombstone_is(to->dir, to->name) ? -ENOENT : 0;
}

/* ---- before anything moves -------------------------------------------------------------------------- */

/* Directories with a record that leave their place: from now on that is looked for. */
static int note_moved(struct store *s, const struct end *end)
{
	struct store_item item = {0};
	enum store_state state;
	int r;

	r = item_peek(s, end->path, &item);
	if (r < 0)
		return r;
	state = item.state;
	store_item_deinit(&item);
	return state == STORE_DIRECTORY ? moved_note(s) : 0;
}

/* Write @marker anew, where it lies, for the place of @where. */
static int write_rebound(struct store *s, const struct end *marker, const struct end *where,
                         const struct record *rec)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	_cleanup_(closep) int tmp = -1;
	uint64_t former = clean_reference(s, marker->dir, marker->name, &marker->st);
	char temporary[PRIVATE_NAME_SIZE];
	uint64_t ref = 0;
	int r;

	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	r = marker_target(s, where->dir, where->name, rec, &target, &ref);
	if (r < 0)
		return r;
	private_name(s, temporary);
	store_step();
	r = symlinkat((const char *)target.data, tmp, temporary) < 0 ? -errno : 0;
	if (r == 0) {
		store_step();
		r = disk_move(s, tmp, temporary, marker->dir, marker->name, 0);
		if (r < 0)
			(void)unlinkat(tmp, temporary, 0);
	}
	recordref_remove(s, r < 0 ? ref : former);
	return r;
}

static bool is_bound_to(const struct store *s, const struct record *rec, const struct end *where)
{
	struct stat dir;

	return rec->fields & RECORD_BINDING && fstat(where->dir, &dir) == 0 &&
	       rec->binding == binding_of_marker(s, &dir, where->name);
}

/* A marker is bound to its place.  One that is about to move gets the new one first: if it comes to nothing,
 * all it lost is the identity. */
static int rebind(struct store *s, struct end *end, const struct end *where)
{
	struct store_item item = {0};
	struct record rec;
	int r;

	if (!S_ISLNK(end->st.st_mode) || !marker_lies_at(end->dir, end->name))
		return 0;
	r = item_peek(s, end->path, &item);
	if (r < 0)
		return r;
	if (item.state == STORE_PLACEHOLDER) {
		r = record_decode(item.rec.data, item.rec.size, &rec);
		if (r == 0 && !is_bound_to(s, &rec, where))
			r = write_rebound(s, end, where, &rec);
		if (r == 0)
			r = end_look(end);
	}
	store_item_deinit(&item);
	return r;
}

/* @end is about to move to @where. */
static int prepare(struct store *s, struct end *end, const struct end *where)
{
	return S_ISDIR(end->st.st_mode) ? note_moved(s, end) : rebind(s, end, where);
}

static bool lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static int rename_ends(struct store *s, struct end *from, struct end *to, unsigned flags)
{
	bool exchanged = flags & STORE_RENAME_EXCHANGE;
	int swap = exchanged ? check_exchange(to) : check_replace(s, from, to);
	int r;

	if (swap < 0)
		return swap;
	r = prepare(s, from, to);
	if (r == 0 && exchanged)
		r = prepare(s, to, from);
	if (r == 0)
		r = exchanged ? exchange(s, from, to) : replace(s, from, to, flags, swap);
	if (r < 0) {
		(void)prepare(s, from, from);
		if (exchanged)
			(void)prepare(s, to, to);
	}
	return r;
}

int store_rename(struct store *s, const char *from_path, const char *to_path, unsigned flags)
{
	_cleanup_(end_deinit) struct end from = {.dir = -1};
	_cleanup_(end_deinit) struct end to = {.dir = -1};
	int r;

	if (s->readonly)
		return -EROFS;
	if (lies_in(to_path, from_path) ||
	    (flags & STORE_RENAME_EXCHANGE && lies_in(from_path, to_path)))
		return -EINVAL;
	r = end_find(s, from_path, &from);
	if (r == 0)
		r = end_find(s, to_path, &to);
	if (r < 0)
		return r;
	if (!from.there || tombstone_is(from.dir, from.name))
		return -ENOENT;
	if (to.there && to.st.st_ino == from.st.st_ino && to.st.st_dev == from.st.st_dev)
		return 0; /* two names of one file: nothing happens, as for rename() */
	return rename_ends(s, &from, &to, flags);
}
