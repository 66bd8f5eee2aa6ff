/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/suggest.h"

static const struct command *const commands[] = {
	&command_mount,   &command_umount,  &command_status, &command_state, &command_ls,
	&command_hydrate, &command_restore, &command_sync,   &command_fsck,  &command_doctor,
};

static void print_help(void)
{
	printf("Usage: projfs COMMAND [ARGUMENT...]\n"
	       "\n"
	       "Project a directory, or whatever a provider understands, into a directory.\n"
	       "\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n"
	       "  -h, --help   this text; 'projfs COMMAND --help' explains a command\n"
	       "  --version    the version of projfs\n"
	       "\n"
	       "Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

static int say_unknown(const char *name)
{
	char hint[SUGGEST_TEXT_SIZE];
	struct suggestion s;

	suggest_init(&s, name);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		suggest_consider(&s, commands[i]->name);
	return cli_usage(NULL, "unknown %s '%s'%s", name[0] == '-' ? "option" : "command", name,
			 suggest_text(&s, hint));
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage(NULL, "no command was given");
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		print_help();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("projfs %s\n", prj_version());
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i]->name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	return say_unknown(argv[1]);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	/* a listing that did not get out is no success */
	if (fflush(stdout) == EOF && code == 0)
		code = cli_fail("cannot write to the standard output");
	return code;
}
