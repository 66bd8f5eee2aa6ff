/* SPDX-License-Identifier: MIT */
/* See epoch.h for the idea. */
#include "store/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "store/internal.h"
#include "util/log.h"

#define EPOCH_FILE_VERSION 1

static void set_add(struct epoch_set *set, uint32_t first, uint32_t last)
{
	struct epoch_range *r = set->ranges;

	if (set->n_ranges && first <= r[set->n_ranges - 1].last + 1) {
		r[set->n_ranges - 1].last = MAX(last, r[set->n_ranges - 1].last);
		return;
	}
	if (set->n_ranges == EPOCH_RANGES_MAX) {
		r[0].last = r[1].last;
		memmove(&r[1], &r[2], (EPOCH_RANGES_MAX - 2) * sizeof(r[0]));
		set->n_ranges--;
	}
	r[set->n_ranges++] = (struct epoch_range){first, last};
}

static bool set_has(const struct epoch_set *set, uint32_t epoch)
{
	for (size_t i = 0; i < set->n_ranges; i++) {
		if (epoch >= set->ranges[i].first && epoch <= set->ranges[i].last)
			return true;
	}
	return false;
}

static void set_append(struct buf *b, const struct epoch_set *set)
{
	buf_append_varint(b, set->n_ranges);
	for (size_t i = 0; i < set->n_ranges; i++) {
		buf_append_u32(b, set->ranges[i].first);
		buf_append_u32(b, set->ranges[i].last);
	}
}

static bool set_read(struct cursor *c, struct epoch_set *set)
{
	uint64_t n = cursor_varint(c);

	*set = (struct epoch_set){0};
	if (c->failed || n > EPOCH_RANGES_MAX)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t first = cursor_u32(c);
		uint32_t last = cursor_u32(c);

		if (c->failed || first > last)
			return false;
		set->ranges[set->n_ranges++] = (struct epoch_range){first, last};
	}
	return true;
}

/* Tests and unusual machines may say by themselves what a boot is. */
static int read_boot(char ret[EPOCH_BOOT_MAX + 1])
{
	const char *env = secure_getenv("PROJFS_BOOT_ID");
	ssize_t n;
	int fd;

	memset(ret, 0, EPOCH_BOOT_MAX + 1);
	if (env && *env) {
		strncpy(ret, env, EPOCH_BOOT_MAX);
		return 0;
	}
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, EPOCH_BOOT_MAX);
	(void)close(fd);
	if (n <= 0)
		return -EIO;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int save(struct store *s, const struct epochs *e)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	size_t boot_size = strlen(e->boot);

	buf_append_u8(&b, EPOCH_FILE_VERSION);
	buf_append_u32(&b, e->durable);
	buf_append_u8(&b, (uint8_t)boot_size);
	buf_append(&b, e->boot, boot_size);
	set_append(&b, &e->lost);
	set_append(&b, &e->voided);
	if (b.failed)
		return -ENOMEM;
	buf_append_u64(&b, hash_bytes(&s->key, b.data, b.size));
	if (b.failed)
		return -ENOMEM;
	return private_save(s, EPOCH_FILE, b.data, b.size);
}

static bool parse(const struct store *s, struct epochs *e, const struct buf *b)
{
	struct cursor c = {.data = b->data, .size = b->size};
	struct cursor tail;
	const uint8_t *boot;
	uint8_t boot_size;

	if (b->size < 8)
		return false;
	tail = (struct cursor){.data = b->data + b->size - 8, .size = 8};
	if (cursor_u64(&tail) != hash_bytes(&s->key, b->data, b->size - 8))
		return false;
	c.size -= 8;
	if (cursor_u8(&c) != EPOCH_FILE_VERSION)
		return false;
	e->durable = cursor_u32(&c);
	boot_size = cursor_u8(&c);
	boot = cursor_bytes(&c, boot_size);
	if (c.failed || boot_size > EPOCH_BOOT_MAX)
		return false;
	memcpy(e->boot, boot, boot_size);
	e->boot[boot_size] = '\0';
	return set_read(&c, &e->lost) && set_read(&c, &e->voided) && !c.failed && !c.size;
}

void epoch_init(struct epochs *e)
{
	*e = (struct epochs){.current = 1};
	pthread_mutex_init(&e->lock, NULL);
}

