/* SPDX-License-Identifier: MIT */
/* Roots and instances: mark, start, stop. */

#include "api/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/checker.h"
#include "api/notifications.h"
#include "api/result.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/macros.h"

#define LOOKUP_TIMEOUT_MS 30000
#define DATA_TIMEOUT_MS 600000
#define PLACEHOLDER_TIMEOUT_MS 1000
#define SMALL_FILE_BYTES (1024 * 1024)
#define SMALL_FILE_BYTES_MAX (1024u * 1024 * 1024) /* one callback must be able to deliver it */
#define THREADS_MAX 1024
#define LOCK_POLL_MS 2
#define LOCK_WAIT_MS 5000
#define BINDING_BLOB "source" /* which provider and source a root belongs to */

/* ---- marking -------------------------------------------------------------------------------- */

static prj_result mark(const char *root_path, const struct prj_placeholder_version_info *version,
		       const struct prj_guid *instance_id, bool adopt)
{
	struct store_mark args = {0};
	struct errmsg err = {0};
	int r;

	if (!root_path || !*root_path || !instance_id)
		return fail(PRJ_ERR_INVALID_PARAMETER, "marking a root needs its path and an id");
	memcpy(args.guid, instance_id->bytes, sizeof(args.guid));
	if (version) {
		args.provider_id = record_bytes_trim(version->provider_id, PRJ_PLACEHOLDER_ID_LENGTH);
		args.content_id = record_bytes_trim(version->content_id, PRJ_PLACEHOLDER_ID_LENGTH);
	}
	r = store_mark_root(root_path, &args, adopt, &err);
	switch (r) {
	case 0:
		return PRJ_OK;
	case -EEXIST:
		return fail(PRJ_ERR_REPARSE_POINT_ENCOUNTERED, "\"%s\" is a projfs root already", root_path);
	default:
		return fail_errno(r, "%s", err.text[0] ? err.text : strerror(-r));
	}
}

prj_result prj_mark_directory_as_placeholder(const char *root_path, const char *target_path,
					     const struct prj_placeholder_version_info *version_info,
					     const struct prj_guid *instance_id)
{
	if (target_path && *target_path)
		return fail(PRJ_ERR_NOT_SUPPORTED, "marking a directory below a root (\"%s\") is not in "
			    "this version of projfs", target_path);
	return mark(root_path, version_info, instance_id, false);
}

prj_result prj_adopt_directory(const char *root_path,
			       const struct prj_placeholder_version_info *version_info,
			       const struct prj_guid *instance_id)
{
	return mark(root_path, version_info, instance_id, true);
}

/* ---- checking what start was given ------------------------------------------------------------ */

/* Copy a structure of the caller's, which may be older (shorter) or newer (longer) than ours. */
static void copy_sized(void *to, size_t to_size, const void *from, size_t from_size)
{
	memset(to, 0, to_size);
	memcpy(to, from, MIN(to_size, from_size));
}

static prj_result take_callbacks(const struct prj_callbacks *given, struct prj_callbacks *ret)
{
	size_t required = offsetof(struct prj_callbacks, query_file_name);

	if (!given)
		return fail(PRJ_ERR_INVALID_PARAMETER, "callbacks is NULL");
	if (given->struct_size < required)
		return fail(PRJ_ERR_INVALID_PARAMETER, "callbacks.struct_size is %zu: set it to "
			    "sizeof(struct prj_callbacks)", given->struct_size);
	copy_sized(ret, sizeof(*ret), given, given->struct_size);
	if (!ret->start_directory_enumeration || !ret->end_directory_enumeration ||
	    !ret->get_directory_enumeration || !ret->get_placeholder_info || !ret->get_file_data)
		return fail(PRJ_ERR_INVALID_PARAMETER, "a required callback is missing: start, get and "
			    "end directory enumeration, get placeholder info, get file data");
	return PRJ_OK;
}

