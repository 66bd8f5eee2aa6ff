/* SPDX-License-Identifier: MIT */
/* Hard links: however many names, it is one file, and one node. */

#include "changes.h"

#include <stdio.h>

#define ROOT CORE_ROOT_ID

static uint32_t links_of(struct fake *f, uint64_t id)
{
	struct core_attr attr;

	assert_int_equal(get_attr(f, id, &attr), 0);
	return attr.nlink;
}

/* "a" in the root, "b" too, "d/c" in a local directory. */
static uint64_t three_names(struct fake *f)
{
	struct core_entry dir;
	uint64_t id = make_text(f, ROOT, "a", "text");

	assert_int_equal(make_dir(f, ROOT, "d", &dir), 0);
	assert_int_equal(add_name(f, id, ROOT, "b"), 0);
	assert_int_equal(add_name(f, id, dir.node_id, "c"), 0);
	assert_int_equal(links_of(f, id), 3);
	return id;
}

static void all_names_lead_to_one_node(void **state)
{
	struct fake *f = *state;
	uint64_t id = three_names(f), ino = find(f, "a").attr.ino;

	for (int i = 0; i < 2; i++) {
		if (i)
			id = find(f, "d/c").node_id;
		assert_int_equal(find(f, "a").node_id, id);
		assert_int_equal(find(f, "b").node_id, id);
		assert_int_equal(find(f, "d/c").node_id, id);
		assert_int_equal(find(f, "b").attr.ino, ino);
		assert_int_equal(links_of(f, id), 3);
		assert_int_equal(write_text(f, id, 4, "!"), 0);
		assert_text(f, find(f, "b").node_id, "text!");
		assert_names(f, ROOT, "a b d");
		if (!i)
			fake_restart(f);
	}
}

static void remove_in_order(struct fake *f, const int *order, bool restart)
{
	static const char *const paths[] = {"a", "b", "d/c"};
	uint64_t id = three_names(f);

	if (restart) {
		fake_restart(f);
		for (int i = 0; i < 3; i++)
			id = find(f, paths[i]).node_id;
	}
	for (unsigned i = 0; i < 3; i++) {
		const char *path = paths[order[i]];
		uint64_t dir = order[i] == 2 ? find(f, "d").node_id : ROOT;

		assert_int_equal(remove_file(f, dir, order[i] == 2 ? "c" : path), 0);
		assert_missing(f, path);
		assert_int_equal(links_of(f, id), 2 - i);
		assert_text(f, id, "text");
		for (unsigned j = i + 1; j < 3; j++)
			assert_int_equal(find(f, paths[order[j]]).node_id, id);
	}
	assert_int_equal(write_text(f, id, 4, "!"), 0);
	assert_text(f, id, "text!");
}

