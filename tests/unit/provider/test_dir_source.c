/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void the_source_is_given_in_its_canonical_form(void **state)
{
	struct prj_provider_instance provider;
	char path[PATH_MAX], text[PATH_MAX + 4];

	make_link("link", "source");
	assert_non_null(realpath("source", path));
	(void)snprintf(text, sizeof(text), "dir:%s", path);
	assert_int_equal(open_provider("./link/.", 0, &provider), PRJ_OK);
	assert_string_equal(provider.source, text);
	assert_string_equal(provider.source_directory, path);
	prj_provider_descriptor.close(provider.context);
}

static void the_view_is_stable_only_if_the_user_says_so(void **state)
{
	struct prj_provider_instance provider;

	assert_int_equal(fixture.provider.start_flags, PRJ_FLAG_REVALIDATE);
	assert_int_equal(fixture.provider.compare_order, PRJ_COMPARE_WINDOWS);
	assert_int_equal(open_provider("source", 1, &provider), PRJ_OK);
	assert_int_equal(provider.start_flags, PRJ_FLAG_REVALIDATE | PRJ_FLAG_STABLE_VIEW);
	prj_provider_descriptor.close(provider.context);
}

static void a_source_that_is_no_directory_says_so(void **state)
{
	struct prj_provider_instance provider;

	make_file("file", "");
	assert_true(PRJ_FAILED(open_provider("file", 0, &provider)));
	assert_non_null(strstr(fixture.message, "'file': Not a directory; "));
	assert_true(PRJ_FAILED(open_provider("missing", 0, &provider)));
	assert_non_null(strstr(fixture.message, "'missing': No such file or directory; "));
	assert_true(PRJ_FAILED(open_provider("", 0, &provider)));
	assert_non_null(strstr(fixture.message, "'': No such file or directory; "));
}

static void everything_is_unavailable(void)
{
	assert_int_equal(start(1, ""), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
	assert_int_equal(start(1, "missing"), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
	assert_int_equal(ask_placeholder("a"), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
	assert_int_equal(query("a"), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
	assert_int_equal(ask_data("a", 0, 4), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
}

static void a_source_that_is_away_is_unavailable_until_it_is_back(void **state)
{
	make_file("source/a", "text");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	move("source", "elsewhere");
	everything_is_unavailable();
	move("elsewhere", "source");
	assert_string_equal(list(""), "a");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 4), PRJ_OK);
}

static void another_directory_at_its_path_is_not_the_source(void **state)
{
	make_file("source/a", "text");
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	move("source", "elsewhere");
	make_directory("source");
	make_file("source/a", "other");
	everything_is_unavailable();
	assert_int_equal(unlink("source/a"), 0);
	assert_int_equal(rmdir("source"), 0);
	make_link("source", "elsewhere");
	assert_string_equal(list(""), "a");
}

static void a_listing_survives_that_the_source_goes_away(void **state)
{
	make_file("source/a", "");
	assert_int_equal(start(1, ""), PRJ_OK);
	move("source", "elsewhere");
	assert_int_equal(get(1, NULL, 0, 9), PRJ_OK);
	assert_string_equal(names(), "a");
	assert_int_equal(end(1), PRJ_OK);
}

static size_t count_open_files(void)
{
	DIR *stream = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(stream);
	while (readdir(stream))
		n++;
	assert_int_equal(closedir(stream), 0);
	return n;
}

static void nothing_stays_open_between_callbacks(void **state)
{
	size_t n_before = count_open_files();

	make_file("source/a", "text");
	make_link("source/link", "a");
	assert_int_equal(start(1, ""), PRJ_OK);
	assert_int_equal(start(2, "a"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(get(1, NULL, 0, 1), PRJ_OK);
	assert_int_equal(ask_placeholder("link"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 4), PRJ_ERR_VIRTUALIZATION_BUSY);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(ask_data("a", 0, 4), PRJ_OK);
	assert_int_equal(query("a"), PRJ_OK);
	assert_int_equal(query("b"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(count_open_files(), n_before);
	assert_int_equal(end(1), PRJ_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_SOURCE(the_source_is_given_in_its_canonical_form),
	        WITH_SOURCE(the_view_is_stable_only_if_the_user_says_so),
	        WITH_SOURCE(a_source_that_is_no_directory_says_so),
	        WITH_SOURCE(a_source_that_is_away_is_unavailable_until_it_is_back),
	        WITH_SOURCE(another_directory_at_its_path_is_not_the_source),
	        WITH_SOURCE(a_listing_survives_that_the_source_goes_away),
	        WITH_SOURCE(nothing_stays_open_between_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
