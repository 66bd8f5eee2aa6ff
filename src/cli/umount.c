/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "control/control.h"

#define ASK_TIMEOUT_MS 5000
#define GONE_TIMEOUT_MS 15000

static const char help[] =
	"Usage: projfs umount [--lazy] [--quiet] ROOT\n"
	"\n"
	"End the instance of ROOT and unmount it.  What is local stays, as plain files.\n"
	"\n"
	"  -l, --lazy    do not ask the instance: detach at once, whatever is open\n"
	"  -q, --quiet   do not say what that means\n"
	"  -h, --help    this text\n";

/* 0 when the instance has gone by itself; negative when somebody else must unmount. */
static int ask_instance(const char *root)
{
	json_t *request = json_pack("{s:s}", "op", "stop"), *reply = NULL;
	int r;

	if (!request)
		return -ENOMEM;
	r = control_call(root, request, ASK_TIMEOUT_MS, &reply, NULL);
	json_decref(request);
	if (r < 0)
		return r;
	r = json_is_true(json_object_get(reply, "ok")) ? 0 : -EIO;
	json_decref(reply);
	return r < 0 ? r : mount_wait_gone(root, GONE_TIMEOUT_MS);
}

/* From outside: without --lazy first the way that refuses when something is open, to be able to say so. */
static int unmount(const char *root, bool lazy, bool *ret_was_busy)
{
	prj_result result = prj_unmount_root(root, lazy);

	if (result == PRJ_ERR_SHARING_VIOLATION && !lazy) {
		*ret_was_busy = true;
		result = prj_unmount_root(root, 1);
	}
	/* the instance was told, and is done with it now */
	if (result == PRJ_ERR_INVALID_PARAMETER && mount_wait_gone(root, 0) == 0)
		return 0;
	if (PRJ_FAILED(result))
		return cli_fail("%s", cli_sentence("unmount", root, result));
	return 0;
}

static bool is_mounted(const char *root)
{
	struct mounts mounts;
	bool found;

	if (mounts_read(&mounts) < 0)
		return false;
	found = mounts_has_root(&mounts, root);
	mounts_deinit(&mounts);
	return found;
}

static int umount_root(const char *text, bool lazy, bool quiet)
{
	char root[PATH_MAX];
	bool was_busy = false;
	int code, r = path_resolve_root(text, root);

	if (r < 0)
		return cli_fail("cannot unmount '%s': %s", text, strerror(-r));
	if (!is_mounted(root))
		return cli_fail("cannot unmount '%s': no projfs is mounted there; 'projfs status' "
				"lists what is",
				text);
	if (mount_is_dead(root))
		return mount_repair(root);
	if (lazy || ask_instance(root) < 0) {
		code = unmount(root, lazy, &was_busy);
		if (code != 0)
			return code;
	}
	if (!quiet)
		cli_note("'%s' is unmounted%s; what was not hydrated is absent there until the "
			 "next mount",
			 root, was_busy ? " (it was busy: detached)" : "");
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"lazy", no_argument, NULL, 'l'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool lazy = false, quiet = false;
	int c;

	while ((c = cli_options(&command_umount, argc, argv, ":lqh", options)) >= 0) {
		lazy |= c == 'l';
		quiet |= c == 'q';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind != 1)
		return cli_usage(&command_umount, "'umount' wants one root");
	return umount_root(argv[optind], lazy, quiet);
}

const struct command command_umount = {
	.name = "umount",
	.summary = "end an instance and unmount its root",
	.help = help,
	.run = run,
};
