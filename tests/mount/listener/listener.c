/* SPDX-License-Identifier: MIT */
/*
 * A filter that hears of everything: it adds notifications to the provider that it wraps, and writes each as one line
 * of JSON.  Its text is words:
 *
 *	log=FILE             where to write; the tests' names need no escapes
 *	rules=FILE           read again for each notification: lines "EVENT PATH error ERRNO" or
 *	                     "EVENT PATH mask MASK", numbers as in C; the first that fits counts, and PATH may be *
 *	mask=MASK root=PATH  a mapping; root may be missing
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <prj/provider.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAPPINGS_MAX 16

struct listener {
	const struct prj_provider_instance *inner;
	char *text; /* owned; cut into words */
	int log_fd;
	const char *rules;
	struct prj_notification_mapping mappings[MAPPINGS_MAX];
	uint32_t n_mappings;
};

static const char *event_name(enum prj_notification event)
{
	switch (event) {
	case PRJ_NOTIFICATION_FILE_OPENED:
		return "opened";
	case PRJ_NOTIFICATION_NEW_FILE_CREATED:
		return "created";
	case PRJ_NOTIFICATION_FILE_OVERWRITTEN:
		return "overwritten";
	case PRJ_NOTIFICATION_PRE_DELETE:
		return "pre-delete";
	case PRJ_NOTIFICATION_PRE_RENAME:
		return "pre-rename";
	case PRJ_NOTIFICATION_PRE_SET_HARDLINK:
		return "pre-link";
	case PRJ_NOTIFICATION_FILE_RENAMED:
		return "renamed";
	case PRJ_NOTIFICATION_HARDLINK_CREATED:
		return "linked";
	case PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_NO_MODIFICATION:
		return "closed";
	case PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_MODIFIED:
		return "modified";
	case PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_DELETED:
		return "deleted";
	case PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL:
		return "pre-convert";
	}
	return "unknown";
}

/* The number that a rule of this kind has for the event, or -1. */
static int64_t rule_for(const struct listener *l, const char *event, const char *path,
                        const char *kind)
{
	FILE *rules = l->rules ? fopen(l->rules, "re") : NULL;
	char its_event[32], its_path[256], its_kind[16];
	int64_t number, found = -1;

	while (rules && found < 0 &&
	       fscanf(rules, "%31s %255s %15s %" SCNi64, its_event, its_path, its_kind, &number) ==
	               4) {
		if (!strcmp(its_event, event) && !strcmp(its_kind, kind) &&
		    (!strcmp(its_path, "*") || !strcmp(its_path, path)))
			found = number;
	}
	if (rules)
		(void)fclose(rules);
	return found;
}

static void write_line(const struct listener *l, const struct prj_callback_data *data,
                       const char *event, int is_directory, int is_modified,
                       const char *destination)
{
	uint64_t handle;
	char line[2048];
	int n;

	memcpy(&handle, data->file_id.bytes, sizeof(handle));
	n = snprintf(
	        line, sizeof(line),
	        "{\"event\": \"%s\", \"path\": \"%s\", \"is_directory\": %d, \"is_modified\": %d, "
	        "\"destination\": \"%s\", \"sequence\": %" PRIu64 ", \"handle\": %" PRIu64
	        ", \"pid\": %u, \"uid\": %d, \"image\": \"%s\"}\n",
	        event, data->file_path_name, is_directory, is_modified,
	        destination ? destination : "", data->sequence, handle, data->triggering_process_id,
	        (int)data->triggering_uid,
	        data->triggering_process_image_file_name ? data->triggering_process_image_file_name
	                                                 : "");
	if (write(l->log_fd, line, (size_t)n) != n)
		abort(); /* the test would wait for ever */
}

static prj_result notification(const struct prj_callback_data *data, int is_directory,
                               enum prj_notification event, const char *destination,
                               union prj_notification_parameters *parameters)
{
	const struct listener *l = data->instance_context;
	const char *name = event_name(event);
	int is_modified = event == PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_DELETED &&
	                  parameters->file_deleted_on_handle_close.is_file_modified;
	int64_t error, mask;

	write_line(l, data, name, is_directory, is_modified, destination);
	error = rule_for(l, name, data->file_path_name, "error");
	if (error >= 0)
		return prj_result_from_errno((int)error);
	mask = rule_for(l, name, data->file_path_name, "mask");
	if (mask >= 0 && event == PRJ_NOTIFICATION_FILE_RENAMED)
		parameters->file_renamed.notification_mask = (uint32_t)mask;
	else if (mask >= 0)
		parameters->post_create.notification_mask = (uint32_t)mask;
	return PRJ_OK;
}

