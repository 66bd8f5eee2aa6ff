/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/item_json.h"

static const char help[] =
	"Usage: projfs state [--json] PATH...\n"
	"\n"
	"Print the state of each item, and its path: virtual, placeholder, hydrated, dirty,\n"
	"full or tombstone.  Asking changes nothing.\n"
	"\n"
	"  --json       an array of objects, see projfs-state(1)\n"
	"  -h, --help   this text\n";

static json_t *hex_without_trailing_zeros(const uint8_t *bytes, size_t size)
{
	char text[PRJ_PLACEHOLDER_ID_LENGTH * 2 + 1];

	while (size > 0 && bytes[size - 1] == 0)
		size--;
	for (size_t i = 0; i < size; i++)
		(void)snprintf(text + i * 2, 3, "%02x", bytes[i]);
	return json_stringn(text, size * 2);
}

void item_json_add(json_t *object, const struct prj_item_info *info)
{
	(void)json_object_set_new(object, "state", json_string(cli_state_word(info->state)));
	(void)json_object_set_new(object, "bits", json_integer(info->state));
	(void)json_object_set_new(object, "mode", json_integer(info->mode));
	(void)json_object_set_new(object, "size", json_integer((json_int_t)info->size));
	(void)json_object_set_new(object, "local_bytes",
				  json_integer((json_int_t)info->local_bytes));
	(void)json_object_set_new(object, "content_id",
				  hex_without_trailing_zeros(info->version_info.content_id,
							     PRJ_PLACEHOLDER_ID_LENGTH));
}

/* @array is NULL for text. */
static int show_state(const char *path, json_t *array)
{
	struct prj_item_info info = {.struct_size = sizeof(info)};
	prj_result result = prj_get_item_info(path, 0, &info);
	json_t *object;

	if (PRJ_FAILED(result))
		return cli_fail("cannot tell the state of '%s': %s", path, cli_why(result));
	if (array) {
		object = json_object();
		cli_json_set_name(object, "path", path);
		item_json_add(object, &info);
		return json_array_append_new(array, object) < 0 ? cli_fail("out of memory") : 0;
	}
	printf("%-12s ", cli_state_word(info.state));
	cli_print_name(path);
	(void)putchar('\n');
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	json_t *array = NULL;
	bool as_json = false;
	int c, code = 0;

	while ((c = cli_options(&command_state, argc, argv, ":h", options)) >= 0)
		as_json |= c == 'j';
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc == optind)
		return cli_usage(&command_state, "'state' wants a path");
	if (as_json)
		array = json_array();
	for (int i = optind; i < argc; i++)
		if (show_state(argv[i], array) != 0)
			code = EXIT_FAILED;
	if (as_json && cli_print_json(array) != 0)
		code = EXIT_FAILED;
	return code;
}

const struct command command_state = {
	.name = "state",
	.summary = "print the state of items",
	.help = help,
	.run = run,
};
