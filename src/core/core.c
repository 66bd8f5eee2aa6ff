/* SPDX-License-Identifier: MIT */
/* Start and end of an instance, the provider's descriptions, and counters. */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "core/internal.h"
#include "util/log.h"
#include "util/name.h"

#define SAME_PATH_MAX 16 /* questions about one path that one answer can serve */
#define PLACEHOLDER_TIMEOUT_MIN_MS 10 /* an answer must live until those who wait for it have run */

static void no_expire(void *context, uint64_t parent_id, const char *name)
{
	(void)context;
	(void)parent_id;
	(void)name;
}

static void no_inval(void *context, uint64_t node_id, bool data)
{
	(void)context;
	(void)node_id;
	(void)data;
}

/* Until there is a mount there is nothing to invalidate. */
static const struct core_kernel no_kernel = {.expire_entry = no_expire, .inval_node = no_inval};

void core_set_kernel(struct core *core, const struct core_kernel *kernel, void *context)
{
	core->kernel = kernel;
	core->kernel_context = context;
}

static int make_root(struct core *core)
{
	struct store_item item = {0};
	bool is_new;
	int r = store_lookup(core->store, "", &item);

	if (r == 0) {
		core->root = node_find_or_new(core, NULL, "", &is_new);
		r = core->root ? 0 : -ENOMEM;
	}
	if (r == 0) {
		node_apply_item(core, core->root, &item);
		core->root->state = NODE_DIRECTORY;
		core->root->ino = store_identity(core->store, "", 0);
	}
	store_item_deinit(&item);
	return r;
}

static int first_error(int former, int r)
{
	return former < 0 ? former : r;
}

int core_new(struct store *store, const struct core_config *config, struct core **ret)
{
	struct core *core = calloc(1, sizeof(*core));
	int r;

	if (!core)
		return -ENOMEM;
	core->store = store;
	core->config = *config;
	core->config.placeholder_timeout_ms =
		MAX(config->placeholder_timeout_ms, (uint64_t)PLACEHOLDER_TIMEOUT_MIN_MS);
	core->kernel = &no_kernel;
	core->next_handle = 1;
	core->next_session = 1;
	pthread_mutex_init(&core->kept_lock, NULL);
	tree_lock_init(&core->tree);
	contents_init(&core->contents);
	negative_init(core);
	pthread_mutex_init(&core->dir_handles_lock, NULL);
	list_init(&core->dir_handles);
	opened_init(&core->opened);
	for (size_t i = 0; i < CORE_N_STAGING_LOCKS; i++)
		pthread_mutex_init(&core->staging_locks[i], NULL);
	r = getrandom(core->stream_secret, sizeof(core->stream_secret), 0) ==
	    (ssize_t)sizeof(core->stream_secret) ? 0 : -EIO;
	memcpy(&core->session_secret, core->stream_secret, sizeof(core->session_secret));
	core->session_secret = ~core->session_secret;
	/* All of them, so that core_stop() and core_free() find everything initialised after a failure. */
	r = first_error(r, notices_init(&core->notices, config));
	r = first_error(r, node_table_init(core));
	r = first_error(r, wait_init(core));
	r = first_error(r, disk_init(core));
	r = first_error(r, commands_init(core, MAX(config->n_callback_threads, 1u)));
	if (r == 0)
		r = make_root(core);
	if (r < 0) {
		log_error("starting the instance's threads and tables failed: %s", strerror(-r));
		core_stop(core);
		core_free(core);
		return r;
	}
	if (store_needs_sync(store))
		disk_note_change(core);
	*ret = core;
	return 0;
}

void core_stop(struct core *core)
{
	wait_stop(core, -ENOTCONN);
	commands_stop(core);
	wait_join(core);
	disk_stop(core);
}

struct core *core_free(struct core *core)
{
	if (!core)
		return NULL;
	dir_handles_free(core);
	opened_deinit(core, &core->opened);
	for (size_t i = 0; i < CORE_N_KEPT; i++)
		node_unref(core, core->kept[i]);
	node_table_deinit(core);
	disk_deinit(core);
	commands_deinit(core);
	wait_deinit(core);
	for (size_t i = 0; i < CORE_N_STAGING_LOCKS; i++)
		pthread_mutex_destroy(&core->staging_locks[i]);
	pthread_mutex_destroy(&core->dir_handles_lock);
	pthread_mutex_destroy(&core->kept_lock);
	negative_deinit(core);
	notices_deinit(&core->notices);
	contents_deinit(&core->contents);
	tree_lock_deinit(&core->tree);
	free(core);
	return NULL;
}

struct store *core_store(struct core *core)
{
	return core->store;
}

bool core_opens_untracked(const struct core *core)
{
	return core->config.stable_view && !core->notices.tracks_opens;
}

