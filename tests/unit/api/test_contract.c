/* SPDX-License-Identifier: MIT */
/* What callbacks are given, and what becomes of what they answer, through the public functions and a real mount. */

#include "tiny.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_IT "exec cat \"$0/d/f\" >/dev/null"
#define LIST_IT "exec ls \"$0/d\" >/dev/null"

static bool is_zero(const struct prj_guid *id)
{
	static const struct prj_guid zero;

	return !memcmp(id, &zero, sizeof(zero));
}

static bool is_version(const struct tiny_call *call, const char *content_id)
{
	struct prj_placeholder_version_info version = {{0}, {0}};

	memcpy(version.content_id, content_id, strlen(content_id));
	return call->has_version && !memcmp(&call->version, &version, sizeof(version));
}

/* ---- what callbacks are given ------------------------------------------------------------------ */

static void callback_data_is_complete(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, READ_IT, NULL), 0);
	assert_int_equal(tiny_run(t, LIST_IT, NULL), 0);
	tiny_find(t, TINY_END, "d");
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_calls; i++) {
		const struct prj_callback_data *data = &t->calls[i].data;

		assert_int_equal(data->struct_size, sizeof(*data));
		assert_ptr_equal(data->instance, t->instance);
		assert_ptr_equal(data->instance_context, t);
		assert_true(data->command_id > 0);
		assert_int_equal(t->calls[i].mask, 0);
		assert_true(t->calls[i].kind == TINY_GET || !data->flags);
		assert_true(is_zero(&data->data_stream_id) == (t->calls[i].kind != TINY_DATA));
		assert_true(is_zero(&data->file_id) == (t->calls[i].kind != TINY_NOTIFICATION));
	}
	pthread_mutex_unlock(&t->lock);
}

static void who_caused_it_is_told(void **state)
{
	static const enum tiny_kind kinds[] = {TINY_INFO, TINY_DATA, TINY_NOTIFICATION};
	struct tiny *t = *state;
	char *cat;
	pid_t pid;

	cat = realpath("/bin/cat", NULL);
	tiny_start(t);
	assert_int_equal(tiny_run(t, READ_IT, &pid), 0);
	for (size_t i = 0; i < 3; i++) {
		struct tiny_call call = tiny_find(t, kinds[i], "d/f");

		assert_int_equal(call.data.triggering_process_id, pid);
		assert_int_equal(call.data.triggering_uid, getuid());
		assert_string_equal(call.image, cat);
	}
	free(cat);
}

static void version_info_is_that_of_the_target_or_of_its_directory(void **state)
{
	struct tiny *t = *state;
	struct tiny_call call;

	tiny_start(t);
	assert_int_equal(tiny_run(t, READ_IT, NULL), 0);
	assert_int_equal(tiny_run(t, LIST_IT, NULL), 0);
	call = tiny_find(t, TINY_DATA, "d/f");
	assert_true(is_version(&call, "version of f"));
	call = tiny_find(t, TINY_INFO, "d/f");
	assert_true(is_version(&call, "version of d"));
	call = tiny_find(t, TINY_START, "d");
	assert_true(is_version(&call, "version of d"));
	call = tiny_find(t, TINY_GET, "d");
	assert_true(is_version(&call, "version of d"));
	call = tiny_find(t, TINY_END, "d");
	assert_true(is_version(&call, "version of d"));
	/* An item without one. */
	assert_int_equal(tiny_run(t, "exec cat \"$0/file\" >/dev/null", NULL), 0);
	call = tiny_find(t, TINY_DATA, "file");
	assert_true(is_version(&call, ""));
}

static void the_calls_of_a_session_belong_together(void **state)
{
	struct tiny *t = *state;
	struct prj_guid session;
	size_t n_gets = 0;

	tiny_start(t);
	assert_int_equal(tiny_run(t, "exec ls \"$0\" >/dev/null", NULL), 0);
	session = tiny_find(t, TINY_START, "").session;
	tiny_find(t, TINY_END, "");
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_calls; i++) {
		const struct tiny_call *call = &t->calls[i];

		if (call->kind != TINY_GET && call->kind != TINY_END)
			continue;
		assert_memory_equal(&call->session, &session, sizeof(session));
		if (call->kind == TINY_GET)
			assert_int_equal(call->data.flags,
			                 n_gets++ ? 0 : PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN);
		assert_false(call->has_expression);
	}
	pthread_mutex_unlock(&t->lock);
	assert_int_equal(n_gets, 2);
}

