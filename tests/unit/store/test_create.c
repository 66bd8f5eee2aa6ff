/* SPDX-License-Identifier: MIT */
/* New items: whose they are, with which mode, and in place of what. */
#include "crash.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER 4321

static struct store_creator self(uint32_t umask_bits)
{
	return (struct store_creator){.uid = geteuid(), .gid = getegid(), .umask = umask_bits};
}

static int create_kind(struct store *s, int which, const char *path)
{
	const struct store_creator as = self(022);
	struct store_item item = {0};
	int fd = -1;
	int r;

	switch (which) {
	case 0:
		r = store_create_file(s, path, 0644, &as, &fd, &item);
		break;
	case 1:
		r = store_create_dir(s, path, 0755, &as, &item);
		break;
	case 2:
		r = store_create_symlink(s, path, "target", &as, &item);
		break;
	case 3:
		r = store_create_node(s, path, S_IFIFO | 0600, 0, &as, &item);
		break;
	default:
		r = store_create_unnamed(s, "", 0600, &as, &fd, &item.st);
		if (r == 0)
			r = store_link(s, fd, path, &item);
		break;
	}
	closep(&fd);
	if (r == 0 && item.state != STORE_LOCAL)
		r = -ENOTRECOVERABLE;
	store_item_deinit(&item);
	return r;
}
#define N_WAYS 5

static void new_items_are_made_where_nothing_or_a_tombstone_is(void **state)
{
	struct fixture *f = *state;

	for (enum kind kind = NOTHING; kind < N_KINDS; kind++) {
		bool free_name = kind == NOTHING || kind == TOMBSTONE;

		for (int way = 0; way < N_WAYS; way++) {
			char path[32];

			(void)snprintf(path, sizeof(path), "item %d %d", kind, way);
			put(f->store, f, kind, path);
			assert_int_equal(create_kind(f->store, way, path), free_name ? 0 : -EEXIST);
			if (free_name)
				assert_int_equal(state_of(f->store, path), STORE_LOCAL);
		}
	}
	assert_int_equal(count_private(f, "intent"), 0);
}

static void failed_creation_puts_the_tombstone_back(void **state)
{
	const struct store_creator as = self(0);
	struct fixture *f = *state;
	char target[4097];
	struct store_item item;

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	put(f->store, f, TOMBSTONE, "link");
	assert_true(store_create_symlink(f->store, "link", target, &as, &item) < 0);
	assert_int_equal(state_of(f->store, "link"), STORE_TOMBSTONE);
	assert_int_equal(count_private(f, "intent"), 0);
}

static mode_t create_with(struct store *s, const char *path, mode_t mode, uint32_t umask_bits)
{
	const struct store_creator as = self(umask_bits);
	struct store_item item;
	int fd;

	assert_int_equal(store_create_file(s, path, mode, &as, &fd, &item), 0);
	close(fd);
	return item.st.st_mode & 07777;
}

static void callers_umask_counts_and_not_ours(void **state)
{
	struct fixture *f = *state;
	mode_t before = umask(077);

	assert_int_equal(create_with(f->store, "a", 0666, 0), 0666);
	assert_int_equal(create_with(f->store, "b", 0666, 022), 0644);
	assert_int_equal(create_with(f->store, "c", 04755, 002), 04755);
	umask(0);
	assert_int_equal(create_with(f->store, "d", 0666, 027), 0640);
	umask(before);
}

struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

/* user::rwx group::rwx other::r-x */
static int set_default_acl(const char *path)
{
	struct {
		uint32_t version;
		struct acl_entry entries[3];
	} acl = {
	        htole32(2),
	        {
	                {htole16(1), htole16(7), (uint32_t)-1},
	                {htole16(4), htole16(7), (uint32_t)-1},
	                {htole16(32), htole16(5), (uint32_t)-1},
	        },
	};

	return setxattr(path, "system.posix_acl_default", &acl, sizeof(acl), 0);
}

static void default_acl_of_the_directory_replaces_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t before;

	put(f->store, f, EMPTY_DIR, "dir");
	if (set_default_acl(fixture_at(f, "dir")) < 0)
		skip();
	before = umask(077);
	assert_int_equal(create_with(f->store, "dir/file", 0666, 077), 0664);
	umask(before);
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void new_items_belong_to_the_caller(void **state)
{
	const struct store_creator as = {.uid = OTHER, .gid = OTHER + 1};
	struct fixture *f = *state;
	struct store_item item;
	int fd;

	needs_root();
	/* A directory that he may not write to: the mount has checked that. */
	put(f->store, f, EMPTY_DIR, "dir");
	assert_int_equal(chmod(fixture_at(f, "dir"), 0700), 0);
	assert_int_equal(store_create_file(f->store, "dir/file", 0600, &as, &fd, &item), 0);
	close(fd);
	assert_int_equal(item.st.st_uid, OTHER);
	assert_int_equal(item.st.st_gid, OTHER + 1);
	assert_int_equal(store_create_dir(f->store, "dir/dir", 0700, &as, &item), 0);
	assert_int_equal(item.st.st_uid, OTHER);
	assert_int_equal(store_create_symlink(f->store, "dir/link", "x", &as, &item), 0);
	assert_int_equal(item.st.st_uid, OTHER);
	assert_int_equal(
	        store_create_node(f->store, "dir/null", S_IFCHR | 0600, makedev(1, 3), &as, &item),
	        0);
	assert_int_equal(item.st.st_uid, OTHER);
	assert_int_equal(item.st.st_rdev, makedev(1, 3));
	assert_int_equal(store_create_unnamed(f->store, "dir", 0600, &as, &fd, &item.st), 0);
	close(fd);
	assert_int_equal(item.st.st_uid, OTHER);
	/* And we are who we were. */
	assert_int_equal(store_create_dir(f->store, "ours", 0700, NULL, &item), 0);
	assert_int_equal(item.st.st_uid, 0);
	assert_int_equal(item.st.st_gid, getegid());
	assert_int_equal(item.st.st_mode & 07777, 0700);
	assert_int_equal(chown(fixture_at(f, "ours"), OTHER, OTHER), 0);
}

