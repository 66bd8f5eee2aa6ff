/* SPDX-License-Identifier: MIT */
/* New items: they are the user's own, at once, in every listing, and after a restart. */

#include "changes.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static void a_created_file_is_found_written_and_read_back(void **state)
{
	struct fake *f = *state;
	struct core_entry entry, again;
	struct core_attr attr;

	assert_int_equal(make_file(f, CORE_ROOT_ID, "new", &entry), 0);
	assert_int_equal(entry.attr.size, 0);
	assert_int_equal(entry.attr.nlink, 1);
	assert_int_equal(entry.attr.mode, S_IFREG | 0644);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "new", &again), 0);
	assert_int_equal(again.node_id, entry.node_id);
	assert_int_equal(write_text(f, entry.node_id, 0, "hello"), 0);
	assert_int_equal(write_text(f, entry.node_id, 5, " world"), 0);
	assert_text(f, entry.node_id, "hello world");
	assert_int_equal(get_attr(f, entry.node_id, &attr), 0);
	assert_int_equal(attr.size, 11);
	assert_state(f, "new", 0x08);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER) + fake_count(f, COMMAND_DATA), 0);

	fake_restart(f);
	again = find(f, "new");
	assert_text(f, again.node_id, "hello world");
	assert_int_equal(again.attr.ino, entry.attr.ino);
	assert_state(f, "new", 0x08);
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER) + fake_count(f, COMMAND_DATA), 0);
}

static void what_exists_is_not_made_again(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(make_file(f, CORE_ROOT_ID, "a", NULL), -EEXIST);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "a", NULL), -EEXIST);
	assert_int_equal(make_symlink(f, CORE_ROOT_ID, "a", "b", NULL), -EEXIST);
	assert_int_equal(hydrate_node(f, find(f, "a").node_id), 0);
	assert_int_equal(make_file(f, CORE_ROOT_ID, "a", NULL), -EEXIST);
	make_text(f, CORE_ROOT_ID, "b", "b");
	assert_int_equal(make_file(f, CORE_ROOT_ID, "b", NULL), -EEXIST);
	assert_text(f, find(f, "b").node_id, "b");
}

static void impossible_names_are_refused(void **state)
{
	struct fake *f = *state;
	char longest[257];

	memset(longest, 'x', 256);
	longest[256] = '\0';
	assert_int_equal(make_file(f, CORE_ROOT_ID, longest, NULL), -ENAMETOOLONG);
	longest[255] = '\0';
	assert_int_equal(make_file(f, CORE_ROOT_ID, longest, NULL), 0);
	assert_int_equal(make_file(f, CORE_ROOT_ID, "a/b", NULL), -EINVAL);
	assert_int_equal(make_file(f, CORE_ROOT_ID, "..", NULL), -EINVAL);
	assert_int_equal(make_file(f, CORE_ROOT_ID, "", NULL), -EINVAL);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, ".projfs", NULL), -EPERM);
	make_text(f, CORE_ROOT_ID, "a", "a");
	assert_int_equal(move(f, CORE_ROOT_ID, "a", CORE_ROOT_ID, ".projfs", 0), -EPERM);
	assert_int_equal(add_name(f, find(f, "a").node_id, CORE_ROOT_ID, ".projfs"), -EPERM);
	assert_int_equal(make_file(f, find(f, "a").node_id, "b", NULL), -ENOTDIR);
	assert_int_equal(make_file(f, 4711, "b", NULL), -ESTALE);
}

