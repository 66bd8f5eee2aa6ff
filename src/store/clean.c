/* SPDX-License-Identifier: MIT */
/*
 * What is taken out of the tree is renamed into .projfs/old, at once and whatever its size, and
 * deleted there by a thread that is in no hurry: freeing many inodes at a time makes a disk slow for
 * everybody.  A directory is emptied by moving what is in it up to .projfs/old, so that neither
 * depth nor descriptors limit it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/change.h"
#include "store/internal.h"
#include "util/log.h"
#include "util/name.h"

#define FOLDER "old"
#define BATCH 64 /* removals... */
#define PAUSE_MS 20 /* ...and then a pause */

static int move_to(struct store *s, int dir, const char *name, int old)
{
	char unique[PRIVATE_NAME_SIZE];
	int r;

	do {
		private_name(s, unique);
		r = disk_rename(s, dir, name, old, unique);
	} while (r == -EEXIST);
	return r;
}

int clean_move(struct store *s, int dir, const char *name)
{
	_cleanup_(closep) int old = -1;
	int r;

	old = disk_open_private(s, FOLDER);
	if (old < 0)
		return old;
	store_step();
	r = move_to(s, dir, name, old);
	if (r == 0)
		clean_start(s);
	return r;
}

uint64_t clean_reference(struct store *s, int dir, const char *name, const struct stat *st)
{
	_cleanup_(buf_deinit) struct buf storage = {0};
	_cleanup_(closep) int fd = -1;
	uint8_t value[RECORD_XATTR_MAX];
	char target[PATH_MAX_BYTES + 1];
	struct record rec;
	ssize_t n;

	if (!atomic_load(&s->has_records))
		return 0;
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target) - 1);
		target[MAX(n, 0)] = '\0';
		if (n > 0 && marker_is(target) && marker_decode(target, &storage, &rec) == 0 &&
		    rec.kind == RECORD_REFERENCE)
			return rec.ref;
		return 0;
	}
	if (!S_ISDIR(st->st_mode) && !(S_ISREG(st->st_mode) && st->st_nlink == 1))
		return 0;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = disk_getxattr(s, fd, RECORD_XATTR, value, sizeof(value));
	if (n > 0 && record_decode(value, (size_t)n, &rec) == 0 && rec.kind == RECORD_REFERENCE &&
	    reference_is_own(s, &rec, st))
		return rec.ref;
	return 0;
}

/* Sleep between batches. False: it is time to end. */
static bool rest(struct store *s, unsigned *n_removed)
{
	struct timespec until;

	if (++*n_removed % BATCH == 0 && !atomic_load(&s->clean_stop)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PAUSE_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&s->clean_lock);
		if (!atomic_load(&s->clean_stop))
			(void)pthread_cond_timedwait(&s->clean_wake, &s->clean_lock, &until);
		pthread_mutex_unlock(&s->clean_lock);
	}
	return !atomic_load(&s->clean_stop);
}

static DIR *open_listing(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing && fd >= 0)
		(void)close(fd);
	return listing;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One directory in @old: what is in it moves up, then it goes. */
static int remove_directory(struct store *s, int old, const char *name, unsigned *n_removed)
{
	struct dirent *entry;
	DIR *listing;
	int r = 0;

	(void)fchmodat(old, name, 0700, 0);
	listing = open_listing(old, name);
	if (!listing)
		return -errno;
	while (r == 0 && (entry = readdir(listing))) {
		if (is_dots(entry->d_name))
			continue;
		r = move_to(s, dirfd(listing), entry->d_name, old);
		if (r == 0 && !rest(s, n_removed))
			r = -ECANCELED;
	}
	(void)closedir(listing);
	if (r == 0 && unlinkat(old, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

static int remove_entry(struct store *s, int old, const char *name, unsigned *n_removed)
{
	struct stat st;

	if (fstatat(old, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	recordref_remove(s, clean_reference(s, old, name, &st));
	if (S_ISDIR(st.st_mode))
		return remove_directory(s, old, name, n_removed);
	return unlinkat(old, name, 0) < 0 ? -errno : 0;
}

/* Once through the folder.  Positive: something was removed, so another look is worth while. */
static int clean_once(struct store *s)
{
	DIR *listing = open_listing(s->private, FOLDER);
	struct dirent *entry;
	unsigned n_removed = 0;
	int n_gone = 0;

	if (!listing)
		return 0;
	while (!atomic_load(&s->clean_stop) && (entry = readdir(listing))) {
		if (is_dots(entry->d_name))
			continue;
		if (remove_entry(s, dirfd(listing), entry->d_name, &n_removed) == 0)
			n_gone++;
		if (!rest(s, &n_removed))
			break;
	}
	(void)closedir(listing);
	return n_gone;
}

static void *clean_main(void *context)
{
	struct store *s = context;

	pthread_mutex_lock(&s->clean_lock);
	while (!atomic_load(&s->clean_stop)) {
		if (!s->clean_wanted) {
			(void)pthread_cond_wait(&s->clean_wake, &s->clean_lock);
			continue;
		}
		s->clean_wanted = false;
		pthread_mutex_unlock(&s->clean_lock);
		while (clean_once(s) > 0)
			;
		pthread_mutex_lock(&s->clean_lock);
	}
	pthread_mutex_unlock(&s->clean_lock);
	return NULL;
}

/* Signals are the program's business, not our thread's. */
static int start_thread(struct store *s)
{
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->clean_thread, NULL, clean_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void clean_start(struct store *s)
{
	int r = 0;

	pthread_mutex_lock(&s->clean_lock);
	s->clean_wanted = true;
	if (!s->clean_running) {
		r = start_thread(s);
		s->clean_running = r == 0;
	}
	pthread_cond_signal(&s->clean_wake);
	pthread_mutex_unlock(&s->clean_lock);
	if (r != 0)
		log_warning("cannot start a thread to delete leftovers: %s, "
		            "they are kept until the next start",
		            strerror(r));
}

void clean_stop(struct store *s)
{
	bool running;

	pthread_mutex_lock(&s->clean_lock);
	atomic_store(&s->clean_stop, true);
	running = s->clean_running;
	s->clean_running = false;
	pthread_cond_signal(&s->clean_wake);
	pthread_mutex_unlock(&s->clean_lock);
	if (running)
		(void)pthread_join(s->clean_thread, NULL);
}
