/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_ERRMSG_H
#define PROJFS_UTIL_ERRMSG_H

/*
 * One sentence for a person: what was tried, on which path, why it failed, what to do.
 * Calls that can fail in ways an errno cannot tell take one of these beside it.
 */

#include "util/macros.h"

struct errmsg {
	char text[1024];
};

/* Write the message over what was there: one line, cut between characters to fit, a '?' for each
 * control byte (they come with names).  @err may be NULL.  Returns @error, so that callers can say
 * `return errmsg_set(err, -EROFS, ...)`; errno stays as it was. */
int errmsg_set(struct errmsg *err, int error, const char *format, ...) _printf_(3, 4);

#endif
