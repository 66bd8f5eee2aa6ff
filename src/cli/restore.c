/* SPDX-License-Identifier: MIT */

/*
 * Back to the provider's view: by the instance if one runs, else on the disk.  What will be dropped is told from a
 * walk before it goes.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/local.h"
#include "core/ioctl.h"
#include "store/change.h"

#define STATES_LOCAL                                                                               \
	(PRJ_FILE_STATE_HYDRATED_PLACEHOLDER | PRJ_FILE_STATE_DIRTY_PLACEHOLDER |                  \
	 PRJ_FILE_STATE_FULL | PRJ_FILE_STATE_TOMBSTONE)

static const char help[] =
	"Usage: projfs restore [-R] [--dry-run] [--json] PATH...\n"
	"\n"
	"Drop what is local at each PATH: changes, files of your own, deletions and fetched\n"
	"content.  The provider's item, if it has one, shows again.  There is no way back.\n"
	"\n"
	"  -R, --recursive   also directories, with all that is below\n"
	"  -n, --dry-run     only say what would be dropped\n"
	"  --json            one object, see projfs-restore(1)\n"
	"  -h, --help        this text\n";

struct restore {
	bool is_recursive, is_dry_run;
	json_t *paths; /* NULL for text */
	char root[PATH_MAX]; /* whose store is open */
	struct store *store;
	int code;
};

/* What is local at one PATH and below it. */
struct tally {
	struct restore *restore;
	const char *word; /* of the path itself; "?" if it cannot be told */
	bool is_directory, is_virtual;
	uint64_t n_hydrated, n_dirty, n_full, n_tombstones;
	json_t *below; /* NULL if they are not wanted */
};

/* ---- dropping ------------------------------------------------------------------------------- */

static int drop_mounted(const char *root, const char *relative)
{
	_cleanup_(closep) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct core_ioctl_restore argument = {0};

	if (fd < 0)
		return -errno;
	if (strlen(relative) >= sizeof(argument.path))
		return -ENAMETOOLONG;
	(void)strcpy(argument.path, relative);
	return ioctl(fd, CORE_IOCTL_RESTORE, &argument) < 0 ? -errno : 0;
}

static int drop_on_disk(struct restore *r, const char *root, const char *relative,
			struct errmsg *err)
{
	int e;

	if (!r->store || strcmp(r->root, root) != 0) {
		r->store = store_free(r->store);
		e = store_open(root, &r->store, err);
		if (e < 0)
			return e;
		(void)snprintf(r->root, sizeof(r->root), "%s", root);
	}
	return store_restore(r->store, relative);
}

static const char *hint(int error)
{
	return error == -EBUSY     ? "; it is being changed right now: try again"
	       : error == -ENOTDIR ? "; what is above it was deleted or replaced: restore that"
	       : error == -EROFS   ? "; mount it without -o ro"
				   : "";
}

/* 0 also if there was nothing; @ret_found tells. */
static int drop(struct restore *r, const struct place *place, const char *relative,
		const char *path, bool *ret_found)
{
	struct errmsg err = {0};
	int e = place->is_mounted ? drop_mounted(place->root, relative)
				  : drop_on_disk(r, place->root, relative, &err);

	*ret_found = e == 0;
	if (e == 0 || e == -ENOENT)
		return 0;
	if (err.text[0])
		return cli_fail("cannot restore '%s': %s", path, err.text);
	return cli_fail("cannot restore '%s': %s%s", path, strerror(-e), hint(e));
}

/* ---- what there is -------------------------------------------------------------------------- */

static void count(struct tally *t, uint32_t state)
{
	if (state & PRJ_FILE_STATE_TOMBSTONE)
		t->n_tombstones++;
	else if (state & PRJ_FILE_STATE_FULL)
		t->n_full++;
	else if (state & PRJ_FILE_STATE_DIRTY_PLACEHOLDER)
		t->n_dirty++;
	else if (state & PRJ_FILE_STATE_HYDRATED_PLACEHOLDER)
		t->n_hydrated++;
}

