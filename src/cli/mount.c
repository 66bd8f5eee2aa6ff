/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/instance.h"
#include "cli/mounts.h"
#include "cli/overlap.h"
#include "cli/provider_load.h"

static const char help[] =
	"Usage: projfs mount [-f] [-o OPT,...] NAME:SOURCE ROOT\n"
	"       projfs mount --list-providers\n"
	"       projfs mount --help-provider NAME\n"
	"\n"
	"Project SOURCE, as the provider NAME understands it, into the directory ROOT.\n"
	"Returns when ROOT is usable, and leaves the instance running.\n"
	"\n"
	"  -f, --foreground       stay, and unmount on SIGINT and SIGTERM\n"
	"  -o OPT,...             options; \"\\,\" is a comma. See --help-provider\n"
	"  --list-providers       the providers that were found\n"
	"  --help-provider NAME   what its SOURCE is, and all options\n"
	"  -h, --help             this text\n"
	"\n"
	"Example: projfs mount dir:/usr/include ~/include\n";

struct arguments {
	bool is_foreground;
	bool list_providers;
	const char *help_provider;
	struct optlist options;
	char *source; /* NAME:REST */
	const char *root;
};

/* ---- providers ------------------------------------------------------------------------------ */

static void print_provider(void *context, const char *name)
{
	const struct prj_provider *provider;
	struct errmsg err;
	int *code = context;

	if (provider_load(name, &provider, &err) < 0)
		*code = cli_fail("%s", err.text);
	else
		printf("%-12s %-8s %s%s\n", name, provider->version ? provider->version : "",
		       provider->description ? provider->description : "",
		       provider->flags & PRJ_PROVIDER_IS_FILTER ? " (filter)" : "");
}

static int list_providers(void)
{
	int code = 0;

	provider_for_each(print_provider, &code);
	return code;
}

static int print_provider_help(const char *name)
{
	const struct prj_provider *provider;
	struct errmsg err;

	if (provider_load(name, &provider, &err) < 0)
		return cli_fail("%s", err.text);
	provider_print_help(provider);
	mount_options_print_help();
	return 0;
}

/* ---- the root ------------------------------------------------------------------------------- */

static int check_mounts(const char *root)
{
	struct mounts mounts;
	const struct mounts_entry *e;
	int code = 0, r = mounts_read(&mounts);

	if (r < 0)
		return cli_fail("cannot read the table of mounts: %s", strerror(-r));
	e = mounts_covering(&mounts, root);
	if (e && strcmp(e->root, root) == 0)
		code = cli_fail("cannot mount on '%s': '%s' is mounted there already; end that "
				"with 'projfs umount'",
				root, e->source);
	else if (e)
		code = cli_fail("cannot mount on '%s': it lies inside the projfs root '%s'; choose "
				"a directory outside of it",
				root, e->root);
	mounts_deinit(&mounts);
	return code;
}

/* An instance that was killed leaves a mount that fails every access. */
static int repair_if_mounted(const char *root)
{
	struct mounts mounts;
	int code = 0;

	if (mounts_read(&mounts) == 0) {
		if (mounts_has_root(&mounts, root))
			code = mount_repair(root);
		mounts_deinit(&mounts);
	}
	return code;
}

static int resolve_root(const char *text, char ret_root[PATH_MAX])
{
	char path[PATH_MAX];
	struct stat st;
	int code, r = path_resolve_root(text, path);

	if (r == 0) {
		code = repair_if_mounted(path);
		if (code == 0)
			code = check_mounts(path);
		if (code != 0)
			return code;
		if (!realpath(path, ret_root) || stat(ret_root, &st) < 0)
			r = -errno;
	}
	if (r == -ENOENT)
		return cli_fail("cannot mount on '%s': there is no such directory; make it first",
				text);
	if (r < 0)
		return cli_fail("cannot mount on '%s': %s", text, strerror(-r));
	if (!S_ISDIR(st.st_mode))
		return cli_fail("cannot mount on '%s': it is no directory; choose an empty one",
				text);
	return 0;
}

/* ---- the plan ------------------------------------------------------------------------------- */

static void chain_deinit(struct provider_chain *chain)
{
	/* the innermost link borrows the values of struct mount_options */
	for (size_t i = 1; i < chain->n_links; i++)
		free((void *)chain->links[i].values);
}

