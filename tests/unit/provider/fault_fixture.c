/* SPDX-License-Identifier: MIT */
#include "fault_fixture.h"

#include <stdio.h>
#include <string.h>

#define FILE_SIZE 100

struct fault_fixture fixture;

/* ---- the wrapped provider ------------------------------------------------------------------- */

static struct inner *asked(enum callback callback, const struct prj_callback_data *data)
{
	struct inner *inner = data->instance_context;

	assert_ptr_equal(inner, &fixture.inner);
	inner->n_asked[callback]++;
	inner->path = data->file_path_name;
	return inner;
}

static prj_result inner_start(const struct prj_callback_data *data, const struct prj_guid *id)
{
	return asked(CALLBACK_START, data)->result;
}

static prj_result inner_get(const struct prj_callback_data *data, const struct prj_guid *id,
                            const char *expression, prj_dir_entry_buffer *buffer)
{
	static const char *const names[] = {"a", "b", "c"};
	const struct prj_file_basic_info info = {.struct_size = sizeof(info),
	                                         .file_size = FILE_SIZE};
	struct inner *inner = asked(CALLBACK_GET, data);

	if (data->flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN)
		inner->position = 0;
	while (inner->position < 3 &&
	       PRJ_SUCCEEDED(prj_fill_dir_entry_buffer(names[inner->position], &info, buffer)))
		inner->position++;
	return inner->result;
}

static prj_result inner_end(const struct prj_callback_data *data, const struct prj_guid *id)
{
	return asked(CALLBACK_END, data)->result;
}

static prj_result inner_info(const struct prj_callback_data *data)
{
	const struct prj_placeholder_info info = {
	        .struct_size = sizeof(info),
	        .file_basic_info = {.struct_size = sizeof(info.file_basic_info),
	                            .file_size = FILE_SIZE}};
	struct inner *inner = asked(CALLBACK_INFO, data);

	(void)prj_write_placeholder_info(data->instance, data->file_path_name, &info, sizeof(info));
	return inner->result;
}

static prj_result inner_data(const struct prj_callback_data *data, uint64_t offset, uint32_t length)
{
	struct inner *inner = asked(CALLBACK_DATA, data);
	char content[FILE_SIZE];

	inner->offset = offset;
	inner->length = length;
	memset(content, 'x', sizeof(content));
	(void)prj_write_file_data(data->instance, &data->data_stream_id, content, offset,
	                          length ? length : FILE_SIZE);
	return inner->result;
}

static prj_result inner_query(const struct prj_callback_data *data)
{
	return asked(CALLBACK_QUERY, data)->result;
}

static prj_result inner_notification(const struct prj_callback_data *data, int is_directory,
                                     enum prj_notification notification, const char *destination,
                                     union prj_notification_parameters *parameters)
{
	struct inner *inner = asked(CALLBACK_NOTIFICATION, data);

	if (parameters && notification == PRJ_NOTIFICATION_NEW_FILE_CREATED)
		parameters->post_create.notification_mask = inner->mask;
	return inner->result;
}

static void inner_cancel(const struct prj_callback_data *data)
{
	asked(CALLBACK_CANCEL, data)->cancelled_id = data->command_id;
}

static void inner_status(void *context,
                         void (*emit)(void *emit_context, const char *key, int64_t value),
                         void *emit_context)
{
	emit(emit_context, "inner", 5);
}

int fault_setup(void **state)
{
	fixture = (struct fault_fixture){0};
	fixture.inner.instance = (struct prj_provider_instance){
	        .struct_size = sizeof(struct prj_provider_instance),
	        .callbacks =
	                {
	                        .struct_size = sizeof(struct prj_callbacks),
	                        .start_directory_enumeration = inner_start,
	                        .get_directory_enumeration = inner_get,
	                        .end_directory_enumeration = inner_end,
	                        .get_placeholder_info = inner_info,
	                        .get_file_data = inner_data,
	                        .query_file_name = inner_query,
	                        .notification = inner_notification,
	                        .cancel_command = inner_cancel,
	                        .status = inner_status,
	                },
	        .context = &fixture.inner,
	        .start_flags = PRJ_FLAG_REVALIDATE | PRJ_FLAG_INLINE_CALLBACKS,
	        .compare_order = PRJ_COMPARE_BYTES,
	        .source = "inner:source",
	        .source_directory = "/source",
	};
	fake_answers_reset();
	return 0;
}

