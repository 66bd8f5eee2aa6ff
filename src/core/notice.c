/* SPDX-License-Identifier: MIT */
#include "core/notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/change.h"
#include "core/internal.h"
#include "core/opened.h"
#include "core/process.h"
#include "util/clock.h"
#include "util/log.h"

#define TELLS_MAX 2
/* In a request's list of what was agreed to: the second rename of an exchange. */
#define AGREED_SECOND (1u << 31)

#define TRACKING                                                                                   \
	(CORE_EVENT_OPENED | CORE_EVENT_OVERWRITTEN | CORE_EVENT_CLOSED |                          \
	 CORE_EVENT_CLOSED_MODIFIED | CORE_EVENT_CLOSED_DELETED | CORE_EVENT_PRE_CONVERT)
#define REPLY_MAY_HAVE_MASK                                                                        \
	(CORE_EVENT_OPENED | CORE_EVENT_CREATED | CORE_EVENT_OVERWRITTEN | CORE_EVENT_RENAMED)

/* Something that the provider is asked, or told, and that requests wait for. */
struct notice {
	struct waitq q;
	atomic_uint n_refs;
	/* Protected by notices.lock. */
	struct command *commands[TELLS_MAX]; /* referenced; not finished yet */
	unsigned n_left;
	int error;
	struct list link; /* a conversion: in notices.conversions */
	/* Constant. */
	struct node *node;    /* referenced; of a conversion */
	uint32_t agreed;      /* what the waiters note when the provider agrees; 0: they were told */
};

/* What hangs on a request. */
struct op_notices {
	uint32_t agreed;
	bool told;              /* the work is done: whatever the provider answers now */
	struct notice *tells;   /* referenced; what is told, or NULL */
	int untold;             /* why something of it could not be told, or 0 */
	struct handle *opened;  /* what to undo when an open is refused */
};

bool notice_is_fact(uint32_t event)
{
	return !(event & (CORE_EVENT_PRE_DELETE | CORE_EVENT_PRE_RENAME | CORE_EVENT_PRE_LINK |
			  CORE_EVENT_PRE_CONVERT | CORE_EVENT_OPENED));
}

/* ---- masks ---------------------------------------------------------------------------------------- */

static int by_root(const void *a, const void *b)
{
	const struct core_mapping *x = a, *y = b;

	return strcmp(x->root, y->root);
}

static uint32_t effective(uint32_t mask)
{
	return mask & CORE_EVENT_SUPPRESS ? 0 : mask;
}

int notices_init(struct notices *n, const struct core_config *config)
{
	uint32_t wanted = 0;

	pthread_mutex_init(&n->lock, NULL);
	list_init(&n->conversions);
	n->mappings = calloc(config->n_mappings + 1, sizeof(*n->mappings));
	if (!n->mappings)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_mappings; i++) {
		struct core_mapping *m = &n->mappings[n->n_mappings];

		m->mask = config->mappings[i].mask;
		m->root = strdup(config->mappings[i].root);
		if (!m->root)
			return -ENOMEM;
		n->n_mappings++;
		wanted |= effective(m->mask);
	}
	qsort(n->mappings, n->n_mappings, sizeof(*n->mappings), by_root);
	atomic_store(&n->wanted, wanted);
	n->tracks_opens = wanted & TRACKING;
	return 0;
}

void notices_deinit(struct notices *n)
{
	for (size_t i = 0; i < n->n_mappings; i++)
		free((char *)n->mappings[i].root);
	free(n->mappings);
	pthread_mutex_destroy(&n->lock);
}

static const struct core_mapping *find_mapping(const struct notices *n, const char *root)
{
	const struct core_mapping key = {.root = root};

	return bsearch(&key, n->mappings, n->n_mappings, sizeof(key), by_root);
}

