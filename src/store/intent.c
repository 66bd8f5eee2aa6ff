/* SPDX-License-Identifier: MIT */
/*
 * .projfs/intent/<16 hex digits>, in the order of their numbers.  Each is
 *	u8 version, u8 type, payload, u64 checksum
 * in the target of a link, or in a file.
 */
#include "store/intent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/base64.h"
#include "store/change.h"
#include "store/internal.h"
#include "util/log.h"

#define FOLDER "intent"
#define INTENT_VERSION 1
#define HEAD_SIZE 2
#define TAIL_SIZE 8
#define NAME_LENGTH 16
#define BAD_PREFIX "bad-"
#define LINK_PREFIX "/dev/null/projfs-intent/"
#define LINK_MAX_LENGTH 900

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

/* Long ones: a disk may keep a name and lose the bytes, so they go first. */
static int publish_file(struct store *s, const char *name, const struct buf *b)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int tmp = -1;
	char temporary[PRIVATE_NAME_SIZE];
	int r;

	folder = disk_open_private(s, FOLDER);
	if (folder < 0)
		return folder;
	tmp = disk_open_private(s, "tmp");
	if (tmp < 0)
		return tmp;
	private_name(s, temporary);
	store_step();
	r = write_file(tmp, temporary, b);
	if (r == 0) {
		store_step();
		r = renameat(tmp, temporary, folder, name) < 0 ? -errno : 0;
	}
	if (r < 0)
		(void)unlinkat(tmp, temporary, 0);
	return r;
}

static int publish_link(struct store *s, const char *name, const struct buf *b)
{
	_cleanup_(buf_deinit) struct buf target = {0};
	_cleanup_(closep) int folder = -1;

	buf_append(&target, LINK_PREFIX, strlen(LINK_PREFIX));
	base64_append(&target, b->data, b->size);
	buf_append_u8(&target, '\0');
	if (target.failed)
		return -ENOMEM;
	folder = disk_open_private(s, FOLDER);
	if (folder < 0)
		return folder;
	store_step();
	return symlinkat((const char *)target.data, folder, name) < 0 ? -errno : 0;
}

int intent_begin(struct store *s, uint8_t type, const void *payload, size_t size, uint64_t *ret_id)
{
	_cleanup_(buf_deinit) struct buf b = {0};
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
	id = atomic_fetch_add(&s->next_intent, 1);
	(void)snprintf(name, sizeof(name), "%016" PRIx64, id);
	if (strlen(LINK_PREFIX) + BASE64_LENGTH(b.size) <= LINK_MAX_LENGTH)
		r = publish_link(s, name, &b);
	else
		r = publish_file(s, name, &b);
	if (r == 0)
		*ret_id = id;
	return r;
}

int intent_end(struct store *s, uint64_t id)
{
	char path[sizeof(FOLDER) + NAME_LENGTH + 1];

	(void)snprintf(path, sizeof(path), FOLDER "/%016" PRIx64, id);
	store_step();
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
	char bad[NAME_LENGTH + sizeof(BAD_PREFIX)];

	(void)snprintf(bad, sizeof(bad), BAD_PREFIX "%.16s", name);
	store_step();
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

static int load_file(int folder, const char *name, struct buf *ret)
{
	_cleanup_(closep) int fd = -1;
	int r;

	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = read_all(fd, HEAD_SIZE + RECORD_ENCODED_MAX + TAIL_SIZE, ret);
	return r == -EFBIG || r == -EISDIR ? -EBADMSG : r;
}

/* -EBADMSG: it is damaged. */
static int load(struct store *s, int folder, const char *name, struct buf *ret)
{
	const size_t prefix = strlen(LINK_PREFIX);
	char target[LINK_MAX_LENGTH + 2];
	ssize_t n = readlinkat(folder, name, target, sizeof(target) - 1);
	int r = 0;

	if (n < 0 && errno != EINVAL)
		return -errno;
	if (n < 0) {
		r = load_file(folder, name, ret);
	} else {
		target[n] = '\0';
		if (strncmp(target, LINK_PREFIX, prefix) != 0 ||
		    !base64_decode(target + prefix, ret))
			return -EBADMSG;
	}
	if (ret->failed)
		return -ENOMEM;
	return r == 0 && !is_whole(s, ret) ? -EBADMSG : r;
}

bool intent_is_whole(struct store *s, int folder, const char *name)
{
	_cleanup_(buf_deinit) struct buf b = {0};

	return strncmp(name, BAD_PREFIX, strlen(BAD_PREFIX)) != 0 &&
	       load(s, folder, name, &b) != -EBADMSG;
}

static int replay_one(struct store *s, int folder, const char *name,
                      const struct intent_handler *handlers, size_t n_handlers)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	int r = load(s, folder, name, &b);

	if (r == -EBADMSG)
		return set_aside(folder, name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_handlers && b.data[0] == INTENT_VERSION; i++) {
		if (handlers[i].type != b.data[1])
			continue;
		r = handlers[i].replay(s, b.data + HEAD_SIZE, b.size - HEAD_SIZE - TAIL_SIZE);
		if (r != 0)
			return r;
		store_step();
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
