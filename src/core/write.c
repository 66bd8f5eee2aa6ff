/* SPDX-License-Identifier: MIT */
/*
 * Content that users change.  Before the first byte of a projected file is changed all of it must be here, and the file
 * becomes full: then it is like any local one, and its descriptor does the work.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/caller.h"
#include "core/change.h"
#include "core/internal.h"
#include "util/clock.h"
#include "util/log.h"

/* Content is copied in pieces of at most this, so that a copy can be interrupted. */
#define COPY_MAX (64 * 1024 * 1024)

/* ---- on disk threads ---------------------------------------------------------------------------- */

/* A job that works on an open file, and then ends a request if there is one. */
struct file_job {
	struct core *core;
	struct core_req *req;    /* or NULL */
	struct node *node;       /* referenced */
	struct content *content; /* referenced; NULL: go by the path */
	bool data_only;
};

static void file_job_free(struct file_job *job)
{
	node_unref(job->core, job->node);
	content_unref(job->content);
	free(job);
}

static bool is_young(struct core *core, struct node *node)
{
	bool young;

	node_lock(core, node);
	young = node->flags & NODE_YOUNG;
	node_unlock(core, node);
	return young;
}

static int sync_content(struct file_job *job)
{
	int fd = content_fd(job->content), r;

	if (is_young(job->core, job->node)) {
		r = store_settle(job->core->store, fd, true);
		if (r < 0)
			return r;
		node_lock(job->core, job->node);
		job->node->flags &= (uint16_t)~NODE_YOUNG;
		node_unlock(job->core, job->node);
		return 0;
	}
	r = job->data_only ? fdatasync(fd) : fsync(fd);
	return r < 0 ? -errno : 0;
}

/* A directory, link or marker.  It may be renamed meanwhile, so the path is found out now. */
static int sync_path(struct file_job *job)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	for (int i = 0; i < 3; i++) {
		tree_read(job->core);
		freep(&path);
		path = node_path(job->core, job->node);
		tree_unlock(job->core);
		r = path ? store_sync_item(job->core->store, path, job->data_only) : -ENOMEM;
		if (r != -ENOENT)
			return r;
	}
	return 0; /* it has gone */
}

static void sync_job(void *arg)
{
	struct file_job *job = arg;
	int r = job->content ? sync_content(job) : sync_path(job);

	req_finish(job->req, r);
	file_job_free(job);
}

static void settle_job(void *arg)
{
	struct file_job *job = arg;
	int r = store_settle(job->core->store, content_fd(job->content), false);

	if (r == 0) {
		node_lock(job->core, job->node);
		job->node->flags &= (uint16_t)~NODE_YOUNG;
		node_unlock(job->core, job->node);
	}
	file_job_free(job);
}

/* Takes over the reference to @content. */
static int run_job(struct core *core, struct core_req *req, struct node *node,
		   struct content *content, bool data_only, void (*run)(void *arg))
{
	struct file_job *job = malloc(sizeof(*job));
	int r;

	if (!job) {
		content_unref(content);
		return -ENOMEM;
	}
	*job = (struct file_job){
		.core = core,
		.req = req,
		.node = node_ref(core, node),
		.content = content,
		.data_only = data_only,
	};
	r = core_run_on_disk_thread(core, run, job);
	if (r < 0)
		file_job_free(job);
	return r < 0 ? r : CORE_PENDING;
}

/* ---- becoming full ----------------------------------------------------------------------------------- */

/* The tree is held exclusively; the file is hydrated. */
static int convert(struct core *core, struct node *node)
{
	_cleanup_(freep) char *path = node_path(core, node);
	struct content *content;
	bool young = false;
	int r;

	if (!path)
		return -ENOMEM;
	r = store_make_full(core->store, path, node->ino, &young);
	if (r < 0) {
		log_error("making \"%s\" full before it is changed failed: %s", path, strerror(-r));
		return r;
	}
	node_lock(core, node);
	node->state = NODE_LOCAL;
	if (!(node->flags & (NODE_RENAMED | NODE_ADOPTED)))
		node->flags |= NODE_CONVERTED;
	node->flags &= (uint16_t) ~(NODE_DIRTY | NODE_RENAMED | NODE_REVALIDATE);
	if (young)
		node->flags |= NODE_YOUNG;
	node_drop_record(node);
	node_unlock(core, node);
	(void)node_refresh(core, node);
	COUNT(core, converted);
	if (young && content_of_node(core, node, true, &content) == 0)
		(void)run_job(core, NULL, node, content, false, settle_job);
	return 0;
}

