/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "control/control.h"

#define TIMEOUT_MS 3000
#define USAGE_TIMEOUT_MS 60000 /* counting walks the disk underneath */

static const char help[] =
	"Usage: projfs status [--json] [ROOT]\n"
	"\n"
	"Show the running instances of this user; with ROOT that one, and what it keeps on\n"
	"the local disk.  Mounts whose instance is gone are removed on the way.\n"
	"\n"
	"  --json       one object: {\"instances\": [...]}, see projfs-status(1)\n"
	"  -h, --help   this text\n";

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

/* ---- text ----------------------------------------------------------------------------------- */

static void format_age(const json_t *since, char *text, size_t size)
{
	long long age = (long long)time(NULL) - json_integer_value(since);

	if (!json_is_integer(since))
		(void)snprintf(text, size, "?");
	else if (age < 120)
		(void)snprintf(text, size, "%lld s", age < 0 ? 0 : age);
	else if (age < 2 * 3600)
		(void)snprintf(text, size, "%lld min", age / 60);
	else if (age < 2 * 86400)
		(void)snprintf(text, size, "%lld h", age / 3600);
	else
		(void)snprintf(text, size, "%lld days", age / 86400);
}

static void print_usage_line(const json_t *usage, const char *label, const char *n_key,
			     const char *bytes_key)
{
	const json_t *n = json_object_get(usage, n_key);
	const json_t *bytes = json_object_get(usage, bytes_key);
	char text[CLI_BYTES_SIZE];

	if (!n)
		return;
	printf("  %-12s %" JSON_INTEGER_FORMAT, label, json_integer_value(n));
	if (bytes)
		printf(", %s bytes (%" JSON_INTEGER_FORMAT ")",
		       cli_format_bytes((uint64_t)json_integer_value(bytes), text),
		       json_integer_value(bytes));
	(void)putchar('\n');
}

static void print_usage(const json_t *usage)
{
	static const char *const kinds[] = {"bytes_hydrated", "bytes_local", "bytes_partial"};
	json_int_t total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		total += json_integer_value(json_object_get(usage, kinds[i]));
	printf("  %-12s %" JSON_INTEGER_FORMAT "%s\n", "bytes local:", total,
	       json_is_true(json_object_get(usage, "truncated")) ? " or more (too many to count)"
								 : "");
	print_usage_line(usage, "hydrated:", "n_hydrated", "bytes_hydrated");
	print_usage_line(usage, "local:", "n_local", "bytes_local");
	print_usage_line(usage, "partial:", "n_partial", "bytes_partial");
	print_usage_line(usage, "directories:", "n_directories", "");
	print_usage_line(usage, "markers:", "n_markers", "");
}

static void print_numbers(const char *label, json_t *numbers)
{
	const char *key;
	json_t *value;

	json_object_foreach(numbers, key, value)
	{
		if (json_is_integer(value) && json_integer_value(value) != 0)
			printf("  %-12s %s %" JSON_INTEGER_FORMAT "\n", label, key,
			       json_integer_value(value));
	}
}

/* Nothing without -o check. */
static void print_mistakes(json_t *mistakes)
{
	if (mistakes && json_object_size(mistakes) == 0)
		printf("  %-12s no mistakes of the provider so far\n", "check:");
	print_numbers("mistake:", mistakes);
}

static void print_features(json_t *features)
{
	json_t *feature;
	size_t i;

	if (json_array_size(features) == 0)
		return;
	printf("  %-12s", "features:");
	json_array_foreach(features, i, feature)
	{
		const char *name = json_string_value(feature);

		printf(" %s", name ? name : "?");
	}
	(void)putchar('\n');
}

static void print_messages(json_t *messages)
{
	json_t *message;
	size_t i;

	json_array_foreach(messages, i, message)
	{
		time_t when = (time_t)json_integer_value(json_object_get(message, "time"));
		char stamp[32] = "";
		struct tm tm;

		if (localtime_r(&when, &tm))
			(void)strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
		printf("  message:     %s ", stamp);
		cli_print_name(text_of(message, "text"));
		(void)putchar('\n');
	}
}

/* "dir:/usr/include": most providers say their name in the source, too. */
static void print_source(const char *provider, const char *source)
{
	size_t length = strcspn(provider, "+"); /* filters follow */

	if (strncmp(source, provider, length) != 0 || source[length] != ':')
		printf("%s:", provider);
	cli_print_name(source);
}

static void print_instance(const json_t *instance, bool with_details)
{
	const char *error = json_string_value(json_object_get(instance, "error"));
	char age[32];

	cli_print_name(text_of(instance, "root"));
	if (error) {
		printf("  (%s)\n", error);
		return;
	}
	format_age(json_object_get(instance, "since"), age, sizeof(age));
	printf("  ");
	print_source(text_of(instance, "provider"), text_of(instance, "source"));
	printf("  %s view, pid %" JSON_INTEGER_FORMAT ", for %s\n", text_of(instance, "view"),
	       json_integer_value(json_object_get(instance, "pid")), age);
	if (!with_details)
		return;
	print_usage(json_object_get(instance, "usage"));
	print_features(json_object_get(instance, "features"));
	print_numbers("counter:", json_object_get(instance, "counters"));
	print_numbers("provider:", json_object_get(instance, "provider_status"));
	print_mistakes(json_object_get(instance, "checker"));
	print_messages(json_object_get(instance, "messages"));
}

