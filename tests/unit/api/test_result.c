/* SPDX-License-Identifier: MIT */
/* The border between errnos and results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>
#undef fail /* the library has one of its own */

#include <errno.h>
#include <string.h>

#include "api/result.h"
#include "core/core.h"

static void errnos_survive_the_way_out_and_back(void **state)
{
	static const int errnos[] = {ENOENT, EACCES,       EPERM,      ENOMEM, EINVAL,  EBADF,
	                             ENOSPC, EROFS,        ETIMEDOUT,  EBUSY,  ENOTDIR, ENOTEMPTY,
	                             EEXIST, ENAMETOOLONG, EOPNOTSUPP, EINTR,  EIO};

	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		prj_result result = prj_result_from_errno(errnos[i]);
		int documented;

		assert_int_equal(prj_result_to_errno(result), errnos[i]);
		assert_int_equal(result_of_callback(result, &documented), -errnos[i]);
		assert_true(documented);
		assert_string_not_equal(prj_result_name(result), "undocumented code");
	}
	assert_int_equal(prj_result_from_errno(0), PRJ_OK);
	assert_int_equal(prj_result_to_errno(PRJ_OK), 0);
	assert_string_equal(prj_result_name(PRJ_OK), "OK");
}

static void every_errno_becomes_something_that_a_callback_may_return(void **state)
{
	int documented;

	for (int error = -5; error < 600; error++) {
		(void)result_of_callback(prj_result_from_errno(error), &documented);
		assert_true(documented);
	}
	assert_int_equal(prj_result_from_errno(EDQUOT), PRJ_ERR_DISK_FULL);
	assert_int_equal(prj_result_from_errno(599), PRJ_ERR_IO_DEVICE);
}

static void undocumented_codes_are_io_errors_and_told(void **state)
{
	static const uint32_t codes[] = {1,          2,          997,        0x80004005,
	                                 0x80070003, 0x80070012, 0x80070008, 0xC00000E5};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		int documented;

		assert_int_equal(result_of_callback((prj_result)codes[i], &documented), -EIO);
		assert_false(documented);
	}
	assert_int_equal(prj_result_to_errno((prj_result)0x80004005), EIO);
	assert_string_equal(prj_result_name((prj_result)0x80004005), "undocumented code");
}

static void what_callbacks_return_reaches_the_application(void **state)
{
	int documented;

	assert_int_equal(result_of_callback(PRJ_OK, &documented), 0);
	assert_int_equal(result_of_callback(PRJ_ERR_IO_PENDING, &documented), CORE_PENDING);
	assert_int_equal(result_of_callback(PRJ_ERR_CANNOT_DELETE, &documented), -EPERM);
	assert_int_equal(result_of_callback(PRJ_ERR_VIRTUALIZATION_UNAVAILABLE, &documented), -EIO);
	assert_int_equal(result_of_callback(PRJ_ERR_INTERNAL_ERROR, &documented), -EIO);
	assert_true(documented);
}

static void a_failure_leaves_its_message(void **state)
{
	assert_int_equal(fail(PRJ_ERR_INVALID_PARAMETER, "number %d", 5),
	                 PRJ_ERR_INVALID_PARAMETER);
	assert_string_equal(prj_last_error_message(), "number 5");
	assert_int_equal(fail_errno(-ENOSPC, "%2000d", 1), PRJ_ERR_DISK_FULL);
	assert_int_equal(strlen(prj_last_error_message()), 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(errnos_survive_the_way_out_and_back),
	        cmocka_unit_test(every_errno_becomes_something_that_a_callback_may_return),
	        cmocka_unit_test(undocumented_codes_are_io_errors_and_told),
	        cmocka_unit_test(what_callbacks_return_reaches_the_application),
	        cmocka_unit_test(a_failure_leaves_its_message),
	};

	return cmocka_run_group_tests_name("api: result", tests, NULL, NULL);
}
