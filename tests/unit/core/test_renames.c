/* SPDX-License-Identifier: MIT */
/* What moves keeps its content, its identity, and the name that the provider knows it by. */

#include "changes.h"

#include <stdio.h>
#include <sys/stat.h>

#define ROOT CORE_ROOT_ID

/* What an item at a name can be.  Each kind is put in place by put(). */
enum kind {
	VIRTUAL, /* a file seen in a listing */
	PLACEHOLDER, /* described */
	DIRTY, /* with a marker */
	HYDRATED,
	CONVERTED,
	LOCAL,
	LINK, /* a projected symbolic link */
	VIRTUAL_DIR, /* described, with a file in it; nothing of it is on disk */
	DISK_DIR, /* the same on disk */
	LOCAL_DIR, /* the user's own, with a file in it */
	N_KINDS,
};

static bool is_dir(enum kind kind)
{
	return kind >= VIRTUAL_DIR;
}

static void path_in(char *ret, const char *dir, const char *name)
{
	(void)snprintf(ret, 300, "%s/%s", dir, name);
}

/* The provider's part. */
static void offer(struct fake *f, const char *path, enum kind kind)
{
	char child[300];

	path_in(child, path, "in");
	switch (kind) {
	case LOCAL:
	case LOCAL_DIR:
		break;
	case LINK:
		fake_add(f, path, RECORD_SYMLINK, 0)->target = path;
		break;
	case VIRTUAL_DIR:
	case DISK_DIR:
		fake_add(f, path, RECORD_DIRECTORY, 0);
		fake_add(f, child, RECORD_FILE, 7000)->seed = (uint8_t)path[0];
		break;
	default:
		fake_add(f, path, RECORD_FILE, 6000)->seed = (uint8_t)path[0];
	}
}

/* Lists the root, so that what is there is virtual, and looks nothing up. */
static void list_root(struct fake *f)
{
	uint64_t handle = open_dir(f, ROOT);
	struct request r;

	assert_int_equal(read_dir(f, ROOT, handle, 0, 0, true, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, ROOT, handle);
}

/* The user's part, and the node. */
static uint64_t put(struct fake *f, const char *path, enum kind kind)
{
	struct core_entry entry;
	char child[300];

	path_in(child, path, "in");
	switch (kind) {
	case VIRTUAL:
		list_root(f);
		return find(f, path).node_id;
	case PLACEHOLDER:
	case LINK:
	case VIRTUAL_DIR:
		return find(f, path).node_id;
	case DIRTY:
		assert_int_equal(change_mode(f, find(f, path).node_id, 0640), 0);
		break;
	case HYDRATED:
		assert_int_equal(hydrate_node(f, find(f, path).node_id), 0);
		break;
	case CONVERTED:
		assert_int_equal(cut(f, find(f, path).node_id, 0), 0);
		assert_int_equal(write_text(f, find(f, path).node_id, 0, path), 0);
		break;
	case LOCAL:
		return make_text(f, ROOT, path, path);
	case DISK_DIR:
		assert_int_equal(hydrate_node(f, find(f, child).node_id), 0);
		break;
	default:
		assert_int_equal(make_dir(f, ROOT, path, &entry), 0);
		make_text(f, entry.node_id, "in", path);
		return entry.node_id;
	}
	return find(f, path).node_id;
}

/* Is what was @origin, of @kind, to be seen at @path? */
static void check(struct fake *f, const char *path, const char *origin, enum kind kind)
{
	struct core_entry entry = find(f, path);
	char child[300], from[300], *target;

	path_in(child, path, "in");
	path_in(from, origin, "in");
	switch (kind) {
	case CONVERTED:
	case LOCAL:
		assert_text(f, entry.node_id, origin);
		break;
	case LINK:
		assert_int_equal(entry.attr.mode & S_IFMT, S_IFLNK);
		target = target_of(f, entry.node_id);
		assert_string_equal(target, origin);
		free(target);
		break;
	case VIRTUAL_DIR:
	case DISK_DIR:
		assert_names(f, entry.node_id, "in");
		entry = find(f, child);
		assert_int_equal(read_check(f, entry.node_id, fake_find(f, from), 0, 65536), 7000);
		break;
	case LOCAL_DIR:
		assert_names(f, entry.node_id, "in");
		assert_text(f, find(f, child).node_id, origin);
		break;
	default:
		assert_int_equal(entry.attr.mode & 07777, kind == DIRTY ? 0640 : 0644);
		assert_int_equal(entry.attr.mtime.tv_sec, 1000000000);
		assert_int_equal(read_check(f, entry.node_id, fake_find(f, origin), 0, 65536),
		                 6000);
	}
}

/* Nobody may ask for a name that the provider does not know the item by. */
static void check_never_asked(struct fake *f, const char *path)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n_calls; i++) {
		bool data =
		        f->calls[i].kind == COMMAND_DATA || f->calls[i].kind == COMMAND_START_ENUM;

		if (data && !strncmp(f->calls[i].path, path, strlen(path)))
			fail_msg("\"%s\" was asked for", f->calls[i].path);
	}
	pthread_mutex_unlock(&f->lock);
}