static void a_file_in_a_virtual_directory_puts_the_directory_on_disk(void **state)
{
	struct fake *f = *state;
	struct core_attr attr;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e/a", RECORD_FILE, 5);
	dir = find(f, "d/e").node_id;
	make_text(f, dir, "new", "n");
	assert_names(f, dir, "a new");
	assert_state(f, "d", 0x01);
	assert_state(f, "d/e", 0x05);
	assert_int_equal(get_attr(f, dir, &attr), 0);
	assert_true(attr.mtime.tv_sec > 1000000000); /* the provider's */
	assert_int_equal(get_attr(f, find(f, "d").node_id, &attr), 0);
	assert_int_equal(attr.mtime.tv_sec, 1000000000);
	fake_restart(f);
	assert_names(f, find(f, "d/e").node_id, "a new");
	assert_text(f, find(f, "d/e/new").node_id, "n");
	assert_int_equal(get_attr(f, find(f, "d").node_id, &attr), 0);
	assert_int_equal(attr.mtime.tv_sec, 1000000000);
}

static void a_file_over_a_tombstone_is_the_users(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	find(f, "a");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_missing(f, "a");
	make_text(f, CORE_ROOT_ID, "a", "mine");
	assert_state(f, "a", 0x08);
	assert_names(f, CORE_ROOT_ID, "a");
	fake_restart(f);
	assert_text(f, find(f, "a").node_id, "mine");
	/* What lies under it must not come back. */
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_missing(f, "a");
	assert_state(f, "a", 0x10);
}

static void a_directory_over_a_tombstone_shows_nothing_of_the_provider(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/a", RECORD_FILE, 5);
	dir = find(f, "d").node_id;
	find(f, "d/a");
	assert_int_equal(remove_file(f, dir, "a"), 0);
	assert_int_equal(remove_dir(f, CORE_ROOT_ID, "d"), 0);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "d", NULL), 0);
	dir = find(f, "d").node_id;
	assert_names(f, dir, "");
	assert_missing(f, "d/a");
	make_text(f, dir, "b", "b");
	fake_restart(f);
	assert_names(f, find(f, "d").node_id, "b");
	assert_missing(f, "d/a");
	assert_int_equal(times_asked(f, COMMAND_PLACEHOLDER, "d/a"), 0);
}

static void links_and_special_files_are_what_they_were_made(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;
	char *target;

	assert_int_equal(make_symlink(f, CORE_ROOT_ID, "l", "../else where", &entry), 0);
	assert_int_equal(entry.attr.mode & S_IFMT, S_IFLNK);
	assert_int_equal(entry.attr.size, 13);
	assert_int_equal(make_node(f, CORE_ROOT_ID, "fifo", S_IFIFO | 0600, NULL), 0);
	assert_int_equal(make_node(f, CORE_ROOT_ID, "sock", S_IFSOCK | 0600, NULL), 0);
	assert_int_equal(make_node(f, CORE_ROOT_ID, "file", S_IFREG | 0600, NULL), 0);
	assert_int_equal(make_dir(f, CORE_ROOT_ID, "dir", NULL), 0);
	for (int i = 0; i < 2; i++) {
		target = target_of(f, find(f, "l").node_id);
		assert_string_equal(target, "../else where");
		free(target);
		assert_int_equal(find(f, "fifo").attr.mode, S_IFIFO | 0600);
		assert_int_equal(find(f, "sock").attr.mode, S_IFSOCK | 0600);
		assert_int_equal(find(f, "file").attr.mode, S_IFREG | 0600);
		assert_int_equal(find(f, "dir").attr.mode, S_IFDIR | 0755);
		if (i == 0)
			fake_restart(f);
	}
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "fifo"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "l"), 0);
	assert_missing(f, "fifo");
	assert_missing(f, "l");
}

