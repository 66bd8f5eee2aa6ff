/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/ioctl.h"
#include "fake_channel.h"
#include "fake_core.h"
#include "fuse/dispatch.h"
#include "fuse/read.h"

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

/* Send a request; the error of its one reply.  1: there was none. */
static int ask(struct fixture *f, uint32_t opcode, const void *a, size_t a_size, const void *b,
               size_t b_size)
{
	unsigned n_before = f->channel->n_sent;

	f->core.called = NULL;
	fake_request(&f->session, f->channel, opcode, a, a_size, b, b_size);
	if (f->channel->n_sent == n_before)
		return 1;
	assert_int_equal(f->channel->n_sent, n_before + 1);
	assert_true(f->channel->header.unique == FAKE_UNIQUE);
	return f->channel->header.error;
}

static void unknown_requests_get_enosys(void **state)
{
	static const uint32_t opcodes[] = {0, 7, 19, 54, 55, 4096, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		assert_int_equal(ask(*state, opcodes[i], "", 1, NULL, 0), -ENOSYS);
}

/* Each opcode with nothing behind its header, and then with a header that lies. */
static void truncated_requests_never_reach_the_core(void **state)
{
	static const uint32_t opcodes[] = {
	        FUSE_LOOKUP,  FUSE_OPEN,        FUSE_READ,       FUSE_RELEASE,
	        FUSE_OPENDIR, FUSE_READDIR,     FUSE_GETXATTR,   FUSE_LISTXATTR,
	        FUSE_IOCTL,   FUSE_READDIRPLUS, FUSE_RELEASEDIR, FUSE_SETATTR,
	        FUSE_SYMLINK, FUSE_MKNOD,       FUSE_MKDIR,      FUSE_UNLINK,
	        FUSE_RMDIR,   FUSE_RENAME,      FUSE_RENAME2,    FUSE_LINK,
	        FUSE_WRITE,   FUSE_SETXATTR,    FUSE_CREATE,     FUSE_REMOVEXATTR,
	        FUSE_TMPFILE, FUSE_FALLOCATE,   FUSE_FSYNC,      FUSE_FSYNCDIR,
	        FUSE_LSEEK,   FUSE_COPY_FILE_RANGE, KERNEL_COPY_FILE_RANGE_64,
	};
	struct fixture *f = *state;
	struct fuse_in_header header = {.len = 4096, .opcode = FUSE_GETATTR, .unique = FAKE_UNIQUE};

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		assert_int_equal(ask(f, opcodes[i], NULL, 0, NULL, 0), -EIO);
	assert_int_equal(ask(f, FUSE_FORGET, "1234567", 7, NULL, 0), 1);
	assert_int_equal(ask(f, FUSE_INTERRUPT, "1234567", 7, NULL, 0), 1);
	dispatch(&f->session, &f->channel->channel, &header, sizeof(header));
	assert_int_equal(f->channel->header.error, -EIO);
	dispatch(&f->session, &f->channel->channel, &header, sizeof(header) - 1);
	assert_int_equal(f->core.n_calls, 0);
}

static void names_are_checked(void **state)
{
	char long_name[300];
	struct fixture *f = *state;

	memset(long_name, 'n', sizeof(long_name));
	assert_int_equal(ask(f, FUSE_LOOKUP, "abc", 3, NULL, 0), -EINVAL); /* no NUL */
	assert_int_equal(ask(f, FUSE_LOOKUP, "", 1, NULL, 0), -EINVAL);
	assert_int_equal(ask(f, FUSE_LOOKUP, "a/b", 4, NULL, 0), -EINVAL);
	assert_int_equal(ask(f, FUSE_LOOKUP, "..", 3, NULL, 0), -EINVAL);
	assert_int_equal(ask(f, FUSE_LOOKUP, long_name, 256, "", 1), -ENAMETOOLONG);
	assert_int_equal(f->core.n_calls, 0);
	assert_int_equal(ask(f, FUSE_LOOKUP, long_name, 255, "", 1), 0);
	assert_int_equal(strlen(f->core.name), 255);
}

static void an_entry_carries_its_validity(void **state)
{
	struct fuse_entry_out out;
	struct fixture *f = *state;

	f->core.answer.ret.entry = (struct core_entry){
	        .node_id = 12,
	        .entry_valid_ms = CORE_FOREVER,
	        .attr_valid_ms = 1500,
	        .attr = {.mode = S_IFREG | 0640, .size = 77, .mtime = {.tv_sec = -5, .tv_nsec = 6}},
	};
	assert_int_equal(ask(f, FUSE_LOOKUP, "a", 2, NULL, 0), 0);
	assert_int_equal(f->channel->size, sizeof(out));
	memcpy(&out, f->channel->data, sizeof(out));
	assert_true(out.nodeid == 12 && out.entry_valid == UINT32_MAX && out.attr_valid == 1);
	assert_true(out.attr_valid_nsec == 500000000 && out.attr.size == 77);
	assert_true((int64_t)out.attr.mtime == -5 && out.attr.mtimensec == 6);
}

static void a_missing_name_is_an_entry_without_node(void **state)
{
	struct fuse_entry_out out;
	struct fixture *f = *state;

	f->core.answer.ret.entry = (struct core_entry){.entry_valid_ms = 2000};
	assert_int_equal(ask(f, FUSE_LOOKUP, "a", 2, NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_true(out.nodeid == 0 && out.entry_valid == 2 && out.attr.mode == 0);
}

static void an_entry_that_does_not_arrive_is_forgotten(void **state)
{
	struct fixture *f = *state;

	f->core.answer.ret.entry.node_id = 12;
	f->channel->send_result = -ENOENT;
	ask(f, FUSE_LOOKUP, "a", 2, NULL, 0);
	assert_int_equal(f->core.n_forgotten, 1);
	assert_int_equal(f->core.node_id, 12);
}

static void a_parked_request_is_answered_once_and_later(void **state)
{
	struct fixture *f = *state;

	f->core.park = true;
	assert_int_equal(ask(f, FUSE_GETATTR, NULL, 0, NULL, 0), 1);
	assert_int_equal(f->core.parked->pid, 3);
	assert_true(f->core.parked->unique == FAKE_UNIQUE);
	fake_core_finish(&f->core, -ETIMEDOUT);
	assert_int_equal(f->channel->n_sent, 1);
	assert_int_equal(f->channel->header.error, -ETIMEDOUT);
}

static void errors_that_the_kernel_would_drop_become_eio(void **state)
{
	struct fixture *f = *state;

	f->core.error = 5;
	assert_int_equal(ask(f, FUSE_GETATTR, NULL, 0, NULL, 0), -EIO);
	f->core.error = -512;
	assert_int_equal(ask(f, FUSE_GETATTR, NULL, 0, NULL, 0), -EIO);
	f->core.error = -511;
	assert_int_equal(ask(f, FUSE_GETATTR, NULL, 0, NULL, 0), -511);
}

static void statx_tells_the_birth_time_if_there_is_one(void **state)
{
	struct fixture *f = *state;
	struct fuse_statx_out out;

	f->core.answer.ret.attr.attr = (struct core_attr){.mode = S_IFREG, .btime.tv_nsec = 9};
	assert_int_equal(ask(f, FUSE_STATX, NULL, 0, NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_true(out.stat.mask & STATX_BTIME);
	assert_int_equal(out.stat.btime.tv_nsec, 9);
	f->core.answer.ret.attr.attr.btime.tv_nsec = 0;
	assert_int_equal(ask(f, FUSE_STATX, NULL, 0, NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_false(out.stat.mask & STATX_BTIME);
}

static int getxattr(struct fixture *f, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	return ask(f, FUSE_GETXATTR, &in, sizeof(in), name, strlen(name) + 1);
}

static void attributes_of_security_modules_are_answered_without_the_core(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(getxattr(f, "security.selinux", 0), -EOPNOTSUPP);
	assert_int_equal(getxattr(f, "system.posix_acl_access", 0), -EOPNOTSUPP);
	assert_int_equal(getxattr(f, "user.projfs", 0), -ENODATA);
	assert_int_equal(getxattr(f, "user.projfs.state", 0), -ENODATA);
	assert_int_equal(f->core.n_calls, 0);
	assert_int_equal(ask(f, FUSE_GETXATTR, "12345678user.x", 14, NULL, 0), -EINVAL);
	f->session.features = FUSE_POSIX_ACL;
	f->core.error = -ENODATA;
	assert_int_equal(getxattr(f, "system.posix_acl_default", 0), -ENODATA);
	assert_int_equal(getxattr(f, "security.capability", 0), -ENODATA);
	assert_int_equal(f->core.n_calls, 2);
}

static void attribute_sizes_are_told_and_kept(void **state)
{
	struct fixture *f = *state;
	struct fuse_getxattr_out out;

	f->core.answer.ret.bytes.data = "12345";
	f->core.answer.ret.bytes.size = 5;
	assert_int_equal(getxattr(f, "user.x", 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_int_equal(out.size, 5);
	assert_int_equal(getxattr(f, "user.x", 4), -ERANGE);
	assert_int_equal(getxattr(f, "user.x", 5), 0);
	assert_memory_equal(f->channel->data, "12345", 5);
	assert_string_equal(f->core.name, "user.x");
}

static void our_own_attributes_are_not_listed(void **state)
{
	static const char names[] = "user.a\0user.projfs.r\0user.b";
	struct fuse_getxattr_in in = {.size = 14};
	struct fixture *f = *state;

	f->core.answer.ret.bytes.data = names;
	f->core.answer.ret.bytes.size = sizeof(names);
	assert_int_equal(ask(f, FUSE_LISTXATTR, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(f->channel->size, 14);
	assert_memory_equal(f->channel->data, "user.a\0user.b", 14);
	in.size = 13;
	assert_int_equal(ask(f, FUSE_LISTXATTR, &in, sizeof(in), NULL, 0), -ERANGE);
}

static void an_interrupt_that_overtakes_its_request_is_sent_again(void **state)
{
	struct fuse_interrupt_in in = {.unique = 4};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_INTERRUPT, &in, sizeof(in), NULL, 0), 1);
	f->core.interrupt_result = -EAGAIN;
	assert_int_equal(ask(f, FUSE_INTERRUPT, &in, sizeof(in), NULL, 0), -EAGAIN);
}

static void opens_are_declined_for_ever_only_when_untracked(void **state)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out;
	struct fixture *f = *state;

	f->session.features = FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT;
	f->core.answer.ret.open.handle = 99;
	f->core.answer.ret.open.keep_cache = true;
	assert_int_equal(ask(f, FUSE_OPEN, &in, sizeof(in), NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_true(out.fh == 99 && out.open_flags == FOPEN_KEEP_CACHE);
	f->core.answer.ret.open.keep_cache = false;
	assert_int_equal(ask(f, FUSE_OPENDIR, &in, sizeof(in), NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_int_equal(out.open_flags, 0); /* a live listing is never cached */

	f->session.untracked = true;
	assert_int_equal(ask(f, FUSE_OPEN, &in, sizeof(in), NULL, 0), -ENOSYS);
	assert_int_equal(ask(f, FUSE_OPENDIR, &in, sizeof(in), NULL, 0), -ENOSYS);
	f->session.features = 0; /* switched off, or an old kernel */
	f->core.answer.ret.open.keep_cache = true;
	assert_int_equal(ask(f, FUSE_OPEN, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(ask(f, FUSE_OPENDIR, &in, sizeof(in), NULL, 0), 0);
	memcpy(&out, f->channel->data, sizeof(out));
	assert_int_equal(out.open_flags, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
}

static void releases_carry_the_handle(void **state)
{
	struct fuse_release_in in = {.fh = 98};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_RELEASE, &in, sizeof(in), NULL, 0), 0);
	assert_string_equal(f->core.called, "release");
	assert_int_equal(f->core.handle, 98);
	assert_int_equal(ask(f, FUSE_RELEASEDIR, &in, sizeof(in), NULL, 0), 0);
	assert_string_equal(f->core.called, "releasedir");
}

static void a_batch_of_forgets_ends_where_the_request_ends(void **state)
{
	struct fuse_batch_forget_in in = {.count = 1000};
	struct fuse_forget_one ones[2] = {{.nodeid = 3, .nlookup = 2}, {.nodeid = 4, .nlookup = 5}};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_BATCH_FORGET, &in, sizeof(in), ones, sizeof(ones) - 1), 1);
	assert_int_equal(f->core.n_forgotten, 2);
	assert_int_equal(ask(f, FUSE_BATCH_FORGET, &in, sizeof(in), ones, sizeof(ones)), 1);
	assert_int_equal(f->core.n_forgotten, 9);
}

static void only_our_ioctls_are_known(void **state)
{
	struct core_ioctl_state *io = calloc(1, sizeof(*io));
	struct fuse_ioctl_in in = {.cmd = 0x5401, .in_size = sizeof(*io), .out_size = sizeof(*io)};
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), NULL, 0), -ENOTTY);
	in.cmd = CORE_IOCTL_STATE;
	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), io, sizeof(*io) - 1), -EINVAL);
	assert_int_equal(f->core.n_calls, 0);
	f->core.answer.ret.bytes.data = io;
	f->core.answer.ret.bytes.size = sizeof(*io);
	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), io, sizeof(*io)), 0);
	assert_int_equal(f->channel->size, sizeof(struct fuse_ioctl_out) + sizeof(*io));
	in.out_size = 8; /* an answer that the caller has no room for */
	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), io, sizeof(*io)), -EIO);
	in.in_size = 8;
	in.out_size = sizeof(*io);
	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), io, sizeof(*io)), -EINVAL);
	f->core.answer.ret.bytes.size = 0;
	in = (struct fuse_ioctl_in){.cmd = CORE_IOCTL_HYDRATE};
	assert_int_equal(ask(f, FUSE_IOCTL, &in, sizeof(in), NULL, 0), 0);
	free(io);
}

