/* SPDX-License-Identifier: MIT */
/* From a command of the core to a call of the provider's function, and its result back. */

#include <errno.h>
#include <string.h>

#include "api/convert.h"
#include "api/instance.h"
#include "api/process.h"
#include "api/result.h"
#include "util/log.h"

/* Everything a callback's data may point to, for as long as the callback runs. */
struct frame {
	struct prj_callback_data data;
	struct prj_placeholder_version_info version;
	struct process process;
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
	default:
		return "get_file_data";
	}
}

static void fill_frame(struct prj_instance *instance, const struct command *cmd, struct frame *f)
{
	struct record rec;

	f->data = (struct prj_callback_data){
		.struct_size = sizeof(f->data),
		.instance = instance,
		.command_id = cmd->id,
		.file_path_name = cmd->path,
		.current_path_name = cmd->current_path,
		.triggering_uid = cmd->pid ? cmd->uid : UINT32_MAX,
		.instance_context = instance->context,
	};
	memcpy(f->session.bytes, cmd->session_id, sizeof(f->session.bytes));
	if (cmd->version && record_decode(cmd->version, cmd->version_size, &rec) == 0) {
		convert_version_info(&rec, &f->version);
		f->data.version_info = &f->version;
	}
	if (cmd->kind == COMMAND_PLACEHOLDER || cmd->kind == COMMAND_DATA) {
		process_of_thread(cmd->pid, &f->process);
		f->data.triggering_process_id = f->process.pid;
		if (f->process.image[0])
			f->data.triggering_process_image_file_name = f->process.image;
	}
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
	default:
		return cb->get_file_data(&f->data, cmd->offset, (uint32_t)cmd->length);
	}
}

static int invoke(void *context, struct command *cmd)
{
	struct prj_instance *instance = context;
	struct frame frame = {0};
	int documented, r;
	prj_result result;

	fill_frame(instance, cmd, &frame);
	result = call(instance, cmd, &frame);
	r = result_of_callback(result, &documented);
	if (!documented) {
		core_count_provider_fault(instance->core);
		log_warning("%s of \"%s\" returned 0x%08x (%s), which a callback may not return: "
			    "reported as EIO", callback_name(cmd->kind), cmd->path, (unsigned)result,
			    prj_result_name(result));
	}
	return r;
}

static void cancel(void *context, struct command *cmd)
{
	struct prj_instance *instance = context;
	struct frame frame = {0};

	if (!instance->callbacks.cancel_command)
		return;
	fill_frame(instance, cmd, &frame);
	instance->callbacks.cancel_command(&frame.data);
}

const struct core_provider api_provider = {.invoke = invoke, .cancel = cancel};
