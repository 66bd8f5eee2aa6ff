/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/node.h"

#define LIMIT_SECONDS 20

static const struct store_mark mark = {.guid = {1, 2, 3}};

/* The caller holds f->lock. Fails the test when nothing happens for long. */
static void wait_change(struct fake *f, const char *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_SECONDS;
	if (pthread_cond_timedwait(&f->changed, &f->lock, &until) == ETIMEDOUT) {
		print_error("waited too long for %s\n", what);
		abort(); /* threads hang: no way to go on */
	}
}

/* ---- the provider --------------------------------------------------------------------------- */

struct fake_item *fake_find(struct fake *f, const char *path)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (!f->items[i].gone && !strcmp(f->items[i].path, path))
			return &f->items[i];
	return NULL;
}

struct fake_item *fake_add(struct fake *f, const char *path, enum record_kind kind, uint64_t size)
{
	struct fake_item *item = &f->items[f->n_items++];

	assert_true(f->n_items <= FAKE_ITEMS_MAX);
	*item = (struct fake_item){
	        .kind = kind, .size = size, .version = "v1", .mtime = 1000000000};
	(void)snprintf(item->path, sizeof(item->path), "%s", path);
	return item;
}

uint8_t fake_byte(const struct fake_item *item, uint64_t offset)
{
	return (uint8_t)(offset * 7 + offset / 4096 * 13 + item->seed + 1);
}

static struct record record_of(const struct fake_item *item)
{
	struct record rec = {.kind = item->kind};

	if (item->kind == RECORD_FILE && !item->size_unknown) {
		rec.size = item->size;
		rec.fields |= RECORD_SIZE;
	}
	if (item->version) {
		rec.content_id = (struct record_bytes){(const uint8_t *)item->version,
		                                       strlen(item->version)};
		rec.fields |= RECORD_CONTENT_ID;
	}
	if (item->mtime) {
		rec.mtime.sec = item->mtime;
		rec.fields |= RECORD_MTIME;
	}
	if (item->target) {
		rec.target =
		        (struct record_bytes){(const uint8_t *)item->target, strlen(item->target)};
		rec.fields |= RECORD_TARGET;
	}
	return rec;
}

int fake_deliver(struct fake *f, const struct fake_call *call, uint64_t offset, uint64_t length)
{
	const struct fake_item *item = fake_find(f, call->path);
	uint8_t *data;
	int r;

	if (!item)
		return -ENOENT;
	data = malloc(length ? length : 1);
	if (!data)
		return -ENOMEM;
	for (uint64_t i = 0; i < length; i++)
		data[i] = fake_byte(item, offset + i);
	r = core_write_data(f->core, call->stream, data, offset, length);
	free(data);
	return r;
}

static bool is_in(const char *path, const char *dir, const char **ret_name)
{
	size_t n = strlen(dir);

	if (n && (strncmp(path, dir, n) != 0 || path[n] != '/'))
		return false;
	*ret_name = path + n + (n != 0);
	return **ret_name && !strchr(*ret_name, '/');
}

static int answer_get(struct fake *f, const struct fake_call *call)
{
	size_t *given = &f->listed[call->session % 64], at = 0;
	unsigned n = 0;
	int r = 0;

	if (call->restart)
		*given = 0;
	for (size_t i = 0; r == 0 && i < f->n_items; i++) {
		struct record rec = record_of(&f->items[i]);
		const char *name;

		if (f->items[i].gone || !is_in(f->items[i].path, call->path, &name) ||
		    at++ < *given)
			continue;
		if (f->per_get && n == f->per_get)
			break;
		r = dir_buffer_add(call->buffer, name, &rec);
		if (r == 0) {
			n++;
			(*given)++;
		}
	}
	return r == -ENOBUFS && n ? 0 : r;
}

