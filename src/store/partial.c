/* SPDX-License-Identifier: MIT */
/*
 * A large file that arrives in pieces, over restarts.
 *
 *	.projfs/partial/<16 hex digits>      the content, sparse, with its final size
 *	.projfs/partial/<16 hex digits>.map  u32 length and record, filled up to 4096 bytes,
 *	                                     then a u32 for every chunk: the epoch in which it arrived
 *
 * The record says which version of which content it is, and which file the map is about.  A chunk
 * counts if its epoch was not lost.  The map in memory answers questions; marks reach the disk by
 * pwrite(), since a store through a mapping would be a SIGBUS when the disk is full.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

#define FOLDER "partial"
#define HEAD_SIZE 4096
#define MARKS_AT_ONCE 256

struct partial {
	struct store *store;
	int folder;
	int fd;
	int map;
	char name[17];
	uint64_t size;
	uint64_t n_chunks;
	uint64_t ref; /* of a record that a failed commit put aside */
	pthread_mutex_t lock;
	uint8_t *there; /* bit per chunk; protected by lock */
	uint64_t n_there; /* protected by lock */
	uint64_t bytes; /* protected by lock */
};

struct map_name {
	char text[24];
};

static struct map_name map_name(const char *name)
{
	struct map_name m;

	(void)snprintf(m.text, sizeof(m.text), "%.16s.map", name);
	return m;
}

static uint64_t count_chunks(uint64_t size)
{
	return size / PARTIAL_CHUNK + (size % PARTIAL_CHUNK != 0);
}

static uint64_t chunk_bytes(uint64_t size, uint64_t chunk)
{
	return MIN((uint64_t)PARTIAL_CHUNK, size - chunk * PARTIAL_CHUNK);
}

/* ---- the map on disk ---------------------------------------------------------------------------- */

/* The head of the map of the content in @fd. */
static int describe(struct store *s, int fd, const struct record *rec, struct record *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = *rec;
	ret->kind = RECORD_PARTIAL;
	ret->fields &= RECORD_SIZE | RECORD_CONTENT_ID | RECORD_PROVIDER_ID;
	ret->fields |= RECORD_BINDING;
	ret->binding = binding_of_inode(s, &st); /* it is still written to */
	ret->binding_meta = 0;
	return 0;
}

static int write_head(int map, const struct record *head)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	static const uint8_t zeros[HEAD_SIZE];
	struct buf encoded = {0};
	int r = record_encode(head, &encoded);

	if (r == 0) {
		buf_append_u32(&b, (uint32_t)encoded.size);
		buf_append(&b, encoded.data, encoded.size);
		if (b.size < HEAD_SIZE)
			buf_append(&b, zeros, HEAD_SIZE - b.size);
		r = b.failed             ? -ENOMEM
		    : b.size > HEAD_SIZE ? -E2BIG
		                         : write_all(map, b.data, b.size);
	}
	buf_deinit(&encoded);
	return r;
}

/* @storage: what the fields of @ret point into. */
static bool read_head(int map, uint8_t storage[HEAD_SIZE], struct record *ret)
{
	struct cursor c = {.data = storage, .size = HEAD_SIZE};
	const uint8_t *encoded;
	uint32_t size;

	if (pread(map, storage, HEAD_SIZE, 0) != HEAD_SIZE)
		return false;
	size = cursor_u32(&c);
	encoded = cursor_bytes(&c, size);
	return encoded && record_decode(encoded, size, ret) == 0 && ret->kind == RECORD_PARTIAL &&
	       ret->fields & RECORD_SIZE && ret->fields & RECORD_BINDING;
}

