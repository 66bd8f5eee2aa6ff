/* SPDX-License-Identifier: MIT */
#include "text.h"

#include "values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON(name) CALLBACK_BIT(CALLBACK_##name)
#define WITH(name) WORD_BIT(WORD_##name)
#define ANSWERS (ALL_CALLBACKS & ~ON(CANCEL))

/* What an end of everything goes together with: when it comes, and to whom. */
#define NOTHING_BUT_DELAY (ALL_EFFECTS & ~WITH(DELAY))
#define CONTENT_EFFECTS (WITH(SHORT) | WITH(CORRUPT) | WITH(OVERLAP))

enum need {
	NO_VALUE,
	MAY_HAVE_VALUE,
	NEEDS_VALUE,
};

struct word_info {
	const char *name;
	const char *usage;
	enum need need;
	bool (*parse)(const char *text, size_t length, int64_t *ret); /* NULL: it is a text */
	int64_t default_value;
	uint32_t callbacks; /* for which it means something */
	uint32_t excludes; /* effects, besides itself */
};

/* Indexed by enum word; projfs-fault(7) has the same table. */
static const struct word_info words[N_WORDS] = {
        [WORD_DELAY] = {"delay", "delay=TIME", NEEDS_VALUE, value_time, 0, ANSWERS, 0},
        [WORD_CRASH] = {"crash", "crash", NO_VALUE, NULL, 0, ALL_CALLBACKS, NOTHING_BUT_DELAY},
        [WORD_HANG] = {"hang", "hang", NO_VALUE, NULL, 0, ANSWERS, NOTHING_BUT_DELAY},
        [WORD_PEND] = {"pend", "pend[=TIME]", MAY_HAVE_VALUE, value_time, 0, ANSWERS, 0},
        [WORD_TWICE] = {"twice", "twice", NO_VALUE, NULL, 0, ANSWERS, 0},
        [WORD_ERROR] = {"error", "error=RESULT", NEEDS_VALUE, value_result, 0, ANSWERS, WITH(DROP)},
        [WORD_DROP] = {"drop", "drop", NO_VALUE, NULL, 0, ALL_CALLBACKS,
                       CONTENT_EFFECTS | LISTING_EFFECTS | WITH(BEYOND) | WITH(KIND) | WITH(SIZE)},
        [WORD_SHORT] = {"short", "short[=BYTES]", MAY_HAVE_VALUE, value_number, SHORT_HALF,
                        ON(DATA), CONTENT_EFFECTS},
        [WORD_CORRUPT] = {"corrupt", "corrupt", NO_VALUE, NULL, 0, ON(DATA), CONTENT_EFFECTS},
        [WORD_OVERLAP] = {"overlap", "overlap", NO_VALUE, NULL, 0, ON(DATA), CONTENT_EFFECTS},
        [WORD_BEYOND] = {"beyond", "beyond", NO_VALUE, NULL, 0, ON(DATA), 0},
        [WORD_ADD] = {"add", "add=NAME", NEEDS_VALUE, NULL, 0, ON(GET), 0},
        [WORD_DUPLICATE] = {"duplicate", "duplicate", NO_VALUE, NULL, 0, ON(GET), 0},
        [WORD_DISORDER] = {"disorder", "disorder", NO_VALUE, NULL, 0, ON(GET), 0},
        [WORD_KIND] = {"kind", "kind=file|directory", NEEDS_VALUE, value_kind, 0,
                       ON(INFO) | ON(GET), 0},
        [WORD_SIZE] = {"size", "size=BYTES", NEEDS_VALUE, value_number, 0, ON(INFO) | ON(GET), 0},
        [WORD_AFTER] = {"after", "after=N", NEEDS_VALUE, value_number, 0, ALL_CALLBACKS, 0},
        [WORD_COUNT] = {"count", "count=N", NEEDS_VALUE, value_number, 0, ALL_CALLBACKS, 0},
        [WORD_EVERY] = {"every", "every=N", NEEDS_VALUE, value_number, 1, ALL_CALLBACKS, 0},
        [WORD_PATH] = {"path", "path=GLOB", NEEDS_VALUE, NULL, 0, ALL_CALLBACKS, 0},
        [WORD_PROBABILITY] = {"probability", "probability=0...1", NEEDS_VALUE, value_probability, 0,
                              ALL_CALLBACKS, 0},
        [WORD_SEED] = {"seed", "seed=N", NEEDS_VALUE, value_number, 0, ALL_CALLBACKS, 0},
};

/* One piece of the text: a callback's name, or a word with its value. */
struct piece {
	const char *at;
	size_t length;
	size_t name_length;
	const char *value; /* NULL: none */
	size_t value_length;
	bool is_open; /* a '"' is missing */
};