#define FLAGS_KNOWN                                                                           \
	(PRJ_FLAG_STABLE_VIEW | PRJ_FLAG_REVALIDATE | PRJ_FLAG_ALLOW_OTHER |                   \
	 PRJ_FLAG_NO_ALLOW_OTHER | PRJ_FLAG_REBIND | PRJ_FLAG_INLINE_CALLBACKS |               \
	 PRJ_FLAG_READ_ONLY | PRJ_FLAG_USE_NEGATIVE_PATH_CACHE | PRJ_FLAG_CHECK_PROVIDER)
#define FLAGS_LATER PRJ_FLAG_PERSIST_PLACEHOLDERS

static prj_result take_options(const struct prj_start_options *given, struct prj_start_options *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!given)
		return PRJ_OK;
	if (given->struct_size < offsetof(struct prj_start_options, notification_mappings))
		return fail(PRJ_ERR_INVALID_PARAMETER, "options.struct_size is %zu: set it to "
			    "sizeof(struct prj_start_options)", given->struct_size);
	copy_sized(ret, sizeof(*ret), given, given->struct_size);
	if (ret->flags & FLAGS_LATER)
		return fail(PRJ_ERR_NOT_SUPPORTED, "start flags 0x%x are not in this version of projfs",
			    ret->flags & FLAGS_LATER);
	if (ret->flags & ~(uint32_t)FLAGS_KNOWN)
		return fail(PRJ_ERR_INVALID_PARAMETER, "unknown start flags 0x%x",
			    ret->flags & ~(uint32_t)FLAGS_KNOWN);
	if (ret->concurrent_thread_count > THREADS_MAX || ret->pool_thread_count > THREADS_MAX)
		return fail(PRJ_ERR_INVALID_PARAMETER, "more than %d threads", THREADS_MAX);
	if ((unsigned)ret->compare_order > PRJ_COMPARE_NONE)
		return fail(PRJ_ERR_INVALID_PARAMETER, "unknown compare order %d", (int)ret->compare_order);
	if (ret->small_file_bytes > SMALL_FILE_BYTES_MAX)
		return fail(PRJ_ERR_INVALID_PARAMETER, "small_file_bytes is more than 1 GiB");
	return PRJ_OK;
}

static uint64_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void make_config(struct prj_instance *instance, const struct prj_start_options *o,
			const struct mappings *mappings, struct core_config *ret)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct stat st = {0};

	(void)fstat(store_root_fd(instance->store), &st);
	*ret = (struct core_config){
		.provider = api_provider,
		.provider_context = instance,
		.can_query_name = instance->callbacks.query_file_name,
		.negative_path_cache = o->flags & PRJ_FLAG_USE_NEGATIVE_PATH_CACHE,
		.mappings = mappings->list,
		.n_mappings = mappings->n,
		.n_callback_threads = (unsigned)or_default(o->concurrent_thread_count,
							   n_cpus > 0 ? (uint32_t)n_cpus : 1),
		.stable_view = o->flags & PRJ_FLAG_STABLE_VIEW,
		.revalidate = o->flags & PRJ_FLAG_REVALIDATE,
		.order = (enum core_order)o->compare_order,
		.lookup_timeout_ms = or_default(o->lookup_timeout_ms, LOOKUP_TIMEOUT_MS),
		.data_timeout_ms = or_default(o->data_timeout_ms, DATA_TIMEOUT_MS),
		.placeholder_timeout_ms = or_default(o->placeholder_timeout_ms, PLACEHOLDER_TIMEOUT_MS),
		.small_file_bytes = or_default(o->small_file_bytes, SMALL_FILE_BYTES),
		.may_chown = geteuid() == 0,
		.owner_uid = geteuid() == 0 ? st.st_uid : geteuid(),
		.owner_gid = geteuid() == 0 ? st.st_gid : getegid(),
	};
	if (o->data_timeout_ms == UINT32_MAX)
		ret->data_timeout_ms = 0;
}

/* ---- the root ------------------------------------------------------------------------------------ */

