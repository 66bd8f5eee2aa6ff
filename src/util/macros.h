/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_UTIL_MACROS_H
#define PROJFS_UTIL_MACROS_H

/*
 * Ownership in the type: a variable marked _cleanup_(f) is handed to f() when it leaves
 * its scope, and steal_ptr()/steal_fd() pass it on to somebody else before that.
 */

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _pure_ __attribute__((pure))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define steal_ptr(p)                         \
	({                                   \
		__typeof__(*(p)) stolen = *(p); \
		*(p) = NULL;                 \
		stolen;                      \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* For _cleanup_(freep): works for a pointer to any pointer. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

/* For _cleanup_(closep); close() errors have no addressee on a path that gives up. */
static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#endif
