/* SPDX-License-Identifier: MIT */
/* The part of store_check() that looks at our own folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/check.h"
#include "store/intent.h"
#include "store/internal.h"

int check_folder(const struct check *c, const char *folder,
                 int (*each)(const struct check *c, int folder, const char *name))
{
	struct dirent **names = NULL;
	_cleanup_(closep) int fd = -1;
	int n;
	int r = 0;

	fd = openat(c->store->private, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = scandirat(fd, ".", &names, NULL, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = each(c, fd, name);
		free(names[i]);
	}
	free(names);
	return r;
}

/* Say it of .projfs/@folder/@name, which is removed if we may repair. */
static void report_file(const struct check *c, enum store_problem problem, int folder_fd,
                        const char *folder, const char *name, const char *what, bool removable)
{
	char path[sizeof(STORE_PRIVATE) + 16 + NAME_MAX_BYTES + 2];
	bool removed = false;

	(void)snprintf(path, sizeof(path), STORE_PRIVATE "/%s/%s", folder, name);
	if (removable && c->repair) {
		store_step();
		removed = unlinkat(folder_fd, name, 0) == 0;
	}
	check_say(c, problem, path, what, removed);
}

static int check_intent(const struct check *c, int folder, const char *name)
{
	if (!intent_is_whole(c->store, folder, name))
		report_file(c, STORE_PROBLEM_INTENT, folder, "intent", name,
		            "the note of an operation in several steps is damaged", true);
	return 0;
}

/* Content and map belong together; content alone says nothing about what of it has arrived. */
static int check_partial(const struct check *c, int folder, const char *name)
{
	char other[NAME_MAX_BYTES + 8];
	size_t n = strlen(name);
	bool is_map = n > 4 && strcmp(name + n - 4, ".map") == 0;

	(void)snprintf(other, sizeof(other), "%.*s%s", (int)(is_map ? n - 4 : n), name,
	               is_map ? "" : ".map");
	if (faccessat(folder, other, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		report_file(c, STORE_PROBLEM_ORPHAN, folder, "partial", name,
		            is_map ? "the list of a partly fetched file has lost the file"
		                   : "a partly fetched file has lost the list of what has arrived",
		            true);
	else if (is_map && !partial_map_is_whole(folder, name))
		report_file(c, STORE_PROBLEM_ORPHAN, folder, "partial", name,
		            "the list of what has arrived of a partly fetched file is damaged",
		            true);
	return 0;
}

static int check_recovered(const struct check *c, int folder, const char *name)
{
	report_file(c, STORE_PROBLEM_RECOVERED, folder, "recovered", name,
	            "it was set aside and is yours to look at", false);
	return 0;
}

static int check_conflict(const struct check *c, int folder, const char *name)
{
	report_file(c, STORE_PROBLEM_RECOVERED, folder, "conflicts", name,
	            "a late write to a file that was replaced is yours to look at", false);
	return 0;
}

static void check_mode(const struct check *c, const struct stat *st)
{
	bool mended = false;

	if ((st->st_mode & 07777) == 0700)
		return;
	if (c->repair) {
		store_step();
		mended = fchmod(c->store->private, 0700) == 0;
	}
	check_say(c, STORE_PROBLEM_PRIVATE, STORE_PRIVATE, "its mode is not 0700", mended);
}

/* It belongs to whom the mark in it belongs. */
static void check_owner(const struct check *c, const struct stat *st)
{
	bool mended = false;
	struct stat mark;

	if (fstatat(c->store->private, "root", &mark, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st->st_uid == mark.st_uid)
		return;
	if (c->repair) {
		store_step();
		mended = fchown(c->store->private, mark.st_uid, (gid_t)-1) == 0;
	}
	check_say(c, STORE_PROBLEM_PRIVATE, STORE_PRIVATE,
	          "it does not belong to the user who made the root", mended);
}

/* store_open() writes a new one, so this is seen by those who only look. */
static int check_epoch(const struct check *c)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	struct cursor tail = {0};
	int r = private_load(c->store, EPOCH_FILE, &b);

	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	if (r == 0 && b.size >= 8) {
		tail = (struct cursor){.data = b.data + b.size - 8, .size = 8};
		if (cursor_u64(&tail) == hash_bytes(&c->store->key, b.data, b.size - 8))
			return 0;
	}
	check_say(c, STORE_PROBLEM_PRIVATE, STORE_PRIVATE "/" EPOCH_FILE,
	          "the list of durable epochs is missing or damaged: what was hydrated is "
	          "fetched again",
	          false);
	return 0;
}

int check_private(const struct check *c)
{
	struct stat st;
	int r;

	if (fstat(c->store->private, &st) < 0)
		return -errno;
	check_owner(c, &st);
	check_mode(c, &st);
	r = check_epoch(c);
	if (r == 0)
		r = check_folder(c, "intent", check_intent);
	if (r == 0)
		r = check_folder(c, "partial", check_partial);
	if (r == 0)
		r = check_folder(c, "recovered", check_recovered);
	if (r == 0)
		r = check_folder(c, "conflicts", check_conflict);
	return r;
}
