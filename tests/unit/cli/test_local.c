/* SPDX-License-Identifier: MIT */
/* Paths in a root that is not mounted, and what is local there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/local.h"
#include "store/store.h"

static char top[4096];

static void make_tombstone(const char *path)
{
	const struct record rec = {.kind = RECORD_TOMBSTONE};
	struct buf target = {0};

	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_int_equal(symlink((const char *)target.data, path), 0);
	buf_deinit(&target);
}

static void make_tree(void)
{
	const struct store_mark mark = {.guid = {1}};
	struct errmsg err = {0};

	assert_int_equal(mkdir("root", 0700), 0);
	assert_int_equal(store_mark_root("root", &mark, false, &err), 0);
	assert_int_equal(mkdir("root/sub", 0700), 0);
	assert_int_equal(close(creat("root/full", 0600)), 0);
	assert_int_equal(close(creat("root/sub/full", 0600)), 0);
	make_tombstone("root/deleted");
	make_tombstone("root/sub/deleted");
	assert_int_equal(mkdir("outside", 0700), 0);
	assert_int_equal(symlink("root/sub", "link"), 0);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *resolved;

	(void)snprintf(top, sizeof(top), "%s/local-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(top));
	resolved = realpath(top, NULL);
	assert_non_null(resolved);
	(void)snprintf(top, sizeof(top), "%s", resolved);
	free(resolved);
	assert_int_equal(chdir(top), 0);
	make_tree();
	return 0;
}

static int teardown(void **state)
{
	char command[sizeof(top) + 16];

	assert_int_equal(chdir("/"), 0);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

/* ---- places --------------------------------------------------------------------------------- */

static void assert_relative(const char *path, const char *relative)
{
	struct place place;
	char root[sizeof(top) + 8];

	(void)snprintf(root, sizeof(root), "%s/root", top);
	assert_int_equal(place_find(path, &place), 0);
	assert_string_equal(place.root, root);
	assert_string_equal(place.relative, relative);
	assert_false(place.is_mounted);
}

static void a_path_is_split_at_its_root(void **state)
{
	assert_relative("root/sub/full", "sub/full");
	assert_relative("./root//sub/../full", "full");
	assert_relative("root", "");
	assert_relative("root/", "");
}

static void a_deleted_item_has_a_place(void **state)
{
	assert_relative("root/deleted", "deleted");
	assert_relative("root/deleted/below/that", "deleted/below/that");
	assert_relative("root/virtual/below/that", "virtual/below/that");
}

static void links_that_lead_into_a_root_are_followed(void **state)
{
	assert_relative("link/deleted", "sub/deleted");
}

static void what_is_in_no_root_is_told(void **state)
{
	struct place place;

	assert_int_equal(place_find("outside", &place), -ENXIO);
	assert_int_equal(place_find("outside/no/such", &place), -ENXIO);
	/* the link itself is not in the root */
	assert_int_equal(place_find("link", &place), -ENXIO);
	assert_int_equal(place_find("", &place), -ENOENT);
}

/* ---- walks ---------------------------------------------------------------------------------- */

struct seen {
	char text[1024];
	int n_failed;
	int result;
};

static int see(void *context, const char *path, unsigned char type,
	       const struct prj_item_info *info)
{
	struct seen *seen = context;
	size_t length = strlen(seen->text);

	assert_true((type == DT_WHT) == (info->state == PRJ_FILE_STATE_TOMBSTONE));
	(void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s:%s ", path,
		       cli_state_word(info->state));
	return seen->result;
}

static void see_failure(void *context, const char *path, const char *why)
{
	((struct seen *)context)->n_failed++;
}

static struct seen walk(const char *path, bool is_recursive, uint32_t states, int result)
{
	struct seen seen = {.result = result};
	const struct local_walk w = {
		.is_recursive = is_recursive,
		.states = states,
		.item = see,
		.failed = see_failure,
		.context = &seen,
	};
	struct place place;

	assert_int_equal(place_find(path, &place), 0);
	assert_int_equal(local_walk(&w, &place, path), result);
	return seen;
}

#define EVERYTHING (PRJ_FILE_STATE_FULL | PRJ_FILE_STATE_TOMBSTONE)

static void full_items_and_tombstones_are_found(void **state)
{
	assert_string_equal(walk("root", true, EVERYTHING, 0).text,
			    "root/deleted:tombstone root/full:full root/sub:full "
			    "root/sub/deleted:tombstone root/sub/full:full ");
	assert_string_equal(walk("root", false, EVERYTHING, 0).text,
			    "root/deleted:tombstone root/full:full root/sub:full ");
}

static void tombstones_alone_are_found(void **state)
{
	assert_string_equal(walk("root", true, PRJ_FILE_STATE_TOMBSTONE, 0).text,
			    "root/deleted:tombstone root/sub/deleted:tombstone ");
	assert_string_equal(walk("root/", false, PRJ_FILE_STATE_TOMBSTONE, 0).text,
			    "root/deleted:tombstone ");
}

static void the_callback_can_end_a_walk(void **state)
{
	assert_string_equal(walk("root", true, EVERYTHING, -7).text, "root/deleted:tombstone ");
}

static void a_damaged_item_is_reported_and_the_walk_goes_on(void **state)
{
	struct seen seen;

	assert_int_equal(symlink(MARKER_PREFIX "nonsense", "root/damaged"), 0);
	seen = walk("root", false, PRJ_FILE_STATE_FULL, 0);
	assert_int_equal(unlink("root/damaged"), 0);
	assert_int_equal(seen.n_failed, 1);
	assert_string_equal(seen.text, "root/full:full root/sub:full ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_split_at_its_root),
		cmocka_unit_test(a_deleted_item_has_a_place),
		cmocka_unit_test(links_that_lead_into_a_root_are_followed),
		cmocka_unit_test(what_is_in_no_root_is_told),
		cmocka_unit_test(full_items_and_tombstones_are_found),
		cmocka_unit_test(tombstones_alone_are_found),
		cmocka_unit_test(the_callback_can_end_a_walk),
		cmocka_unit_test(a_damaged_item_is_reported_and_the_walk_goes_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