static void move_one(struct fake *f, enum kind kind, bool read_between)
{
	uint64_t id, ino;

	offer(f, "a", kind);
	id = put(f, "a", kind);
	ino = find(f, "a").attr.ino;
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	assert_missing(f, "a");
	assert_names(f, ROOT, "b");
	assert_int_equal(find(f, "b").node_id, id);
	assert_int_equal(find(f, "b").attr.ino, ino);
	if (read_between)
		check(f, "b", "a", kind);
	check_never_asked(f, "b");
	fake_restart(f);
	assert_missing(f, "a");
	assert_names(f, ROOT, "b");
	assert_int_equal(find(f, "b").attr.ino, ino);
	check(f, "b", "a", kind);
	check_never_asked(f, "b");
	/* And back: it is as if nothing had happened. */
	assert_int_equal(move(f, ROOT, "b", ROOT, "a", 0), 0);
	assert_names(f, ROOT, "a");
	assert_missing(f, "b");
	fake_restart(f);
	assert_names(f, ROOT, "a");
	check(f, "a", "a", kind);
	assert_int_equal(find(f, "a").attr.ino, ino);
	assert_missing(f, "b");
	check_never_asked(f, "b");
}

/* Each in a fake of its own. */
static void in_fakes(void **state, bool stable, void (*each)(struct fake *f, int a, int b), int a,
                     int b)
{
	struct fake *f = *state;

	f->config.stable_view = stable;
	fake_restart(f);
	each(f, a, b);
	assert_int_equal(fake_teardown(state), 0);
	assert_int_equal(fake_setup(state), 0);
}

static void move_each(struct fake *f, int kind, int read_between)
{
	move_one(f, (enum kind)kind, read_between);
}

static void an_item_in_any_state_moves_and_moves_back(void **state)
{
	for (int i = 0; i < N_KINDS * 4; i++)
		in_fakes(state, i & 1, move_each, i / 4, i & 2);
}

static void exchange_two(struct fake *f, int a, int b)
{
	uint64_t id_a, id_b, ino_a, ino_b;

	offer(f, "a", (enum kind)a);
	offer(f, "b", (enum kind)b);
	id_a = put(f, "a", (enum kind)a);
	id_b = put(f, "b", (enum kind)b);
	ino_a = find(f, "a").attr.ino;
	ino_b = find(f, "b").attr.ino;
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", RENAME_EXCHANGE), 0);
	assert_int_equal(find(f, "a").node_id, id_b);
	assert_int_equal(find(f, "b").node_id, id_a);
	assert_names(f, ROOT, "a b");
	fake_restart(f);
	assert_names(f, ROOT, "a b");
	assert_int_equal(find(f, "a").attr.ino, ino_b);
	assert_int_equal(find(f, "b").attr.ino, ino_a);
	check(f, "a", "b", (enum kind)b);
	check(f, "b", "a", (enum kind)a);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", RENAME_EXCHANGE), 0);
	check(f, "a", "a", (enum kind)a);
	check(f, "b", "b", (enum kind)b);
	fake_restart(f);
	check(f, "a", "a", (enum kind)a);
	check(f, "b", "b", (enum kind)b);
}

