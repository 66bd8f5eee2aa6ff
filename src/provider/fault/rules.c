/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <fnmatch.h>
#include <stdlib.h>

void rules_init(struct rules *rules)
{
	*rules = (struct rules){0};
	pthread_mutex_init(&rules->lock, NULL);
}

void rules_deinit(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		for (size_t word = 0; word < N_WORDS; word++)
			free(rules->list[i].values[word].text);
	pthread_mutex_destroy(&rules->lock);
}

/* splitmix64: the same seed makes the same faults on every machine. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static bool concerns(const struct rule *rule, const struct call *call)
{
	const char *path = call->data.file_path_name ? call->data.file_path_name : "";

	if (!(rule->callbacks & CALLBACK_BIT(call->callback)))
		return false;
	/* A listing ends with a call that adds nothing: only the first one of a listing may add something. */
	if (rule->words & LISTING_EFFECTS &&
	    !(call->data.flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN))
		return false;
	return !rule_has(rule, WORD_PATH) || !fnmatch(rule->values[WORD_PATH].text, path, 0);
}

/* Count a call that the rule concerns, and see whether it is one of those meant. The caller holds the lock. */
static bool fires(struct rule *rule)
{
	uint64_t after = (uint64_t)rule_number(rule, WORD_AFTER);
	uint64_t n = ++rule->n_calls;

	if (n <= after || (n - after - 1) % (uint64_t)rule_number(rule, WORD_EVERY))
		return false;
	if (rule_has(rule, WORD_COUNT) && rule->n_fired >= (uint64_t)rule_number(rule, WORD_COUNT))
		return false;
	if (rule_has(rule, WORD_PROBABILITY) &&
	    next_random(&rule->random) % PROBABILITY_ONE >=
	            (uint64_t)rule_number(rule, WORD_PROBABILITY))
		return false;
	rule->n_fired++;
	return true;
}

const struct rule *rules_decide(struct rules *rules, const struct call *call)
{
	const struct rule *found = NULL;

	for (size_t i = 0; i < rules->n && !found; i++) {
		struct rule *rule = &rules->list[i];

		if (!concerns(rule, call))
			continue;
		pthread_mutex_lock(&rules->lock);
		if (fires(rule))
			found = rule;
		pthread_mutex_unlock(&rules->lock);
	}
	return found;
}

bool rules_have_word(const struct rules *rules, enum word word)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rule_has(&rules->list[i], word))
			return true;
	return false;
}

bool rules_name_callback(const struct rules *rules, enum callback callback)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->list[i].callbacks == CALLBACK_BIT(callback))
			return true;
	return false;
}
