/* SPDX-License-Identifier: MIT */
/*
 * From a name to a node: memory first, then the disk, then a stable view's listing, then what is known to be absent,
 * then the provider.
 * An answer in flight hangs on its node (struct node_wait), so that everybody who needs the same item waits for one
 * callback.
 */

#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/name.h"

#define ASK_MAX 64 /* callbacks for one request, before we believe that it leads nowhere */

/* Hangs on node->wait while the command is in flight. Protected by the node's lock, but for the references. */
struct node_wait {
	struct waitq q;
	atomic_uint n_refs;
	struct node *node;
	struct command *cmd;
	uint64_t generation; /* of the negative path cache, before the question; constant */
};

static void node_wait_unref(struct core *core, struct node_wait *w)
{
	if (atomic_fetch_sub(&w->n_refs, 1) != 1)
		return;
	node_unref(core, w->node);
	command_unref(core, w->cmd);
	free(w);
}

static void waitq_ref(struct waitq *q)
{
	atomic_fetch_add(&container_of(q, struct node_wait, q)->n_refs, 1);
}

static void waitq_unref(struct core *core, struct waitq *q)
{
	node_wait_unref(core, container_of(q, struct node_wait, q));
}

/* Nobody waits any more: tell the provider, and let the next one ask anew. */
static void ask_abandoned(struct core *core, struct waitq *q)
{
	struct node_wait *w = container_of(q, struct node_wait, q);
	struct node *node = w->node;
	bool mine, unknown;

	node_lock(core, node);
	pthread_mutex_lock(&core->wait.lock);
	mine = node->wait == w && list_empty(&q->waiters);
	pthread_mutex_unlock(&core->wait.lock);
	if (mine)
		node->wait = NULL;
	unknown = node->state == NODE_UNKNOWN;
	node_unlock(core, node);
	if (!mine)
		return;
	if (unknown)
		node_retire(core, node);
	command_cancel(core, w->cmd);
	node_wait_unref(core, w);
}

/* The answer to @cmd has been taken in: those who waited for it go on. */
static void ask_ended(struct core *core, struct command *cmd, int error)
{
	struct node *node = cmd->node;
	struct node_wait *w;
	bool unknown;

	node_lock(core, node);
	unknown = node->state == NODE_UNKNOWN;
	w = node->wait && node->wait->cmd == cmd ? node->wait : NULL;
	if (w)
		node->wait = NULL;
	node_unlock(core, node);
	if (!w)
		return; /* abandoned */
	if (unknown)
		node_retire(core, node);
	wait_wake(core, &w->q, error);
	node_wait_unref(core, w);
}

/* Before the name is free again, so that who comes then does not ask anew. */
static void note_absent(struct core *core, struct command *cmd)
{
	struct node *node = cmd->node;
	uint64_t generation = 0;
	bool awaited;

	node_lock(core, node);
	awaited = node->wait && node->wait->cmd == cmd;
	if (awaited)
		generation = node->wait->generation;
	node_unlock(core, node);
	if (awaited)
		negative_add(core, cmd->path, generation);
}

static void ask_finished(struct core *core, struct command *cmd, int error)
{
	struct node *node = cmd->node;
	_cleanup_(freep) uint8_t *answer = NULL;
	struct record rec;
	size_t size;

	node_lock(core, node);
	answer = steal_ptr(&cmd->answer);
	size = cmd->answer_size;
	node_unlock(core, node);

	if (error == -ENOENT)
		note_absent(core, cmd);
	if (error == 0 && (!answer || record_decode(answer, size, &rec) < 0)) {
		log_warning("get_placeholder_info of \"%s\" returned success without prj_write_placeholder_info(): "
			    "reported as EIO", cmd->path);
		COUNT(core, provider_faults);
		error = -EIO;
	}
	if (error == 0 || error == -ENOENT) {
		lock_to_describe(core, node);
		if (error == 0) {
			error = node_describe(core, node, &rec);
			if (error == -ESTALE)
				error = node_describe_replacement(core, node, &rec);
		} else {
			error = node_vanished(core, node);
		}
		tree_unlock(core);
	}
	ask_ended(core, cmd, error);
}

/* Yes or no: of what it is nothing was said. */
static void query_finished(struct core *core, struct command *cmd, int error)
{
	struct node *node = cmd->node;

	node_lock(core, node);
	if (error == 0)
		node->state = NODE_VIRTUAL;
	node_unlock(core, node);
	ask_ended(core, cmd, error);
}

