/* SPDX-License-Identifier: MIT */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {0}};
static const struct unit size_units[] = {
	{"", 1},
	{"K", INT64_C(1) << 10},
	{"M", INT64_C(1) << 20},
	{"G", INT64_C(1) << 30},
	{"T", INT64_C(1) << 40},
	{0},
};
static const struct unit duration_units[] = {
	{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {0},
};

static int parse_number(const char *text, const struct unit *units, int64_t *ret)
{
	char *end;
	long long number;

	/* strtoll() would take leading spaces and '+' */
	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return -EINVAL;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno)
		return -EINVAL;
	for (; units->name; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		return __builtin_mul_overflow(number, units->factor, ret) ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int parse_bool(const char *text, int64_t *ret)
{
	static const char *const words[][3] = {{"no", "false", "0"}, {"yes", "true", "1"}};

	for (int value = 0; value < 2; value++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++) {
			if (strcmp(text, words[value][i]) == 0) {
				*ret = value;
				return 0;
			}
		}
	}
	return -EINVAL;
}

int value_parse(enum prj_option_type type, const char *text, struct prj_option_value *ret)
{
	struct prj_option_value value = {.is_set = 1, .string = text};
	int r = -EINVAL;

	if (!text && type == PRJ_OPTION_BOOL)
		value.string = text = "yes";
	if (!text)
		return -EINVAL;

	switch (type) {
	case PRJ_OPTION_BOOL:
		r = parse_bool(text, &value.integer);
		break;
	case PRJ_OPTION_INTEGER:
		r = parse_number(text, no_units, &value.integer);
		break;
	case PRJ_OPTION_SIZE:
	case PRJ_OPTION_DURATION:
		r = parse_number(text, type == PRJ_OPTION_SIZE ? size_units : duration_units,
				 &value.integer);
		if (r == 0 && text[0] == '-')
			r = -EINVAL;
		break;
	case PRJ_OPTION_STRING:
		r = 0;
		break;
	}
	if (r == 0)
		*ret = value;
	return r;
}

const char *value_type_description(enum prj_option_type type)
{
	switch (type) {
	case PRJ_OPTION_BOOL:
		return "yes or no";
	case PRJ_OPTION_INTEGER:
		return "a whole number";
	case PRJ_OPTION_SIZE:
		return "a size in bytes such as 4096, 64K, 2M, 1G";
	case PRJ_OPTION_DURATION:
		return "a duration such as 500ms, 30s, 10m, 1h";
	case PRJ_OPTION_STRING:
		return "a text";
	}
	return "a value";
}

const char *value_type_placeholder(enum prj_option_type type)
{
	switch (type) {
	case PRJ_OPTION_BOOL:
		return NULL;
	case PRJ_OPTION_INTEGER:
		return "N";
	case PRJ_OPTION_SIZE:
		return "SIZE";
	case PRJ_OPTION_DURATION:
		return "DUR";
	case PRJ_OPTION_STRING:
		return "TEXT";
	}
	return "VALUE";
}