bool core_wants_truncating_opens(const struct core *core)
{
	return core->notices.tracks_opens;
}

void core_keep(struct core *core, struct node *node)
{
	struct node *oldest;

	(void)node_ref(core, node);
	pthread_mutex_lock(&core->kept_lock);
	oldest = core->kept[core->next_kept];
	core->kept[core->next_kept] = node;
	core->next_kept = (core->next_kept + 1) % CORE_N_KEPT;
	pthread_mutex_unlock(&core->kept_lock);
	node_unref(core, oldest);
}

/* ---- descriptions ------------------------------------------------------------------------------ */

/* The answer to a command in flight: it is applied when the command has completed. */
static int answer_command(struct core *core, struct command *cmd, const struct record *rec)
{
	struct buf b = {0};
	int r = record_encode(rec, &b);

	if (r < 0) {
		buf_deinit(&b);
		return r;
	}
	node_lock(core, cmd->node);
	free(cmd->answer);
	cmd->answer = b.data;
	cmd->answer_size = b.size;
	node_unlock(core, cmd->node);
	return 0;
}

/* The node of that name, referenced. -EEXIST: what is on disk says otherwise (a tombstone), or a directory of the
 * user's own is all of it. */
static int node_to_describe(struct core *core, struct node *dir, const char *name, struct node **ret)
{
	_cleanup_(freep) char *origin = NULL;
	bool is_new, projected;
	int r;

	node_lock(core, dir);
	projected = node_is_dir(dir) && node_is_projected(dir);
	node_unlock(core, dir);
	if (!projected)
		return -EEXIST;
	*ret = node_find(core, dir, name);
	if (*ret)
		return 0;
	r = resolve_local(core, dir, name, ret);
	if (r != -ENODATA)
		return r == -ENOENT ? -EEXIST : r;
	*ret = node_find_or_new(core, dir, name, &is_new);
	origin = *ret ? node_origin(core, *ret) : NULL;
	if (!origin) {
		node_unref(core, *ret);
		return -ENOMEM;
	}
	node_lock(core, *ret);
	if (is_new)
		(*ret)->ino = projected_identity(core, origin);
	node_unlock(core, *ret);
	return 0;
}

/* Unprompted: the node is kept for a while, so that the look-up to come finds it. */
static int describe_unasked(struct core *core, const char *path, const struct record *rec)
{
	const char *name = path_last(path);
	_cleanup_(freep) char *above = strndup(path, name == path ? 0 : (size_t)(name - path - 1));
	struct node *dir, *node;
	int r;

	if (!above)
		return -ENOMEM;
	dir = node_find_path(core, above);
	if (!dir)
		return -ENOENT;
	r = node_to_describe(core, dir, name, &node);
	node_unref(core, dir);
	if (r < 0)
		return r == -EEXIST ? 0 : r;
	r = node_describe(core, node, rec);
	if (r == 0)
		core_keep(core, node);
	node_unref(core, node);
	return r == -ESTALE ? 0 : r;
}

int core_write_placeholder(struct core *core, const char *path, const struct record *rec)
{
	struct command *asking[SAME_PATH_MAX];
	size_t n;
	int r = 0;

	if (!*path || !path_is_valid(path))
		return -EINVAL;
	n = command_find_placeholders(core, path, asking, ARRAY_SIZE(asking));
	/* Which of several it answers is not said: it is true for each. */
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = answer_command(core, asking[i], rec);
		command_unref(core, asking[i]);
	}
	if (!n) {
		tree_read(core);
		r = describe_unasked(core, path, rec);
		tree_unlock(core);
	}
	/* Last, so that no answer from before is taken in after it; also if it was for nobody: the provider has it. */
	negative_remove(core, path);
	return r;
}

int core_complete(struct core *core, int32_t command_id, int error,
		  const struct core_completion *more)
{
	return command_complete(core, command_id, error, more);
}

/* ---- facts --------------------------------------------------------------------------------------- */

void core_get_stats(struct core *core, struct core_stats *ret)
{
	*ret = (struct core_stats){0};
#define COPY(name, help) ret->name = atomic_load(&core->count.name);
	CORE_COUNTERS(COPY)
#undef COPY
	pthread_mutex_lock(&core->table.lock);
	ret->n_nodes = core->table.n_nodes;
	pthread_mutex_unlock(&core->table.lock);
	pthread_mutex_lock(&core->wait.lock);
	ret->n_parked = core->wait.n_parked;
	pthread_mutex_unlock(&core->wait.lock);
	pthread_mutex_lock(&core->commands.lock);
	ret->n_commands = core->commands.n_outstanding;
	pthread_mutex_unlock(&core->commands.lock);
	ret->n_open_listings = atomic_load(&core->n_open_listings);
}

void core_count_provider_fault(struct core *core)
{
	COUNT(core, provider_faults);
}