int full_ready(struct core *core, struct core_req *req, struct node *node)
{
	enum node_state state;
	uint64_t limit;
	int r;

	if (!S_ISREG(node->mode))
		return S_ISDIR(node->mode) ? -EISDIR : -EINVAL;
	for (;;) {
		node_lock(core, node);
		state = node->state;
		node_unlock(core, node);
		switch (state) {
		case NODE_LOCAL:
			return 0;
		case NODE_GONE:
			return -EIO; /* another version has replaced it */
		case NODE_HYDRATED:
			r = notice_ask_convert(core, req, node);
			if (r != 0)
				return r;
			if (!tree_is_exclusive())
				return CORE_EXCLUSIVE;
			r = convert(core, node);
			break;
		default:
			/* The limit is for each step on the way: a large file may take long. */
			limit = core->config.data_timeout_ms;
			req->op.deadline_ms = limit ? clock_now_ms() + limit : 0;
			r = op_hydrate_node(core, req, node);
			break;
		}
		if (r != 0)
			return r;
	}
}

/* A placeholder whose content nobody wants: an empty file takes its place. */
static int replace_by_empty(struct core *core, struct node *node)
{
	_cleanup_(freep) char *path = node_path(core, node), *origin = node_origin(core, node);
	struct store_place place = {
		.path = path,
		.origin = origin,
		.keep_dir_times = true, /* the directory has not changed */
		.full = node->ino,
	};
	struct hydration *h;
	struct kept_record kept = {0};
	struct stage *stage = NULL;
	int r;

	if (!path || !origin)
		return -ENOMEM;
	r = keep_record(core, node, &kept);
	if (r == 0)
		r = dirs_make(core, node->parent);
	if (r == 0)
		r = store_stage_new(core->store, path, &stage);
	if (r == 0) {
		kept.rec.size = 0;
		kept.rec.fields = (kept.rec.fields | RECORD_SIZE) & ~(uint32_t)RECORD_MTIME;
		if (!core->config.may_chown)
			kept.rec.fields &= ~(uint32_t)RECORD_OWNER;
		dirs_hold_times(core, node->parent);
		r = store_stage_commit(core->store, stage, &place, &kept.rec, NULL);
		dirs_held_times(core, node->parent);
	}
	stage_free(stage);
	free(kept.data);
	if (r < 0)
		return r;
	node_lock(core, node);
	h = hydration_detach(node);
	node->state = NODE_LOCAL;
	if (!(node->flags & NODE_RENAMED))
		node->flags |= NODE_CONVERTED;
	node->flags &= (uint16_t) ~(NODE_DIRTY | NODE_RENAMED | NODE_SIZE_UNKNOWN);
	node_drop_record(node);
	node_unlock(core, node);
	if (h)
		hydration_drop(core, h, 0);
	COUNT(core, converted);
	listing_note(core, node->parent, node->name, LISTING_LOCAL);
	return node_refresh(core, node);
}

/* ---- changing -------------------------------------------------------------------------------------------- */

/* For who hears of it when the file is closed. */
static void note_change(struct core *core, const struct node *node)
{
	if (core->notices.tracks_opens)
		opened_note_change(core, node);
}

/* What the kernel does for a native file when somebody without privilege changes its content. */
static int drop_set_id(const struct core_req *req, int fd)
{
	struct stat st;
	mode_t mode;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!(st.st_mode & (S_ISUID | S_ISGID)))
		return 0;
	mode = caller_mode_after_change(req, st.st_mode & 07777, st.st_gid);
	return mode != (st.st_mode & 07777) && fchmod(fd, mode) < 0 ? -errno : 0;
}

