/* SPDX-License-Identifier: MIT */
/* The provider that the library sees: each callback is noted, and then goes the way that a rule says. */
#include "puppet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[N_KINDS] = {
        "lookup", "list", "data", "cancel", "start", "end", "query",
        /* notifications, by their bits from 0x2 on */
        "opened", "created", "overwritten", "pre-delete", "pre-rename", "pre-link", "renamed",
        "linked", "closed", "closed-modified", "closed-deleted", "pre-convert"};

int kind_parse(const char *name)
{
	for (int i = 0; i < N_KINDS; i++)
		if (!strcmp(name, kind_names[i]))
			return i;
	return -1;
}

static enum kind kind_of_event(enum prj_notification event)
{
	enum kind kind = KIND_EVENT;

	for (uint32_t bit = PRJ_NOTIFICATION_FILE_OPENED; kind < N_KINDS - 1 && event != bit;
	     bit <<= 1)
		kind++;
	return kind;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static struct rule **find_rule(struct puppet *p, enum kind kind, const char *path)
{
	struct rule **r = &p->rules;

	while (*r && ((*r)->kind != kind || (strcmp((*r)->path, "*") && strcmp((*r)->path, path))))
		r = &(*r)->next;
	return r;
}

/* The rule for this call, used once more. The caller holds the lock. */
static struct rule take_rule(struct call *call)
{
	static const struct rule behave = {.short_bytes = -1};
	struct rule **at = find_rule(call->puppet, call->kind, call->path), *rule = *at, copy;

	if (!rule)
		return behave;
	copy = *rule;
	if (rule->n_left && --rule->n_left == 0) {
		*at = rule->next;
		free(rule);
	}
	return copy;
}

void wait_released(const struct call *call)
{
	struct puppet *p = call->puppet;
	const struct rule *rule;

	while (!p->is_stopping && (rule = *find_rule(p, call->kind, call->path)) &&
	       (rule->mode == MODE_HOLD || rule->mode == MODE_PEND))
		pthread_cond_wait(&p->changed, &p->lock);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void note(struct puppet *p, enum kind kind, int32_t command_id, const struct item *item)
{
	struct note *bigger;

	if ((p->n_notes & (p->n_notes - 1)) == 0) {
		bigger = reallocarray(p->notes, p->n_notes ? p->n_notes * 2 : 1, sizeof(*bigger));
		if (!bigger)
			return;
		p->notes = bigger;
	}
	p->notes[p->n_notes++] = (struct note){kind, command_id, item};
}

void print_notes(const struct puppet *p, int kind, FILE *out)
{
	for (size_t i = 0; i < p->n_notes; i++) {
		const struct note *n = &p->notes[i];

		if (kind < 0 || (int)n->kind == kind)
			fprintf(out, "%s %d %s\n", kind_names[n->kind], n->command_id,
			        *n->item->path ? n->item->path : ".");
	}
}

static void count(struct puppet *p, const struct call *call)
{
	struct item *item = item_find(p, call->path, true);
	struct range *ranges;

	if (!item)
		return;
	item->counts[call->kind]++;
	note(p, call->kind, call->command_id, item);
	if (call->kind == KIND_DATA) {
		ranges = reallocarray(item->ranges, item->n_ranges + 1, sizeof(*ranges));
		if (ranges) {
			ranges[item->n_ranges++] = (struct range){call->offset, call->length};
			item->ranges = ranges;
		}
	}
	pthread_cond_broadcast(&p->changed);
}

static void fill_call(struct call *call, const struct prj_callback_data *data)
{
	call->puppet = data->instance_context;
	call->instance = data->instance;
	call->command_id = data->command_id;
	(void)snprintf(call->path, sizeof(call->path), "%s",
	               data->file_path_name ? data->file_path_name : "");
}

static prj_result handle(struct call *call, const struct prj_callback_data *data)
{
	struct puppet *p = data->instance_context;
	prj_result result = PRJ_OK;
	struct rule rule;

	fill_call(call, data);
	pthread_mutex_lock(&p->lock);
	p->instance = data->instance;
	count(p, call);
	rule = take_rule(call);
	switch (rule.mode) {
	case MODE_HOLD:
		wait_released(call);
		rule = take_rule(call); /* what holds now */
		break;
	case MODE_KEEP:
		result = keep_call(call);
		break;
	case MODE_PEND:
	case MODE_EARLY:
	case MODE_LATE:
		result = answer_on_a_thread(call, &rule);
		break;
	default:
		break;
	}
	pthread_mutex_unlock(&p->lock);
	if (result != PRJ_OK || rule.has_result)
		return result != PRJ_OK ? result : rule.result;
	return answer(call, rule.short_bytes);
}

static prj_result get_placeholder_info(const struct prj_callback_data *data)
{
	struct call call = {.kind = KIND_LOOKUP};

	return handle(&call, data);
}

static prj_result get_file_data(const struct prj_callback_data *data, uint64_t byte_offset,
                                uint32_t length)
{
	struct call call = {.kind = KIND_DATA,
	                    .offset = byte_offset,
	                    .length = length,
	                    .id = data->data_stream_id};

	return handle(&call, data);
}

static prj_result start_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct call call = {.kind = KIND_START, .id = *id};

	return handle(&call, data);
}

static prj_result get_enumeration(const struct prj_callback_data *data, const struct prj_guid *id,
                                  const char *search_expression, prj_dir_entry_buffer *buffer)
{
	struct call call = {.kind = KIND_LIST,
	                    .id = *id,
	                    .buffer = buffer,
	                    .restart = data->flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN};

	(void)search_expression;
	return handle(&call, data);
}

static prj_result end_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct call call = {.kind = KIND_END, .id = *id};