static prj_result find_root(const char *root_path, char *ret_root)
{
	char covering[PATH_MAX];
	struct errmsg err = {0};

	if (!root_path || !*root_path)
		return fail(PRJ_ERR_INVALID_PARAMETER, "the root's path is empty");
	if (!realpath(root_path, ret_root)) {
		/* The mount of an instance that died without its helper. */
		if (errno != ENOTCONN || *root_path != '/' ||
		    fuse_mount_unmount(root_path, true, &err) < 0 || !realpath(root_path, ret_root))
			return fail_errno(-errno, "starting at \"%s\": %s", root_path, strerror(errno));
	}
	if (fuse_mount_find(ret_root, covering) == 1) {
		if (!strcmp(covering, ret_root) && fuse_mount_is_dead(ret_root) == 1) {
			if (fuse_mount_unmount(ret_root, true, &err) < 0)
				return fail(PRJ_ERR_ACCESS_DENIED, "%s", err.text);
			return find_root(ret_root, ret_root);
		}
		if (!strcmp(covering, ret_root))
			return fail(PRJ_ERR_ALREADY_INITIALIZED,
				    "an instance runs at \"%s\" already: unmount it first with "
				    "projfs umount", ret_root);
		return fail(PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION,
			    "\"%s\" lies inside the running root \"%s\": roots do not nest", ret_root,
			    covering);
	}
	return PRJ_OK;
}

/*
 * Nothing is mounted at the root (find_root() has looked), so whoever holds its lock is an instance that ends: its
 * mount is gone already, and the lock will be in a moment.
 */
static int wait_for_store(struct prj_instance *instance, struct errmsg *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000};
	uint64_t deadline = clock_now_ms() + LOCK_WAIT_MS;
	int r;

	while ((r = store_open(instance->root, &instance->store, err)) == -EBUSY &&
	       clock_now_ms() < deadline)
		(void)nanosleep(&pause, NULL);
	return r;
}

static prj_result open_store(struct prj_instance *instance)
{
	struct errmsg err = {0};
	int r = wait_for_store(instance, &err);

	switch (r) {
	case 0:
		return PRJ_OK;
	case -ENODATA:
		return fail(PRJ_ERR_REPARSE_TAG_MISMATCH, "%s", err.text);
	case -EBUSY:
		return fail(PRJ_ERR_ALREADY_INITIALIZED, "%s", err.text);
	default:
		return fail_errno(r, "%s", err.text[0] ? err.text : strerror(-r));
	}
}

static prj_result refuse_binding(const struct prj_instance *instance, const struct buf *known)
{
	const char *text = (const char *)known->data;
	const char *newline = memchr(text, '\n', known->size);
	size_t head = newline ? (size_t)(newline + 1 - text) : 0;

	return fail(PRJ_ERR_VIRTUALIZATION_PROVIDER_UNKNOWN,
		    "\"%s\" projects %.*s: its local items belong to that. Use another directory, or "
		    "-o rebind if it is the same data",
		    instance->root, (int)(known->size - head), text + head);
}

/* What a root's items came from may not change behind their back. */
static prj_result check_binding(struct prj_instance *instance)
{
	_cleanup_(freep) char *binding = NULL;
	_cleanup_(buf_deinit) struct buf known = {0};
	int r;

	if (asprintf(&binding, "%s\n%s", instance->provider_name, instance->source) < 0)
		return PRJ_ERR_OUT_OF_MEMORY;
	r = store_load_blob(instance->store, BINDING_BLOB, &known);
	if (r < 0 && r != -ENOENT)
		return fail_errno(r, "reading what \"%s\" projects: %s", instance->root, strerror(-r));
	/* Written once: it is made durable, which may take long on a busy disk. */
	if (r == 0 && known.size == strlen(binding) && !memcmp(known.data, binding, known.size))
		return PRJ_OK;
	if (r == 0 && !(instance->flags & PRJ_FLAG_REBIND))
		return refuse_binding(instance, &known);
	r = store_save_blob(instance->store, BINDING_BLOB, binding, strlen(binding));
	return r < 0 ? fail_errno(r, "writing what \"%s\" projects: %s", instance->root, strerror(-r))
		     : PRJ_OK;
}

/* ---- control --------------------------------------------------------------------------------------- */

static json_t *on_status(void *context, bool usage)
{
	return instance_status(context, usage);
}

