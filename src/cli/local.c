/* SPDX-License-Identifier: MIT */
#include "cli/local.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/tombstones.h"
#include "cli/walk.h"

struct state {
	const struct local_walk *walk;
	const struct place *place;
	const char *top;
	bool has_failed;
};

static void failed(void *context, const char *path, int error)
{
	struct state *s = context;

	s->has_failed = true;
	s->walk->failed(s->walk->context, path, strerror(error));
}

/* "a/" "b" is "a/b", as is "a" "b"; "" "b" is "b" */
static char *join(const char *directory, const char *name)
{
	size_t length = strlen(directory);
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", directory,
		     length > 0 && name[0] && directory[length - 1] != '/' ? "/" : "", name) < 0)
		return NULL;
	return path;
}

static int call_for_tombstone(struct state *s, const char *directory, const char *name)
{
	_cleanup_(freep) char *path = join(directory, name);
	const struct prj_item_info info = {
		.struct_size = sizeof(info),
		.state = PRJ_FILE_STATE_TOMBSTONE,
	};

	return path ? s->walk->item(s->walk->context, path, DT_WHT, &info) : -ENOMEM;
}

/* Of a directory of a mounted root; unmounted, a tombstone is found as what it is on disk, a link. */
static int find_tombstones(struct state *s, const char *directory)
{
	const char *below = directory + strlen(s->top);
	_cleanup_(freep) char *relative = NULL;
	struct tombstones tombstones;
	int r;

	if (!s->place->is_mounted || !(s->walk->states & PRJ_FILE_STATE_TOMBSTONE))
		return 0;
	relative = join(s->place->relative, below + strspn(below, "/"));
	if (!relative)
		return -ENOMEM;
	r = tombstones_read(s->place->root, relative, &tombstones);
	if (r < 0) {
		failed(s, directory, -r);
		return 0;
	}
	for (size_t i = 0; i < tombstones.n_names && r == 0; i++)
		r = call_for_tombstone(s, directory, tombstones.names[i]);
	tombstones_deinit(&tombstones);
	return r;
}

static bool is_of_interest(const struct state *s, unsigned char type)
{
	if (s->walk->states != PRJ_FILE_STATE_TOMBSTONE)
		return true;
	return s->place->is_mounted ? type == DT_DIR && s->walk->is_recursive : type == DT_LNK;
}

static int entry(void *context, const char *path, unsigned char type)
{
	struct prj_item_info info = {.struct_size = sizeof(info)};
	struct state *s = context;
	prj_result result;
	int r = 0;

	if (!is_of_interest(s, type))
		return 0;
	result = prj_get_item_info(path, PRJ_ITEM_INFO_LISTED, &info);
	if (PRJ_FAILED(result)) {
		s->walk->failed(s->walk->context, path, cli_why(result));
		return 0;
	}
	if (info.state & PRJ_FILE_STATE_TOMBSTONE)
		type = DT_WHT;
	if (info.state & s->walk->states)
		r = s->walk->item(s->walk->context, path, type, &info);
	if (r != 0 || type != DT_DIR || !s->walk->is_recursive)
		return r;
	return info.state == PRJ_FILE_STATE_VIRTUAL ? WALK_SKIP : find_tombstones(s, path);
}

int local_walk(const struct local_walk *w, const struct place *place, const char *top)
{
	struct state s = {.walk = w, .place = place, .top = top};
	const struct walk walk = {
		.is_recursive = w->is_recursive,
		.one_file_system = true,
		.entry = entry,
		.failed = failed,
		.context = &s,
	};
	int r = find_tombstones(&s, top);

	/* one complaint about the top is enough */
	return r < 0 || s.has_failed ? r : walk_directory(&walk, top);
}
