/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_SUGGEST_H
#define PROJFS_CLI_SUGGEST_H

/* "Did you mean ...?": the nearest of some names to what was typed. */

struct suggestion {
	const char *word; /* as typed */
	const char *best; /* NULL while nothing is near enough */
	unsigned distance;
};

void suggest_init(struct suggestion *s, const char *word);
void suggest_consider(struct suggestion *s, const char *candidate);

#define SUGGEST_TEXT_SIZE 128
/* " (did you mean 'x'?)", or "". */
const char *suggest_text(const struct suggestion *s, char ret_text[SUGGEST_TEXT_SIZE]);

#endif