int fake_answer(struct fake *f, const struct fake_call *call)
{
	struct fake_item *item;
	struct record rec;

	/* It comes after the listing's answer, when the test may be changing the items. */
	if (call->kind == COMMAND_END_ENUM || call->kind == COMMAND_NOTIFY)
		return 0;
	item = fake_find(f, call->path);

	switch (call->kind) {
	case COMMAND_START_ENUM:
		return *call->path && !item ? -ENOENT : 0;
	case COMMAND_GET_ENUM:
		return answer_get(f, call);
	case COMMAND_PLACEHOLDER:
		if (!item)
			return -ENOENT;
		rec = record_of(item);
		return core_write_placeholder(f->core, call->path, &rec);
	case COMMAND_QUERY_NAME:
		return item ? 0 : -ENOENT;
	default:
		if (!item)
			return -ENOENT;
		if (item->size_unknown)
			return item->size ? fake_deliver(f, call, 0, item->size) : 0;
		return call->length ? fake_deliver(f, call, call->offset, call->length) : 0;
	}
}

static struct fake_call call_of(struct fake *f, const struct command *cmd)
{
	struct fake_call call = {
	        .kind = cmd->kind,
	        .id = cmd->id,
	        .pid = cmd->pid,
	        .uid = cmd->uid,
	        .offset = cmd->offset,
	        .length = cmd->length,
	        .restart = cmd->restart,
	        .buffer = cmd->buffer,
	        .event = cmd->event,
	        .is_directory = cmd->is_directory,
	        .is_modified = cmd->is_modified,
	        .sequence = cmd->sequence,
	        .handle = cmd->handle,
	        .node = cmd->node->id,
	};

	(void)snprintf(call.path, sizeof(call.path), "%s", cmd->path);
	if (cmd->destination)
		(void)snprintf(call.destination, sizeof(call.destination), "%s", cmd->destination);
	memcpy(&call.session, cmd->session_id, sizeof(call.session));
	if (cmd->kind == COMMAND_DATA)
		command_stream_id(f->core, cmd, call.stream);
	return call;
}

static int invoke(void *context, struct command *cmd)
{
	struct fake *f = context;
	struct fake_call call = call_of(f, cmd);
	unsigned bit = 1u << call.kind;
	bool pend;
	int r;

	pthread_mutex_lock(&f->lock);
	pend = f->pend & bit;
	if (f->n_calls < FAKE_CALLS_MAX)
		f->calls[f->n_calls++] = call;
	f->n_ended += call.kind == COMMAND_END_ENUM;
	if (f->gate & bit) {
		f->n_gated++;
		pthread_cond_broadcast(&f->changed);
		while (f->gate & bit)
			wait_change(f, "the gate to open");
	}
	r = f->error[call.kind];
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	if (pend)
		return CORE_PENDING;
	if (r == 0)
		r = f->hook ? f->hook(f, &call) : fake_answer(f, &call);
	if (call.kind == COMMAND_START_ENUM && r == 0) {
		pthread_mutex_lock(&f->lock);
		f->n_started++;
		pthread_mutex_unlock(&f->lock);
	}
	return r;
}

static void cancel(void *context, struct command *cmd)
{
	struct fake *f = context;

	pthread_mutex_lock(&f->lock);
	f->cancelled[f->n_cancelled++ % 64] = cmd->id;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

int fake_complete(struct fake *f, const struct fake_call *call, int error)
{
	int r;

	if (call->kind == COMMAND_START_ENUM && error == 0)
		f->n_started++;
	r = core_complete(f->core, call->id, error,
			  &(struct core_completion){.buffer = call->buffer});
	return r;
}

struct fake_call fake_wait_call(struct fake *f, enum command_kind kind, size_t n)
{
	struct fake_call call;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		size_t at = 0;

		for (size_t i = 0; i < f->n_calls; i++) {
			if (f->calls[i].kind != kind || at++ != n)
				continue;
			call = f->calls[i];
			pthread_mutex_unlock(&f->lock);
			return call;
		}
		wait_change(f, "a callback");
	}
}

size_t fake_count(struct fake *f, enum command_kind kind)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n_calls; i++)
		n += f->calls[i].kind == kind;
	pthread_mutex_unlock(&f->lock);
	return n;
}

