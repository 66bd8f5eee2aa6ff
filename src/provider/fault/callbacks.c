/* SPDX-License-Identifier: MIT */
/*
 * The way of a call: a rule is found for it, or the wrapped provider answers.  With a rule it is slowed down, ends the
 * process, or is answered with the effects of the rule, at once or later.
 */

#include "callbacks.h"

#include "effects.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void count(struct fault *fault, const struct rule *rule)
{
	atomic_fetch_add(&fault->n_faults, 1);
	for (enum word word = 0; word < N_EFFECTS; word++)
		if (rule_has(rule, word))
			atomic_fetch_add(&fault->n_effects[word], 1);
}

/* As it comes: nothing is written, flushed or unmounted by this process any more. */
static void crash(void)
{
	(void)kill(getpid(), SIGKILL);
}

/* ---- answers that come later ------------------------------------------------------------------ */

static void complete(const struct call *call, const struct rule *rule, prj_result result)
{
	/* Otherwise the wrapped provider has pended it, and completes it some time. */
	if (result == PRJ_ERR_IO_PENDING)
		return;
	/* Nobody may want it any more, and the second one is wrong: both tell nothing. */
	(void)call_complete(call, result);
	if (rule_has(rule, WORD_TWICE))
		(void)call_complete(call, result);
}

static void run_late(struct late_call *late_call)
{
	const struct fault *fault = late_call->context;
	const struct rule *rule = late_call->rule;

	if (!late_call->is_answered)
		late_call->result = effects_answer(late_call->call, rule, fault->inner);
	complete(late_call->call, rule, late_call->result);
}

static prj_result add_late(struct fault *fault, struct late_call *late_call)
{
	int r = late_add(&fault->late, late_call);

	if (r == 0)
		return PRJ_ERR_IO_PENDING;
	late_call_free(late_call);
	return r == -ECANCELED ? PRJ_ERR_OPERATION_ABORTED : PRJ_ERR_OUT_OF_MEMORY;
}

/*
 * The buffer of a listing may be gone once the command is cancelled, and the callback has returned: it is
 * filled at once, and the completion alone comes later.
 */
static prj_result answer_late(struct fault *fault, const struct call *call, const struct rule *rule)
{
	bool hangs = rule_has(rule, WORD_HANG);
	struct late_call *late_call = calloc(1, sizeof(*late_call));

	if (!late_call)
		return PRJ_ERR_OUT_OF_MEMORY;
	*late_call = (struct late_call){
	        .call = call_copy(call),
	        .due_ms = hangs ? LATE_NEVER : late_due(rule_number(rule, WORD_PEND)),
	        .run = run_late,
	        .context = fault,
	        .rule = rule,
	        .is_answered = !hangs && call->callback == CALLBACK_GET,
	};
	if (!late_call->call) {
		late_call_free(late_call);
		return PRJ_ERR_OUT_OF_MEMORY;
	}
	if (late_call->is_answered)
		late_call->result = effects_answer(call, rule, fault->inner);
	if (late_call->result == PRJ_ERR_IO_PENDING) { /* it is late without our help */
		late_call_free(late_call);
		return PRJ_ERR_IO_PENDING;
	}
	return add_late(fault, late_call);
}

/* ---- the callbacks ---------------------------------------------------------------------------- */

static prj_result handle(struct fault *fault, const struct call *call)
{
	const struct rule *rule = rules_decide(&fault->rules, call);
	const uint32_t later = WORD_BIT(WORD_HANG) | WORD_BIT(WORD_PEND) | WORD_BIT(WORD_TWICE);
	prj_result result;

	if (!rule) {
		if (rules_have_word(&fault->rules, WORD_DISORDER) &&
		    effects_answer_added(call, &result))
			return result;
		return call_forward(call, fault->inner);
	}
	count(fault, rule);
	if (rule_has(rule, WORD_DELAY) &&
	    !late_sleep(&fault->late, call->data.command_id, rule_number(rule, WORD_DELAY)))
		return PRJ_ERR_OPERATION_ABORTED;
	if (rule_has(rule, WORD_CRASH))
		crash();
	if (rule->words & later)
		return answer_late(fault, call, rule);
	return effects_answer(call, rule, fault->inner);
}

static prj_result start(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_START, data, fault->inner);

	call.enumeration_id = *id;
	return handle(fault, &call);
}

static prj_result get(const struct prj_callback_data *data, const struct prj_guid *id,
                      const char *expression, prj_dir_entry_buffer *buffer)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_GET, data, fault->inner);

	call.enumeration_id = *id;
	call.expression = expression;
	call.buffer = buffer;
	return handle(fault, &call);
}

static prj_result end(const struct prj_callback_data *data, const struct prj_guid *id)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_END, data, fault->inner);

	call.enumeration_id = *id;
	return handle(fault, &call);
}

static prj_result info(const struct prj_callback_data *data)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_INFO, data, fault->inner);

	return handle(fault, &call);
}

static prj_result content(const struct prj_callback_data *data, uint64_t offset, uint32_t length)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_DATA, data, fault->inner);

	call.offset = offset;
	call.length = length;
	return handle(fault, &call);
}

static prj_result query(const struct prj_callback_data *data)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_QUERY, data, fault->inner);

	return handle(fault, &call);
}

static prj_result notify(const struct prj_callback_data *data, int is_directory,
                         enum prj_notification notification, const char *destination,
                         union prj_notification_parameters *parameters)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_NOTIFICATION, data, fault->inner);

	call.is_directory = is_directory;
	call.notification = notification;
	call.destination = destination;
	call.parameters = parameters;
	return handle(fault, &call);
}

/* Whatever the rules say, what waits here ends; they say whether the wrapped provider is told of the rest. */
static void cancel(const struct prj_callback_data *data)
{
	struct fault *fault = data->instance_context;
	struct call call = call_of(CALLBACK_CANCEL, data, fault->inner);
	const struct rule *rule = rules_decide(&fault->rules, &call);
	bool was_here;

	if (rule)
		count(fault, rule);
	if (rule && rule_has(rule, WORD_CRASH))
		crash();
	was_here = late_cancel(&fault->late, data->command_id);
	if (!was_here && !rule && fault->inner->callbacks.cancel_command)
		fault->inner->callbacks.cancel_command(&call.data);
}

void callbacks_wrap(const struct fault *fault, struct prj_callbacks *callbacks)
{
	callbacks->start_directory_enumeration = start;
	callbacks->get_directory_enumeration = get;
	callbacks->end_directory_enumeration = end;
	callbacks->get_placeholder_info = info;
	callbacks->get_file_data = content;
	callbacks->query_file_name = callbacks->query_file_name ? query : NULL;
	/* One that the wrapped provider does not have is there if a rule wants it: to refuse something, say. */
	if (callbacks->notification || rules_name_callback(&fault->rules, CALLBACK_NOTIFICATION))
		callbacks->notification = notify;
	callbacks->cancel_command = cancel;
}