static void names_go_in_any_order(void **state)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
	                                {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (int i = 0; i < 12; i++) {
		remove_in_order(*state, orders[i / 2], i & 1);
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

/* What is removed may have names that nobody has looked up since the start. */
static void a_name_nobody_has_seen_yet_still_counts(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	three_names(f);
	fake_restart(f);
	id = find(f, "a").node_id;
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_int_equal(links_of(f, id), 2);
	assert_text(f, id, "text");
	assert_int_equal(find(f, "b").node_id, id);
	assert_int_equal(write_text(f, id, 4, "!"), 0);
	assert_int_equal(find(f, "d/c").node_id, id);
	assert_int_equal(move(f, ROOT, "b", ROOT, "e", 0), 0);
	assert_text(f, find(f, "e").node_id, "text!");
	fake_restart(f);
	assert_text(f, find(f, "d/c").node_id, "text!");
}

static void a_name_moves_and_the_others_stay(void **state)
{
	struct fake *f = *state;
	uint64_t id = three_names(f);

	assert_int_equal(move(f, ROOT, "b", ROOT, "e", 0), 0);
	assert_int_equal(move(f, ROOT, "a", ROOT, "g", 0), 0);
	assert_missing(f, "a");
	assert_missing(f, "b");
	assert_int_equal(find(f, "e").node_id, id);
	assert_int_equal(find(f, "g").node_id, id);
	assert_int_equal(find(f, "d/c").node_id, id);
	assert_int_equal(move(f, ROOT, "d", ROOT, "h", 0), 0);
	assert_int_equal(find(f, "h/c").node_id, id);
	assert_int_equal(links_of(f, id), 3);
	fake_restart(f);
	assert_names(f, ROOT, "e g h");
	id = find(f, "h/c").node_id;
	assert_int_equal(find(f, "e").node_id, id);
	assert_int_equal(links_of(f, id), 3);
}

/* POSIX: both stay. */
static void a_rename_onto_another_name_of_the_same_file_does_nothing(void **state)
{
	struct fake *f = *state;
	uint64_t id = three_names(f);

	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	assert_int_equal(move(f, ROOT, "b", ROOT, "a", RENAME_EXCHANGE), 0);
	assert_int_equal(move(f, ROOT, "a", find(f, "d").node_id, "c", 0), 0);
	assert_int_equal(find(f, "a").node_id, id);
	assert_int_equal(find(f, "b").node_id, id);
	assert_int_equal(links_of(f, id), 3);
	fake_restart(f);
	assert_names(f, ROOT, "a b d");
}

static void exchange_name(struct fake *f, const char *name)
{
	struct fake_item *item = fake_add(f, "p", RECORD_FILE, 5000);
	uint64_t id = three_names(f), other = find(f, "p").node_id;

	assert_int_equal(move(f, ROOT, name, ROOT, "p", RENAME_EXCHANGE), 0);
	assert_int_equal(find(f, "p").node_id, id);
	assert_int_equal(find(f, name).node_id, other);
	assert_int_equal(links_of(f, id), 3);
	assert_int_equal(find(f, "d/c").node_id, id);
	fake_restart(f);
	assert_text(f, find(f, "p").node_id, "text");
	assert_int_equal(find(f, "p").node_id, find(f, "d/c").node_id);
	assert_int_equal(read_check(f, find(f, name).node_id, item, 0, 9000), 5000);
	/* Back, with the alias on the other side. */
	assert_int_equal(move(f, ROOT, name, ROOT, "p", RENAME_EXCHANGE), 0);
	assert_text(f, find(f, name).node_id, "text");
	assert_int_equal(find(f, "d/c").node_id, find(f, name).node_id);
	assert_int_equal(read_check(f, find(f, "p").node_id, item, 0, 9000), 5000);
}

static void the_first_name_changes_places_with_another_file(void **state)
{
	exchange_name(*state, "a");
}

static void a_further_name_changes_places_with_another_file(void **state)
{
	exchange_name(*state, "b");
}

static void two_files_with_several_names_exchange_one(void **state)
{
	struct fake *f = *state;
	uint64_t id = three_names(f), other = make_text(f, ROOT, "x", "other");

	assert_int_equal(add_name(f, other, ROOT, "y"), 0);
	assert_int_equal(move(f, ROOT, "b", ROOT, "y", RENAME_EXCHANGE), 0);
	assert_int_equal(move(f, ROOT, "a", ROOT, "x", RENAME_EXCHANGE), 0);
	assert_int_equal(find(f, "a").node_id, other);
	assert_int_equal(find(f, "b").node_id, other);
	assert_int_equal(find(f, "x").node_id, id);
	assert_int_equal(find(f, "y").node_id, id);
	assert_int_equal(links_of(f, id), 3);
	assert_int_equal(links_of(f, other), 2);
	fake_restart(f);
	assert_text(f, find(f, "y").node_id, "text");
	assert_text(f, find(f, "b").node_id, "other");
}

static void a_file_replaces_one_name_of_another(void **state)
{
	struct fake *f = *state;
	uint64_t id = three_names(f);

	make_text(f, ROOT, "n", "new");
	assert_int_equal(move(f, ROOT, "n", ROOT, "a", 0), 0);
	assert_text(f, find(f, "a").node_id, "new");
	assert_int_equal(find(f, "b").node_id, id);
	assert_int_equal(links_of(f, id), 2);
	make_text(f, ROOT, "n", "newer");
	assert_int_equal(move(f, ROOT, "n", find(f, "d").node_id, "c", 0), 0);
	assert_int_equal(links_of(f, id), 1);
	fake_restart(f);
	assert_text(f, find(f, "a").node_id, "new");
	assert_text(f, find(f, "b").node_id, "text");
	assert_text(f, find(f, "d/c").node_id, "newer");
}

static void a_linked_file_of_the_provider_becomes_the_users(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);
	uint64_t id = find(f, "a").node_id;

	assert_int_equal(add_name(f, id, ROOT, "b"), 0);
	assert_state(f, "a", 8);
	assert_int_equal(find(f, "b").node_id, id);
	assert_int_equal(links_of(f, id), 2);
	assert_int_equal(read_check(f, id, item, 0, 9000), 5000);
	assert_int_equal(remove_file(f, ROOT, "a"), 0);
	assert_missing(f, "a");
	assert_int_equal(links_of(f, id), 1);
	fake_restart(f);
	assert_missing(f, "a");
	assert_int_equal(read_check(f, find(f, "b").node_id, item, 0, 9000), 5000);
	assert_int_equal(remove_file(f, ROOT, "b"), 0);
	assert_names(f, ROOT, "");
	assert_int_equal(restore(f, "b"), -ENOENT);
}

static void wrong_links_are_refused(void **state)
{
	struct fake *f = *state;
	uint64_t id = make_text(f, ROOT, "a", "a");

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	assert_int_equal(add_name(f, find(f, "d").node_id, ROOT, "e"), -EPERM);
	assert_int_equal(add_name(f, id, ROOT, "a"), -EEXIST);
	assert_int_equal(add_name(f, id, id, "b"), -ENOTDIR);
	assert_int_equal(add_name(f, 4711, ROOT, "b"), -ESTALE);
	assert_int_equal(links_of(f, id), 1);
}

/* Both of its names lie below what is taken away, or one does. */
static void restoring_a_directory_takes_all_names_below_it(void **state)
{
	struct fake *f = *state;
	uint64_t dir, id;

	fake_add(f, "p", RECORD_DIRECTORY, 0);
	dir = find(f, "p").node_id;
	id = make_text(f, dir, "a", "text");
	assert_int_equal(add_name(f, id, dir, "b"), 0);
	assert_int_equal(add_name(f, id, ROOT, "outside"), 0);
	assert_int_equal(restore(f, "p"), 0);
	assert_missing(f, "p/a");
	assert_missing(f, "p/b");
	assert_names(f, find(f, "p").node_id, "");
	assert_int_equal(find(f, "outside").node_id, id);
	assert_text(f, id, "text");
}

static void restoring_a_directory_takes_a_further_name_below_it(void **state)
{
	struct fake *f = *state;
	uint64_t id = make_text(f, ROOT, "outside", "text");

	fake_add(f, "p", RECORD_DIRECTORY, 0);
	assert_int_equal(add_name(f, id, find(f, "p").node_id, "a"), 0);
	assert_int_equal(restore(f, "p"), 0);
	assert_missing(f, "p/a");
	assert_text(f, find(f, "outside").node_id, "text");
}

/* Nothing holds their content open yet. */
static void open_files_below_a_restored_directory_keep_their_content(void **state)
{
	struct fake *f = *state;
	uint64_t dir, id, other;

	fake_add(f, "p", RECORD_DIRECTORY, 0);
	dir = find(f, "p").node_id;
	id = make_text(f, dir, "a", "text");
	assert_int_equal(add_name(f, id, dir, "b"), 0);
	other = make_text(f, dir, "c", "other");
	assert_int_equal(add_name(f, other, ROOT, "outside"), 0);
	fake_restart(f);
	id = find(f, "p/a").node_id;
	assert_int_equal(find(f, "p/b").node_id, id);
	other = find(f, "outside").node_id;
	assert_int_equal(find(f, "p/c").node_id, other);
	assert_int_equal(restore(f, "p"), 0);
	assert_text(f, id, "text");
	assert_int_equal(remove_file(f, ROOT, "outside"), 0);
	assert_text(f, other, "other");
}

static void restoring_one_name_leaves_the_others(void **state)
{
	struct fake *f = *state;
	uint64_t id;

	for (const char *name = "b\0a\0"; *name; name += 2) {
		const char *other = *name == 'a' ? "b" : "a";

		id = make_text(f, ROOT, "a", "text");
		assert_int_equal(add_name(f, id, ROOT, "b"), 0);
		assert_int_equal(restore(f, name), 0);
		assert_missing(f, name);
		assert_int_equal(find(f, other).node_id, id);
		assert_text(f, id, "text");
		assert_int_equal(remove_file(f, ROOT, other), 0);
		assert_text(f, id, "text");
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(all_names_lead_to_one_node),
	        T(names_go_in_any_order),
	        T(a_name_nobody_has_seen_yet_still_counts),
	        T(a_name_moves_and_the_others_stay),
	        T(a_rename_onto_another_name_of_the_same_file_does_nothing),
	        T(the_first_name_changes_places_with_another_file),
	        T(a_further_name_changes_places_with_another_file),
	        T(two_files_with_several_names_exchange_one),
	        T(a_file_replaces_one_name_of_another),
	        T(a_linked_file_of_the_provider_becomes_the_users),
	        T(wrong_links_are_refused),
	        T(restoring_a_directory_takes_all_names_below_it),
	        T(restoring_a_directory_takes_a_further_name_below_it),
	        T(open_files_below_a_restored_directory_keep_their_content),
	        T(restoring_one_name_leaves_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