/* Call @found for every chunk that has arrived. */
static void scan_marks(struct store *s, int map, uint64_t size,
                       void (*found)(void *context, uint64_t chunk), void *context)
{
	const uint64_t n_chunks = count_chunks(size);
	uint32_t marks[MARKS_AT_ONCE];

	for (uint64_t first = 0; first < n_chunks; first += MARKS_AT_ONCE) {
		ssize_t n = pread(map, marks, sizeof(marks), (off_t)(HEAD_SIZE + first * 4));

		if (n < 4)
			return;
		for (uint64_t i = 0; i < (uint64_t)n / 4 && first + i < n_chunks; i++) {
			uint32_t epoch = le32toh(marks[i]);

			if (epoch && !epoch_is_lost(s, epoch))
				found(context, first + i);
		}
	}
}

/* ---- opening ------------------------------------------------------------------------------------ */

static bool is_there(const struct partial *p, uint64_t chunk)
{
	return p->there[chunk / 8] & 1u << chunk % 8;
}

static void note_chunk(void *context, uint64_t chunk)
{
	struct partial *p = context;

	if (is_there(p, chunk))
		return;
	p->there[chunk / 8] |= (uint8_t)(1u << chunk % 8);
	p->n_there++;
	p->bytes += chunk_bytes(p->size, chunk);
}

static bool heads_match(const struct record *a, const struct record *b)
{
	struct record_bytes none = {0};

	return a->binding == b->binding && a->size == b->size && a->fields == b->fields &&
	       record_bytes_equal(a->fields & RECORD_CONTENT_ID ? a->content_id : none,
	                          b->fields & RECORD_CONTENT_ID ? b->content_id : none) &&
	       record_bytes_equal(a->fields & RECORD_PROVIDER_ID ? a->provider_id : none,
	                          b->fields & RECORD_PROVIDER_ID ? b->provider_id : none);
}

/*
 * Is what @folder has under @name the same content?  0: yes, and both descriptors are handed out; -ENODATA: no, or
 * there is nothing.  Any other error says nothing of what is there.
 */
static int open_both(struct store *s, int folder, const char *name, const struct record *rec,
                      int *ret_fd, int *ret_map)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(closep) int map = -1;
	uint8_t storage[HEAD_SIZE];
	struct record wanted = {0};
	struct record head;
	struct stat st;
	int flags = (s->readonly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

	fd = openat(folder, name, flags);
	if (fd >= 0)
		map = openat(folder, map_name(name).text, flags);
	if (fd < 0 || map < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO ? -errno
											    : -ENODATA;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != rec->size ||
	    describe(s, fd, rec, &wanted) < 0 || !read_head(map, storage, &head) ||
	    !heads_match(&head, &wanted))
		return -ENODATA;
	*ret_fd = steal_fd(&fd);
	*ret_map = steal_fd(&map);
	return 0;
}

static void unlink_both(int folder, const char *name)
{
	(void)unlinkat(folder, map_name(name).text, 0);
	(void)unlinkat(folder, name, 0);
}

static int create_both(struct store *s, struct partial *p, const struct record *rec)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct record head;
	int r;

	unlink_both(p->folder, p->name);
	p->fd = openat(p->folder, p->name, flags, 0600);
	if (p->fd < 0)
		return -errno;
	if (ftruncate(p->fd, (off_t)rec->size) < 0)
		return -errno;
	p->map = openat(p->folder, map_name(p->name).text, flags, 0600);
	if (p->map < 0)
		return -errno;
	r = describe(s, p->fd, rec, &head);
	return r < 0 ? r : write_head(p->map, &head);
}

static struct partial *partial_new(struct store *s, uint64_t key, uint64_t size)
{
	struct partial *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct partial){
	        .store = s,
	        .folder = -1,
	        .fd = -1,
	        .map = -1,
	        .size = size,
	        .n_chunks = count_chunks(size),
	};
	pthread_mutex_init(&p->lock, NULL);
	(void)snprintf(p->name, sizeof(p->name), "%016" PRIx64, key);
	return p;
}

