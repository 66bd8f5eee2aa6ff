/* SPDX-License-Identifier: MIT */
/*
 * A filter: a loadable provider around another one.  It writes each callback with its path to a file, and
 * counts them for `projfs status`.  Answers pass it by: the inner provider gives them to projfs itself.
 *     PROJFS_PROVIDER_PATH=FOLDER projfs mount -o filter=log_filter:/tmp/log dir:SOURCE ROOT
 */
#include <prj/provider.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { START, GET, END, INFO, DATA, QUERY, NOTIFICATION, CANCEL, N_KINDS };

static const char *const names[N_KINDS] = {"start", "get",   "end",          "info",
                                           "data",  "query", "notification", "cancel"};

struct filter {
	const struct prj_provider_instance *inner;
	FILE *log;
	atomic_llong counts[N_KINDS];
};

/* Log the call, and make the data for the inner provider: all the same but for the context. */
static struct prj_callback_data pass(enum kind kind, const struct prj_callback_data *data)
{
	struct filter *filter = data->instance_context;
	const char *path = data->file_path_name;
	struct prj_callback_data copy = {0};
	size_t size = data->struct_size < sizeof(copy) ? data->struct_size : sizeof(copy);

	atomic_fetch_add(&filter->counts[kind], 1);
	fprintf(filter->log, "%s %s\n", names[kind], path ? path : "");
	memcpy(&copy, data, size);
	copy.struct_size = (uint32_t)size;
	copy.instance_context = filter->inner->context;
	return copy;
}

#define PASS(kind, member, ...)                                                                    \
	const struct filter *filter = data->instance_context;                                      \
	struct prj_callback_data copy = pass(kind, data);                                          \
	return filter->inner->callbacks.member(&copy __VA_OPT__(, ) __VA_ARGS__)

static prj_result start(const struct prj_callback_data *data, const struct prj_guid *id)
{
	PASS(START, start_directory_enumeration, id);
}

static prj_result get(const struct prj_callback_data *data, const struct prj_guid *id,
                      const char *expression, prj_dir_entry_buffer *buffer)
{
	PASS(GET, get_directory_enumeration, id, expression, buffer);
}

static prj_result end(const struct prj_callback_data *data, const struct prj_guid *id)
{
	PASS(END, end_directory_enumeration, id);
}

static prj_result info(const struct prj_callback_data *data)
{
	PASS(INFO, get_placeholder_info);
}

static prj_result content(const struct prj_callback_data *data, uint64_t offset, uint32_t length)
{
	PASS(DATA, get_file_data, offset, length);
}

static prj_result query(const struct prj_callback_data *data)
{
	PASS(QUERY, query_file_name);
}

static prj_result notify(const struct prj_callback_data *data, int is_dir, enum prj_notification n,
                         const char *destination, union prj_notification_parameters *parameters)
{
	PASS(NOTIFICATION, notification, is_dir, n, destination, parameters);
}

static void cancel(const struct prj_callback_data *data)
{
	const struct filter *filter = data->instance_context;
	struct prj_callback_data copy = pass(CANCEL, data);

	filter->inner->callbacks.cancel_command(&copy);
}

static void status(void *context, void (*emit)(void *, const char *, int64_t), void *emit_context)
{
	struct filter *filter = context;

	for (size_t i = 0; i < N_KINDS; i++)
		emit(emit_context, names[i], atomic_load(&filter->counts[i]));
	if (filter->inner->callbacks.status)
		filter->inner->callbacks.status(filter->inner->context, emit, emit_context);
}

static prj_result filter_open(const struct prj_provider_args *args,
                              struct prj_provider_instance *ret)
{
	const struct prj_callbacks *inner = &args->inner->callbacks;
	struct filter *filter = calloc(1, sizeof(*filter));

	if (!filter)
		return PRJ_ERR_OUT_OF_MEMORY;
	filter->inner = args->inner;
	filter->log = fopen(args->source, "ae");
	if (!filter->log) {
		args->set_error(args->error_context, "cannot open the log file, name another");
		free(filter);
		return PRJ_ERR_INVALID_PARAMETER;
	}
	setlinebuf(filter->log);
	*ret = *args->inner;
	ret->context = filter;
	/* An optional callback is there if the inner provider has it. */
	ret->callbacks.start_directory_enumeration = start;
	ret->callbacks.get_directory_enumeration = get;
	ret->callbacks.end_directory_enumeration = end;
	ret->callbacks.get_placeholder_info = info;
	ret->callbacks.get_file_data = content;
	ret->callbacks.query_file_name = inner->query_file_name ? query : NULL;
	ret->callbacks.notification = inner->notification ? notify : NULL;
	ret->callbacks.cancel_command = inner->cancel_command ? cancel : NULL;
	ret->callbacks.status = status;
	return PRJ_OK;
}

static void filter_close(void *context)
{
	struct filter *filter = context;

	fclose(filter->log);
	free(filter);
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .flags = PRJ_PROVIDER_IS_FILTER,
        .name = "log_filter",
        .version = "1.0",
        .description = "writes each callback of another provider to a file",
        .source_help = "the file to write to",
        .open = filter_open,
        .close = filter_close,
};
