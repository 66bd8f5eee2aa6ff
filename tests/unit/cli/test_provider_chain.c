/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cli/provider_chain.h"

/* What was opened and closed, in order; the provider and the filter say who they are. */
static char events[64];
static const void *inner_context;
static bool filter_fails;

/* The only function of libprojfs that a chain needs. */
int prj_result_to_errno(prj_result result)
{
	return EACCES;
}

static prj_result open_base(const struct prj_provider_args *args, struct prj_provider_instance *ret)
{
	assert_null(args->inner);
	strcat(events, "+base ");
	ret->context = events;
	ret->source = "/canonical";
	return PRJ_OK;
}

static prj_result open_filter(const struct prj_provider_args *args,
			      struct prj_provider_instance *ret)
{
	if (filter_fails && strcmp(args->source, "silent") != 0)
		args->set_error(args->error_context, "the filter is clogged");
	if (filter_fails)
		return PRJ_ERR_ACCESS_DENIED;
	strcat(events, "+filter ");
	inner_context = args->inner->context;
	*ret = *args->inner;
	return PRJ_OK;
}

static void close_base(void *context)
{
	strcat(events, "-base ");
}

static void close_filter(void *context)
{
	strcat(events, "-filter ");
}

static const struct prj_provider base = {.name = "base", .open = open_base, .close = close_base};
static const struct prj_provider filter = {
	.name = "filter", .open = open_filter, .close = close_filter};

static int setup(void **state)
{
	events[0] = '\0';
	inner_context = NULL;
	filter_fails = false;
	return 0;
}

static struct provider_chain chain_of_two(const char *text)
{
	return (struct provider_chain){
		.n_links = 2,
		.links = {{.provider = &base, .source = "typed"},
			  {.provider = &filter, .source = text}},
	};
}

static void filters_open_around_the_provider_and_close_before_it(void **state)
{
	struct provider_chain chain = chain_of_two("text");
	struct errmsg err;

	assert_int_equal(provider_chain_open(&chain, &err), 0);
	assert_ptr_equal(inner_context, events);
	assert_ptr_equal(provider_chain_outermost(&chain), &chain.links[1].instance);
	assert_string_equal(chain.name, "base+filter");
	assert_string_equal(chain.source, "/canonical+text");
	provider_chain_close(&chain);
	assert_string_equal(events, "+base +filter -filter -base ");
}

static void a_filter_that_fails_closes_what_was_opened(void **state)
{
	struct provider_chain chain = chain_of_two("text");
	struct errmsg err;

	filter_fails = true;
	assert_int_equal(provider_chain_open(&chain, &err), -EIO);
	assert_string_equal(err.text, "cannot open 'filter:text': the filter is clogged");
	assert_string_equal(events, "+base -base ");
}

static void a_provider_that_says_nothing_is_explained_by_its_result(void **state)
{
	struct provider_chain chain = chain_of_two("silent");
	struct errmsg err;

	filter_fails = true;
	assert_int_equal(provider_chain_open(&chain, &err), -EIO);
	assert_non_null(strstr(err.text, strerror(EACCES)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(filters_open_around_the_provider_and_close_before_it, setup),
		cmocka_unit_test_setup(a_filter_that_fails_closes_what_was_opened, setup),
		cmocka_unit_test_setup(a_provider_that_says_nothing_is_explained_by_its_result,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
