/* SPDX-License-Identifier: MIT */
/* See node.h. */

#include <errno.h>
#include <string.h>

#include "core/internal.h"
#include "core/listing.h"
#include "core/node_table.h"

#define BUCKETS_MIN 1024

static size_t id_bucket(const struct node_table *t, uint64_t id)
{
	return (size_t)id & (t->n_buckets - 1);
}

uint32_t table_hash(const struct node *parent, const char *name)
{
	struct hash_key key = *hash_process_key();

	key.k0 ^= parent->id;
	return (uint32_t)hash_bytes(&key, name, strlen(name));
}

int node_table_init(struct core *core)
{
	struct node_table *t = &core->table;

	pthread_mutex_init(&t->lock, NULL);
	for (size_t i = 0; i < NODE_N_LOCKS; i++)
		pthread_mutex_init(&t->node_locks[i], NULL);
	t->n_buckets = BUCKETS_MIN;
	t->next_id = CORE_ROOT_ID;
	t->by_id = calloc(t->n_buckets, sizeof(*t->by_id));
	t->by_name = calloc(t->n_buckets, sizeof(*t->by_name));
	t->aliases = calloc(NODE_N_LINK_BUCKETS, sizeof(*t->aliases));
	t->by_inode = calloc(NODE_N_LINK_BUCKETS, sizeof(*t->by_inode));
	return t->by_id && t->by_name && t->aliases && t->by_inode ? 0 : -ENOMEM;
}

void node_lock(struct core *core, const struct node *node)
{
	pthread_mutex_lock(&core->table.node_locks[node->id % NODE_N_LOCKS]);
}

void node_unlock(struct core *core, const struct node *node)
{
	pthread_mutex_unlock(&core->table.node_locks[node->id % NODE_N_LOCKS]);
}

/* Twice the buckets. Without memory for it the chains just get longer. */
static void grow(struct node_table *t)
{
	size_t n = t->n_buckets * 2, old = t->n_buckets;
	struct node **by_id = calloc(n, sizeof(*by_id));
	struct node **by_name = calloc(n, sizeof(*by_name));

	if (!by_id || !by_name) {
		free(by_id);
		free(by_name);
		return;
	}
	for (size_t i = 0; i < old; i++) {
		for (struct node *node = t->by_id[i], *next; node; node = next) {
			next = node->id_next;
			node->id_next = by_id[node->id & (n - 1)];
			by_id[node->id & (n - 1)] = node;
		}
		for (struct node *node = t->by_name[i], *next; node; node = next) {
			next = node->name_next;
			node->name_next = by_name[node->name_hash & (n - 1)];
			by_name[node->name_hash & (n - 1)] = node;
		}
	}
	free(t->by_id);
	free(t->by_name);
	t->by_id = by_id;
	t->by_name = by_name;
	t->n_buckets = n;
}

static struct node *find_locked(struct node_table *t, const struct node *parent, const char *name,
				uint32_t hash)
{
	struct node *node = t->by_name[hash & (t->n_buckets - 1)];

	for (; node; node = node->name_next)
		if (node->name_hash == hash && node->parent == parent && !strcmp(node->name, name))
			return node;
	return alias_find_locked(t, parent, name, hash);
}

void table_hash_name(struct node_table *t, struct node *node)
{
	struct node **bucket;

	node->name_hash = table_hash(node->parent, node->name);
	bucket = &t->by_name[node->name_hash & (t->n_buckets - 1)];
	node->name_next = *bucket;
	*bucket = node;
	node->hashed = true;
}

void table_unhash_name(struct node_table *t, struct node *node)
{
	struct node **p = &t->by_name[node->name_hash & (t->n_buckets - 1)];

	if (!node->hashed)
		return;
	while (*p != node)
		p = &(*p)->name_next;
	*p = node->name_next;
	node->hashed = false;
}