static struct node_wait *node_wait_new(struct core *core, struct core_req *req, struct node *node,
				       enum command_kind kind)
{
	struct node_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	waitq_init(&w->q);
	w->q.abandoned = ask_abandoned;
	w->q.ref = waitq_ref;
	w->q.unref = waitq_unref;
	w->n_refs = 1;
	w->node = node_ref(core, node);
	w->cmd = command_new(core, kind, node);
	if (!w->cmd) {
		node_wait_unref(core, w);
		return NULL;
	}
	w->generation = negative_generation(core, w->cmd->path);
	w->cmd->finished = kind == COMMAND_QUERY_NAME ? query_finished : ask_finished;
	w->cmd->pid = req->pid;
	w->cmd->uid = req->uid;
	return w;
}

/* Whoever finds a new node first gives it its identity. */
static int identify(struct core *core, struct node *node)
{
	_cleanup_(freep) char *origin = NULL;
	bool known;

	node_lock(core, node);
	known = node->ino != 0;
	node_unlock(core, node);
	if (known)
		return 0;
	origin = node_origin(core, node);
	if (!origin)
		return -ENOMEM;
	node_lock(core, node);
	if (!node->ino)
		node->ino = projected_identity(core, origin);
	node_unlock(core, node);
	return 0;
}

/* What a request needs to know of a node. The caller holds node_lock(). */
typedef bool known_enough(struct core *core, const struct core_req *req, const struct node *node);

/* Ask the provider about @node, or join those who wait for its answer.  0: there is nothing to ask. */
static int ask(struct core *core, struct core_req *req, struct node *node, enum command_kind kind,
	       known_enough *enough)
{
	struct node_wait *fresh;
	bool known;
	int r;

	node_lock(core, node);
	known = enough(core, req, node);
	node_unlock(core, node);
	if (known)
		return 0;
	if (++req->op.n_asked > ASK_MAX)
		return -EIO;
	r = identify(core, node);
	if (r < 0)
		return r;
	fresh = node_wait_new(core, req, node, kind);
	if (!fresh)
		return -ENOMEM;
	node_lock(core, node);
	if (enough(core, req, node)) { /* an answer came meanwhile */
		node_unlock(core, node);
		node_wait_unref(core, fresh);
		return 0;
	}
	req->op.asked_id = node->id;
	if (!node->wait) {
		r = command_submit(core, fresh->cmd);
		if (r < 0) {
			node_unlock(core, node);
			node_wait_unref(core, fresh);
			return r == -EBUSY ? -EIO : r;
		}
		node->wait = steal_ptr(&fresh);
	}
	r = wait_park(core, &node->wait->q, req);
	node_unlock(core, node);
	if (fresh)
		node_wait_unref(core, fresh);
	return r;
}

bool node_is_fresh(struct core *core, const struct node *node)
{
	if (node->flags & (NODE_REVALIDATE | NODE_ASK_AGAIN))
		return node->state == NODE_GONE;
	switch (node->state) {
	case NODE_UNKNOWN:
		return false;
	case NODE_VIRTUAL:
		if (node->flags & NODE_SIZE_UNKNOWN)
			return false;
		/* fall through */
	case NODE_PLACEHOLDER:
		return core->config.stable_view || (node->flags & (NODE_DIRTY | NODE_RENAMED)) ||
		       clock_now_ms() - node->checked_ms < core->config.placeholder_timeout_ms;
	default:
		return true;
	}
}

uint64_t node_valid_ms(struct core *core, const struct node *node)
{
	uint64_t age;

	if (core->config.stable_view)
		return CORE_FOREVER;
	switch (node->state) {
	case NODE_HYDRATED:
	case NODE_LOCAL:
	case NODE_DIRECTORY:
		return CORE_FOREVER;
	default:
		if (node->flags & (NODE_DIRTY | NODE_RENAMED))
			return CORE_FOREVER;
		age = clock_now_ms() - node->checked_ms;
		return age < core->config.placeholder_timeout_ms
			       ? core->config.placeholder_timeout_ms - age : 0;
	}
}

void node_entry(struct core *core, struct node *node, struct core_entry *ret)
{
	ret->node_id = node->id;
	ret->entry_valid_ms = node_valid_ms(core, node);
	ret->attr_valid_ms = ret->entry_valid_ms;
	node_attr(node, &ret->attr);
}

/* ASK_AGAIN outdates the answer that this very request may have got before. */
static bool is_described_freshly(struct core *core, const struct core_req *req, const struct node *node)
{
	return node->state != NODE_VIRTUAL && node->state != NODE_UNKNOWN &&
	       (node_is_fresh(core, node) ||
		(req->op.asked_id == node->id && !(node->flags & NODE_ASK_AGAIN)));
}

