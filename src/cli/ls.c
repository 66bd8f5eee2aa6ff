/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/item_json.h"
#include "cli/walk.h"

static const char help[] =
	"Usage: projfs ls [--json] [-R] [--state] DIR\n"
	"\n"
	"List a directory of a root, mounted or not.  The listing changes no state.\n"
	"\n"
	"  -s, --state        the state of each item first\n"
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

static int show_entry(void *context, const char *path, unsigned char type)
{
	struct prj_item_info info = {.struct_size = sizeof(info)};
	struct ls *ls = context;
	const char *name = path + strlen(ls->top);
	bool has_info = false;

	name += strspn(name, "/");
	if (ls->with_state) {
		prj_result result = prj_get_item_info(path, PRJ_ITEM_INFO_LISTED, &info);

		has_info = PRJ_SUCCEEDED(result);
		if (!has_info)
			ls->code = cli_fail("cannot tell the state of '%s': %s", path,
					    cli_why(result));
	}
	if (ls->entries)
		return add_entry(ls, name, type, has_info ? &info : NULL);
	if (ls->with_state)
		printf("%-12s ", has_info ? cli_state_word(info.state) : "?");
	cli_print_name(name);
	return putchar('\n') == EOF ? -EIO : 0;
}

static void say_unreadable(void *context, const char *path, int error)
{
	struct ls *ls = context;

	ls->code = cli_fail("cannot list '%s': %s%s", path, strerror(error),
			    error == ENOTCONN ? "; its instance is gone, see 'projfs status'" : "");
}

static int list(const char *path, bool is_recursive, bool with_state, bool as_json)
{
	struct ls ls = {.top = path, .with_state = with_state};
	struct walk walk = {
		.is_recursive = is_recursive,
		.entry = show_entry,
		.failed = say_unreadable,
		.context = &ls,
	};
	json_t *object = NULL;
	int r;

	if (as_json) {
		object = json_object();
		cli_json_set_name(object, "path", path);
		ls.entries = json_array();
		(void)json_object_set_new(object, "entries", ls.entries);
	}
	r = walk_directory(&walk, path);
	if (r < 0)
		ls.code = cli_fail("cannot print the listing of '%s': %s", path, strerror(-r));
	if (as_json && cli_print_json(object) != 0)
		ls.code = EXIT_FAILED;
	return ls.code;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"recursive", no_argument, NULL, 'R'},
		{"state", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool as_json = false, is_recursive = false, with_state = false;
	int c;

	while ((c = cli_options(&command_ls, argc, argv, ":Rsh", options)) >= 0) {
		as_json |= c == 'j';
		is_recursive |= c == 'R';
		with_state |= c == 's';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind != 1)
		return cli_usage(&command_ls, "'ls' wants one directory");
	return list(argv[optind], is_recursive, with_state, as_json);
}

const struct command command_ls = {
	.name = "ls",
	.summary = "list a directory, with states",
	.help = help,
	.run = run,
};
