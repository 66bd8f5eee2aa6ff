/* SPDX-License-Identifier: MIT */
/* Open files: what is told of them, when they become full, and masks that hold until the last is closed. */

#include "told.h"

#include <stdio.h>
#include <unistd.h>

static void an_open_and_its_close_are_told(void **state)
{
	struct fake *f = *state;
	uint64_t id, first, second;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	assert_told(f, "");
	assert_int_equal(open_file(f, id, O_RDONLY, &first), 0);
	assert_int_equal(open_file(f, id, O_WRONLY, &second), 0);
	assert_told(f, "opened a; opened a");
	close_file(f, id, first);
	close_file(f, id, second);
	assert_told(f, "closed a; closed a");
}

static void directories_are_opened_and_closed_and_never_converted(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	id = find(f, "d").node_id;
	handle = open_dir(f, CORE_ROOT_ID);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	handle = open_dir(f, id);
	assert_int_equal(make_dir(f, id, "x", NULL), 0);
	core_releasedir(f->core, id, handle);
	assert_told(f, "opened ./; closed ./; opened d/; created d/x/; closed d/");
}

static void a_refused_open_leaves_nothing(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	veto(f, CORE_EVENT_OPENED, -EACCES);
	assert_int_equal(open_file(f, find(f, "a").node_id, O_RDWR, &handle), -EACCES);
	request_init(f, &r, WANT_HANDLE);
	core_opendir(f->core, &r.req, find(f, "d").node_id);
	assert_int_equal(request_wait(&r), -EACCES);
	assert_told(f, "opened a; opened d/");
}

static void the_first_write_asks_after_the_content_has_come(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;
	size_t at;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
	assert_told(f, "opened a");
	expect_asked(f, COMMAND_DATA, "a", 0);
	at = f->n_calls;
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	assert_int_equal(f->calls[at].kind, COMMAND_DATA);
	assert_int_equal(f->calls[at + 1].kind, COMMAND_NOTIFY);
	assert_int_equal(write_text(f, id, 1, "y"), 0);
	close_file(f, id, handle);
	assert_told(f, "pre-convert a; modified a");
	assert_state(f, "a", 0x08);
}

static void a_vetoed_conversion_fails_the_change_and_is_asked_again(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 10);
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	id = find(f, "a").node_id;
	assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
	veto(f, CORE_EVENT_PRE_CONVERT, -EACCES);
	assert_int_equal(write_text(f, id, 0, "x"), -EACCES);
	assert_int_equal(cut_open(f, id, 3), -EACCES);
	assert_int_equal(cut(f, id, 3), -EACCES);
	assert_int_equal(cut(f, id, 0), -EACCES);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "b"), -EACCES);
	assert_state(f, "a", 0x03);
	assert_int_equal(read_check(f, id, item, 0, 10), 10);
	assert_told(f, "opened a; pre-convert a; pre-convert a; pre-convert a; pre-convert a; "
	               "pre-link a b; pre-convert a");
	veto(f, 0, 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, handle);
	assert_told(f, "pre-convert a; modified a");
}

static void many_writers_ask_once(void **state)
{
	struct fake *f = *state;
	struct request r[20];
	struct fake_call call;
	uint64_t id;

	LISTEN(f, {"", CORE_EVENT_PRE_CONVERT});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	assert_int_equal(hydrate_node(f, id), 0);
	for (int error = -EACCES; error <= 0; error += EACCES) {
		f->pend = KIND(NOTIFY);
		for (int i = 0; i < 20; i++) {
			request_init(f, &r[i], WANT_COUNT);
			core_write(f->core, &r[i].req, id, (uint64_t)i, "x", 1, false);
		}
		call = fake_wait_call(f, COMMAND_NOTIFY, error ? 0 : 1);
		f->pend = 0;
		assert_int_equal(fake_complete(f, &call, error), 0);
		for (int i = 0; i < 20; i++)
			assert_int_equal(request_wait(&r[i]), error);
	}
	assert_int_equal(fake_count(f, COMMAND_NOTIFY), 2);
	assert_text(f, id, "xxxxxxxxxxxxxxxxxxxx");
}

static void an_open_that_truncates_overwrites_and_fetches_nothing(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	veto(f, CORE_EVENT_PRE_CONVERT, -EACCES);
	assert_int_equal(open_file(f, id, O_WRONLY | O_TRUNC, &handle), -EACCES);
	assert_int_equal(find(f, "a").attr.size, 10);
	assert_told(f, "pre-convert a");
	veto(f, 0, 0);
	assert_int_equal(open_file(f, id, O_WRONLY | O_TRUNC, &handle), 0);
	assert_text(f, id, "");
	close_file(f, id, handle);
	assert_told(f, "pre-convert a; overwritten a; modified a");
	assert_int_equal(open_file(f, id, O_RDONLY | O_TRUNC, &handle), 0);
	close_file(f, id, handle);
	assert_told(f, "overwritten a; modified a");
	expect_asked(f, COMMAND_DATA, "a", 0);
}

