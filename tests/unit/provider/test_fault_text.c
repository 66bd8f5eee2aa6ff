/* SPDX-License-Identifier: MIT */
#include "fault_fixture.h"

#include "provider/fault/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The message of a text that is wrong. */
static const char *message_of(const char *text)
{
	assert_int_equal(try_open_fault(text), PRJ_ERR_INVALID_PARAMETER);
	return fixture.message;
}

#define assert_says(text, begin, part)                                                             \
	do {                                                                                       \
		const char *said = message_of(text);                                               \
		if (strncmp(said, begin, strlen(begin)) != 0 || !strstr(said, part))               \
			fail_msg("%s: %s", text, said);                                            \
	} while (0)

/* Parse one good text; the caller deinits. */
static void parse(const char *text, struct rules *rules)
{
	char message[TEXT_MESSAGE_SIZE] = "";
	int r;

	rules_init(rules);
	r = text_parse(text, rules, message);
	assert_string_equal(message, "");
	assert_int_equal(r, 0);
}

static int64_t number_of(const char *text, enum word word)
{
	struct rules rules;
	int64_t number;

	parse(text, &rules);
	assert_true(rule_has(&rules.list[0], word));
	number = rule_number(&rules.list[0], word);
	rules_deinit(&rules);
	return number;
}

