/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <stdlib.h>
#include <string.h>

const char *callback_name(enum callback callback)
{
	static const char *const names[N_CALLBACKS] = {
	        [CALLBACK_START] = "start_directory_enumeration",
	        [CALLBACK_GET] = "get_directory_enumeration",
	        [CALLBACK_END] = "end_directory_enumeration",
	        [CALLBACK_INFO] = "get_placeholder_info",
	        [CALLBACK_DATA] = "get_file_data",
	        [CALLBACK_QUERY] = "query_file_name",
	        [CALLBACK_NOTIFICATION] = "notification",
	        [CALLBACK_CANCEL] = "cancel_command",
	};

	return names[callback];
}

struct call call_of(enum callback callback, const struct prj_callback_data *data,
                    const struct prj_provider_instance *inner)
{
	struct call call = {.callback = callback};
	size_t size = data->struct_size < sizeof(call.data) ? data->struct_size : sizeof(call.data);

	memcpy(&call.data, data, size);
	call.data.struct_size = (uint32_t)size;
	call.data.instance_context = inner->context;
	return call;
}

prj_result call_forward(const struct call *call, const struct prj_provider_instance *inner)
{
	const struct prj_callbacks *callbacks = &inner->callbacks;

	switch (call->callback) {
	case CALLBACK_START:
		return callbacks->start_directory_enumeration(&call->data, &call->enumeration_id);
	case CALLBACK_GET:
		return callbacks->get_directory_enumeration(&call->data, &call->enumeration_id,
		                                            call->expression, call->buffer);
	case CALLBACK_END:
		return callbacks->end_directory_enumeration(&call->data, &call->enumeration_id);
	case CALLBACK_INFO:
		return callbacks->get_placeholder_info(&call->data);
	case CALLBACK_DATA:
		return callbacks->get_file_data(&call->data, call->offset, call->length);
	case CALLBACK_QUERY:
		return callbacks->query_file_name(&call->data);
	case CALLBACK_NOTIFICATION:
		if (callbacks->notification)
			return callbacks->notification(&call->data, call->is_directory,
			                               call->notification, call->destination,
			                               call->parameters);
		return PRJ_OK;
	case CALLBACK_CANCEL:
	case N_CALLBACKS:
		break;
	}
	return PRJ_ERR_INTERNAL_ERROR;
}

/* Does the provider answer this notification with a mask? */
static bool has_mask(const struct call *call)
{
	switch (call->notification) {
	case PRJ_NOTIFICATION_FILE_OPENED:
	case PRJ_NOTIFICATION_NEW_FILE_CREATED:
	case PRJ_NOTIFICATION_FILE_OVERWRITTEN:
	case PRJ_NOTIFICATION_FILE_RENAMED:
		return call->parameters;
	default:
		return false;
	}
}

prj_result call_complete(const struct call *call, prj_result result)
{
	struct prj_complete_command_extended_parameters more = {0}, *extended = NULL;

	if (call->callback == CALLBACK_GET) {
		more.command_type = PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION;
		more.u.enumeration.dir_entry_buffer = call->buffer;
		extended = &more;
	} else if (call->callback == CALLBACK_NOTIFICATION && has_mask(call)) {
		more.command_type = PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION;
		/* at the same place in every member that has one */
		more.u.notification.notification_mask =
		        call->parameters->post_create.notification_mask;
		extended = &more;
	}
	return prj_complete_command(call->data.instance, call->data.command_id, result, extended);
}

/* ---- copies --------------------------------------------------------------------------------- */

/* The call, and what its pointers point to. */
struct owned_call {
	struct call call;
	struct prj_placeholder_version_info version;
	union prj_notification_parameters parameters;
};

/* Make *text a copy of itself; NULL is one. */
static bool own_text(const char **text)
{
	const char *original = *text;

	*text = original ? strdup(original) : NULL;
	return !original || *text;
}

struct call *call_copy(const struct call *call)
{
	struct owned_call *o = malloc(sizeof(*o));
	struct prj_callback_data *data = o ? &o->call.data : NULL;
	const char **texts[5];
	bool is_whole = true;

	if (!o)
		return NULL;
	o->call = *call;
	if (data->version_info) {
		o->version = *data->version_info;
		data->version_info = &o->version;
	}
	if (call->parameters) {
		o->parameters = *call->parameters;
		o->call.parameters = &o->parameters;
	}
	texts[0] = &data->file_path_name;
	texts[1] = &data->current_path_name;
	texts[2] = &data->triggering_process_image_file_name;
	texts[3] = &o->call.expression;
	texts[4] = &o->call.destination;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_whole = own_text(texts[i]) && is_whole;
	if (!is_whole) {
		call_free(&o->call);
		return NULL;
	}
	return &o->call;
}

void call_free(struct call *call)
{
	if (!call)
		return;
	free((char *)call->data.file_path_name);
	free((char *)call->data.current_path_name);
	free((char *)call->data.triggering_process_image_file_name);
	free((char *)call->expression);
	free((char *)call->destination);
	free(call); /* the first member of what was allocated */
}
