/* SPDX-License-Identifier: MIT */
/* Who is asked and told what, in which order, for what applications do; and masks that come with answers. */

#include "tiny.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL (0x1fffu & ~(uint32_t)PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS)

/* A stable view, in which nothing is asked twice because time passes. */
static void start_with(struct tiny *t, uint32_t mask)
{
	struct prj_notification_mapping mapping = {mask, ""};

	t->options.flags = PRJ_FLAG_STABLE_VIEW;
	t->options.notification_mappings = &mapping;
	t->options.notification_mappings_count = 1;
	tiny_start(t);
}

static void run(struct tiny *t, const char *script)
{
	assert_int_equal(tiny_run(t, script, NULL), 0);
}

static void typical_sequences_come_in_their_order(void **state)
{
	struct tiny *t = *state;

	start_with(t, ALL);
	run(t, "cat \"$0/folder/read\" >/dev/null");
	tiny_assert_sequence(t, "folder/read", "info opened data closed");
	run(t, "echo x >>\"$0/folder/write\"");
	tiny_assert_sequence(t, "folder/write", "info opened data pre-convert modified");
	run(t, ": >\"$0/folder/new\"");
	tiny_assert_sequence(t, "folder/new", "info created closed");
	run(t, ": >\"$0/folder/overwrite\"");
	tiny_assert_sequence(t, "folder/overwrite", "info pre-convert overwritten modified");
	run(t, "rm -f \"$0/folder/delete\"");
	tiny_assert_sequence(t, "folder/delete", "info pre-delete deleted");
	run(t, "mv \"$0/folder/rename\" \"$0/folder/renamed\"");
	tiny_assert_sequence(t, "folder/rename", "info pre-rename renamed");
	tiny_assert_sequence(t, "folder/renamed", "info");
	run(t, "ln \"$0/folder/link\" \"$0/folder/linked\"");
	tiny_assert_sequence(t, "folder/link", "info pre-link data pre-convert linked");
	tiny_assert_sequence(t, "folder/linked", "info");
}

static void ranges_are_aligned_or_end_with_the_file(void **state)
{
	struct prj_virtualization_instance_info info;
	struct tiny *t = *state;
	uint64_t end = 0;

	start_with(t, PRJ_NOTIFY_NONE);
	run(t, "dd if=\"$0/folder/large\" bs=1001 skip=1999 count=3 of=/dev/null 2>/dev/null");
	run(t, "cat \"$0/folder/large\" >/dev/null");
	assert_int_equal(prj_get_virtualization_instance_info(t->instance, &info), PRJ_OK);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_calls; i++) {
		const struct tiny_call *call = &t->calls[i];

		if (call->kind != TINY_DATA)
			continue;
		assert_int_equal(call->offset % info.write_alignment, 0);
		assert_true(call->length % info.write_alignment == 0 ||
		            call->offset + call->length == 5000123);
		if (call->offset + call->length > end)
			end = call->offset + call->length;
	}
	pthread_mutex_unlock(&t->lock);
	assert_int_equal(end, 5000123);
}

static void looking_is_no_open(void **state)
{
	struct tiny *t = *state;

	start_with(t, ALL);
	run(t, "cd \"$0\" && stat folder/read >/dev/null && test -r folder/read && "
	       "ln -s x l && readlink l >/dev/null && chmod 600 folder/read");
	tiny_assert_sequence(t, "folder/read", "info");
	tiny_assert_sequence(t, "l", "info created");
}

static void moves_across_the_edge_are_copies_and_deletions(void **state)
{
	struct tiny *t = *state;

	/* Whether the reader is closed before its file is removed is not said. */
	start_with(t, ALL & ~(uint32_t)PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION);
	run(t, "echo x >\"$0.out\" && mv \"$0.out\" \"$0/in\"");
	tiny_assert_told(t, "in", "created modified");
	run(t, "mv \"$0/in\" \"$0.out\" && rm \"$0.out\"");
	tiny_assert_told(t, "in", "created modified opened pre-delete deleted");
}

static void descriptors_that_share_an_open_file_are_closed_once(void **state)
{
	struct tiny *t = *state;

	start_with(t, PRJ_NOTIFY_FILE_OPENED | PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION |
	                      PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_MODIFIED);
	run(t, "exec 3<>\"$0/file\"; exec 4<&3; exec 3<&-; (echo x >&4) && sh -c 'echo y >&4'");
	tiny_assert_sequence(t, "file", "info opened data modified");
	tiny_stop(t);
	tiny_assert_sequence(t, "file", "info opened data modified");
}

