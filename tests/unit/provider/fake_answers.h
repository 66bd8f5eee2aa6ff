/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PROVIDER_FAKE_ANSWERS_H
#define TESTS_UNIT_PROVIDER_FAKE_ANSWERS_H

/*
 * More of projfs for filters: it keeps all that was written and completed, by whichever thread.
 */

#include "fake_prj.h"

#define FAKE_MAX_ANSWERS 64

struct fake_write {
	uint64_t offset;
	uint32_t length;
	uint8_t first; /* byte */
};

struct fake_completion {
	int32_t command_id;
	prj_result result;
	enum prj_complete_command_type type; /* 0: without parameters */
	uint32_t mask;
	prj_dir_entry_buffer *buffer;
	bool is_accepted; /* the first one of its command */
};

struct fake_answers {
	size_t n_writes;
	struct fake_write writes[FAKE_MAX_ANSWERS];
	size_t n_placeholders;
	char paths[FAKE_MAX_ANSWERS][64];
	struct prj_placeholder_info infos[FAKE_MAX_ANSWERS];
	size_t n_refused_names;
	size_t n_completions;
	struct fake_completion completions[FAKE_MAX_ANSWERS];
};

extern struct fake_answers answers;

void fake_answers_reset(void);
/* Until so many completions have come. */
void fake_answers_await(size_t n_completions);

#endif