static void print_item(const char *word, const char *path)
{
	printf("%-12s ", word);
	cli_print_name(path);
}

static int found_below(void *context, const char *path, unsigned char type,
		       const struct prj_item_info *info)
{
	struct tally *t = context;
	json_t *object;

	count(t, info->state);
	if (!t->restore->is_dry_run)
		return 0;
	if (!t->below) {
		print_item(cli_state_word(info->state), path);
		return putchar('\n') == EOF ? -EIO : 0;
	}
	object = json_object();
	cli_json_set_name(object, "path", path);
	(void)json_object_set_new(object, "state", json_string(cli_state_word(info->state)));
	return json_array_append_new(t->below, object) < 0 ? -ENOMEM : 0;
}

/* It can be dropped without being counted. */
static void cannot_count(void *context, const char *path, const char *why)
{
	cli_note("cannot tell what is local at '%s': %s", path, why);
}

static int count_below(struct tally *t, const struct place *place, const char *path)
{
	const struct local_walk walk = {
		.is_recursive = true,
		.states = STATES_LOCAL,
		.item = found_below,
		.failed = cannot_count,
		.context = t,
	};
	int r = local_walk(&walk, place, path);

	return r < 0 ? cli_fail("cannot restore '%s': %s", path, strerror(-r)) : 0;
}

static bool has_something(const struct tally *t)
{
	return t->n_full + t->n_dirty + t->n_hydrated + t->n_tombstones > 0 || t->word[0] == '?';
}

/* Of the path itself. */
static void look(struct tally *t, const struct place *place)
{
	struct prj_item_info info = {.struct_size = sizeof(info)};
	prj_result result;

	if (!place->relative[0]) {
		t->word = cli_state_word(PRJ_FILE_STATE_PLACEHOLDER);
		t->is_directory = true;
		return;
	}
	result = prj_get_item_info(place->path, 0, &info);
	/* nothing on disk at an unmounted root is "unavailable", and no item at all is as local as a virtual one */
	t->is_virtual = result == PRJ_ERR_FILE_NOT_FOUND || result == PRJ_ERR_PATH_NOT_FOUND ||
			(result == PRJ_ERR_VIRTUALIZATION_UNAVAILABLE && !place->is_mounted);
	t->word = "?";
	if (PRJ_FAILED(result) && !t->is_virtual)
		return;
	t->word = cli_state_word(info.state);
	t->is_virtual = info.state == PRJ_FILE_STATE_VIRTUAL;
	t->is_directory = S_ISDIR(info.mode);
	count(t, info.state);
}

/* ---- a path --------------------------------------------------------------------------------- */

struct root_context {
	struct restore *restore;
	const struct place *place;
	size_t top_length;
	bool has_found;
};

static int drop_below_root(void *context, const char *path, unsigned char type,
			   const struct prj_item_info *info)
{
	struct root_context *c = context;
	const char *name = path + c->top_length;
	bool found = false;

	if (drop(c->restore, c->place, name + strspn(name, "/"), path, &found) != 0)
		c->restore->code = EXIT_FAILED;
	c->has_found |= found;
	return 0;
}

/* What is damaged can be dropped all the same. */
static void drop_untold(void *context, const char *path, const char *why)
{
	struct root_context *c = context;

	if (path[c->top_length])
		(void)drop_below_root(c, path, DT_UNKNOWN, NULL);
	else
		c->restore->code = cli_fail("cannot restore '%s': %s", path, why);
}

/* The root itself stays: what is in it goes, one by one. */
static int drop_all(struct restore *r, const struct place *place, const char *path, bool *ret_found)
{
	struct root_context context = {
		.restore = r,
		.place = place,
		.top_length = strlen(path),
	};
	const struct local_walk walk = {
		.states = STATES_LOCAL | PRJ_FILE_STATE_PLACEHOLDER,
		.item = drop_below_root,
		.failed = drop_untold,
		.context = &context,
	};
	int e = local_walk(&walk, place, path);

	*ret_found = context.has_found;
	return e < 0 ? cli_fail("cannot restore '%s': %s", path, strerror(-e)) : 0;
}

