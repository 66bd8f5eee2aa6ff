/* SPDX-License-Identifier: MIT */
#include "cli/mount_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/suggest.h"
#include "cli/values.h"
#include "util/macros.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

enum general {
	LOOKUP_TIMEOUT,
	DATA_TIMEOUT,
	PLACEHOLDER_TIMEOUT,
	THREADS,
	SMALL,
	ALLOW_OTHER,
	NO_ALLOW_OTHER,
	ADOPT,
	REBIND,
	RO,
	CHECK,
	FILTER,
	LOG,
	LOG_LEVEL,
};

struct general_option {
	const char *name;
	enum prj_option_type type;
	const char *placeholder; /* for help */
	int64_t min, max; /* of numbers */
	const char *help;
};

/* Indexed by enum general; projfs-mount(1) has the same table. */
static const struct general_option general_options[] = {
	[LOOKUP_TIMEOUT] = {"lookup-timeout", PRJ_OPTION_DURATION, "=DUR", 1, DAY_MS,
			    "how long a look-up or listing may wait (default 30s)"},
	[DATA_TIMEOUT] = {"data-timeout", PRJ_OPTION_DURATION, "=DUR", 0, DAY_MS,
			  "how long content may wait, 0 for ever (default 10m)"},
	[PLACEHOLDER_TIMEOUT] = {"placeholder-timeout", PRJ_OPTION_DURATION, "=DUR", 1, DAY_MS,
				 "live view: ask again for items older than this (default 1s)"},
	[THREADS] = {"threads", PRJ_OPTION_INTEGER, "=N", 1, 1024,
		     "callbacks at once (default: number of processors)"},
	[SMALL] = {"small", PRJ_OPTION_SIZE, "=SIZE", 1, UINT32_MAX,
		   "files up to this size are fetched whole (default 1M)"},
	[ALLOW_OTHER] = {"allow_other", PRJ_OPTION_BOOL, "", 0, 0,
			 "let other users in (default for root)"},
	[NO_ALLOW_OTHER] = {"no_allow_other", PRJ_OPTION_BOOL, "", 0, 0,
			    "keep other users out, though root mounts"},
	[ADOPT] = {"adopt", PRJ_OPTION_BOOL, "", 0, 0,
		   "take a ROOT that is not empty; what it holds stays, as local files"},
	[REBIND] = {"rebind", PRJ_OPTION_BOOL, "", 0, 0,
		    "take a ROOT that was last used with another source"},
	[RO] = {"ro", PRJ_OPTION_BOOL, "", 0, 0, "refuse every change of the view"},
	[CHECK] = {"check", PRJ_OPTION_BOOL, "", 0, 0,
		   "watch the provider, and report its mistakes in the log and in status"},
	[FILTER] = {"filter", PRJ_OPTION_STRING, "=NAME:TEXT", 0, 0,
		    "wrap the provider in this filter; several: innermost first"},
	[LOG] = {"log", PRJ_OPTION_STRING, "=FILE|syslog|stderr|none", 0, 0,
		 "where messages go (default: syslog, with -f stderr)"},
	[LOG_LEVEL] = {"log-level", PRJ_OPTION_STRING, "=LEVEL", 0, 0,
		       "error, warning, info or debug (default warning)"},
};

void mount_options_print_help(void)
{
	printf("\nOptions of every mount (-o), before those of the provider:\n");
	for (size_t i = 0; i < ARRAY_SIZE(general_options); i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s", general_options[i].name,
			       general_options[i].placeholder);
		printf("  %-28s %s\n", left, general_options[i].help);
	}
}

/* ---- general options ------------------------------------------------------------------------ */

static int add_filter(struct mount_options *o, char *text, struct errmsg *err)
{
	char *colon = strchr(text, ':');
	struct mount_filter *filters;

	filters = reallocarray(o->filters, o->n_filters + 1, sizeof(*filters));
	if (!filters)
		return errmsg_set(err, -ENOMEM, "out of memory");
	o->filters = filters;
	if (colon)
		*colon = '\0';
	filters[o->n_filters++] =
		(struct mount_filter){.name = text, .text = colon ? colon + 1 : ""};
	return 0;
}

static int set_log_level(struct mount_options *o, const char *text, struct errmsg *err)
{
	static const char *const names[] = {
		[PRJ_LOG_ERROR] = "error",
		[PRJ_LOG_WARNING] = "warning",
		[PRJ_LOG_INFO] = "info",
		[PRJ_LOG_DEBUG] = "debug",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			o->log_level = (enum prj_log_level)i;
			return 0;
		}
	}
	return errmsg_set(err, -EINVAL,
			  "option 'log-level' wants error, warning, info or debug, not '%s'", text);
}

static int set_log(struct mount_options *o, const char *text, struct errmsg *err)
{
	if (text[0] == '\0')
		return errmsg_set(err, -EINVAL,
				  "option 'log' wants a file, syslog, stderr or none");
	o->log_file = NULL;
	if (strcmp(text, "syslog") == 0) {
		o->log_kind = LOG_TO_SYSLOG;
	} else if (strcmp(text, "stderr") == 0) {
		o->log_kind = LOG_TO_STDERR;
	} else if (strcmp(text, "none") == 0) {
		o->log_kind = LOG_TO_NONE;
	} else {
		o->log_kind = LOG_TO_FILE;
		o->log_file = text;
	}
	return 0;
}

static void set_flag(struct mount_options *o, uint32_t flag, int64_t is_on)
{
	o->start.flags = is_on ? o->start.flags | flag : o->start.flags & ~flag;
}

