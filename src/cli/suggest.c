/* SPDX-License-Identifier: MIT */
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

#include "util/macros.h"

#define WORD_MAX 48 /* nobody misspells longer names by two letters */

/* Insertions, deletions, replacements and swaps of neighbours that turn @a into @b. */
static unsigned edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[n][m];
}

void suggest_init(struct suggestion *s, const char *word)
{
	size_t length = strlen(word);

	/* one more than the distance that still counts as near */
	*s = (struct suggestion){.word = word, .distance = (unsigned)MAX(length / 3, 2) + 1};
}

void suggest_consider(struct suggestion *s, const char *candidate)
{
	size_t n = strlen(s->word), m = strlen(candidate);
	unsigned distance;

	if (n > WORD_MAX || m > WORD_MAX)
		return;
	distance = edit_distance(s->word, n, candidate, m);
	/* a word of two letters is not near to each other word of two letters */
	if (distance < s->distance && distance < MAX(n, m)) {
		s->distance = distance;
		s->best = candidate;
	}
}

const char *suggest_text(const struct suggestion *s, char ret_text[SUGGEST_TEXT_SIZE])
{
	ret_text[0] = '\0';
	if (s->best)
		(void)snprintf(ret_text, SUGGEST_TEXT_SIZE, " (did you mean '%s'?)", s->best);
	return ret_text;
}
