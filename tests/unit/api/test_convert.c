/* SPDX-License-Identifier: MIT */
/* What a provider describes, and every way to describe it wrongly. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/convert.h"

static struct prj_placeholder_info good(void)
{
	return (struct prj_placeholder_info){
	        .struct_size = sizeof(struct prj_placeholder_info),
	        .file_basic_info = {.struct_size = sizeof(struct prj_file_basic_info),
	                            .file_size = 10},
	};
}

static prj_result convert(const struct prj_placeholder_info *info,
                          const struct prj_extended_info *extended)
{
	struct converted c;
	prj_result result = convert_placeholder_info(info, sizeof(*info), extended, &c);
	struct buf b = {0};

	/* What is accepted can be kept. */
	if (result == PRJ_OK)
		assert_int_equal(record_encode(&c.rec, &b), 0);
	buf_deinit(&b);
	converted_deinit(&c);
	return result;
}

static void a_description_becomes_a_record(void **state)
{
	struct prj_placeholder_info info = good();
	struct prj_placeholder_version_info back;
	struct converted c;

	info.file_basic_info.last_write_time = (struct prj_time){.sec = -5, .nsec = 7};
	info.file_basic_info.valid = PRJ_BASIC_INFO_MODE | PRJ_BASIC_INFO_OWNER;
	info.file_basic_info.mode = 04755;
	info.file_basic_info.uid = 3;
	info.file_basic_info.file_attributes = PRJ_FILE_ATTRIBUTE_DIRECTORY; /* does not decide */
	memcpy(info.version_info.content_id, "v1\0x", 5);
	info.version_info.provider_id[127] = 9;
	assert_int_equal(convert_placeholder_info(&info, sizeof(info), NULL, &c), PRJ_OK);
	assert_int_equal(c.rec.kind, RECORD_FILE);
	assert_int_equal(c.rec.size, 10);
	assert_int_equal(c.rec.mtime.sec, -5);
	assert_int_equal(c.rec.mode, 04755);
	assert_int_equal(c.rec.uid, 3);
	assert_int_equal(c.rec.content_id.size, 4);
	assert_int_equal(c.rec.provider_id.size, 128);
	assert_false(c.rec.fields & (RECORD_ATIME | RECORD_CTIME | RECORD_BTIME));
	convert_version_info(&c.rec, &back);
	assert_memory_equal(&back, &info.version_info, sizeof(back));
	converted_deinit(&c);
}

static void sizes_of_structures_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct converted c;

	assert_int_equal(convert_placeholder_info(NULL, sizeof(info), NULL, &c),
	                 PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(convert_placeholder_info(&info, sizeof(info) - 1, NULL, &c),
	                 PRJ_ERR_INSUFFICIENT_BUFFER);
	assert_int_equal(convert_placeholder_info(&info, sizeof(info) + 100, NULL, &c), PRJ_OK);
	info.struct_size--;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INSUFFICIENT_BUFFER);
	info.struct_size += 50;
	assert_int_equal(convert(&info, NULL), PRJ_OK);
	info.file_basic_info.struct_size--;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INSUFFICIENT_BUFFER);
	info.file_basic_info.struct_size += 50;
	assert_int_equal(convert(&info, NULL), PRJ_OK);
}

static void sizes_of_files_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct converted c;

	info.file_basic_info.file_size = -2;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INVALID_PARAMETER);
	info.file_basic_info.file_size = INT64_MIN;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INVALID_PARAMETER);
	info.file_basic_info.file_size = INT64_MAX;
	assert_int_equal(convert(&info, NULL), PRJ_OK);
	info.file_basic_info.file_size = PRJ_FILE_SIZE_UNKNOWN;
	assert_int_equal(convert_placeholder_info(&info, sizeof(info), NULL, &c), PRJ_OK);
	assert_false(c.rec.fields & RECORD_SIZE);
	converted_deinit(&c);
	assert_int_equal(convert_basic_info(NULL, NULL, &c), PRJ_OK);
	assert_true((c.rec.fields & RECORD_SIZE) && c.rec.size == 0);
	converted_deinit(&c);
}

