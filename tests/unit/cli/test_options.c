/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cli/mount_options.h"
#include "cli/provider_load.h"
#include "cli/suggest.h"
#include "cli/values.h"
#include "util/macros.h"

static prj_result fake_open(const struct prj_provider_args *args, struct prj_provider_instance *ret)
{
	return PRJ_OK;
}

static void fake_close(void *context)
{
}

static const struct prj_provider_option fake_options[] = {
	{"stable", PRJ_OPTION_BOOL, "no", "help"},
	{"depth", PRJ_OPTION_INTEGER, NULL, "help"},
	{"label", PRJ_OPTION_STRING, NULL, "help"},
};

static const struct prj_provider fake = {
	.struct_size = sizeof(struct prj_provider),
	.abi_version = PRJ_PROVIDER_ABI_VERSION,
	.name = "fake",
	.options = fake_options,
	.n_options = ARRAY_SIZE(fake_options),
	.open = fake_open,
	.close = fake_close,
};

static int parse(const char *text, struct optlist *list, struct mount_options *ret,
		 struct errmsg *err)
{
	*list = (struct optlist){0};
	*err = (struct errmsg){0};
	assert_int_equal(optlist_append(list, text), 0);
	return mount_options_parse(list, &fake, ret, err);
}

static void assert_refused(const char *text, const char *in_message)
{
	struct mount_options options;
	struct optlist list;
	struct errmsg err;

	assert_int_equal(parse(text, &list, &options, &err), -EINVAL);
	if (!strstr(err.text, in_message))
		fail_msg("'%s' is not in '%s'", in_message, err.text);
	optlist_deinit(&list);
}

static void commas_split_and_escaped_ones_do_not(void **state)
{
	struct optlist list = {0};

	assert_int_equal(optlist_append(&list, "a,b=1\\,2,c=x=y,d=\\n"), 0);
	assert_int_equal(list.n_items, 4);
	assert_string_equal(list.items[0].name, "a");
	assert_null(list.items[0].value);
	assert_string_equal(list.items[1].value, "1,2");
	assert_string_equal(list.items[2].value, "x=y");
	assert_string_equal(list.items[3].value, "\\n");
	optlist_deinit(&list);
}

static void options_without_a_name_are_refused(void **state)
{
	static const char *const wrong[] = {"", ",", "a,", ",a", "=x", "a,,b"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct optlist list = {0};

		assert_int_equal(optlist_append(&list, wrong[i]), -EINVAL);
		optlist_deinit(&list);
	}
}

