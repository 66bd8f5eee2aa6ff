/* SPDX-License-Identifier: MIT */
/*
 * The `dir` provider projects a directory of this machine.  This file is its outside: the descriptor that
 * projfs loads, and the life of an instance.  The callbacks are in listing.c (listings), item.c (metadata) and
 * data.c (content).
 */

#include "dir.h"

#include "data.h"
#include "item.h"

#include <errno.h>
#include <prj/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_STABLE, N_OPTIONS };

static const struct prj_provider_option options[N_OPTIONS] = {
        [OPTION_STABLE] = {"stable", PRJ_OPTION_BOOL, "no",
                           "the source does not change while it is mounted: cache without limit"},
};

static void dir_status(void *instance_context,
                       void (*emit)(void *emit_context, const char *key, int64_t value),
                       void *emit_context)
{
	struct dir_provider *dir = instance_context;
	size_t n_special, n_reserved;

	left_out_count(&dir->left_out, &n_special, &n_reserved);
	emit(emit_context, "special files left out", (int64_t)n_special);
	emit(emit_context, "reserved names left out", (int64_t)n_reserved);
	emit(emit_context, "open listings", (int64_t)listings_count(&dir->listings));
}

static void dir_close(void *context)
{
	struct dir_provider *dir = context;

	if (!dir)
		return;
	listings_deinit(&dir->listings);
	left_out_deinit(&dir->left_out);
	source_deinit(&dir->source);
	free(dir->source_text);
	free(dir);
}

static void set_open_error(const struct prj_provider_args *args, int error)
{
	const char *advice = "give the path of a directory that you can read";
	char message[512];

	if (error == ENOSYS)
		advice = "a kernel with openat2() is needed, Linux 5.6 or later";
	(void)snprintf(message, sizeof(message), "cannot project '%.300s': %s; %s", args->source,
	               strerror(error), advice);
	args->set_error(args->error_context, message);
}

/* Attributes and content are reached through /proc; without it every item would fail later. */
static prj_result check_proc(const struct prj_provider_args *args)
{
	if (!access("/proc/self/fd", X_OK))
		return PRJ_OK;
	args->set_error(args->error_context, "/proc/self/fd is not there; mount /proc first");
	return PRJ_ERR_NOT_SUPPORTED;
}

static prj_result dir_new(const struct prj_provider_args *args, struct dir_provider **ret)
{
	struct dir_provider *dir = NULL;
	int r;

	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return PRJ_ERR_OUT_OF_MEMORY;
	listings_init(&dir->listings);
	left_out_init(&dir->left_out);

	r = source_init(&dir->source, args->source);
	if (!r && asprintf(&dir->source_text, "dir:%s", dir->source.path) < 0) {
		dir->source_text = NULL;
		r = -ENOMEM;
	}
	if (r < 0) {
		set_open_error(args, -r);
		dir_close(dir);
		return prj_result_from_errno(-r);
	}
	*ret = dir;
	return PRJ_OK;
}

static prj_result dir_open(const struct prj_provider_args *args, struct prj_provider_instance *ret)
{
	struct dir_provider *dir = NULL;
	prj_result result;

	result = check_proc(args);
	if (PRJ_SUCCEEDED(result))
		result = dir_new(args, &dir);
	if (PRJ_FAILED(result))
		return result;

	ret->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(ret->callbacks),
	        .start_directory_enumeration = listing_start,
	        .get_directory_enumeration = listing_get,
	        .end_directory_enumeration = listing_end,
	        .get_placeholder_info = item_get_placeholder_info,
	        .get_file_data = data_get,
	        .query_file_name = item_query_file_name,
	        .status = dir_status,
	};
	ret->context = dir;
	ret->start_flags = PRJ_FLAG_REVALIDATE;
	if (args->options[OPTION_STABLE].is_set && args->options[OPTION_STABLE].integer)
		ret->start_flags |= PRJ_FLAG_STABLE_VIEW;
	ret->compare_order = PRJ_COMPARE_WINDOWS;
	ret->source = dir->source_text;
	ret->source_directory = dir->source.path;
	return PRJ_OK;
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .name = "dir",
        .version = PROVIDER_VERSION,
        .description = "projects a directory of this machine",
        .source_help = "the directory to project",
        .options = options,
        .n_options = N_OPTIONS,
        .open = dir_open,
        .close = dir_close,
};