int resolve_fresh(struct core *core, struct core_req *req, struct node *node)
{
	return ask(core, req, node, COMMAND_PLACEHOLDER, is_described_freshly);
}

static bool is_usable(struct core *core, const struct core_req *req, const struct node *node)
{
	return node_is_fresh(core, node) ||
	       (req->op.asked_id == node->id && node->state != NODE_UNKNOWN);
}

int resolve_usable(struct core *core, struct core_req *req, struct node *node)
{
	bool size_unknown;
	int r = ask(core, req, node, COMMAND_PLACEHOLDER, is_usable);

	if (r != 0)
		return r;
	node_lock(core, node);
	size_unknown = node->state == NODE_PLACEHOLDER && (node->flags & NODE_SIZE_UNKNOWN);
	node_unlock(core, node);
	return size_unknown ? op_hydrate_node(core, req, node) : 0;
}

static bool is_described(struct core *core, const struct core_req *req, const struct node *node)
{
	return node->state != NODE_VIRTUAL && node->state != NODE_UNKNOWN;
}

int resolve_described(struct core *core, struct core_req *req, struct node *node)
{
	return ask(core, req, node, COMMAND_PLACEHOLDER, is_described);
}

static bool is_told(struct core *core, const struct core_req *req, const struct node *node)
{
	return node->state != NODE_UNKNOWN;
}

int resolve_existence(struct core *core, struct core_req *req, struct node *node)
{
	return ask(core, req, node, COMMAND_QUERY_NAME, is_told);
}

static uint16_t flags_of_record(const struct record *rec)
{
	uint16_t flags = 0;

	if (rec->flags & RECORD_FLAG_DIRTY)
		flags |= NODE_DIRTY;
	if (rec->flags & RECORD_FLAG_ADOPTED)
		flags |= NODE_ADOPTED;
	if (rec->flags & RECORD_FLAG_OPAQUE)
		flags |= NODE_OPAQUE;
	if (rec->flags & RECORD_FLAG_RENAMED)
		flags |= NODE_RENAMED;
	return flags;
}

static enum node_state state_of_item(const struct store_item *item, const struct record *rec)
{
	switch (item->state) {
	case STORE_HYDRATED:
		return NODE_HYDRATED;
	case STORE_DIRECTORY:
		return rec->flags & RECORD_FLAG_OPAQUE ? NODE_LOCAL : NODE_DIRECTORY;
	case STORE_PLACEHOLDER:
		return NODE_PLACEHOLDER;
	default:
		return NODE_LOCAL;
	}
}

void node_init_from_item(struct core *core, struct node *node, const struct store_item *item)
{
	struct record rec = {0};
	bool has_rec = item->rec.size && record_decode(item->rec.data, item->rec.size, &rec) == 0;

	if (!has_rec)
		rec = (struct record){0};
	node->ino = item->identity ? item->identity : item->st.st_ino;
	node->state = state_of_item(item, &rec);
	node->flags &= (uint16_t) ~(NODE_DIRTY | NODE_ADOPTED | NODE_OPAQUE | NODE_RENAMED |
				    NODE_REVALIDATE | NODE_YOUNG);
	if (has_rec && node->state != NODE_LOCAL) {
		(void)node_set_record(node, &rec);
		node->flags |= flags_of_record(&rec);
		if (core->config.revalidate)
			node->flags |= NODE_REVALIDATE;
	} else if (has_rec) {
		if (rec.fields & RECORD_EPOCH)
			node->flags |= NODE_YOUNG;
		if (rec.flags & RECORD_FLAG_OPAQUE)
			node->flags |= NODE_OPAQUE;
	}
	if (item->meta_differs)
		node->flags |= NODE_DIRTY;
	node_apply_item(core, node, item);
}

/* Was it renamed, and back? The caller holds node_lock(). */
static bool is_at_origin(const struct node *node, const char *origin)
{
	struct record rec;

	return node_get_record(node, &rec) && (rec.fields & RECORD_ORIGIN) &&
	       rec.origin.size == strlen(origin) &&
	       memcmp(rec.origin.data, origin, rec.origin.size) == 0;
}

/* It is about to have a name again. */
static void drop_hidden_name(struct core *core, struct node *node)
{
	bool hidden;

	node_lock(core, node);
	hidden = node->flags & NODE_HIDDEN;
	node->flags &= (uint16_t)~NODE_HIDDEN;
	node_unlock(core, node);
	if (hidden)
		store_drop_hidden(core->store, node->name);
}

