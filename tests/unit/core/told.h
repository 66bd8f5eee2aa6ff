/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_CORE_TOLD_H
#define PROJFS_TESTS_CORE_TOLD_H

/*
 * What the fake provider hears of applications, as text: "opened a; pre-rename a b; modified a".  A directory ends
 * in '/', a file that was deleted after a change in '+', the root is "." and "nowhere" an empty path of a file.
 */

#include "changes.h"

#include <fcntl.h>

#define ALL (CORE_EVENTS_ALL & ~(uint32_t)CORE_EVENT_SUPPRESS)

/* Start anew with those mappings, which stay the caller's; one callback thread, so that calls come in one row. */
void listen_to(struct fake *f, const struct core_mapping *mappings, size_t n);
#define LISTEN(f, ...)                                                                             \
	listen_to(f, (const struct core_mapping[]){__VA_ARGS__},                                   \
	          sizeof((const struct core_mapping[]){__VA_ARGS__}) /                             \
	                  sizeof(struct core_mapping))

/* What was told since the last time, after everything that is queued has been. It need not be freed. */
const char *told(struct fake *f);
#define assert_told(f, text) assert_string_equal(told(f), text)

/* From now on these events are refused with @error; 0 and 0: none. */
void veto(struct fake *f, uint32_t events, int error);
/* From now on the answer to these events has @mask. */
void answer_mask(struct fake *f, uint32_t events, uint32_t mask);

/* ---- open files ---------------------------------------------------------------------------------- */

int open_file(struct fake *f, uint64_t id, uint32_t flags, uint64_t *ret_handle);
int create_file(struct fake *f, uint64_t dir, const char *name, uint64_t *ret_id,
                uint64_t *ret_handle);
int create_unnamed(struct fake *f, uint64_t dir, uint64_t *ret_id, uint64_t *ret_handle);
/* Made, written and closed. */
uint64_t text_file(struct fake *f, uint64_t dir, const char *name, const char *text);
void close_file(struct fake *f, uint64_t id, uint64_t handle);
/* By a descriptor, so that it is no open of its own. */
int cut_open(struct fake *f, uint64_t id, uint64_t size);

#endif
