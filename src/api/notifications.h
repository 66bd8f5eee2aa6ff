/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_NOTIFICATIONS_H
#define PROJFS_API_NOTIFICATIONS_H

/* Which notifications a provider asks for, checked and in the core's terms. */

#include <prj/prj.h>

#include <stdbool.h>
#include <stddef.h>

struct core_mapping;
struct prj_instance;

struct mappings {
	struct core_mapping *list; /* roots point into the options */
	size_t n;
};

/* What @options say, or what holds if they say nothing; none without a notification callback. */
prj_result mappings_take(const struct prj_instance *instance, const struct prj_start_options *options,
			 struct mappings *ret);
void mappings_deinit(struct mappings *m);

/* Is @mask something that a notification may be answered with? */
bool mask_is_reply(uint32_t mask);

#endif