static void on_stop(void *context)
{
	struct prj_instance *instance = context;
	uint64_t one = 1;

	(void)!write(instance->stop_request_fd, &one, sizeof(one));
}

static int on_sync(void *context)
{
	struct prj_instance *instance = context;

	return store_sync(instance->store);
}

static int watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int make_events(struct prj_instance *instance)
{
	instance->stop_request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	instance->stop_event_fd = epoll_create1(EPOLL_CLOEXEC);
	if (instance->stop_request_fd < 0 || instance->stop_event_fd < 0)
		return -errno;
	return watch(instance->stop_event_fd, instance->stop_request_fd);
}

static prj_result start_mount(struct prj_instance *instance)
{
	bool other = geteuid() == 0;
	struct fuse_mount_options options = {.source = instance->source};
	struct errmsg err = {0};
	int r;

	options.read_only = instance->flags & PRJ_FLAG_READ_ONLY;
	if (instance->flags & PRJ_FLAG_ALLOW_OTHER)
		other = true;
	if (instance->flags & PRJ_FLAG_NO_ALLOW_OTHER)
		other = false;
	options.allow_other = other;
	r = fuse_mount_start(instance->core, instance->root, &options, &instance->mount, &err);
	if (r < 0)
		return fail_errno(r, "%s", err.text[0] ? err.text : strerror(-r));
	r = watch(instance->stop_event_fd, fuse_mount_event_fd(instance->mount));
	return r < 0 ? fail_errno(r, "watching the mount: %s", strerror(-r)) : PRJ_OK;
}

static void start_control(struct prj_instance *instance)
{
	static const struct control_ops ops = {
		.status = on_status, .stop = on_stop, .sync = on_sync};
	struct errmsg err = {0};

	/* Without it the root works all the same, only `projfs status` and `sync` do not reach it. */
	if (control_server_start(instance->root, &ops, instance, &instance->control, &err) < 0)
		log_warning("%s; going on without it", err.text);
}

/* ---- who may still call ------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct prj_instance *first;
} running = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

static struct prj_instance **find_running(const struct prj_instance *instance)
{
	struct prj_instance **p = &running.first;

	while (*p && *p != instance)
		p = &(*p)->next_running;
	return p;
}

bool instance_enter(struct prj_instance *instance)
{
	bool found;

	pthread_mutex_lock(&running.lock);
	found = instance && *find_running(instance);
	if (found)
		instance->n_calls++;
	pthread_mutex_unlock(&running.lock);
	return found;
}

void instance_leave(struct prj_instance *instance)
{
	pthread_mutex_lock(&running.lock);
	if (--instance->n_calls == 0)
		pthread_cond_broadcast(&running.left);
	pthread_mutex_unlock(&running.lock);
}

static void allow_calls(struct prj_instance *instance)
{
	pthread_mutex_lock(&running.lock);
	instance->next_running = running.first;
	running.first = instance;
	pthread_mutex_unlock(&running.lock);
}

static void forbid_calls(struct prj_instance *instance)
{
	struct prj_instance **p;

	pthread_mutex_lock(&running.lock);
	p = find_running(instance);
	if (*p)
		*p = instance->next_running;
	while (instance->n_calls)
		pthread_cond_wait(&running.left, &running.lock);
	pthread_mutex_unlock(&running.lock);
}

/* ---- start and stop ----------------------------------------------------------------------------------- */

static int start_checker(struct prj_instance *instance, const struct core_config *core)
{
	struct checker_config config;

	if (!(instance->flags & PRJ_FLAG_CHECK_PROVIDER))
		return 0;
	checker_config_init(&config, core);
	return checker_new(&config, &instance->checker);
}

