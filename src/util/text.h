/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_TEXT_H
#define PROJFS_UTIL_TEXT_H

/*
 * Sentences for a terminal or a log, made of parts that users, providers and servers chose.
 */

#include <stdarg.h>
#include <stddef.h>

#include "util/macros.h"

/*
 * Format into @size bytes (at least 1), always terminated.  What does not fit is cut between two
 * UTF-8 characters.  Control bytes become '?', so a name cannot forge a line of a log or send
 * escape sequences to a terminal.  errno stays as it was.
 */
void text_vformat(char *text, size_t size, const char *format, va_list args) _printf_(3, 0);

#endif
