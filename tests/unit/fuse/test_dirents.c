/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_channel.h"
#include "fake_core.h"

static const struct core_entry entry = {.node_id = 9, .attr.size = 44, .attr.mode = S_IFREG};
static const struct core_dirent dirents[] = {
        {.name = ".", .name_length = 1, .next_offset = 1, .ino = 1, .type = DT_DIR},
        {.name = "eight888",
         .name_length = 8,
         .next_offset = 2,
         .ino = 9,
         .type = DT_REG,
         .entry = &entry},
        {.name = "x", .name_length = 1, .next_offset = 3, .ino = 10, .type = DT_LNK},
};
/* 24 bytes and the name, to the next multiple of 8; with entries, 128 more. */
#define PLAIN_BYTES (32 + 32 + 32)
#define PLUS_BYTES (PLAIN_BYTES + 3 * 128)

/* List into @size bytes: how many entries were taken. */
static size_t list(uint32_t opcode, uint32_t size, int error, struct fake_channel *c)
{
	struct fuse_read_in in = {.size = size};
	struct session s;
	struct core core;

	fake_core_init(&core);
	core.dirents = dirents;
	core.n_dirents = ARRAY_SIZE(dirents);
	core.error = error;
	session_init(&s, &core);
	fake_request(&s, c, opcode, &in, sizeof(in), NULL, 0);
	session_deinit(&s);
	fake_core_deinit(&core);
	return core.n_taken;
}

static void entries_are_packed_and_aligned(void **state)
{
	struct fake_channel *c = fake_channel_new();
	const struct fuse_dirent *d = (const void *)(c->data + 32);

	assert_int_equal(list(FUSE_READDIR, 4096, 0, c), 3);
	assert_int_equal(c->size, PLAIN_BYTES);
	assert_true(d->ino == 9 && d->off == 2 && d->namelen == 8 && d->type == DT_REG);
	assert_memory_equal(d->name, "eight888", 8);
	/* No byte of our memory is in the padding. */
	for (size_t i = 32 + 32 + 24 + 1; i < PLAIN_BYTES; i++)
		assert_int_equal(c->data[i], 0);
	fake_channel_free(c);
}

static void the_buffer_is_filled_to_the_last_byte_and_not_further(void **state)
{
	struct fake_channel *c = fake_channel_new();

	assert_int_equal(list(FUSE_READDIR, PLAIN_BYTES, 0, c), 3);
	assert_int_equal(list(FUSE_READDIR, PLAIN_BYTES - 1, 0, c), 2);
	assert_int_equal(c->size, PLAIN_BYTES - 32);
	assert_int_equal(list(FUSE_READDIR, 31, 0, c), 0);
	assert_int_equal(c->size, 0);
	assert_int_equal(list(FUSE_READDIR, 0, 0, c), 0);
	assert_int_equal(list(FUSE_READDIRPLUS, PLUS_BYTES, 0, c), 3);
	assert_int_equal(list(FUSE_READDIRPLUS, PLUS_BYTES - 1, 0, c), 2);
	assert_int_equal(list(FUSE_READDIRPLUS, 32 + 127, 0, c), 0);
	fake_channel_free(c);
}

static void entries_without_attributes_are_all_zeros(void **state)
{
	struct fake_channel *c = fake_channel_new();
	const struct fuse_direntplus *plus = (const void *)c->data;
	static const struct fuse_entry_out zeros;

	assert_int_equal(list(FUSE_READDIRPLUS, 4096, 0, c), 3);
	assert_memory_equal(&plus->entry_out, &zeros, sizeof(zeros));
	plus = (const void *)(c->data + 128 + 32);
	assert_true(plus->entry_out.nodeid == 9 && plus->entry_out.attr.size == 44);
	assert_memory_equal(plus->dirent.name, "eight888", 8);
	fake_channel_free(c);
}

static void an_error_after_some_entries_waits_for_the_next_call(void **state)
{
	struct fake_channel *c = fake_channel_new();

	list(FUSE_READDIRPLUS, 4096, -EIO, c);
	assert_int_equal(c->header.error, 0);
	assert_int_equal(c->size, PLUS_BYTES);
	list(FUSE_READDIRPLUS, 8, -EIO, c);
	assert_int_equal(c->header.error, -EIO);
	fake_channel_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(entries_are_packed_and_aligned),
	        cmocka_unit_test(the_buffer_is_filled_to_the_last_byte_and_not_further),
	        cmocka_unit_test(entries_without_attributes_are_all_zeros),
	        cmocka_unit_test(an_error_after_some_entries_waits_for_the_next_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
