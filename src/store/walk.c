/* SPDX-License-Identifier: MIT */
/*
 * A walk over the local tree with a list of directories still to be read instead of recursion, so
 * that neither the depth of a tree nor the number of descriptors limits it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"
#include "util/list.h"
#include "util/name.h"

struct pending {
	struct list link;
	char path[];
};

struct walk {
	struct store *store;
	struct list pending;
	const char *path; /* the directory that is being listed */
	bool lenient;
	walk_visit *visit;
	void *context;
};

static int push(struct walk *w, const char *path)
{
	size_t size = strlen(path) + 1;
	struct pending *p = malloc(sizeof(*p) + size);

	if (!p)
		return -ENOMEM;
	memcpy(p->path, path, size);
	list_prepend(&w->pending, &p->link);
	return 0;
}

static int visit_entry(void *context, const char *name, unsigned char type)
{
	struct walk *w = context;
	struct store_item item = {0};
	char path[PATH_MAX_BYTES + 1];
	int n;
	int r;

	n = snprintf(path, sizeof(path), "%s%s%s", w->path, *w->path ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	r = item_peek(w->store, path, &item);
	if (r == -EXDEV && w->lenient)
		return 0;
	if (r == 0 && item.state != STORE_NONE)
		r = w->visit(w->context, path, &item);
	if (r == WALK_ON && item.state != STORE_NONE && S_ISDIR(item.st.st_mode))
		r = push(w, path);
	store_item_deinit(&item);
	return r;
}

int walk_below(struct store *s, const char *path, bool lenient, walk_visit *visit, void *context)
{
	struct walk w = {.store = s, .lenient = lenient, .visit = visit, .context = context};
	int r;

	list_init(&w.pending);
	r = push(&w, path);
	while (!list_empty(&w.pending)) {
		struct pending *p = list_entry(w.pending.next, struct pending, link);

		list_remove(&p->link);
		if (r == 0) {
			w.path = p->path;
			r = store_list(s, p->path, visit_entry, &w);
			if (r == -ENOENT || (r == -EACCES && lenient))
				r = 0; /* ENOENT: gone meanwhile */
		}
		free(p);
	}
	return r == WALK_STOP ? 0 : r;
}
