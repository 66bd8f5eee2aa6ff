/* SPDX-License-Identifier: MIT */
/*
 * Loading a listing: START, GET until nothing comes, END; one command after the other, each on a callback thread.
 * Until it is complete only the command that is in flight touches it; afterwards only its lock protects it, since
 * users' changes are noted in it: new names at the end, removed ones leave holes, so that offsets stay good.
 */

#include "core/listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/internal.h"
#include "core/nameset.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/name.h"

enum listing_state {
	LISTING_LOADING,
	LISTING_COMPLETE,
	LISTING_FAILED,
};

struct local_name {
	char *name; /* owned */
	bool tombstone;
	bool seen; /* the provider has one of that name */
};

/* A change that came while the listing was being loaded. */
struct note {
	struct note *next;
	enum listing_change change;
	char name[];
};

#define CHUNK_SIZE (64 * 1024)

struct chunk {
	struct chunk *next;
	size_t used, size;
	char text[];
};

struct listing {
	struct waitq q;
	atomic_uint n_refs;
	pthread_mutex_t lock;
	enum listing_state state; /* lock; it becomes COMPLETE or FAILED once */
	int error;                /* lock; why it failed */
	struct command *cmd;      /* lock: in flight, referenced */
	struct command *end;      /* made beforehand: what was started must end, memory or not */
	struct note *notes;       /* lock; newest first */
	struct node *dir;         /* referenced until it is loaded */
	char *dir_path;           /* where it was on disk when the load began: for messages */
	bool is_root;
	uint8_t session_id[16];
	bool started;             /* the provider has a session open */
	bool on_disk;
	bool restarted;           /* the first GET was sent */

	struct listing_entry *entries; /* lock, once it is complete, as what follows */
	size_t n_entries, capacity;
	struct chunk *chunks;
	struct nameset index;     /* of all names; filled from the first disorder on, or when complete */
	bool indexed;
	struct local_name *locals;
	size_t n_locals, locals_capacity;
	struct nameset local_index;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static const char *keep_text(struct listing *l, const char *text)
{
	size_t size = strlen(text) + 1;
	char *at;

