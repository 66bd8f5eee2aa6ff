/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_VALUES_H
#define PROJFS_CLI_VALUES_H

/* Values of options, by the types of <prj/provider.h>. */

#include <prj/provider.h>

/*
 * Parse all of @text, which stays the caller's and is referred to by @ret; NULL is an option without a value.
 * -EINVAL: it is none of that type, or out of range of an int64_t.
 */
int value_parse(enum prj_option_type type, const char *text, struct prj_option_value *ret);

/* "a size such as 64K or 2M": for messages. */
const char *value_type_description(enum prj_option_type type);
/* "SIZE": for help. */
const char *value_type_placeholder(enum prj_option_type type);

#endif