static void unhash_id(struct node_table *t, struct node *node)
{
	struct node **p = &t->by_id[id_bucket(t, node->id)];

	while (*p != node)
		p = &(*p)->id_next;
	*p = node->id_next;
	t->n_nodes--;
}

struct node *node_get(struct core *core, uint64_t id)
{
	struct node_table *t = &core->table;
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = t->by_id[id_bucket(t, id)];
	while (node && node->id != id)
		node = node->id_next;
	if (node)
		node->n_refs++;
	pthread_mutex_unlock(&t->lock);
	return node;
}

struct node *node_find(struct core *core, const struct node *parent, const char *name)
{
	struct node_table *t = &core->table;
	uint32_t hash = table_hash(parent, name);
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = find_locked(t, parent, name, hash);
	if (node)
		node->n_refs++;
	pthread_mutex_unlock(&t->lock);
	return node;
}

struct node *node_find_path(struct core *core, char *path)
{
	struct node *node = node_ref(core, core->root);
	char *rest = path, *name;

	while (node && (name = strsep(&rest, "/")) && *name) {
		struct node *child = node_find(core, node, name);

		node_unref(core, node);
		node = child;
	}
	return node;
}

struct node *node_ref(struct core *core, struct node *node)
{
	pthread_mutex_lock(&core->table.lock);
	node->n_refs++;
	pthread_mutex_unlock(&core->table.lock);
	return node;
}

static void node_free(struct core *core, struct node *node)
{
	if (node->content)
		content_detach(core, node);
	if (S_ISDIR(node->mode))
		listing_unref(core, node->listing);
	else
		hydration_unref(core, node->hydration);
	if (node->flags & NODE_HIDDEN)
		store_drop_hidden(core->store, node->name);
	free(node->rec);
	free(node->name);
	free(node);
}

/* A directory has none, so this goes no deeper than once. */
static void aliases_free(struct core *core, struct alias *a)
{
	for (struct alias *next; a; a = next) {
		next = a->next;
		node_unref(core, a->parent);
		free(a);
	}
}

/* A child holds its parent, so the last reference of a leaf may free a whole chain: loop, do not recurse. */
void node_unref(struct core *core, struct node *node)
{
	struct node_table *t = &core->table;

	while (node) {
		struct alias *aliases = NULL;
		struct node *parent;
		bool last;

		pthread_mutex_lock(&t->lock);
		last = --node->n_refs == 0;
		parent = node->parent;
		if (last) {
			table_unhash_name(t, node);
			aliases = names_forget_locked(t, node);
			unhash_id(t, node);
		}
		pthread_mutex_unlock(&t->lock);
		if (!last)
			return;
		aliases_free(core, aliases);
		node_free(core, node);
		node = parent;
	}
}

/* The caller holds table.lock.  Takes over @fresh and @name. */
static void table_insert(struct node_table *t, struct node *fresh, struct node *parent, char *name)
{
	if (t->n_nodes >= t->n_buckets)
		grow(t);
	*fresh = (struct node){.id = t->next_id++, .n_refs = 1, .parent = parent, .name = name};
	if (parent)
		parent->n_refs++;
	fresh->id_next = t->by_id[id_bucket(t, fresh->id)];
	t->by_id[id_bucket(t, fresh->id)] = fresh;
	t->n_nodes++;
}

struct node *node_find_or_new(struct core *core, struct node *parent, const char *name,
			      bool *ret_new)
{
	struct node_table *t = &core->table;
	struct node *fresh = calloc(1, sizeof(*fresh)), *node = NULL;
	char *copy = strdup(name);

	*ret_new = false;
	if (!fresh || !copy) {
		free(fresh);
		free(copy);
		return NULL;
	}
	pthread_mutex_lock(&t->lock);
	if (parent)
		node = find_locked(t, parent, name, table_hash(parent, name));
	if (node) {
		node->n_refs++;
	} else {
		node = steal_ptr(&fresh);
		table_insert(t, node, parent, steal_ptr(&copy));
		if (parent)
			table_hash_name(t, node);
		*ret_new = true;
	}
	pthread_mutex_unlock(&t->lock);
	free(fresh);
	free(copy);
	return node;
}