struct parser {
	const char *text;
	const char *at;
	struct rules *rules;
	char *message;
};

/* ---- messages ------------------------------------------------------------------------------- */

static void append(char *message, const char *text)
{
	size_t used = strlen(message);

	(void)snprintf(message + used, TEXT_MESSAGE_SIZE - used, "%s", text);
}

/* "at character 7, 'WORD': WHY" */
__attribute__((format(printf, 3, 4))) static int complain(struct parser *p,
                                                          const struct piece *piece,
                                                          const char *format, ...)
{
	int shown = piece->length > 60 ? 60 : (int)piece->length;
	size_t used;
	va_list args;

	(void)snprintf(p->message, TEXT_MESSAGE_SIZE,
	               "at character %zu, '%.*s': ", (size_t)(piece->at - p->text) + 1, shown,
	               piece->at);
	used = strlen(p->message);
	va_start(args, format);
	(void)vsnprintf(p->message + used, TEXT_MESSAGE_SIZE - used, format, args);
	va_end(args);
	return -EINVAL;
}

static int say_no_callback(struct parser *p, const struct piece *piece)
{
	(void)complain(p, piece, "no such callback; a rule begins with ");
	for (enum callback c = 0; c < N_CALLBACKS; c++) {
		append(p->message, callback_name(c));
		append(p->message, ", ");
	}
	append(p->message, "or any");
	return -EINVAL;
}

/* @why, and the words before @end that mean something for @callbacks. */
static int say_allowed(struct parser *p, const struct piece *piece, const char *why,
                       uint32_t callbacks, enum word end)
{
	const char *comma = "";

	(void)complain(p, piece, "%s ", why);
	for (enum word word = 0; word < end; word++) {
		if (!(words[word].callbacks & callbacks))
			continue;
		append(p->message, comma);
		append(p->message, words[word].usage);
		comma = ", ";
	}
	return -EINVAL;
}

static int say_wrong_value(struct parser *p, const struct piece *piece,
                           const struct word_info *info)
{
	if (info->parse == value_result)
		return complain(p, piece,
		                "no such result; give a name of projfs-fault(7), like "
		                "access_denied or io_device, or a number like 0x80070005");
	if (info->parse == value_time)
		return complain(p, piece, "give a time up to a day, like 50ms, 5s, 1m or 1h: %s",
		                info->usage);
	if (info->parse == value_probability)
		return complain(p, piece, "give a number from 0 to 1, like 0.25: %s", info->usage);
	if (info->parse == value_kind)
		return complain(p, piece, "give one of the two: %s", info->usage);
	return complain(p, piece, "give a number%s: %s",
	                info == &words[WORD_COUNT] || info == &words[WORD_EVERY] ? " from 1" : "",
	                info->usage);
}

/* ---- pieces --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool ends_piece(char c)
{
	return !c || c == ';' || is_blank(c);
}

/* The next piece of the rule; false: the rule ends here. */
static bool next_piece(struct parser *p, struct piece *ret)
{
	const char *c;

	while (is_blank(*p->at))
		p->at++;
	if (ends_piece(*p->at))
		return false;
	*ret = (struct piece){.at = p->at};
	for (c = p->at; !ends_piece(*c) && *c != '='; c++)
		;
	ret->name_length = (size_t)(c - p->at);
	if (*c == '=') {
		bool is_quoted = c[1] == '"';

		ret->value = c += 1 + is_quoted;
		while (is_quoted ? *c && *c != '"' : !ends_piece(*c))
			c++;
		ret->value_length = (size_t)(c - ret->value);
		ret->is_open = is_quoted && (!*c || !ends_piece(c[1]));
		if (is_quoted && *c)
			c++;
	}
	ret->length = (size_t)(c - p->at);
	p->at = c;
	return true;
}

static bool is_named(const struct piece *piece, const char *name)
{
	return strlen(name) == piece->name_length && !memcmp(piece->at, name, piece->name_length);
}

/* ---- rules ---------------------------------------------------------------------------------- */

static int parse_callback(struct parser *p, const struct piece *piece, uint32_t *ret)
{
	if (piece->value)
		return say_no_callback(p, piece);
	if (is_named(piece, "any")) {
		*ret = ALL_CALLBACKS;
		return 0;
	}
	for (enum callback c = 0; c < N_CALLBACKS; c++) {
		if (is_named(piece, callback_name(c))) {
			*ret = CALLBACK_BIT(c);
			return 0;
		}
	}
	return say_no_callback(p, piece);
}