	if (!l->chunks || l->chunks->size - l->chunks->used < size) {
		size_t room = MAX(size, (size_t)CHUNK_SIZE);
		struct chunk *chunk = malloc(sizeof(*chunk) + room);

		if (!chunk)
			return NULL;
		*chunk = (struct chunk){.next = l->chunks, .size = room};
		l->chunks = chunk;
	}
	at = l->chunks->text + l->chunks->used;
	memcpy(at, text, size);
	l->chunks->used += size;
	return at;
}

static int append(struct listing *l, const struct listing_entry *entry)
{
	struct listing_entry copy = *entry;

	if (l->n_entries == UINT32_MAX - 1)
		return -EOVERFLOW;
	if (l->n_entries == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		struct listing_entry *bigger = realloc(l->entries, capacity * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		l->entries = bigger;
		l->capacity = capacity;
	}
	copy.name = keep_text(l, entry->name);
	if (entry->target)
		copy.target = keep_text(l, entry->target);
	if (!copy.name || (entry->target && !copy.target))
		return -ENOMEM;
	l->entries[l->n_entries++] = copy;
	return 0;
}

static void listing_free(struct core *core, struct listing *l)
{
	for (struct chunk *chunk = l->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	for (struct note *note = l->notes, *next; note; note = next) {
		next = note->next;
		free(note);
	}
	for (size_t i = 0; i < l->n_locals; i++)
		free(l->locals[i].name);
	free(l->locals);
	free(l->entries);
	nameset_deinit(&l->index);
	nameset_deinit(&l->local_index);
	command_unref(core, l->cmd);
	command_unref(core, l->end);
	if (l->dir)
		node_unref(core, l->dir);
	free(l->dir_path);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct listing *listing_ref(struct listing *l)
{
	atomic_fetch_add(&l->n_refs, 1);
	return l;
}

void listing_unref(struct core *core, struct listing *l)
{
	if (l && atomic_fetch_sub(&l->n_refs, 1) == 1)
		listing_free(core, l);
}

static void waitq_ref(struct waitq *q)
{
	(void)listing_ref(container_of(q, struct listing, q));
}

static void waitq_unref(struct core *core, struct waitq *q)
{
	listing_unref(core, container_of(q, struct listing, q));
}

/* Nobody wants it any more: the session is ended when the provider has let go of the command. */
static void load_abandoned(struct core *core, struct waitq *q)
{
	struct listing *l = container_of(q, struct listing, q);
	struct command *cmd = NULL;

	pthread_mutex_lock(&l->lock);
	if (l->state == LISTING_LOADING && l->cmd)
		cmd = command_ref(core, l->cmd);
	pthread_mutex_unlock(&l->lock);
	if (cmd) {
		command_cancel(core, cmd);
		command_unref(core, cmd);
	}
}

static struct listing *listing_new(struct core *core, struct node *dir)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	waitq_init(&l->q);
	l->q.abandoned = load_abandoned;
	l->q.ref = waitq_ref;
	l->q.unref = waitq_unref;
	l->n_refs = 1;
	pthread_mutex_init(&l->lock, NULL);
	l->dir = node_ref(core, dir);
	l->is_root = !dir->parent;
	l->dir_path = node_path(core, dir);
	if (!l->dir_path) {
		listing_free(core, l);
		return NULL;
	}
	return l;
}

/* ---- what is on disk ------------------------------------------------------------------------------ */

struct collect {
	struct core *core;
	struct listing *l;
};

static int lookup_local(struct core *core, const struct listing *l, const char *name,
			struct store_item *ret)
{
	_cleanup_(freep) char *path = node_child_path(core, l->dir, name);
	_cleanup_(freep) char *origin = node_child_origin(core, l->dir, name);

	if (!path || !origin)
		return -ENOMEM;
	return store_lookup_at(core->store, path, origin, ret);
}

static int collect_local(void *context, const char *name, unsigned char type)
{
	struct collect *c = context;
	struct listing *l = c->l;
	struct local_name local = {0};

	/* The disk may name an entry twice while the directory changes. */
	if (nameset_find(&l->local_index, name) != NAMESET_NONE)
		return 0;
	/* A marker is a symbolic link on disk: only its target tells a tombstone from the user's link. */
	if (type == DT_LNK || type == DT_UNKNOWN) {
		struct store_item item = {0};

		if (lookup_local(c->core, l, name, &item) == 0)
			local.tombstone = item.state == STORE_TOMBSTONE;
		store_item_deinit(&item);
	}
	if (l->n_locals == l->locals_capacity) {
		size_t capacity = l->locals_capacity ? l->locals_capacity * 2 : 64;
		struct local_name *bigger = realloc(l->locals, capacity * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		l->locals = bigger;
		l->locals_capacity = capacity;
	}
	local.name = strdup(name);
	if (!local.name)
		return -ENOMEM;
	l->locals[l->n_locals++] = local;
	return nameset_add(&l->local_index, local.name, (uint32_t)l->n_locals - 1);
}

static int load_locals(struct core *core, struct listing *l)
{
	_cleanup_(freep) char *path = node_path(core, l->dir);
	struct collect c = {.core = core, .l = l};

	return path ? store_list(core->store, path, collect_local, &c) : -ENOMEM;
}

/* ---- merge ------------------------------------------------------------------------------------------ */

static int order(struct core *core, const char *a, const char *b)
{
	return core->config.order == CORE_ORDER_BYTES ? strcmp(a, b) : name_order(a, b);
}

static int build_index(struct listing *l)
{
	for (size_t i = 0; i < l->n_entries; i++) {
		int r = nameset_add(&l->index, l->entries[i].name, (uint32_t)i);

		if (r < 0 && r != -EEXIST)
			return r;
	}
	l->indexed = true;
	return 0;
}

static void report_fault(struct core *core, struct listing *l, const char *what, const char *name)
{
	if (COUNT(core, listing_faults) == 0)
		log_warning("listing of \"%s\": the provider gave \"%s\" %s; "
			    "further mistakes of this kind are only counted", l->dir_path, name, what);
}

/*
 * Is @name new?  While the provider keeps to the order, comparing with the entry before is enough; after the first
 * disorder every name is remembered. 1: new, 0: not, or a negative errno.
 */
static int is_new_name(struct core *core, struct listing *l, const char *name)
{
	const char *last = l->n_entries ? l->entries[l->n_entries - 1].name : NULL;
	int r;

	if (!l->indexed && last && core->config.order != CORE_ORDER_NONE &&
	    order(core, last, name) < 0)
		return 1;
	if (!last)
		return 1;
	if (!l->indexed) {
		if (core->config.order != CORE_ORDER_NONE && strcmp(last, name) != 0)
			report_fault(core, l, "out of order", name);
		r = build_index(l);
		if (r < 0)
			return r;
	}
	if (nameset_find(&l->index, name) == NAMESET_NONE)
		return 1;
	report_fault(core, l, "twice", name);
	return 0;
}

/* 1: a name that the provider had not given yet, 0: it had, or a negative errno. */
static int merge_entry(struct core *core, struct listing *l, struct listing_entry *entry)
{
	uint32_t local = nameset_find(&l->local_index, entry->name);
	int r = is_new_name(core, l, entry->name);

	if (r <= 0)
		return r;
	if (l->is_root && !strcmp(entry->name, STORE_PRIVATE)) {
		report_fault(core, l, "which is projfs's own", entry->name);
		return 1;
	}
	if (local != NAMESET_NONE) {
		l->locals[local].seen = true;
		entry->removed = l->locals[local].tombstone;
		entry->local = !entry->removed;
	}
	r = append(l, entry);
	if (r == 0 && l->indexed)
		r = nameset_add(&l->index, l->entries[l->n_entries - 1].name,
				(uint32_t)l->n_entries - 1);
	return r < 0 ? r : 1;
}

/*
 * Something on disk that the provider did not list.  A local item of the user's is shown.  What is only cache, from
 * an earlier instance, and has not been compared with the provider yet is not: a look-up would remove it.
 */
static bool show_unlisted(struct core *core, struct listing *l, const char *name)
{
	struct store_item item = {0};
	struct record rec;
	struct node *node;
	bool cache;

	if (!core->config.revalidate || !l->started)
		return true;
	if (lookup_local(core, l, name, &item) < 0)
		return true;
	cache = item.state == STORE_HYDRATED || item.state == STORE_PLACEHOLDER ||
		item.state == STORE_DIRECTORY;
	if (cache && item.rec.size && record_decode(item.rec.data, item.rec.size, &rec) == 0)
		cache = !(rec.flags & (RECORD_FLAG_DIRTY | RECORD_FLAG_ADOPTED | RECORD_FLAG_RENAMED |
				       RECORD_FLAG_OPAQUE));
	store_item_deinit(&item);
	node = cache ? node_find(core, l->dir, name) : NULL;
	if (node) {
		node_lock(core, node);
		cache = node->state == NODE_UNKNOWN || (node->flags & NODE_REVALIDATE);
		node_unlock(core, node);
		node_unref(core, node);
	}
	return !cache;
}

struct by_order {
	struct core *core;
};

static int compare_locals(const void *a, const void *b, void *arg)
{
	const struct by_order *by = arg;

	return order(by->core, ((const struct local_name *)a)->name,
		     ((const struct local_name *)b)->name);
}

/* The local items that the provider does not have, into their places. */
static int merge_locals(struct core *core, struct listing *l)
{
	struct by_order by = {.core = core};
	struct listing_entry *merged;
	size_t n_merged = 0, next = 0, n_extra = 0;
	size_t n_provider = l->n_entries;
	int r;

	if (!l->n_locals)
		return 0;
	/* The index points into the array that is about to be sorted; it has done its work. */
	nameset_deinit(&l->local_index);
	qsort_r(l->locals, l->n_locals, sizeof(*l->locals), compare_locals, &by);
	for (size_t i = 0; i < l->n_locals; i++) {
		struct local_name *local = &l->locals[i];
		struct listing_entry entry = {.name = local->name, .local = true};

		if (local->seen || local->tombstone || !show_unlisted(core, l, local->name))
			continue;
		r = append(l, &entry);
		if (r < 0)
			return r;
		n_extra++;
	}
	if (!n_extra || !n_provider)
		return 0;
	merged = malloc(l->n_entries * sizeof(*merged));
	if (!merged)
		return -ENOMEM;
	for (size_t i = n_provider; i < l->n_entries; i++) {
		while (next < n_provider &&
		       order(core, l->entries[next].name, l->entries[i].name) < 0)
			merged[n_merged++] = l->entries[next++];
		merged[n_merged++] = l->entries[i];
	}
	while (next < n_provider)
		merged[n_merged++] = l->entries[next++];
	free(l->entries);
	l->entries = merged;
	l->capacity = l->n_entries;
	nameset_deinit(&l->index);
	l->indexed = false;
	return 0;
}

/* ---- users' changes ------------------------------------------------------------------------------------- */

/* The caller holds the lock of a complete listing, or is the only one who knows it. */
static int apply_change(struct listing *l, const char *name, enum listing_change change)
{
	struct listing_entry entry = {.name = name, .local = true};
	uint32_t at = nameset_find(&l->index, name);
	struct listing_entry *e;
	int r;

	if (at == NAMESET_NONE) {
		if (change != LISTING_LOCAL)
			return 0;
		r = append(l, &entry);
		return r < 0 ? r : nameset_add(&l->index, l->entries[l->n_entries - 1].name,
					       (uint32_t)l->n_entries - 1);
	}
	e = &l->entries[at];
	e->local = change == LISTING_LOCAL;
	e->removed = change == LISTING_REMOVED || (change == LISTING_RESTORED && !e->kind);
	return 0;
}

static int apply_notes(struct listing *l)
{
	struct note *oldest = NULL;
	int r = 0;

	for (struct note *note = l->notes, *next; note; note = next) {
		next = note->next;
		note->next = oldest;
		oldest = note;
	}
	l->notes = oldest;
	for (struct note *note = oldest; note && r == 0; note = note->next)
		r = apply_change(l, note->name, note->change);
	return r;
}

static int keep_note(struct listing *l, const char *name, enum listing_change change)
{
	struct note *note = malloc(sizeof(*note) + strlen(name) + 1);

	if (!note)
		return -ENOMEM;
	note->change = change;
	strcpy(note->name, name);
	note->next = l->notes;
	l->notes = note;
	return 0;
}

void listing_note(struct core *core, struct node *dir, const char *name,
		  enum listing_change change)
{
	struct listing *l = NULL;
	int r = 0;

	if (!core->config.stable_view)
		return;
	node_lock(core, dir);
	if (S_ISDIR(dir->mode) && dir->listing)
		l = listing_ref(dir->listing);
	node_unlock(core, dir);
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	if (l->state == LISTING_LOADING)
		r = keep_note(l, name, change);
	else if (l->state == LISTING_COMPLETE)
		r = apply_change(l, name, change);
	/* Without memory for it: a listing that lacks something must not be used. */
	if (r < 0) {
		l->state = LISTING_FAILED;
		l->error = r;
	}
	pthread_mutex_unlock(&l->lock);
	listing_unref(core, l);
}

/* The complete listing that @dir keeps, locked and referenced, or NULL. */
static struct listing *lock_complete(struct core *core, struct node *dir)
{
	struct listing *l = NULL;

	if (!core->config.stable_view)
		return NULL;
	node_lock(core, dir);
	if (S_ISDIR(dir->mode) && dir->listing)
		l = listing_ref(dir->listing);
	node_unlock(core, dir);
	if (!l)
		return NULL;
	pthread_mutex_lock(&l->lock);
	if (l->state == LISTING_COMPLETE)
		return l;
	pthread_mutex_unlock(&l->lock);
	listing_unref(core, l);
	return NULL;
}

static void unlock(struct core *core, struct listing *l)
{
	pthread_mutex_unlock(&l->lock);
	listing_unref(core, l);
}

int listing_base(struct core *core, struct node *dir, const char *name)
{
	struct listing *l = lock_complete(core, dir);
	uint32_t at;
	int r;

	if (!l)
		return -ENODATA;
	at = nameset_find(&l->index, name);
	r = at != NAMESET_NONE && l->entries[at].kind != 0;
	unlock(core, l);
	return r;
}

/* ---- the session --------------------------------------------------------------------------------------- */

static void loaded(struct core *core, struct listing *l, int error)
{
	struct command *cmd, *end;
	struct node *dir;

	tree_read(core);
	if (error == 0)
		error = merge_locals(core, l);
	tree_unlock(core);
	if (error == 0 && core->config.stable_view && !l->indexed)
		error = build_index(l);
	pthread_mutex_lock(&l->lock);
	if (error == 0)
		error = apply_notes(l);
	dir = steal_ptr(&l->dir);
	cmd = steal_ptr(&l->cmd); /* commands hold their listing */
	end = steal_ptr(&l->end); /* and their directory, which may hold this */
	l->state = error < 0 ? LISTING_FAILED : LISTING_COMPLETE;
	l->error = error;
	pthread_mutex_unlock(&l->lock);
	/* Who wanted what was cancelled has gone; who came just then loads it again. */
	wait_wake(core, &l->q, error == -ECANCELED ? 0 : error);
	node_unref(core, dir);
	command_unref(core, cmd);
	command_unref(core, end);
}

/* Takes over the reference to @cmd. */
static int send_command(struct core *core, struct listing *l, struct command *cmd,
			void (*finished)(struct core *core, struct command *cmd, int error))
{
	struct command *former;
	int r;

	cmd->listing = listing_ref(l);
	cmd->finished = finished;
	memcpy(cmd->session_id, l->session_id, sizeof(cmd->session_id));
	pthread_mutex_lock(&l->lock);
	former = l->cmd;
	l->cmd = command_ref(core, cmd);
	pthread_mutex_unlock(&l->lock);
	if (former)
		command_unref(core, former);
	r = command_submit(core, cmd);
	command_unref(core, cmd);
	return r == -EBUSY ? -EIO : r;
}

static int send(struct core *core, struct listing *l, enum command_kind kind,
		void (*finished)(struct core *core, struct command *cmd, int error))
{
	struct command *cmd = command_new(core, kind, l->dir);

	if (!cmd)
		return -ENOMEM;
	if (kind == COMMAND_GET_ENUM) {
		cmd->restart = !l->restarted;
		l->restarted = true;
		cmd->buffer = dir_buffer_new();
		if (!cmd->buffer) {
			command_unref(core, cmd);
			return -ENOMEM;
		}
	}
	return send_command(core, l, cmd, finished);
}

static void end_finished(struct core *core, struct command *cmd, int error)
{
	(void)cmd;
	(void)error; /* the listing is over, it has no addressee */
	atomic_fetch_sub(&core->n_open_listings, 1);
}

static void end_session(struct core *core, struct listing *l, int error)
{
	if (send_command(core, l, steal_ptr(&l->end), end_finished) < 0)
		atomic_fetch_sub(&core->n_open_listings, 1);
	loaded(core, l, error);
}

static void get_finished(struct core *core, struct command *cmd, int error)
{
	struct listing *l = cmd->listing;
	size_t n = error < 0 ? 0 : dir_buffer_count(cmd->buffer), n_new = 0;
	int r = error;

	tree_read(core);
	COUNT_ADD(core, listing_entries, n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct listing_entry entry = dir_buffer_at(cmd->buffer, i);

		r = merge_entry(core, l, &entry);
		n_new += r > 0;
	}
	r = MIN(r, 0);
	/* A provider that gives only what it gave before would go on for ever. */
	if (r == 0 && n_new) {
		r = send(core, l, COMMAND_GET_ENUM, get_finished);
		if (r == 0) {
			tree_unlock(core);
			return;
		}
	}
	end_session(core, l, r);
	tree_unlock(core);
}

static void start_finished(struct core *core, struct command *cmd, int error)
{
	struct listing *l = cmd->listing;

	tree_read(core);
	/* The session is open, even if nobody wants it any more. */
	if (error == 0 || cmd->succeeded) {
		l->started = true;
		atomic_fetch_add(&core->n_open_listings, 1);
		if (error == 0)
			error = send(core, l, COMMAND_GET_ENUM, get_finished);
		if (error < 0)
			end_session(core, l, error);
		tree_unlock(core);
		return;
	}
	/* A directory of the user's own, or left over from an earlier view: what is on disk is all. */
	if (error == -ENOENT && l->on_disk)
		error = 0;
	loaded(core, l, error);
	tree_unlock(core);
}

static void start(struct core *core, struct core_req *req, struct listing *l)
{
	uint64_t session = atomic_fetch_add(&core->next_session, 1);
	bool projected;
	int r = 0;

	(void)req;
	memcpy(l->session_id, &session, sizeof(session));
	memcpy(l->session_id + 8, &core->session_secret, 8);
	node_lock(core, l->dir);
	l->on_disk = node_on_disk(l->dir);
	projected = node_is_projected(l->dir);
	if (l->dir->state == NODE_GONE)
		l->on_disk = projected = false; /* removed, and still open: it is empty */
	node_unlock(core, l->dir);
	if (l->on_disk)
		r = load_locals(core, l);
	if (r == 0 && projected) {
		l->end = command_new(core, COMMAND_END_ENUM, l->dir);
		r = l->end ? send(core, l, COMMAND_START_ENUM, start_finished) : -ENOMEM;
		if (r == 0)
			return;
	}
	loaded(core, l, r);
}

/* -ECANCELED: what was being loaded was given up just now. */
static int load_once(struct core *core, struct core_req *req, struct node *dir, struct listing **slot,
		     struct listing **ret)
{
	struct listing *l, *fresh = NULL, *failed = NULL;
	int r;

	node_lock(core, dir);
	l = *slot ? listing_ref(*slot) : NULL;
	node_unlock(core, dir);
	if (l) {
		pthread_mutex_lock(&l->lock);
		if (l->state == LISTING_FAILED)
			failed = l;
		pthread_mutex_unlock(&l->lock);
	}
	if (!l || failed) {
		fresh = listing_new(core, dir);
		if (!fresh) {
			listing_unref(core, l);
			return -ENOMEM;
		}
		node_lock(core, dir);
		if (!*slot || *slot == failed) {
			struct listing *former = *slot;

			*slot = listing_ref(fresh);
			node_unlock(core, dir);
			listing_unref(core, former);
			listing_unref(core, l);
			l = listing_ref(fresh);
			start(core, req, l);
		} else {
			struct listing *other = listing_ref(*slot);

			node_unlock(core, dir);
			listing_unref(core, l);
			l = other;
		}
		listing_unref(core, fresh);
	}
	pthread_mutex_lock(&l->lock);
	switch (l->state) {
	case LISTING_COMPLETE:
		r = 0;
		break;
	case LISTING_FAILED:
		r = l->error; /* between the look above and here: the next call tries again */
		break;
	default:
		r = wait_park(core, &l->q, req);
		break;
	}
	pthread_mutex_unlock(&l->lock);
	if (r == 0)
		*ret = l;
	else
		listing_unref(core, l);
	return r;
}

int listing_load(struct core *core, struct core_req *req, struct node *dir, struct listing **slot,
		 struct listing **ret)
{
	int r;

	do {
		r = load_once(core, req, dir, slot, ret);
	} while (r == -ECANCELED);
	return r;
}

/* ---- reading it -------------------------------------------------------------------------------------------- */

bool listing_get(struct listing *l, size_t index, struct listing_entry *ret)
{
	bool found;

	pthread_mutex_lock(&l->lock);
	found = index < l->n_entries;
	if (found)
		*ret = l->entries[index]; /* its strings stay where they are */
	pthread_mutex_unlock(&l->lock);
	return found;
}

bool listing_is_empty(struct listing *l)
{
	bool empty = true;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n_entries && empty; i++)
		empty = l->entries[i].removed;
	pthread_mutex_unlock(&l->lock);
	return empty;
}

static void entry_record(const struct listing_entry *e, struct record *ret)
{
	*ret = (struct record){
		.kind = e->kind,
		.fields = e->fields & (RECORD_SIZE | RECORD_MODE | RECORD_OWNER | RECORD_MTIME |
				       RECORD_CTIME | RECORD_ATIME | RECORD_ATTRIBUTES | RECORD_TARGET),
		.size = e->size,
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.mtime = e->mtime,
		.ctime = e->ctime,
		.atime = e->atime,
		.attributes = e->attributes,
	};
	if (e->target)
		ret->target = (struct record_bytes){(const uint8_t *)e->target, strlen(e->target)};
}

/* The caller holds node_lock(). Virtual nodes take what the newest listing says. */
static int update_virtual(struct core *core, struct node *node, const struct record *rec)
{
	if (rec->fields & RECORD_TARGET) {
		int r = node_set_record(node, rec);

		if (r < 0)
			return r;
	}
	node_apply_record(core, node, rec);
	node->state = NODE_VIRTUAL;
	node->checked_ms = clock_now_ms();
	return 0;
}

struct node *listing_make_node(struct core *core, struct node *dir, const struct listing_entry *e)
{
	_cleanup_(freep) char *origin = NULL;
	struct record rec;
	struct node *node;
	bool is_new, other_type;

	entry_record(e, &rec);
	node = node_find_or_new(core, dir, e->name, &is_new);
	if (!node)
		return NULL;
	if (is_new) {
		origin = node_origin(core, node);
		if (!origin) {
			node_unref(core, node);
			return NULL;
		}
	}
	node_lock(core, node);
	if (is_new) {
		node->ino = projected_identity(core, origin);
		if (node->state == NODE_UNKNOWN)
			(void)update_virtual(core, node, &rec);
	}
	other_type = node->state == NODE_VIRTUAL &&
		     (S_ISDIR(node->mode) != (rec.kind == RECORD_DIRECTORY) ||
		      S_ISLNK(node->mode) != (rec.kind == RECORD_SYMLINK));
	if (node->state == NODE_VIRTUAL && !is_new && !other_type)
		(void)update_virtual(core, node, &rec);
	node_unlock(core, node);
	if (other_type) {
		node_retire(core, node);
		node_unref(core, node);
		return listing_make_node(core, dir, e);
	}
	return node;
}

int listing_find_child(struct core *core, struct node *dir, const char *name, struct node **ret)
{
	struct listing *l = lock_complete(core, dir);
	struct listing_entry entry = {0};
	uint32_t at;
	int r = 0;

	if (!l)
		return -ENODATA;
	at = nameset_find(&l->index, name);
	if (at != NAMESET_NONE)
		entry = l->entries[at];
	if (at == NAMESET_NONE || entry.removed)
		r = -ENOENT;
	else if (entry.local)
		r = -ENODATA;
	pthread_mutex_unlock(&l->lock);
	if (r == 0) {
		*ret = listing_make_node(core, dir, &entry);
		if (!*ret)
			r = -ENOMEM;
	}
	listing_unref(core, l);
	return r;
}
