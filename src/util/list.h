/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_LIST_H
#define PROJFS_UTIL_LIST_H

/*
 * A doubly linked list whose links live inside its members.  A link that is in no list
 * points to itself, so list_remove() may be called twice and list_empty() also answers
 * "is this member in a list?".
 */

#include <stdbool.h>

#include "util/macros.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_append(head->next, link);
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Move all members of @from to the end of @to. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define list_for_each(pos, head) \
	for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* @pos may be removed, and freed, in the body. */
#define list_for_each_safe(pos, tmp, head)                                              \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); pos = tmp, \
			 tmp = pos->next)

#endif