static void times_modes_and_bits_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct prj_time *times[] = {
	        &info.file_basic_info.creation_time, &info.file_basic_info.last_access_time,
	        &info.file_basic_info.last_write_time, &info.file_basic_info.change_time};

	for (int i = 0; i < 4; i++) {
		times[i]->nsec = 1000000000;
		assert_int_equal(convert(&info, NULL), PRJ_ERR_INVALID_PARAMETER);
		times[i]->nsec = 999999999;
		times[i]->sec = i % 2 ? INT64_MAX : INT64_MIN;
		assert_int_equal(convert(&info, NULL), PRJ_OK);
	}
	info.file_basic_info.mode = 010000;
	assert_int_equal(convert(&info, NULL), PRJ_OK); /* not said to be valid */
	info.file_basic_info.valid = PRJ_BASIC_INFO_MODE;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INVALID_PARAMETER);
	info.file_basic_info.valid = 4;
	assert_int_equal(convert(&info, NULL), PRJ_ERR_INVALID_PARAMETER);
}

static void link_targets_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct prj_extended_info link = {.info_type = PRJ_EXT_INFO_TYPE_SYMLINK};
	char *target = calloc(1, PATH_MAX + 1);
	struct converted c;

	assert_int_equal(convert(&info, &link), PRJ_ERR_INVALID_PARAMETER);
	link.u.symlink.target_name = "";
	assert_int_equal(convert(&info, &link), PRJ_ERR_INVALID_PARAMETER);
	memset(target, 'x', PATH_MAX);
	link.u.symlink.target_name = target;
	assert_int_equal(convert(&info, &link), PRJ_ERR_INVALID_PARAMETER);
	target[PATH_MAX - 1] = '\0';
	assert_int_equal(convert_placeholder_info(&info, sizeof(info), &link, &c), PRJ_OK);
	assert_int_equal(c.rec.kind, RECORD_SYMLINK);
	assert_false(c.rec.fields & RECORD_SIZE);
	free(target);
	converted_deinit(&c);
}

static void extended_attributes_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct prj_xattr list[2] = {{.name = "user.a", .value = "1", .size = 1},
	                            {.name = "user.b"}};
	struct prj_extended_info ext = {.info_type = PRJ_EXT_INFO_TYPE_XATTRS};
	static const char *const bad[] = {
	        NULL, "", "user.", "security.x", "user.projfs", "user.projfs.state"};
	char name[300];

	ext.u.xattrs.count = 1;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
	ext.u.xattrs.list = list;
	ext.u.xattrs.count = 2;
	assert_int_equal(convert(&info, &ext), PRJ_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		list[1].name = bad[i];
		if (convert(&info, &ext) != PRJ_ERR_INVALID_NAME)
			fail_msg("\"%s\" was accepted", bad[i] ? bad[i] : "NULL");
	}
	memset(name, 'x', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = '\0';
	list[1].name = name;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_NAME);
	list[1].name = "user.b";
	list[1].size = 1;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
	list[1].value = name;
	list[1].size = 65537;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
}

static void blobs_chains_and_unknown_kinds_are_checked(void **state)
{
	struct prj_placeholder_info info = good();
	struct prj_extended_info ext = {.info_type = PRJ_EXT_INFO_TYPE_BLOB};

	ext.u.blob.size = 1;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
	ext.u.blob.data = "x";
	assert_int_equal(convert(&info, &ext), PRJ_OK);
	ext.u.blob.size = 256 * 1024 + 1;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
	ext.u.blob.size = 1;
	ext.next = &ext;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
	ext.next = NULL;
	ext.info_type = 99;
	assert_int_equal(convert(&info, &ext), PRJ_ERR_INVALID_PARAMETER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_description_becomes_a_record),
	        cmocka_unit_test(sizes_of_structures_are_checked),
	        cmocka_unit_test(sizes_of_files_are_checked),
	        cmocka_unit_test(times_modes_and_bits_are_checked),
	        cmocka_unit_test(link_targets_are_checked),
	        cmocka_unit_test(extended_attributes_are_checked),
	        cmocka_unit_test(blobs_chains_and_unknown_kinds_are_checked),
	};

	return cmocka_run_group_tests_name("api: convert", tests, NULL, NULL);
}
