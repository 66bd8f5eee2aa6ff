/* SPDX-License-Identifier: MIT */
/* What the provider is told and asked when names come and go, and by which mapping. */

#include "told.h"

#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>

static void without_mappings_nothing_is_told(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	fake_add(f, "a", RECORD_FILE, 10);
	assert_int_equal(open_file(f, find(f, "a").node_id, O_RDWR, &handle), 0);
	assert_int_equal(write_text(f, find(f, "a").node_id, 0, "x"), 0);
	close_file(f, find(f, "a").node_id, handle);
	assert_int_equal(create_file(f, CORE_ROOT_ID, "b", &id, &handle), 0);
	close_file(f, id, handle);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_told(f, "");
}

static void new_items_are_told(void **state)
{
	struct fake *f = *state;
	struct core_entry dir;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", &dir), 0);
	assert_told(f, "created d/");
	assert_int_equal(create_file(f, dir.node_id, "a", &id, &handle), 0);
	assert_told(f, "created d/a");
	close_file(f, id, handle);
	assert_told(f, "closed d/a");
	assert_int_equal(make_symlink(f, dir.node_id, "l", "a", NULL), 0);
	assert_int_equal(make_node(f, dir.node_id, "p", S_IFIFO | 0600, NULL), 0);
	assert_int_equal(make_node(f, dir.node_id, "n", S_IFREG | 0600, NULL), 0);
	assert_told(f, "created d/l; created d/p; created d/n");
	/* Failures are no news. */
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", NULL), -EEXIST);
	assert_told(f, "");
}

static void a_deletion_is_asked_and_told(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	(void)find(f, "a");
	(void)find(f, "d");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_told(f, "pre-delete a; deleted a; pre-delete d/; deleted d/");
	assert_int_equal(create_file(f, CORE_ROOT_ID, "b", &id, &handle), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	close_file(f, id, handle);
	assert_told(f, "created b; pre-delete b; deleted b+");
}

static void what_cannot_be_deleted_is_not_asked(void **state)
{
	struct fake *f = *state;

	LISTEN(f, {"", ALL});
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 10);
	(void)find(f, "d/a");
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "d"), -EISDIR);
	assert_int_equal(remove_dir(f, find(f, "d").node_id, "a"), -ENOTDIR);
	assert_told(f, "");
}

static void whether_a_deleted_file_was_modified_needs_both_bits(void **state)
{
	static const struct {
		uint32_t mask;
		const char *text;
	} cases[] = {
	        {CORE_EVENT_CLOSED_DELETED, "deleted a"},
	        {CORE_EVENT_CLOSED_DELETED | CORE_EVENT_CLOSED_MODIFIED, "deleted a+"},
	        {CORE_EVENT_CLOSED_MODIFIED, ""},
	        {CORE_EVENT_CLOSED_DELETED | CORE_EVENT_CLOSED_MODIFIED | CORE_EVENT_SUPPRESS, ""},
	};
	struct fake *f = *state;
	uint64_t id, handle;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		LISTEN(f, {"", cases[i].mask});
		assert_int_equal(create_file(f, CORE_ROOT_ID, "a", &id, &handle), 0);
		assert_int_equal(write_text(f, id, 0, "x"), 0);
		assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
		close_file(f, id, handle);
		assert_told(f, cases[i].text);
	}
}

/* Who reads it is not who changed it, and what happened before an open is not its change. */
static void a_reader_does_not_make_a_deletion_modified(void **state)
{
	struct fake *f = *state;
	uint64_t id, writer, reader;

	LISTEN(f, {"", CORE_EVENT_CLOSED_DELETED | CORE_EVENT_CLOSED_MODIFIED});
	assert_int_equal(create_file(f, CORE_ROOT_ID, "a", &id, &writer), 0);
	assert_int_equal(open_file(f, id, O_RDONLY, &reader), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, writer);
	assert_told(f, "modified a");
	assert_int_equal(open_file(f, id, O_RDWR, &writer), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_told(f, "deleted a");
	close_file(f, id, reader);
	close_file(f, id, writer);
	assert_told(f, "");
}

static void renames_are_asked_and_told_with_both_names(void **state)
{
	struct fake *f = *state;
	uint64_t d;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	fake_add(f, "b", RECORD_FILE, 10);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	d = find(f, "d").node_id;
	(void)find(f, "a");
	(void)find(f, "b");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", d, "x", 0), 0);
	assert_told(f, "pre-rename a d/x; renamed a d/x");
	/* The one that is replaced is not announced. */
	assert_int_equal(move(f, d, "x", CORE_ROOT_ID, "b", 0), 0);
	assert_told(f, "pre-rename d/x b; renamed d/x b");
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	assert_told(f, "pre-rename d/ e; renamed d/ e");
	assert_int_equal(move(f, CORE_ROOT_ID, "e", CORE_ROOT_ID, "b", RENAME_EXCHANGE), 0);
	assert_told(f, "pre-rename e/ b; pre-rename b e; renamed e/ b; renamed b e");
	assert_int_equal(move(f, CORE_ROOT_ID, "b", CORE_ROOT_ID, "e", RENAME_NOREPLACE), -EEXIST);
	assert_told(f, "");
}

static void a_rename_between_two_names_of_one_file_says_nothing(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	LISTEN(f, {"", ALL});
	id = text_file(f, CORE_ROOT_ID, "a", "x");
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "b"), 0);
	(void)told(f);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_told(f, "");
}