static void truncating_by_name_is_an_open_a_change_and_a_close(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	assert_int_equal(cut(f, id, 5), 0);
	assert_int_equal(cut(f, id, 0), 0);
	assert_told(f, "pre-convert a; modified a; modified a");
	assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
	assert_int_equal(cut_open(f, id, 7), 0);
	assert_told(f, "opened a");
	close_file(f, id, handle);
	assert_told(f, "modified a");
	assert_int_equal(change_mode(f, id, 0600), 0);
	assert_told(f, "");
}

static void every_way_of_changing_content_counts(void **state)
{
	struct fake *f = *state;
	uint64_t id, from, handle;
	struct request r;

	LISTEN(f, {"", CORE_EVENT_CLOSED | CORE_EVENT_CLOSED_MODIFIED});
	id = text_file(f, CORE_ROOT_ID, "a", "aaa");
	from = text_file(f, CORE_ROOT_ID, "b", "bbb");
	assert_told(f, "modified a; modified b");
	for (int way = 0; way < 5; way++) {
		assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
		request_init(f, &r, WANT_COUNT);
		if (way == 1)
			core_write(f->core, &r.req, id, 0, "x", 1, false);
		else if (way == 2)
			core_fallocate(f->core, &r.req, id, 0, 0, 100);
		else if (way == 3)
			core_copy_range(f->core, &r.req, from, 0, id, 0, 3);
		else
			r.done = true;
		assert_int_equal(request_wait(&r), 0);
		if (way == 4)
			assert_int_equal(cut(f, id, 1), 0);
		close_file(f, id, handle);
		assert_told(f, way == 0   ? "closed a"
		               : way == 4 ? "modified a; modified a"
		                          : "modified a");
	}
	/* What is copied from is read. */
	assert_int_equal(open_file(f, from, O_RDWR, &handle), 0);
	request_init(f, &r, WANT_COUNT);
	core_copy_range(f->core, &r.req, from, 0, id, 0, 3);
	assert_int_equal(request_wait(&r), 0);
	close_file(f, from, handle);
	assert_told(f, "closed b");
}

static void closes_tell_where_the_item_is_now(void **state)
{
	struct fake *f = *state;
	uint64_t d, id, first, second;

	LISTEN(f, {"", ALL}, {"d/quiet", CORE_EVENT_SUPPRESS});
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 10);
	d = find(f, "d").node_id;
	id = find(f, "d/a").node_id;
	assert_int_equal(open_file(f, id, O_RDONLY, &first), 0);
	assert_int_equal(open_file(f, id, O_RDONLY, &second), 0);
	assert_int_equal(move(f, d, "a", d, "b", 0), 0);
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	(void)told(f);
	close_file(f, id, first);
	assert_told(f, "closed e/b");
	assert_int_equal(move(f, CORE_ROOT_ID, "e", CORE_ROOT_ID, "d", 0), 0);
	assert_int_equal(move(f, d, "b", d, "quiet", 0), 0);
	(void)told(f);
	close_file(f, id, second);
	assert_told(f, "");
}

static void closes_of_what_was_replaced_say_nothing(void **state)
{
	struct fake *f = *state;
	uint64_t a, b, handle;

	LISTEN(f, {"", ALL});
	a = text_file(f, CORE_ROOT_ID, "a", "a");
	b = text_file(f, CORE_ROOT_ID, "b", "b");
	assert_int_equal(open_file(f, b, O_RDWR, &handle), 0);
	assert_int_equal(write_text(f, b, 0, "x"), 0);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	(void)told(f);
	close_file(f, b, handle);
	assert_told(f, "");
	assert_text(f, a, "a");
}

/* ---- reply masks ---------------------------------------------------------------------------------- */

static void a_reply_mask_holds_until_the_last_close(void **state)
{
	struct fake *f = *state;
	uint64_t id, first, second;

	LISTEN(f, {"", CORE_EVENT_OPENED | CORE_EVENT_PRE_DELETE});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	answer_mask(f, CORE_EVENT_OPENED, CORE_EVENT_CLOSED | CORE_EVENT_CLOSED_MODIFIED);
	assert_int_equal(open_file(f, id, O_RDWR, &first), 0);
	assert_int_equal(open_file(f, id, O_RDONLY, &second), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, first);
	close_file(f, id, second);
	assert_told(f, "opened a; modified a; closed a");
	answer_mask(f, 0, 0);
	assert_int_equal(open_file(f, id, O_RDWR, &first), 0);
	close_file(f, id, first);
	assert_told(f, "opened a");
}

