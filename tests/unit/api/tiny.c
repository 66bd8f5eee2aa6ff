/* SPDX-License-Identifier: MIT */
#include "tiny.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct item {
	const char *path;
	bool is_directory;
	uint32_t attributes;
	uint32_t size;
	const char *content_id;
} items[] = {
        {"d", true, PRJ_FILE_ATTRIBUTE_DIRECTORY, 0, "version of d"},
        {"d/f", false, PRJ_FILE_ATTRIBUTE_NORMAL, 10000, "version of f"},
        {"file", false, PRJ_FILE_ATTRIBUTE_DIRECTORY, 5, ""}, /* which it is not */
        {"empty", true, 0, 0, ""},
        {"folder", true, PRJ_FILE_ATTRIBUTE_NORMAL, 0, ""}, /* nor is this a file */
        {"folder/large", false, 0, 5000123, ""},
        {"folder/read", false, 0, 5, ""},
        {"folder/write", false, 0, 5, ""},
        {"folder/overwrite", false, 0, 5, ""},
        {"folder/delete", false, 0, 5, ""},
        {"folder/rename", false, 0, 5, ""},
        {"folder/link", false, 0, 5, ""},
};
#define N_ITEMS (sizeof(items) / sizeof(items[0]))

static struct prj_placeholder_info info_of(const struct item *item)
{
	struct prj_placeholder_info info = {
	        .struct_size = sizeof(info),
	        .file_basic_info = {.struct_size = sizeof(info.file_basic_info),
	                            .is_directory = item->is_directory,
	                            .file_attributes = item->attributes,
	                            .file_size = item->size,
	                            .last_write_time.sec = 1700000000,
	                            .change_time.sec = 1700000000},
	};

	memcpy(info.version_info.content_id, item->content_id, strlen(item->content_id));
	return info;
}

/* ---- callbacks -------------------------------------------------------------------------------- */

static void note(struct tiny *t, struct tiny_call *call, const struct prj_callback_data *data)
{
	call->data = *data;
	(void)snprintf(call->path, sizeof(call->path), "%s", data->file_path_name);
	if (data->triggering_process_image_file_name)
		(void)snprintf(call->image, sizeof(call->image), "%s",
		               data->triggering_process_image_file_name);
	if (data->version_info) {
		call->has_version = true;
		call->version = *data->version_info;
	}
	pthread_mutex_lock(&t->lock);
	if (t->n_calls < TINY_CALLS_MAX)
		t->calls[t->n_calls++] = *call;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* To be asked before the call is noted: then the test may change it. */
static prj_result result_of(struct tiny *t, enum tiny_kind kind)
{
	prj_result result;

	pthread_mutex_lock(&t->lock);
	result = t->result[kind];
	pthread_mutex_unlock(&t->lock);
	return result;
}

static prj_result on_start(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {.kind = TINY_START, .session = *id};
	prj_result result = result_of(t, TINY_START);

	t->has_listed = false;
	note(t, &call, data);
	return result;
}

static prj_result on_end(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {.kind = TINY_END, .session = *id};
	prj_result result = result_of(t, TINY_END);

	note(t, &call, data);
	return result;
}

/* All in one go: there are few, and a buffer takes many. */
static prj_result list(struct tiny *t, const struct tiny_call *call)
{
	if (t->has_listed)
		return PRJ_OK;
	t->has_listed = true;
	for (size_t i = 0; i < N_ITEMS; i++) {
		const char *slash = strrchr(items[i].path, '/');
		size_t length = slash ? (size_t)(slash - items[i].path) : 0;
		struct prj_placeholder_info info = info_of(&items[i]);
		prj_result result;

		if (strlen(call->path) != length || memcmp(call->path, items[i].path, length) != 0)
			continue;
		result = prj_fill_dir_entry_buffer(slash ? slash + 1 : items[i].path,
		                                   &info.file_basic_info, call->buffer);
		if (PRJ_FAILED(result))
			return result;
	}
	return PRJ_OK;
}

static prj_result on_get(const struct prj_callback_data *data, const struct prj_guid *id,
                         const char *expression, prj_dir_entry_buffer *buffer)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {
	        .kind = TINY_GET, .session = *id, .has_expression = expression, .buffer = buffer};
	prj_result result = result_of(t, TINY_GET);

	note(t, &call, data);
	return result != PRJ_OK ? result : list(t, &call);
}

static prj_result describe(struct tiny *t, prj_instance *instance, const char *path)
{
	if (t->denied && !strcmp(path, t->denied))
		return PRJ_ERR_ACCESS_DENIED;
	for (size_t i = 0; i < N_ITEMS; i++) {
		struct prj_placeholder_info info = info_of(&items[i]);

		if (!strcmp(path, items[i].path))
			return prj_write_placeholder_info(instance, path, &info, sizeof(info));
	}
	return PRJ_ERR_FILE_NOT_FOUND;
}