void fake_open_gate(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	f->gate = 0;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void fake_wait_gated(struct fake *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_gated < n)
		wait_change(f, "callbacks at the gate");
	pthread_mutex_unlock(&f->lock);
}

void fake_wait_cancelled(struct fake *f, int32_t id)
{
	bool found = false;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		for (size_t i = 0; i < f->n_cancelled; i++)
			found |= f->cancelled[i] == id;
		if (found)
			break;
		wait_change(f, "a cancel callback");
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static void expire_entry(void *context, uint64_t parent_id, const char *name)
{
	struct fake *f = context;

	pthread_mutex_lock(&f->lock);
	f->n_expired++;
	(void)snprintf(f->expired, sizeof(f->expired), "%s", name);
	pthread_mutex_unlock(&f->lock);
}

static void inval_node(void *context, uint64_t node_id, bool data)
{
	struct fake *f = context;

	pthread_mutex_lock(&f->lock);
	f->n_invalidated++;
	f->n_data_invalidated += data;
	pthread_mutex_unlock(&f->lock);
}

static const struct core_kernel kernel = {.expire_entry = expire_entry, .inval_node = inval_node};

/* ---- start and stop ------------------------------------------------------------------------- */

static void start(struct fake *f)
{
	struct errmsg err = {{0}};
	int r = f->read_only ? store_open_readonly(f->path, &f->store, &err)
	                     : store_open(f->path, &f->store, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(core_new(f->store, &f->config, &f->core), 0);
	core_set_kernel(f->core, &kernel, f);
	f->stopped = false;
}

int fake_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fake *f = calloc(1, sizeof(*f));
	struct errmsg err = {{0}};

	(void)snprintf(f->path, sizeof(f->path), "%s/projfs-core-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->path) || store_mark_root(f->path, &mark, false, &err) < 0)
		return -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->config = (struct core_config){
	        .provider = {.invoke = invoke, .cancel = cancel},
	        .provider_context = f,
	        .n_callback_threads = 4,
	        .lookup_timeout_ms = 15000,
	        .data_timeout_ms = 15000,
	        .placeholder_timeout_ms = 600000,
	        .small_file_bytes = MIB,
	};
	start(f);
	*state = f;
	return 0;
}

/* After core_stop() nothing may be under way, and what the kernel forgets is gone. */
static void check_balance(struct fake *f)
{
	struct core_stats stats;

	for (size_t i = 0; i < f->n_seen; i++)
		core_forget(f->core, f->seen[i].id, f->seen[i].n);
	f->n_seen = 0;
	core_get_stats(f->core, &stats);
	if (!f->may_keep)
		assert_int_equal(stats.n_nodes, 1 + f->n_kept);
	assert_int_equal(stats.n_parked, 0);
	assert_int_equal(stats.n_commands, 0);
	assert_int_equal(stats.n_open_listings, 0);
	assert_int_equal(f->n_started, f->n_ended);
}

void fake_stop(struct fake *f)
{
	if (!f->stopped)
		core_stop(f->core);
	f->stopped = true;
}

static void stop(struct fake *f)
{
	fake_stop(f);
	check_balance(f);
	f->core = core_free(f->core);
	f->store = store_free(f->store);
}

void fake_restart(struct fake *f)
{
	stop(f);
	f->n_calls = 0;
	f->n_kept = 0;
	start(f);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (S_ISDIR(st->st_mode))
		(void)chmod(path, 0700);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)remove(path);
	return 0;
}

int fake_teardown(void **state)
{
	struct fake *f = *state;

	fake_open_gate(f);
	stop(f);
	(void)nftw(f->path, open_up, 16, FTW_PHYS);
	(void)nftw(f->path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return 0;
}

char *fake_at(const struct fake *f, const char *path)
{
	char *at;

	assert_true(asprintf(&at, "%s/%s", f->path, path) > 0);
	return at;
}

void fake_put_file(struct fake *f, const char *path, const char *text)
{
	char *at = fake_at(f, path);
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(at);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The caller holds f->lock. */
static void count_seen(struct fake *f, uint64_t id)
{
	if (!id)
		return;
	for (size_t i = 0; i < f->n_seen; i++) {
		if (f->seen[i].id == id) {
			f->seen[i].n++;
			return;
		}
	}
	assert_true(f->n_seen < FAKE_NAMES_MAX);
	f->seen[f->n_seen].id = id;
	f->seen[f->n_seen++].n = 1;
}

static void take_answer(struct request *r)
{
	const struct core_req *req = &r->req;
	uint8_t *data;

	if (r->want == WANT_DATA) {
		r->length = req->ret.read.length;
		data = malloc(r->length ? r->length : 1);
		if (r->length)
			r->error = pread(content_fd(req->ret.read.content), data, r->length,
			                 (off_t)req->ret.read.offset) == (ssize_t)r->length
			                   ? 0
			                   : -EIO;
		r->data = data;
	} else if (r->want == WANT_BYTES) {
		r->length = req->ret.bytes.size;
		r->data = malloc(r->length + 1);
		if (r->length)
			memcpy(r->data, req->ret.bytes.data, r->length);
		r->data[r->length] = 0;
	} else if (r->want == WANT_ENTRY) {
		r->entry = req->ret.entry;
		count_seen(r->f, r->entry.node_id);
	} else if (r->want == WANT_ATTR) {
		r->attr = req->ret.attr.attr;
	} else if (r->want == WANT_HANDLE) {
		r->handle = req->ret.open.handle;
	} else if (r->want == WANT_COUNT) {
		r->length = req->ret.written;
	}
}

static void on_done(struct core_req *req, int error)
{
	struct request *r = (struct request *)req;
	struct fake *f = r->f;

	pthread_mutex_lock(&f->lock);
	if (r->done) {
		print_error("a request was answered twice\n");
		abort();
	}
	r->error = error;
	if (error == 0)
		take_answer(r);
	r->done = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static bool on_emit(struct core_req *req, const struct core_dirent *d)
{
	struct request *r = (struct request *)req;

	if (r->limit && r->n_names == r->limit)
		return false;
	if (!r->names)
		r->names = calloc(FAKE_NAMES_MAX, sizeof(*r->names));
	assert_true(r->n_names < FAKE_NAMES_MAX);
	assert_int_equal(strlen(d->name), d->name_length);
	(void)snprintf(r->names[r->n_names].name, 256, "%s", d->name);
	r->names[r->n_names].next = d->next_offset;
	r->names[r->n_names].ino = d->ino;
	r->names[r->n_names].type = d->type;
	r->names[r->n_names].has_entry = d->entry;
	r->names[r->n_names].id = d->entry ? d->entry->node_id : 0;
	r->n_names++;
	if (d->entry) {
		pthread_mutex_lock(&r->f->lock);
		count_seen(r->f, d->entry->node_id);
		pthread_mutex_unlock(&r->f->lock);
	}
	return true;
}

void request_init(struct fake *f, struct request *r, enum want want)
{
	*r = (struct request){.f = f, .req = {.done = on_done, .emit = on_emit}, .want = want};
}

int request_wait(struct request *r)
{
	pthread_mutex_lock(&r->f->lock);
	while (!r->done)
		wait_change(r->f, "an answer");
	pthread_mutex_unlock(&r->f->lock);
	return r->error;
}

bool request_is_done(struct request *r)
{
	bool done;

	pthread_mutex_lock(&r->f->lock);
	done = r->done;
	pthread_mutex_unlock(&r->f->lock);
	return done;
}

void request_deinit(struct request *r)
{
	free(r->data);
	free(r->names);
	r->data = NULL;
	r->names = NULL;
}

int lookup(struct fake *f, uint64_t parent, const char *name, struct core_entry *ret)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_ENTRY);
	core_lookup(f->core, &r.req, parent, name);
	error = request_wait(&r);
	if (error == 0 && ret)
		*ret = r.entry;
	request_deinit(&r);
	return error;
}

struct core_entry find(struct fake *f, const char *path)
{
	struct core_entry entry = {.node_id = CORE_ROOT_ID};
	char copy[300], *rest = copy, *name;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, "/"))) {
		int r = lookup(f, entry.node_id, name, &entry);

		if (r != 0)
			fail_msg("look-up of \"%s\" in \"%s\": %s", name, path, strerror(-r));
	}
	return entry;
}