static void print_count(uint64_t n, const char *word, const char **separator)
{
	if (n == 0)
		return;
	printf("%s%" PRIu64 " %s", *separator, n, word);
	*separator = ", ";
}

static void print_tally(const struct tally *t, const char *path)
{
	const char *separator = "  (";

	print_item(t->word, path);
	if (t->is_directory) {
		print_count(t->n_full, "full", &separator);
		print_count(t->n_dirty, "dirty", &separator);
		print_count(t->n_hydrated, "hydrated", &separator);
		print_count(t->n_tombstones, "deleted", &separator);
		if (separator[0] == ',')
			(void)putchar(')');
	}
	(void)putchar('\n');
}

static void report(struct restore *r, struct tally *t, const char *path, bool found, int code)
{
	json_t *object, *numbers;

	if (r->paths) {
		object = json_object();
		cli_json_set_name(object, "path", path);
		numbers = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I}", "state", t->word,
				    "restored", found && !r->is_dry_run, "failed", code != 0,
				    "full", (json_int_t)t->n_full, "dirty", (json_int_t)t->n_dirty,
				    "hydrated", (json_int_t)t->n_hydrated, "tombstones",
				    (json_int_t)t->n_tombstones);
		(void)json_object_update_new(object, numbers);
		if (t->below)
			(void)json_object_set(object, "below", t->below);
		if (json_array_append_new(r->paths, object) < 0)
			r->code = cli_fail("out of memory");
	} else if (found) {
		print_tally(t, path);
	} else if (code == 0) {
		cli_note("nothing local at '%s'", path);
	}
}

static int restore_at(struct restore *r, struct tally *t, const struct place *place,
		      const char *path, bool *ret_found)
{
	int code = 0;

	look(t, place);
	if (t->is_directory && !t->is_virtual) {
		if (!r->is_recursive)
			return cli_fail("cannot restore '%s': it is a directory; all that is local "
					"below it goes with -R",
					path);
		code = count_below(t, place, path);
	}
	if (code != 0)
		return code;
	if (r->is_dry_run)
		*ret_found = has_something(t);
	else if (!place->relative[0])
		code = drop_all(r, place, path, ret_found);
	else
		code = drop(r, place, place->relative, path, ret_found);
	return code;
}

static void restore_path(struct restore *r, const char *path)
{
	struct tally t = {.restore = r};
	bool found = false;
	struct place place;
	int code = place_find_for("restore", path, &place);

	if (code == 0) {
		if (r->paths && r->is_dry_run)
			t.below = json_array();
		code = restore_at(r, &t, &place, path, &found);
		report(r, &t, path, found, code);
		json_decref(t.below);
	}
	if (code != 0)
		r->code = code;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"recursive", no_argument, NULL, 'R'},
		{"dry-run", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct restore r = {0};
	bool as_json = false;
	int c;

	while ((c = cli_options(&command_restore, argc, argv, ":Rnh", options)) >= 0) {
		r.is_recursive |= c == 'R';
		r.is_dry_run |= c == 'n';
		as_json |= c == 'j';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc == optind)
		return cli_usage(&command_restore, "'restore' wants a path");
	if (as_json)
		r.paths = json_array();
	for (int i = optind; i < argc; i++)
		restore_path(&r, argv[i]);
	store_free(r.store);
	if (as_json &&
	    cli_print_json(json_pack("{s:b, s:o}", "dry_run", r.is_dry_run, "paths", r.paths)) != 0)
		r.code = EXIT_FAILED;
	return r.code;
}

const struct command command_restore = {
	.name = "restore",
	.summary = "drop local changes and deletions",
	.help = help,
	.run = run,
};
