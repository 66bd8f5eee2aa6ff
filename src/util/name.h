/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_NAME_H
#define PROJFS_UTIL_NAME_H

/*
 * File names and relative paths.
 *
 * Names are bytes, compared exactly, as Linux users expect.  Two things come from Windows
 * nevertheless: the order in which a provider lists (PrjFileNameCompare: upper-cased UTF-16
 * code units), and search expressions with DOS wild cards.  Names that are no UTF-8 take part:
 * each stray byte counts as the code unit 0xDC00 + byte, as the Windows layer shows it.
 */

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 4095

/* PrjFileNameCompare: <0, 0, >0.  Case-insensitive, so 0 does not mean the same name. Any
 * length; also fit for whole paths. */
int name_compare(const char *a, const char *b);

/* The order of listings: name_compare(), ties by bytes.  0 only for the very same name. */
int name_order(const char *a, const char *b);

/*
 * PrjFileNameMatch.  @name NULL or empty never matches; @pattern NULL or empty matches any.
 * Time is at most the product of both lengths, without allocation.  A @name beyond
 * PATH_MAX_BYTES is no name and matches nothing else.
 */
bool name_match(const char *name, const char *pattern);

/* PrjDoesNameContainWildCards: any of * ? " < > */
bool name_has_wildcards(const char *name);

/* May @name be the name of one directory entry?  1 to 255 bytes, no '/', not "." or "..". */
bool name_is_valid(const char *name, size_t length);

/* May @path be given to us as a relative path?  Components as name_is_valid(), single '/'
 * between them, none at either end, at most PATH_MAX_BYTES.  "" is the root and is valid. */
bool path_is_valid(const char *path);

/* The same for @length bytes without a terminator; a NUL in them makes them invalid. */
bool path_bytes_are_valid(const char *path, size_t length);

/* The last component of a valid path; "" for the root. */
const char *path_last(const char *path);

#endif
