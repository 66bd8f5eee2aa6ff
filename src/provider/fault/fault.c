/* SPDX-License-Identifier: MIT */
/*
 * The `fault` filter makes a provider misbehave, as a small text says (projfs-fault(7)), to see what becomes of
 * projfs, and of programs, when providers do.  This file is its outside: the descriptor that projfs loads, and the life
 * of an instance.  text.c reads the rules, rules.c chooses one, callbacks.c follows it, effects.c gives wrong
 * answers and late.c late ones.
 */

#include "fault.h"

#include "callbacks.h"
#include "text.h"

#include <errno.h>
#include <prj/provider.h>
#include <stdio.h>
#include <stdlib.h>

static void fault_status(void *instance_context,
                         void (*emit)(void *emit_context, const char *key, int64_t value),
                         void *emit_context)
{
	struct fault *fault = instance_context;
	char key[32];

	emit(emit_context, "faults injected", atomic_load(&fault->n_faults));
	for (enum word word = 0; word < N_EFFECTS; word++) {
		if (!rules_have_word(&fault->rules, word))
			continue;
		(void)snprintf(key, sizeof(key), "fault %s", text_of_word(word));
		emit(emit_context, key, atomic_load(&fault->n_effects[word]));
	}
	emit(emit_context, "fault calls not answered yet", (int64_t)late_count(&fault->late));
	if (fault->inner->callbacks.status)
		fault->inner->callbacks.status(fault->inner->context, emit, emit_context);
}

static void fault_close(void *context)
{
	struct fault *fault = context;

	if (!fault)
		return;
	late_deinit(&fault->late);
	rules_deinit(&fault->rules);
	free(fault);
}

static prj_result parse(const struct prj_provider_args *args, struct rules *rules)
{
	char message[TEXT_MESSAGE_SIZE] = "";
	int r = text_parse(args->source, rules, message);

	if (r == 0)
		return PRJ_OK;
	args->set_error(args->error_context, message);
	return r == -ENOMEM ? PRJ_ERR_OUT_OF_MEMORY : PRJ_ERR_INVALID_PARAMETER;
}

static prj_result check(const struct prj_provider_args *args, const struct rules *rules)
{
	if (args->inner->callbacks.query_file_name || !rules_name_callback(rules, CALLBACK_QUERY))
		return PRJ_OK;
	args->set_error(args->error_context,
	                "the wrapped provider has no query_file_name callback, so a "
	                "rule for it has no effect; use get_placeholder_info");
	return PRJ_ERR_INVALID_PARAMETER;
}

static prj_result fault_open(const struct prj_provider_args *args,
                             struct prj_provider_instance *ret)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	size_t struct_size = ret->struct_size;
	prj_result result;

	if (!fault)
		return PRJ_ERR_OUT_OF_MEMORY;
	fault->inner = args->inner;
	rules_init(&fault->rules);
	late_init(&fault->late);
	result = parse(args, &fault->rules);
	if (PRJ_SUCCEEDED(result))
		result = check(args, &fault->rules);
	if (PRJ_FAILED(result)) {
		fault_close(fault);
		return result;
	}
	*ret = *args->inner;
	ret->struct_size = struct_size;
	ret->context = fault;
	/* Callbacks may be slow now. */
	ret->start_flags &= ~(uint32_t)PRJ_FLAG_INLINE_CALLBACKS;
	callbacks_wrap(fault, &ret->callbacks);
	ret->callbacks.status = fault_status;
	return PRJ_OK;
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .flags = PRJ_PROVIDER_IS_FILTER,
        .name = "fault",
        .version = PROVIDER_VERSION,
        .description =
                "makes another provider fail, hang, lie or crash, to test what becomes of it",
        .source_help =
                "rules like 'get_file_data error=access_denied after=10', see projfs-fault(7)",
        .open = fault_open,
        .close = fault_close,
};
