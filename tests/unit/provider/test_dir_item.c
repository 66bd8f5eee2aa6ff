/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct prj_placeholder_version_info version_of(const char *path)
{
	assert_int_equal(ask_placeholder(path), PRJ_OK);
	return fake.info.version_info;
}

static bool is_same(struct prj_placeholder_version_info a, struct prj_placeholder_version_info b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static size_t length_of(const uint8_t id[PRJ_PLACEHOLDER_ID_LENGTH])
{
	size_t n = PRJ_PLACEHOLDER_ID_LENGTH;

	while (n > 0 && !id[n - 1])
		n--;
	return n;
}

static void metadata_is_that_of_the_source(void **state)
{
	struct timespec times[] = {{-5, 1}, {1234567890, 123456789}};
	const struct prj_file_basic_info *info = &fake.info.file_basic_info;
	struct stat st;

	make_file("source/a", "12345");
	assert_int_equal(chmod("source/a", 02711), 0);
	assert_int_equal(utimensat(AT_FDCWD, "source/a", times, 0), 0);
	assert_int_equal(stat("source/a", &st), 0);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_false(info->is_directory);
	assert_int_equal(info->file_size, 5);
	assert_int_equal(info->valid, PRJ_BASIC_INFO_MODE | PRJ_BASIC_INFO_OWNER);
	assert_int_equal(info->mode, 02711);
	assert_int_equal(info->uid, st.st_uid);
	assert_int_equal(info->gid, st.st_gid);
	assert_int_equal(info->last_access_time.sec, -5);
	assert_int_equal(info->last_access_time.nsec, 1);
	assert_int_equal(info->last_write_time.sec, 1234567890);
	assert_int_equal(info->last_write_time.nsec, 123456789);
	assert_int_equal(info->change_time.sec, st.st_ctim.tv_sec);
	assert_int_equal(info->change_time.nsec, st.st_ctim.tv_nsec);
	assert_int_not_equal(info->creation_time.sec, 0);
}

static void the_beginning_of_1970_does_not_become_now(void **state)
{
	struct timespec times[2] = {{0, 0}, {0, 0}};

	make_file("source/a", "");
	assert_int_equal(utimensat(AT_FDCWD, "source/a", times, 0), 0);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(fake.info.file_basic_info.last_write_time.sec, 0);
	assert_int_equal(fake.info.file_basic_info.last_write_time.nsec, 1);
}

static void a_directory_shows_its_size(void **state)
{
	struct stat st;

	make_directory("source/d");
	assert_int_equal(stat("source/d", &st), 0);
	assert_int_equal(ask_placeholder("d"), PRJ_OK);
	assert_true(fake.info.file_basic_info.is_directory);
	assert_int_equal(fake.info.file_basic_info.file_size, st.st_size);
}

static void a_link_has_its_target(void **state)
{
	make_link("source/link", "../out/of/it");
	assert_int_equal(ask_placeholder("link"), PRJ_OK);
	assert_string_equal(fake.target, "../out/of/it");
	assert_false(fake.info.file_basic_info.is_directory);
}

static void user_attributes_come_along_except_those_of_projfs(void **state)
{
	make_file("source/a", "");
	if (setxattr("source/a", "user.colour", "blue", 4, 0) < 0 && errno == ENOTSUP)
		skip();
	assert_int_equal(setxattr("source/a", "user.empty", "", 0, 0), 0);
	assert_int_equal(setxattr("source/a", "user.projfs", "x", 1, 0), 0);
	assert_int_equal(setxattr("source/a", "user.projfs.more", "x", 1, 0), 0);
	assert_int_equal(ask_placeholder("a"), PRJ_OK);
	assert_int_equal(fake.n_xattrs, 2);
	for (size_t i = 0; i < 2; i++) {
		if (!strcmp(fake.xattr_names[i], "user.colour"))
			assert_string_equal(fake.xattr_values[i], "blue");
		else
			assert_string_equal(fake.xattr_names[i], "user.empty");
	}
}

static void special_files_and_the_reserved_name_are_not_found(void **state)
{
	assert_int_equal(mkfifo("source/fifo", 0644), 0);
	make_directory("source/.projfs");
	assert_int_equal(ask_placeholder("fifo"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(query("fifo"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(ask_placeholder(".projfs"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(fake.n_placeholders, 0);
	assert_int_equal(status("special files left out"), 1);
}

static void a_path_through_a_link_or_a_file_is_not_found(void **state)
{
	make_directory("source/d");
	make_file("source/d/a", "");
	make_link("source/link", "d");
	assert_int_equal(ask_placeholder("d/a"), PRJ_OK);
	assert_int_equal(ask_placeholder("link/a"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(ask_placeholder("d/a/b"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(ask_placeholder("d/missing"), PRJ_ERR_FILE_NOT_FOUND);
}

static void query_finds_what_is_there_without_a_placeholder(void **state)
{
	make_file("source/a", "");
	assert_int_equal(query("a"), PRJ_OK);
	assert_int_equal(query("b"), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(fake.n_placeholders, 0);
}

/* 20 levels of 250 bytes: the path is longer than PATH_MAX, so the tree is made level by level. */
static void a_path_beyond_the_limit_of_the_kernel_is_found(void **state)
{
	char name[251], path[20 * sizeof(name) + 2] = "";

	memset(name, 'd', 250);
	name[250] = '\0';
	assert_int_equal(chdir("source"), 0);
	for (int i = 0; i < 20; i++) {
		make_directory(name);
		assert_int_equal(chdir(name), 0);
		strcat(strcat(path, name), "/");
	}
	make_file("a", "");
	assert_int_equal(chdir(fixture.folder), 0);
	strcat(path, "a");
	assert_true(strlen(path) > PATH_MAX);
	assert_int_equal(ask_placeholder(path), PRJ_OK);
	assert_false(fake.info.file_basic_info.is_directory);
	path[strlen(path) - 1] = 'b';
	assert_int_equal(ask_placeholder(path), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(system("rm -r source/d*"), 0);
}

static void the_version_stays_while_nothing_changes(void **state)
{
	struct prj_placeholder_version_info version;

	make_file("source/a", "text");
	version = version_of("a");
	assert_true(is_same(version, version_of("a")));
	assert_string_equal((const char *)version.provider_id, "dir1");
	assert_in_range(length_of(version.content_id), 10, 30);
}

static void every_change_of_a_file_is_another_version(void **state)
{
	struct timespec earlier[] = {{0, UTIME_OMIT}, {1000000000, 5}};
	struct timespec later[] = {{0, UTIME_OMIT}, {1000000000, 6}};
	struct prj_placeholder_version_info before, now;

	make_file("source/a", "text");
	assert_int_equal(utimensat(AT_FDCWD, "source/a", earlier, 0), 0);
	before = version_of("a");
	assert_int_equal(utimensat(AT_FDCWD, "source/a", later, 0), 0);
	now = version_of("a");
	assert_false(is_same(before, now));

	assert_int_equal(truncate("source/a", 3), 0);
	assert_int_equal(utimensat(AT_FDCWD, "source/a", later, 0), 0);
	assert_false(is_same(now, version_of("a")));

	make_file("source/b", "text");
	assert_int_equal(utimensat(AT_FDCWD, "source/b", later, 0), 0);
	move("source/b", "source/a");
	assert_false(is_same(now, version_of("a")));
}

static void a_new_entry_is_another_version_of_the_directory(void **state)
{
	struct timespec past[] = {{0, UTIME_OMIT}, {1000000000, 5}};
	struct prj_placeholder_version_info before;

	make_directory("source/d");
	assert_int_equal(utimensat(AT_FDCWD, "source/d", past, 0), 0);
	before = version_of("d");
	make_file("source/d/a", "");
	assert_false(is_same(before, version_of("d")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_SOURCE(metadata_is_that_of_the_source),
	        WITH_SOURCE(the_beginning_of_1970_does_not_become_now),
	        WITH_SOURCE(a_directory_shows_its_size),
	        WITH_SOURCE(a_link_has_its_target),
	        WITH_SOURCE(user_attributes_come_along_except_those_of_projfs),
	        WITH_SOURCE(special_files_and_the_reserved_name_are_not_found),
	        WITH_SOURCE(a_path_through_a_link_or_a_file_is_not_found),
	        WITH_SOURCE(query_finds_what_is_there_without_a_placeholder),
	        WITH_SOURCE(a_path_beyond_the_limit_of_the_kernel_is_found),
	        WITH_SOURCE(the_version_stays_while_nothing_changes),
	        WITH_SOURCE(every_change_of_a_file_is_another_version),
	        WITH_SOURCE(a_new_entry_is_another_version_of_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