static void links_are_never_empty_or_too_long(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, FUSE_READLINK, NULL, 0, NULL, 0), -EIO);
	f->core.answer.ret.bytes.data = "/x";
	f->core.answer.ret.bytes.size = 2;
	assert_int_equal(ask(f, FUSE_READLINK, NULL, 0, NULL, 0), 0);
	f->core.answer.ret.bytes.size = 4096;
	assert_int_equal(ask(f, FUSE_READLINK, NULL, 0, NULL, 0), -EIO);
}

static void impossible_ranges_are_refused(void **state)
{
	struct fuse_read_in in = {.offset = INT64_MAX, .size = 1};

	assert_int_equal(ask(*state, FUSE_READ, &in, sizeof(in), NULL, 0), -EINVAL);
	in = (struct fuse_read_in){.size = READ_MAX_BYTES + 1};
	assert_int_equal(ask(*state, FUSE_READ, &in, sizeof(in), NULL, 0), -EINVAL);
	assert_int_equal(ask(*state, FUSE_READDIR, &in, sizeof(in), NULL, 0), -EINVAL);
}

static void reads_give_the_bytes_of_the_content(void **state)
{
	struct fuse_read_in in = {.fh = 5, .offset = 6, .size = 4096};
	struct fixture *f = *state;
	char *buffer = malloc(READ_MAX_BYTES);

	/* On a request thread, and on another. */
	for (int i = 0; i < 2; i++) {
		read_set_thread_buffer(i ? NULL : buffer);
		fake_request(&f->session, f->channel, FUSE_READ, &in, sizeof(in), NULL, 0);
		fake_channel_wait(f->channel, (unsigned)i + 1);
		assert_int_equal(f->channel->header.error, 0);
		assert_int_equal(f->channel->size, strlen(FAKE_SMALL_TEXT) - 6);
		assert_memory_equal(f->channel->data, &FAKE_SMALL_TEXT[6], f->channel->size);
	}
	in.offset = 1000;
	assert_int_equal(ask(f, FUSE_READ, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(f->channel->size, 0);
	read_wait_idle(&f->session);
	free(buffer);
}

/* The core promises more than there is: the end of the file must not move because of that. */
static void missing_bytes_are_an_error_and_not_the_end(void **state)
{
	struct fuse_read_in in = {.size = 4096};
	struct fixture *f = *state;
	char *buffer = malloc(READ_MAX_BYTES);

	f->core.answer.ret.read.length = 4096;
	read_set_thread_buffer(buffer);
	fake_request(&f->session, f->channel, FUSE_READ, &in, sizeof(in), NULL, 0);
	fake_channel_wait(f->channel, 1);
	read_wait_idle(&f->session);
	assert_int_equal(f->core.n_disk_jobs, 1); /* never waited for here */
	assert_int_equal(f->channel->header.error, -EIO);
	assert_false(read_is_on_disk_thread(&f->session, FAKE_UNIQUE));
	read_set_thread_buffer(NULL);
	free(buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(unknown_requests_get_enosys),
	        TEST(truncated_requests_never_reach_the_core),
	        TEST(names_are_checked),
	        TEST(an_entry_carries_its_validity),
	        TEST(a_missing_name_is_an_entry_without_node),
	        TEST(an_entry_that_does_not_arrive_is_forgotten),
	        TEST(a_parked_request_is_answered_once_and_later),
	        TEST(errors_that_the_kernel_would_drop_become_eio),
	        TEST(statx_tells_the_birth_time_if_there_is_one),
	        TEST(attributes_of_security_modules_are_answered_without_the_core),
	        TEST(attribute_sizes_are_told_and_kept),
	        TEST(our_own_attributes_are_not_listed),
	        TEST(an_interrupt_that_overtakes_its_request_is_sent_again),
	        TEST(opens_are_declined_for_ever_only_when_untracked),
	        TEST(releases_carry_the_handle),
	        TEST(a_batch_of_forgets_ends_where_the_request_ends),
	        TEST(only_our_ioctls_are_known),
	        TEST(links_are_never_empty_or_too_long),
	        TEST(impossible_ranges_are_refused),
	        TEST(reads_give_the_bytes_of_the_content),
	        TEST(missing_bytes_are_an_error_and_not_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
