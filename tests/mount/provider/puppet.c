/* SPDX-License-Identifier: MIT */
#include "puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256u * 1024)

/* One open listing: the items that existed when it was opened, in the order in which they are given. */
struct session {
	struct session *next;
	struct prj_guid id;
	struct item **items;
	size_t n_items, position;
};

/* One callback, with all that is needed to answer it later. */
struct call {
	struct puppet *puppet;
	enum kind kind;
	prj_instance *instance;
	int32_t command_id;
	struct prj_guid id; /* the enumeration, or the data stream */
	bool restart;
	prj_dir_entry_buffer *buffer;
	uint64_t offset;
	uint32_t length;
	bool is_held; /* a worker: wait to be released first */
	char path[4096];
};

static const char *const kind_names[N_KINDS] = {"lookup", "list", "data", "cancel"};

int kind_parse(const char *name)
{
	for (int i = 0; i < N_KINDS; i++)
		if (!strcmp(name, kind_names[i]))
			return i;
	return -1;
}

struct item *item_find(struct puppet *p, const char *path, bool create)
{
	uint32_t hash = 2166136261u;
	struct item **bucket, *item, **items;

	for (const char *c = path; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	bucket = &p->buckets[(hash ^ hash >> 16) % N_BUCKETS];
	for (item = *bucket; item; item = item->next)
		if (!strcmp(item->path, path))
			return item;
	if (!create)
		return NULL;
	item = calloc(1, sizeof(*item) + strlen(path) + 1);
	if (!item)
		return NULL;
	if ((p->n_items & (p->n_items - 1)) == 0) { /* a power of two: the room is used up */
		items = reallocarray(p->items, p->n_items ? p->n_items * 2 : 1, sizeof(*items));
		if (!items) {
			free(item);
			return NULL;
		}
		p->items = items;
	}
	strcpy(item->path, path);
	p->items[p->n_items++] = item;
	item->next = *bucket;
	*bucket = item;
	return item;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static const struct rule *find_rule(const struct puppet *p, enum kind kind, const char *path)
{
	for (const struct rule *r = p->rules; r; r = r->next)
		if (r->kind == kind && (!strcmp(r->path, "*") || !strcmp(r->path, path)))
			return r;
	return NULL;
}

/* Wait, with the lock, until no rule holds this call any more. */
static void wait_released(const struct call *call)
{
	struct puppet *p = call->puppet;
	const struct rule *rule;

	while (!p->is_stopping && (rule = find_rule(p, call->kind, call->path)) &&
	       (rule->action == ACTION_HOLD || rule->action == ACTION_PEND))
		pthread_cond_wait(&p->changed, &p->lock);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void fill_info(const struct item *item, struct prj_placeholder_info *ret)
{
	*ret = (struct prj_placeholder_info){
	        .struct_size = sizeof(*ret),
	        .file_basic_info = {
	                .struct_size = sizeof(ret->file_basic_info),
	                .is_directory = item->is_dir,
	                .file_size = item->is_dir ? 0 : (int64_t)item->size,
	                .last_write_time.sec = 1700000000 + (int64_t)item->seed,
	                .change_time.sec = 1700000000 + (int64_t)item->seed,
	                .valid = PRJ_BASIC_INFO_MODE,
	                .mode = item->mode,
	        }};
	if (!item->is_dir) {
		memcpy(ret->version_info.content_id, &item->seed, sizeof(item->seed));
		memcpy(ret->version_info.content_id + 8, &item->size, sizeof(item->size));
	}
}

static prj_result answer_lookup(const struct call *call)
{
	struct puppet *p = call->puppet;
	struct prj_placeholder_info info;
	const struct item *item;
	bool exists;

	pthread_mutex_lock(&p->lock);
	item = item_find(p, call->path, false);
	exists = item && item->exists;
	if (exists)
		fill_info(item, &info);
	pthread_mutex_unlock(&p->lock);
	if (!exists)
		return PRJ_ERR_FILE_NOT_FOUND;
	return prj_write_placeholder_info(call->instance, call->path, &info, sizeof(info));
}

static struct session **find_session(struct puppet *p, const struct prj_guid *id)
{
	struct session **s = &p->sessions; /* the caller holds the lock */

	while (*s && memcmp(&(*s)->id, id, sizeof(*id)))
		s = &(*s)->next;
	return s;
}

static prj_result answer_list(const struct call *call)
{
	struct puppet *p = call->puppet;
	prj_result result = PRJ_OK;
	struct session *s;
	int n_filled = 0;

	pthread_mutex_lock(&p->lock);
	s = *find_session(p, &call->id);
	if (s && call->restart)
		s->position = 0;
	for (; s && s->position < s->n_items; s->position++, n_filled++) {
		const struct item *item = s->items[s->position];
		const char *slash = strrchr(item->path, '/');
		struct prj_placeholder_info info;

		fill_info(item, &info);
		result = prj_fill_dir_entry_buffer(slash ? slash + 1 : item->path,
		                                   &info.file_basic_info, call->buffer);
		if (PRJ_FAILED(result))
			break;
	}
	pthread_mutex_unlock(&p->lock);
	return n_filled && result == PRJ_ERR_INSUFFICIENT_BUFFER ? PRJ_OK : result;
}

static prj_result answer_data(const struct call *call, int64_t limit)
{
	uint64_t offset = call->offset, end = offset + call->length, seed = 0, size = 0;
	struct puppet *p = call->puppet;
	prj_result result = PRJ_OK;
	const struct item *item;
	uint64_t *words = malloc(CHUNK + 8);

	if (!words)
		return PRJ_ERR_OUT_OF_MEMORY;
	pthread_mutex_lock(&p->lock);
	item = item_find(p, call->path, false);
	if (item) {
		seed = item->seed;
		size = item->size;
	}
	pthread_mutex_unlock(&p->lock);
	if (end > size)
		end = size;
	if (limit >= 0 && end > offset + (uint64_t)limit)
		end = offset + (uint64_t)limit;
	while (offset < end && PRJ_SUCCEEDED(result)) {
		uint32_t n = end - offset < CHUNK ? (uint32_t)(end - offset) : CHUNK;

		for (uint32_t i = 0; i <= n / 8; i++)
			words[i] = (seed << 40) + offset / 8 + i + 1;
		result = prj_write_file_data(call->instance, &call->id, (char *)words + offset % 8,
		                             offset, n);
		offset += n;
	}
	free(words);
	return result;
}

static prj_result answer(const struct call *call, const struct rule *rule, int64_t argument)
{
	if (rule && rule->action == ACTION_FAIL)
		return (prj_result)argument;
	if (call->kind == KIND_LOOKUP)
		return answer_lookup(call);
	if (call->kind == KIND_LIST)
		return answer_list(call);
	return answer_data(call, rule && rule->action == ACTION_SHORT ? argument : -1);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void *worker_main(void *argument)
{
	struct call *call = argument;
	struct puppet *p = call->puppet;
	struct prj_complete_command_extended_parameters parameters = {
	        .command_type = PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION,
	        .u.enumeration.dir_entry_buffer = call->buffer};
	bool is_stopping;

	pthread_mutex_lock(&p->lock);
	if (call->is_held)
		wait_released(call);
	is_stopping = p->is_stopping;
	pthread_mutex_unlock(&p->lock);
	if (!is_stopping)
		(void)prj_complete_command(call->instance, call->command_id, answer(call, NULL, 0),
		                           call->kind == KIND_LIST ? &parameters : NULL);
	pthread_mutex_lock(&p->lock);
	p->n_workers--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	free(call);
	return NULL;
}

static prj_result start_worker(const struct call *call, bool is_held)
{
	struct call *copy = malloc(sizeof(*copy));
	pthread_t thread;

	if (!copy)
		return PRJ_ERR_OUT_OF_MEMORY;
	*copy = *call;
	copy->is_held = is_held;
	call->puppet->n_workers++; /* the caller holds the lock */
	if (pthread_create(&thread, NULL, worker_main, copy)) {
		call->puppet->n_workers--;
		free(copy);
		return PRJ_ERR_OUT_OF_MEMORY;
	}
	pthread_detach(thread);
	return PRJ_ERR_IO_PENDING;
}

static void count(struct puppet *p, const struct call *call)
{
	struct item *item = item_find(p, call->path, true);
	struct range *ranges;

	if (!item)
		return;
	item->counts[call->kind]++;
	if (call->kind == KIND_DATA) {
		ranges = reallocarray(item->ranges, item->n_ranges + 1, sizeof(*ranges));
		if (ranges) {
			ranges[item->n_ranges++] = (struct range){call->offset, call->length};
			item->ranges = ranges;
		}
	}
	pthread_cond_broadcast(&p->changed);
}

static prj_result handle(struct call *call, const struct prj_callback_data *data)
{
	struct puppet *p = data->instance_context;
	const struct rule *rule;
	struct rule copy;
	prj_result result;

	call->puppet = p;
	call->instance = data->instance;
	call->command_id = data->command_id;
	(void)snprintf(call->path, sizeof(call->path), "%s", data->file_path_name);
	pthread_mutex_lock(&p->lock);
	count(p, call);
	rule = find_rule(p, call->kind, call->path);
	if (rule && (rule->action == ACTION_PEND || rule->action == ACTION_LATE)) {
		result = start_worker(call, rule->action == ACTION_PEND);
		pthread_mutex_unlock(&p->lock);
		return result;
	}
	wait_released(call);
	rule = find_rule(p, call->kind, call->path);
	if (rule)
		copy = *rule;
	pthread_mutex_unlock(&p->lock);
	return answer(call, rule ? &copy : NULL, rule ? copy.argument : 0);
}

static prj_result get_placeholder_info(const struct prj_callback_data *data)
{
	struct call call = {.kind = KIND_LOOKUP};

	return handle(&call, data);
}

static prj_result get_file_data(const struct prj_callback_data *data, uint64_t byte_offset,
                                uint32_t length)
{
	struct call call = {.kind = KIND_DATA, .offset = byte_offset, .length = length,
	                    .id = data->data_stream_id};

	return handle(&call, data);
}

static prj_result get_enumeration(const struct prj_callback_data *data, const struct prj_guid *id,
                                  const char *search_expression, prj_dir_entry_buffer *buffer)
{
	struct call call = {.kind = KIND_LIST, .id = *id, .buffer = buffer,
	                    .restart = data->flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN};

	(void)search_expression;
	return handle(&call, data);
}

static int compare(const void *a, const void *b)
{
	return prj_file_name_compare((*(struct item *const *)a)->path,
	                             (*(struct item *const *)b)->path);
}

/* The caller holds the lock. */
static bool collect(struct puppet *p, const struct item *dir, struct session *s)
{
	size_t length = strlen(dir->path), n = 0;

	s->items = calloc(2 * p->n_items + 1, sizeof(*s->items));
	if (!s->items)
		return false;
	for (size_t i = 0; i < p->n_items; i++) {
		struct item *item = p->items[i];
		const char *slash = strrchr(item->path, '/');
		size_t parent = slash ? (size_t)(slash - item->path) : 0;

		if (item->exists && *item->path && parent == length &&
		    !strncmp(item->path, dir->path, length))
			s->items[n++] = item;
	}
	qsort(s->items, n, sizeof(*s->items), compare);
	for (size_t i = 0; dir->lists_reversed && i < n / 2; i++) {
		struct item *other = s->items[i];

		s->items[i] = s->items[n - 1 - i];
		s->items[n - 1 - i] = other;
	}
	for (size_t i = n; dir->lists_twice && i-- > 0;)
		s->items[2 * i] = s->items[2 * i + 1] = s->items[i];
	s->n_items = dir->lists_twice ? 2 * n : n;
	return true;
}

static prj_result start_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct puppet *p = data->instance_context;
	struct session *s = calloc(1, sizeof(*s));
	prj_result result = PRJ_OK;
	const struct item *dir;

	if (!s)
		return PRJ_ERR_OUT_OF_MEMORY;
	s->id = *id;
	pthread_mutex_lock(&p->lock);
	dir = item_find(p, data->file_path_name, false);
	if (!dir || !dir->exists)
		result = PRJ_ERR_FILE_NOT_FOUND;
	else if (!collect(p, dir, s))
		result = PRJ_ERR_OUT_OF_MEMORY;
	if (PRJ_SUCCEEDED(result)) {
		s->next = p->sessions;
		p->sessions = s;
	}
	pthread_mutex_unlock(&p->lock);
	if (PRJ_FAILED(result))
		free(s);
	return result;
}

static prj_result end_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct puppet *p = data->instance_context;
	struct session **at, *s;

	pthread_mutex_lock(&p->lock);
	at = find_session(p, id);
	s = *at;
	if (s)
		*at = s->next;
	pthread_mutex_unlock(&p->lock);
	if (s)
		free(s->items);
	free(s);
	return PRJ_OK;
}

static void cancel(const struct prj_callback_data *data)
{
	struct puppet *p = data->instance_context;
	struct call call = {.kind = KIND_CANCEL};

	(void)snprintf(call.path, sizeof(call.path), "%s",
	               data->file_path_name ? data->file_path_name : "");
	pthread_mutex_lock(&p->lock);
	count(p, &call);
	pthread_mutex_unlock(&p->lock);
}

/* ---- open and close ------------------------------------------------------------------------- */

static void puppet_close(void *context)
{
	struct puppet *p = context;
	struct rule *rule;

	control_stop(p);
	pthread_mutex_lock(&p->lock);
	while (p->n_workers)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	while ((rule = p->rules)) {
		p->rules = rule->next;
		free(rule);
	}
	for (size_t i = 0; i < p->n_items; i++) {
		free(p->items[i]->ranges);
		free(p->items[i]);
	}
	free(p->items);
	free(p->directory);
	free(p);
}

static prj_result puppet_open(const struct prj_provider_args *args,
                              struct prj_provider_instance *ret)
{
	struct puppet *p = calloc(1, sizeof(*p));
	struct item *root;
	int r = -ENOMEM;

	if (!p)
		return PRJ_ERR_OUT_OF_MEMORY;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->directory = strdup(args->source);
	p->listen_fd = p->client_fd = -1;
	root = item_find(p, "", true);
	if (root && p->directory) {
		root->exists = root->is_dir = true;
		root->mode = 0755;
		r = control_start(p);
	}
	if (r < 0) {
		args->set_error(args->error_context, strerror(-r));
		puppet_close(p);
		return PRJ_ERR_INTERNAL_ERROR;
	}
	ret->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(ret->callbacks),
	        .start_directory_enumeration = start_enumeration,
	        .end_directory_enumeration = end_enumeration,
	        .get_directory_enumeration = get_enumeration,
	        .get_placeholder_info = get_placeholder_info,
	        .get_file_data = get_file_data,
	        .cancel_command = cancel,
	};
	ret->context = p;
	if (args->options[0].integer)
		ret->start_flags |= PRJ_FLAG_STABLE_VIEW;
	if (args->options[1].integer)
		ret->start_flags |= PRJ_FLAG_REVALIDATE;
	return PRJ_OK;
}

static const struct prj_provider_option options[] = {
        {"stable", PRJ_OPTION_BOOL, "no", "promise that the view does not change"},
        {"revalidate", PRJ_OPTION_BOOL, "no", "ask again for what has local state"},
};

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .name = "puppet",
        .version = "1.0",
        .description = "does what tests tell it",
        .source_help = "a directory for its socket",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .open = puppet_open,
        .close = puppet_close,
};