struct node *node_new_apart(struct core *core, struct node *parent, const char *name)
{
	struct node *node = calloc(1, sizeof(*node));
	char *copy = strdup(name);

	if (!node || !copy) {
		free(node);
		free(copy);
		return NULL;
	}
	pthread_mutex_lock(&core->table.lock);
	table_insert(&core->table, node, parent, copy);
	pthread_mutex_unlock(&core->table.lock);
	return node;
}

void node_retire(struct core *core, struct node *node)
{
	pthread_mutex_lock(&core->table.lock);
	table_unhash_name(&core->table, node);
	pthread_mutex_unlock(&core->table.lock);
	node_lock(core, node);
	node->state = NODE_GONE;
	node_unlock(core, node);
}

void node_count_lookup(struct core *core, struct node *node)
{
	pthread_mutex_lock(&core->table.lock);
	if (node->n_lookups++ == 0)
		node->n_refs++;
	pthread_mutex_unlock(&core->table.lock);
}

void node_forget(struct core *core, uint64_t id, uint64_t n_lookups)
{
	struct node_table *t = &core->table;
	struct node *node;
	bool drop = false;

	pthread_mutex_lock(&t->lock);
	node = t->by_id[id_bucket(t, id)];
	while (node && node->id != id)
		node = node->id_next;
	/* The root is ours, not the kernel's. */
	if (node && node->parent && node->n_lookups) {
		node->n_lookups -= MIN(node->n_lookups, n_lookups);
		drop = node->n_lookups == 0;
	}
	pthread_mutex_unlock(&t->lock);
	if (drop)
		node_unref(core, node);
}

/* Everything still known: the kernel does not send forgets for what it drops at the end. */
void node_table_deinit(struct core *core)
{
	struct node_table *t = &core->table;

	for (size_t i = 0; t->by_id && i < t->n_buckets; i++) {
		for (struct node *node = t->by_id[i], *next; node; node = next) {
			next = node->id_next;
			node_free(core, node);
		}
	}
	for (size_t i = 0; t->aliases && i < NODE_N_LINK_BUCKETS; i++) {
		for (struct alias *a = t->aliases[i], *next; a; a = next) {
			next = a->hash_next;
			free(a);
		}
	}
	free(t->by_id);
	free(t->by_name);
	free(t->aliases);
	free(t->by_inode);
	for (size_t i = 0; i < NODE_N_LOCKS; i++)
		pthread_mutex_destroy(&t->node_locks[i]);
	pthread_mutex_destroy(&t->lock);
}

static char *join(const char *dir, size_t dir_size, const char *name)
{
	size_t name_size = strlen(name);
	char *path = malloc(dir_size + name_size + 2);

	if (!path)
		return NULL;
	memcpy(path, dir, dir_size);
	if (dir_size)
		path[dir_size++] = '/';
	memcpy(path + dir_size, name, name_size + 1);
	return path;
}

char *node_path(struct core *core, const struct node *node)
{
	_cleanup_(freep) char *above = NULL;

	if (!node->parent)
		return strdup("");
	above = node_path(core, node->parent);
	return above ? join(above, strlen(above), node->name) : NULL;
}

char *node_origin(struct core *core, struct node *node)
{
	_cleanup_(freep) char *above = NULL;
	struct record rec;

	if (!node->parent)
		return strdup("");
	node_lock(core, node);
	if (node_get_record(node, &rec) && (rec.fields & RECORD_ORIGIN)) {
		char *origin = strndup((const char *)rec.origin.data, rec.origin.size);

		node_unlock(core, node);
		return origin;
	}
	node_unlock(core, node);
	above = node_origin(core, node->parent);
	return above ? join(above, strlen(above), node->name) : NULL;
}