/* ---- asking --------------------------------------------------------------------------------- */

static void collect(void *context, json_t *reply)
{
	json_t *instances = context;

	if (!json_is_true(json_object_get(reply, "ok")))
		return;
	(void)json_object_del(reply, "ok"); /* of the protocol, not of the instance */
	(void)json_array_append(instances, reply);
}

static bool has_root(json_t *instances, const char *root)
{
	json_t *instance;
	size_t i;

	json_array_foreach(instances, i, instance)
	{
		if (strcmp(text_of(instance, "root"), root) == 0)
			return true;
	}
	return false;
}

static void add_silent(json_t *instances, const struct mounts_entry *e)
{
	json_t *instance = json_object();

	cli_json_set_name(instance, "root", e->root);
	cli_json_set_name(instance, "mounted", e->source);
	(void)json_object_set_new(instance, "error",
				  json_string("mounted, but its instance does not answer"));
	(void)json_array_append_new(instances, instance);
}

/* Mounts that nobody answered for: dead ones are removed, others listed. */
static int check_mounts(json_t *instances)
{
	struct mounts mounts;
	int code = 0, r = mounts_read(&mounts);

	if (r < 0)
		return cli_fail("cannot read the table of mounts: %s", strerror(-r));
	for (size_t i = 0; i < mounts.n_entries; i++) {
		const struct mounts_entry *e = &mounts.entries[i];

		if (has_root(instances, e->root) || (geteuid() != 0 && e->uid != geteuid()))
			continue;
		if (!mount_is_dead(e->root))
			add_silent(instances, e);
		else if (mount_repair(e->root) != 0)
			code = EXIT_FAILED;
	}
	mounts_deinit(&mounts);
	return code;
}

static int ask_all(json_t *instances)
{
	json_t *request = json_pack("{s:s, s:b}", "op", "status", "usage", 0);

	if (!request)
		return cli_fail("out of memory");
	control_call_all(request, TIMEOUT_MS, collect, instances);
	json_decref(request);
	return check_mounts(instances);
}

static size_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(directory);
	return n;
}

/* What a start, or fsck, set aside at a root that is not mounted. */
static void say_set_aside(const char *root)
{
	static const char *const names[] = {"recovered", "conflicts"};
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n;

		(void)snprintf(path, sizeof(path), "%s/.projfs/%s", root, names[i]);
		n = count_entries(path);
		if (n > 0)
			cli_note("%zu item%s of yours in '%s': take what you need, and remove %s",
				 n, n == 1 ? "" : "s", path, n == 1 ? "it" : "them");
	}
}

static int ask_one(const char *text, json_t *instances)
{
	json_t *request, *reply = NULL;
	struct errmsg err = {0};
	char root[PATH_MAX];
	int r = path_resolve_root(text, root);

	if (r < 0)
		return cli_fail("cannot ask about '%s': %s", text, strerror(-r));
	request = json_pack("{s:s, s:b}", "op", "status", "usage", 1);
	if (!request)
		return cli_fail("out of memory");
	r = control_call(root, request, USAGE_TIMEOUT_MS, &reply, &err);
	json_decref(request);
	if (r < 0) {
		if (mount_repair(root) != 0)
			return EXIT_FAILED;
		if (mount_wait_gone(root, 0) == 0)
			say_set_aside(root);
		return cli_fail("%s; 'projfs status' lists those that do", err.text);
	}
	collect(instances, reply);
	r = json_array_size(instances) == 1
		    ? 0
		    : cli_fail("the instance of '%s' says: %s", root, text_of(reply, "error"));
	json_decref(reply);
	return r;
}

static int show(json_t *instances, bool as_json, bool with_details)
{
	json_t *instance;
	size_t i;

	if (as_json)
		return cli_print_json(json_pack("{s:O}", "instances", instances));
	if (json_array_size(instances) == 0)
		printf("no instance runs\n");
	json_array_foreach(instances, i, instance)
	{
		print_instance(instance, with_details);
	}
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	json_t *instances;
	bool as_json = false;
	int c, code, shown = 0;

	while ((c = cli_options(&command_status, argc, argv, ":h", options)) >= 0)
		as_json |= c == 'j';
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind > 1)
		return cli_usage(&command_status, "'status' wants one root at most");
	instances = json_array();
	if (!instances)
		return cli_fail("out of memory");
	code = argc == optind ? ask_all(instances) : ask_one(argv[optind], instances);
	if (code == 0 || argc == optind)
		shown = show(instances, as_json, argc > optind);
	json_decref(instances);
	return code ? code : shown;
}

const struct command command_status = {
	.name = "status",
	.summary = "show the running instances",
	.help = help,
	.run = run,
};
