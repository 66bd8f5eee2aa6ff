/* SPDX-License-Identifier: MIT */
/* Records that are replaced, and mode, owner, times and attributes that users change. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "store/internal.h"

/* Little-endian: version 2, and entries of u16 tag, u16 permissions, u32 id. */
/* clang-format off */
static const uint8_t acl[] = {
	2, 0, 0, 0,
	1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,  /* owner rw- */
	2, 0, 7, 0, 1, 0, 0, 0,              /* user 1 rwx */
	4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,  /* group r-- */
	16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* mask rwx */
	32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* others --- */
};
/* clang-format on */

static void assert_hydrated(struct fixture *f, const char *path, struct store_item *item)
{
	assert_int_equal(store_lookup(f->store, path, item), 0);
	assert_int_equal(item->state, STORE_HYDRATED);
	assert_false(item->meta_differs);
}

static void assert_still_hydrated(struct fixture *f, const char *path)
{
	struct store_item item;

	assert_hydrated(f, path, &item);
	store_item_deinit(&item);
}

static void make_dir(struct fixture *f, const char *path, uint32_t mode)
{
	struct record rec = dir_record();
	struct store_dir dir = {path, path, &rec};

	rec.mode = mode;
	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
}

/* A root of an ordinary user's, with his rights alone. */
static int setup_as_nobody(void **state)
{
	const struct store_mark mark = {.guid = {1}};
	struct fixture *f;
	struct errmsg err;

	if (fixture_setup_bare(state) < 0)
		return -1;
	f = *state;
	if (geteuid() == 0 &&
	    (chown(f->path, 65534, 65534) < 0 || setegid(65534) < 0 || seteuid(65534) < 0))
		return -1;
	/* Else the change of user takes /proc/self away from us. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0 || store_mark_root(f->path, &mark, false, &err) < 0)
		return -1;
	return store_open(f->path, &f->store, &err);
}

static int teardown_as_nobody(void **state)
{
	if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0))
		return -1;
	return fixture_teardown(state);
}

/* ---- records ---------------------------------------------------------------------------------------- */

static void record_of_a_hydrated_file_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(999);
	struct store_item item;
	struct record got;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	rec.fields |= RECORD_FLAGS;
	rec.flags = RECORD_FLAG_DIRTY | RECORD_FLAG_FULL;
	rec.content_id = bytes_of("v2");
	assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
	assert_hydrated(f, "file", &item);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.flags, RECORD_FLAG_DIRTY);
	assert_int_equal(got.size, 4);
	assert_true(got.fields & RECORD_EPOCH);
	assert_true(record_bytes_equal(got.content_id, bytes_of("v2")));
	assert_int_equal(item.st.st_mtim.tv_sec, MTIME_SEC);
	store_item_deinit(&item);
	assert_int_equal(store_discard(f->store, "file"), -EBUSY);
}

/* Its content may be lost with the power, what the user did to it is not. */
static void changed_file_whose_content_is_lost_is_a_placeholder(void **state)
{
	static const uint32_t flags[] = {RECORD_FLAG_DIRTY, RECORD_FLAG_RENAMED};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct record rec = file_record(4);
		struct store_item item;
		struct record got;

		assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
		rec.fields |= RECORD_FLAGS | RECORD_ORIGIN;
		rec.flags = flags[i];
		rec.origin = bytes_of("file");
		assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
		assert_int_equal(store_rename(f->store, "file", "moved", 0), 0);
		fixture_reboot(f); /* its epoch was not made durable */
		for (int look = 0; look < 2; look++) {
			assert_int_equal(store_lookup(f->store, "moved", &item), 0);
			assert_int_equal(item.state, STORE_PLACEHOLDER);
			assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
			assert_int_equal(got.flags, flags[i]);
			assert_int_equal(got.size, 4);
			assert_true(record_bytes_equal(got.origin, bytes_of("file")));
			assert_true(item.identity == store_identity(f->store, "file", 0));
			store_item_deinit(&item);
		}
		assert_int_equal(store_remove(f->store, "moved", false), 0);
	}
}

