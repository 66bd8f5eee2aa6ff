/* SPDX-License-Identifier: MIT */
/* What a provider says: placeholders, content, listings, completions. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/checker.h"
#include "api/convert.h"
#include "api/instance.h"
#include "api/notifications.h"
#include "api/result.h"
#include "core/dir_buffer.h"
#include "util/name.h"

static prj_result not_running(void)
{
	return fail(PRJ_ERR_INVALID_PARAMETER, "the instance is NULL, or it has been stopped");
}

static prj_result check_path(const char *path)
{
	const char *name;

	if (!path || !*path || !path_is_valid(path)) {
		for (name = path; name && *name; name += strcspn(name, "/"), name += *name == '/')
			if (strcspn(name, "/") > NAME_MAX_BYTES)
				return fail(PRJ_ERR_FILENAME_EXCED_RANGE,
					    "\"%s\" has a name of more than %d bytes", path,
					    NAME_MAX_BYTES);
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "\"%s\" is no relative path: give names separated by single '/', without "
			    "\".\", \"..\" or a leading '/'", path ? path : "(null)");
	}
	if (!strncmp(path, STORE_PRIVATE, strlen(STORE_PRIVATE)) &&
	    (path[strlen(STORE_PRIVATE)] == '\0' || path[strlen(STORE_PRIVATE)] == '/'))
		return fail(PRJ_ERR_INVALID_PARAMETER, "\"%s\" is projfs's own and cannot be projected",
			    path);
	return PRJ_OK;
}

/* @rec is only looked at if @result is PRJ_OK. */
static void check_placeholder(prj_instance *instance, const char *path, const struct record *rec,
			      prj_result result)
{
	if (!checker_is_in_use() || !instance_enter(instance))
		return;
	if (instance->checker)
		checker_placeholder(instance->checker, path, rec, result);
	instance_leave(instance);
}

prj_result prj_write_placeholder_info2(prj_instance *instance, const char *destination_file_name,
				       const struct prj_placeholder_info *info, uint32_t info_size,
				       const struct prj_extended_info *extended_info)
{
	struct converted c;
	prj_result result;
	int r;

	if (!instance)
		return not_running();
	result = check_path(destination_file_name);
	if (result != PRJ_OK) {
		check_placeholder(instance, destination_file_name, NULL, result);
		return result;
	}
	result = convert_placeholder_info(info, info_size, extended_info, &c);
	if (result == PRJ_OK && !instance_enter(instance)) {
		result = not_running();
	} else if (result == PRJ_OK) {
		r = core_write_placeholder(instance->core, destination_file_name, &c.rec);
		instance_leave(instance);
		if (r == -ENOENT)
			result = fail(PRJ_ERR_PATH_NOT_FOUND, "\"%s\": its directory is not known yet: "
				      "write the directory's placeholder first", destination_file_name);
		else if (r < 0)
			result = fail_errno(r, "writing the placeholder of \"%s\": %s",
					    destination_file_name, strerror(-r));
	}
	check_placeholder(instance, destination_file_name, &c.rec, result);
	converted_deinit(&c);
	return result;
}

prj_result prj_write_placeholder_info(prj_instance *instance, const char *destination_file_name,
				      const struct prj_placeholder_info *info, uint32_t info_size)
{
	return prj_write_placeholder_info2(instance, destination_file_name, info, info_size, NULL);
}

static prj_result data_result(int r)
{
	switch (r) {
	case 0:
		return PRJ_OK;
	case -EBADF:
		return fail(PRJ_ERR_INVALID_HANDLE,
			    "no get_file_data command waits for this data stream any more");
	case -EINVAL:
		return fail(PRJ_ERR_INVALID_PARAMETER, "the bytes lie beyond the end of the file");
	case -EBUSY:
		return fail(PRJ_ERR_VIRTUALIZATION_BUSY, "the source file ended early: it has changed");
	default:
		return fail_errno(r, "storing content: %s", strerror(-r));
	}
}

prj_result prj_write_file_data(prj_instance *instance, const struct prj_guid *data_stream_id,
			       const void *buffer, uint64_t byte_offset, uint32_t length)
{
	int r;

	if (!instance || !data_stream_id || !buffer || !length)
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "instance, stream and buffer must not be NULL, and length not 0");
	if (!instance_enter(instance))
		return data_result(-EBADF);
	r = core_write_data(instance->core, data_stream_id->bytes, buffer, byte_offset, length);
	if (instance->checker)
		checker_data(instance->checker, data_stream_id->bytes, buffer, byte_offset, length, r);
	instance_leave(instance);
	return data_result(r);
}

prj_result prj_write_file_data_from_fd(prj_instance *instance,
				       const struct prj_guid *data_stream_id, int fd,
				       uint64_t fd_offset, uint64_t byte_offset, uint64_t length,
				       uint32_t flags)
{
	int r;

	if (!instance || !data_stream_id || fd < 0 || !length || fd_offset > INT64_MAX ||
	    flags & ~(uint32_t)PRJ_WRITE_ON_COMPLETION)
		return fail(PRJ_ERR_INVALID_PARAMETER, "instance and stream must not be NULL, the "
			    "descriptor must be open, length not 0, flags known");
	if (!instance_enter(instance))
		return data_result(-EBADF);
	r = core_write_data_from_fd(instance->core, data_stream_id->bytes, fd, fd_offset, byte_offset,
				    length, flags & PRJ_WRITE_ON_COMPLETION);
	if (instance->checker)
		checker_data_from_fd(instance->checker, data_stream_id->bytes, fd, fd_offset, byte_offset,
				     length, r);
	instance_leave(instance);
	return data_result(r);
}

