/* SPDX-License-Identifier: MIT */
/* Renaming anything over anything, and a crash at every step of it. */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_hollow(enum kind kind)
{
	return kind == HOLLOW_DIR || kind == EMPTY_DIR;
}

static int expected_result(enum kind from, enum kind to, unsigned flags)
{
	if (from == NOTHING || from == TOMBSTONE)
		return -ENOENT;
	if (flags & STORE_RENAME_EXCHANGE)
		return to == NOTHING || to == TOMBSTONE ? -ENOENT : 0;
	if (!is_dir_kind(from))
		return is_dir_kind(to) ? -EISDIR : 0;
	if (is_dir_kind(to))
		return is_hollow(to) ? 0 : -ENOTEMPTY;
	return to == HYDRATED || to == LOCAL || to == LOCAL_LINK ? -ENOTDIR : 0;
}

static enum store_state state_of_kind(enum kind kind)
{
	switch (kind) {
	case NOTHING:
	case N_KINDS:
		return STORE_NONE;
	case TOMBSTONE:
		return STORE_TOMBSTONE;
	case MARKER:
		return STORE_PLACEHOLDER;
	case LOCAL:
	case LOCAL_LINK:
	case LOCAL_DIR:
	case EMPTY_DIR:
		return STORE_LOCAL;
	case HYDRATED:
	case PROJECTED_DIR:
	case HOLLOW_DIR:
		break;
	}
	return STORE_LOCAL; /* without its origin in the record, what has moved is the user's */
}

static void check_pair(struct fixture *f, enum kind from, enum kind to, unsigned flags)
{
	int expected = expected_result(from, to, flags);
	enum store_state left = flags & STORE_RENAME_EXCHANGE    ? state_of_kind(to)
	                        : flags & STORE_RENAME_TOMBSTONE ? STORE_TOMBSTONE
	                                                         : STORE_NONE;
	_cleanup_(buf_deinit) struct buf before = {0};
	_cleanup_(buf_deinit) struct buf after = {0};
	char dir[32];
	char a[64];
	char b[64];

	(void)snprintf(dir, sizeof(dir), "%d-%d-%u", from, to, flags);
	assert_int_equal(mkdir(fixture_at(f, dir), 0755), 0);
	(void)snprintf(a, sizeof(a), "%s/a", dir);
	(void)snprintf(b, sizeof(b), "%s/b", dir);
	put(f->store, f, from, a);
	put(f->store, f, to, b);
	snapshot(f->store, &before);
	if (store_rename(f->store, a, b, flags) != expected)
		fail_msg("%s to %s, flags %u: not %d", kind_names[from], kind_names[to], flags,
		         expected);
	if (expected < 0) {
		snapshot(f->store, &after);
		assert_string_equal((char *)before.data, (char *)after.data);
	} else {
		assert_int_equal(state_of(f->store, b), state_of_kind(from));
		assert_int_equal(state_of(f->store, a), left);
	}
	assert_int_equal(count_private(f, "intent"), 0);
	assert_int_equal(count_private(f, "tmp"), 0);
	remove_tree(fixture_at(f, dir));
}

static void check_all_pairs(struct fixture *f)
{
	for (enum kind from = NOTHING; from < N_KINDS; from++) {
		for (enum kind to = NOTHING; to < N_KINDS; to++) {
			check_pair(f, from, to, 0);
			check_pair(f, from, to, STORE_RENAME_TOMBSTONE);
			check_pair(f, from, to, STORE_RENAME_EXCHANGE);
		}
	}
}

static void anything_replaces_what_it_may(void **state)
{
	check_all_pairs(*state);
}

static int setup_without_exchange(void **state)
{
	setenv("PROJFS_DISABLE", "exchange", 1);
	return fixture_setup(state);
}

static void so_it_does_on_disks_that_cannot_exchange(void **state)
{
	check_all_pairs(*state);
}

static void directory_does_not_go_into_itself(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, LOCAL_DIR, "dir");
	assert_int_equal(store_rename(f->store, "dir", "dir/new", 0), -EINVAL);
	assert_int_equal(store_rename(f->store, "dir/inner", "dir", STORE_RENAME_EXCHANGE),
	                 -EINVAL);
	assert_int_equal(store_rename(f->store, "dir", "", 0), -EINVAL);
	assert_int_equal(store_rename(f->store, "dir", ".projfs/dir", 0), -EPERM);
	assert_int_equal(store_rename(f->store, "dir", "no/dir", 0), -ENOENT);
	assert_int_equal(state_of(f->store, "dir/inner"), STORE_LOCAL);
}

static void two_names_of_one_file_stay(void **state)
{
	struct fixture *f = *state;

	put(f->store, f, LOCAL, "a");
	assert_int_equal(link(fixture_at(f, "a"), fixture_at(f, "b")), 0);
	assert_int_equal(store_rename(f->store, "a", "b", STORE_RENAME_TOMBSTONE), 0);
	assert_int_equal(state_of(f->store, "a"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "b"), STORE_LOCAL);
}