static void record_is_replaced_in_its_own_state_only(void **state)
{
	struct fixture *f = *state;
	struct record file = file_record(4);
	struct record dir = dir_record();

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir", 0755);
	write_file(fixture_at(f, "local"), "x");
	assert_int_equal(store_set_record(f->store, "file", "file", &dir), -EBUSY);
	assert_int_equal(store_set_record(f->store, "dir", "dir", &file), -EBUSY);
	assert_int_equal(store_set_record(f->store, "local", "local", &file), -EBUSY);
	assert_int_equal(store_set_record(f->store, "none", "none", &file), -ENOENT);
	assert_int_equal(store_set_record(f->store, "", "", &dir), -EINVAL);
}

static void big_records_are_replaced_and_leave_nothing(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	struct record dir = dir_record();
	char blob[5000];

	memset(blob, 'b', sizeof(blob));
	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){(const uint8_t *)blob, sizeof(blob)};
	dir.fields |= RECORD_BLOB;
	dir.blob = rec.blob;
	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir", 0755);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
		assert_int_equal(store_set_record(f->store, "dir", "dir", &dir), 0);
		assert_int_equal(count_private(f, "rec"), 2);
		assert_still_hydrated(f, "file");
		assert_int_equal(state_of(f->store, "dir"), STORE_DIRECTORY);
	}
	rec = file_record(4);
	dir = dir_record();
	assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
	assert_int_equal(store_set_record(f->store, "dir", "dir", &dir), 0);
	assert_int_equal(count_private(f, "rec"), 0);
	assert_still_hydrated(f, "file");
}

static void offline_chmod_stays_a_difference_until_the_record_says_so(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(chmod(fixture_at(f, "file"), 0600), 0);
	rec.fields &= ~(uint32_t)RECORD_MODE;
	assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_true(item.meta_differs);
	store_item_deinit(&item);
	rec.fields |= RECORD_FLAGS;
	rec.flags = RECORD_FLAG_DIRTY;
	assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
	assert_still_hydrated(f, "file");
}

static void directory_is_not_touched_by_its_record(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct timespec btime;
	struct stat st;

	make_dir(f, "dir", 0755);
	rec.mode = 0700;
	rec.mtime.sec = 1;
	assert_int_equal(store_set_record(f->store, "dir", "dir", &rec), 0);
	assert_int_equal(store_stat(f->store, "dir", &st, &btime), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtim.tv_sec, MTIME_SEC);
}

/* ---- metadata ------------------------------------------------------------------------------------------- */

static void changed_metadata_leaves_a_file_hydrated(void **state)
{
	const struct store_change change = {
	        .fields = RECORD_MODE | RECORD_OWNER | RECORD_MTIME | RECORD_ATIME,
	        .mode = S_IFREG | 0640,
	        .uid = UINT32_MAX,
	        .gid = getegid(),
	        .mtime = {1234567890, 987654321},
	        .atime = {.tv_nsec = UTIME_NOW},
	};
	struct fixture *f = *state;
	struct store_item item;
	struct record got;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_change_meta(f->store, "file", &change), 0);
	assert_hydrated(f, "file", &item);
	assert_int_equal(item.st.st_mode, S_IFREG | 0640);
	assert_int_equal(item.st.st_uid, geteuid());
	assert_int_equal(item.st.st_mtim.tv_sec, 1234567890);
	assert_true(item.st.st_atim.tv_sec > 1234567890);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_false(got.fields & RECORD_FORMER_BINDING);
	store_item_deinit(&item);
	assert_int_equal(store_sync(f->store), 0);
	fixture_reboot(f);
	assert_still_hydrated(f, "file");
}

static void touched_file_stays_hydrated(void **state)
{
	const struct store_change change = {.fields = RECORD_MTIME | RECORD_ATIME,
	                                    .mtime = {.tv_nsec = UTIME_NOW},
	                                    .atime = {.tv_nsec = UTIME_NOW}};
	struct fixture *f = *state;
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_change_meta(f->store, "file", &change), 0);
	assert_hydrated(f, "file", &item);
	assert_true(item.st.st_mtim.tv_sec > MTIME_SEC);
	store_item_deinit(&item);
}

