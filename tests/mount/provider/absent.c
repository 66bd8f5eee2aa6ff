/* SPDX-License-Identifier: MIT */
/*
 * A provider with the negative path cache: what is a file in the folder that is its source is an empty file in the
 * view.  It hears of changes by look-ups of names that it never has:
 *
 *	clear.N      forget the names that were absent; permission denied if that were not N ("clear": any number)
 *	write.NAME   describe NAME unasked
 *
 * Option "off": without the cache.
 */
#include <fcntl.h>
#include <prj/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct absent {
	int fd; /* of the source */
};

static prj_result start_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	return PRJ_OK;
}

static prj_result get_enumeration(const struct prj_callback_data *data, const struct prj_guid *id,
                                  const char *search, prj_dir_entry_buffer *buffer)
{
	return PRJ_OK; /* nothing is listed */
}

static prj_result end_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	return PRJ_OK;
}

static prj_result describe(const struct prj_callback_data *data, const char *name)
{
	struct prj_placeholder_info info = {
	        .struct_size = sizeof(info),
	        .file_basic_info = {.struct_size = sizeof(info.file_basic_info)},
	};

	return prj_write_placeholder_info(data->instance, name, &info, sizeof(info));
}

static prj_result clear(const struct prj_callback_data *data, const char *wanted)
{
	uint32_t n = UINT32_MAX;
	prj_result result = prj_clear_negative_path_cache(data->instance, &n);

	if (result != PRJ_OK)
		return result;
	return !*wanted || n == strtoul(wanted + 1, NULL, 10) ? PRJ_ERR_FILE_NOT_FOUND
	                                                      : PRJ_ERR_ACCESS_DENIED;
}

static prj_result get_placeholder_info(const struct prj_callback_data *data)
{
	const struct absent *a = data->instance_context;
	const char *name = data->file_path_name;
	struct stat st;

	if (!strncmp(name, "clear", 5))
		return clear(data, name + 5);
	if (!strncmp(name, "write.", 6)) {
		prj_result result = describe(data, name + 6);

		return result == PRJ_OK ? PRJ_ERR_FILE_NOT_FOUND : result;
	}
	return fstatat(a->fd, name, &st, 0) == 0 ? describe(data, name) : PRJ_ERR_FILE_NOT_FOUND;
}

static prj_result get_file_data(const struct prj_callback_data *data, uint64_t offset,
                                uint32_t length)
{
	return PRJ_OK; /* all are empty */
}

static const struct prj_provider_option options[] = {
        {"off", PRJ_OPTION_BOOL, "no", "without the negative path cache"},
};

static prj_result absent_open(const struct prj_provider_args *args,
                              struct prj_provider_instance *ret)
{
	struct absent *a = calloc(1, sizeof(*a));

	if (!a)
		return PRJ_ERR_OUT_OF_MEMORY;
	a->fd = open(args->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a->fd < 0) {
		args->set_error(args->error_context,
		                "the source is no directory that can be opened");
		free(a);
		return PRJ_ERR_INVALID_PARAMETER;
	}
	ret->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(ret->callbacks),
	        .start_directory_enumeration = start_enumeration,
	        .end_directory_enumeration = end_enumeration,
	        .get_directory_enumeration = get_enumeration,
	        .get_placeholder_info = get_placeholder_info,
	        .get_file_data = get_file_data,
	};
	ret->context = a;
	ret->start_flags = args->options[0].integer ? 0 : PRJ_FLAG_USE_NEGATIVE_PATH_CACHE;
	return PRJ_OK;
}

static void absent_close(void *context)
{
	struct absent *a = context;

	(void)close(a->fd);
	free(a);
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .name = "absent",
        .version = "1.0",
        .description = "names that come when one says so",
        .source_help = "a directory with files",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .open = absent_open,
        .close = absent_close,
};