static void marker_keeps_its_identity(void **state)
{
	struct fixture *f = *state;
	struct store_item before;
	struct store_item after;

	put(f->store, f, MARKER, "a");
	put(f->store, f, EMPTY_DIR, "dir");
	assert_int_equal(store_lookup(f->store, "a", &before), 0);
	assert_int_not_equal(before.identity, 0);
	assert_int_equal(store_rename(f->store, "a", "dir/b", STORE_RENAME_TOMBSTONE), 0);
	assert_int_equal(store_lookup(f->store, "dir/b", &after), 0);
	assert_int_equal(after.state, STORE_PLACEHOLDER);
	assert_int_equal(after.identity, before.identity);
	store_item_deinit(&before);
	store_item_deinit(&after);
	/* One that does not move after all keeps it, too. */
	put(f->store, f, MARKER, "c");
	assert_int_equal(store_lookup(f->store, "c", &before), 0);
	assert_int_equal(store_rename(f->store, "c", "dir", 0), -EISDIR);
	assert_int_equal(store_lookup(f->store, "c", &after), 0);
	assert_int_equal(after.identity, before.identity);
	store_item_deinit(&before);
	store_item_deinit(&after);
}

static void long_paths_are_noted_in_files(void **state)
{
	struct fixture *f = *state;
	char dir[1024] = "d";
	char from[1100];
	char to[1100];

	assert_int_equal(mkdir(fixture_at(f, dir), 0755), 0);
	for (int i = 0; i < 4; i++) {
		size_t n = strlen(dir);

		dir[n] = '/';
		memset(dir + n + 1, 'x', 200);
		dir[n + 201] = '\0';
		assert_int_equal(mkdir(fixture_at(f, dir), 0755), 0);
	}
	(void)snprintf(from, sizeof(from), "%s/from", dir);
	(void)snprintf(to, sizeof(to), "%s/to", dir);
	put(f->store, f, LOCAL, from);
	assert_int_equal(store_rename(f->store, from, to, STORE_RENAME_TOMBSTONE), 0);
	assert_int_equal(state_of(f->store, from), STORE_TOMBSTONE);
	assert_int_equal(state_of(f->store, to), STORE_LOCAL);
	assert_int_equal(count_private(f, "intent"), 0);
}

/* ---- crashes ----------------------------------------------------------------------------------- */

struct renaming {
	enum kind from, to;
	unsigned flags;
};

static void prepare(struct store *s, const struct fixture *f, const void *context)
{
	const struct renaming *r = context;

	put(s, f, r->from, "from");
	put(s, f, EMPTY_DIR, "dir");
	put(s, f, r->to, "dir/to");
}

static int work(struct store *s, const void *context)
{
	const struct renaming *r = context;

	return store_rename(s, "from", "dir/to", r->flags);
}

static void crash_with(enum kind from, enum kind to, unsigned flags, const char *disable)
{
	const struct renaming r = {from, to, flags};
	char name[128];
	const struct crash_case c = {prepare, work, &r, name, disable};

	if (expected_result(from, to, flags) < 0)
		return;
	(void)snprintf(name, sizeof(name), "%s to %s, flags %u", kind_names[from], kind_names[to],
	               flags);
	crash_everywhere(&c);
}

static void crash_onto(enum kind to, const char *disable)
{
	static const enum kind froms[] = {MARKER, LOCAL, PROJECTED_DIR};

	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++) {
		for (unsigned flags = 0; flags <= STORE_RENAME_EXCHANGE; flags++)
			crash_with(froms[i], to, flags, disable);
	}
}

static void rename_to_a_free_name_is_before_or_after_a_crash(void **state)
{
	crash_onto(NOTHING, NULL);
}

static void rename_over_a_tombstone_is_before_or_after_a_crash(void **state)
{
	crash_onto(TOMBSTONE, NULL);
}

static void rename_over_a_file_is_before_or_after_a_crash(void **state)
{
	crash_onto(LOCAL, NULL);
	crash_onto(MARKER, NULL);
}

static void rename_over_a_hollow_directory_is_before_or_after_a_crash(void **state)
{
	crash_onto(HOLLOW_DIR, NULL);
	crash_onto(EMPTY_DIR, NULL);
}

static void so_they_are_on_disks_that_cannot_exchange(void **state)
{
	crash_onto(TOMBSTONE, "exchange");
	crash_onto(HOLLOW_DIR, "exchange");
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(anything_replaces_what_it_may),
	        cmocka_unit_test_setup_teardown(so_it_does_on_disks_that_cannot_exchange,
	                                        setup_without_exchange, fixture_teardown),
	        OPEN(directory_does_not_go_into_itself),
	        OPEN(two_names_of_one_file_stay),
	        OPEN(marker_keeps_its_identity),
	        OPEN(long_paths_are_noted_in_files),
	        cmocka_unit_test(rename_to_a_free_name_is_before_or_after_a_crash),
	        cmocka_unit_test(rename_over_a_tombstone_is_before_or_after_a_crash),
	        cmocka_unit_test(rename_over_a_file_is_before_or_after_a_crash),
	        cmocka_unit_test(rename_over_a_hollow_directory_is_before_or_after_a_crash),
	        cmocka_unit_test(so_they_are_on_disks_that_cannot_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
