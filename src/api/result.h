/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_RESULT_H
#define PROJFS_API_RESULT_H

/* The border between errnos, which all layers below use, and prj_result.  One table, in result.c. */

#include <prj/prj.h>

/* 0 or a positive value -> PRJ_OK, a negative errno -> the result for it. */
prj_result result_from(int r);

/* What a callback returned, as 0, CORE_PENDING or a negative errno.  *ret_documented becomes false
 * for a code that a callback may not return. */
int result_of_callback(prj_result result, int *ret_documented);

/*
 * For prj_last_error_message(): remember what to tell, for this thread.  Returns @result.
 * fail_r() takes a negative errno.
 */
__attribute__((format(printf, 2, 3))) prj_result fail(prj_result result, const char *format, ...);
__attribute__((format(printf, 2, 3))) prj_result fail_errno(int r, const char *format, ...);

#endif