/* ---- everything else is the wrapped provider's ---------------------------------------------------- */

static struct prj_callback_data for_inner(const struct prj_callback_data *data,
                                          const struct prj_callbacks **ret)
{
	const struct listener *l = data->instance_context;
	struct prj_callback_data inner = *data;

	inner.instance_context = l->inner->context;
	*ret = &l->inner->callbacks;
	return inner;
}

static prj_result start_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	const struct prj_callbacks *callbacks;
	struct prj_callback_data inner = for_inner(data, &callbacks);

	return callbacks->start_directory_enumeration(&inner, id);
}

static prj_result get_enumeration(const struct prj_callback_data *data, const struct prj_guid *id,
                                  const char *search, prj_dir_entry_buffer *buffer)
{
	const struct prj_callbacks *callbacks;
	struct prj_callback_data inner = for_inner(data, &callbacks);

	return callbacks->get_directory_enumeration(&inner, id, search, buffer);
}

static prj_result end_enumeration(const struct prj_callback_data *data, const struct prj_guid *id)
{
	const struct prj_callbacks *callbacks;
	struct prj_callback_data inner = for_inner(data, &callbacks);

	return callbacks->end_directory_enumeration(&inner, id);
}

static prj_result get_placeholder_info(const struct prj_callback_data *data)
{
	const struct prj_callbacks *callbacks;
	struct prj_callback_data inner = for_inner(data, &callbacks);

	return callbacks->get_placeholder_info(&inner);
}

static prj_result get_file_data(const struct prj_callback_data *data, uint64_t offset,
                                uint32_t length)
{
	const struct prj_callbacks *callbacks;
	struct prj_callback_data inner = for_inner(data, &callbacks);

	return callbacks->get_file_data(&inner, offset, length);
}

/* ---- the text -------------------------------------------------------------------------------------- */

static bool take_word(struct listener *l, const char *word)
{
	if (!strncmp(word, "log=", 4)) {
		l->log_fd = open(word + 4, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
		return l->log_fd >= 0;
	}
	if (!strncmp(word, "rules=", 6)) {
		l->rules = word + 6;
		return true;
	}
	if (!strncmp(word, "mask=", 5) && l->n_mappings < MAPPINGS_MAX) {
		l->mappings[l->n_mappings++].notification_bit_mask =
		        (uint32_t)strtoul(word + 5, NULL, 0);
		return true;
	}
	if (!strncmp(word, "root=", 5) && l->n_mappings) {
		l->mappings[l->n_mappings - 1].notification_root = word + 5;
		return true;
	}
	return false;
}

static void listener_close(void *context)
{
	struct listener *l = context;

	if (l->log_fd >= 0)
		(void)close(l->log_fd);
	free(l->text);
	free(l);
}

static prj_result listener_open(const struct prj_provider_args *args,
                                struct prj_provider_instance *ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	size_t struct_size = ret->struct_size;
	char *rest, *word;

	if (!l)
		return PRJ_ERR_OUT_OF_MEMORY;
	l->inner = args->inner;
	l->log_fd = -1;
	l->text = rest = strdup(args->source);
	while ((word = strsep(&rest, " "))) {
		if (take_word(l, word))
			continue;
		args->set_error(args->error_context,
		                "the listener's text has a word it does not know");
		listener_close(l);
		return PRJ_ERR_INVALID_PARAMETER;
	}
	*ret = *args->inner;
	ret->struct_size = struct_size;
	ret->context = l;
	ret->notification_mappings = l->mappings;
	ret->notification_mappings_count = l->n_mappings;
	ret->callbacks = (struct prj_callbacks){
	        .struct_size = sizeof(ret->callbacks),
	        .start_directory_enumeration = start_enumeration,
	        .get_directory_enumeration = get_enumeration,
	        .end_directory_enumeration = end_enumeration,
	        .get_placeholder_info = get_placeholder_info,
	        .get_file_data = get_file_data,
	        .notification = notification,
	};
	return PRJ_OK;
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .flags = PRJ_PROVIDER_IS_FILTER,
        .name = "listener",
        .version = "1.0",
        .description = "writes down what it hears",
        .source_help = "log=FILE rules=FILE mask=MASK root=PATH ...",
        .open = listener_open,
        .close = listener_close,
};
