/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_CHECKER_H
#define PROJFS_API_CHECKER_H

/*
 * Watches the provider's manners (PRJ_FLAG_CHECK_PROVIDER): every callback and every answer passes here, and what is
 * against prj.h becomes a report in the log and a count in `projfs status`.  It only watches: with one exception, a
 * listing's buffer that is not the provider's any more, everything is answered as without it.
 *
 * It knows only what it has seen, within bounds, so it may miss a mistake; what it reports is one.  In a live view the
 * provider's data may change between two of its answers: they are compared only when they are less than a second
 * apart, and the report says so.
 *
 * All calls are thread-safe, and none holds a lock while the log is written.
 */

#include <prj/prj.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

struct checker;
struct command;
struct dir_buffer;
struct record;

struct checker_config {
	bool is_stable; /* PRJ_FLAG_STABLE_VIEW */
	enum core_order order; /* in which the provider lists */
	uint64_t slow_ms; /* a callback may take so long */
	uint64_t pended_ms; /* and one that was pended so long, content aside */
	uint64_t pended_data_ms;
	uint64_t near_ms; /* live view: answers that lie this close are compared */
	uint64_t (*now_ms)(void); /* clock_now_ms(); tests have their own */
};

#define CHECKER_SLOW_MS 5000
#define CHECKER_PENDED_MS 60000
#define CHECKER_NEAR_MS 1000

/* @core: what the core was started with. */
void checker_config_init(struct checker_config *config, const struct core_config *core);

/* Starts the thread that sees what is late. -ENOMEM, -EAGAIN. */
int checker_new(const struct checker_config *config, struct checker **ret);
/* The instance is about to stop: what is cancelled from now on is cancelled by that. */
void checker_stopping(struct checker *c);
/* No callback runs any more. NULL is fine. */
struct checker *checker_free(struct checker *c);

/* How often each kind of mistake was made, those that were not made left out. */
void checker_for_each_count(struct checker *c,
                            void (*each)(void *context, const char *id, uint64_t n), void *context);

/* ---- callbacks: @name is that of the callback ------------------------------------------------- */

void checker_begin(struct checker *c, const struct command *cmd, const char *name);
void checker_returned(struct checker *c, const struct command *cmd, prj_result result);
void checker_cancelled(struct checker *c, int32_t command_id);
/* prj_complete_command() is about to do it. */
void checker_completing(struct checker *c, int32_t command_id, prj_result result,
                        const struct core_completion *more);

/* ---- answers, after the fact ------------------------------------------------------------------- */

/* @rec is only looked at when @result is PRJ_OK. */
void checker_placeholder(struct checker *c, const char *path, const struct record *rec,
                         prj_result result);
/* The bytes at @data, or those of the file @fd, were taken or refused (@r). */
void checker_data(struct checker *c, const uint8_t stream_id[16], const void *data, uint64_t offset,
                  uint64_t length, int r);
void checker_data_from_fd(struct checker *c, const uint8_t stream_id[16], int fd,
                          uint64_t fd_offset, uint64_t offset, uint64_t length, int r);
/* The provider says that its view may have changed: what it said before does not count. */
void checker_view_changed(struct checker *c);

/* ---- listings: all that a provider gives with an entry is its buffer ----------------------------- */

/* Is there a checker at all?  Without one the calls below need not be made. */
bool checker_is_in_use(void);
/*
 * May it be filled?  OPERATION_ABORTED: its listing was cancelled.  INVALID_PARAMETER: its callback is over.  It is not
 * looked at: it may have been freed.
 */
prj_result checker_buffer(const struct dir_buffer *buffer, const char *file_name);
void checker_entry(const struct dir_buffer *buffer, const char *file_name, const struct record *rec,
                   prj_result result);
/* A callback without a checker gets it: whatever is known of one at this address is of the past. */
void checker_buffer_is_new(const struct dir_buffer *buffer);

#endif