/* What the deepest mapping that covers @path says; 0: none covers it. */
static uint32_t mapped_mask(const struct notices *n, const char *path)
{
	char above[PATH_MAX];
	const struct core_mapping *m;
	size_t length = strlen(path);

	if (length >= sizeof(above))
		return 0;
	memcpy(above, path, length + 1);
	while (!(m = find_mapping(n, above)) && *above) {
		char *slash = strrchr(above, '/');

		*(slash ? slash : above) = '\0';
	}
	return m ? m->mask : 0;
}

/* What holds for @path: an answer about the open file, else the mappings. */
static uint32_t mask_of(struct core *core, const struct node *node, const char *path)
{
	uint32_t mask = opened_mask(core, node);

	return mask == CORE_MASK_UNCHANGED ? mapped_mask(&core->notices, path) : mask;
}

/* Is it wanted?  @mask: what holds where it is. */
static bool is_wanted(struct core *core, const struct notice_about *about, const char *path, uint32_t mask)
{
	uint32_t there = about->destination ? mapped_mask(&core->notices, about->destination) : 0;
	uint32_t reply = about->destination ? opened_mask(core, about->node) : CORE_MASK_UNCHANGED;

	/* A link to a file that has no name: it comes in from outside, which is always told. */
	if (about->destination && !*path)
		return !(there & CORE_EVENT_SUPPRESS);
	/* An answer that silenced the file: wherever it goes. */
	if (reply != CORE_MASK_UNCHANGED && (reply & CORE_EVENT_SUPPRESS))
		return false;
	return (effective(mask) | effective(there)) & about->event;
}

/* Can it be wanted at all?  This is all that an instance pays whose provider wants nothing. */
static bool may_be_wanted(struct core *core, const struct notice_about *about)
{
	const struct notices *n = &core->notices;

	if (!n->n_mappings)
		return false;
	return (atomic_load_explicit(&n->wanted, memory_order_relaxed) & about->event) ||
	       (about->destination && about->path && !*about->path);
}

/* ---- notices ------------------------------------------------------------------------------------------ */

void notice_unref(struct core *core, struct notice *n)
{
	if (!n || atomic_fetch_sub(&n->n_refs, 1) != 1)
		return;
	node_unref(core, n->node);
	free(n);
}

static void waitq_ref(struct waitq *q)
{
	atomic_fetch_add(&container_of(q, struct notice, q)->n_refs, 1);
}

static void waitq_unref(struct core *core, struct waitq *q)
{
	notice_unref(core, container_of(q, struct notice, q));
}

/* Everybody who waited has given up. A question need not be answered any more; a fact must still arrive. */
static void notice_abandoned(struct core *core, struct waitq *q)
{
	struct notice *n = container_of(q, struct notice, q);
	struct command *commands[TELLS_MAX] = {0};
	bool again;

	pthread_mutex_lock(&core->notices.lock);
	pthread_mutex_lock(&core->wait.lock);
	again = !list_empty(&q->waiters); /* another operation may have joined the question since */
	pthread_mutex_unlock(&core->wait.lock);
	if (!again) {
		list_remove(&n->link);
		for (unsigned i = 0; i < TELLS_MAX; i++)
			commands[i] = steal_ptr(&n->commands[i]);
	}
	pthread_mutex_unlock(&core->notices.lock);
	for (unsigned i = 0; i < TELLS_MAX; i++) {
		if (commands[i] && !notice_is_fact(commands[i]->event))
			command_cancel(core, commands[i]);
		command_unref(core, commands[i]);
	}
}

/* Run under notices.lock and wait.lock for each request that is woken. */
static bool note_agreement(struct core_req *req, void *context, int *ret_result)
{
	const struct notice *n = context;

	if (n->n_left)
		return false; /* the second one has been submitted since */
	if (!n->error && req->op.notices)
		req->op.notices->agreed |= n->agreed;
	*ret_result = n->error;
	return true;
}

/* The provider agreed, whoever asked: the next one who changes the file need not ask. */
static void allow_conversion(struct core *core, struct node *node)
{
	node_lock(core, node);
	node->flags |= NODE_MAY_CONVERT;
	node_unlock(core, node);
}

