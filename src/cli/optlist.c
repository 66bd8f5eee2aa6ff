/* SPDX-License-Identifier: MIT */
#include "cli/optlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"

/* Copy up to the next bare comma; @ret_rest is what follows it, or NULL at the end. */
static char *take_item(const char *text, const char **ret_rest)
{
	char *item = malloc(strlen(text) + 1), *out = item;

	if (!item)
		return NULL;
	while (*text && *text != ',') {
		if (text[0] == '\\' && text[1] == ',')
			text++;
		*out++ = *text++;
	}
	*out = '\0';
	*ret_rest = *text ? text + 1 : NULL;
	return item;
}

/* Takes @text on success. */
static int append_item(struct optlist *list, char *text)
{
	struct optlist_item *items;
	char *equals = strchr(text, '=');

	if (text[0] == '\0' || equals == text)
		return -EINVAL;
	items = reallocarray(list->items, list->n_items + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	if (equals)
		*equals = '\0';
	items[list->n_items++] =
		(struct optlist_item){.name = text, .value = equals ? equals + 1 : NULL};
	list->items = items;
	return 0;
}

int optlist_append(struct optlist *list, const char *text)
{
	while (text) {
		_cleanup_(freep) char *item = take_item(text, &text);
		int r;

		if (!item)
			return -ENOMEM;
		r = append_item(list, item);
		if (r < 0)
			return r;
		item = NULL; /* the list's now */
	}
	return 0;
}

void optlist_deinit(struct optlist *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct optlist){0};
}