/* ---- what becomes of the answers ------------------------------------------------------------------- */

static void is_directory_decides_and_not_the_attribute(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, "test -f \"$0/file\" && test -d \"$0/folder\"", NULL), 0);
	assert_int_equal(
	        tiny_run(t, "test \"$(ls -F \"$0\" | tr '\\n' ' ')\" = 'd/ empty/ file folder/ '",
	                 NULL),
	        0);
}

static void another_spelling_is_another_name(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, "test -e \"$0/file\" && ! test -e \"$0/FILE\"", NULL), 0);
	tiny_find(t, TINY_INFO, "FILE");
}

static void a_name_that_is_to_be_made_is_asked_for(void **state)
{
	struct tiny *t = *state;

	t->denied = "denied";
	tiny_start(t);
	assert_int_equal(tiny_run(t, ": >\"$0/new\"", NULL), 0);
	tiny_find(t, TINY_INFO, "new");
	assert_int_not_equal(tiny_run(t, ": 2>/dev/null >\"$0/denied\"", NULL), 0);
	assert_int_not_equal(tiny_run(t, "mkdir \"$0/denied\" 2>/dev/null", NULL), 0);
	tiny_find(t, TINY_INFO, "denied");
	tiny_stop(t);
	assert_int_equal(tiny_run(t, "test -e \"$0/new\" && ! test -e \"$0/denied\"", NULL), 0);
}

static void a_session_that_does_not_start_shows_what_is_on_disk(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, ": >\"$0/d/mine\"", NULL), 0);
	tiny_answer_with(t, TINY_START, PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(tiny_run(t, "test \"$(ls \"$0/d\")\" = mine", NULL), 0);
	/* ENOENT, which the C library takes for the end of a directory that was removed. */
	assert_int_equal(tiny_run(t, "test -z \"$(ls \"$0/empty\")\"", NULL), 0);
	assert_int_equal(tiny_count(t, TINY_END), 0);
	tiny_answer_with(t, TINY_START, PRJ_OK);
	assert_int_equal(tiny_run(t, "test \"$(ls \"$0/d\" | tr '\\n' ' ')\" = 'f mine '", NULL),
	                 0);
}

static void a_first_entry_that_does_not_fit_fails_the_listing(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	tiny_answer_with(t, TINY_GET, PRJ_ERR_INSUFFICIENT_BUFFER);
	assert_int_equal(
	        tiny_run(t, "LC_ALL=C ls \"$0/d\" 2>&1 | grep -q 'Input/output error'", NULL), 0);
	tiny_find(t, TINY_END, "d");
	tiny_answer_with(t, TINY_GET, PRJ_OK);
	assert_int_equal(tiny_run(t, "test \"$(ls \"$0/d\")\" = f", NULL), 0);
}

static void an_error_of_the_end_is_nobodys(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	tiny_answer_with(t, TINY_END, PRJ_ERR_ACCESS_DENIED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(tiny_run(t, "test \"$(ls \"$0/d\")\" = f", NULL), 0);
	tiny_find(t, TINY_END, "d");
}

static void what_is_read_is_not_told_but_as_open_and_close(void **state)
{
	const struct prj_notification_mapping all = {0x1fff & ~PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS,
	                                             ""};
	struct tiny *t = *state;

	t->options.notification_mappings = &all;
	t->options.notification_mappings_count = 1;
	tiny_start(t);
	assert_int_equal(tiny_run(t, READ_IT, NULL), 0);
	tiny_wait_count(t, TINY_NOTIFICATION, 2);
	assert_int_equal(tiny_find(t, TINY_NOTIFICATION, "d/f").event,
	                 PRJ_NOTIFICATION_FILE_OPENED);
	pthread_mutex_lock(&t->lock);
	assert_int_equal(t->calls[t->n_calls - 1].event,
	                 PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_NO_MODIFICATION);
	pthread_mutex_unlock(&t->lock);
	tiny_stop(t);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 2);
}

/* ---- completing ------------------------------------------------------------------------------------ */

static prj_result complete(struct tiny *t, const struct tiny_call *call, prj_result result,
                           enum prj_complete_command_type type)
{
	struct prj_complete_command_extended_parameters more = {.command_type = type};

	if (type == PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION)
		more.u.enumeration.dir_entry_buffer = call->buffer;
	return prj_complete_command(t->instance, call->data.command_id, result,
	                            type ? &more : NULL);
}

