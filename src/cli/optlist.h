/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_OPTLIST_H
#define PROJFS_CLI_OPTLIST_H

/* The text of `-o`, split: NAME or NAME=VALUE between commas, where "\," is a comma. */

#include <stddef.h>

struct optlist_item {
	char *name;
	char *value; /* NULL without '=' */
};

struct optlist {
	struct optlist_item *items;
	size_t n_items;
};

/* Append the items of @text. -EINVAL: an item without a name; -ENOMEM. */
int optlist_append(struct optlist *list, const char *text);
void optlist_deinit(struct optlist *list);

#endif
