/* SPDX-License-Identifier: MIT */
#include "effects.h"

#include <string.h>

/* No file is so long. */
#define FAR_BEYOND (UINT64_C(1) << 62)
#define WRONG_BYTE 0xFA
#define BLOCK 4096u

static const char *const disordered_names[] = {"~fault-2", "~fault-1"};

/* ---- content -------------------------------------------------------------------------------- */

static prj_result write_bytes(const struct call *call, uint64_t offset, uint32_t length)
{
	const struct prj_callback_data *data = &call->data;
	uint8_t wrong[BLOCK];
	prj_result result = PRJ_OK;

	memset(wrong, WRONG_BYTE, sizeof(wrong));
	while (length && PRJ_SUCCEEDED(result)) {
		uint32_t n = length < BLOCK ? length : BLOCK;

		result = prj_write_file_data(data->instance, &data->data_stream_id, wrong, offset,
		                             n);
		offset += n;
		length -= n;
	}
	return result;
}

static prj_result deliver_short(const struct call *call, const struct rule *rule,
                                const struct prj_provider_instance *inner)
{
	int64_t missing = rule_number(rule, WORD_SHORT);
	struct call less = *call;

	if (missing == SHORT_HALF)
		missing = (call->length + INT64_C(1)) / 2;
	if (missing >= call->length)
		return PRJ_OK;
	less.length = call->length - (uint32_t)missing;
	return call_forward(&less, inner);
}

/* All of it, and the second half again. */
static prj_result deliver_twice(const struct call *call, const struct prj_provider_instance *inner)
{
	struct call half = *call;
	prj_result result = call_forward(call, inner);

	if (result != PRJ_OK)
		return result;
	half.offset += call->length / 2;
	half.length -= call->length / 2;
	return call_forward(&half, inner);
}

static prj_result content(const struct call *call, const struct rule *rule,
                          const struct prj_provider_instance *inner)
{
	/* Length 0 asks for all of a file of unknown size: nothing is short of that or beyond it. */
	if (rule_has(rule, WORD_BEYOND) && call->length)
		(void)write_bytes(call, FAR_BEYOND, 1);
	if (rule_has(rule, WORD_CORRUPT))
		return write_bytes(call, call->offset, call->length ? call->length : BLOCK);
	if (rule_has(rule, WORD_SHORT) && call->length)
		return deliver_short(call, rule, inner);
	if (rule_has(rule, WORD_OVERLAP))
		return deliver_twice(call, inner);
	return call_forward(call, inner);
}

/* ---- facts ---------------------------------------------------------------------------------- */

static struct prj_file_basic_info facts(bool is_directory, int64_t size)
{
	return (struct prj_file_basic_info){
	        .struct_size = sizeof(struct prj_file_basic_info),
	        .is_directory = is_directory,
	        .file_size = size,
	        .last_write_time.sec = 1000000000,
	        .change_time.sec = 1000000000,
	};
}

/* All of them have one ContentID, whatever their size. */
static prj_result write_facts(const struct call *call, bool is_directory, int64_t size)
{
	struct prj_placeholder_info info = {
	        .struct_size = sizeof(info),
	        .file_basic_info = facts(is_directory, size),
	        .version_info = {.provider_id = "fault", .content_id = "fault"},
	};

	return prj_write_placeholder_info(call->data.instance, call->data.file_path_name, &info,
	                                  sizeof(info));
}

static prj_result placeholder(const struct call *call, const struct rule *rule)
{
	return write_facts(call, rule_number(rule, WORD_KIND), rule_number(rule, WORD_SIZE));
}

/* ---- listings ------------------------------------------------------------------------------- */

/* What projfs says to it does not matter: that it refuses the name may be what is wanted. */
static void add_entry(const struct call *call, const char *name, bool is_directory, int64_t size)
{
	struct prj_file_basic_info info = facts(is_directory, size);

	(void)prj_fill_dir_entry_buffer(name, &info, call->buffer);
}

static prj_result listing(const struct call *call, const struct rule *rule,
                          const struct prj_provider_instance *inner)
{
	struct call again = *call;
	prj_result result;

	if (rule_has(rule, WORD_DISORDER))
		for (size_t i = 0; i < 2; i++)
			add_entry(call, disordered_names[i], false, 0);
	if (rule_has(rule, WORD_ADD))
		add_entry(call, rule->values[WORD_ADD].text, rule_number(rule, WORD_KIND),
		          rule_number(rule, WORD_SIZE));
	result = call_forward(call, inner);
	/* From the beginning: what does not fit any more comes with the next call. */
	again.data.flags |= PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN;
	if (result == PRJ_OK && rule_has(rule, WORD_DUPLICATE))
		(void)call_forward(&again, inner);
	return result;
}

/* ---- all ------------------------------------------------------------------------------------ */

static prj_result answer(const struct call *call, const struct rule *rule,
                         const struct prj_provider_instance *inner)
{
	const uint32_t of_content = WORD_BIT(WORD_SHORT) | WORD_BIT(WORD_CORRUPT) |
	                            WORD_BIT(WORD_OVERLAP) | WORD_BIT(WORD_BEYOND);
	const uint32_t of_facts = WORD_BIT(WORD_KIND) | WORD_BIT(WORD_SIZE);

	if (rule->words & of_content)
		return content(call, rule, inner);
	if (rule->words & LISTING_EFFECTS)
		return listing(call, rule, inner);
	if (rule->words & of_facts)
		return placeholder(call, rule);
	if (rule_has(rule, WORD_DROP) || rule_has(rule, WORD_ERROR))
		return PRJ_OK;
	return call_forward(call, inner);
}

prj_result effects_answer(const struct call *call, const struct rule *rule,
                          const struct prj_provider_instance *inner)
{
	prj_result result = answer(call, rule, inner);

	return rule_has(rule, WORD_ERROR) ? (prj_result)rule_number(rule, WORD_ERROR) : result;
}

bool effects_answer_added(const struct call *call, prj_result *ret)
{
	const char *path = call->data.file_path_name;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (call->callback != CALLBACK_INFO && call->callback != CALLBACK_QUERY)
		return false;
	if (strcmp(name, disordered_names[0]) != 0 && strcmp(name, disordered_names[1]) != 0)
		return false;
	*ret = call->callback == CALLBACK_INFO ? write_facts(call, false, 0) : PRJ_OK;
	return true;
}
