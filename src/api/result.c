/* SPDX-License-Identifier: MIT */
/* Result codes: the only place that knows both errnos and prj_result. */

#include "api/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"

struct row {
	prj_result result;
	int error;          /* what an application sees */
	int from_callback;  /* may a callback return it? */
	const char *name;
};

/* result_from() takes the first row with its errno, so the more specific codes stand first. */
static const struct row table[] = {
	{PRJ_ERR_FILE_NOT_FOUND, ENOENT, 1, "FILE_NOT_FOUND"},
	{PRJ_ERR_PATH_NOT_FOUND, ENOENT, 0, "PATH_NOT_FOUND"},
	{PRJ_ERR_ACCESS_DENIED, EACCES, 1, "ACCESS_DENIED"},
	{PRJ_ERR_CANNOT_DELETE, EPERM, 1, "CANNOT_DELETE"},
	{PRJ_ERR_OUT_OF_MEMORY, ENOMEM, 1, "OUT_OF_MEMORY"},
	{PRJ_ERR_INVALID_PARAMETER, EINVAL, 1, "INVALID_PARAMETER"},
	{PRJ_ERR_INVALID_HANDLE, EBADF, 1, "INVALID_HANDLE"},
	{PRJ_ERR_DISK_FULL, ENOSPC, 1, "DISK_FULL"},
	{PRJ_ERR_WRITE_PROTECT, EROFS, 1, "WRITE_PROTECT"},
	{PRJ_ERR_TIMEOUT, ETIMEDOUT, 1, "TIMEOUT"},
	{PRJ_ERR_VIRTUALIZATION_BUSY, EBUSY, 1, "VIRTUALIZATION_BUSY"},
	{PRJ_ERR_SHARING_VIOLATION, EBUSY, 1, "SHARING_VIOLATION"},
	{PRJ_ERR_BUSY, EBUSY, 1, "BUSY"},
	{PRJ_ERR_DIRECTORY, ENOTDIR, 1, "DIRECTORY"},
	{PRJ_ERR_DIR_NOT_EMPTY, ENOTEMPTY, 1, "DIR_NOT_EMPTY"},
	{PRJ_ERR_FILE_EXISTS, EEXIST, 1, "FILE_EXISTS"},
	{PRJ_ERR_ALREADY_EXISTS, EEXIST, 1, "ALREADY_EXISTS"},
	{PRJ_ERR_FILENAME_EXCED_RANGE, ENAMETOOLONG, 1, "FILENAME_EXCED_RANGE"},
	{PRJ_ERR_NOT_SUPPORTED, EOPNOTSUPP, 1, "NOT_SUPPORTED"},
	{PRJ_ERR_OPERATION_ABORTED, EINTR, 1, "OPERATION_ABORTED"},
	{PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION, EPERM, 1, "VIRTUALIZATION_INVALID_OPERATION"},
	{PRJ_ERR_IO_DEVICE, EIO, 1, "IO_DEVICE"},
	{PRJ_ERR_VIRTUALIZATION_UNAVAILABLE, EIO, 1, "VIRTUALIZATION_UNAVAILABLE"},
	{PRJ_ERR_INTERNAL_ERROR, EIO, 1, "INTERNAL_ERROR"},
	{PRJ_ERR_INSUFFICIENT_BUFFER, EIO, 1, "INSUFFICIENT_BUFFER"},
	{PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT, EIO, 1, "VIRTUALIZATION_METADATA_CORRUPT"},
	{PRJ_ERR_VIRTUALIZATION_PROVIDER_UNKNOWN, EIO, 1, "VIRTUALIZATION_PROVIDER_UNKNOWN"},
	{PRJ_ERR_OFFSET_ALIGNMENT_VIOLATION, EINVAL, 1, "OFFSET_ALIGNMENT_VIOLATION"},
	{PRJ_ERR_INVALID_NAME, EINVAL, 1, "INVALID_NAME"},
	{PRJ_ERR_NOT_FOUND, ENOENT, 0, "NOT_FOUND"},
	{PRJ_ERR_ALREADY_INITIALIZED, EBUSY, 0, "ALREADY_INITIALIZED"},
	{PRJ_ERR_REPARSE_TAG_MISMATCH, EINVAL, 0, "REPARSE_TAG_MISMATCH"},
	{PRJ_ERR_REPARSE_POINT_ENCOUNTERED, EEXIST, 0, "REPARSE_POINT_ENCOUNTERED"},
	{PRJ_ERR_IO_PENDING, EINPROGRESS, 0, "IO_PENDING"},
};

/* Errnos that have no row of their own. */
static const struct {
	int error;
	prj_result result;
} more_errnos[] = {
	{EDQUOT, PRJ_ERR_DISK_FULL},
	{ELOOP, PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION},
	{ENOTCONN, PRJ_ERR_VIRTUALIZATION_UNAVAILABLE},
	{ENOBUFS, PRJ_ERR_INSUFFICIENT_BUFFER},
	{ECANCELED, PRJ_ERR_OPERATION_ABORTED},
	{EBADMSG, PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT},
	{EPROTONOSUPPORT, PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT},
};

prj_result prj_result_from_errno(int error)
{
	if (error == 0)
		return PRJ_OK;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].result;
	for (size_t i = 0; i < sizeof(more_errnos) / sizeof(more_errnos[0]); i++)
		if (more_errnos[i].error == error)
			return more_errnos[i].result;
	return PRJ_ERR_IO_DEVICE;
}

static const struct row *row_of(prj_result result)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].result == result)
			return &table[i];
	return NULL;
}

int prj_result_to_errno(prj_result result)
{
	const struct row *row = row_of(result);

	if (result == PRJ_OK)
		return 0;
	return row ? row->error : EIO;
}

const char *prj_result_name(prj_result result)
{
	const struct row *row = row_of(result);

	if (result == PRJ_OK)
		return "OK";
	return row ? row->name : "undocumented code";
}

prj_result result_from(int r)
{
	return r < 0 ? prj_result_from_errno(-r) : PRJ_OK;
}

int result_of_callback(prj_result result, int *ret_documented)
{
	const struct row *row = row_of(result);

	*ret_documented = 1;
	if (result == PRJ_OK)
		return 0;
	if (result == PRJ_ERR_IO_PENDING)
		return CORE_PENDING;
	if (row && row->from_callback)
		return -row->error;
	*ret_documented = 0;
	return -EIO;
}

static _Thread_local char last_message[1024];

const char *prj_last_error_message(void)
{
	return last_message;
}

prj_result fail(prj_result result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(last_message, sizeof(last_message), format, args);
	va_end(args);
	return result;
}

prj_result fail_errno(int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(last_message, sizeof(last_message), format, args);
	va_end(args);
	return result_from(r);
}