static prj_result fill_refused(prj_result result)
{
	return fail(result, result == PRJ_ERR_OPERATION_ABORTED
				    ? "nobody waits for this listing any more: complete its command"
				    : "the callback that the buffer belongs to is over");
}

prj_result prj_fill_dir_entry_buffer2(prj_dir_entry_buffer *buffer, const char *file_name,
				      const struct prj_file_basic_info *info,
				      const struct prj_extended_info *extended_info)
{
	struct converted c;
	bool is_converted;
	prj_result result;
	int r;

	if (!buffer || !file_name)
		return fail(PRJ_ERR_INVALID_PARAMETER, "buffer and file name must not be NULL");
	if (checker_is_in_use()) {
		result = checker_buffer((struct dir_buffer *)buffer, file_name);
		if (result != PRJ_OK)
			return fill_refused(result);
	}
	result = convert_basic_info(info, extended_info, &c);
	is_converted = result == PRJ_OK;
	if (is_converted) {
		r = dir_buffer_add((struct dir_buffer *)buffer, file_name, &c.rec);
		if (r == -ENOBUFS)
			result = PRJ_ERR_INSUFFICIENT_BUFFER; /* in every long listing: no message */
		else if (r == -ECANCELED)
			result = fill_refused(PRJ_ERR_OPERATION_ABORTED);
		else if (r == -ENOMEM)
			result = PRJ_ERR_OUT_OF_MEMORY;
		else if (r < 0)
			result = fail_errno(r, "\"%s\" is not a possible name of a file", file_name);
	}
	if (checker_is_in_use())
		checker_entry((struct dir_buffer *)buffer, file_name, is_converted ? &c.rec : NULL, result);
	converted_deinit(&c);
	return result;
}

prj_result prj_fill_dir_entry_buffer(const char *file_name, const struct prj_file_basic_info *info,
				     prj_dir_entry_buffer *buffer)
{
	return prj_fill_dir_entry_buffer2(buffer, file_name, info, NULL);
}

prj_result prj_complete_command(prj_instance *instance, int32_t command_id,
				prj_result completion_result,
				const struct prj_complete_command_extended_parameters *extended)
{
	struct core_completion more = {0};
	int documented, error, r;
	struct command *cmd;

	if (!instance || completion_result == PRJ_ERR_IO_PENDING)
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "instance is NULL, or the result is IO_PENDING, which completes nothing");
	if (extended) {
		if (extended->command_type == PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION) {
			more.buffer = (struct dir_buffer *)extended->u.enumeration.dir_entry_buffer;
		} else if (extended->command_type == PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION) {
			more.has_mask = true;
			more.mask = extended->u.notification.notification_mask;
			if (!mask_is_reply(more.mask))
				return fail(PRJ_ERR_INVALID_PARAMETER,
					    "unknown bits in the notification mask 0x%x", more.mask);
		} else {
			return fail(PRJ_ERR_INVALID_PARAMETER, "unknown command type %d",
				    (int)extended->command_type);
		}
	}
	error = result_of_callback(completion_result, &documented);
	if (!instance_enter(instance))
		return not_running();
	cmd = documented ? NULL : command_find(instance->core, command_id);
	if (cmd)
		undocumented_code(instance, cmd, completion_result);
	command_unref(instance->core, cmd);
	if (instance->checker)
		checker_completing(instance->checker, command_id, completion_result, &more);
	r = core_complete(instance->core, command_id, error, &more);
	instance_leave(instance);
	return r < 0 ? fail_errno(r, "command %d is not pended, or the extended parameters do not fit it: a "
				  "listing wants its buffer, and only a notification takes a mask", command_id)
		     : PRJ_OK;
}

prj_result prj_clear_negative_path_cache(prj_instance *instance, uint32_t *ret_total_entry_number)
{
	uint32_t n;

	if (!instance || !instance_enter(instance))
		return not_running();
	n = core_clear_negative_paths(instance->core);
	if (instance->checker)
		checker_view_changed(instance->checker);
	instance_leave(instance);
	if (ret_total_entry_number)
		*ret_total_entry_number = n;
	return PRJ_OK;
}

/* ---- later versions ------------------------------------------------------------------------ */

static prj_result not_yet(const char *function)
{
	return fail(PRJ_ERR_NOT_SUPPORTED, "%s is not in this version of projfs", function);
}

prj_result prj_update_file_if_needed(prj_instance *instance, const char *destination_file_name,
				     const struct prj_placeholder_info *info, uint32_t info_size,
				     uint32_t update_flags, uint32_t *ret_failure_causes)
{
	(void)instance;
	(void)destination_file_name;
	(void)info;
	(void)info_size;
	(void)update_flags;
	(void)ret_failure_causes;
	return not_yet(__func__);
}

prj_result prj_delete_file(prj_instance *instance, const char *destination_file_name,
			   uint32_t update_flags, uint32_t *ret_failure_causes)
{
	(void)instance;
	(void)destination_file_name;
	(void)update_flags;
	(void)ret_failure_causes;
	return not_yet(__func__);
}
