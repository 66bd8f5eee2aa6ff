/* SPDX-License-Identifier: MIT */
#include "values.h"

#include "rules.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static bool is_text(const char *text, size_t length, const char *wanted)
{
	return strlen(wanted) == length && !strncasecmp(text, wanted, length);
}

/* As many digits as there are. */
static size_t read_digits(const char *text, size_t length, int64_t *ret)
{
	int64_t number = 0;
	size_t n = 0;

	for (; n < length && text[n] >= '0' && text[n] <= '9'; n++) {
		int digit = text[n] - '0';

		if (number > (INT64_MAX - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	*ret = number;
	return n;
}

bool value_number(const char *text, size_t length, int64_t *ret)
{
	return length && read_digits(text, length, ret) == length;
}

bool value_time(const char *text, size_t length, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
	int64_t number;
	size_t n = read_digits(text, length, &number);

	for (size_t i = 0; n && i < sizeof(units) / sizeof(units[0]); i++) {
		if (!is_text(text + n, length - n, units[i].name))
			continue;
		if (number > DAY_MS / units[i].ms)
			return false;
		*ret_ms = number * units[i].ms;
		return true;
	}
	return false;
}

/* Every result of prj.h that finishes a command. Its names are those of prj_result_name(). */
static const prj_result results[] = {
        PRJ_ERR_FILE_NOT_FOUND,
        PRJ_ERR_PATH_NOT_FOUND,
        PRJ_ERR_ACCESS_DENIED,
        PRJ_ERR_INVALID_HANDLE,
        PRJ_ERR_OUT_OF_MEMORY,
        PRJ_ERR_WRITE_PROTECT,
        PRJ_ERR_SHARING_VIOLATION,
        PRJ_ERR_NOT_SUPPORTED,
        PRJ_ERR_FILE_EXISTS,
        PRJ_ERR_INVALID_PARAMETER,
        PRJ_ERR_DISK_FULL,
        PRJ_ERR_INSUFFICIENT_BUFFER,
        PRJ_ERR_INVALID_NAME,
        PRJ_ERR_DIR_NOT_EMPTY,
        PRJ_ERR_BUSY,
        PRJ_ERR_ALREADY_EXISTS,
        PRJ_ERR_FILENAME_EXCED_RANGE,
        PRJ_ERR_DIRECTORY,
        PRJ_ERR_OFFSET_ALIGNMENT_VIOLATION,
        PRJ_ERR_VIRTUALIZATION_UNAVAILABLE,
        PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT,
        PRJ_ERR_VIRTUALIZATION_BUSY,
        PRJ_ERR_VIRTUALIZATION_PROVIDER_UNKNOWN,
        PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION,
        PRJ_ERR_OPERATION_ABORTED,
        PRJ_ERR_IO_DEVICE,
        PRJ_ERR_NOT_FOUND,
        PRJ_ERR_ALREADY_INITIALIZED,
        PRJ_ERR_INTERNAL_ERROR,
        PRJ_ERR_TIMEOUT,
        PRJ_ERR_REPARSE_TAG_MISMATCH,
        PRJ_ERR_REPARSE_POINT_ENCOUNTERED,
        PRJ_ERR_CANNOT_DELETE,
};

static bool value_code(const char *digits, size_t length, int64_t *ret)
{
	uint32_t code = 0;

	if (!length || length > 8)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)digits[i];

		if (!isxdigit(c))
			return false;
		code = code << 4 | (uint32_t)(isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	*ret = PRJ_RESULT(code);
	return true;
}

bool value_result(const char *text, size_t length, int64_t *ret)
{
	if (length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
		return value_code(text + 2, length - 2, ret);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (is_text(text, length, prj_result_name(results[i]))) {
			*ret = results[i];
			return true;
		}
	}
	return false;
}

bool value_probability(const char *text, size_t length, int64_t *ret)
{
	int64_t whole, part = 0, unit = PROBABILITY_ONE;
	size_t n = read_digits(text, length, &whole);

	if (!n || whole > 1)
		return false;
	if (n < length && text[n] == '.') {
		for (n++; n < length && text[n] >= '0' && text[n] <= '9'; n++) {
			unit /= 10; /* from the tenth digit on: nothing */
			part += (text[n] - '0') * unit;
		}
	}
	if (n < length || (whole && part))
		return false;
	*ret = whole * PROBABILITY_ONE + part;
	return true;
}

bool value_kind(const char *text, size_t length, int64_t *ret)
{
	*ret = is_text(text, length, "directory");
	return *ret || is_text(text, length, "file");
}
