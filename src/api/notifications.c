/* SPDX-License-Identifier: MIT */
#include "api/notifications.h"

#include <stdlib.h>
#include <string.h>

#include "api/instance.h"
#include "api/result.h"
#include "util/name.h"

#define DEFAULT_MASK                                                                               \
	(PRJ_NOTIFY_FILE_OPENED | PRJ_NOTIFY_NEW_FILE_CREATED | PRJ_NOTIFY_FILE_OVERWRITTEN)
#define MAPPINGS_MAX 65536

_Static_assert((uint32_t)PRJ_NOTIFY_FILE_OPENED == CORE_EVENT_OPENED, "one set of numbers");
_Static_assert((uint32_t)PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL == CORE_EVENT_PRE_CONVERT,
	       "one set of numbers");
_Static_assert(PRJ_NOTIFY_USE_EXISTING_MASK == CORE_MASK_UNCHANGED, "one set of numbers");

bool mask_is_reply(uint32_t mask)
{
	return mask == PRJ_NOTIFY_USE_EXISTING_MASK || !(mask & ~CORE_EVENTS_ALL);
}

static prj_result check_mapping(const struct prj_notification_mapping *m, const char *root)
{
	if (*root && !path_is_valid(root))
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "the notification root \"%s\" is no relative path: give names separated by "
			    "single '/', or \"\" for the virtualization root", root);
	if (m->notification_bit_mask & ~CORE_EVENTS_ALL)
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "the notification mask 0x%x of \"%s\" has bits that a mapping may not have",
			    m->notification_bit_mask, root);
	return PRJ_OK;
}

static int by_root(const void *a, const void *b)
{
	const struct core_mapping *x = a, *y = b;

	return strcmp(x->root, y->root);
}

static prj_result check_duplicates(struct mappings *m)
{
	qsort(m->list, m->n, sizeof(*m->list), by_root);
	for (size_t i = 1; i < m->n; i++)
		if (!strcmp(m->list[i - 1].root, m->list[i].root))
			return fail(PRJ_ERR_INVALID_PARAMETER,
				    "the notification root \"%s\" is given twice: join the masks",
				    m->list[i].root);
	return PRJ_OK;
}

prj_result mappings_take(const struct prj_instance *instance, const struct prj_start_options *o,
			 struct mappings *ret)
{
	const struct prj_notification_mapping *given = o->notification_mappings;
	size_t n = o->notification_mappings_count;
	prj_result result = PRJ_OK;

	*ret = (struct mappings){0};
	if (n && !given)
		return fail(PRJ_ERR_INVALID_PARAMETER, "%zu notification mappings, but the array is NULL", n);
	if (n > MAPPINGS_MAX)
		return fail(PRJ_ERR_INVALID_PARAMETER, "more than %d notification mappings", MAPPINGS_MAX);
	ret->list = calloc(n + 1, sizeof(*ret->list));
	if (!ret->list)
		return PRJ_ERR_OUT_OF_MEMORY;
	for (size_t i = 0; i < n && result == PRJ_OK; i++) {
		const char *root = given[i].notification_root ? given[i].notification_root : "";

		ret->list[ret->n++] = (struct core_mapping){root, given[i].notification_bit_mask};
		result = check_mapping(&given[i], root);
	}
	if (result == PRJ_OK)
		result = check_duplicates(ret);
	if (result != PRJ_OK) {
		mappings_deinit(ret);
	} else if (!instance->callbacks.notification) {
		ret->n = 0;
	} else if (!n) {
		ret->list[0] = (struct core_mapping){"", DEFAULT_MASK};
		ret->n = 1;
	}
	return result;
}

void mappings_deinit(struct mappings *m)
{
	free(m->list);
	*m = (struct mappings){0};
}
