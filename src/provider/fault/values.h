/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_VALUES_H
#define PROVIDER_FAULT_VALUES_H

/* The values of the language, from text that is not terminated.  All return false if it is none. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool value_number(const char *text, size_t length, int64_t *ret);
/* ms; with ms, s, m or h behind it; a day at most */
bool value_time(const char *text, size_t length, int64_t *ret_ms);
/* The name of a result in any case, except those of no answer (OK, IO_PENDING), or 0x and up to eight digits. */
bool value_result(const char *text, size_t length, int64_t *ret);
/* From 0 to 1, in units of PROBABILITY_ONE */
bool value_probability(const char *text, size_t length, int64_t *ret);
/* file: 0, directory: 1 */
bool value_kind(const char *text, size_t length, int64_t *ret);

#endif