static prj_result start(struct prj_instance *instance, const struct prj_start_options *options)
{
	struct mappings mappings = {0};
	struct core_config config;
	prj_result result;
	int r;

	instance->flags = options->flags;
	instance->since = time(NULL);
	instance->provider_name = strdup(options->provider_name ? options->provider_name
								: program_invocation_short_name);
	instance->source = strdup(options->source ? options->source : instance->root);
	if (!instance->provider_name || !instance->source)
		return PRJ_ERR_OUT_OF_MEMORY;
	r = make_events(instance);
	if (r < 0)
		return fail_errno(r, "creating event descriptors: %s", strerror(-r));
	result = open_store(instance);
	if (result == PRJ_OK)
		result = check_binding(instance);
	if (result != PRJ_OK)
		return result;
	result = mappings_take(instance, options, &mappings);
	if (result != PRJ_OK)
		return result;
	make_config(instance, options, &mappings, &config);
	r = start_checker(instance, &config);
	if (r == 0)
		r = core_new(instance->store, &config, &instance->core);
	mappings_deinit(&mappings);
	if (r < 0)
		return fail_errno(r, "starting an instance at \"%s\": %s", instance->root, strerror(-r));
	allow_calls(instance);
	result = start_mount(instance);
	if (result == PRJ_OK)
		start_control(instance);
	return result;
}

prj_result prj_start_virtualizing(const char *root_path, const struct prj_callbacks *callbacks,
				  void *instance_context, const struct prj_start_options *options,
				  prj_instance **ret_instance)
{
	struct prj_start_options taken;
	struct prj_instance *instance;
	sigset_t all, former;
	prj_result result;

	if (!ret_instance)
		return fail(PRJ_ERR_INVALID_PARAMETER, "ret_instance is NULL");
	instance = calloc(1, sizeof(*instance));
	if (!instance)
		return PRJ_ERR_OUT_OF_MEMORY;
	instance->stop_request_fd = -1;
	instance->stop_event_fd = -1;
	instance->context = instance_context;
	result = take_callbacks(callbacks, &instance->callbacks);
	if (result == PRJ_OK)
		result = take_options(options, &taken);
	if (result == PRJ_OK)
		result = find_root(root_path, instance->root);
	/* Threads inherit the mask: signals are the business of the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	if (result == PRJ_OK)
		result = start(instance, &taken);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (result != PRJ_OK) {
		prj_stop_virtualizing(instance);
		return result;
	}
	*ret_instance = instance;
	return PRJ_OK;
}

void prj_stop_virtualizing(prj_instance *instance)
{
	if (!instance)
		return;
	if (instance->mount)
		fuse_mount_detach(instance->mount);
	control_server_free(instance->control);
	if (instance->checker)
		checker_stopping(instance->checker);
	if (instance->core)
		core_stop(instance->core);
	forbid_calls(instance);
	if (instance->mount)
		fuse_mount_stop(instance->mount);
	fuse_mount_free(instance->mount);
	core_free(instance->core);
	checker_free(instance->checker);
	store_free(instance->store);
	if (instance->stop_event_fd >= 0)
		(void)close(instance->stop_event_fd);
	if (instance->stop_request_fd >= 0)
		(void)close(instance->stop_request_fd);
	free(instance->provider_name);
	free(instance->source);
	free(instance);
}

static prj_result not_running(void)
{
	return fail(PRJ_ERR_INVALID_PARAMETER, "the instance is NULL, or it has been stopped");
}

int prj_get_stop_event(prj_instance *instance)
{
	int fd;

	if (!instance_enter(instance))
		return not_running();
	fd = instance->stop_event_fd;
	instance_leave(instance);
	return fd;
}

prj_result prj_get_virtualization_instance_info(prj_instance *instance,
						struct prj_virtualization_instance_info *ret_info)
{
	if (!ret_info)
		return fail(PRJ_ERR_INVALID_PARAMETER, "ret_info is NULL");
	if (!instance_enter(instance))
		return not_running();
	store_guid(instance->store, ret_info->instance_id.bytes);
	ret_info->write_alignment = store_write_alignment(instance->store);
	instance_leave(instance);
	return PRJ_OK;
}

int prj_open_local(prj_instance *instance)
{
	int fd;

	if (!instance_enter(instance))
		return not_running();
	fd = openat(store_root_fd(instance->store), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fd = fail_errno(-errno, "opening the store of \"%s\": %s", instance->root,
				strerror(errno));
	instance_leave(instance);
	return fd;
}
