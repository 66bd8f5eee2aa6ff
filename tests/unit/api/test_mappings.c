/* SPDX-License-Identifier: MIT */
/* What a provider asks to be notified of, through the public functions and a real mount. */

#include "tiny.h"

#include <string.h>
#include <unistd.h>

#define ALL (0x1fffu & ~(uint32_t)PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS)
/* What each of them is about is done once. */
#define DO_EVERYTHING                                                                              \
	"cd \"$0\" && : >new && cat d/f >/dev/null && : >file && echo more >>file && "             \
	"ln new link && mv link moved && rm moved && rmdir empty"

static void ask_for(struct tiny *t, const struct prj_notification_mapping *list, uint32_t n)
{
	t->options.notification_mappings = list;
	t->options.notification_mappings_count = n;
}

static void all_twelve_events_come(void **state)
{
	const struct prj_notification_mapping all = {ALL, ""};
	struct tiny *t = *state;

	ask_for(t, &all, 1);
	tiny_start(t);
	assert_int_equal(tiny_run(t, DO_EVERYTHING, NULL), 0);
	assert_int_equal(tiny_wait_events(t, ALL), ALL);
}

static void without_mappings_the_default_mask_is_in_force(void **state)
{
	struct tiny *t = *state;

	tiny_start(t);
	assert_int_equal(tiny_run(t, DO_EVERYTHING, NULL), 0);
	tiny_stop(t);
	assert_int_equal(tiny_wait_events(t, 0), PRJ_NOTIFY_FILE_OPENED |
	                                                 PRJ_NOTIFY_NEW_FILE_CREATED |
	                                                 PRJ_NOTIFY_FILE_OVERWRITTEN);
}

static void without_a_callback_mappings_do_nothing(void **state)
{
	const struct prj_notification_mapping all = {ALL, ""};
	struct tiny *t = *state;

	t->callbacks.notification = NULL;
	ask_for(t, &all, 1);
	tiny_start(t);
	assert_int_equal(tiny_run(t, DO_EVERYTHING, NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 0);
}

static void none_and_suppress_ask_for_nothing(void **state)
{
	const struct prj_notification_mapping masks[] = {
	        {PRJ_NOTIFY_NONE, "d"},
	        {PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS | ALL, ""},
	};
	struct tiny *t = *state;

	ask_for(t, masks, 2);
	tiny_start(t);
	assert_int_equal(tiny_run(t, DO_EVERYTHING, NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 0);
}

static void a_null_root_is_the_virtualization_root(void **state)
{
	const struct prj_notification_mapping opened = {PRJ_NOTIFY_FILE_OPENED, NULL};
	struct tiny *t = *state;

	ask_for(t, &opened, 1);
	tiny_start(t);
	assert_int_equal(tiny_run(t, "cat \"$0/d/f\" \"$0/file\" >/dev/null", NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 2);
	tiny_find(t, TINY_NOTIFICATION, "d/f");
	tiny_find(t, TINY_NOTIFICATION, "file");
}

static void the_root_itself_is_covered_and_what_is_outside_is_not(void **state)
{
	const struct prj_notification_mapping opened = {PRJ_NOTIFY_FILE_OPENED, ""};
	struct tiny *t = *state;

	ask_for(t, &opened, 1);
	tiny_start(t);
	assert_int_equal(tiny_run(t, "ls \"$0\" \"$0/..\" >/dev/null", NULL), 0);
	tiny_find(t, TINY_NOTIFICATION, "");
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
	tiny_stop(t);
	assert_int_equal(tiny_run(t, "ls \"$0\" >/dev/null && : >\"$0/new\"", NULL), 0);
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
}

static void a_link_tells_of_its_target(void **state)
{
	const struct prj_notification_mapping opened = {PRJ_NOTIFY_FILE_OPENED, ""};
	struct tiny *t = *state;

	ask_for(t, &opened, 1);
	tiny_start(t);
	assert_int_equal(tiny_run(t, "ln -s d/f \"$0/link\" && cat \"$0/link\" >/dev/null", NULL),
	                 0);
	tiny_find(t, TINY_NOTIFICATION, "d/f");
	assert_int_equal(tiny_count(t, TINY_NOTIFICATION), 1);
}

static void assert_refused(struct tiny *t, const struct prj_notification_mapping *list, uint32_t n)
{
	ask_for(t, list, n);
	assert_int_equal(
	        prj_start_virtualizing(t->root, &t->callbacks, t, &t->options, &t->instance),
	        PRJ_ERR_INVALID_PARAMETER);
	assert_string_not_equal(prj_last_error_message(), "");
	assert_null(t->instance);
}

static void wrong_mappings_are_refused(void **state)
{
	static const char *const bad[] = {".", "./d", "/d", "d/", "d//f", "..", "d/../d"};
	const struct prj_notification_mapping twice[] = {{0x2, "d"}, {0x4, ""}, {0x8, "d"}};
	const struct prj_notification_mapping null_and_empty[] = {{0x2, NULL}, {0x4, ""}};
	const struct prj_notification_mapping existing = {PRJ_NOTIFY_USE_EXISTING_MASK, ""};
	const struct prj_notification_mapping unknown = {0x2000, ""};
	struct tiny *t = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(t, &(struct prj_notification_mapping){0x2, bad[i]}, 1);
	assert_refused(t, twice, 3);
	assert_refused(t, null_and_empty, 2);
	assert_refused(t, &existing, 1);
	assert_refused(t, &unknown, 1);
	assert_refused(t, NULL, 1);
	ask_for(t, twice, 2);
	tiny_start(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tiny_setup, tiny_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(all_twelve_events_come),
	        T(without_mappings_the_default_mask_is_in_force),
	        T(without_a_callback_mappings_do_nothing),
	        T(none_and_suppress_ask_for_nothing),
	        T(a_null_root_is_the_virtualization_root),
	        T(the_root_itself_is_covered_and_what_is_outside_is_not),
	        T(a_link_tells_of_its_target),
	        T(wrong_mappings_are_refused),
	};

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return 77;
	return cmocka_run_group_tests_name("api: mappings", tests, NULL, NULL);
}