static int parse_value(struct parser *p, const struct piece *piece, enum word word,
                       struct rule *rule)
{
	const struct word_info *info = &words[word];
	struct value *value = &rule->values[word];

	if (piece->is_open)
		return complain(p, piece,
		                "a value that begins with '\"' ends with one, and the word "
		                "with it");
	if (!piece->value && info->need == NEEDS_VALUE)
		return complain(p, piece, "it wants a value: %s", info->usage);
	if (piece->value && info->need == NO_VALUE)
		return complain(p, piece, "it has no value: %s", info->usage);
	if (!piece->value)
		return 0;
	if (!info->parse) {
		value->text = strndup(piece->value, piece->value_length);
		return value->text ? 0 : -ENOMEM;
	}
	if (!info->parse(piece->value, piece->value_length, &value->number))
		return say_wrong_value(p, piece, info);
	if (value->number < 1 && (word == WORD_COUNT || word == WORD_EVERY))
		return say_wrong_value(p, piece, info);
	return 0;
}

/* The first effect of the rule that cannot be together with this one, or N_WORDS. */
static enum word find_contradiction(const struct rule *rule, enum word word)
{
	for (enum word other = 0; other < N_EFFECTS; other++)
		if (rule_has(rule, other) && (words[word].excludes & WORD_BIT(other) ||
		                              words[other].excludes & WORD_BIT(word)))
			return other;
	return N_WORDS;
}

static int parse_word(struct parser *p, const struct piece *piece, struct rule *rule)
{
	enum word word = 0, other;

	while (word < N_WORDS && !is_named(piece, words[word].name))
		word++;
	if (word == N_WORDS)
		return say_allowed(p, piece, "no such word; here are allowed", rule->callbacks,
		                   N_WORDS);
	if (rule_has(rule, word))
		return complain(p, piece, "it is there twice; a second rule may have another");
	if (!(rule->callbacks & words[word].callbacks))
		return say_allowed(p, piece, "it means nothing for this callback; here are allowed",
		                   rule->callbacks, N_WORDS);
	other = find_contradiction(rule, word);
	if (other < N_WORDS)
		return complain(p, piece, "it cannot be together with %s; make two rules of them",
		                words[other].name);
	rule->words |= WORD_BIT(word);
	rule->callbacks &= words[word].callbacks;
	return parse_value(p, piece, word, rule);
}

/* What can only be said when the whole rule is known. */
static int finish_rule(struct parser *p, const struct piece *first, struct rule *rule)
{
	const uint32_t facts = WITH(KIND) | WITH(SIZE);

	if (!(rule->words & ALL_EFFECTS))
		return say_allowed(p, first, "the rule does nothing; give it one of",
		                   rule->callbacks, N_EFFECTS);
	/* in a listing these are of the entry that is added */
	if (rule->words & facts && !rule_has(rule, WORD_ADD))
		rule->callbacks &= ON(INFO);
	if (!rule->callbacks)
		return complain(p, first,
		                "kind and size are those of an entry that is added: give "
		                "add=NAME, too");
	if (rule_has(rule, WORD_SEED) && !rule_has(rule, WORD_PROBABILITY))
		return complain(p, first,
		                "seed goes with probability only: give probability=0...1");
	rule->random = (uint64_t)rule_number(rule, WORD_SEED);
	return 0;
}

static int parse_rule(struct parser *p, const struct piece *first)
{
	struct piece piece;
	struct rule *rule;
	int r;

	if (p->rules->n == RULES_MAX)
		return complain(p, first, "there are more than %d rules", RULES_MAX);
	rule = &p->rules->list[p->rules->n++];
	for (size_t word = 0; word < N_WORDS; word++)
		rule->values[word].number = words[word].default_value;
	r = parse_callback(p, first, &rule->callbacks);
	while (r == 0 && next_piece(p, &piece))
		r = parse_word(p, &piece, rule);
	return r < 0 ? r : finish_rule(p, first, rule);
}

const char *text_of_word(enum word word)
{
	return words[word].name;
}

int text_parse(const char *text, struct rules *rules, char ret_message[TEXT_MESSAGE_SIZE])
{
	struct parser p = {.text = text, .at = text, .rules = rules, .message = ret_message};
	struct piece first;
	int r = 0;

	while (r == 0) {
		if (next_piece(&p, &first))
			r = parse_rule(&p, &first);
		else if (*p.at == ';')
			p.at++;
		else
			break;
	}
	if (r == 0 && !rules->n)
		r = say_no_callback(&p, &(struct piece){.at = p.at});
	if (r == -ENOMEM)
		(void)snprintf(ret_message, TEXT_MESSAGE_SIZE, "out of memory");
	return r;
}
