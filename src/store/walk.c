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

struct pending {
	struct list link;
	const char *origin; /* in text, too */
	char text[]; /* the path, and what is said of it */
};

struct walk {
	struct store *store;
	struct list pending;
	const char *path; /* the directory that is being listed */
	const char *origin; /* as what the provider knows it */
	bool lenient;
	walk_visit *visit;
	void *context;
};

static int push(struct walk *w, const char *path, const void *origin, size_t origin_size)
{
	size_t size = strlen(path) + 1;
	struct pending *p = malloc(sizeof(*p) + size + origin_size + 1);

	if (!p)
		return -ENOMEM;
	memcpy(p->text, path, size);
	memcpy(p->text + size, origin, origin_size);
	p->text[size + origin_size] = '\0';
	p->origin = p->text + size;
	list_prepend(&w->pending, &p->link);
	return 0;
}

/* What is below a directory that was moved has moved with it. */
static int push_item(struct walk *w, const char *path, const char *origin,
                     const struct store_item *item)
{
	struct record rec;

	if (item->state == STORE_DIRECTORY && item->rec.size &&
	    record_decode(item->rec.data, item->rec.size, &rec) == 0 && rec.fields & RECORD_ORIGIN)
		return push(w, path, rec.origin.data, rec.origin.size);
	return push(w, path, origin, strlen(origin));
}

static int join(char ret[PATH_MAX_BYTES + 1], const char *dir, const char *name)
{
	int n = snprintf(ret, PATH_MAX_BYTES + 1, "%s%s%s", dir, *dir ? "/" : "", name);

	return n < 0 || n > PATH_MAX_BYTES ? -ENAMETOOLONG : 0;
}

static int visit_entry(void *context, const char *name, unsigned char type)
{
	struct walk *w = context;
	struct store_item item = {0};
	char path[PATH_MAX_BYTES + 1];
	char origin[PATH_MAX_BYTES + 1];
	int r;

	r = join(path, w->path, name);
	if (r == 0)
		r = join(origin, w->origin, name);
	if (r == 0)
		r = item_peek_at(w->store, path, origin, &item);
	if (r == -EXDEV && w->lenient)
		return 0;
	if (r == 0 && item.state != STORE_NONE)
		r = w->visit(w->context, path, &item);
	if (r == WALK_ON && item.state != STORE_NONE && S_ISDIR(item.st.st_mode))
		r = push_item(w, path, origin, &item);
	store_item_deinit(&item);
	return r;
}

/* The origin of where we begin. */
static int push_top(struct walk *w, const char *path)
{
	_cleanup_(opened_close) struct opened o = {.fd = -1};
	int r = item_open(w->store, path, NULL, &o);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : push_item(w, path, o.origin, &o.item);
}

int walk_below(struct store *s, const char *path, bool lenient, walk_visit *visit, void *context)
{
	struct walk w = {.store = s, .lenient = lenient, .visit = visit, .context = context};
	int r;

	list_init(&w.pending);
	r = push_top(&w, path);
	while (!list_empty(&w.pending)) {
		struct pending *p = list_entry(w.pending.next, struct pending, link);

		list_remove(&p->link);
		if (r == 0) {
			w.path = p->text;
			w.origin = p->origin;
			r = store_list(s, p->text, visit_entry, &w);
			if (r == -ENOENT || (r == -EACCES && lenient))
				r = 0; /* ENOENT: gone meanwhile */
		}
		free(p);
	}
	return r == WALK_STOP ? 0 : r;
}