static void items_in_any_two_states_change_places(void **state)
{
	for (int a = 0; a < N_KINDS; a++)
		for (int b = 0; b < N_KINDS; b++)
			in_fakes(state, (a + b) & 1, exchange_two, a, b);
}

/* Make what would be replaced empty, if it is a directory. */
static void empty(struct fake *f, const char *path, int kind)
{
	char child[300];

	if (!is_dir((enum kind)kind))
		return;
	path_in(child, path, "in");
	find(f, child);
	assert_int_equal(remove_file(f, find(f, path).node_id, "in"), 0);
}

static void replace(struct fake *f, int a, int b)
{
	uint64_t id, old;

	if (is_dir((enum kind)a) != is_dir((enum kind)b))
		return;
	offer(f, "a", (enum kind)a);
	offer(f, "b", (enum kind)b);
	id = put(f, "a", (enum kind)a);
	old = put(f, "b", (enum kind)b);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", RENAME_NOREPLACE), -EEXIST);
	if (is_dir((enum kind)b))
		assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), -ENOTEMPTY);
	empty(f, "b", b);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	assert_int_equal(find(f, "b").node_id, id);
	assert_missing(f, "a");
	assert_names(f, ROOT, "b");
	/* Who has the replaced one open reads it still. */
	if (b == CONVERTED || b == LOCAL)
		assert_text(f, old, "b");
	else if (!is_dir((enum kind)b) && b != LINK)
		assert_int_equal(read_check(f, old, fake_find(f, "b"), 0, 65536), 6000);
	fake_restart(f);
	assert_missing(f, "a");
	assert_names(f, ROOT, "b");
	check(f, "b", "a", (enum kind)a);
	/* The replaced one stays hidden when what replaced it goes. */
	empty(f, "b", a);
	assert_int_equal(
	        is_dir((enum kind)a) ? remove_dir(f, ROOT, "b") : remove_file(f, ROOT, "b"), 0);
	assert_names(f, ROOT, "");
	fake_restart(f);
	assert_names(f, ROOT, "");
}

static void an_item_in_any_state_replaces_one_in_any_state(void **state)
{
	for (int a = 0; a < N_KINDS; a++)
		for (int b = 0; b < N_KINDS; b++)
			in_fakes(state, (a + b) & 1, replace, a, b);
}

static void a_tombstone_gives_way(struct fake *f, int kind, int unused)
{
	(void)unused;
	fake_add(f, "t", RECORD_FILE, 50);
	offer(f, "a", (enum kind)kind);
	put(f, "a", (enum kind)kind);
	find(f, "t");
	assert_int_equal(remove_file(f, ROOT, "t"), 0);
	assert_int_equal(move(f, ROOT, "a", ROOT, "t", RENAME_NOREPLACE), 0);
	assert_names(f, ROOT, "t");
	fake_restart(f);
	check(f, "t", "a", (enum kind)kind);
	assert_int_equal(move(f, ROOT, "t", ROOT, "a", 0), 0);
	assert_names(f, ROOT, "a");
	assert_state(f, "t", 0x10);
	fake_restart(f);
	check(f, "a", "a", (enum kind)kind);
	assert_names(f, ROOT, "a");
}

static void a_name_that_was_deleted_can_be_renamed_to(void **state)
{
	for (int i = 0; i < N_KINDS * 2; i++)
		in_fakes(state, i & 1, a_tombstone_gives_way, i / 2, 0);
}

/* ---- directories ----------------------------------------------------------------------------- */

