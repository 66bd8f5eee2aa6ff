/* SPDX-License-Identifier: MIT */

/*
 * Search expressions, without backtracking.
 *
 * We keep the set of all places in the name that the part of the pattern read so far can have
 * reached: place i lies before unit i, place `length` after the last.  Each pattern character turns
 * the set into the next one, a star being "everything from the first place on", so time is bounded
 * by name times pattern, and memory by the name alone.  The name matches if its end is in the last
 * set.
 *
 * The characters that DOS left behind look at the name's dots: `<` does not run past the final dot
 * from before it, `>` stays where it is at a dot or at the end, `"` stays at the end only.
 */

#include <stdint.h>
#include <string.h>

#include "util/macros.h"
#include "util/name.h"
#include "util/utf16.h"

#define BITS_PER_WORD 64
#define SET_WORDS (PATH_MAX_BYTES / BITS_PER_WORD + 1)

struct subject {
	size_t length; /* units */
	size_t final_dot; /* index of the last '.', or length */
	uint16_t units
	        [PATH_MAX_BYTES]; /* upper-cased; UTF-8 never has fewer bytes than UTF-16 units */
};

struct place_set {
	uint64_t words[SET_WORDS]; /* only the first n_words are set up */
};

static void subject_init(struct subject *s, const char *name)
{
	struct utf16_reader reader = utf16_read(name);
	int unit;

	s->length = 0;
	while ((unit = utf16_next(&reader)) != UTF16_END)
		s->units[s->length++] = utf16_to_upper((uint16_t)unit);

	s->final_dot = s->length;
	for (size_t i = 0; i < s->length; i++)
		if (s->units[i] == '.')
			s->final_dot = i;
}

static size_t n_words(const struct subject *s)
{
	return s->length / BITS_PER_WORD + 1;
}

static void set_add(struct place_set *set, size_t place)
{
	set->words[place / BITS_PER_WORD] |= (uint64_t)1 << (place % BITS_PER_WORD);
}

static bool set_has(const struct place_set *set, size_t place)
{
	return set->words[place / BITS_PER_WORD] >> (place % BITS_PER_WORD) & 1;
}

/* The first member at or after @place, or length + 1 if there is none. */
static size_t set_next(const struct subject *s, const struct place_set *set, size_t place)
{
	size_t word = place / BITS_PER_WORD;
	uint64_t bits;

	if (place > s->length)
		return s->length + 1;
	bits = set->words[word] & UINT64_MAX << (place % BITS_PER_WORD);
	while (bits == 0) {
		if (++word == n_words(s))
			return s->length + 1;
		bits = set->words[word];
	}
	return word * BITS_PER_WORD + (size_t)__builtin_ctzll(bits);
}

/* Empty if @first is beyond @last. */
static void set_add_range(struct place_set *set, size_t first, size_t last)
{
	while (first <= last) {
		size_t bit = first % BITS_PER_WORD;
		size_t n = MIN(BITS_PER_WORD - bit, last - first + 1);

		set->words[first / BITS_PER_WORD] |= UINT64_MAX >> (BITS_PER_WORD - n) << bit;
		first += n;
	}
}

/* `*` and `<` */
static void match_star(const struct subject *s, const struct place_set *from, bool stop_at_dot,
                       struct place_set *to)
{
	size_t first = set_next(s, from, 0);

	if (stop_at_dot && first <= s->final_dot && s->final_dot < s->length) {
		set_add_range(to, first, s->final_dot + 1);
		first = set_next(s, from, s->final_dot + 1);
	}
	set_add_range(to, first, s->length);
}

/* Every pattern character that takes one unit or none. */
static void match_one(const struct subject *s, const struct place_set *from, uint16_t unit,
                      struct place_set *to)
{
	for (size_t i = set_next(s, from, 0); i <= s->length; i = set_next(s, from, i + 1)) {
		bool at_end = i == s->length;
		bool at_dot = !at_end && s->units[i] == '.';

		switch (unit) {
		case '?':
			if (!at_end)
				set_add(to, i + 1);
			break;
		case '>':
			set_add(to, at_end || at_dot ? i : i + 1);
			/* a quirk to keep: those that end a pattern may swallow one trailing dot
			 * (so may others, but what else can match nothing would take it anyway) */
			if (at_dot && i + 1 == s->length)
				set_add(to, s->length);
			break;
		case '"':
			if (at_end || at_dot)
				set_add(to, at_end ? i : i + 1);
			break;
		default:
			if (!at_end && s->units[i] == unit)
				set_add(to, i + 1);
		}
	}
}

static bool subject_matches(const struct subject *s, const char *pattern)
{
	struct utf16_reader reader = utf16_read(pattern);
	struct place_set sets[2];
	struct place_set *from = &sets[0], *to = &sets[1];
	size_t set_size = n_words(s) * sizeof(uint64_t);
	int unit;

	memset(from, 0, set_size);
	set_add(from, 0);

	for (;;) {
		struct place_set *swap = from;

		unit = utf16_next(&reader);
		if (unit == UTF16_END)
			return set_has(from, s->length);

		memset(to, 0, set_size);
		if (unit == '*' || unit == '<')
			match_star(s, from, unit == '<', to);
		else
			match_one(s, from, utf16_to_upper((uint16_t)unit), to);
		if (set_next(s, to, 0) > s->length)
			return false;
		from = to;
		to = swap;
	}
}

bool name_match(const char *name, const char *pattern)
{
	struct subject s;

	if (!name || !*name)
		return false;
	if (!pattern || !*pattern)
		return true;
	if (strnlen(name, PATH_MAX_BYTES + 1) > PATH_MAX_BYTES)
		return false;

	subject_init(&s, name);
	return subject_matches(&s, pattern);
}