static void masks_of_0_and_all_ones_change_nothing(void **state)
{
	static const uint32_t masks[] = {0, CORE_MASK_UNCHANGED};
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", CORE_EVENT_OPENED | CORE_EVENT_CLOSED});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	for (int i = 0; i < 2; i++) {
		answer_mask(f, CORE_EVENT_OPENED, masks[i]);
		assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
		close_file(f, id, handle);
		assert_told(f, "opened a; closed a");
	}
}

static void suppress_in_a_reply_silences_the_file_until_its_last_close(void **state)
{
	struct fake *f = *state;
	uint64_t id, first, second;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	answer_mask(f, CORE_EVENT_OPENED, CORE_EVENT_SUPPRESS | CORE_EVENT_CLOSED);
	assert_int_equal(open_file(f, id, O_RDWR, &first), 0);
	assert_int_equal(open_file(f, id, O_RDWR, &second), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, first);
	assert_told(f, "opened a");
	/* Also for what has two paths. */
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "c"), 0);
	assert_told(f, "");
	close_file(f, id, second);
	answer_mask(f, 0, 0);
	assert_int_equal(open_file(f, id, O_RDWR, &first), 0);
	assert_told(f, "opened b");
	close_file(f, id, first);
}

static void masks_come_with_new_and_overwritten_and_renamed_files(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", CORE_EVENT_CREATED | CORE_EVENT_OVERWRITTEN | CORE_EVENT_RENAMED});
	answer_mask(f, ALL, CORE_EVENT_CLOSED | CORE_EVENT_RENAMED);
	assert_int_equal(create_file(f, CORE_ROOT_ID, "a", &id, &handle), 0);
	close_file(f, id, handle);
	assert_told(f, "created a; closed a");
	answer_mask(f, ALL, CORE_EVENT_CLOSED_MODIFIED);
	assert_int_equal(open_file(f, id, O_RDWR | O_TRUNC, &handle), 0);
	close_file(f, id, handle);
	assert_told(f, "overwritten a; modified a");
	assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, handle);
	assert_told(f, "renamed a b; modified b");
}

/* What a mask comes with that nobody has open, ends at once. */
static void a_mask_for_a_closed_file_is_ignored(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", CORE_EVENT_CREATED | CORE_EVENT_RENAMED | CORE_EVENT_OPENED});
	id = text_file(f, CORE_ROOT_ID, "a", "x");
	(void)told(f);
	answer_mask(f, CORE_EVENT_RENAMED, CORE_EVENT_SUPPRESS);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_int_equal(open_file(f, id, O_RDONLY, &handle), 0);
	close_file(f, id, handle);
	assert_told(f, "renamed a b; opened b");
}

static void handles_have_numbers_that_are_never_used_again(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle, first;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_file(f, id, O_RDWR, &handle), 0);
		close_file(f, id, handle);
		(void)told(f);
	}
	first = fake_wait_call(f, COMMAND_NOTIFY, 0).handle;
	assert_int_not_equal(first, 0);
	assert_int_equal(fake_wait_call(f, COMMAND_NOTIFY, 1).handle, first);
	assert_int_not_equal(fake_wait_call(f, COMMAND_NOTIFY, 2).handle, first);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fake_wait_call(f, COMMAND_NOTIFY, i).sequence, i + 1);
}

static void what_the_own_process_does_is_not_told(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t id;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	id = find(f, "a").node_id;
	request_init(f, &r, WANT_HANDLE);
	r.req.pid = (uint32_t)gettid();
	core_open(f->core, &r.req, id, O_RDWR | O_TRUNC, false);
	assert_int_equal(request_wait(&r), 0);
	close_file(f, id, r.handle);
	request_init(f, &r, WANT_NOTHING);
	r.req.pid = (uint32_t)gettid();
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "a", false);
	assert_int_equal(request_wait(&r), 0);
	assert_told(f, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(an_open_and_its_close_are_told),
	        TEST(directories_are_opened_and_closed_and_never_converted),
	        TEST(a_refused_open_leaves_nothing),
	        TEST(the_first_write_asks_after_the_content_has_come),
	        TEST(a_vetoed_conversion_fails_the_change_and_is_asked_again),
	        TEST(many_writers_ask_once),
	        TEST(an_open_that_truncates_overwrites_and_fetches_nothing),
	        TEST(truncating_by_name_is_an_open_a_change_and_a_close),
	        TEST(every_way_of_changing_content_counts),
	        TEST(closes_tell_where_the_item_is_now),
	        TEST(closes_of_what_was_replaced_say_nothing),
	        TEST(a_reply_mask_holds_until_the_last_close),
	        TEST(masks_of_0_and_all_ones_change_nothing),
	        TEST(suppress_in_a_reply_silences_the_file_until_its_last_close),
	        TEST(masks_come_with_new_and_overwritten_and_renamed_files),
	        TEST(a_mask_for_a_closed_file_is_ignored),
	        TEST(handles_have_numbers_that_are_never_used_again),
	        TEST(what_the_own_process_does_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