char *node_child_path(struct core *core, const struct node *dir, const char *name)
{
	_cleanup_(freep) char *above = node_path(core, dir);

	return above ? join(above, strlen(above), name) : NULL;
}

char *node_child_origin(struct core *core, struct node *dir, const char *name)
{
	_cleanup_(freep) char *above = node_origin(core, dir);

	return above ? join(above, strlen(above), name) : NULL;
}

uint64_t projected_identity(struct core *core, const char *origin)
{
	return store_identity(core->store, origin, store_generation(core->store, origin));
}

bool node_get_record(const struct node *node, struct record *ret)
{
	return node->rec && record_decode(node->rec, node->rec_size, ret) == 0;
}

int node_set_record(struct node *node, const struct record *rec)
{
	struct buf b = {0};
	int r = record_encode(rec, &b);

	if (r < 0) {
		buf_deinit(&b);
		return r;
	}
	free(node->rec);
	node->rec = b.data;
	node->rec_size = (uint32_t)b.size;
	return 0;
}

void node_drop_record(struct node *node)
{
	free(node->rec);
	node->rec = NULL;
	node->rec_size = 0;
}

#define DEFAULT_DIR_SIZE 4096

static uint32_t default_mode(const struct record *rec)
{
	uint32_t mode = rec->kind == RECORD_DIRECTORY ? 0755 : 0644;

	if (rec->kind == RECORD_SYMLINK)
		return 0777;
	if ((rec->fields & RECORD_ATTRIBUTES) && (rec->attributes & 1) &&
	    rec->kind != RECORD_DIRECTORY)
		mode &= ~0222u;
	return mode;
}

static struct record_time or_time(const struct record *rec, uint32_t field, struct record_time t,
				  struct record_time otherwise)
{
	return rec->fields & field ? t : otherwise;
}

void node_apply_record(struct core *core, struct node *node, const struct record *rec)
{
	uint32_t type = rec->kind == RECORD_DIRECTORY ? S_IFDIR
		      : rec->kind == RECORD_SYMLINK   ? S_IFLNK : S_IFREG;
	struct record_time mtime = rec->mtime, ctime, atime;
	bool owner = (rec->fields & RECORD_OWNER) && core->config.may_chown;

	if (!(rec->fields & RECORD_MTIME)) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		mtime = (struct record_time){.sec = now.tv_sec, .nsec = (uint32_t)now.tv_nsec};
	}
	ctime = or_time(rec, RECORD_CTIME, rec->ctime, mtime);
	atime = or_time(rec, RECORD_ATIME, rec->atime, mtime);
	node->mode = type | (rec->fields & RECORD_MODE && type != S_IFLNK ? rec->mode : default_mode(rec));
	node->uid = owner ? rec->uid : core->config.owner_uid;
	node->gid = owner ? rec->gid : core->config.owner_gid;
	node->mtime_sec = mtime.sec;
	node->mtime_nsec = mtime.nsec;
	node->ctime_sec = ctime.sec;
	node->ctime_nsec = ctime.nsec;
	node->atime_sec = atime.sec;
	node->atime_nsec = atime.nsec;
	node->flags &= (uint16_t)~NODE_SIZE_UNKNOWN;
	if (type == S_IFLNK)
		node->size = rec->target.size;
	else if (rec->fields & RECORD_SIZE)
		node->size = rec->size;
	else if (type == S_IFDIR)
		node->size = DEFAULT_DIR_SIZE;
	else
		node->flags |= NODE_SIZE_UNKNOWN;
	if (type == S_IFDIR && !node->size)
		node->size = DEFAULT_DIR_SIZE;
}

static void apply_times(struct node *node, const struct stat *st)
{
	node->mtime_sec = st->st_mtim.tv_sec;
	node->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	node->ctime_sec = st->st_ctim.tv_sec;
	node->ctime_nsec = (uint32_t)st->st_ctim.tv_nsec;
	node->atime_sec = st->st_atim.tv_sec;
	node->atime_nsec = (uint32_t)st->st_atim.tv_nsec;
}

