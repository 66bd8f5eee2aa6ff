/* SPDX-License-Identifier: MIT */
/*
 * What a power cut has left of a file.  Of a hydrated one nothing is worth keeping.  A full one is the
 * user's, though he never had it made durable: it goes where he can find it, and the provider's is
 * shown in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/change.h"
#include "store/internal.h"
#include "util/log.h"

#define RECOVERED "recovered"
#define NAME_TAIL PRIVATE_NAME_SIZE /* a dot, and what makes the name unique */

/* A name that says @path, or its end if it is long, and is like no other. */
static void recovered_name(struct store *s, const char *path, char ret[NAME_MAX_BYTES + 1])
{
	const size_t room = NAME_MAX_BYTES - NAME_TAIL;
	size_t n = strlen(path);
	char unique[PRIVATE_NAME_SIZE];

	if (n > room) {
		path += n - room;
		while ((*path & 0xc0) == 0x80) /* not in the middle of a character */
			path++;
	}
	private_name(s, unique);
	(void)snprintf(ret, NAME_MAX_BYTES + 1, "%s.%s", path, unique);
	for (char *slash = ret; (slash = strchr(slash, '/'));)
		*slash = '%';
}

static int set_aside(struct store *s, const char *path, int dir, const char *name)
{
	_cleanup_(closep) int folder = -1;
	char aside[NAME_MAX_BYTES + 1];
	int r;

	folder = disk_open_private(s, RECOVERED);
	if (folder < 0)
		return folder;
	recovered_name(s, path, aside);
	store_step();
	r = disk_rename(s, dir, name, folder, aside);
	if (r == 0)
		log_warning("'%s' was changed shortly before the machine went down and may not be "
		            "whole: set aside as '" STORE_PRIVATE "/" RECOVERED
		            "/%s', the provider's is shown again",
		            path, aside);
	return r;
}

static int remove_cache(struct store *s, const char *path, int dir, const char *name)
{
	int r = clean_move(s, dir, name);

	if (r == 0)
		log_info("'%s' was not complete when the machine went down, it is virtual again",
		         path);
	return r;
}

/*
 * Two threads may meet the same remnant, and between them somebody may have put the true content in
 * its place: under the lock, only what still has that inode is moved.  Our descriptor keeps its
 * number from being used again.
 */
int remnant_remove(struct store *s, const char *path, const struct stat *remnant, enum remnant kind)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	struct stat st;
	int r = 0;

	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	pthread_mutex_lock(&s->remove_lock);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == remnant->st_ino)
		r = kind == REMNANT_FULL ? set_aside(s, path, dir, name)
		                         : remove_cache(s, path, dir, name);
	pthread_mutex_unlock(&s->remove_lock);
	return r;
}

int remnant_to_marker(struct store *s, const char *path, const struct store_item *item)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	struct record rec;
	struct stat st;
	int r = record_decode(item->rec.data, item->rec.size, &rec);

	if (r < 0)
		return r;
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	pthread_mutex_lock(&s->remove_lock);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == item->st.st_ino)
		r = marker_put(s, dir, name, &rec);
	pthread_mutex_unlock(&s->remove_lock);
	if (r == 0)
		log_info("the content of '%s' was not complete when the machine went down, it is "
		         "fetched again",
		         path);
	return r;
}