static void links_are_asked_and_told(void **state)
{
	struct fake *f = *state;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	assert_int_equal(add_name(f, find(f, "a").node_id, CORE_ROOT_ID, "b"), 0);
	assert_told(f, "pre-link a b; pre-convert a; linked a b");
	assert_int_equal(add_name(f, find(f, "a").node_id, CORE_ROOT_ID, "c"), 0);
	assert_told(f, "pre-link a c; linked a c");
}

static void a_file_that_gets_its_first_name_is_told_unless_suppressed(void **state)
{
	struct fake *f = *state;
	uint64_t d, id, handle;

	LISTEN(f, {"", 0}, {"quiet", CORE_EVENT_SUPPRESS | ALL}, {"elsewhere", ALL});
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "quiet", NULL), 0);
	d = find(f, "quiet").node_id;
	assert_int_equal(create_unnamed(f, CORE_ROOT_ID, &id, &handle), 0);
	assert_told(f, "");
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "a"), 0);
	assert_told(f, "pre-link nowhere a; linked nowhere a");
	close_file(f, id, handle);
	assert_told(f, "");
	assert_int_equal(create_unnamed(f, CORE_ROOT_ID, &id, &handle), 0);
	assert_int_equal(add_name(f, id, d, "b"), 0);
	close_file(f, id, handle);
	assert_told(f, "");
	/* Where no mapping says anything at all. */
	LISTEN(f, {"elsewhere", CORE_EVENT_CREATED});
	assert_int_equal(create_unnamed(f, CORE_ROOT_ID, &id, &handle), 0);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "c"), 0);
	close_file(f, id, handle);
	assert_told(f, "pre-link nowhere c; linked nowhere c");
}

static void an_unnamed_file_that_was_linked_is_closed_as_modified(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	assert_int_equal(create_unnamed(f, CORE_ROOT_ID, &id, &handle), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	close_file(f, id, handle);
	assert_told(f, "");
	assert_int_equal(create_unnamed(f, CORE_ROOT_ID, &id, &handle), 0);
	assert_int_equal(write_text(f, id, 0, "x"), 0);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "a"), 0);
	close_file(f, id, handle);
	assert_told(f, "pre-link nowhere a; linked nowhere a; modified a");
}

static void the_deepest_mapping_wins_wholly(void **state)
{
	struct fake *f = *state;
	uint64_t d, e;

	/* In no order; one of a single file, one of something that does not exist yet. */
	LISTEN(f, {"d/e", CORE_EVENT_SUPPRESS | CORE_EVENT_CREATED}, {"d", CORE_EVENT_PRE_DELETE},
	       {"", CORE_EVENT_CREATED}, {"d/e/file", CORE_EVENT_CREATED}, {"d/none", 0});
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", NULL), 0);
	d = find(f, "d").node_id;
	assert_int_equal(make_dir(f, d, "e", NULL), 0);
	e = find(f, "d/e").node_id;
	(void)text_file(f, e, "file", "x");
	(void)text_file(f, e, "file2", "x");
	(void)text_file(f, d, "ee", "x");
	(void)text_file(f, CORE_ROOT_ID, "dd", "x");
	assert_told(f, "created d/e/file; created dd");
	assert_int_equal(remove_file(f, d, "ee"), 0);
	assert_int_equal(remove_file(f, e, "file"), 0);
	assert_int_equal(remove_file(f, e, "file2"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "dd"), 0);
	assert_told(f, "pre-delete d/ee");
}