static void crash_between_record_and_times_leaves_a_file_hydrated(void **state)
{
	const struct timespec later[2] = {{2, 0}, {1234567890, 0}};
	struct fixture *f = *state;
	_cleanup_(buf_deinit) struct buf b = {0};
	struct store_item item;
	struct record rec;
	struct stat st;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_hydrated(f, "file", &item);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &rec), 0);
	st = item.st;
	st.st_mtim = later[1];
	rec.fields |= RECORD_FORMER_BINDING;
	rec.former_binding = rec.binding;
	rec.binding = binding_of_file(f->store, &st, store_identity(f->store, "file", 0));
	assert_int_equal(record_encode(&rec, &b), 0);
	store_item_deinit(&item);
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, b.data, b.size, 0), 0);
	assert_still_hydrated(f, "file");
	assert_int_equal(utimensat(AT_FDCWD, fixture_at(f, "file"), later, 0), 0);
	assert_still_hydrated(f, "file");
}

static void users_things_are_changed_plainly(void **state)
{
	const struct store_change mode = {.fields = RECORD_MODE, .mode = 0600};
	const struct store_change times = {.fields = RECORD_MTIME, .mtime = {5, 0}};
	static const char *const names[] = {"file", "fifo", "dir"};
	struct fixture *f = *state;
	struct timespec btime;
	struct stat st;

	write_file(fixture_at(f, "file"), "x");
	assert_int_equal(mkfifo(fixture_at(f, "fifo"), 0644), 0);
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	assert_int_equal(symlink("file", fixture_at(f, "link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(store_change_meta(f->store, names[i], &mode), 0);
		assert_int_equal(store_change_meta(f->store, names[i], &times), 0);
		assert_int_equal(store_stat(f->store, names[i], &st, &btime), 0);
		assert_int_equal(st.st_mtim.tv_sec, 5);
	}
	assert_int_equal(store_stat(f->store, "file", &st, &btime), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(store_change_meta(f->store, "link", &times), 0);
	assert_int_equal(store_stat(f->store, "link", &st, &btime), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(st.st_mtim.tv_sec, 5);
	assert_int_equal(store_change_meta(f->store, "link", &mode), -EOPNOTSUPP);
	assert_int_equal(store_change_meta(f->store, "", &times), 0);
	assert_int_equal(store_stat(f->store, "", &st, &btime), 0);
	assert_int_equal(st.st_mtim.tv_sec, 5);
	assert_int_equal(store_change_meta(f->store, "none", &times), -ENOENT);
	assert_int_equal(store_stat(f->store, "none", &st, &btime), -ENOENT);
}

static void links_of_the_users_are_given_away(void **state)
{
	const struct store_change owner = {.fields = RECORD_OWNER, .uid = 7, .gid = UINT32_MAX};
	struct fixture *f = *state;
	struct timespec btime;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(symlink("file", fixture_at(f, "link")), 0);
	assert_int_equal(store_change_meta(f->store, "link", &owner), 0);
	assert_int_equal(store_stat(f->store, "link", &st, &btime), 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, getegid());
}

static void record_of_a_directory_follows_its_mode_and_owner(void **state)
{
	const struct store_change change = {.fields = RECORD_MODE | RECORD_OWNER | RECORD_MTIME,
	                                    .mode = 0711,
	                                    .uid = UINT32_MAX,
	                                    .gid = UINT32_MAX,
	                                    .mtime = {5, 0}};
	struct fixture *f = *state;
	struct store_item item;
	struct record got;

	make_dir(f, "dir", 0755);
	assert_int_equal(store_change_meta(f->store, "dir", &change), 0);
	assert_int_equal(store_lookup(f->store, "dir", &item), 0);
	assert_int_equal(item.state, STORE_DIRECTORY);
	assert_int_equal(item.st.st_mode & 07777, 0711);
	assert_int_equal(item.st.st_mtim.tv_sec, 5);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.mode, 0711);
	assert_int_equal(got.uid, geteuid());
	assert_false(got.fields & RECORD_MTIME);
	store_item_deinit(&item);
}

static void refused_change_leaves_all_as_it_was(void **state)
{
	const struct store_change change = {.fields = RECORD_MODE | RECORD_OWNER | RECORD_MTIME,
	                                    .mode = 0600,
	                                    .uid = 0,
	                                    .gid = UINT32_MAX,
	                                    .mtime = {5, 0}};
	struct fixture *f = *state;
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir", 0755);
	assert_int_equal(store_change_meta(f->store, "file", &change), -EPERM);
	assert_int_equal(store_change_meta(f->store, "dir", &change), -EPERM);
	assert_hydrated(f, "file", &item);
	assert_int_equal(item.st.st_mode & 07777, 0644);
	assert_int_equal(item.st.st_mtim.tv_sec, MTIME_SEC);
	store_item_deinit(&item);
	assert_int_equal(state_of(f->store, "dir"), STORE_DIRECTORY);
}

static void change_that_fails_half_way_is_undone(void **state)
{
	const struct store_change change = {
	        .fields = RECORD_MODE | RECORD_MTIME, .mode = 0600, .mtime = {5, 2000000000}};
	static const char *const names[] = {"file", "dir", "local"};
	struct fixture *f = *state;
	struct store_item item;
	struct record got;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir", 0755);
	write_file(fixture_at(f, "local"), "x");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat before;

		assert_int_equal(stat(fixture_at(f, names[i]), &before), 0);
		assert_int_equal(store_change_meta(f->store, names[i], &change), -EINVAL);
		assert_int_equal(store_lookup(f->store, names[i], &item), 0);
		assert_int_equal(item.st.st_mode, before.st_mode);
		assert_memory_equal(&item.st.st_mtim, &before.st_mtim, sizeof(before.st_mtim));
		store_item_deinit(&item);
	}
	assert_hydrated(f, "file", &item);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_false(got.fields & RECORD_FORMER_BINDING);
	store_item_deinit(&item);
}

static void marker_has_no_metadata_to_change(void **state)
{
	const struct store_change change = {.fields = RECORD_MTIME, .mtime = {5, 0}};
	struct fixture *f = *state;
	struct record rec = file_record(4);

	rec.fields |= RECORD_ORIGIN;
	rec.origin = bytes_of("file");
	assert_int_equal(store_write_marker(f->store, "file", &rec), 0);
	assert_int_equal(store_change_meta(f->store, "file", &change), -EBUSY);
	assert_int_equal(store_setxattr(f->store, "file", "user.a", "b", 1, 0), -EBUSY);
	assert_int_equal(store_sync_item(f->store, "file", false), 0);
}

static void unnamed_file_is_changed_through_its_descriptor(void **state)
{
	const struct store_change change = {.fields = RECORD_MODE | RECORD_OWNER | RECORD_MTIME,
	                                    .mode = 0640,
	                                    .uid = UINT32_MAX,
	                                    .gid = getegid(),
	                                    .mtime = {5, 0}};
	struct fixture *f = *state;
	struct stat st;
	int fd;

	fd = open(fixture_at(f, "gone"), O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(unlink(fixture_at(f, "gone")), 0);
	assert_int_equal(store_change_fd(fd, &change), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_sec, 5);
	close(fd);
}

/* ---- an ordinary user's instance ----------------------------------------------------------------------- */

static void unwritable_file_of_an_ordinary_user_is_worked_with(void **state)
{
	const struct store_change change = {.fields = RECORD_MTIME, .mtime = {5, 0}};
	struct fixture *f = *state;
	struct record rec = file_record(4);
	struct store_item item;
	bool young;
	int fd;

	rec.mode = 0444;
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(store_set_record(f->store, "file", "file", &rec), 0);
	assert_int_equal(store_change_meta(f->store, "file", &change), 0);
	assert_int_equal(store_setxattr(f->store, "file", "user.a", "b", 1, 0), 0);
	assert_int_equal(store_removexattr(f->store, "file", "user.a"), 0);
	assert_hydrated(f, "file", &item);
	assert_int_equal(item.st.st_mode & 07777, 0444);
	assert_int_equal(item.st.st_mtim.tv_sec, 5);
	store_item_deinit(&item);
	assert_int_equal(store_make_full(f->store, "file", 1, &young), 0);
	fd = store_open_file(f->store, "file", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(store_settle(f->store, fd, true), 0);
	close(fd);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_LOCAL);
	assert_int_equal(item.identity, 1);
	assert_int_equal(item.st.st_mode & 07777, 0444);
	store_item_deinit(&item);
}

static void ordinary_users_instance_does_not_lock_itself_out(void **state)
{
	const struct store_change closed = {.fields = RECORD_MODE, .mode = 0500};
	const struct store_change open = {.fields = RECORD_MODE, .mode = 0755};
	static const char *const names[] = {"projected", "users"};
	struct fixture *f = *state;

	if (geteuid() == 0)
		skip();
	make_dir(f, "projected", 0755);
	assert_int_equal(mkdir(fixture_at(f, "users"), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct store_item item;
		struct record got;

		assert_int_equal(store_change_meta(f->store, names[i], &closed), 0);
		assert_int_equal(store_lookup(f->store, names[i], &item), 0);
		assert_int_equal(item.state, STORE_DIRECTORY);
		assert_int_equal(item.st.st_mode & 07777, 0700);
		assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
		assert_int_equal(got.mode, 0500);
		assert_int_equal(got.flags & RECORD_FLAG_OPAQUE, i == 1 ? RECORD_FLAG_OPAQUE : 0);
		assert_int_equal(item.identity != 0, i == 0);
		store_item_deinit(&item);
		assert_int_equal(store_change_meta(f->store, names[i], &open), 0);
		assert_int_equal(store_lookup(f->store, names[i], &item), 0);
		assert_int_equal(item.st.st_mode & 07777, 0755);
		assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
		assert_int_equal(got.mode, 0755);
		store_item_deinit(&item);
	}
}

/* ---- extended attributes ---------------------------------------------------------------------------------- */

static void attributes_of_users_are_on_the_item(void **state)
{
	struct fixture *f = *state;
	struct buf got = {0};

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(store_setxattr(f->store, "file", "user.a", "b", 1, 0), 0);
	assert_int_equal(store_setxattr(f->store, "file", "user.a", "c", 1, XATTR_CREATE), -EEXIST);
	assert_int_equal(store_setxattr(f->store, "file", "user.b", "", 0, XATTR_REPLACE),
	                 -ENODATA);
	assert_int_equal(store_setxattr(f->store, "file", "user.empty", NULL, 0, 0), 0);
	assert_int_equal(store_getxattr(f->store, "file", "user.a", &got), 0);
	assert_int_equal(got.size, 1);
	assert_int_equal(store_removexattr(f->store, "file", "user.a"), 0);
	assert_int_equal(store_removexattr(f->store, "file", "user.a"), -ENODATA);
	got.size = 0;
	assert_int_equal(store_listxattr(f->store, "file", &got), 0);
	assert_int_equal(got.size, sizeof("user.empty"));
	buf_deinit(&got);
	assert_still_hydrated(f, "file");
}

static void our_attributes_and_unknown_ones_are_refused(void **state)
{
	static const char *const ours[] = {RECORD_XATTR, RECORD_XATTR ".state"};
	static const char *const others[] = {"security.selinux", "system.other", "plain"};
	struct fixture *f = *state;
	struct buf got = {0};

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		assert_int_equal(store_setxattr(f->store, "file", ours[i], "x", 1, 0), -EPERM);
		assert_int_equal(store_removexattr(f->store, "file", ours[i]), -EPERM);
		assert_int_equal(store_getxattr(f->store, "file", ours[i], &got), -ENODATA);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(store_setxattr(f->store, "file", others[i], "x", 1, 0),
		                 -EOPNOTSUPP);
		assert_int_equal(store_removexattr(f->store, "file", others[i]), -EOPNOTSUPP);
		assert_int_equal(store_getxattr(f->store, "file", others[i], &got), -EOPNOTSUPP);
	}
	assert_still_hydrated(f, "file");
}

static void acl_changes_the_mode_and_leaves_the_record_bound(void **state)
{
	static const char name[] = "system.posix_acl_access";
	struct fixture *f = *state;
	struct store_item item;
	struct buf got = {0};
	int r;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	r = store_setxattr(f->store, "file", name, acl, sizeof(acl), 0);
	if (r == -EOPNOTSUPP)
		skip();
	assert_int_equal(r, 0);
	assert_hydrated(f, "file", &item);
	assert_int_equal(item.st.st_mode & 07777, 0670);
	store_item_deinit(&item);
	assert_int_equal(store_getxattr(f->store, "file", name, &got), 0);
	assert_int_equal(got.size, sizeof(acl));
	got.size = 0;
	assert_int_equal(store_listxattr(f->store, "file", &got), 0);
	assert_int_equal(got.size, sizeof(name));
	buf_deinit(&got);
	assert_int_equal(store_removexattr(f->store, "file", name), 0);
	assert_still_hydrated(f, "file");
}

/* ---- durability ------------------------------------------------------------------------------------------- */

static void each_kind_of_item_is_synced(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	make_dir(f, "dir", 0);
	assert_int_equal(mkfifo(fixture_at(f, "fifo"), 0644), 0);
	assert_int_equal(symlink("file", fixture_at(f, "link")), 0);
	for (int data_only = 0; data_only < 2; data_only++) {
		assert_int_equal(store_sync_item(f->store, "", data_only), 0);
		assert_int_equal(store_sync_item(f->store, "file", data_only), 0);
		assert_int_equal(store_sync_item(f->store, "dir", data_only), 0);
		assert_int_equal(store_sync_item(f->store, "fifo", data_only), 0);
		assert_int_equal(store_sync_item(f->store, "link", data_only), 0);
		assert_int_equal(store_sync_item(f->store, "none", data_only), -ENOENT);
	}
	assert_still_hydrated(f, "file");
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
#define NOBODY(t) cmocka_unit_test_setup_teardown(t, setup_as_nobody, teardown_as_nobody)
	const struct CMUnitTest tests[] = {
	        OPEN(record_of_a_hydrated_file_is_replaced),
	        OPEN(changed_file_whose_content_is_lost_is_a_placeholder),
	        OPEN(record_is_replaced_in_its_own_state_only),
	        OPEN(big_records_are_replaced_and_leave_nothing),
	        OPEN(offline_chmod_stays_a_difference_until_the_record_says_so),
	        OPEN(directory_is_not_touched_by_its_record),
	        OPEN(changed_metadata_leaves_a_file_hydrated),
	        OPEN(touched_file_stays_hydrated),
	        OPEN(crash_between_record_and_times_leaves_a_file_hydrated),
	        OPEN(users_things_are_changed_plainly),
	        OPEN(links_of_the_users_are_given_away),
	        OPEN(record_of_a_directory_follows_its_mode_and_owner),
	        NOBODY(refused_change_leaves_all_as_it_was),
	        OPEN(change_that_fails_half_way_is_undone),
	        OPEN(marker_has_no_metadata_to_change),
	        OPEN(unnamed_file_is_changed_through_its_descriptor),
	        NOBODY(unwritable_file_of_an_ordinary_user_is_worked_with),
	        NOBODY(ordinary_users_instance_does_not_lock_itself_out),
	        OPEN(attributes_of_users_are_on_the_item),
	        OPEN(our_attributes_and_unknown_ones_are_refused),
	        OPEN(acl_changes_the_mode_and_leaves_the_record_bound),
	        OPEN(each_kind_of_item_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
