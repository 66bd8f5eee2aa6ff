/* SPDX-License-Identifier: MIT */
#include "fake_answers.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FILE_SIZE_MAX (UINT64_C(1) << 40)

struct fake_answers answers;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void fake_answers_reset(void)
{
	answers = (struct fake_answers){0};
}

void fake_answers_await(size_t n_completions)
{
	pthread_mutex_lock(&lock);
	while (answers.n_completions < n_completions)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

const char *prj_result_name(prj_result result)
{
	switch (result) {
	case PRJ_ERR_ACCESS_DENIED:
		return "ACCESS_DENIED";
	case PRJ_ERR_FILE_NOT_FOUND:
		return "FILE_NOT_FOUND";
	case PRJ_ERR_IO_PENDING:
		return "IO_PENDING";
	default:
		return "undocumented code";
	}
}

prj_result prj_fill_dir_entry_buffer(const char *file_name, const struct prj_file_basic_info *info,
                                     prj_dir_entry_buffer *buffer)
{
	if (!*file_name || strchr(file_name, '/')) {
		answers.n_refused_names++;
		return PRJ_ERR_INVALID_PARAMETER;
	}
	return prj_fill_dir_entry_buffer2(buffer, file_name, info, NULL);
}

prj_result prj_write_placeholder_info(prj_instance *instance, const char *destination_file_name,
                                      const struct prj_placeholder_info *info, uint32_t info_size)
{
	size_t i = answers.n_placeholders++ % FAKE_MAX_ANSWERS;

	(void)snprintf(answers.paths[i], sizeof(answers.paths[i]), "%s", destination_file_name);
	answers.infos[i] = *info;
	return PRJ_OK;
}

prj_result prj_write_file_data(prj_instance *instance, const struct prj_guid *data_stream_id,
                               const void *buffer, uint64_t byte_offset, uint32_t length)
{
	struct fake_write *write = &answers.writes[answers.n_writes++ % FAKE_MAX_ANSWERS];

	*write = (struct fake_write){byte_offset, length, *(const uint8_t *)buffer};
	return byte_offset > FILE_SIZE_MAX ? PRJ_ERR_INVALID_PARAMETER : PRJ_OK;
}

prj_result prj_complete_command(
        prj_instance *instance, int32_t command_id, prj_result completion_result,
        const struct prj_complete_command_extended_parameters *extended_parameters)
{
	struct fake_completion completion = {
	        .command_id = command_id, .result = completion_result, .is_accepted = true};

	if (extended_parameters) {
		completion.type = extended_parameters->command_type;
		if (completion.type == PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION)
			completion.buffer = extended_parameters->u.enumeration.dir_entry_buffer;
		else
			completion.mask = extended_parameters->u.notification.notification_mask;
	}
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < answers.n_completions; i++)
		if (answers.completions[i].command_id == command_id)
			completion.is_accepted = false;
	answers.completions[answers.n_completions++ % FAKE_MAX_ANSWERS] = completion;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return completion.is_accepted ? PRJ_OK : PRJ_ERR_INVALID_PARAMETER;
}