static void a_move_is_told_by_the_mask_of_either_side(void **state)
{
	struct fake *f = *state;
	uint64_t d, e;

	LISTEN(f, {"d", CORE_EVENT_RENAMED | CORE_EVENT_PRE_RENAME | CORE_EVENT_LINKED},
	       {"e", CORE_EVENT_SUPPRESS});
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", NULL), 0);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "e", NULL), 0);
	d = find(f, "d").node_id;
	e = find(f, "e").node_id;
	(void)text_file(f, CORE_ROOT_ID, "a", "x");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", d, "a", 0), 0);
	assert_told(f, "pre-rename a d/a; renamed a d/a");
	assert_int_equal(move(f, d, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_told(f, "pre-rename d/a b; renamed d/a b");
	assert_int_equal(move(f, CORE_ROOT_ID, "b", CORE_ROOT_ID, "c", 0), 0);
	assert_told(f, "");
	assert_int_equal(move(f, CORE_ROOT_ID, "c", e, "c", 0), 0);
	assert_int_equal(move(f, e, "c", d, "c", 0), 0);
	assert_told(f, "pre-rename e/c d/c; renamed e/c d/c");
	assert_int_equal(add_name(f, find(f, "d/c").node_id, e, "l"), 0);
	assert_told(f, "linked d/c e/l");
}

static void what_the_provider_refuses_is_not_done(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	(void)text_file(f, CORE_ROOT_ID, "b", "bbb");
	id = find(f, "b").node_id;
	(void)find(f, "a");
	(void)find(f, "d");
	(void)told(f);
	veto(f, CORE_EVENT_PRE_DELETE | CORE_EVENT_PRE_RENAME | CORE_EVENT_PRE_LINK, -EACCES);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), -EACCES);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), -EACCES);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "c", 0), -EACCES);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", RENAME_EXCHANGE), -EACCES);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "c"), -EACCES);
	assert_told(f, "pre-delete a; pre-delete d/; pre-rename a c; pre-rename a b; pre-link b c");
	assert_missing(f, "c");
	assert_text(f, id, "bbb");
	assert_int_equal(STAT(f, vetoes), 5);
	veto(f, CORE_EVENT_OPENED, -EPERM);
	assert_int_equal(open_file(f, id, O_RDONLY, &handle), -EPERM);
	assert_told(f, "opened b");
	veto(f, 0, 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", 0), 0);
	assert_told(f, "pre-delete b; deleted b; pre-rename a b; renamed a b");
}

static void codes_of_facts_are_ignored(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;

	LISTEN(f, {"", ALL});
	fake_add(f, "a", RECORD_FILE, 10);
	veto(f,
	     ALL & ~(uint32_t)(CORE_EVENT_OPENED | CORE_EVENT_PRE_DELETE | CORE_EVENT_PRE_RENAME |
	                       CORE_EVENT_PRE_LINK | CORE_EVENT_PRE_CONVERT),
	     -EACCES);
	assert_int_equal(create_file(f, CORE_ROOT_ID, "b", &id, &handle), 0);
	close_file(f, id, handle);
	assert_int_equal(open_file(f, id, O_RDWR | O_TRUNC, &handle), 0);
	close_file(f, id, handle);
	assert_int_equal(move(f, CORE_ROOT_ID, "b", CORE_ROOT_ID, "c", 0), 0);
	assert_int_equal(add_name(f, id, CORE_ROOT_ID, "l"), 0);
	assert_int_equal(cut(f, find(f, "a").node_id, 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "c"), 0);
	assert_told(f,
	            "created b; closed b; overwritten b; modified b; pre-rename b c; renamed b c; "
	            "pre-link c l; linked c l; pre-convert a; modified a; pre-delete c; deleted c");
}

/* An exchange that is refused at its second question changes nothing, and asks both again. */
static int refuse_b(struct fake *f, const struct fake_call *call)
{
	if (call->kind != COMMAND_NOTIFY)
		return fake_answer(f, call);
	return call->event == CORE_EVENT_PRE_RENAME && !strcmp(call->path, "b") ? -EACCES : 0;
}

static void an_exchange_needs_both_answers(void **state)
{
	struct fake *f = *state;

	LISTEN(f, {"", CORE_EVENT_PRE_RENAME | CORE_EVENT_RENAMED});
	fake_add(f, "a", RECORD_FILE, 1);
	fake_add(f, "b", RECORD_FILE, 2);
	(void)find(f, "a");
	(void)find(f, "b");
	f->hook = refuse_b;
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", RENAME_EXCHANGE), -EACCES);
	assert_told(f, "pre-rename a b; pre-rename b a");
	assert_int_equal(find(f, "a").attr.size, 1);
	f->hook = NULL;
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, "b", RENAME_EXCHANGE), 0);
	assert_told(f, "pre-rename a b; pre-rename b a; renamed a b; renamed b a");
	assert_int_equal(find(f, "a").attr.size, 2);
}