static int write_all(int fd, const void *data, size_t size, uint64_t offset, uint64_t *ret_written)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)data + done, size - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	*ret_written = done;
	return 0;
}

int write_unlocked(struct core *core, struct core_req *req, uint64_t offset, const void *data,
		   size_t size, bool kill_priv)
{
	struct content *content = NULL;
	struct node *node;
	bool full;
	int r = -ESTALE;

	tree_read(core);
	node = node_get(core, req->op.node_id);
	if (node) {
		node_lock(core, node);
		full = node->state == NODE_LOCAL && S_ISREG(node->mode);
		node_unlock(core, node);
		r = full ? content_of_node(core, node, true, &content) : -EAGAIN;
	}
	tree_unlock(core);
	if (r == 0 && kill_priv)
		r = drop_set_id(req, content_fd(content));
	if (r == 0)
		r = write_all(content_fd(content), data, size, offset, &req->ret.written);
	if (r == 0)
		note_change(core, node);
	content_unref(content);
	node_unref(core, node);
	return r;
}

/* The disk may let a write wait for long, and nobody else shall: it happens when the tree has been let go. */
int op_write(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	int r;

	if (!node)
		return -ESTALE;
	r = full_ready(core, req, node);
	node_unref(core, node);
	return r == 0 ? CORE_READY : r;
}

int truncate_node(struct core *core, struct core_req *req, struct node *node, uint64_t size,
		  bool kill_priv)
{
	struct content *content;
	bool placeholder;
	int r;

	node_lock(core, node);
	placeholder = (node->state == NODE_PLACEHOLDER || node->state == NODE_VIRTUAL) &&
		      !(node->flags & NODE_UNLINKED);
	node_unlock(core, node);
	if (placeholder && size == 0 && S_ISREG(node->mode)) {
		r = notice_ask_convert(core, req, node);
		if (r != 0)
			return r;
		if (!tree_is_exclusive())
			return CORE_EXCLUSIVE;
		r = resolve_fresh(core, req, node);
		if (r == 0)
			r = dirs_ready(core, req, node->parent);
		if (r == 0)
			r = replace_by_empty(core, node);
		if (r != 0)
			return r;
	}
	r = full_ready(core, req, node);
	if (r == 0)
		r = content_of_node(core, node, true, &content);
	if (r != 0)
		return r;
	if (kill_priv)
		r = drop_set_id(req, content_fd(content));
	if (r == 0 && ftruncate(content_fd(content), (off_t)size) < 0)
		r = -errno;
	if (r == 0)
		note_change(core, node);
	content_unref(content);
	return r;
}

int op_fallocate(struct core *core, struct core_req *req)
{
	const struct op_args *args = req->op.args;
	struct node *node = node_get(core, req->op.node_id);
	struct content *content;
	int r;

	if (!node)
		return -ESTALE;
	r = full_ready(core, req, node);
	if (r == 0)
		r = content_of_node(core, node, true, &content);
	if (r == 0) {
		if (fallocate(content_fd(content), (int)args->mode, (off_t)args->offset,
			      (off_t)args->length) < 0)
			r = -errno;
		else
			note_change(core, node);
		content_unref(content);
	}
	node_unref(core, node);
	return r;
}

/* Before its content is here a file has none of its holes. */
static int seek_without_content(const struct op_args *args, uint64_t size, uint64_t *ret)
{
	if (args->offset >= size)
		return -ENXIO;
	*ret = args->flags == SEEK_HOLE ? size : args->offset;
	return 0;
}

