/* SPDX-License-Identifier: MIT */
/* From a command of the core to a call of the provider's function, and its result back. */

#include <errno.h>
#include <string.h>

#include "api/checker.h"
#include "api/convert.h"
#include "api/instance.h"
#include "api/notifications.h"
#include "api/result.h"
#include "core/process.h"
#include "util/log.h"

/* Everything a callback's data may point to, for as long as the callback runs. */
struct frame {
	struct prj_callback_data data;
	struct prj_placeholder_version_info version;
	struct process *process; /* referenced */
	union prj_notification_parameters parameters;
	struct prj_guid session;
};

static const char *callback_name(enum command_kind kind)
{
	switch (kind) {
	case COMMAND_START_ENUM:
		return "start_directory_enumeration";
	case COMMAND_GET_ENUM:
		return "get_directory_enumeration";
	case COMMAND_END_ENUM:
		return "end_directory_enumeration";
	case COMMAND_PLACEHOLDER:
		return "get_placeholder_info";
	case COMMAND_QUERY_NAME:
		return "query_file_name";
	case COMMAND_NOTIFY:
		return "notification";
	default:
		return "get_file_data";
	}
}

/* Who made it necessary, where the reference says that this is told. */
static void fill_process(const struct command *cmd, struct frame *f)
{
	if (cmd->kind == COMMAND_NOTIFY)
		f->process = process_ref(cmd->process);
	else if (cmd->kind == COMMAND_PLACEHOLDER || cmd->kind == COMMAND_DATA ||
		 cmd->kind == COMMAND_QUERY_NAME)
		f->process = process_of_thread(cmd->pid, cmd->uid);
	if (!f->process)
		return;
	f->data.triggering_process_id = f->process->pid;
	f->data.triggering_uid = f->process->uid;
	if (f->process->image[0])
		f->data.triggering_process_image_file_name = f->process->image;
}

static void fill_notification(struct prj_instance *instance, const struct command *cmd, struct frame *f)
{
	f->data.sequence = cmd->sequence;
	if (cmd->handle)
		command_handle_id(instance->core, cmd, f->data.file_id.bytes);
	if (cmd->event == CORE_EVENT_CLOSED_DELETED)
		f->parameters.file_deleted_on_handle_close.is_file_modified = cmd->is_modified;
}

static void fill_frame(struct prj_instance *instance, const struct command *cmd, struct frame *f)
{
	struct record rec;

	f->data = (struct prj_callback_data){
		.struct_size = sizeof(f->data),
		.instance = instance,
		.command_id = cmd->id,
		.file_path_name = cmd->path,
		.current_path_name = cmd->current_path ? cmd->current_path : cmd->path,
		.triggering_uid = cmd->pid ? cmd->uid : UINT32_MAX,
		.instance_context = instance->context,
	};
	memcpy(f->session.bytes, cmd->session_id, sizeof(f->session.bytes));
	if (cmd->version && record_decode(cmd->version, cmd->version_size, &rec) == 0) {
		convert_version_info(&rec, &f->version);
		f->data.version_info = &f->version;
	}
	fill_process(cmd, f);
	if (cmd->kind == COMMAND_NOTIFY)
		fill_notification(instance, cmd, f);
	if (cmd->kind == COMMAND_DATA)
		command_stream_id(instance->core, cmd, f->data.data_stream_id.bytes);
	if (cmd->kind == COMMAND_GET_ENUM && cmd->restart)
		f->data.flags = PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN;
}

static prj_result call(struct prj_instance *instance, struct command *cmd, struct frame *f)
{
	const struct prj_callbacks *cb = &instance->callbacks;

	switch (cmd->kind) {
	case COMMAND_START_ENUM:
		return cb->start_directory_enumeration(&f->data, &f->session);
	case COMMAND_GET_ENUM:
		return cb->get_directory_enumeration(&f->data, &f->session, NULL,
						     (prj_dir_entry_buffer *)cmd->buffer);
	case COMMAND_END_ENUM:
		return cb->end_directory_enumeration(&f->data, &f->session);
	case COMMAND_PLACEHOLDER:
		return cb->get_placeholder_info(&f->data);
	case COMMAND_QUERY_NAME:
		return cb->query_file_name(&f->data);
	case COMMAND_NOTIFY:
		return cb->notification(&f->data, cmd->is_directory,
					(enum prj_notification)cmd->event, cmd->destination,
					&f->parameters);
	default:
		return cb->get_file_data(&f->data, cmd->offset, (uint32_t)cmd->length);
	}
}

/* The provider may answer with a mask: it is in the parameters of those notifications that have one. */
static void take_mask(struct prj_instance *instance, struct command *cmd, const struct frame *f)
{
	uint32_t mask;

	switch (cmd->event) {
	case CORE_EVENT_OPENED:
	case CORE_EVENT_CREATED:
	case CORE_EVENT_OVERWRITTEN:
		mask = f->parameters.post_create.notification_mask;
		break;
	case CORE_EVENT_RENAMED:
		mask = f->parameters.file_renamed.notification_mask;
		break;
	default:
		return;
	}
	if (mask_is_reply(mask)) {
		cmd->reply_mask = mask;
		return;
	}
	core_count_provider_fault(instance->core);
	log_warning("the answer to the notification 0x%x about \"%s\" has the mask 0x%x with unknown bits: "
		    "ignored", cmd->event, cmd->path, mask);
}

void undocumented_code(struct prj_instance *instance, const struct command *cmd, prj_result result)
{
	core_count_provider_fault(instance->core);
	if (instance->checker)
		return; /* which reports it, with advice */
	log_warning("%s of \"%s\" returned 0x%08x (%s), which a callback may not return: reported as EIO",
		    callback_name(cmd->kind), cmd->path, (unsigned)result,
		    prj_result_name(result));
}

static void check_begin(struct prj_instance *instance, const struct command *cmd)
{
	if (instance->checker)
		checker_begin(instance->checker, cmd, callback_name(cmd->kind));
	else if (cmd->buffer && checker_is_in_use())
		checker_buffer_is_new(cmd->buffer);
}

static int invoke(void *context, struct command *cmd)
{
	struct prj_instance *instance = context;
	struct frame frame = {0};
	int documented, r;
	prj_result result;

	fill_frame(instance, cmd, &frame);
	check_begin(instance, cmd);
	result = call(instance, cmd, &frame);
	if (instance->checker)
		checker_returned(instance->checker, cmd, result);
	if (cmd->kind == COMMAND_NOTIFY && result == PRJ_OK)
		take_mask(instance, cmd, &frame);
	process_unref(frame.process);
	r = result_of_callback(result, &documented);
	if (!documented)
		undocumented_code(instance, cmd, result);
	return r;
}

static void cancel(void *context, struct command *cmd)
{
	struct prj_instance *instance = context;
	struct frame frame = {0};

	if (instance->checker)
		checker_cancelled(instance->checker, cmd->id);
	if (!instance->callbacks.cancel_command)
		return;
	fill_frame(instance, cmd, &frame);
	instance->callbacks.cancel_command(&frame.data);
	process_unref(frame.process);
}

const struct core_provider api_provider = {.invoke = invoke, .cancel = cancel};