int fault_teardown(void **state)
{
	close_fault();
	return 0;
}

/* ---- the filter ----------------------------------------------------------------------------- */

static void keep_message(void *context, const char *message)
{
	(void)snprintf(context, sizeof(fixture.message), "%s", message);
}

prj_result try_open_fault(const char *text)
{
	struct prj_provider_args args = {
	        .struct_size = sizeof(args),
	        .source = text,
	        .inner = &fixture.inner.instance,
	        .set_error = keep_message,
	        .error_context = fixture.message,
	};
	prj_result result;

	close_fault();
	fixture.message[0] = '\0';
	fixture.filter = (struct prj_provider_instance){.struct_size = sizeof(fixture.filter)};
	result = prj_provider_descriptor.open(&args, &fixture.filter);
	if (PRJ_FAILED(result))
		fixture.filter = (struct prj_provider_instance){0};
	return result;
}

void open_fault(const char *text)
{
	prj_result result = try_open_fault(text);

	assert_string_equal(fixture.message, "");
	assert_int_equal(result, PRJ_OK);
}

void close_fault(void)
{
	if (fixture.filter.context)
		prj_provider_descriptor.close(fixture.filter.context);
	fixture.filter = (struct prj_provider_instance){0};
}

static struct prj_callback_data data_for(const char *path, int32_t command_id)
{
	return (struct prj_callback_data){
	        .struct_size = sizeof(struct prj_callback_data),
	        .command_id = command_id,
	        .file_path_name = path,
	        .current_path_name = path,
	        .instance_context = fixture.filter.context,
	};
}

prj_result ask_start(const char *path)
{
	struct prj_callback_data data = data_for(path, 7);

	return fixture.filter.callbacks.start_directory_enumeration(&data, &(struct prj_guid){{1}});
}

static prj_result get(const char *path, uint32_t flags)
{
	struct prj_callback_data data = data_for(path, 7);

	data.flags = flags;
	fixture.buffer.n_entries = 0;
	fixture.buffer.capacity = FAKE_MAX_ENTRIES;
	return fixture.filter.callbacks.get_directory_enumeration(&data, &(struct prj_guid){{1}},
	                                                          NULL, &fixture.buffer);
}

prj_result ask_list(const char *path)
{
	return get(path, PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN);
}

prj_result ask_list_again(const char *path)
{
	return get(path, 0);
}

prj_result ask_end(const char *path)
{
	struct prj_callback_data data = data_for(path, 7);

	return fixture.filter.callbacks.end_directory_enumeration(&data, &(struct prj_guid){{1}});
}

prj_result ask_info_as(const char *path, int32_t command_id)
{
	struct prj_callback_data data = data_for(path, command_id);

	return fixture.filter.callbacks.get_placeholder_info(&data);
}

prj_result ask_info(const char *path)
{
	return ask_info_as(path, 7);
}

prj_result ask_data(const char *path, uint64_t offset, uint32_t length)
{
	struct prj_callback_data data = data_for(path, 7);

	return fixture.filter.callbacks.get_file_data(&data, offset, length);
}

prj_result ask_query(const char *path)
{
	struct prj_callback_data data = data_for(path, 7);

	return fixture.filter.callbacks.query_file_name(&data);
}

prj_result ask_notification(const char *path, enum prj_notification notification)
{
	struct prj_callback_data data = data_for(path, 7);
	union prj_notification_parameters parameters = {0};

	return fixture.filter.callbacks.notification(&data, 0, notification, NULL, &parameters);
}

void ask_cancel(int32_t command_id)
{
	struct prj_callback_data data = data_for("", command_id);

	fixture.filter.callbacks.cancel_command(&data);
}

const char *listed(void)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < fixture.buffer.n_entries; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
		                         fixture.buffer.entries[i].name);
	return text;
}

int64_t status(const char *key)
{
	return fake_status_of(&fixture.filter, key);
}
