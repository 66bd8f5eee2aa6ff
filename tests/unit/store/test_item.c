/* SPDX-License-Identifier: MIT */
/* Hydrating, and what an item is taken for after users did things behind our back. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/record.h"

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void hydrated_file_is_a_plain_file_with_a_record(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(5);
	struct store_item committed;
	struct store_item item;
	struct stage *stage;
	struct record got;

	assert_int_equal(store_stage_new(f->store, "file", &stage), 0);
	assert_int_equal(write(stage_fd(stage), "hello", 5), 5);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
	assert_int_equal(store_stage_commit(f->store, stage, PLACE("file"), &rec, &committed), 0);
	stage_free(stage);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_int_equal(committed.state, STORE_HYDRATED);
	assert_int_equal(committed.st.st_ino, item.st.st_ino);
	assert_int_equal(committed.st.st_nlink, 1);
	assert_memory_equal(&committed.st.st_ctim, &item.st.st_ctim, sizeof(item.st.st_ctim));
	assert_false(item.meta_differs);
	assert_int_equal(item.st.st_mode & 07777, 0644);
	assert_int_equal(item.st.st_mtim.tv_sec, MTIME_SEC);
	assert_int_equal(item.st.st_size, 5);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.fields & (RECORD_MODE | RECORD_MTIME | RECORD_OWNER), 0);
	assert_true(record_bytes_equal(got.content_id, bytes_of("v1")));
	store_item_deinit(&committed);
	store_item_deinit(&item);
	fixture_reopen(f);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
}

static void common_record_fits_into_the_inode(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);

	rec.content_id = bytes_of("0123456789abcdef0123456789abcdef");
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_in_range(getxattr(fixture_at(f, "file"), RECORD_XATTR, NULL, 0), 1, 60);
}

static void taken_name_refuses_the_commit_and_keeps_the_stage(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(3);
	struct stage *stage;

	rec.mode = 0444;
	assert_int_equal(store_stage_new(f->store, "file", &stage), 0);
	assert_int_equal(write(stage_fd(stage), "new", 3), 3);
	write_file(fixture_at(f, "file"), "the user's");
	assert_int_equal(store_stage_commit(f->store, stage, PLACE("file"), &rec, NULL), -EEXIST);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
	assert_int_equal(store_stage_commit(f->store, stage, PLACE("no/file"), &rec, NULL),
	                 -ENOENT);
	assert_int_equal(store_stage_commit(f->store, stage, PLACE("other"), &rec, NULL), 0);
	stage_free(stage);
	assert_int_equal(state_of(f->store, "other"), STORE_HYDRATED);
}

static void short_content_is_not_committed(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(100);

	assert_int_equal(hydrate(f->store, "file", "only some", &rec), -EIO);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
}

static void staging_works_without_unnamed_files(void **state)
{
	struct fixture *f = *state;

	setenv("PROJFS_DISABLE", "uring,tmpfile", 1);
	fixture_reopen(f);
	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
	assert_int_equal(hydrate(f->store, "file", "text", NULL), -EEXIST);
	assert_int_equal(count_private(f, "tmp"), 0);
}

static void files_that_forbid_access_are_read_all_the_same(void **state)
{
	static const uint32_t modes[] = {0444, 0000, 0200, 06755, 02444};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct record rec = file_record(4);
		struct store_item item;
		char text[8] = "";
		char name[16];
		int fd;

		rec.mode = modes[i];
		(void)snprintf(name, sizeof(name), "file%zu", i);
		assert_int_equal(hydrate(f->store, name, "text", &rec), 0);
		assert_int_equal(store_lookup(f->store, name, &item), 0);
		assert_int_equal(item.state, STORE_HYDRATED);
		assert_false(item.meta_differs);
		assert_int_equal(item.st.st_mode & 01777, modes[i] & 01777);
		store_item_deinit(&item);
		fd = store_open_file(f->store, name, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof(text)), 4);
		close(fd);
		assert_int_equal(store_lookup(f->store, name, &item), 0);
		assert_int_equal(item.st.st_mode & 01777, modes[i] & 01777);
		assert_false(item.meta_differs);
		store_item_deinit(&item);
	}
}

static void changed_content_makes_a_file_local(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "same-size", "text", NULL), 0);
	assert_int_equal(hydrate(f->store, "longer", "text", NULL), 0);
	write_file(fixture_at(f, "same-size"), "TEXT");
	write_file(fixture_at(f, "longer"), "more text");
	assert_int_equal(state_of(f->store, "same-size"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "longer"), STORE_LOCAL);
}

static void changed_size_under_the_same_times_is_seen(void **state)
{
	const struct timespec times[2] = {{MTIME_SEC, MTIME_NSEC}, {MTIME_SEC, MTIME_NSEC}};
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	write_file(fixture_at(f, "file"), "more text");
	assert_int_equal(utimensat(AT_FDCWD, fixture_at(f, "file"), times, 0), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
}

static void changed_mtime_makes_a_file_local(void **state)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, fixture_at(f, "file"), times, 0), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
}

static void changed_mode_leaves_a_file_hydrated_but_different(void **state)
{
	struct fixture *f = *state;
	struct store_item item;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(chmod(fixture_at(f, "file"), 0600), 0);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_true(item.meta_differs);
	store_item_deinit(&item);
	assert_int_equal(store_discard(f->store, "file"), -EBUSY);
}

static void copies_with_their_attributes_are_local(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_dir dir = {"dir", "dir", &rec};
	char command[1024];

	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
	assert_int_equal(hydrate(f->store, "dir/file", "text", NULL), 0);
	(void)snprintf(command, sizeof(command), "cp -a --preserve=all '%s/dir' '%s/copy'", f->path,
	               f->path);
	run(command);
	assert_true(getxattr(fixture_at(f, "copy"), RECORD_XATTR, NULL, 0) > 0);
	assert_true(getxattr(fixture_at(f, "copy/file"), RECORD_XATTR, NULL, 0) > 0);
	assert_int_equal(state_of(f->store, "dir"), STORE_DIRECTORY);
	assert_int_equal(state_of(f->store, "copy"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "copy/file"), STORE_LOCAL);
	assert_int_equal(rename(fixture_at(f, "dir"), fixture_at(f, "moved")), 0);
	assert_int_equal(state_of(f->store, "moved"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "moved/file"), STORE_LOCAL);
	assert_int_equal(rename(fixture_at(f, "moved"), fixture_at(f, "dir")), 0);
	assert_int_equal(state_of(f->store, "dir"), STORE_DIRECTORY);
	assert_int_equal(state_of(f->store, "dir/file"), STORE_HYDRATED);
}

static void users_things_are_local(void **state)
{
	struct fixture *f = *state;
	struct buf target = {0};

	write_file(fixture_at(f, "file"), "x");
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	assert_int_equal(mkfifo(fixture_at(f, "fifo"), 0644), 0);
	assert_int_equal(symlink(MARKER_ESCAPE "/etc", fixture_at(f, "link")), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "dir"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "fifo"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "link"), STORE_LOCAL);
	assert_int_equal(store_open_file(f->store, "fifo", O_RDONLY), -ENXIO);
	assert_int_equal(store_open_file(f->store, "dir", O_RDONLY), -EISDIR);
	assert_int_equal(store_readlink(f->store, "link", &target), 0);
	assert_string_equal((const char *)target.data, "/etc");
	assert_int_equal(store_readlink(f->store, "file", &target), -EINVAL);
	buf_deinit(&target);
	assert_int_equal(store_lookup(f->store, "file/below", &(struct store_item){0}), -ENOTDIR);
	assert_int_equal(state_of(f->store, "none/below"), STORE_NONE);
	assert_int_equal(state_of(f->store, ""), STORE_DIRECTORY);
}

static void unreadable_records_are_damage_of_one_item(void **state)
{
	struct fixture *f = *state;
	struct store_usage usage;

	write_file(fixture_at(f, "file"), "x");
	assert_int_equal(setxattr(fixture_at(f, "file"), RECORD_XATTR, "nonsense", 8, 0), 0);
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0755), 0);
	assert_int_equal(setxattr(fixture_at(f, "dir"), RECORD_XATTR, "", 0, 0), 0);
	assert_int_equal(symlink(MARKER_PREFIX "nonsense", fixture_at(f, "link")), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_DAMAGED);
	assert_int_equal(state_of(f->store, "dir"), STORE_DAMAGED);
	assert_int_equal(state_of(f->store, "link"), STORE_DAMAGED);
	assert_int_equal(store_discard(f->store, "file"), -EBUSY);
	assert_int_equal(store_usage(f->store, 10000, &usage), 0);
	assert_int_equal(usage.n_damaged, 3);
}

static void user_attributes_come_with_the_file(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	struct buf packed = {0};
	struct buf got = {0};

	record_xattr_pack(&packed, "user.colour", "red", 3);
	record_xattr_pack(&packed, "user.empty", "", 0);
	record_xattr_pack(&packed, RECORD_XATTR, "forged", 6);
	rec.fields |= RECORD_XATTRS;
	rec.xattrs = (struct record_bytes){packed.data, packed.size};
	rec.mode = 0444;
	assert_int_equal(hydrate(f->store, "file", "text", &rec), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_HYDRATED);
	assert_int_equal(store_getxattr(f->store, "file", "user.colour", &got), 0);
	assert_int_equal(got.size, 3);
	assert_memory_equal(got.data, "red", 3);
	assert_int_equal(store_getxattr(f->store, "file", "user.none", &got), -ENODATA);
	assert_int_equal(store_getxattr(f->store, "file", RECORD_XATTR, &got), -ENODATA);
	got.size = 0;
	assert_int_equal(store_listxattr(f->store, "file", &got), 0);
	assert_int_equal(got.size, sizeof("user.colour") + sizeof("user.empty"));
	buf_deinit(&got);
	buf_deinit(&packed);
}

static void big_records_lie_beside_and_go_with_their_file(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(4);
	struct record dir = dir_record();
	struct store_dir chain = {"dir", "dir", &dir};
	struct record marker;
	struct store_item item;
	struct record got;
	char blob[5000];
	char command[1024];

	memset(blob, 'b', sizeof(blob));
	rec.fields |= RECORD_BLOB;
	rec.blob = (struct record_bytes){(const uint8_t *)blob, sizeof(blob)};
	dir.fields |= RECORD_BLOB;
	dir.blob = rec.blob;
	assert_int_equal(store_make_dirs(f->store, &chain, 1), 0);
	assert_int_equal(hydrate(f->store, "dir/file", "text", &rec), 0);
	marker = rec;
	marker.fields |= RECORD_ORIGIN;
	marker.origin = bytes_of("dir/marker");
	assert_int_equal(store_write_marker(f->store, "dir/marker", &marker), 0);
	assert_int_equal(count_private(f, "rec"), 3);
	assert_int_equal(hydrate(f->store, "dir/file", "text", &rec), -EEXIST);
	assert_int_equal(store_write_marker(f->store, "dir/marker", &marker), 0);
	assert_int_equal(store_update_dir(f->store, "dir", &dir), 0);
	assert_int_equal(count_private(f, "rec"), 3);
	fixture_reopen(f);
	assert_int_equal(store_lookup(f->store, "dir/file", &item), 0);
	assert_int_equal(item.state, STORE_HYDRATED);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.blob.size, sizeof(blob));
	store_item_deinit(&item);
	assert_int_equal(store_lookup(f->store, "dir/marker", &item), 0);
	assert_int_equal(item.state, STORE_PLACEHOLDER);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.blob.size, sizeof(blob));
	store_item_deinit(&item);
	(void)snprintf(command, sizeof(command), "cp -a --preserve=all '%s/dir/file' '%s/copy'",
	               f->path, f->path);
	run(command);
	assert_int_equal(store_discard(f->store, "dir"), 0);
	assert_true(becomes_empty(f, "old"));
	assert_int_equal(count_private(f, "rec"), 0);
	assert_int_equal(state_of(f->store, "copy"), STORE_LOCAL);
}

struct names {
	unsigned n;
	unsigned n_dirs;
};

static int count_name(void *context, const char *name, unsigned char type)
{
	struct names *names = context;

	assert_string_not_equal(name, STORE_PRIVATE);
	names->n++;
	names->n_dirs += type == DT_DIR;
	return strcmp(name, "stop") == 0 ? 42 : 0;
}

static void listing_leaves_out_what_is_ours(void **state)
{
	struct fixture *f = *state;
	struct names names = {0};

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(mkdir(fixture_at(f, "dir"), 0000), 0);
	assert_int_equal(store_list(f->store, "", count_name, &names), 0);
	assert_int_equal(names.n, 2);
	assert_int_equal(names.n_dirs, 1);
	assert_int_equal(store_list(f->store, "dir", count_name, &names), 0);
	assert_int_equal(store_list(f->store, "none", count_name, &names), -ENOENT);
	assert_int_equal(store_list(f->store, "file", count_name, &names), -ENOTDIR);
	write_file(fixture_at(f, "stop"), "");
	assert_int_equal(store_list(f->store, "", count_name, &names), 42);
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(hydrated_file_is_a_plain_file_with_a_record),
	        OPEN(common_record_fits_into_the_inode),
	        OPEN(taken_name_refuses_the_commit_and_keeps_the_stage),
	        OPEN(short_content_is_not_committed),
	        OPEN(staging_works_without_unnamed_files),
	        OPEN(files_that_forbid_access_are_read_all_the_same),
	        OPEN(changed_content_makes_a_file_local),
	        OPEN(changed_size_under_the_same_times_is_seen),
	        OPEN(changed_mtime_makes_a_file_local),
	        OPEN(changed_mode_leaves_a_file_hydrated_but_different),
	        OPEN(copies_with_their_attributes_are_local),
	        OPEN(users_things_are_local),
	        OPEN(unreadable_records_are_damage_of_one_item),
	        OPEN(user_attributes_come_with_the_file),
	        OPEN(big_records_lie_beside_and_go_with_their_file),
	        OPEN(listing_leaves_out_what_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
