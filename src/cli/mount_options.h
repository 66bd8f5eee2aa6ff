/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_MOUNT_OPTIONS_H
#define PROJFS_CLI_MOUNT_OPTIONS_H

/*
 * What `projfs mount -o` was given: options of every mount, and the rest for the provider.
 */

#include <prj/provider.h>
#include <stdbool.h>

#include "cli/optlist.h"
#include "util/errmsg.h"

enum log_kind { LOG_TO_DEFAULT, LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE, LOG_TO_NONE };

struct mount_filter {
	const char *name;
	const char *text;
};

struct mount_options {
	struct prj_start_options start; /* flags, limits; names are filled in later */
	bool adopt;
	enum log_kind log_kind;
	const char *log_file;
	enum prj_log_level log_level;
	struct mount_filter *filters; /* innermost first */
	size_t n_filters;
	struct prj_option_value *provider_values; /* one per option of the provider */
};

/*
 * Strings in @ret point into @list, which is changed (filter=NAME:TEXT is taken apart).
 * -EINVAL with a message: unknown, twice contradicted, or of the wrong type. -ENOMEM.
 */
int mount_options_parse(struct optlist *list, const struct prj_provider *provider,
			struct mount_options *ret, struct errmsg *err);
void mount_options_deinit(struct mount_options *o);

/* The values of a provider when nothing is given for it; NULL: out of memory, or it has no options. */
struct prj_option_value *provider_default_values(const struct prj_provider *provider);

/* For --help: the options of every mount. */
void mount_options_print_help(void);

#endif