int get_attr(struct fake *f, uint64_t id, struct core_attr *ret)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_ATTR);
	core_getattr(f->core, &r.req, id);
	error = request_wait(&r);
	if (error == 0 && ret)
		*ret = r.attr;
	request_deinit(&r);
	return error;
}

int open_node(struct fake *f, uint64_t id)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_HANDLE);
	core_open(f->core, &r.req, id, O_RDONLY, false);
	error = request_wait(&r);
	request_deinit(&r);
	return error;
}

int64_t read_check(struct fake *f, uint64_t id, const struct fake_item *item, uint64_t offset,
                   size_t size)
{
	struct request r;
	int64_t result;

	request_init(f, &r, WANT_DATA);
	core_read(f->core, &r.req, id, 0, offset, size);
	result = request_wait(&r);
	if (result == 0) {
		result = (int64_t)r.length;
		for (size_t i = 0; i < r.length; i++) {
			if (r.data[i] != fake_byte(item, offset + i)) {
				result = -EILSEQ;
				break;
			}
		}
	}
	request_deinit(&r);
	return result;
}

int hydrate_node(struct fake *f, uint64_t id)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_BYTES);
	core_ioctl(f->core, &r.req, id, CORE_IOCTL_HYDRATE, NULL, 0);
	error = request_wait(&r);
	request_deinit(&r);
	return error;
}