static int add_filter(struct provider_chain *chain, const struct mount_filter *filter)
{
	struct provider_link *link;
	const struct prj_provider *provider;
	struct prj_option_value *values = NULL;
	struct errmsg err;

	if (chain->n_links == PROVIDER_CHAIN_MAX)
		return cli_fail("too many filters: at most %d", PROVIDER_CHAIN_MAX - 1);
	if (provider_load(filter->name, &provider, &err) < 0)
		return cli_fail("%s", err.text);
	if (!(provider->flags & PRJ_PROVIDER_IS_FILTER))
		return cli_fail("'%s' is no filter; mount it as %s:SOURCE", filter->name,
				filter->name);
	if (provider->n_options > 0) {
		values = provider_default_values(provider);
		if (!values)
			return cli_fail("out of memory");
	}
	link = &chain->links[chain->n_links++];
	*link = (struct provider_link){
		.provider = provider, .source = filter->text, .values = values};
	return 0;
}

static int run_chain(const struct arguments *args, struct provider_chain *chain,
		     struct mount_options *options)
{
	struct instance_plan plan = {
		.is_foreground = args->is_foreground,
		.options = options,
		.chain = chain,
	};
	struct daemon_report foreground = {.fd = -1};
	char root[PATH_MAX];
	int code = 0;

	for (size_t i = 0; i < options->n_filters && code == 0; i++)
		code = add_filter(chain, &options->filters[i]);
	if (code == 0)
		code = resolve_root(args->root, root);
	if (code != 0)
		return code;
	plan.root = root;
	return args->is_foreground ? instance_run(&plan, &foreground)
				   : daemon_start(instance_run, &plan);
}

static int mount_source(struct arguments *args)
{
	struct provider_chain chain = {.n_links = 1};
	const struct prj_provider *provider;
	struct mount_options options;
	char *colon = strchr(args->source, ':');
	struct errmsg err = {0};
	int code;

	if (!colon || colon == args->source)
		return cli_usage(
			&command_mount,
			"'%s' names no provider; write NAME:SOURCE, as in dir:/usr/include",
			args->source);
	*colon = '\0';
	if (provider_load(args->source, &provider, &err) < 0)
		return cli_fail("%s", err.text);
	if (provider->flags & PRJ_PROVIDER_IS_FILTER)
		return cli_usage(&command_mount, "'%s' is a filter; use it with -o filter=%s:TEXT",
				 args->source, args->source);
	if (mount_options_parse(&args->options, provider, &options, &err) < 0) {
		(void)cli_fail("%s", err.text);
		return EXIT_USAGE;
	}
	chain.links[0] = (struct provider_link){
		.provider = provider, .source = colon + 1, .values = options.provider_values};
	code = run_chain(args, &chain, &options);
	chain_deinit(&chain);
	mount_options_deinit(&options);
	return code;
}

/* ---- the command line ----------------------------------------------------------------------- */

/* CLI_OPTIONS_END, or the code for cli_options_exit(). */
static int parse_options(int argc, char **argv, struct arguments *args)
{
	static const struct option options[] = {
		{"foreground", no_argument, NULL, 'f'},
		{"list-providers", no_argument, NULL, 'l'},
		{"help-provider", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = cli_options(&command_mount, argc, argv, ":fo:h", options)) >= 0) {
		if (c == 'f') {
			args->is_foreground = true;
		} else if (c == 'l') {
			args->list_providers = true;
		} else if (c == 'p') {
			args->help_provider = optarg;
		} else if (c == 'o') {
			int r = optlist_append(&args->options, optarg);

			if (r < 0) {
				(void)cli_usage(&command_mount, "-o '%s': %s", optarg,
						r == -EINVAL ? "an option has no name"
							     : strerror(-r));
				return CLI_OPTIONS_WRONG;
			}
		}
	}
	return c;
}

static int run(int argc, char **argv)
{
	struct arguments args = {0};
	int code, c = parse_options(argc, argv, &args);

	if (c != CLI_OPTIONS_END) {
		code = cli_options_exit(c);
	} else if (args.list_providers) {
		code = list_providers();
	} else if (args.help_provider) {
		code = print_provider_help(args.help_provider);
	} else if (argc - optind != 2) {
		code = cli_usage(&command_mount, "'mount' wants a source and a root");
	} else {
		args.source = argv[optind];
		args.root = argv[optind + 1];
		code = mount_source(&args);
	}
	optlist_deinit(&args.options);
	return code;
}

const struct command command_mount = {
	.name = "mount",
	.summary = "project a source into a directory",
	.help = help,
	.run = run,
};
