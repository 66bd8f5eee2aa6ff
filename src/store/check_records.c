/* SPDX-License-Identifier: MIT */
/*
 * Records in .projfs/rec that nothing refers to: what a crash leaves between writing one and referring to
 * it.  To know, every item must have been looked at; if some cannot be, nothing is said.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/check.h"
#include "store/internal.h"

#define FOLDER "rec"

/* References that were met: 8 bytes each, sorted before they are searched. */
struct references {
	struct check check; /* first: check_folder() hands it back */
	struct buf refs;
};

static int note_reference(struct references *r, int fd)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	struct record rec;
	struct stat st;
	int found;

	if (fstat(fd, &st) < 0)
		return -errno;
	found = check_head(r->check.store, fd, &st, &storage, &rec);
	if (found < 0)
		return found == -EBADMSG ? 0 : found;
	if (found == 0 || rec.kind != RECORD_REFERENCE)
		return 0;
	buf_append(&r->refs, &rec.ref, sizeof(rec.ref));
	return r->refs.failed ? -ENOMEM : 0;
}

static int visit(void *context, const char *path, const struct store_item *item)
{
	struct references *r = context;
	_cleanup_(closep) int fd = disk_open(r->check.store, path, O_PATH);

	if (fd < 0)
		return fd == -ENOENT ? WALK_ON : fd;
	return note_reference(r, fd);
}

static int visit_private(const struct check *c, int folder, const char *name)
{
	struct references *r = container_of(c, struct references, check);
	_cleanup_(closep) int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : note_reference(r, fd);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int check_file(const struct check *c, int folder, const char *name)
{
	struct references *r = container_of(c, struct references, check);
	char path[sizeof(STORE_PRIVATE "/" FOLDER "/") + NAME_MAX_BYTES];
	uint64_t ref = strtoull(name, NULL, 16);
	bool removed = false;

	if (r->refs.size &&
	    bsearch(&ref, r->refs.data, r->refs.size / sizeof(ref), sizeof(ref), compare))
		return 0;
	(void)snprintf(path, sizeof(path), STORE_PRIVATE "/" FOLDER "/%s", name);
	if (c->repair) {
		store_step();
		removed = unlinkat(folder, name, 0) == 0;
	}
	check_say(c, STORE_PROBLEM_ORPHAN, path, "nothing refers to this record", removed);
	return 0;
}

static int collect(struct references *r)
{
	static const char *const folders[] = {"open", "recovered", "conflicts"};
	int result = walk_below(r->check.store, "", false, visit, r);

	for (size_t i = 0; i < ARRAY_SIZE(folders) && result == 0; i++)
		result = check_folder(&r->check, folders[i], visit_private);
	if (result == 0 && r->refs.size)
		qsort(r->refs.data, r->refs.size / sizeof(uint64_t), sizeof(uint64_t), compare);
	return result;
}

int check_records(const struct check *c)
{
	struct references r = {.check = *c};
	int result;

	if (!atomic_load(&c->store->has_records))
		return 0;
	result = collect(&r);
	if (result == 0)
		result = check_folder(&r.check, FOLDER, check_file);
	else if (result == -EACCES || result == -EXDEV || result == -EPROTONOSUPPORT)
		result = 0; /* not everything can be looked at, or understood */
	buf_deinit(&r.refs);
	return result;
}