static void a_rule_names_a_callback_and_words(void **state)
{
	struct rules rules;

	parse("get_file_data error=access_denied after=10 path=d/*.c; any\tdelay=5ms ;", &rules);
	assert_int_equal(rules.n, 2);
	assert_int_equal(rules.list[0].callbacks, CALLBACK_BIT(CALLBACK_DATA));
	assert_int_equal(rule_number(&rules.list[0], WORD_ERROR), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(rule_number(&rules.list[0], WORD_AFTER), 10);
	assert_string_equal(rules.list[0].values[WORD_PATH].text, "d/*.c");
	assert_int_equal(rules.list[1].callbacks, ALL_CALLBACKS & ~CALLBACK_BIT(CALLBACK_CANCEL));
	rules_deinit(&rules);
}

static void any_means_the_callbacks_that_the_effects_are_for(void **state)
{
	struct rules rules;

	parse("any short; any add=x; any kind=file; any kind=file add=x; any crash", &rules);
	assert_int_equal(rules.list[0].callbacks, CALLBACK_BIT(CALLBACK_DATA));
	assert_int_equal(rules.list[1].callbacks, CALLBACK_BIT(CALLBACK_GET));
	assert_int_equal(rules.list[2].callbacks, CALLBACK_BIT(CALLBACK_INFO));
	assert_int_equal(rules.list[3].callbacks, CALLBACK_BIT(CALLBACK_GET));
	assert_int_equal(rules.list[4].callbacks, ALL_CALLBACKS);
	rules_deinit(&rules);
}

static void a_value_in_quotes_may_have_blanks_and_semicolons(void **state)
{
	struct rules rules;

	parse("get_directory_enumeration add=\"a; b\";any path=\"\" drop", &rules);
	assert_int_equal(rules.n, 2);
	assert_string_equal(rules.list[0].values[WORD_ADD].text, "a; b");
	assert_string_equal(rules.list[1].values[WORD_PATH].text, "");
	rules_deinit(&rules);
	assert_says("any path=\"a drop", "at character 5, 'path=\"a drop': ", "ends with one");
	assert_says("any path=\"a\"b drop", "at character 5, 'path=\"a\"': ", "ends with one");
}

static void times_have_units(void **state)
{
	assert_int_equal(number_of("any delay=50", WORD_DELAY), 50);
	assert_int_equal(number_of("any delay=50ms", WORD_DELAY), 50);
	assert_int_equal(number_of("any delay=5s", WORD_DELAY), 5000);
	assert_int_equal(number_of("any pend=2m", WORD_PEND), 120000);
	assert_int_equal(number_of("any pend=24h", WORD_PEND), 86400000);
	assert_int_equal(number_of("any pend", WORD_PEND), 0);
	assert_says("any delay=25h", "at character 5, 'delay=25h': ", "up to a day");
	assert_says("any delay=", "at character 5, 'delay=': ", "up to a day");
	assert_says("any delay=-1s", "at character 5, ", "up to a day");
	assert_says("any delay=99999999999999999999", "at character 5, ", "up to a day");
}

static void a_result_is_a_name_in_any_case_or_a_number(void **state)
{
	assert_int_equal(number_of("any error=FILE_NOT_found", WORD_ERROR), PRJ_ERR_FILE_NOT_FOUND);
	assert_int_equal(number_of("any error=0x80070005", WORD_ERROR), PRJ_ERR_ACCESS_DENIED);
	assert_int_equal(number_of("any error=0XdeadBEEF", WORD_ERROR), PRJ_RESULT(0xdeadbeefu));
	assert_int_equal(number_of("any error=0x1", WORD_ERROR), 1);
	assert_says("any error=eacces", "at character 5, 'error=eacces': ", "0x80070005");
	assert_says("any error=0x123456789", "at character 5, ", "0x80070005");
	assert_says("any error=0x", "at character 5, ", "0x80070005");
	assert_says("any error=ok", "at character 5, ", "0x80070005");
	assert_says("any error=io_pending", "at character 5, ", "0x80070005");
}

static void a_probability_lies_between_0_and_1(void **state)
{
	assert_int_equal(number_of("any drop probability=0.25", WORD_PROBABILITY), 250000000);
	assert_int_equal(number_of("any drop probability=1.0", WORD_PROBABILITY), PROBABILITY_ONE);
	assert_int_equal(number_of("any drop probability=0", WORD_PROBABILITY), 0);
	assert_int_equal(number_of("any drop probability=0.1234567891234", WORD_PROBABILITY),
	                 123456789);
	assert_says("any drop probability=1.01", "at character 10, ", "from 0 to 1");
	assert_says("any drop probability=2", "at character 10, ", "from 0 to 1");
	assert_says("any drop probability=.5", "at character 10, ", "from 0 to 1");
	assert_says("any drop probability=0,5", "at character 10, ", "from 0 to 1");
	assert_says("any drop seed=5", "at character 1, 'any': ", "probability");
}

static void counts_begin_with_1(void **state)
{
	assert_says("any drop count=0", "at character 10, 'count=0': ", "number from 1");
	assert_says("any drop every=0", "at character 10, 'every=0': ", "number from 1");
	assert_says("any drop every=x", "at character 10, 'every=x': ", "number from 1");
	assert_int_equal(number_of("any drop after=0", WORD_AFTER), 0);
	assert_says("any drop after=9223372036854775808", "at character 10, ", "give a number");
}

static void an_unknown_word_is_told_with_its_place_and_what_is_allowed(void **state)
{
	assert_says("get_data drop", "at character 1, 'get_data': ", "get_file_data");
	assert_says("drop", "at character 1, 'drop': ", "or any");
	assert_says("", "at character 1, '': ", "or any");
	assert_says(" ; ; ", "at character 6, '': ", "or any");
	assert_says("any=5 drop", "at character 1, 'any=5': ", "or any");
	assert_says("any drop; query_file_name eror=5",
	            "at character 27, 'eror=5': ", "error=RESULT");
	assert_null(strstr(message_of("query_file_name x"), "short"));
	assert_non_null(strstr(message_of("get_file_data x"), "short"));
}

static void a_word_that_means_nothing_for_the_callback_is_refused(void **state)
{
	assert_says("get_placeholder_info short", "at character 22, 'short': ", "means nothing");
	assert_says("cancel_command error=0x5", "at character 16, ", "means nothing");
	assert_says("any short add=x", "at character 11, 'add=x': ", "means nothing");
	assert_says("get_directory_enumeration size=5", "at character 1, ", "add=NAME");
}

static void words_that_contradict_each_other_are_refused(void **state)
{
	assert_says("any hang error=0x5", "at character 10, 'error=0x5': ", "hang");
	assert_says("any error=0x5 crash", "at character 15, 'crash': ", "error");
	assert_says("any short corrupt", "at character 11, 'corrupt': ", "short");
	assert_says("any drop error=0x5", "at character 10, 'error=0x5': ", "drop");
	assert_says("any drop drop", "at character 10, 'drop': ", "twice");
	assert_int_equal(try_open_fault("any delay=1 hang"), PRJ_OK);
	assert_int_equal(try_open_fault("any short beyond error=0x5 pend twice"), PRJ_OK);
}

static void values_are_there_exactly_where_they_are_wanted(void **state)
{
	assert_says("any delay", "at character 5, 'delay': ", "delay=TIME");
	assert_says("any hang=5", "at character 5, 'hang=5': ", "no value");
	assert_says("any kind=socket", "at character 5, ", "file|directory");
	assert_says("get_file_data short=x", "at character 15, ", "short[=BYTES]");
}

static void a_rule_without_an_effect_is_refused(void **state)
{
	assert_says("any", "at character 1, 'any': ", "does nothing");
	assert_says("any drop; notification after=3", "at character 11, 'notification': ", "hang");
}

static void there_are_at_most_64_rules(void **state)
{
	char text[RULES_MAX * 10 + 20] = "";

	for (int i = 0; i < RULES_MAX; i++)
		strcat(text, "any drop;");
	assert_int_equal(try_open_fault(text), PRJ_OK);
	strcat(text, "any drop");
	assert_says(text, "at character 577, 'any': ", "more than 64");
}

/* In memory of its exact size, so that reading beyond it is seen. */
static void parse_whatever(const char *text, size_t length)
{
	char *copy = malloc(length + 1);
	char message[TEXT_MESSAGE_SIZE] = "";
	struct rules rules;
	int r;

	assert_non_null(copy);
	memcpy(copy, text, length);
	copy[length] = '\0';
	rules_init(&rules);
	r = text_parse(copy, &rules, message);
	if (r == 0)
		assert_in_range(rules.n, 1, RULES_MAX);
	else
		assert_memory_equal(message, "at character ", 13);
	rules_deinit(&rules);
	free(copy);
}

static void damaged_texts_are_refused_or_mean_something(void **state)
{
	static const char good[] = "get_file_data error=access_denied after=10 path=\"a b\";"
	                           "any probability=0.25 seed=7 delay=50ms pend=1s twice;"
	                           "get_directory_enumeration add=\"x;\" kind=file size=7 disorder";
	static const char wrong[] = "= ;\"x0\t\xff%\n.";
	char text[sizeof(good)];
	unsigned int seed = 1;

	for (size_t length = 0; length < sizeof(good); length++)
		parse_whatever(good, length);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		for (size_t j = 0; j < sizeof(wrong) - 1; j++) {
			memcpy(text, good, sizeof(good));
			text[i] = wrong[j];
			parse_whatever(text, sizeof(good) - 1);
		}
	}
	for (int round = 0; round < 2000; round++) {
		size_t from = (size_t)rand_r(&seed) % sizeof(good);
		size_t to = (size_t)rand_r(&seed) % sizeof(good);

		memcpy(text, good, sizeof(good));
		memmove(text + to, good + from, sizeof(good) - (from > to ? from : to));
		parse_whatever(text, strnlen(text, sizeof(good) - 1));
	}
}