uint64_t open_dir(struct fake *f, uint64_t id)
{
	struct request r;

	request_init(f, &r, WANT_HANDLE);
	core_opendir(f->core, &r.req, id);
	assert_int_equal(request_wait(&r), 0);
	request_deinit(&r);
	return r.handle;
}

int read_dir(struct fake *f, uint64_t id, uint64_t handle, uint64_t offset, size_t limit, bool plus,
             struct request *r)
{
	request_init(f, r, WANT_NOTHING);
	r->limit = limit;
	core_readdir(f->core, &r->req, id, handle, offset, plus);
	return request_wait(r);
}

char *names_of(struct fake *f, uint64_t id)
{
	uint64_t handle = open_dir(f, id);
	struct request r;
	char *text = calloc(1, 300000);

	assert_int_equal(read_dir(f, id, handle, 0, 0, false, &r), 0);
	for (size_t i = 2; i < r.n_names; i++) {
		strcat(text, i > 2 ? " " : "");
		strcat(text, r.names[i].name);
	}
	request_deinit(&r);
	core_releasedir(f->core, id, handle);
	return text;
}

int state_of(struct fake *f, const char *path, uint32_t flags, struct core_ioctl_state *ret)
{
	struct core_ioctl_state *arg = calloc(1, sizeof(*arg));
	struct request r;
	int error;

	memset(arg, 0x55, sizeof(*arg)); /* what the answer does not set would show */
	arg->flags = flags;
	(void)snprintf(arg->path, sizeof(arg->path), "%s", path);
	request_init(f, &r, WANT_BYTES);
	core_ioctl(f->core, &r.req, CORE_ROOT_ID, CORE_IOCTL_STATE, arg, sizeof(*arg));
	error = request_wait(&r);
	if (error == 0) {
		assert_int_equal(r.length, sizeof(*ret));
		memcpy(ret, r.data, sizeof(*ret));
	}
	request_deinit(&r);
	free(arg);
	return error;
}

uint64_t stat_of(struct fake *f, size_t offset)
{
	struct core_stats stats;
	uint64_t value;

	core_get_stats(f->core, &stats);
	memcpy(&value, (const char *)&stats + offset, sizeof(value));
	return value;
}