	return handle(&call, data);
}

static prj_result query_file_name(const struct prj_callback_data *data)
{
	struct call call = {.kind = KIND_QUERY};

	return handle(&call, data);
}

static prj_result notification(const struct prj_callback_data *data, int is_directory,
                               enum prj_notification event, const char *destination_file_name,
                               union prj_notification_parameters *operation_parameters)
{
	struct call call = {.kind = kind_of_event(event)};

	(void)is_directory;
	(void)destination_file_name;
	(void)operation_parameters;
	return handle(&call, data);
}

static void cancel(const struct prj_callback_data *data)
{
	struct puppet *p = data->instance_context;
	struct call call = {.kind = KIND_CANCEL};

	fill_call(&call, data);
	pthread_mutex_lock(&p->lock);
	count(p, &call);
	pthread_mutex_unlock(&p->lock);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* What was asked, and what is left over. */
static void end_calls(struct puppet *p)
{
	FILE *journal = NULL;
	char path[4096];

	if (p->directory) {
		(void)snprintf(path, sizeof(path), "%s/journal", p->directory);
		journal = fopen(path, "we");
	}
	if (!journal)
		journal = fopen("/dev/null", "we");
	if (!journal)
		return;
	print_notes(p, -1, journal);
	calls_end(p, journal);
	fprintf(journal, "sessions %zu\n", sessions_free(p));
	fclose(journal);
}

static void puppet_close(void *context)
{
	struct puppet *p = context;
	struct rule *rule;

	control_stop(p);
	pthread_mutex_lock(&p->lock);
	while (p->n_workers)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	end_calls(p);
	while ((rule = p->rules)) {
		p->rules = rule->next;
		free(rule);
	}
	for (size_t i = 0; i < p->n_items; i++) {
		free(p->items[i]->ranges);
		free(p->items[i]);
	}
	free(p->items);
	free(p->notes);
	free(p->mapping_text);
	free(p->directory);
	free(p);
}

/* Indices of the options. */
enum { STABLE, REVALIDATE, QUERY, NEGATIVE, NOTIFY };

static const struct prj_provider_option options[] = {
        [STABLE] = {"stable", PRJ_OPTION_BOOL, "no", "promise that the view does not change"},
        [REVALIDATE] = {"revalidate", PRJ_OPTION_BOOL, "no", "ask again for what has local state"},
        [QUERY] = {"query", PRJ_OPTION_BOOL, "no", "have a query file name callback"},
        [NEGATIVE] = {"negative", PRJ_OPTION_BOOL, "no", "want the negative path cache"},
        [NOTIFY] = {"notify", PRJ_OPTION_STRING, NULL,
                    "have a notification callback; MASK[:PATH] joined by '+', or nothing: the "
                    "default"},
};

static int parse_mappings(struct puppet *p, const char *text, struct prj_provider_instance *ret)
{
	char *rest, *at;

	p->mapping_text = strdup(text);
	if (!p->mapping_text)
		return -ENOMEM;
	for (at = strtok_r(p->mapping_text, "+", &rest); at; at = strtok_r(NULL, "+", &rest)) {
		char *path;
		unsigned long mask = strtoul(at, &path, 0);

		if (path == at || (*path && *path != ':') ||
		    ret->notification_mappings_count == MAPPINGS_MAX)
			return -EINVAL;
		p->mappings[ret->notification_mappings_count++] = (struct prj_notification_mapping){
		        .notification_bit_mask = (uint32_t)mask,
		        .notification_root = *path ? path + 1 : NULL};
	}
	ret->notification_mappings = p->mappings;
	return 0;
}

static int configure(struct puppet *p, const struct prj_option_value *values,
                     struct prj_provider_instance *ret)
{
	static const uint32_t flags[] = {[STABLE] = PRJ_FLAG_STABLE_VIEW,
	                                 [REVALIDATE] = PRJ_FLAG_REVALIDATE,
	                                 [NEGATIVE] = PRJ_FLAG_USE_NEGATIVE_PATH_CACHE};

	ret->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(ret->callbacks),
	        .start_directory_enumeration = start_enumeration,
	        .end_directory_enumeration = end_enumeration,
	        .get_directory_enumeration = get_enumeration,
	        .get_placeholder_info = get_placeholder_info,
	        .get_file_data = get_file_data,
	        .query_file_name = values[QUERY].integer ? query_file_name : NULL,
	        .notification = values[NOTIFY].is_set ? notification : NULL,
	        .cancel_command = cancel,
	};
	ret->context = p;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (values[i].integer)
			ret->start_flags |= flags[i];
	return values[NOTIFY].is_set ? parse_mappings(p, values[NOTIFY].string, ret) : 0;
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
		r = configure(p, args->options, ret);
		if (r == 0)
			r = control_start(p);
	}
	if (r < 0) {
		args->set_error(args->error_context, strerror(-r));
		puppet_close(p);
		return PRJ_ERR_INTERNAL_ERROR;
	}
	return PRJ_OK;
}

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
