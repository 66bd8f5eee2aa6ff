/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_channel.h"
#include "fake_core.h"
#include "fuse/negotiate.h"

static const struct fuse_init_in modern = {
        .major = 7,
        .minor = 45,
        .max_readahead = 131072,
        .flags = UINT32_MAX,
        .flags2 = UINT32_MAX,
};

static uint64_t flags_of(const struct fuse_init_out *out)
{
	return (uint64_t)out->flags2 << 32 | out->flags;
}

static void what_would_lose_data_is_never_asked_for(void **state)
{
	struct fuse_init_out out;
	uint64_t used;

	assert_int_equal(negotiate(&modern, sizeof(modern), FUSE_MAX_PAGES, &out, &used, NULL), 0);
	assert_true((flags_of(&out) &
	             (FUSE_ATOMIC_O_TRUNC | FUSE_WRITEBACK_CACHE | FUSE_EXPORT_SUPPORT)) == 0);
	assert_true(flags_of(&out) & FUSE_EXPLICIT_INVAL_DATA);
	assert_int_equal(out.max_background, 65535);
	assert_int_equal(out.max_pages, 256);
	assert_int_equal(out.max_write, 1 << 20);
	assert_int_equal(out.max_readahead, 131072);
	assert_int_equal(out.time_gran, 1);
}

static void only_what_is_offered_is_used(void **state)
{
	struct fuse_init_in in = modern;
	uint64_t wanted = FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_HAS_EXPIRE_ONLY |
	                  FUSE_MAX_PAGES | FEATURE_PIN;
	struct fuse_init_out out;
	uint64_t used;

	in.flags &= ~(uint32_t)(FUSE_DO_READDIRPLUS | FUSE_MAX_PAGES | FUSE_INIT_EXT);
	assert_int_equal(negotiate(&in, sizeof(in), wanted, &out, &used, NULL), 0);
	/* AUTO means nothing alone, and without INIT_EXT the upper half does not count. */
	assert_false(used & FUSE_READDIRPLUS_AUTO);
	assert_false(used & FUSE_HAS_EXPIRE_ONLY);
	assert_int_equal(out.flags2, 0);
	assert_int_equal(out.max_pages, 0);
	assert_int_equal(out.max_write, 131072);
	assert_true(used & FEATURE_PIN);
	assert_false(flags_of(&out) & FEATURE_PIN);
}

static void old_kernels_are_refused_with_a_message(void **state)
{
	struct fuse_init_in in = modern;
	struct fuse_init_out out;
	struct errmsg err = {""};
	uint64_t used;

	in.minor = 30;
	assert_int_equal(negotiate(&in, sizeof(in), 0, &out, &used, &err), -EPROTO);
	assert_non_null(strstr(err.text, "too old"));
	assert_int_equal(negotiate(&modern, 8, 0, &out, &used, &err), -EPROTO);
	/* What Linux 5.4 sends is shorter. */
	assert_int_equal(negotiate(&modern, 16, 0, &out, &used, &err), 0);
}

static void features_are_switched_off_by_name(void **state)
{
	const char *names[16];

	assert_true(features_parse("noopen,clone") == (FUSE_NO_OPEN_SUPPORT | FEATURE_CLONE));
	assert_true(features_parse("passthrough,,readdirplus_auto") == FUSE_READDIRPLUS_AUTO);
	assert_true(features_parse(NULL) == 0);
	assert_int_equal(features_names(FEATURE_PIN | FUSE_MAX_PAGES, names, 16), 2);
	assert_string_equal(names[0], "max_pages");
	assert_string_equal(names[1], "pin");
	assert_int_equal(features_names(FEATURE_PIN | FUSE_MAX_PAGES, names, 1), 2);
}

static void the_handshake_answers_init(void **state)
{
	struct {
		struct fuse_in_header header;
		struct fuse_init_in in;
	} request = {{.len = sizeof(request), .opcode = FUSE_INIT, .unique = 2}, modern};
	struct fake_channel *c = fake_channel_new();
	struct errmsg err = {""};
	struct session s;
	struct core core;

	fake_core_init(&core);
	session_init(&s, &core);
	c->request = &request;
	c->request_size = sizeof(request);
	assert_int_equal(session_handshake(&s, &c->channel, FUSE_PARALLEL_DIROPS, &err), 0);
	assert_int_equal(c->header.unique, 2);
	assert_int_equal(c->size, sizeof(struct fuse_init_out));
	assert_true(s.features & FUSE_PARALLEL_DIROPS);
	/* Nothing comes. */
	assert_int_equal(session_handshake(&s, &c->channel, 0, &err), -ENODEV);
	/* Something else comes. */
	request.header.opcode = FUSE_LOOKUP;
	c->request = &request;
	assert_int_equal(session_handshake(&s, &c->channel, 0, &err), -EPROTO);
	session_deinit(&s);
	fake_core_deinit(&core);
	fake_channel_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_would_lose_data_is_never_asked_for),
	        cmocka_unit_test(only_what_is_offered_is_used),
	        cmocka_unit_test(old_kernels_are_refused_with_a_message),
	        cmocka_unit_test(features_are_switched_off_by_name),
	        cmocka_unit_test(the_handshake_answers_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
