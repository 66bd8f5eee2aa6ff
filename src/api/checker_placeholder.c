/* SPDX-License-Identifier: MIT */
/* Look-ups and their answers, which name no command: they are found by the path. */

#include <string.h>

#include "api/checker_internal.h"

void placeholder_ended(struct checker *c, struct reports *reports, const struct active *a,
                       prj_result result)
{
	struct item_facts facts = {a->answered_kind, a->has_answered_size, a->answered_size};

	if (result == PRJ_ERR_FILE_NOT_FOUND)
		items_absent(c, reports, a->name, a->path);
	if (result != PRJ_OK)
		return;
	if (a->is_answered)
		items_found(c, reports, a->name, a->path, &facts);
	else if (a->similar)
		report(c, reports, PLACEHOLDER_PATH, a->name, a->path,
		       "succeeded, but the placeholder was written for \"%.200s\"", a->similar);
	else
		report(c, reports, PLACEHOLDER_MISSING, a->name, a->path,
		       "succeeded, but nothing was written for that path");
}

void query_ended(struct checker *c, struct reports *reports, const struct active *a,
                 prj_result result)
{
	static const struct item_facts unknown;

	if (result == PRJ_OK)
		items_found(c, reports, a->name, a->path, &unknown);
	else if (result == PRJ_ERR_FILE_NOT_FOUND)
		items_absent(c, reports, a->name, a->path);
}

static void take_answer(struct active *a, const struct record *rec)
{
	a->is_answered = true;
	a->answered_kind = (uint8_t)rec->kind;
	a->has_answered_size = rec->fields & RECORD_SIZE;
	a->answered_size = rec->size;
}

/* Whose answer is it?  One that is nobody's is fine; but see placeholder_ended(). */
static void match_answer(struct checker *c, const char *path, const struct record *rec)
{
	uint64_t path_hash = hash_bytes(hash_process_key(), path, strlen(path));

	list_for_each (pos, &c->all_active) {
		struct active *a = list_entry(pos, struct active, link);

		if (a->kind != COMMAND_PLACEHOLDER)
			continue;
		if (a->path_hash == path_hash)
			take_answer(a, rec);
		else if (!a->similar && !name_compare(a->path, path))
			a->similar = strdup(path);
	}
}

void checker_placeholder(struct checker *c, const char *path, const struct record *rec,
                         prj_result result)
{
	struct reports reports = {0};
	uint64_t key = result == PRJ_OK ? content_key_of(rec) : 0;

	pthread_mutex_lock(&c->lock);
	if (result == PRJ_OK)
		match_answer(c, path, rec);
	else if (is_bad_argument(result))
		report(c, &reports, BAD_ARGUMENT, "prj_write_placeholder_info", path,
		       "was refused: %s", prj_last_error_message());
	if (key && rec->kind == RECORD_FILE && rec->fields & RECORD_SIZE)
		content_sized(c, &reports, "prj_write_placeholder_info", path, key, rec->size);
	pthread_mutex_unlock(&c->lock);
	reports_write(&reports);
}