static void set_gid_directory_gives_its_group(void **state)
{
	const struct store_creator as = {.uid = OTHER, .gid = OTHER};
	struct fixture *f = *state;
	struct store_item item;

	needs_root();
	put(f->store, f, EMPTY_DIR, "dir");
	assert_int_equal(chown(fixture_at(f, "dir"), 0, OTHER + 1), 0);
	assert_int_equal(chmod(fixture_at(f, "dir"), 02775), 0);
	assert_int_equal(store_create_dir(f->store, "dir/sub", 0755, &as, &item), 0);
	assert_int_equal(item.st.st_gid, OTHER + 1);
	assert_int_equal(item.st.st_mode & 07777, 02755);
}

/* In a process of its own, since there is no way back. */
static void closed_directory_of_an_ordinary_user_can_be_used_and_moved(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	struct errmsg err;
	int status;
	pid_t pid;

	needs_root();
	f->store = store_free(f->store);
	remove_tree(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(chown(f->path, OTHER, OTHER), 0);
	pid = fork();
	if (pid == 0) {
		const struct store_creator as = {.uid = OTHER, .gid = OTHER};
		const struct store_mark mark = {.guid = {9}};

		if (setgid(OTHER) < 0 || setuid(OTHER) < 0 ||
		    store_mark_root(f->path, &mark, false, &err) < 0 ||
		    store_open(f->path, &f->store, &err) < 0)
			_exit(1);
		if (store_create_dir(f->store, "dir", 0555, &as, &item) < 0 ||
		    item.state != STORE_DIRECTORY)
			_exit(2);
		store_item_deinit(&item);
		if (create_kind(f->store, 0, "dir/file") < 0)
			_exit(3);
		if (mkdir(fixture_at(f, "a"), 0700) < 0 || mkdir(fixture_at(f, "a/b"), 0700) < 0 ||
		    chmod(fixture_at(f, "a/b"), 0555) < 0)
			_exit(4);
		if (store_rename(f->store, "a/b", "b", STORE_RENAME_TOMBSTONE) < 0 ||
		    store_lookup(f->store, "b", &item) < 0 || (item.st.st_mode & 07777) != 0555)
			_exit(5);
		if (store_remove_dir(f->store, "b", true) < 0)
			_exit(6);
		store_free(f->store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void links_that_look_like_markers_are_the_users(void **state)
{
	static const char *const targets[] = {MARKER_PREFIX "AAAA", MARKER_ESCAPE "x",
	                                      MARKER_ESCAPE MARKER_PREFIX, "plain"};
	const struct store_creator as = self(0);
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		_cleanup_(buf_deinit) struct buf target = {0};
		struct store_item item;

		assert_int_equal(store_create_symlink(f->store, "link", targets[i], &as, &item), 0);
		assert_int_equal(state_of(f->store, "link"), STORE_LOCAL);
		assert_int_equal(store_readlink(f->store, "link", &target), 0);
		assert_string_equal((char *)target.data, targets[i]);
		assert_int_equal(store_remove(f->store, "link", false), 0);
	}
}

static void link_adds_a_name(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	int fd;

	put(f->store, f, LOCAL, "a");
	put(f->store, f, TOMBSTONE, "b");
	fd = store_open_file(f->store, "a", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(store_link(f->store, fd, "b", &item), 0);
	assert_int_equal(item.st.st_nlink, 2);
	assert_int_equal(store_link(f->store, fd, "b", &item), -EEXIST);
	close(fd);
}

static void disks_without_unnamed_files_say_so(void **state)
{
	const struct store_creator as = self(0);
	struct fixture *f = *state;
	struct stat st;
	int fd;

	setenv("PROJFS_DISABLE", "tmpfile", 1);
	fixture_reopen(f);
	assert_int_equal(store_create_unnamed(f->store, "", 0600, &as, &fd, &st), -EOPNOTSUPP);
}

/* ---- crashes ----------------------------------------------------------------------------------- */

static void prepare(struct store *s, const struct fixture *f, const void *context)
{
	put(s, f, TOMBSTONE, "item");
}

static int work(struct store *s, const void *context)
{
	const int *way = context;

	return create_kind(s, *way, "item");
}

static void creation_over_a_tombstone_is_before_or_after_a_crash(void **state)
{
	for (int way = 0; way < N_WAYS; way++) {
		const struct crash_case c = {prepare, work, &way, "creation", NULL};

		crash_everywhere(&c);
	}
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(new_items_are_made_where_nothing_or_a_tombstone_is),
	        OPEN(failed_creation_puts_the_tombstone_back),
	        OPEN(callers_umask_counts_and_not_ours),
	        OPEN(default_acl_of_the_directory_replaces_the_umask),
	        OPEN(new_items_belong_to_the_caller),
	        OPEN(set_gid_directory_gives_its_group),
	        OPEN(closed_directory_of_an_ordinary_user_can_be_used_and_moved),
	        OPEN(links_that_look_like_markers_are_the_users),
	        OPEN(link_adds_a_name),
	        OPEN(disks_without_unnamed_files_say_so),
	        cmocka_unit_test(creation_over_a_tombstone_is_before_or_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
