/* SPDX-License-Identifier: MIT */

/*
 * The disk underneath a root, which its mount hides: so nothing may be mounted there.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "store/change.h"

static const char help[] =
	"Usage: projfs fsck [--repair] [--json] ROOT\n"
	"\n"
	"Check what ROOT keeps on the local disk.  It must not be mounted.\n"
	"\n"
	"  -r, --repair   mend what can be mended\n"
	"  --json         one object, see projfs-fsck(1)\n"
	"  -h, --help     this text\n"
	"\n"
	"Exit codes: 0 nothing wrong, or all of it mended; 1 problems are left, or it cannot\n"
	"be checked; 2 wrong usage.\n";

/* Indexed by enum store_problem. */
static const struct {
	const char *word; /* for --json */
	const char *todo;
} problems[] = {
	[STORE_PROBLEM_RECORD] = {"record", "--repair keeps the content as a file of your own"},
	[STORE_PROBLEM_MARKER] = {"marker", "--repair sets it aside in .projfs/recovered, and the "
					    "provider's item shows again"},
	[STORE_PROBLEM_NEWER] = {"newer", "use the version of projfs that wrote it"},
	[STORE_PROBLEM_UNVERIFIED] = {"unverified", "compare it with a copy that you trust, or let "
						    "'projfs restore' drop it"},
	[STORE_PROBLEM_INTENT] = {"intent", "--repair removes it"},
	[STORE_PROBLEM_ORPHAN] = {"orphan", "--repair removes it"},
	[STORE_PROBLEM_RECOVERED] = {"recovered", "take from it what you need, and remove it"},
	[STORE_PROBLEM_PRIVATE] = {"private", "--repair mends it if it can be mended"},
};

struct fsck {
	bool repair;
	json_t *problems; /* NULL for text */
	uint64_t n_problems, n_repaired, n_set_aside;
};

static void add_problem(struct fsck *f, const char *word, const char *path, const char *what,
			bool repaired)
{
	json_t *object = json_pack("{s:s, s:b}", "problem", word, "repaired", repaired);

	cli_json_set_name(object, "path", path);
	cli_json_set_name(object, "what", what);
	(void)json_array_append_new(f->problems, object);
}

static void report(void *context, enum store_problem problem, const char *path, const char *what,
		   bool repaired)
{
	struct fsck *f = context;
	const char *word = problem < ARRAY_SIZE(problems) ? problems[problem].word : "?";
	const char *todo = problem < ARRAY_SIZE(problems) ? problems[problem].todo : "";

	/* the outcome of something that was dealt with: nothing is wrong with the root */
	if (problem == STORE_PROBLEM_RECOVERED)
		f->n_set_aside++;
	else
		f->n_problems++;
	f->n_repaired += repaired;
	if (f->problems) {
		add_problem(f, word, path, what, repaired);
		return;
	}
	cli_print_name(path[0] ? path : ".");
	printf(": ");
	cli_print_name(what);
	if (repaired)
		printf("; repaired\n");
	else if (f->repair && strncmp(todo, "--repair", strlen("--repair")) == 0)
		printf("; it could not be repaired\n");
	else
		printf("; %s\n", todo);
}

static void print_summary(const struct fsck *f, const char *root)
{
	cli_print_name(root);
	if (f->n_problems == 0)
		printf(": nothing is wrong");
	else
		printf(": %" PRIu64 " problem%s, %" PRIu64 " repaired", f->n_problems,
		       f->n_problems == 1 ? "" : "s", f->n_repaired);
	if (f->n_set_aside > 0)
		printf("; something was set aside for you");
	(void)putchar('\n');
}

static int conclude(const struct fsck *f, const char *root)
{
	int code = f->n_problems > f->n_repaired ? EXIT_FAILED : 0;
	json_t *object;

	if (!f->problems) {
		print_summary(f, root);
		return code;
	}
	object = json_object();
	cli_json_set_name(object, "root", root);
	(void)json_object_update_new(
		object, json_pack("{s:b, s:I, s:I, s:O}", "repair", f->repair, "n_problems",
				  (json_int_t)f->n_problems, "n_repaired",
				  (json_int_t)f->n_repaired, "problems", f->problems));
	return cli_print_json(object) == 0 ? code : EXIT_FAILED;
}

static int refuse_mounted(const char *root)
{
	struct mounts mounts;
	bool is_mounted;
	int r = mounts_read(&mounts);

	if (r < 0)
		return cli_fail("cannot read the table of mounts: %s", strerror(-r));
	is_mounted = mounts_has_root(&mounts, root);
	mounts_deinit(&mounts);
	if (!is_mounted)
		return 0;
	if (mount_is_dead(root))
		return mount_repair(root);
	return cli_fail("cannot check '%s': it is mounted, which hides the disk underneath; run "
			"'projfs umount %s' first",
			root, root);
}

/* Nothing can be opened while our own folder keeps its owner out. */
static void unlock_private(struct fsck *f, const char *root)
{
	char path[PATH_MAX];
	struct stat st;

	if (!f->repair || snprintf(path, sizeof(path), "%s/" STORE_PRIVATE, root) >= PATH_MAX)
		return;
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 0700) == 0700)
		return;
	if (chmod(path, 0700) == 0)
		report(f, STORE_PROBLEM_PRIVATE, STORE_PRIVATE,
		       "its mode kept even its owner out: 0700 again", true);
}

static int check(struct fsck *f, const char *root)
{
	struct errmsg err = {0};
	struct store *store;
	int r;

	unlock_private(f, root);
	r = f->repair ? store_open(root, &store, &err) : store_open_readonly(root, &store, &err);

	if (r < 0)
		return err.text[0] ? cli_fail("%s", err.text)
				   : cli_fail("cannot check '%s': %s", root, strerror(-r));
	r = store_check(store, f->repair, report, f);
	store_free(store);
	if (r < 0)
		return cli_fail("cannot check all of '%s': %s", root, strerror(-r));
	return conclude(f, root);
}

static int check_root(struct fsck *f, const char *text)
{
	char root[PATH_MAX];
	int code, r = path_resolve_root(text, root);

	if (r < 0)
		return cli_fail("cannot check '%s': %s", text, strerror(-r));
	code = refuse_mounted(root);
	return code ? code : check(f, root);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"repair", no_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct fsck f = {0};
	bool as_json = false;
	int c, code;

	while ((c = cli_options(&command_fsck, argc, argv, ":rh", options)) >= 0) {
		f.repair |= c == 'r';
		as_json |= c == 'j';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind != 1)
		return cli_usage(&command_fsck, "'fsck' wants one root");
	if (as_json)
		f.problems = json_array();
	code = check_root(&f, argv[optind]);
	json_decref(f.problems);
	return code;
}

const struct command command_fsck = {
	.name = "fsck",
	.summary = "check what a root keeps on the disk",
	.help = help,
	.run = run,
};