static void what_is_below_a_renamed_directory_comes_from_its_old_place(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	item = fake_add(f, "d/e/a", RECORD_FILE, 100);
	fake_add(f, "d/e/b", RECORD_FILE, 100);
	fake_add(f, "x", RECORD_DIRECTORY, 0);
	find(f, "d");
	find(f, "x");
	assert_int_equal(move(f, ROOT, "d", find(f, "x").node_id, "y", 0), 0);
	assert_names(f, find(f, "x/y/e").node_id, "a b");
	assert_int_equal(read_check(f, find(f, "x/y/e/a").node_id, item, 0, 500), 100);
	expect_asked(f, COMMAND_DATA, "d/e/a", 1);
	/* Once more, the inner one, out of it. */
	assert_int_equal(move(f, find(f, "x/y").node_id, "e", ROOT, "e", 0), 0);
	fake_restart(f);
	assert_names(f, ROOT, "e x");
	assert_names(f, find(f, "x/y").node_id, "");
	assert_names(f, find(f, "e").node_id, "a b");
	assert_int_equal(hydrate_node(f, find(f, "e/b").node_id), 0);
	expect_asked(f, COMMAND_DATA, "d/e/b", 1);
	expect_asked(f, COMMAND_START_ENUM, "d/e", 1);
	expect_asked(f, COMMAND_START_ENUM, "d", 1);
}

static void a_new_item_of_the_provider_appears_in_the_renamed_directory(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "d");
	assert_int_equal(move(f, ROOT, "d", ROOT, "e", 0), 0);
	item = fake_add(f, "d/late", RECORD_FILE, 100);
	fake_add(f, "e", RECORD_DIRECTORY, 0); /* hidden by ours */
	fake_add(f, "e/other", RECORD_FILE, 100);
	assert_names(f, find(f, "e").node_id, "late");
	assert_int_equal(read_check(f, find(f, "e/late").node_id, item, 0, 500), 100);
	assert_missing(f, "e/other");
	fake_restart(f);
	assert_names(f, ROOT, "e");
	assert_names(f, find(f, "e").node_id, "late");
}

static void a_directory_does_not_move_into_itself(void **state)
{
	struct fake *f = *state;
	uint64_t dir, below;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	below = find(f, "d/e").node_id;
	assert_int_equal(move(f, ROOT, "d", below, "x", 0), -EINVAL);
	assert_int_equal(move(f, ROOT, "d", dir, "x", 0), -EINVAL);
	assert_int_equal(move(f, dir, "e", ROOT, "d", 0), -ENOTEMPTY);
	assert_names(f, ROOT, "d");
	fake_restart(f);
	assert_names(f, find(f, "d").node_id, "e");
}

static void a_directory_and_what_is_in_it_do_not_change_places(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	fake_add(f, "d/e", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	find(f, "d/e");
	assert_int_equal(move(f, dir, "e", ROOT, "d", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(move(f, ROOT, "d", dir, "e", RENAME_EXCHANGE), -EINVAL);
	fake_restart(f);
	assert_names(f, find(f, "d").node_id, "e");
}

static void open_files_stay_good_when_directories_above_move(void **state)
{
	struct fake *f = *state;
	struct fake_item *item;
	struct fake_call call;
	struct request r;
	uint64_t id, local;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	item = fake_add(f, "d/a", RECORD_FILE, 4 * MIB + 5);
	id = find(f, "d/a").node_id;
	local = make_text(f, find(f, "d").node_id, "n", "n");
	f->pend = KIND(DATA);
	request_init(f, &r, WANT_DATA);
	core_read(f->core, &r.req, id, 0, 0, 4096);
	call = fake_wait_call(f, COMMAND_DATA, 0);
	assert_int_equal(move(f, ROOT, "d", ROOT, "e", 0), 0);
	assert_int_equal(fake_deliver(f, &call, call.offset, call.length), 0);
	assert_int_equal(fake_complete(f, &call, 0), 0);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	f->pend = 0;
	assert_int_equal(hydrate_node(f, id), 0);
	assert_text(f, local, "n");
	assert_state(f, "e/a", 3);
	assert_missing(f, "d");
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "e/a").node_id, item, 4 * MIB, 4096), 5);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
}