void node_apply_stat(struct node *node, const struct stat *st)
{
	node->mode = st->st_mode;
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->size = (uint64_t)st->st_size;
	node->nlink = (uint32_t)st->st_nlink;
	node->blocks = (uint64_t)st->st_blocks;
	node->rdev = (uint32_t)st->st_rdev;
	apply_times(node, st);
}

/* What the disk shows, corrected by the record where the disk cannot show it. */
void node_apply_item(struct core *core, struct node *node, const struct store_item *item)
{
	const struct stat *st = &item->st;
	struct record rec;
	bool has_rec = item->rec.size && record_decode(item->rec.data, item->rec.size, &rec) == 0;

	if (item->state == STORE_DIRECTORY && has_rec && !(rec.flags & RECORD_FLAG_ADOPTED)) {
		node_apply_record(core, node, &rec);
	} else if (item->state == STORE_PLACEHOLDER && has_rec) {
		node_apply_record(core, node, &rec);
	} else {
		node_apply_stat(node, st);
	}
	/* Of a directory that a user has changed the disk has the times. */
	if (item->state == STORE_DIRECTORY && has_rec && (rec.flags & RECORD_FLAG_DIRTY))
		apply_times(node, st);
	if (item->state == STORE_DIRECTORY && has_rec && (rec.flags & RECORD_FLAG_OPAQUE) &&
	    (rec.fields & RECORD_MODE)) {
		node_apply_stat(node, st);
		node->mode = S_IFDIR | rec.mode;
	}
	/* A clean file looks the same before and after its content came. */
	if (item->state == STORE_HYDRATED && has_rec && !(rec.flags & RECORD_FLAG_DIRTY) &&
	    !item->meta_differs) {
		struct record_time mtime = {node->mtime_sec, node->mtime_nsec};
		struct record_time ctime = or_time(&rec, RECORD_CTIME, rec.ctime, mtime);

		node->ctime_sec = ctime.sec;
		node->ctime_nsec = ctime.nsec;
		if ((rec.fields & RECORD_OWNER) && core->config.may_chown) {
			node->uid = rec.uid;
			node->gid = rec.gid;
		}
		if (rec.fields & RECORD_MODE)
			node->mode = (node->mode & S_IFMT) | rec.mode;
	}
}

bool node_on_disk(const struct node *node)
{
	return node->state == NODE_DIRECTORY || node->state == NODE_LOCAL;
}

bool node_is_projected(const struct node *node)
{
	return node->state != NODE_LOCAL && !(node->flags & NODE_OPAQUE);
}

void node_attr(const struct node *node, struct core_attr *ret)
{
	*ret = (struct core_attr){
		.ino = node->ino,
		.size = node->size,
		/* As if it were on disk, so that no tool takes a virtual file for a sparse one. */
		.blocks = (node->size + 4095) / 4096 * 8,
		.atime = {.tv_sec = node->atime_sec, .tv_nsec = node->atime_nsec},
		.mtime = {.tv_sec = node->mtime_sec, .tv_nsec = node->mtime_nsec},
		.ctime = {.tv_sec = node->ctime_sec, .tv_nsec = node->ctime_nsec},
		.mode = node->mode,
		.nlink = 1, /* for a directory: "the number of subdirectories is not known" */
		.rdev = node->rdev,
		.uid = node->uid,
		.gid = node->gid,
	};
	if (S_ISLNK(node->mode))
		ret->blocks = 0;
	if (node->state == NODE_LOCAL) {
		ret->blocks = node->blocks;
		ret->nlink = node->nlink;
		if ((node->flags & NODE_HIDDEN) && ret->nlink)
			ret->nlink--; /* the name of ours */
	}
	if ((node->flags & NODE_UNLINKED) && node->state != NODE_LOCAL)
		ret->nlink = 0;
}