/* A mask came with the answer. */
static void take_mask(struct core *core, const struct command *cmd, int error)
{
	uint32_t mask = cmd->reply_mask;

	if (error || !mask || mask == CORE_MASK_UNCHANGED || !(cmd->event & REPLY_MAY_HAVE_MASK))
		return;
	if (opened_set_mask(core, cmd->node, mask)) {
		atomic_fetch_or(&core->notices.wanted, effective(mask));
	} else if (!core->notices.tracks_opens && !atomic_exchange(&core->notices.has_warned, true)) {
		log_warning("the answer to a notification about \"%s\" has a mask, which holds until the file is "
			    "closed: it is ignored, because no mapping asks for FILE_OPENED, FILE_OVERWRITTEN, "
			    "FILE_PRE_CONVERT_TO_FULL or a closing notification, so that closes are not seen",
			    cmd->path);
	}
}

static void notice_finished(struct core *core, struct command *cmd, int error)
{
	struct notice *n = cmd->notice;
	bool last = false;

	take_mask(core, cmd, error);
	if (error < 0 && error != -ECANCELED && !notice_is_fact(cmd->event))
		COUNT(core, vetoes);
	if (!n)
		return;
	if (cmd->event == CORE_EVENT_PRE_CONVERT && error == 0)
		allow_conversion(core, n->node);
	pthread_mutex_lock(&core->notices.lock);
	for (unsigned i = 0; i < TELLS_MAX; i++) {
		if (n->commands[i] != cmd)
			continue;
		n->commands[i] = NULL;
		last = --n->n_left == 0;
		if (error < 0 && !notice_is_fact(cmd->event))
			n->error = error;
		command_unref(core, cmd); /* the caller has another reference */
	}
	if (last)
		list_remove(&n->link);
	pthread_mutex_unlock(&core->notices.lock);
	if (last)
		wait_wake_some(core, &n->q, &core->notices.lock, note_agreement, n);
}

static struct notice *notice_new(struct core *core, struct node *node, uint32_t agreed)
{
	struct notice *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	waitq_init(&n->q);
	n->q.abandoned = notice_abandoned;
	n->q.ref = waitq_ref;
	n->q.unref = waitq_unref;
	atomic_init(&n->n_refs, 1);
	list_init(&n->link);
	n->node = node ? node_ref(core, node) : NULL;
	n->agreed = agreed;
	return n;
}

/* Let @req wait for @n, whatever it waited for before. The caller holds notices.lock, so that no answer is missed. */
static int park(struct core *core, struct core_req *req, struct notice *n)
{
	uint64_t limit = core->config.lookup_timeout_ms;

	req->op.asked_id = 0;
	req->op.deadline_ms = limit ? clock_now_ms() + limit : 0;
	return wait_park(core, &n->q, req);
}

/* Put @cmd, whose reference it takes over, into the queue for @n. The caller holds notices.lock. */
static int submit(struct core *core, struct notice *n, struct command *cmd)
{
	int r;

	cmd->notice = n;
	atomic_fetch_add(&n->n_refs, 1);
	r = command_submit(core, cmd);
	if (r < 0) {
		if (notice_is_fact(cmd->event))
			COUNT(core, notifications_lost);
		command_unref(core, cmd);
		return r == -EBUSY ? -EIO : r;
	}
	n->commands[n->commands[0] ? 1 : 0] = cmd;
	n->n_left++;
	return 0;
}

static int submit_and_park(struct core *core, struct core_req *req, struct notice *n, struct command *cmd)
{
	int r = submit(core, n, cmd);

	return r == 0 ? park(core, req, n) : r;
}

/* ---- building a command ---------------------------------------------------------------------------------- */

static struct op_notices *notices_of(struct core_req *req)
{
	if (!req->op.notices)
		req->op.notices = calloc(1, sizeof(*req->op.notices));
	return req->op.notices;
}

static struct command *make_command(struct core *core, const struct notice_about *about, const char *path,
				    struct process *process)
{
	struct command *cmd = command_new_about(core, COMMAND_NOTIFY, about->node, path);

