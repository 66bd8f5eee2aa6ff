/* SPDX-License-Identifier: MIT */
/* Requests that change something: what reaches the core, and what the kernel is told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_channel.h"
#include "fake_core.h"
#include "fuse/dispatch.h"

struct fixture {
	struct core core;
	struct session session;
	struct fake_channel *channel;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_core_init(&f->core);
	f->channel = fake_channel_new();
	*state = f;
	return session_init(&f->session, &f->core);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	session_deinit(&f->session);
	fake_channel_free(f->channel);
	fake_core_deinit(&f->core);
	free(f);
	return 0;
}

static int ask(struct fixture *f, uint32_t opcode, const void *a, size_t a_size, const void *b,
               size_t b_size)
{
	f->core.called = "";
	fake_request(&f->session, f->channel, opcode, a, a_size, b, b_size);
	return f->channel->header.error;
}

static void what_makes_a_name_carries_mode_and_umask(void **state)
{
	struct fuse_create_in create = {.flags = O_RDWR, .mode = S_IFREG | 04751, .umask = 027};
	struct fuse_mkdir_in mkdir = {.mode = 01777, .umask = 022};
	struct fuse_mknod_in mknod = {.mode = S_IFIFO | 0600, .rdev = 77, .umask = 07};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_CREATE, &create, sizeof(create), "file", 5), 0);
	assert_string_equal(f->core.called, "create");
	assert_string_equal(f->core.name, "file");
	assert_true(f->core.numbers[0] == 04751 && f->core.numbers[1] == 027);
	assert_int_equal(f->channel->size,
	                 sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out));
	assert_int_equal(ask(f, FUSE_MKDIR, &mkdir, sizeof(mkdir), "dir", 4), 0);
	assert_true(f->core.numbers[0] == (S_IFDIR | 01777) && f->core.numbers[1] == 022);
	assert_int_equal(ask(f, FUSE_MKNOD, &mknod, sizeof(mknod), "fifo", 5), 0);
	assert_true(f->core.numbers[0] == (S_IFIFO | 0600) && f->core.numbers[2] == 77);
	assert_int_equal(ask(f, FUSE_TMPFILE, &create, sizeof(create), "/", 2), 0);
	assert_string_equal(f->core.called, "tmpfile");
}

static void bad_names_never_reach_the_core(void **state)
{
	struct fuse_create_in create = {.mode = S_IFREG};
	struct fuse_rename2_in rename = {.newdir = 5};
	struct fuse_link_in link = {.oldnodeid = 7};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_CREATE, &create, sizeof(create), "a/b", 4), -EINVAL);
	assert_int_equal(ask(f, FUSE_CREATE, &create, sizeof(create), "open", 4), -EINVAL);
	assert_int_equal(ask(f, FUSE_UNLINK, "..", 3, NULL, 0), -EINVAL);
	assert_int_equal(ask(f, FUSE_RENAME2, &rename, sizeof(rename), "one\0two", 7), -EINVAL);
	assert_int_equal(ask(f, FUSE_LINK, &link, sizeof(link), "", 1), -EINVAL);
	assert_int_equal(ask(f, FUSE_SYMLINK, "name\0", 6, NULL, 0), -ENOENT);
	assert_int_equal(ask(f, FUSE_SYMLINK, "name\0target", 11, NULL, 0), -EINVAL);
	assert_int_equal(f->core.n_calls, 0);
}

static void both_renames_carry_both_names(void **state)
{
	struct fuse_rename2_in two = {.newdir = 5, .flags = 2};
	struct fuse_rename_in one = {.newdir = 6};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_RENAME2, &two, sizeof(two), "one\0two", 8), 0);
	assert_string_equal(f->core.name, "one");
	assert_string_equal(f->core.other_name, "two");
	assert_true(f->core.numbers[0] == 5 && f->core.numbers[1] == 2);
	assert_int_equal(ask(f, FUSE_RENAME, &one, sizeof(one), "one\0two", 8), 0);
	assert_true(f->core.numbers[0] == 6 && f->core.numbers[1] == 0);
}

static void a_write_may_not_be_longer_than_its_data(void **state)
{
	struct fuse_write_in in = {.offset = 9, .size = 4, .write_flags = FUSE_WRITE_KILL_SUIDGID};
	struct fuse_write_out out;
	struct fixture *f = *state;

	f->core.answer.ret.written = 3;
	assert_int_equal(ask(f, FUSE_WRITE, &in, sizeof(in), "Text", 4), 0);
	assert_true(f->core.offset == 9 && f->core.size == 4 && f->core.numbers[0] == 1);
	assert_int_equal(f->core.numbers[1], 'T');
	memcpy(&out, f->channel->data, sizeof(out));
	assert_int_equal(out.size, 3);
	in.size = 5;
	assert_int_equal(ask(f, FUSE_WRITE, &in, sizeof(in), "Text", 4), -EINVAL);
	in.size = 4;
	in.offset = INT64_MAX;
	assert_int_equal(ask(f, FUSE_WRITE, &in, sizeof(in), "Text", 4), -EINVAL);
}

static void a_large_write_waits_on_a_disk_thread(void **state)
{
	struct fuse_write_in in = {.offset = 1, .size = 300000};
	struct fixture *f = *state;
	char *data = calloc(1, in.size);

	data[0] = 'L';
	(void)ask(f, FUSE_WRITE, &in, sizeof(in), data, in.size);
	fake_channel_wait(f->channel, 1);
	assert_int_equal(f->channel->header.error, 0);
	assert_int_equal(f->core.n_disk_jobs, 1);
	assert_true(f->core.size == in.size && f->core.numbers[1] == 'L');
	in.size = 4096;
	assert_int_equal(ask(f, FUSE_WRITE, &in, sizeof(in), data, in.size), 0);
	assert_int_equal(f->core.n_disk_jobs, 1);
	free(data);
}

static void attributes_to_set_are_those_marked_valid(void **state)
{
	struct fuse_setattr_in in = {
	        .valid = FATTR_MODE | FATTR_SIZE | FATTR_MTIME | FATTR_ATIME | FATTR_ATIME_NOW,
	        .mode = S_IFREG | 0640,
	        .size = 12,
	        .mtime = 99,
	        .mtimensec = 5,
	        .uid = 3,
	};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_SETATTR, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(f->core.change.fields, CORE_CHANGE_MODE | CORE_CHANGE_SIZE |
	                                                CORE_CHANGE_MTIME | CORE_CHANGE_ATIME);
	assert_true(f->core.change.mode == 0640 && f->core.change.size == 12);
	assert_true(f->core.change.mtime.tv_sec == 99 && f->core.change.mtime.tv_nsec == 5);
	assert_int_equal(f->core.change.atime.tv_nsec, UTIME_NOW);
	in.size = UINT64_MAX;
	assert_int_equal(ask(f, FUSE_SETATTR, &in, sizeof(in), NULL, 0), -EFBIG);
}

static void our_own_attributes_cannot_be_set(void **state)
{
	struct fuse_setxattr_in in = {.size = 3};
	struct fixture *f = *state;

	assert_int_equal(
	        ask(f, FUSE_SETXATTR, &in, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.a\0abc", 10), 0);
	assert_true(f->core.size == 3 && f->core.numbers[1] == 'a');
	assert_int_equal(
	        ask(f, FUSE_SETXATTR, &in, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.a\0ab", 9), -EINVAL);
	assert_int_equal(
	        ask(f, FUSE_SETXATTR, &in, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.projfs\0abc", 15),
	        -EPERM);
	assert_int_equal(ask(f, FUSE_REMOVEXATTR, "user.projfs", 12, NULL, 0), -ENODATA);
	assert_int_equal(ask(f, FUSE_REMOVEXATTR, "user.a", 7, NULL, 0), 0);
	assert_string_equal(f->core.called, "removexattr");
}

static void copies_answer_in_the_width_of_their_request(void **state)
{
	struct fuse_copy_file_range_in in = {.off_in = 1, .nodeid_out = 8, .off_out = 2, .len = 3};
	struct fixture *f = *state;

	f->core.answer.ret.written = UINT64_C(1) << 33;
	assert_int_equal(ask(f, FUSE_COPY_FILE_RANGE, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(f->channel->size, sizeof(struct fuse_write_out));
	assert_int_equal(ask(f, KERNEL_COPY_FILE_RANGE_64, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(f->channel->size, 8);
	assert_true(f->core.numbers[0] == 1 && f->core.numbers[1] == 8 && f->core.numbers[2] == 2);
}

static void holes_and_durability_are_asked_for(void **state)
{
	struct fuse_lseek_in seek = {.offset = 4, .whence = SEEK_HOLE};
	struct fuse_fallocate_in fall = {.offset = 5, .length = 6, .mode = 3};
	struct fuse_fsync_in sync = {.fsync_flags = FUSE_FSYNC_FDATASYNC};
	struct fuse_lseek_out out;
	struct fixture *f = *state;

	f->core.answer.ret.offset = 4096;
	assert_int_equal(ask(f, FUSE_LSEEK, &seek, sizeof(seek), NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_true(out.offset == 4096 && f->core.numbers[1] == SEEK_HOLE);
	assert_int_equal(ask(f, FUSE_FALLOCATE, &fall, sizeof(fall), NULL, 0), 0);
	assert_true(f->core.numbers[0] == 3 && f->core.numbers[2] == 6);
	assert_int_equal(ask(f, FUSE_FSYNC, &sync, sizeof(sync), NULL, 0), 0);
	assert_int_equal(f->core.numbers[0], 1);
	assert_int_equal(ask(f, FUSE_FSYNCDIR, &sync, sizeof(sync), NULL, 0), 0);
	fall.offset = UINT64_MAX;
	assert_int_equal(ask(f, FUSE_FALLOCATE, &fall, sizeof(fall), NULL, 0), -EFBIG);
}

static void an_entry_that_does_not_arrive_is_forgotten(void **state)
{
	struct fuse_create_in create = {.mode = S_IFREG};
	struct fixture *f = *state;

	f->core.answer.ret.created.entry.node_id = 12;
	f->channel->send_result = -ENOENT;
	ask(f, FUSE_CREATE, &create, sizeof(create), "file", 5);
	assert_int_equal(f->core.n_forgotten, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(what_makes_a_name_carries_mode_and_umask),
	        TEST(bad_names_never_reach_the_core),
	        TEST(both_renames_carry_both_names),
	        TEST(a_write_may_not_be_longer_than_its_data),
	        TEST(a_large_write_waits_on_a_disk_thread),
	        TEST(attributes_to_set_are_those_marked_valid),
	        TEST(our_own_attributes_cannot_be_set),
	        TEST(copies_answer_in_the_width_of_their_request),
	        TEST(holes_and_durability_are_asked_for),
	        TEST(an_entry_that_does_not_arrive_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
