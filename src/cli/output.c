/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "util/text.h"

#define LINE_SIZE 8192 /* two paths and what to do */

static void print_line(const char *end, const char *format, va_list args) _printf_(2, 0);

static void print_line(const char *end, const char *format, va_list args)
{
	char line[LINE_SIZE];

	text_vformat(line, sizeof(line), format, args);
	(void)fprintf(stderr, "projfs: %s%s\n", line, end);
}

int cli_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("", format, args);
	va_end(args);
	return EXIT_FAILED;
}

void cli_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("", format, args);
	va_end(args);
}

int cli_usage(const struct command *command, const char *format, ...)
{
	char end[64];
	va_list args;

	(void)snprintf(end, sizeof(end), "; see 'projfs%s%s --help'", command ? " " : "",
		       command ? command->name : "");
	va_start(args, format);
	print_line(end, format, args);
	va_end(args);
	return EXIT_USAGE;
}

int cli_options(const struct command *command, int argc, char **argv, const char *short_options,
		const struct option *long_options)
{
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, short_options, long_options, NULL);
	if (c == 'h') {
		(void)fputs(command->help, stdout);
		return CLI_OPTIONS_HELP;
	}
	if (c == ':') {
		(void)cli_usage(command, "option '%s' wants a value", argv[optind - 1]);
		return CLI_OPTIONS_WRONG;
	}
	if (c == '?') {
		if (optopt > 0 && optopt < 256)
			(void)cli_usage(command, "unknown option '-%c'", optopt);
		else
			(void)cli_usage(command, "unknown or ambiguous option '%s'",
					argv[optind - 1]);
		return CLI_OPTIONS_WRONG;
	}
	return c;
}

int cli_options_exit(int code)
{
	return code == CLI_OPTIONS_HELP ? 0 : EXIT_USAGE;
}

const char *cli_why(prj_result result)
{
	const char *message = prj_last_error_message();

	return message[0] ? message : strerror(prj_result_to_errno(result));
}

const char *cli_sentence(const char *operation, const char *path, prj_result result)
{
	static _Thread_local char text[LINE_SIZE];
	static const char start[] = "cannot ";
	const char *why = cli_why(result);

	if (strncmp(why, start, strlen(start)) == 0)
		return why;
	(void)snprintf(text, sizeof(text), "cannot %s '%s': %s", operation, path, why);
	return text;
}

int cli_print_json(json_t *json)
{
	int r = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

	json_decref(json);
	if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return cli_fail("cannot print the answer: %s", strerror(errno ? errno : ENOMEM));
	return 0;
}

/* The length of the UTF-8 character at @s, as jansson sees it; 0 if there is none. */
static size_t character_length(const char *s)
{
	static const size_t lengths[] = {1, 2, 3, 4};
	size_t left = strnlen(s, 4);

	for (size_t i = 0; i < ARRAY_SIZE(lengths) && lengths[i] <= left; i++) {
		json_t *character = json_stringn(s, lengths[i]);

		json_decref(character);
		if (character)
			return lengths[i];
	}
	return 0;
}

static json_t *name_with_replacements(const char *name)
{
	_cleanup_(freep) char *text = malloc(strlen(name) * 3 + 1);
	size_t length = 0;

	if (!text)
		return NULL;
	while (*name) {
		size_t n = character_length(name);

		memcpy(text + length, n ? name : "\xef\xbf\xbd", n ? n : 3);
		length += n ? n : 3;
		name += n ? n : 1;
	}
	return json_stringn(text, length);
}

static json_t *hex(const char *bytes, size_t size)
{
	_cleanup_(freep) char *text = malloc(size * 2 + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i++)
		(void)snprintf(text + i * 2, 3, "%02x", (unsigned char)bytes[i]);
	return json_stringn(text, size * 2);
}

void cli_json_set_name(json_t *object, const char *key, const char *name)
{
	json_t *text = json_string(name);
	char hex_key[64];

	if (text) {
		(void)json_object_set_new(object, key, text);
		return;
	}
	(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	(void)json_object_set_new(object, key, name_with_replacements(name));
	(void)json_object_set_new(object, hex_key, hex(name, strlen(name)));
}

void cli_print_name(const char *name)
{
	bool is_terminal = isatty(STDOUT_FILENO) == 1;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		(void)putchar(is_terminal && (c < 0x20 || c == 0x7f) ? '?' : c);
	}
}

const char *cli_format_bytes(uint64_t bytes, char ret_text[CLI_BYTES_SIZE])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		(void)snprintf(ret_text, CLI_BYTES_SIZE, "%" PRIu64, bytes);
	else
		(void)snprintf(ret_text, CLI_BYTES_SIZE, "%.1f%c", value, units[unit]);
	return ret_text;
}

const char *cli_state_word(uint32_t state)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
		/* what was done last wins: a hydrated file with changed metadata is dirty */
		{PRJ_FILE_STATE_TOMBSTONE, "tombstone"},
		{PRJ_FILE_STATE_FULL, "full"},
		{PRJ_FILE_STATE_DIRTY_PLACEHOLDER, "dirty"},
		{PRJ_FILE_STATE_HYDRATED_PLACEHOLDER, "hydrated"},
		{PRJ_FILE_STATE_PLACEHOLDER, "placeholder"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (state & words[i].bit)
			return words[i].word;
	return "virtual";
}