static void hold(struct tiny *t)
{
	pthread_mutex_lock(&t->lock);
	if (t->is_held && ++t->n_inside > t->max_inside)
		t->max_inside = t->n_inside;
	pthread_cond_broadcast(&t->changed);
	while (t->is_held)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static prj_result on_info(const struct prj_callback_data *data)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {.kind = TINY_INFO};
	prj_result result = result_of(t, TINY_INFO);

	note(t, &call, data);
	hold(t);
	return result != PRJ_OK ? result : describe(t, data->instance, call.path);
}

prj_result tiny_answer(struct tiny *t, const struct tiny_call *call)
{
	return call->kind == TINY_GET ? list(t, call)
	                              : describe(t, call->data.instance, call->path);
}

static prj_result on_data(const struct prj_callback_data *data, uint64_t offset, uint32_t length)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {.kind = TINY_DATA, .offset = offset, .length = length};
	prj_result result = result_of(t, TINY_DATA);
	char *bytes;

	note(t, &call, data);
	if (result != PRJ_OK)
		return result;
	bytes = malloc(length);
	if (!bytes)
		return PRJ_ERR_OUT_OF_MEMORY;
	memset(bytes, 'x', length);
	result = prj_write_file_data(data->instance, &data->data_stream_id, bytes, offset, length);
	free(bytes);
	return result;
}

static prj_result on_notification(const struct prj_callback_data *data, int is_directory,
                                  enum prj_notification event, const char *destination,
                                  union prj_notification_parameters *parameters)
{
	struct tiny *t = data->instance_context;
	struct tiny_call call = {.kind = TINY_NOTIFICATION, .event = event};
	prj_result result = result_of(t, TINY_NOTIFICATION);

	(void)is_directory;
	(void)destination;
	if (event == PRJ_NOTIFICATION_FILE_OPENED) {
		call.mask = parameters->post_create.notification_mask;
		parameters->post_create.notification_mask = t->reply_mask;
	}
	note(t, &call, data);
	return result;
}

static void on_cancel(const struct prj_callback_data *data)
{
	struct tiny_call call = {.kind = TINY_CANCEL};

	note(data->instance_context, &call, data);
}

/* ---- life --------------------------------------------------------------------------------------- */

int tiny_setup(void **state)
{
	struct tiny *t = calloc(1, sizeof(*t));
	const char *tmp = getenv("TMPDIR");
	struct prj_placeholder_version_info version = {.content_id = "version of the root"};
	struct prj_guid id;

	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	(void)snprintf(t->root, sizeof(t->root), "%s/projfs-tiny-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(t->root));
	prj_guid_generate(&id);
	assert_int_equal(prj_mark_directory_as_placeholder(t->root, NULL, &version, &id), PRJ_OK);
	t->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(t->callbacks),
	        .start_directory_enumeration = on_start,
	        .end_directory_enumeration = on_end,
	        .get_directory_enumeration = on_get,
	        .get_placeholder_info = on_info,
	        .get_file_data = on_data,
	        .cancel_command = on_cancel,
	};
	t->callbacks.notification = on_notification;
	t->options.struct_size = sizeof(t->options);
	t->options.lookup_timeout_ms = 20000; /* no test waits for longer */
	t->options.data_timeout_ms = 20000;
	*state = t;
	return 0;
}

void tiny_start(struct tiny *t)
{
	prj_result result =
	        prj_start_virtualizing(t->root, &t->callbacks, t, &t->options, &t->instance);

	if (PRJ_FAILED(result))
		fail_msg("start: %s: %s", prj_result_name(result), prj_last_error_message());
}

void tiny_stop(struct tiny *t)
{
	prj_stop_virtualizing(t->instance);
	t->instance = NULL;
}

int tiny_teardown(void **state)
{
	struct tiny *t = *state;

	tiny_stop(t);
	(void)tiny_run(t, "rm -rf \"$0\"", NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return 0;
}

/* ---- applications --------------------------------------------------------------------------------- */

pid_t tiny_spawn(struct tiny *t, const char *script)
{
	char *argv[] = {"sh", "-c", (char *)script, t->root, NULL};
	pid_t pid;

	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	return pid;
}

int tiny_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int tiny_run(struct tiny *t, const char *script, pid_t *ret_pid)
{
	pid_t pid = tiny_spawn(t, script);

	if (ret_pid)
		*ret_pid = pid;
	return tiny_wait(pid);
}

void tiny_answer_with(struct tiny *t, enum tiny_kind kind, prj_result result)
{
	pthread_mutex_lock(&t->lock);
	t->result[kind] = result;
	pthread_mutex_unlock(&t->lock);
}