static void parameters_of_a_completion_must_fit(void **state)
{
	struct tiny *t = *state;
	struct tiny_call call;
	pid_t pid;

	tiny_start(t);
	tiny_answer_with(t, TINY_INFO, PRJ_ERR_IO_PENDING);
	pid = tiny_spawn(t, "test -f \"$0/file\"");
	call = tiny_find(t, TINY_INFO, "file");
	assert_int_equal(complete(t, &call, PRJ_OK, PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION),
	                 PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(complete(t, &call, PRJ_OK, (enum prj_complete_command_type)9),
	                 PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(complete(t, &call, PRJ_ERR_IO_PENDING, 0), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(tiny_answer(t, &call), PRJ_OK);
	assert_int_equal(complete(t, &call, PRJ_OK, 0), PRJ_OK);
	assert_int_equal(tiny_wait(pid), 0);
	assert_int_equal(complete(t, &call, PRJ_OK, 0), PRJ_ERR_INVALID_PARAMETER);
}

static void a_mask_with_unknown_bits_completes_nothing(void **state)
{
	const struct prj_notification_mapping opens = {PRJ_NOTIFY_FILE_OPENED, ""};
	struct prj_complete_command_extended_parameters more = {
	        .command_type = PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION,
	        .u.notification.notification_mask = 0x40000000};
	struct tiny *t = *state;
	struct tiny_call call;
	pid_t pid;

	t->options.notification_mappings = &opens;
	t->options.notification_mappings_count = 1;
	tiny_start(t);
	tiny_answer_with(t, TINY_NOTIFICATION, PRJ_ERR_IO_PENDING);
	pid = tiny_spawn(t, READ_IT);
	call = tiny_find(t, TINY_NOTIFICATION, "d/f");
	assert_int_equal(prj_complete_command(t->instance, call.data.command_id, PRJ_OK, &more),
	                 PRJ_ERR_INVALID_PARAMETER);
	/* It is still pended, and takes a mask that is known. */
	more.u.notification.notification_mask = PRJ_NOTIFY_USE_EXISTING_MASK;
	assert_int_equal(prj_complete_command(t->instance, call.data.command_id, PRJ_OK, &more),
	                 PRJ_OK);
	assert_int_equal(tiny_wait(pid), 0);
}

static void a_failed_listing_is_completed_with_its_buffer_or_without(void **state)
{
	static const enum prj_complete_command_type types[] = {
	        0, PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION};
	static const char *const paths[] = {"d", "folder"};
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, "test -d \"$0/d\" && test -d \"$0/folder\"", NULL), 0);
	tiny_answer_with(t, TINY_GET, PRJ_ERR_IO_PENDING);
	for (size_t i = 0; i < 2; i++) {
		struct tiny_call call;
		pid_t pid;

		pid = tiny_spawn(t, i ? "ls \"$0/folder\" 2>/dev/null" : "ls \"$0/d\" 2>/dev/null");
		call = tiny_find(t, TINY_GET, paths[i]);
		assert_int_equal(complete(t, &call, PRJ_OK, 0), PRJ_ERR_INVALID_PARAMETER);
		assert_int_equal(complete(t, &call, PRJ_ERR_ACCESS_DENIED, types[i]), PRJ_OK);
		assert_int_not_equal(tiny_wait(pid), 0);
	}
}

static void the_buffer_of_a_cancelled_listing_says_so_with_the_checker_and_without(void **state)
{
	static const uint32_t flags[] = {0, PRJ_FLAG_CHECK_PROVIDER};
	struct tiny *t = *state;

	t->options.lookup_timeout_ms = 100;
	for (size_t i = 0; i < 2; i++) {
		struct tiny_call call;

		t->options.flags = flags[i];
		t->n_calls = 0;
		tiny_start(t);
		tiny_answer_with(t, TINY_GET, PRJ_ERR_IO_PENDING);
		assert_int_not_equal(tiny_run(t, "ls \"$0\" >/dev/null 2>&1", NULL), 0);
		tiny_find(t, TINY_CANCEL, "");
		call = tiny_find(t, TINY_GET, "");
		assert_int_equal(prj_fill_dir_entry_buffer("a", NULL, call.buffer),
		                 PRJ_ERR_OPERATION_ABORTED);
		assert_int_equal(complete(t, &call, PRJ_OK, PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION),
		                 PRJ_OK);
		tiny_stop(t);
	}
}

static void pending_needs_no_cancel_callback(void **state)
{
	struct tiny *t = *state;
	struct tiny_call call;

	t->callbacks.cancel_command = NULL;
	t->options.lookup_timeout_ms = 100;
	tiny_start(t);
	tiny_answer_with(t, TINY_INFO, PRJ_ERR_IO_PENDING);
	assert_int_not_equal(tiny_run(t, "stat \"$0/file\" >/dev/null 2>&1", NULL), 0);
	call = tiny_find(t, TINY_INFO, "file");
	assert_int_equal(complete(t, &call, PRJ_OK, 0), PRJ_OK);
	tiny_answer_with(t, TINY_INFO, PRJ_OK);
	assert_int_equal(tiny_run(t, "stat \"$0/file\" >/dev/null", NULL), 0);
}

/* ---- start and stop ------------------------------------------------------------------------------------ */

static void what_start_was_given_is_copied(void **state)
{
	char name[] = "d";
	struct prj_notification_mapping mappings[] = {{PRJ_NOTIFY_FILE_OPENED, name}};
	struct tiny *t = *state;

	t->options.notification_mappings = mappings;
	t->options.notification_mappings_count = 1;
	tiny_start(t);
	strcpy(name, "x");
	memset(mappings, 0, sizeof(mappings));
	memset(&t->options, 0, sizeof(t->options));
	memset(&t->callbacks, 0, sizeof(t->callbacks));
	assert_int_equal(tiny_run(t, "cat \"$0/file\" >/dev/null && " READ_IT, NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
	assert_int_equal(tiny_find(t, TINY_NOTIFICATION, "d/f").event,
	                 PRJ_NOTIFICATION_FILE_OPENED);
}

static void the_providers_own_process_is_asked_for_but_not_told(void **state)
{
	struct tiny *t = *state;
	char path[128], byte;
	int fd, local;

	tiny_start(t);
	(void)snprintf(path, sizeof(path), "%s/d/f", t->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(close(fd), 0);
	tiny_find(t, TINY_DATA, "d/f");
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 0);
	assert_int_equal(tiny_run(t, READ_IT, NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
	/* And by the way around the mount not even that. */
	local = prj_open_local(t->instance);
	assert_true(local >= 0);
	assert_int_equal(faccessat(local, "file", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(close(local), 0);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_calls; i++)
		assert_string_not_equal(t->calls[i].path, "file");
	pthread_mutex_unlock(&t->lock);
}

static void an_instance_that_has_stopped_is_an_error(void **state)
{
	struct tiny *t = *state;
	prj_instance *stopped;
	uint32_t n = 77;

	tiny_start(t);
	assert_int_equal(prj_clear_negative_path_cache(t->instance, &n), PRJ_OK);
	assert_int_equal(n, 0);
	assert_int_equal(prj_clear_negative_path_cache(t->instance, NULL), PRJ_OK);
	stopped = t->instance;
	tiny_stop(t);
	assert_int_equal(prj_clear_negative_path_cache(stopped, &n), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(prj_complete_command(stopped, 1, PRJ_OK, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(prj_clear_negative_path_cache(NULL, &n), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tiny_setup, tiny_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(callback_data_is_complete),
	        T(who_caused_it_is_told),
	        T(version_info_is_that_of_the_target_or_of_its_directory),
	        T(the_calls_of_a_session_belong_together),
	        T(is_directory_decides_and_not_the_attribute),
	        T(another_spelling_is_another_name),
	        T(a_name_that_is_to_be_made_is_asked_for),
	        T(a_session_that_does_not_start_shows_what_is_on_disk),
	        T(a_first_entry_that_does_not_fit_fails_the_listing),
	        T(an_error_of_the_end_is_nobodys),
	        T(what_is_read_is_not_told_but_as_open_and_close),
	        T(parameters_of_a_completion_must_fit),
	        T(a_mask_with_unknown_bits_completes_nothing),
	        T(a_failed_listing_is_completed_with_its_buffer_or_without),
	        T(the_buffer_of_a_cancelled_listing_says_so_with_the_checker_and_without),
	        T(pending_needs_no_cancel_callback),
	        T(what_start_was_given_is_copied),
	        T(the_providers_own_process_is_asked_for_but_not_told),
	        T(an_instance_that_has_stopped_is_an_error),
	};

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return 77;
	return cmocka_run_group_tests_name("api: contract", tests, NULL, NULL);
}
