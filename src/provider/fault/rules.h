/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_RULES_H
#define PROVIDER_FAULT_RULES_H

/*
 * A rule is a set of callbacks, a set of words with their values, and how often it was met.  Words are effects,
 * what happens to a call, and conditions, which calls it happens to.
 */

#include "call.h"

#include <pthread.h>

enum word {
	WORD_DELAY,
	WORD_CRASH,
	WORD_HANG,
	WORD_PEND,
	WORD_TWICE,
	WORD_ERROR,
	WORD_DROP,
	WORD_SHORT,
	WORD_CORRUPT,
	WORD_OVERLAP,
	WORD_BEYOND,
	WORD_ADD,
	WORD_DUPLICATE,
	WORD_DISORDER,
	WORD_KIND,
	WORD_SIZE,
	N_EFFECTS,
	WORD_AFTER = N_EFFECTS,
	WORD_COUNT,
	WORD_EVERY,
	WORD_PATH,
	WORD_PROBABILITY,
	WORD_SEED,
	N_WORDS,
};

#define WORD_BIT(word) (1u << (word))
#define ALL_EFFECTS (WORD_BIT(N_EFFECTS) - 1)
#define LISTING_EFFECTS (WORD_BIT(WORD_ADD) | WORD_BIT(WORD_DUPLICATE) | WORD_BIT(WORD_DISORDER))

#define SHORT_HALF INT64_C(-1) /* the value of `short` without a number */
#define PROBABILITY_ONE INT64_C(1000000000) /* `probability=1` */
#define RULES_MAX 64

struct value {
	int64_t number; /* times in ms; a prj_result; kind: 1 for a directory */
	char *text; /* owned; add and path */
};

struct rule {
	uint32_t callbacks; /* CALLBACK_BIT()s */
	uint32_t words; /* WORD_BIT()s: given, or with a default */
	struct value values[N_WORDS]; /* valid for those */
	uint64_t n_calls; /* protected by rules->lock, as what follows */
	uint64_t n_fired;
	uint64_t random;
};

struct rules {
	pthread_mutex_t lock;
	struct rule list[RULES_MAX]; /* only the counters change once parsed */
	size_t n;
};

void rules_init(struct rules *rules);
void rules_deinit(struct rules *rules);

static inline bool rule_has(const struct rule *rule, enum word word)
{
	return rule->words & WORD_BIT(word);
}

static inline int64_t rule_number(const struct rule *rule, enum word word)
{
	return rule->values[word].number;
}

/* The rule that this call falls under, the first whose conditions hold; NULL: none.  Counts the call. */
const struct rule *rules_decide(struct rules *rules, const struct call *call);

/* Is there a rule with this word, or one for this callback and no other? */
bool rules_have_word(const struct rules *rules, enum word word);
bool rules_name_callback(const struct rules *rules, enum callback callback);

#endif
