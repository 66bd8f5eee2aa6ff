/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "control/control.h"

#define TIMEOUT_MS (5 * 60 * 1000)

static const char help[] =
	"Usage: projfs sync [ROOT...]\n"
	"\n"
	"Make what the instances of these roots (default: all of this user) keep on the local\n"
	"disk durable.  sync(1) and syncfs(2) on a root do not reach its instance.\n"
	"\n"
	"  -h, --help   this text\n";

static int judge(const char *root, const json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (json_is_true(json_object_get(reply, "ok")))
		return 0;
	return cli_fail("cannot sync '%s': %s", root, error ? error : "no reason was given");
}

static int sync_root(const char *text, json_t *request)
{
	struct errmsg err = {0};
	json_t *reply = NULL;
	char root[PATH_MAX];
	int code, r = path_resolve_root(text, root);

	if (r < 0)
		return cli_fail("cannot sync '%s': %s", text, strerror(-r));
	if (control_call(root, request, TIMEOUT_MS, &reply, &err) < 0)
		return cli_fail("cannot sync '%s': %s", text, err.text);
	code = judge(root, reply);
	json_decref(reply);
	return code;
}

static void judge_each(void *context, json_t *reply)
{
	int *code = context;

	if (judge("an instance of this user", reply) != 0)
		*code = EXIT_FAILED;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	json_t *request;
	int code = 0, c = cli_options(&command_sync, argc, argv, ":h", options);

	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	request = json_pack("{s:s}", "op", "sync");
	if (!request)
		return cli_fail("out of memory");
	if (argc == optind)
		control_call_all(request, TIMEOUT_MS, judge_each, &code);
	for (int i = optind; i < argc; i++)
		if (sync_root(argv[i], request) != 0)
			code = EXIT_FAILED;
	json_decref(request);
	return code;
}

const struct command command_sync = {
	.name = "sync",
	.summary = "make local content durable",
	.help = help,
	.run = run,
};