	if (cmd && about->destination)
		cmd->destination = strdup(about->destination);
	if (!cmd || (about->destination && !cmd->destination))
		return command_unref(core, cmd);
	cmd->event = about->event;
	cmd->is_directory = node_is_dir(about->node);
	cmd->is_modified = about->is_modified;
	cmd->handle = about->handle ? about->handle->id : 0;
	cmd->process = process_ref(process);
	cmd->finished = notice_finished;
	return cmd;
}

/* 0 and a command, or none because nobody wants to know. */
static int command_for(struct core *core, struct core_req *req, const struct notice_about *about,
		       struct command **ret)
{
	_cleanup_(freep) char *own_path = NULL;
	const char *path = about->path;
	struct notice_about told = *about;
	struct process *process;
	uint32_t mask;
	int r = 0;

	*ret = NULL;
	if (!may_be_wanted(core, about) || (!path && node_is_unlinked(core, about->node)))
		return 0;
	if (!path)
		path = own_path = node_path(core, about->node);
	if (!path)
		return -ENOMEM;
	mask = mask_of(core, about->node, path);
	if (!is_wanted(core, about, path, mask))
		return 0;
	/* Who does not want to hear of modified files is not told here either. */
	if (!(effective(mask) & CORE_EVENT_CLOSED_MODIFIED))
		told.is_modified = false;
	process = process_of_thread(req->pid, req->uid);
	if (!process_is_own(process)) {
		*ret = make_command(core, &told, path, process);
		r = *ret ? 0 : -ENOMEM;
	}
	process_unref(process);
	return r;
}

/* ---- before ---------------------------------------------------------------------------------------------- */

static bool may_convert(struct core *core, struct node *node)
{
	bool allowed;

	node_lock(core, node);
	allowed = node->flags & NODE_MAY_CONVERT;
	node_unlock(core, node);
	return allowed;
}

/* Somebody asks the same already: wait with him.  -ENODATA: nobody does.  The caller holds notices.lock. */
static int join_conversion(struct core *core, struct core_req *req, struct node *node)
{
	/* Noted before the question leaves the list. */
	if (may_convert(core, node))
		return 0;
	list_for_each (pos, &core->notices.conversions) {
		struct notice *n = list_entry(pos, struct notice, link);

		if (n->node == node)
			return park(core, req, n);
	}
	return -ENODATA;
}

/*
 * Ask @cmd, which it takes over, and let @req wait.  @bits: what the provider agrees to then.  @converted: a file that
 * others may want to change as well, so that they wait for the same answer; else NULL.
 */
static int ask(struct core *core, struct core_req *req, struct command *cmd, struct node *converted, uint32_t bits)
{
	struct notice *n = notice_new(core, converted, bits);
	int r;

	if (!n) {
		command_unref(core, cmd);
		return -ENOMEM;
	}
	pthread_mutex_lock(&core->notices.lock);
	r = converted ? join_conversion(core, req, converted) : -ENODATA;
	if (r != -ENODATA)
		command_unref(core, cmd);
	else
		r = submit_and_park(core, req, n, cmd);
	if (r == CORE_PENDING && n->n_left && converted)
		list_append(&core->notices.conversions, &n->link);
	pthread_mutex_unlock(&core->notices.lock);
	if (r < 0)
		notice_abandoned(core, &n->q);
	notice_unref(core, n);
	return r;
}

int notice_ask(struct core *core, struct core_req *req, const struct notice_about *about)
{
	uint32_t bits = about->event | (about->is_second ? AGREED_SECOND : 0);
	struct command *cmd;
	int r;

	if (req->op.notices && (req->op.notices->agreed & bits) == bits)
		return 0;
	r = command_for(core, req, about, &cmd);
	if (r < 0 || !cmd)
		return r;
	if (!notices_of(req)) {
		command_unref(core, cmd);
		return -ENOMEM;
	}
	return ask(core, req, cmd, NULL, bits);
}