static void closes_are_told_in_a_stable_view_without_opens(void **state)
{
	struct tiny *t = *state;

	start_with(t, PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION);
	run(t, "cat \"$0/file\" \"$0/file\" >/dev/null");
	tiny_assert_sequence(t, "file", "info data closed closed");
}

/* ---- masks in answers ------------------------------------------------------------------------------ */

static void a_pended_answer_may_have_a_mask(void **state)
{
	struct prj_complete_command_extended_parameters more = {
	        .command_type = PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION,
	        .u.notification.notification_mask = PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION};
	struct tiny *t = *state;
	int32_t id;
	pid_t pid;

	start_with(t, PRJ_NOTIFY_FILE_OPENED);
	tiny_answer_with(t, TINY_NOTIFICATION, PRJ_ERR_IO_PENDING);
	pid = tiny_spawn(t, "cat \"$0/file\" >/dev/null");
	id = tiny_find(t, TINY_NOTIFICATION, "file").data.command_id;
	tiny_answer_with(t, TINY_NOTIFICATION, PRJ_OK);
	assert_int_equal(prj_complete_command(t->instance, id, PRJ_OK, &more), PRJ_OK);
	assert_int_equal(tiny_wait(pid), 0);
	tiny_assert_sequence(t, "file", "info opened data closed");
}

static void a_mask_may_ask_for_further_opens_and_for_the_conversion(void **state)
{
	struct tiny *t = *state;

	start_with(t, PRJ_NOTIFY_FILE_OPENED);
	t->reply_mask = PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL | PRJ_NOTIFY_FILE_OPENED |
	                PRJ_NOTIFY_NEW_FILE_CREATED;
	run(t, "exec 3<\"$0/file\"; echo x >>\"$0/file\"");
	tiny_assert_sequence(t, "file", "info opened opened data pre-convert");
	t->reply_mask = PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL;
	run(t, "exec 3<\"$0/d/f\"; cat \"$0/d/f\" >/dev/null; echo x >>\"$0/d/f\"");
	tiny_assert_sequence(t, "d/f", "info opened data pre-convert");
}

static char logged[1024];

static void on_log(void *context, enum prj_log_level level, const char *message)
{
	(void)context;
	(void)level;
	if (strstr(message, "unknown bits"))
		strncpy(logged, message, sizeof(logged) - 1);
}

static void a_mask_with_unknown_bits_is_ignored_and_told(void **state)
{
	struct tiny *t = *state;

	prj_set_log_callback(on_log, NULL, PRJ_LOG_WARNING);
	start_with(t, PRJ_NOTIFY_FILE_OPENED);
	t->reply_mask = 0x8000 | PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS;
	run(t, "exec 3<\"$0/file\"; cat \"$0/file\" >/dev/null");
	prj_set_log_callback(NULL, NULL, PRJ_LOG_WARNING);
	tiny_assert_sequence(t, "file", "info opened opened data");
	assert_non_null(strstr(logged, "file"));
}

static void masks_end_with_the_instance(void **state)
{
	struct tiny *t = *state;
	int status;
	pid_t pid;

	start_with(t, PRJ_NOTIFY_FILE_OPENED);
	t->reply_mask = PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS;
	pid = tiny_spawn(t, "exec 3<\"$0/file\"; cat \"$0/file\" >/dev/null; kill -STOP $$");
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
	tiny_stop(t);
	start_with(t, PRJ_NOTIFY_FILE_OPENED);
	run(t, "cat \"$0/file\" >/dev/null");
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tiny_setup, tiny_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(typical_sequences_come_in_their_order),
	        T(ranges_are_aligned_or_end_with_the_file),
	        T(looking_is_no_open),
	        T(moves_across_the_edge_are_copies_and_deletions),
	        T(descriptors_that_share_an_open_file_are_closed_once),
	        T(closes_are_told_in_a_stable_view_without_opens),
	        T(a_pended_answer_may_have_a_mask),
	        T(a_mask_may_ask_for_further_opens_and_for_the_conversion),
	        T(a_mask_with_unknown_bits_is_ignored_and_told),
	        T(masks_end_with_the_instance),
	};

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return 77;
	return cmocka_run_group_tests_name("api: sequences", tests, NULL, NULL);
}