static int open_or_create(struct store *s, struct partial *p, const struct record *rec)
{
	int r;

	p->folder = disk_open_private(s, FOLDER);
	if (p->folder < 0)
		return p->folder;
	r = open_both(s, p->folder, p->name, rec, &p->fd, &p->map);
	if (r == -ENODATA) {
		r = create_both(s, p, rec);
		if (r < 0)
			unlink_both(p->folder, p->name);
	}
	if (r < 0)
		return r;
	/* Only now: the disk has refused sizes beyond all reason. */
	p->there = calloc(1, p->n_chunks / 8 + 1);
	if (!p->there)
		return -ENOMEM;
	scan_marks(s, p->map, p->size, note_chunk, p);
	return 0;
}

int store_partial_open(struct store *s, uint64_t key, const struct record *rec,
                       struct partial **ret)
{
	struct partial *p;
	int r;

	if (s->readonly)
		return -EROFS;
	if (!(rec->fields & RECORD_SIZE))
		return -EINVAL;
	if (rec->size > INT64_MAX)
		return -EFBIG;
	p = partial_new(s, key, rec->size);
	if (!p)
		return -ENOMEM;
	r = open_or_create(s, p, rec);
	if (r < 0) {
		partial_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct partial *partial_free(struct partial *p)
{
	if (!p)
		return NULL;
	recordref_remove(p->store, p->ref);
	closep(&p->map);
	closep(&p->fd);
	closep(&p->folder);
	pthread_mutex_destroy(&p->lock);
	free(p->there);
	free(p);
	return NULL;
}

/* ---- use ---------------------------------------------------------------------------------------- */

int partial_fd(const struct partial *p)
{
	return p->fd;
}

/* The lock is no part of what a reader of the partial sees. */
static pthread_mutex_t *lock_of(const struct partial *p)
{
	return (pthread_mutex_t *)&p->lock;
}

bool partial_has(const struct partial *p, uint64_t offset, uint64_t length)
{
	uint64_t end;
	bool has = true;

	if (offset >= p->size || length == 0)
		return true;
	end = MIN(length, p->size - offset) + offset;
	pthread_mutex_lock(lock_of(p));
	for (uint64_t i = offset / PARTIAL_CHUNK; has && i * PARTIAL_CHUNK < end; i++)
		has = is_there(p, i);
	pthread_mutex_unlock(lock_of(p));
	return has;
}

bool partial_complete(const struct partial *p)
{
	bool complete;

	pthread_mutex_lock(lock_of(p));
	complete = p->n_there == p->n_chunks;
	pthread_mutex_unlock(lock_of(p));
	return complete;
}

uint64_t partial_bytes(const struct partial *p)
{
	uint64_t bytes;

	pthread_mutex_lock(lock_of(p));
	bytes = p->bytes;
	pthread_mutex_unlock(lock_of(p));
	return bytes;
}

/* Marks of the chunks from @first to before @end.  What cannot be written is asked for again after a
 * restart; until then we know. */
static void write_marks(struct partial *p, uint64_t first, uint64_t end, uint32_t epoch)
{
	uint32_t marks[MARKS_AT_ONCE];

	for (size_t i = 0; i < MARKS_AT_ONCE; i++)
		marks[i] = htole32(epoch);
	while (first < end) {
		size_t n = (size_t)MIN((uint64_t)MARKS_AT_ONCE, end - first);

		if (pwrite(p->map, marks, n * 4, (off_t)(HEAD_SIZE + first * 4)) !=
		    (ssize_t)(n * 4))
			return;
		first += n;
	}
}

void partial_mark(struct partial *p, uint64_t offset, uint64_t length)
{
	uint64_t first = count_chunks(offset);
	uint64_t end;

	if (offset >= p->size)
		return;
	end = length >= p->size - offset ? p->n_chunks : (offset + length) / PARTIAL_CHUNK;
	if (first >= end)
		return;
	write_marks(p, first, end, epoch_current(p->store));
	pthread_mutex_lock(&p->lock);
	for (uint64_t i = first; i < end; i++)
		note_chunk(p, i);
	pthread_mutex_unlock(&p->lock);
	epoch_touch(p->store);
}

static int commit(struct store *s, struct partial *p, int dir, const char *name,
                  const struct store_place *place, const struct record *rec, struct store_item *ret)
{
	struct store_item item = {0};
	struct dir_times times;
	enum remnant remnant;
	int r;

	recordref_remove(s, p->ref);
	r = attr_apply_file(s, p->fd, place, rec, &p->ref);
	if (r == 0 && ret)
		r = item_examine(s, p->fd, place->path, place->origin, &item, &remnant);
	times = dir_times_save(dir, place->keep_dir_times);
	if (r == 0)
		r = marker_replace(s, p->folder, p->name, dir, name);
	if (r < 0) {
		store_item_deinit(&item);
		/* So that it can be taken up again by a user who is not root. */
		(void)fchmod(p->fd, 0600);
		return r;
	}
	dir_times_restore(dir, &times);
	p->ref = 0;
	(void)unlinkat(p->folder, map_name(p->name).text, 0);
	epoch_touch(s);
	if (ret) {
		(void)disk_stat(s, p->fd, &item.st, &item.btime);
		*ret = item;
	}
	return 0;
}

int store_partial_commit(struct store *s, struct partial *p, const struct store_place *place,
                         const struct record *rec, struct store_item *ret)
{
	_cleanup_(closep) int dir = -1;
	const char *name;
	int r;

	r = disk_check(place->path);
	if (r == 0 && !path_is_valid(place->origin))
		r = -EINVAL;
	if (r < 0)
		return r;
	if (!partial_complete(p))
		return -EIO;
	dir = disk_open_parent(s, place->path, &name);
	return dir < 0 ? dir : commit(s, p, dir, name, place, rec, ret);
}

void store_partial_drop(struct store *s, uint64_t key)
{
	_cleanup_(closep) int folder = -1;
	char name[17];

	if (s->readonly)
		return;
	folder = disk_open_private(s, FOLDER);
	if (folder < 0)
		return;
	(void)snprintf(name, sizeof(name), "%016" PRIx64, key);
	unlink_both(folder, name);
}

/* ---- looking from outside --------------------------------------------------------------------------- */

struct sum {
	uint64_t size;
	uint64_t bytes;
};

static void add_chunk(void *context, uint64_t chunk)
{
	struct sum *sum = context;

	sum->bytes += chunk_bytes(sum->size, chunk);
}

uint64_t store_partial_peek(struct store *s, uint64_t key, const struct record *rec)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int fd = -1;
	_cleanup_(closep) int map = -1;
	struct sum sum = {.size = rec->size};
	char name[17];

	(void)snprintf(name, sizeof(name), "%016" PRIx64, key);
	folder = openat(s->private, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0 || !(rec->fields & RECORD_SIZE) ||
	    open_both(s, folder, name, rec, &fd, &map) < 0)
		return 0;
	scan_marks(s, map, sum.size, add_chunk, &sum);
	return sum.bytes;
}

static void add_map(struct store *s, int folder, const char *name, uint64_t *n, uint64_t *bytes)
{
	_cleanup_(closep) int map = -1;
	uint8_t storage[HEAD_SIZE];
	struct record head;
	struct sum sum = {0};

	map = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (map < 0 || !read_head(map, storage, &head))
		return;
	sum.size = head.size;
	scan_marks(s, map, sum.size, add_chunk, &sum);
	*n += 1;
	*bytes += sum.bytes;
}

bool partial_map_is_whole(int folder, const char *name)
{
	_cleanup_(closep) int map = -1;
	uint8_t storage[HEAD_SIZE];
	struct record head;

	map = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return map >= 0 && read_head(map, storage, &head);
}

int partial_usage(struct store *s, uint64_t *ret_n, uint64_t *ret_bytes)
{
	int fd = openat(s->private, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!listing) {
		int r = errno == ENOENT ? 0 : -errno;

		closep(&fd);
		return r;
	}
	while ((e = readdir(listing))) {
		if (strlen(e->d_name) == 20 && strcmp(e->d_name + 16, ".map") == 0)
			add_map(s, dirfd(listing), e->d_name, ret_n, ret_bytes);
	}
	(void)closedir(listing);
	return 0;
}
