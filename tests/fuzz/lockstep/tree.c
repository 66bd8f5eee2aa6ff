/* SPDX-License-Identifier: MIT */

/*
 * Whole trees: removing, describing, making the source, and giving each lane what is its own.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "rng.h"
#include "side.h"
#include "util/hash.h"

#define PATH_SIZE 8192

/*
 * Call @each for all that is below @top, a directory before or after what it holds; sorted, so that both sides
 * come in one order.  Stops at the first non-zero answer.
 */
struct walk {
	int (*each)(struct walk *walk, const char *path);
	bool after;
	size_t top_length;
	struct buf *text;
	bool content;
	struct names *names;
	bool outside_is_fine; /* what cannot be listed is described, not an error */
};

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_below(struct walk *walk, const char *top)
{
	struct dirent **entries;
	int n = scandir(top, &entries, not_dots, by_bytes);
	int error = 0;

	if (n < 0) {
		error = errno;
		if (walk->text)
			buf_text(walk->text, "%s: %s\n", top + walk->top_length,
			         strerrorname_np(error));
		return walk->outside_is_fine ? 0 : error;
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_SIZE];
		bool fits =
		        snprintf(path, sizeof(path), "%s/%s", top, entries[i]->d_name) < PATH_SIZE;

		if (error == 0 && fits && !walk->after)
			error = walk->each(walk, path);
		if (error == 0 && fits && S_ISDIR(entry_type(top, entries[i])))
			error = walk_below(walk, path);
		if (error == 0 && fits && walk->after)
			error = walk->each(walk, path);
		free(entries[i]);
	}
	free(entries);
	return error;
}

/* ---- removing ---------------------------------------------------------------------------------- */

static int remove_one(struct walk *walk, const char *path)
{
	(void)walk;
	return remove(path) < 0 ? errno : 0;
}

int tree_remove(const char *path)
{
	struct walk walk = {.each = remove_one, .after = true};
	struct stat st;
	int error;

	if (lstat(path, &st) < 0)
		return errno;
	error = S_ISDIR(st.st_mode) ? walk_below(&walk, path) : 0;
	return error ? error : remove_one(&walk, path);
}

/* ---- describing -------------------------------------------------------------------------------- */

static void describe_content(const char *path, struct buf *b)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct hash_state hash;
	uint8_t piece[65536];
	ssize_t n = -1;

	hash_init(&hash, &(struct hash_key){1, 2});
	while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
		hash_append(&hash, piece, (size_t)n);
	if (n < 0)
		buf_text(b, " content: %s", strerrorname_np(errno));
	else
		buf_text(b, " content %016llx", (unsigned long long)hash_finish(&hash));
}

static int describe_one(struct walk *walk, const char *path)
{
	struct stat st;
	char target[4097];
	ssize_t n;

	buf_text(walk->text, "%s ", path + walk->top_length);
	if (lstat(path, &st) < 0) {
		buf_text(walk->text, "%s\n", strerrorname_np(errno));
		return 0;
	}
	describe_stat(&st, walk->text);
	describe_xattrs(path, walk->text);
	if (S_ISLNK(st.st_mode)) {
		n = readlink(path, target, sizeof(target) - 1);
		buf_text(walk->text, " -> %.*s", (int)MAX(n, 0), target);
	}
	if (S_ISREG(st.st_mode) && walk->content)
		describe_content(path, walk->text);
	buf_text(walk->text, "\n");
	return 0;
}

void tree_describe(const char *top, bool content, struct buf *b)
{
	struct walk walk = {
	        .each = describe_one,
	        .top_length = strlen(top) + 1,
	        .text = b,
	        .content = content,
	        .outside_is_fine = true,
	};

	walk_below(&walk, top);
}

/* ---- to each lane its own ------------------------------------------------------------------------ */

struct names {
	struct name {
		ino_t inode;
		unsigned part;
		char *path; /* relative */
	} * names;
	size_t n_names;
};

static int note_name(struct walk *walk, const char *path)
{
	struct names *all = walk->names;
	struct name *names;
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	names = realloc(all->names, (all->n_names + 1) * sizeof(*names));
	if (!names)
		return ENOMEM;
	all->names = names;
	path += walk->top_length;
	names[all->n_names++] = (struct name){
	        .inode = st.st_ino,
	        .part = path[0] == 'p' ? (unsigned)atoi(path + 1) : 0,
	        .path = strdup(path),
	};
	return 0;
}

static int compare_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void on_both(const struct world *world, const char *path, int (*call)(const char *path))
{
	char full[PATH_SIZE];

	for (int side = 0; side < N_SIDES; side++) {
		snprintf(full, sizeof(full), "%s/%s", world->top[side], path);
		(void)call(full); /* what it does to both is compared later */
	}
}

/* The part of a file is that of its first name. */
static void unlink_shared(const struct world *world, const struct names *all)
{
	unsigned part = 0;

	for (size_t i = 0; i < all->n_names; i++) {
		const struct name *name = &all->names[i];

		if (i == 0 || name->inode != name[-1].inode)
			part = name->part;
		else if (name->part != part)
			on_both(world, name->path, unlink);
	}
}

static bool is_in_other_part(const struct names *all, int fd, unsigned lane)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < all->n_names; i++)
		if (all->names[i].inode == st.st_ino)
			return all->names[i].part != lane;
	return false;
}

static void close_shared(struct world *world, const struct names *all)
{
	for (unsigned l = 1; l <= world->n_lanes; l++) {
		for (unsigned i = 0; i < N_SLOTS; i++) {
			struct slot *slots = world->lanes[l].slots[i];

			if (slots[1].fd < 0 || !is_in_other_part(all, slots[1].fd, l))
				continue;
			slot_close(&slots[0]);
			slot_close(&slots[1]);
		}
	}
}

static int make_part(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	(void)unlink(path);
	return mkdir(path, 0755);
}

void tree_separate(struct world *world)
{
	struct names all = {0};
	struct walk walk = {
	        .each = note_name,
	        .top_length = strlen(world->top[1]) + 1,
	        .names = &all,
	        .outside_is_fine = true,
	};

	walk_below(&walk, world->top[1]);
	if (all.n_names)
		qsort(all.names, all.n_names, sizeof(*all.names), compare_name);
	unlink_shared(world, &all);
	close_shared(world, &all);
	for (unsigned l = 0; l <= world->n_lanes; l++) {
		char part[16];

		snprintf(part, sizeof(part), "p%u", l);
		on_both(world, part, make_part);
	}
	for (size_t i = 0; i < all.n_names; i++)
		free(all.names[i].path);
	free(all.names);
}