static void a_long_word_does_not_fill_the_message(void **state)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_non_null(strstr(message_of(text), "get_file_data, "));
	memcpy(text, "any ", 4);
	assert_non_null(strstr(message_of(text), "hang"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_INNER(a_rule_names_a_callback_and_words),
	        WITH_INNER(any_means_the_callbacks_that_the_effects_are_for),
	        WITH_INNER(a_value_in_quotes_may_have_blanks_and_semicolons),
	        WITH_INNER(times_have_units),
	        WITH_INNER(a_result_is_a_name_in_any_case_or_a_number),
	        WITH_INNER(a_probability_lies_between_0_and_1),
	        WITH_INNER(counts_begin_with_1),
	        WITH_INNER(an_unknown_word_is_told_with_its_place_and_what_is_allowed),
	        WITH_INNER(a_word_that_means_nothing_for_the_callback_is_refused),
	        WITH_INNER(words_that_contradict_each_other_are_refused),
	        WITH_INNER(values_are_there_exactly_where_they_are_wanted),
	        WITH_INNER(a_rule_without_an_effect_is_refused),
	        WITH_INNER(there_are_at_most_64_rules),
	        WITH_INNER(damaged_texts_are_refused_or_mean_something),
	        WITH_INNER(a_long_word_does_not_fill_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
