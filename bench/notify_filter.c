/* SPDX-License-Identifier: MIT */
/*
 * A filter that asks for notifications of everything, and only counts them: what is measured is their way to a provider
 * and back.
 *
 *	projfs mount -o filter=notify_filter:MASK dir:SOURCE ROOT      MASK: bits of enum prj_notify_types
 */
#include <prj/provider.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * All other callbacks are the inner provider's own, and so is their context: there is one instance in a process,
 * and what is about it lies here.
 */
static const struct prj_provider_instance *inner;
static struct prj_notification_mapping mapping = {.notification_root = ""};
static atomic_llong n_notifications;

static prj_result notify(const struct prj_callback_data *data, int is_directory,
                         enum prj_notification notification, const char *destination_file_name,
                         union prj_notification_parameters *operation_parameters)
{
	(void)data, (void)is_directory, (void)notification, (void)destination_file_name;
	(void)operation_parameters;
	atomic_fetch_add_explicit(&n_notifications, 1, memory_order_relaxed);
	return PRJ_OK;
}

static void status(void *context, void (*emit)(void *, const char *, int64_t), void *emit_context)
{
	emit(emit_context, "notifications", atomic_load(&n_notifications));
	if (inner->callbacks.status)
		inner->callbacks.status(context, emit, emit_context);
}

static prj_result filter_open(const struct prj_provider_args *args,
                              struct prj_provider_instance *ret)
{
	char *end;

	mapping.notification_bit_mask = (uint32_t)strtoul(args->source, &end, 0);
	if (end == args->source || *end) {
		args->set_error(args->error_context, "the mask is not a number, write one such as 0x1ffe");
		return PRJ_ERR_INVALID_PARAMETER;
	}
	inner = args->inner;
	*ret = *inner;
	ret->callbacks.notification = notify;
	ret->callbacks.status = status;
	ret->notification_mappings = &mapping;
	ret->notification_mappings_count = 1;
	return PRJ_OK;
}

static void filter_close(void *context)
{
	(void)context; /* the inner provider's */
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .flags = PRJ_PROVIDER_IS_FILTER,
        .name = "notify_filter",
        .version = "1.0",
        .description = "asks for notifications and counts them",
        .source_help = "the mask of the notifications, such as 0x1ffe",
        .open = filter_open,
        .close = filter_close,
};
