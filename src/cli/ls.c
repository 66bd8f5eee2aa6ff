/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/item_json.h"
#include "cli/local.h"
#include "cli/walk.h"

static const char help[] =
	"Usage: projfs ls [--json] [-R] [--state] [--tombstones] DIR\n"
	"\n"
	"List a directory of a root, mounted or not.  The listing changes no state.\n"
	"\n"
	"  -s, --state        the state of each item first\n"
	"  -t, --tombstones   the names that were deleted in it, and nothing else\n"
	"  -R, --recursive    what lies below, too, with paths relative to DIR\n"
	"  --json             one object: {\"path\": DIR, \"entries\": [...]}, see projfs-ls(1)\n"
	"  -h, --help         this text\n";

struct ls {
	const char *top;
	bool with_state;
	json_t *entries; /* NULL for text */
	int code;
};

static const char *type_word(unsigned char type)
{
	return type == DT_DIR   ? "directory"
	       : type == DT_LNK ? "symlink"
	       : type == DT_REG ? "file"
	       : type == DT_WHT ? "tombstone"
				: "other";
}

static int add_entry(struct ls *ls, const char *name, unsigned char type,
		     const struct prj_item_info *info)
{
	json_t *object = json_object();

	cli_json_set_name(object, "name", name);
	(void)json_object_set_new(object, "type", json_string(type_word(type)));
	if (info)
		item_json_add(object, info);
	return json_array_append_new(ls->entries, object) < 0 ? -ENOMEM : 0;
}

/* @info: NULL without --state, or if the state could not be told. */
static int print_entry(struct ls *ls, const char *path, unsigned char type,
		       const struct prj_item_info *info)
{
	const char *name = path + strlen(ls->top);

	name += strspn(name, "/");
	if (ls->entries)
		return add_entry(ls, name, type, info);
	if (ls->with_state)
		printf("%-12s ", info ? cli_state_word(info->state) : "?");
	cli_print_name(name);
	return putchar('\n') == EOF ? -EIO : 0;
}

static int show_entry(void *context, const char *path, unsigned char type)
{
	struct prj_item_info info = {.struct_size = sizeof(info)};
	struct ls *ls = context;
	bool has_info = false;

	if (ls->with_state) {
		prj_result result = prj_get_item_info(path, PRJ_ITEM_INFO_LISTED, &info);

		has_info = PRJ_SUCCEEDED(result);
		if (!has_info)
			ls->code = cli_fail("cannot tell the state of '%s': %s", path,
					    cli_why(result));
	}
	return print_entry(ls, path, type, has_info ? &info : NULL);
}

static int show_tombstone(void *context, const char *path, unsigned char type,
			  const struct prj_item_info *info)
{
	struct ls *ls = context;

	return print_entry(ls, path, type, ls->with_state ? info : NULL);
}

static void say_unreadable(void *context, const char *path, int error)
{
	struct ls *ls = context;

	ls->code = cli_fail("cannot list '%s': %s%s", path, strerror(error),
			    error == ENOTCONN ? "; its instance is gone, see 'projfs status'" : "");
}

static void say_untold(void *context, const char *path, const char *why)
{
	struct ls *ls = context;

	ls->code = cli_fail("cannot list what was deleted in '%s': %s", path, why);
}

static int list_entries(struct ls *ls, bool is_recursive)
{
	const struct walk walk = {
		.is_recursive = is_recursive,
		.entry = show_entry,
		.failed = say_unreadable,
		.context = ls,
	};

	return walk_directory(&walk, ls->top);
}

/* As in all of ls a link to the directory is followed. */
static int find_directory(const char *path, struct place *ret)
{
	_cleanup_(freep) char *resolved = NULL;

	if (place_find(path, ret) == -ENXIO)
		resolved = realpath(path, NULL);
	return place_find_for("list what was deleted in", resolved ? resolved : path, ret);
}

static int list_tombstones(struct ls *ls, bool is_recursive)
{
	const struct local_walk walk = {
		.is_recursive = is_recursive,
		.states = PRJ_FILE_STATE_TOMBSTONE,
		.item = show_tombstone,
		.failed = say_untold,
		.context = ls,
	};
	struct place place;

	ls->code = find_directory(ls->top, &place);
	return ls->code == 0 ? local_walk(&walk, &place, ls->top) : 0;
}

static int list(struct ls *ls, bool is_recursive, bool tombstones, bool as_json)
{
	json_t *object = NULL;
	int r;

	if (as_json) {
		object = json_object();
		cli_json_set_name(object, "path", ls->top);
		ls->entries = json_array();
		(void)json_object_set_new(object, "entries", ls->entries);
	}
	r = tombstones ? list_tombstones(ls, is_recursive) : list_entries(ls, is_recursive);
	if (r < 0)
		ls->code = cli_fail("cannot print the listing of '%s': %s", ls->top, strerror(-r));
	if (as_json && cli_print_json(object) != 0)
		ls->code = EXIT_FAILED;
	return ls->code;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"recursive", no_argument, NULL, 'R'},
		{"state", no_argument, NULL, 's'},
		{"tombstones", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool as_json = false, is_recursive = false, tombstones = false;
	struct ls ls = {0};
	int c;

	while ((c = cli_options(&command_ls, argc, argv, ":Rsth", options)) >= 0) {
		as_json |= c == 'j';
		is_recursive |= c == 'R';
		ls.with_state |= c == 's';
		tombstones |= c == 't';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind != 1)
		return cli_usage(&command_ls, "'ls' wants one directory");
	ls.top = argv[optind];
	return list(&ls, is_recursive, tombstones, as_json);
}

const struct command command_ls = {
	.name = "ls",
	.summary = "list a directory, with states",
	.help = help,
	.run = run,
};