static int apply_general(struct mount_options *o, enum general id, char *text, int64_t number,
			 struct errmsg *err)
{
	switch (id) {
	case LOOKUP_TIMEOUT:
		o->start.lookup_timeout_ms = (uint32_t)number;
		return 0;
	case DATA_TIMEOUT:
		o->start.data_timeout_ms = number ? (uint32_t)number : UINT32_MAX;
		return 0;
	case PLACEHOLDER_TIMEOUT:
		o->start.placeholder_timeout_ms = (uint32_t)number;
		return 0;
	case THREADS:
		o->start.concurrent_thread_count = (uint32_t)number;
		return 0;
	case SMALL:
		o->start.small_file_bytes = (uint32_t)number;
		return 0;
	case ALLOW_OTHER:
		set_flag(o, PRJ_FLAG_ALLOW_OTHER, number);
		return 0;
	case NO_ALLOW_OTHER:
		set_flag(o, PRJ_FLAG_NO_ALLOW_OTHER, number);
		return 0;
	case ADOPT:
		o->adopt = number;
		return 0;
	case REBIND:
		set_flag(o, PRJ_FLAG_REBIND, number);
		return 0;
	case RO:
		set_flag(o, PRJ_FLAG_READ_ONLY, number);
		return 0;
	case CHECK:
		set_flag(o, PRJ_FLAG_CHECK_PROVIDER, number);
		return 0;
	case FILTER:
		return add_filter(o, text, err);
	case LOG:
		return set_log(o, text, err);
	case LOG_LEVEL:
		return set_log_level(o, text, err);
	}
	return -EINVAL;
}

static int say_wrong_value(const struct optlist_item *item, enum prj_option_type type,
			   struct errmsg *err)
{
	if (!item->value)
		return errmsg_set(err, -EINVAL, "option '%s' wants a value: %s=VALUE, %s",
				  item->name, item->name, value_type_description(type));
	return errmsg_set(err, -EINVAL, "option '%s' wants %s, not '%s'", item->name,
			  value_type_description(type), item->value);
}

static int parse_general(struct mount_options *o, enum general id, const struct optlist_item *item,
			 struct errmsg *err)
{
	const struct general_option *g = &general_options[id];
	struct prj_option_value value;

	if (value_parse(g->type, item->value, &value) < 0)
		return say_wrong_value(item, g->type, err);
	if (g->max > 0 && (value.integer < g->min || value.integer > g->max))
		return errmsg_set(err, -EINVAL,
				  "option '%s' must be between %" PRId64 " and %" PRId64
				  "%s, not '%s'",
				  g->name, g->min, g->max,
				  g->type == PRJ_OPTION_DURATION ? " ms" : "", item->value);
	return apply_general(o, id, item->value, value.integer, err);
}

/* ---- all options ---------------------------------------------------------------------------- */

static int say_unknown(const char *name, const struct prj_provider *provider, struct errmsg *err)
{
	char hint[SUGGEST_TEXT_SIZE];
	struct suggestion s;

	suggest_init(&s, name);
	for (size_t i = 0; i < ARRAY_SIZE(general_options); i++)
		suggest_consider(&s, general_options[i].name);
	for (size_t i = 0; i < provider->n_options; i++)
		suggest_consider(&s, provider->options[i].name);
	return errmsg_set(err, -EINVAL,
			  "unknown option '%s'%s; see 'projfs mount --help-provider %s'", name,
			  suggest_text(&s, hint), provider->name);
}

static int parse_item(struct mount_options *o, const struct prj_provider *provider,
		      const struct optlist_item *item, struct errmsg *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(general_options); i++)
		if (strcmp(item->name, general_options[i].name) == 0)
			return parse_general(o, (enum general)i, item, err);

	for (size_t i = 0; i < provider->n_options; i++) {
		const struct prj_provider_option *p = &provider->options[i];

		if (strcmp(item->name, p->name) != 0)
			continue;
		if (value_parse(p->type, item->value, &o->provider_values[i]) < 0)
			return say_wrong_value(item, p->type, err);
		return 0;
	}
	return say_unknown(item->name, provider, err);
}

struct prj_option_value *provider_default_values(const struct prj_provider *provider)
{
	struct prj_option_value *values = calloc(provider->n_options, sizeof(*values));

	/* provider_check() saw that the defaults are fine */
	for (size_t i = 0; values && i < provider->n_options; i++)
		if (provider->options[i].default_value)
			(void)value_parse(provider->options[i].type,
					  provider->options[i].default_value, &values[i]);
	return values;
}

int mount_options_parse(struct optlist *list, const struct prj_provider *provider,
			struct mount_options *ret, struct errmsg *err)
{
	const uint32_t contradiction = PRJ_FLAG_ALLOW_OTHER | PRJ_FLAG_NO_ALLOW_OTHER;
	struct mount_options o = {
		.start.struct_size = sizeof(o.start),
		.log_level = PRJ_LOG_WARNING,
	};
	int r = 0;

	if (provider->n_options > 0) {
		o.provider_values = provider_default_values(provider);
		if (!o.provider_values)
			return errmsg_set(err, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < list->n_items && r == 0; i++)
		r = parse_item(&o, provider, &list->items[i], err);
	if (r == 0 && (o.start.flags & contradiction) == contradiction)
		r = errmsg_set(err, -EINVAL,
			       "options 'allow_other' and 'no_allow_other' exclude each other");
	if (r < 0) {
		mount_options_deinit(&o);
		return r;
	}
	*ret = o;
	return 0;
}

void mount_options_deinit(struct mount_options *o)
{
	free(o->filters);
	free(o->provider_values);
	*o = (struct mount_options){0};
}