static void an_unnamed_file_is_nowhere_until_it_gets_a_name(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;
	struct core_attr attr;

	assert_int_equal(make_unnamed(f, CORE_ROOT_ID, &entry), 0);
	assert_int_equal(entry.attr.nlink, 0);
	assert_int_equal(write_text(f, entry.node_id, 0, "text"), 0);
	assert_names(f, CORE_ROOT_ID, "");
	assert_text(f, entry.node_id, "text");
	assert_int_equal(sync_node(f, entry.node_id), 0);
	assert_int_equal(add_name(f, entry.node_id, CORE_ROOT_ID, "named"), 0);
	assert_names(f, CORE_ROOT_ID, "named");
	assert_int_equal(get_attr(f, entry.node_id, &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(find(f, "named").node_id, entry.node_id);
	assert_int_equal(write_text(f, entry.node_id, 4, "!"), 0);
	fake_restart(f);
	assert_text(f, find(f, "named").node_id, "text!");
}

static void an_unnamed_file_that_stays_so_is_gone(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;

	assert_int_equal(make_unnamed(f, CORE_ROOT_ID, &entry), 0);
	assert_int_equal(write_text(f, entry.node_id, 0, "text"), 0);
	assert_int_equal(cut(f, entry.node_id, 2), 0);
	assert_int_equal(change_mode(f, entry.node_id, 0600), 0);
	assert_int_equal(set_xattr(f, entry.node_id, "user.a", "b", 0), 0);
	assert_text(f, entry.node_id, "te");
	forget_all(f, entry.node_id);
	assert_int_equal(get_attr(f, entry.node_id, NULL), -ESTALE);
	fake_restart(f);
	assert_names(f, CORE_ROOT_ID, "");
}

/* ---- listings -------------------------------------------------------------------------------- */

static void use_stable_view(struct fake *f)
{
	f->config.stable_view = true;
	fake_restart(f);
}

static void a_stable_listing_follows_changes_without_asking_again(void **state)
{
	struct fake *f = *state;
	size_t asked;

	use_stable_view(f);
	for (const char *name = "a\0b\0c\0"; *name; name += 2)
		fake_add(f, name, RECORD_FILE, 5);
	assert_names(f, CORE_ROOT_ID, "a b c");
	asked = fake_count(f, COMMAND_START_ENUM) + fake_count(f, COMMAND_PLACEHOLDER);

	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_names(f, CORE_ROOT_ID, "a b c n");
	find(f, "b");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	assert_names(f, CORE_ROOT_ID, "a c n");
	assert_missing(f, "b");
	assert_int_equal(move(f, CORE_ROOT_ID, "n", CORE_ROOT_ID, "b", 0), 0);
	assert_names(f, CORE_ROOT_ID, "a b c");
	assert_text(f, find(f, "b").node_id, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "b"), 0);
	assert_names(f, CORE_ROOT_ID, "a c");
	assert_state(f, "b", 0x10); /* the listing knows that the provider has one */
	assert_int_equal(restore(f, "b"), 0);
	assert_names(f, CORE_ROOT_ID, "a b c");
	assert_int_equal(find(f, "b").attr.size, 5);
	assert_int_equal(fake_count(f, COMMAND_START_ENUM) + fake_count(f, COMMAND_PLACEHOLDER),
	                 asked);
	fake_restart(f);
	assert_names(f, CORE_ROOT_ID, "a b c");
}

static void a_name_of_ones_own_leaves_no_tombstone_in_a_stable_view(void **state)
{
	struct fake *f = *state;

	use_stable_view(f);
	fake_add(f, "a", RECORD_FILE, 5);
	assert_names(f, CORE_ROOT_ID, "a");
	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_int_equal(move(f, CORE_ROOT_ID, "n", CORE_ROOT_ID, "m", 0), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "m"), 0);
	assert_names(f, CORE_ROOT_ID, "a");
	assert_missing(f, "n");
	assert_int_equal(fake_count(f, COMMAND_PLACEHOLDER), 0);
	fake_restart(f);
	assert_int_equal(restore(f, "n"), -ENOENT);
	assert_int_equal(restore(f, "m"), -ENOENT);
}

/* Reads 2 entries at a time; the names come out in @ret, each with a blank. */
static void read_on(struct fake *f, uint64_t handle, uint64_t *offset, size_t n, char *ret)
{
	struct request r;

	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, *offset, n, true, &r), 0);
	for (size_t i = 0; i < r.n_names; i++) {
		if (r.names[i].name[0] != '.') {
			strcat(ret, r.names[i].name);
			strcat(ret, " ");
		}
		*offset = r.names[i].next;
	}
	request_deinit(&r);
}

