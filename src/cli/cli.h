/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_CLI_H
#define PROJFS_CLI_CLI_H

/*
 * What the sub-commands share: how they are called, how they complain, how they print.
 *
 *	main.c            the table of sub-commands
 *	mount.c ...       one file a sub-command
 *	mount_options.c   -o, with optlist.c (splitting), values.c (types), suggest.c (typing errors)
 *	provider_load.c   finding and loading NAME.so; provider_chain.c opens it and its filters
 *	instance.c        what a mounting process does until it is told to stop; daemon.c puts it in the background
 *	mounts.c          the kernel's table of mounts; overlap.c compares directories
 *	walk.c            a directory tree, for ls and hydrate
 *	place.c           in which root a path lies; local.c walks what is local there, with tombstones.c
 */

#include <getopt.h>
#include <jansson.h>
#include <prj/prj.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

#define EXIT_FAILED 1 /* one line on stderr says what, which path, why, what to do */
#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *summary; /* for `projfs --help` */
	const char *help; /* all of `projfs NAME --help` */
	int (*run)(int argc, char **argv); /* argv[0] is the name; the exit code */
};

extern const struct command command_mount, command_umount, command_status, command_state,
	command_ls, command_hydrate, command_restore, command_sync, command_fsck, command_doctor;

/*
 * getopt_long() for a sub-command, with --help and complaints done.
 * The option; CLI_OPTIONS_END; or CLI_OPTIONS_HELP, CLI_OPTIONS_WRONG: leave with cli_options_exit().
 */
enum { CLI_OPTIONS_END = -1, CLI_OPTIONS_HELP = -2, CLI_OPTIONS_WRONG = -3 };
int cli_options(const struct command *command, int argc, char **argv, const char *short_options,
		const struct option *long_options);
int cli_options_exit(int code);

/* "projfs: ...\n" on stderr, cleaned for a terminal. They return the exit code. */
int cli_fail(const char *format, ...) _printf_(1, 2);
int cli_usage(const struct command *command, const char *format, ...) _printf_(2, 3);
void cli_note(const char *format, ...) _printf_(1, 2);

/* Why the projfs call of this thread that returned @result failed. */
const char *cli_why(prj_result result);

/*
 * "cannot OPERATION 'PATH': why" for the projfs call of this thread that returned @result, or what the library
 * said if that is such a sentence already.  Valid until this thread's next call.
 */
const char *cli_sentence(const char *operation, const char *path, prj_result result);

/* Print and free @json. Returns the exit code: 0, or that of a failed write. */
int cli_print_json(json_t *json);
/* Set @key to a name.  One that is no UTF-8 is shown with U+FFFD, and its bytes in KEY_hex. */
void cli_json_set_name(json_t *object, const char *key, const char *name);
/* Print a name as it is; control bytes become '?' when stdout is a terminal. */
void cli_print_name(const char *name);

#define CLI_BYTES_SIZE 16
const char *cli_format_bytes(uint64_t bytes, char ret_text[CLI_BYTES_SIZE]); /* "1.5M" */

/* The one word of enum prj_file_state bits. */
const char *cli_state_word(uint32_t state);

#endif