static void wait_for(struct fake *f, struct request *r, size_t n, struct fake_call *ret)
{
	*ret = fake_wait_call(f, COMMAND_NOTIFY, n);
	assert_false(request_is_done(r));
}

/* Whatever was told is waited for; numbers count up. */
static void a_pended_answer_delays_the_application(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	LISTEN(f, {"", CORE_EVENT_PRE_DELETE | CORE_EVENT_CLOSED_DELETED});
	fake_add(f, "a", RECORD_FILE, 10);
	(void)find(f, "a");
	f->pend = KIND(NOTIFY);
	request_init(f, &r, WANT_NOTHING);
	core_unlink(f->core, &r.req, CORE_ROOT_ID, "a", false);
	wait_for(f, &r, 0, &call);
	assert_int_equal(call.event, CORE_EVENT_PRE_DELETE);
	assert_int_equal(call.sequence, 1);
	assert_int_equal(find(f, "a").attr.size, 10);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	wait_for(f, &r, 1, &call);
	assert_int_equal(call.event, CORE_EVENT_CLOSED_DELETED);
	assert_int_equal(call.sequence, 2);
	assert_missing(f, "a");
	assert_int_equal(fake_complete(f, &call, -EACCES), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(fake_complete(f, &call, 0), -EINVAL);
}

static void a_question_that_is_not_answered_in_time_fails_and_nothing_was_done(void **state)
{
	struct fake *f = *state;
	uint64_t id, handle;
	struct fake_call call;

	f->config.lookup_timeout_ms = 20;
	LISTEN(f, {"", CORE_EVENT_PRE_DELETE | CORE_EVENT_OPENED | CORE_EVENT_CLOSED});
	id = text_file(f, CORE_ROOT_ID, "a", "x");
	assert_told(f, "");
	f->pend = KIND(NOTIFY);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), -ETIMEDOUT);
	call = fake_wait_call(f, COMMAND_NOTIFY, 0);
	fake_wait_cancelled(f, call.id);
	assert_int_equal(open_file(f, id, O_RDONLY, &handle), -ETIMEDOUT);
	call = fake_wait_call(f, COMMAND_NOTIFY, 1);
	assert_int_equal(call.event, CORE_EVENT_OPENED);
	fake_wait_cancelled(f, call.id);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	f->pend = 0;
	assert_text(f, id, "x");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
}

static void what_was_done_succeeds_though_the_provider_is_slow(void **state)
{
	struct fake *f = *state;
	struct fake_call call;

	f->config.lookup_timeout_ms = 20;
	LISTEN(f, {"", CORE_EVENT_CREATED | CORE_EVENT_RENAMED});
	f->pend = KIND(NOTIFY);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", NULL), 0);
	call = fake_wait_call(f, COMMAND_NOTIFY, 0);
	assert_int_equal(f->n_cancelled, 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	call = fake_wait_call(f, COMMAND_NOTIFY, 1);
	assert_int_equal(fake_complete(f, &call, -EIO), 0);
	assert_int_equal(f->n_cancelled, 0);
	f->pend = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(without_mappings_nothing_is_told),
	        TEST(new_items_are_told),
	        TEST(a_deletion_is_asked_and_told),
	        TEST(what_cannot_be_deleted_is_not_asked),
	        TEST(whether_a_deleted_file_was_modified_needs_both_bits),
	        TEST(a_reader_does_not_make_a_deletion_modified),
	        TEST(renames_are_asked_and_told_with_both_names),
	        TEST(a_rename_between_two_names_of_one_file_says_nothing),
	        TEST(links_are_asked_and_told),
	        TEST(a_file_that_gets_its_first_name_is_told_unless_suppressed),
	        TEST(an_unnamed_file_that_was_linked_is_closed_as_modified),
	        TEST(the_deepest_mapping_wins_wholly),
	        TEST(a_move_is_told_by_the_mask_of_either_side),
	        TEST(what_the_provider_refuses_is_not_done),
	        TEST(codes_of_facts_are_ignored),
	        TEST(an_exchange_needs_both_answers),
	        TEST(a_pended_answer_delays_the_application),
	        TEST(a_question_that_is_not_answered_in_time_fails_and_nothing_was_done),
	        TEST(what_was_done_succeeds_though_the_provider_is_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
