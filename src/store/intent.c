/* SPDX-License-Identifier: MIT */
/*
 * .projfs/intent/<16 hex digits>, in the order of their numbers.  Each file is
 *	u8 version, u8 type, payload, u64 checksum
 * and is synced before its name appears: a disk may keep a name and lose the bytes, and the steps
 * that follow are only names, which it keeps.
 */
#include "store/intent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"
#include "util/log.h"

#define FOLDER "intent"
#define INTENT_VERSION 1
#define HEAD_SIZE 2
#define TAIL_SIZE 8
#define NAME_LENGTH 16

static int write_file(int dir, const char *name, const struct buf *b)
{
	_cleanup_(closep) int fd = -1;
	int r;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b->data, b->size);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r;
}

int intent_begin(struct store *s, uint8_t type, const void *payload, size_t size, uint64_t *ret_id)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	char name[NAME_LENGTH + 1];
	uint64_t id;
	int r;

	if (s->readonly)
		return -EROFS;
	if (size > RECORD_ENCODED_MAX)
		return -E2BIG;
	buf_append_u8(&b, INTENT_VERSION);
	buf_append_u8(&b, type);
	buf_append(&b, payload, size);
	if (!b.failed)
		buf_append_u64(&b, hash_bytes(&s->key, b.data, b.size));
	if (b.failed)
		return -ENOMEM;
	folder = disk_open_private(s, FOLDER);
	if (folder < 0)
		return folder;
	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	id = atomic_fetch_add(&s->next_intent, 1);
	(void)snprintf(name, sizeof(name), "%016" PRIx64, id);
	private_name(s, temporary);
	r = write_file(tmp, temporary, &b);
	if (r == 0 && renameat(tmp, temporary, folder, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(tmp, temporary, 0);
		return r;
	}
	*ret_id = id;
	return 0;
}

int intent_end(struct store *s, uint64_t id)
{
	char path[sizeof(FOLDER) + NAME_LENGTH + 1];

	(void)snprintf(path, sizeof(path), FOLDER "/%016" PRIx64, id);
	return unlinkat(s->private, path, 0) < 0 ? -errno : 0;
}

/* ---- replay --------------------------------------------------------------------------------- */

static int is_intent(const struct dirent *entry)
{
	return strlen(entry->d_name) == NAME_LENGTH &&
	       strspn(entry->d_name, "0123456789abcdef") == NAME_LENGTH;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int set_aside(int folder, const char *name)
{
	char bad[NAME_LENGTH + 5];

	(void)snprintf(bad, sizeof(bad), "bad-%.16s", name);
	if (renameat(folder, name, folder, bad) < 0)
		return -errno;
	log_warning("the intent '" STORE_PRIVATE "/" FOLDER "/%s' is damaged, set aside as '%s'",
	            name, bad);
	return 0;
}

static bool is_whole(const struct store *s, const struct buf *b)
{
	struct cursor tail;

	if (b->size < HEAD_SIZE + TAIL_SIZE)
		return false;
	tail = (struct cursor){.data = b->data + b->size - TAIL_SIZE, .size = TAIL_SIZE};
	return cursor_u64(&tail) == hash_bytes(&s->key, b->data, b->size - TAIL_SIZE);
}

static int replay_one(struct store *s, int folder, const char *name,
                      const struct intent_handler *handlers, size_t n_handlers)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	_cleanup_(closep) int fd = -1;
	int r;

	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = read_all(fd, HEAD_SIZE + RECORD_ENCODED_MAX + TAIL_SIZE, &b);
	if (r < 0 && r != -EFBIG)
		return r;
	if (r < 0 || !is_whole(s, &b))
		return set_aside(folder, name);
	for (size_t i = 0; i < n_handlers && b.data[0] == INTENT_VERSION; i++) {
		if (handlers[i].type != b.data[1])
			continue;
		r = handlers[i].replay(s, b.data + HEAD_SIZE, b.size - HEAD_SIZE - TAIL_SIZE);
		if (r != 0)
			return r;
		return unlinkat(folder, name, 0) < 0 ? -errno : 0;
	}
	log_error("the intent '" STORE_PRIVATE "/" FOLDER
	          "/%s' is of a kind (%u) that this version "
	          "does not know",
	          name, b.data[1]);
	return -EPROTONOSUPPORT;
}

int intent_replay(struct store *s, const struct intent_handler *handlers, size_t n_handlers)
{
	_cleanup_(closep) int folder = -1;
	struct dirent **names = NULL;
	int n;
	int r = 0;

	folder = openat(s->private, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOENT ? 0 : -errno;
	n = scandirat(folder, ".", &names, is_intent, by_name);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		uint64_t id = strtoull(names[i]->d_name, NULL, 16);

		if (id >= atomic_load(&s->next_intent))
			atomic_store(&s->next_intent, id + 1);
		if (r == 0)
			r = replay_one(s, folder, names[i]->d_name, handlers, n_handlers);
		free(names[i]);
	}
	free(names);
	return r;
}

int intent_recover(struct store *s, const char *path, struct errmsg *err)
{
	/* Nothing in the store takes several steps yet that a crash could part. */
	int r = intent_replay(s, NULL, 0);

	if (r == -EPROTONOSUPPORT)
		return errmsg_set(err, r,
		                  "the root '%s' has an unfinished operation from a newer "
		                  "version of projfs in '" STORE_PRIVATE "/" FOLDER "': start that "
		                  "version once",
		                  path);
	if (r < 0)
		return errmsg_set(err, r,
		                  "cannot finish the operations in '%s/" STORE_PRIVATE "/" FOLDER
		                  "': %s",
		                  path, strerror(-r));
	return 0;
}