static void check_offsets(struct fake *f, bool stable)
{
	char names[1000] = "";
	uint64_t offset = 0, handle;

	for (const char *name = "a\0b\0c\0d\0e\0"; *name; name += 2)
		fake_add(f, name, RECORD_FILE, 5);
	handle = open_dir(f, CORE_ROOT_ID);
	read_on(f, handle, &offset, 4, names);
	assert_string_equal(names, "a b ");
	find(f, "a");
	find(f, "d");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "d"), 0);
	make_text(f, CORE_ROOT_ID, "aa", "n");
	read_on(f, handle, &offset, 1, names);
	assert_string_equal(names, "a b c ");
	read_on(f, handle, &offset, 100, names);
	/* Of a changed name POSIX lets either be seen; what nobody touched must come, and once. */
	assert_string_equal(names, stable ? "a b c e aa " : "a b c d e ");
	read_on(f, handle, &offset, 100, names);
	assert_string_equal(names, stable ? "a b c e aa " : "a b c d e ");
	names[0] = '\0';
	offset = 0;
	read_on(f, handle, &offset, 100, names); /* rewound */
	assert_string_equal(names, stable ? "b c e aa " : "aa b c e ");
	core_releasedir(f->core, CORE_ROOT_ID, handle);
}

static void offsets_stay_good_while_a_live_directory_changes(void **state)
{
	check_offsets(*state, false);
}

static void offsets_stay_good_while_a_stable_directory_changes(void **state)
{
	use_stable_view(*state);
	check_offsets(*state, true);
}

/* Changes while the listing is on its way from the provider must be in it. */
static void a_listing_under_way_hears_of_changes(void **state)
{
	struct fake *f = *state;
	struct request r;
	uint64_t handle;

	use_stable_view(f);
	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "b", RECORD_FILE, 5);
	find(f, "a");
	find(f, "b");
	handle = open_dir(f, CORE_ROOT_ID);
	f->gate = KIND(GET_ENUM);
	request_init(f, &r, WANT_NOTHING);
	core_readdir(f->core, &r.req, CORE_ROOT_ID, handle, 0, false);
	fake_wait_gated(f, 1);
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "a"), 0);
	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_int_equal(move(f, CORE_ROOT_ID, "b", CORE_ROOT_ID, "bb", 0), 0);
	fake_open_gate(f);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_names(f, CORE_ROOT_ID, "n bb");
	/* 'm' is nobody's: its removal must not make a tombstone; of 'a' it must. */
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(restore(f, "n"), -ENOENT);
	assert_state(f, "a", 0x10);
	assert_state(f, "b", 0x10);
}

static void a_stable_negative_answer_gives_way_to_a_new_file(void **state)
{
	struct fake *f = *state;

	use_stable_view(f);
	assert_missing(f, "n");
	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_text(f, find(f, "n").node_id, "n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_created_file_is_found_written_and_read_back),
	        T(what_exists_is_not_made_again),
	        T(impossible_names_are_refused),
	        T(a_file_in_a_virtual_directory_puts_the_directory_on_disk),
	        T(a_file_over_a_tombstone_is_the_users),
	        T(a_directory_over_a_tombstone_shows_nothing_of_the_provider),
	        T(links_and_special_files_are_what_they_were_made),
	        T(an_unnamed_file_is_nowhere_until_it_gets_a_name),
	        T(an_unnamed_file_that_stays_so_is_gone),
	        T(a_stable_listing_follows_changes_without_asking_again),
	        T(a_name_of_ones_own_leaves_no_tombstone_in_a_stable_view),
	        T(offsets_stay_good_while_a_live_directory_changes),
	        T(offsets_stay_good_while_a_stable_directory_changes),
	        T(a_listing_under_way_hears_of_changes),
	        T(a_stable_negative_answer_gives_way_to_a_new_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