int op_lseek(struct core *core, struct core_req *req)
{
	const struct op_args *args = req->op.args;
	struct node *node = node_get(core, req->op.node_id);
	struct content *content;
	bool on_disk;
	off_t at;
	int r;

	if (!node)
		return -ESTALE;
	r = args->flags == SEEK_DATA || args->flags == SEEK_HOLE ? 0 : -EINVAL;
	if (r == 0)
		r = resolve_usable(core, req, node);
	node_lock(core, node);
	on_disk = node->state == NODE_LOCAL || node->state == NODE_HYDRATED;
	node_unlock(core, node);
	if (r == 0 && !on_disk) {
		r = seek_without_content(args, node->size, &req->ret.offset);
	} else if (r == 0) {
		r = content_of_node(core, node, false, &content);
		if (r == 0) {
			at = lseek(content_fd(content), (off_t)args->offset, (int)args->flags);
			r = at < 0 ? -errno : 0;
			req->ret.offset = (uint64_t)at;
			content_unref(content);
		}
	}
	node_unref(core, node);
	return r;
}

/* ---- copying ------------------------------------------------------------------------------------------------- */

struct copy_job {
	struct core_req *req;
	struct content *from, *to; /* referenced */
	struct node *changed;      /* referenced */
};

static void copy_job(void *arg)
{
	struct copy_job *job = arg;
	const struct op_args *args = job->req->op.args;
	struct core *core = job->req->op.core;
	off64_t in = (off64_t)args->attr.size, out = (off64_t)args->offset;
	ssize_t n;
	int r;

	do {
		n = copy_file_range(content_fd(job->from), &in, content_fd(job->to), &out,
				    MIN(args->length, (uint64_t)COPY_MAX), 0);
	} while (n < 0 && errno == EINTR);
	r = n < 0 ? -errno : 0;
	if (n > 0)
		note_change(core, job->changed);
	job->req->ret.written = (uint64_t)MAX(n, 0);
	req_finish(job->req, r);
	node_unref(core, job->changed);
	content_unref(job->from);
	content_unref(job->to);
	free(job);
}

static int start_copy(struct core *core, struct core_req *req, struct node *from, struct node *to)
{
	struct copy_job *job = calloc(1, sizeof(*job));
	int r = job ? 0 : -ENOMEM;

	if (r == 0)
		r = content_of_node(core, from, false, &job->from);
	if (r == 0)
		r = content_of_node(core, to, true, &job->to);
	if (r == 0) {
		job->req = req;
		job->changed = node_ref(core, to);
		r = core_run_on_disk_thread(core, copy_job, job);
	}
	if (r == 0)
		return CORE_PENDING;
	if (job) {
		node_unref(core, job->changed);
		content_unref(job->from);
		content_unref(job->to);
	}
	free(job);
	return r;
}

int op_copy_range(struct core *core, struct core_req *req)
{
	struct node *from = node_get(core, req->op.node_id);
	struct node *to = node_get(core, req->op.args->other_id);
	int r = from && to ? 0 : -ESTALE;

	if (r == 0 && (!S_ISREG(from->mode) || !S_ISREG(to->mode)))
		r = -EINVAL;
	if (r == 0)
		r = op_hydrate_node(core, req, from);
	if (r == 0)
		r = full_ready(core, req, to);
	if (r == 0)
		r = start_copy(core, req, from, to);
	node_unref(core, from);
	node_unref(core, to);
	return r;
}

/* ---- durability ---------------------------------------------------------------------------------------------- */

int op_fsync(struct core *core, struct core_req *req)
{
	struct node *node = node_get(core, req->op.node_id);
	struct content *content = NULL;
	bool has_content, nothing;
	int r = 0;

	if (!node)
		return -ESTALE;
	node_lock(core, node);
	has_content = S_ISREG(node->mode) &&
		      (node->state == NODE_LOCAL || node->state == NODE_HYDRATED);
	/* What the provider has can be lost here. */
	nothing = node->state == NODE_GONE || node->state == NODE_VIRTUAL ||
		  (node->state == NODE_PLACEHOLDER &&
		   (!(node->flags & (NODE_DIRTY | NODE_RENAMED)) || (node->flags & NODE_UNLINKED)));
	node_unlock(core, node);
	if (has_content)
		r = content_of_node(core, node, false, &content);
	if (r == 0 && !nothing)
		r = run_job(core, req, node, content, req->op.args->data_only, sync_job);
	else
		content_unref(content);
	node_unref(core, node);
	return r;
}