/* The node of that name: of a file with several names it is the one that others have, too. */
static struct node *node_of_item(struct core *core, struct node *parent, const char *name,
				 const char *origin, const struct store_item *item)
{
	bool several = item->state == STORE_LOCAL && !S_ISDIR(item->st.st_mode) &&
		       item->st.st_nlink > 1, is_new;
	struct node *node = several ? node_find_inode(core, item->st.st_ino) : NULL;

	if (node) {
		drop_hidden_name(core, node);
		if (node_add_name(core, node, parent, name) < 0) {
			node_unref(core, node);
			return NULL;
		}
		node_lock(core, node);
		/* A link or fifo that lost the last name that was known here. */
		if (node->state == NODE_GONE)
			node_init_from_item(core, node, item);
		else
			node_apply_stat(node, &item->st);
		node->flags &= (uint16_t)~NODE_UNLINKED;
		node_unlock(core, node);
		return node;
	}
	node = node_find_or_new(core, parent, name, &is_new);
	if (!node)
		return NULL;
	node_lock(core, node);
	if (is_new) {
		node_init_from_item(core, node, item);
		if (is_at_origin(node, origin))
			node->flags &= (uint16_t)~NODE_RENAMED;
	}
	node_unlock(core, node);
	if (several)
		node_register_inode(core, node, item->st.st_ino);
	return node;
}

int resolve_local(struct core *core, struct node *parent, const char *name, struct node **ret)
{
	_cleanup_(freep) char *path = NULL, *origin = NULL;
	struct store_item item = {0};
	bool on_disk;
	int r;

	node_lock(core, parent);
	on_disk = node_on_disk(parent);
	node_unlock(core, parent);
	if (!on_disk)
		return -ENODATA;
	path = node_child_path(core, parent, name);
	origin = node_child_origin(core, parent, name);
	if (!path || !origin)
		return -ENOMEM;
	r = store_lookup_at(core->store, path, origin, &item);
	if (r < 0)
		return r;
	switch (item.state) {
	case STORE_NONE:
		r = -ENODATA;
		break;
	case STORE_TOMBSTONE:
		r = -ENOENT;
		break;
	case STORE_DAMAGED:
		log_error("look-up of \"%s\": its record on disk is damaged or of a newer projfs; "
			  "the item is reported as EIO and left alone: see projfs fsck", path);
		r = -EIO;
		break;
	default:
		*ret = node_of_item(core, parent, name, origin, &item);
		r = *ret ? 0 : -ENOMEM;
		break;
	}
	store_item_deinit(&item);
	return r;
}

int resolve_known(struct core *core, struct node *parent, const char *name, struct node **ret)
{
	int r = -ENODATA;

	if (!node_is_dir(parent))
		return -ENOTDIR;
	*ret = node_find(core, parent, name);
	if (!*ret)
		r = resolve_local(core, parent, name, ret);
	return *ret ? 0 : r == -ENODATA ? -ENOENT : r;
}

int resolve_child(struct core *core, struct core_req *req, struct node *parent, const char *name,
		  struct node **ret)
{
	struct node *child;
	bool projected, is_new;
	int r;

	if (!name_is_valid(name, strlen(name)))
		return strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : -ENOENT;
	if (!node_is_dir(parent))
		return -ENOTDIR;
	if (!parent->parent && !strcmp(name, STORE_PRIVATE))
		return -ENOENT;
	child = node_find(core, parent, name);
	if (child) {
		r = node_refresh(core, child);
		if (r < 0) {
			node_unref(core, child);
			return r;
		}
	} else {
		r = resolve_local(core, parent, name, &child);
		if (r < 0 && r != -ENODATA)
			return r;
	}
	if (!child) {
		node_lock(core, parent);
		projected = node_is_projected(parent) && parent->state != NODE_GONE;
		node_unlock(core, parent);
		if (!projected)
			return -ENOENT;
		r = listing_find_child(core, parent, name, &child);
		if (r < 0 && r != -ENODATA)
			return r;
	}
	if (!child) {
		if (negative_knows(core, parent, name)) {
			COUNT(core, negative_hits);
			return -ENOENT;
		}
		child = node_find_or_new(core, parent, name, &is_new);
		if (!child)
			return -ENOMEM;
	}
	r = resolve_usable(core, req, child);
	if (r != 0)
		node_unref(core, child);
	else
		*ret = child;
	return r;
}