void epoch_deinit(struct epochs *e)
{
	pthread_mutex_destroy(&e->lock);
}

int epoch_create(struct store *s)
{
	int r = read_boot(s->epochs.boot);

	return r < 0 ? r : save(s, &s->epochs);
}

/* The boot that wrote the file has ended: what it had not made durable is lost. */
static void begin_boot(struct epochs *e, const char *boot)
{
	for (size_t i = 0; i < e->voided.n_ranges; i++)
		set_add(&e->lost, e->voided.ranges[i].first, e->voided.ranges[i].last);
	e->voided.n_ranges = 0;
	set_add(&e->lost, e->durable + 1, e->durable + 2);
	e->durable += 2;
	memcpy(e->boot, boot, sizeof(e->boot));
}

/*
 * Without the file nothing is known, so nothing is trusted.  The clock gives a number above all that
 * were ever in use: over any length of time there is less than one epoch a second.
 */
static void begin_anew(struct epochs *e, const char *boot)
{
	e->lost.n_ranges = 0;
	e->voided.n_ranges = 0;
	e->durable = (uint32_t)time(NULL);
	set_add(&e->lost, 1, e->durable);
	memcpy(e->boot, boot, sizeof(e->boot));
}

int epoch_load(struct store *s)
{
	_cleanup_(buf_deinit) struct buf b = {0};
	struct epochs *e = &s->epochs;
	char boot[EPOCH_BOOT_MAX + 1];
	bool changed = true;
	int r;

	r = read_boot(boot);
	if (r < 0)
		return r;
	r = private_load(s, EPOCH_FILE, &b);
	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	if (r < 0 || !parse(s, e, &b)) {
		log_warning("the list of durable epochs is missing or damaged, "
		            "what was hydrated is fetched again");
		begin_anew(e, boot);
	} else if (strcmp(e->boot, boot) != 0) {
		begin_boot(e, boot);
	} else {
		changed = false;
	}
	atomic_store(&e->current, e->durable + 1);
	atomic_store(&e->settled, e->voided.n_ranges ? e->voided.ranges[0].first - 1 : e->durable);
	return changed && !s->readonly ? save(s, e) : 0;
}

uint32_t epoch_current(struct store *s)
{
	return atomic_load(&s->epochs.current);
}

void epoch_touch(struct store *s)
{
	atomic_store(&s->epochs.dirty, true);
}

bool epoch_is_lost(const struct store *s, uint32_t epoch)
{
	/* An instance that ended during its sync has used one more than we begin with. */
	return epoch > atomic_load(&s->epochs.current) + 1 || set_has(&s->epochs.lost, epoch);
}

bool epoch_is_settled(const struct store *s, uint32_t epoch)
{
	return epoch <= atomic_load(&s->epochs.settled);
}

bool store_needs_sync(const struct store *s)
{
	return atomic_load(&s->epochs.dirty);
}

/* Settle the epoch that ended before this syncfs began.  Called with the lock held. */
static int sync_locked(struct store *s)
{
	struct epochs *e = &s->epochs;
	uint32_t ending;
	bool dirty;
	int r;

	/* The file bounds which epochs are lost with this boot: never go on ahead of it. */
	if (e->unsaved) {
		r = save(s, e);
		if (r < 0)
			return r;
		e->unsaved = false;
	}
	dirty = atomic_exchange(&e->dirty, false);
	ending = atomic_load(&e->current);
	if (dirty)
		atomic_store(&e->current, ending + 1);
	r = syncfs(s->private) < 0 ? -errno : 0;
	if (!dirty)
		return r;

	if (r < 0)
		set_add(&e->voided, ending, ending);
	e->durable = ending;
	e->unsaved = true;
	if (r == 0) {
		if (!e->voided.n_ranges)
			atomic_store(&e->settled, ending);
		r = save(s, e);
		e->unsaved = r < 0;
	} else {
		e->unsaved = save(s, e) < 0;
	}
	if (r < 0)
		atomic_store(&e->dirty, true);
	return r;
}

int store_sync(struct store *s)
{
	int r;

	if (s->readonly)
		return -EROFS;
	pthread_mutex_lock(&s->epochs.lock);
	r = sync_locked(s);
	pthread_mutex_unlock(&s->epochs.lock);
	return r;
}