static void values_are_read_by_type(void **state)
{
	static const struct {
		enum prj_option_type type;
		const char *text;
		int64_t value;
	} good[] = {
		{PRJ_OPTION_BOOL, NULL, 1},
		{PRJ_OPTION_BOOL, "yes", 1},
		{PRJ_OPTION_BOOL, "true", 1},
		{PRJ_OPTION_BOOL, "1", 1},
		{PRJ_OPTION_BOOL, "no", 0},
		{PRJ_OPTION_BOOL, "false", 0},
		{PRJ_OPTION_BOOL, "0", 0},
		{PRJ_OPTION_INTEGER, "-7", -7},
		{PRJ_OPTION_INTEGER, "9223372036854775807", INT64_MAX},
		{PRJ_OPTION_SIZE, "4096", 4096},
		{PRJ_OPTION_SIZE, "64K", 65536},
		{PRJ_OPTION_SIZE, "2M", 2097152},
		{PRJ_OPTION_SIZE, "1G", 1073741824},
		{PRJ_OPTION_SIZE, "1T", INT64_C(1099511627776)},
		{PRJ_OPTION_DURATION, "250", 250},
		{PRJ_OPTION_DURATION, "250ms", 250},
		{PRJ_OPTION_DURATION, "30s", 30000},
		{PRJ_OPTION_DURATION, "10m", 600000},
		{PRJ_OPTION_DURATION, "1h", 3600000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct prj_option_value value = {0};

		assert_int_equal(value_parse(good[i].type, good[i].text, &value), 0);
		assert_true(value.is_set);
		assert_true(value.integer == good[i].value);
	}
}

static void values_of_the_wrong_type_are_refused(void **state)
{
	static const struct {
		enum prj_option_type type;
		const char *text;
	} wrong[] = {
		{PRJ_OPTION_BOOL, "maybe"},
		{PRJ_OPTION_BOOL, ""},
		{PRJ_OPTION_INTEGER, NULL},
		{PRJ_OPTION_INTEGER, ""},
		{PRJ_OPTION_INTEGER, " 1"},
		{PRJ_OPTION_INTEGER, "+1"},
		{PRJ_OPTION_INTEGER, "1x"},
		{PRJ_OPTION_INTEGER, "0x10"},
		{PRJ_OPTION_INTEGER, "9223372036854775808"},
		{PRJ_OPTION_SIZE, "-1"},
		{PRJ_OPTION_SIZE, "1.5M"},
		{PRJ_OPTION_SIZE, "1MB"},
		{PRJ_OPTION_SIZE, "K"},
		{PRJ_OPTION_SIZE, "9223372036854775807K"},
		{PRJ_OPTION_DURATION, "-1s"},
		{PRJ_OPTION_DURATION, "1 s"},
		{PRJ_OPTION_DURATION, "1d"},
		{PRJ_OPTION_STRING, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct prj_option_value value = {.integer = 77};

		assert_int_equal(value_parse(wrong[i].type, wrong[i].text, &value), -EINVAL);
		assert_true(value.integer == 77);
	}
}

static void general_options_become_start_options(void **state)
{
	struct mount_options o;
	struct optlist list;
	struct errmsg err;

	assert_int_equal(parse("lookup-timeout=5s,data-timeout=0,placeholder-timeout=2s,threads=3,"
			       "small=64K,allow_other,adopt,rebind,ro,log=/x,log-level=debug",
			       &list, &o, &err),
			 0);
	assert_int_equal(o.start.lookup_timeout_ms, 5000);
	assert_int_equal(o.start.data_timeout_ms, UINT32_MAX);
	assert_int_equal(o.start.placeholder_timeout_ms, 2000);
	assert_int_equal(o.start.concurrent_thread_count, 3);
	assert_int_equal(o.start.small_file_bytes, 65536);
	assert_int_equal(o.start.flags,
			 PRJ_FLAG_ALLOW_OTHER | PRJ_FLAG_REBIND | PRJ_FLAG_READ_ONLY);
	assert_true(o.adopt);
	assert_int_equal(o.log_kind, LOG_TO_FILE);
	assert_string_equal(o.log_file, "/x");
	assert_int_equal(o.log_level, PRJ_LOG_DEBUG);
	mount_options_deinit(&o);
	optlist_deinit(&list);
}

static void the_last_value_of_an_option_counts(void **state)
{
	struct mount_options o;
	struct optlist list;
	struct errmsg err;

	assert_int_equal(
		parse("threads=3,rebind,threads=4,rebind=no,log=/x,log=none", &list, &o, &err),
		0);
	assert_int_equal(o.start.concurrent_thread_count, 4);
	assert_int_equal(o.start.flags, 0);
	assert_int_equal(o.log_kind, LOG_TO_NONE);
	mount_options_deinit(&o);
	optlist_deinit(&list);
}

static void filters_keep_their_order_and_their_text(void **state)
{
	struct mount_options o;
	struct optlist list;
	struct errmsg err;

	assert_int_equal(parse("filter=one:a:b\\,c,filter=two", &list, &o, &err), 0);
	assert_int_equal(o.n_filters, 2);
	assert_string_equal(o.filters[0].name, "one");
	assert_string_equal(o.filters[0].text, "a:b,c");
	assert_string_equal(o.filters[1].name, "two");
	assert_string_equal(o.filters[1].text, "");
	mount_options_deinit(&o);
	optlist_deinit(&list);
}

static void the_rest_is_for_the_provider(void **state)
{
	struct mount_options o;
	struct optlist list;
	struct errmsg err;

	assert_int_equal(parse("label=a\\,b,stable", &list, &o, &err), 0);
	assert_true(o.provider_values[0].integer);
	assert_false(o.provider_values[1].is_set);
	assert_string_equal(o.provider_values[2].string, "a,b");
	mount_options_deinit(&o);

	optlist_deinit(&list);
	assert_int_equal(parse("depth=2", &list, &o, &err), 0);
	/* its default */
	assert_true(o.provider_values[0].is_set);
	assert_false(o.provider_values[0].integer);
	assert_true(o.provider_values[1].integer == 2);
	mount_options_deinit(&o);
	optlist_deinit(&list);
}

static void mistakes_are_explained(void **state)
{
	assert_refused("stabel", "did you mean 'stable'?");
	assert_refused("stabel", "--help-provider fake");
	assert_refused("thread=3", "did you mean 'threads'?");
	assert_refused("completely-different", "unknown option");
	assert_refused("threads=many", "whole number");
	assert_refused("threads=0", "between 1 and 1024");
	assert_refused("threads", "wants a value");
	assert_refused("lookup-timeout=0", "between");
	assert_refused("small=5000G", "between");
	assert_refused("depth=x", "'depth' wants a whole number, not 'x'");
	assert_refused("allow_other,no_allow_other", "exclude each other");
	assert_refused("log-level=loud", "error, warning, info or debug");
	assert_refused("log=", "wants a file");
}

static void near_names_are_suggested_and_far_ones_not(void **state)
{
	static const char *const names[] = {"mount", "umount", "status", "state", "ls", "sync"};
	static const struct {
		const char *typed, *best;
	} cases[] = {
		{"statsu", "status"}, {"moutn", "mount"}, {"unmount", "umount"},
		{"l", "ls"},          {"stat", "state"},  {"xyzzy", NULL},
		{"", NULL},           {"qq", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct suggestion s;

		suggest_init(&s, cases[i].typed);
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			suggest_consider(&s, names[j]);
		if (cases[i].best)
			assert_string_equal(s.best, cases[i].best);
		else
			assert_null(s.best);
	}
}

static void assert_unusable(struct prj_provider p)
{
	struct errmsg err;

	assert_int_equal(provider_check(&p, "fake", "/x/fake.so", &err), -ELIBBAD);
	assert_non_null(strstr(err.text, "/x/fake.so"));
}

static void unfit_descriptors_are_refused(void **state)
{
	static const struct prj_provider_option bad_default = {"n", PRJ_OPTION_INTEGER, "x", ""};
	static const struct prj_provider_option bad_name = {"a,b", PRJ_OPTION_INTEGER, NULL, ""};
	struct prj_provider p = fake;

	assert_int_equal(provider_check(&fake, "fake", "/x/fake.so", NULL), 0);
	p.struct_size--;
	assert_unusable(p);
	p = fake;
	p.abi_version++;
	assert_unusable(p);
	p = fake;
	p.name = "other";
	assert_unusable(p);
	p = fake;
	p.open = NULL;
	assert_unusable(p);
	p = fake;
	p.options = NULL;
	assert_unusable(p);
	p.options = &bad_default;
	p.n_options = 1;
	assert_unusable(p);
	p.options = &bad_name;
	assert_unusable(p);
}

static void provider_names_are_plain(void **state)
{
	const struct prj_provider *p;
	struct errmsg err;

	assert_int_equal(provider_load("../evil", &p, &err), -EINVAL);
	assert_int_equal(provider_load("", &p, &err), -EINVAL);
	assert_int_equal(provider_load("no-such-provider", &p, &err), -ENOENT);
	assert_non_null(strstr(err.text, "--list-providers"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_split_and_escaped_ones_do_not),
		cmocka_unit_test(options_without_a_name_are_refused),
		cmocka_unit_test(values_are_read_by_type),
		cmocka_unit_test(values_of_the_wrong_type_are_refused),
		cmocka_unit_test(general_options_become_start_options),
		cmocka_unit_test(the_last_value_of_an_option_counts),
		cmocka_unit_test(filters_keep_their_order_and_their_text),
		cmocka_unit_test(the_rest_is_for_the_provider),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(near_names_are_suggested_and_far_ones_not),
		cmocka_unit_test(unfit_descriptors_are_refused),
		cmocka_unit_test(provider_names_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