int notice_ask_convert(struct core *core, struct core_req *req, struct node *node)
{
	const struct notice_about about = {.event = CORE_EVENT_PRE_CONVERT, .node = node};
	struct command *cmd;
	int r;

	if (!may_be_wanted(core, &about) || may_convert(core, node))
		return 0;
	/* Also where another question is joined: the provider's own process must not wait for itself. */
	r = command_for(core, req, &about, &cmd);
	return r < 0 || !cmd ? r : ask(core, req, cmd, node, 0);
}

/* ---- after ------------------------------------------------------------------------------------------------ */

void notice_tell(struct core *core, struct core_req *req, const struct notice_about *about)
{
	struct op_notices *notices;
	struct command *cmd;
	int r = command_for(core, req, about, &cmd);

	if (r == 0 && !cmd)
		return;
	notices = r == 0 ? notices_of(req) : NULL;
	if (notices && !notices->tells)
		notices->tells = notice_new(core, NULL, 0);
	if (!notices || !notices->tells) {
		COUNT(core, notifications_lost);
		command_unref(core, cmd);
		return;
	}
	if (about->event == CORE_EVENT_OPENED)
		notices->opened = about->handle;
	/* Now, while the names hold still, so that what is told of an item comes in the order in which it happened. */
	pthread_mutex_lock(&core->notices.lock);
	r = submit(core, notices->tells, cmd);
	pthread_mutex_unlock(&core->notices.lock);
	if (r < 0)
		notices->untold = r;
}

int notice_wait(struct core *core, struct core_req *req)
{
	struct op_notices *notices = req->op.notices;
	struct notice *n = notices ? notices->tells : NULL;
	int r;

	if (!n)
		return 0;
	notices->told = true;
	r = notices->untold;
	/* @req may be answered from here on: its reference is nothing to rely on. */
	atomic_fetch_add(&n->n_refs, 1);
	pthread_mutex_lock(&core->notices.lock);
	if (n->n_left)
		r = park(core, req, n);
	else if (n->error)
		r = n->error;
	pthread_mutex_unlock(&core->notices.lock);
	if (r < 0)
		notice_abandoned(core, &n->q);
	notice_unref(core, n);
	return r;
}

bool notice_is_told(const struct core_req *req)
{
	return req->op.notices && req->op.notices->told;
}

int notice_outcome(struct core *core, struct core_req *req, int error)
{
	struct op_notices *notices = steal_ptr(&req->op.notices);

	if (!notices)
		return error;
	notice_unref(core, notices->tells);
	/* What has been done has been done, whatever the provider thinks of it.  Only an open can be undone. */
	if (notices->told && !notices->opened)
		error = 0;
	else if (notices->told && error)
		open_undo(core, req, notices->opened);
	free(notices);
	return error;
}

static struct command *closing_command(struct core *core, struct node *node, struct handle *h)
{
	struct notice_about about = {.node = node, .handle = h};
	_cleanup_(freep) char *path = NULL;
	uint32_t mask;

	if (process_is_own(h->process) || node_is_unlinked(core, node))
		return NULL;
	path = node_path(core, node);
	if (!path)
		return NULL;
	mask = effective(mask_of(core, node, path));
	about.event = mask & (CORE_EVENT_CLOSED | CORE_EVENT_CLOSED_MODIFIED);
	return about.event ? make_command(core, &about, path, h->process) : NULL;
}

void notice_closed(struct core *core, struct handle *h)
{
	struct node *node = handle_node(core, h);
	struct command *cmd;
	uint32_t event;
	int r = 0;

	tree_read(core);
	cmd = closing_command(core, node, h);
	event = handle_close(core, h) ? CORE_EVENT_CLOSED_MODIFIED : CORE_EVENT_CLOSED;
	if (cmd && (cmd->event & event)) {
		cmd->event = event;
		r = command_submit(core, cmd);
	}
	tree_unlock(core);
	if (r < 0)
		COUNT(core, notifications_lost);
	command_unref(core, cmd);
	node_unref(core, node);
}