/* The part that has arrived is found again by its origin. */
static void a_partly_fetched_file_moves_with_what_has_arrived(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 20 * MIB);

	assert_int_equal(read_check(f, find(f, "a").node_id, item, 10 * MIB, 4096), 4096);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	fake_restart(f);
	assert_int_equal(read_check(f, find(f, "b").node_id, item, 10 * MIB, 4096), 4096);
	assert_int_equal(fake_count(f, COMMAND_DATA), 0);
	assert_int_equal(hydrate_node(f, find(f, "b").node_id), 0);
	assert_state(f, "b", 3);
	assert_int_equal(times_asked(f, COMMAND_DATA, "b"), 0);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void wrong_renames_are_refused_and_change_nothing(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	fake_add(f, "d", RECORD_DIRECTORY, 0);
	find(f, "a");
	find(f, "d");
	assert_int_equal(move(f, ROOT, "a", ROOT, "d", 0), -EISDIR);
	assert_int_equal(move(f, ROOT, "d", ROOT, "a", 0), -ENOTDIR);
	assert_int_equal(move(f, ROOT, "none", ROOT, "a", 0), -ENOENT);
	assert_int_equal(move(f, ROOT, "a", ROOT, "none", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", RENAME_EXCHANGE | RENAME_NOREPLACE),
	                 -EINVAL);
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 1u << 8), -EINVAL);
	assert_int_equal(move(f, ROOT, "a", find(f, "a").node_id, "b", 0), -ENOTDIR);
	assert_int_equal(move(f, ROOT, "a", 4711, "b", 0), -ESTALE);
	assert_int_equal(move(f, ROOT, "a", ROOT, "a", 0), 0);
	assert_int_equal(move(f, ROOT, "a", ROOT, "a", RENAME_NOREPLACE), -EEXIST);
	assert_names(f, ROOT, "a d");
	assert_state(f, "a", 1);
	assert_state(f, "d", 1);
}

static void a_rename_that_times_out_changes_nothing(void **state)
{
	struct fake *f = *state;

	make_text(f, ROOT, "n", "n");
	f->config.lookup_timeout_ms = 1000; /* what follows must make it on a busy machine */
	fake_restart(f);
	find(f, "n");
	f->pend = KIND(PLACEHOLDER);
	assert_int_equal(move(f, ROOT, "n", ROOT, "m", 0), -ETIMEDOUT);
	f->pend = 0;
	assert_text(f, find(f, "n").node_id, "n");
	assert_missing(f, "m");
	fake_restart(f);
	assert_names(f, ROOT, "n");
}

static void the_target_of_a_rename_vanishes_while_the_provider_is_asked(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	make_text(f, ROOT, "n", "n");
	make_text(f, ROOT, "m", "m");
	fake_restart(f);
	find(f, "n");
	find(f, "m");
	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_NOTHING);
	core_rename(f->core, &r.req, ROOT, "n", ROOT, "m", 0);
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	f->pend = 0;
	assert_int_equal(remove_file(f, ROOT, "m"), 0);
	assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	assert_text(f, find(f, "m").node_id, "n");
	assert_names(f, ROOT, "m");
}

static void a_file_of_unknown_size_is_fetched_before_it_moves(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "a", RECORD_FILE, 5000);

	item->size_unknown = true;
	find(f, "a");
	assert_int_equal(move(f, ROOT, "a", ROOT, "b", 0), 0);
	assert_state(f, "b", 3);
	fake_restart(f);
	assert_int_equal(find(f, "b").attr.size, 5000);
	assert_int_equal(read_check(f, find(f, "b").node_id, item, 0, 65536), 5000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(an_item_in_any_state_moves_and_moves_back),
	        T(items_in_any_two_states_change_places),
	        T(an_item_in_any_state_replaces_one_in_any_state),
	        T(a_name_that_was_deleted_can_be_renamed_to),
	        T(what_is_below_a_renamed_directory_comes_from_its_old_place),
	        T(a_new_item_of_the_provider_appears_in_the_renamed_directory),
	        T(a_directory_does_not_move_into_itself),
	        T(a_directory_and_what_is_in_it_do_not_change_places),
	        T(open_files_stay_good_when_directories_above_move),
	        T(a_partly_fetched_file_moves_with_what_has_arrived),
	        T(wrong_renames_are_refused_and_change_nothing),
	        T(a_rename_that_times_out_changes_nothing),
	        T(the_target_of_a_rename_vanishes_while_the_provider_is_asked),
	        T(a_file_of_unknown_size_is_fetched_before_it_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
