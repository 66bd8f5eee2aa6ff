/* SPDX-License-Identifier: MIT */
#ifndef TEST_CHECKED_H
#define TEST_CHECKED_H

/* A checker with a clock that stands still, and providers' calls as the hooks see them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "api/checker.h"
#include "core/command.h"
#include "store/record.h"

struct checked {
	struct checker *checker;
	int32_t next_id;
	uint64_t next_session;
	pthread_mutex_t lock;
	pthread_cond_t logged;
	char log[16][1200]; /* lock; the last reports */
	size_t n_log; /* lock */
};

/* Of the running test; checked_setup() starts with a stable view in bytes' order. */
extern struct checked checked;
extern _Atomic uint64_t checked_now_ms;

int checked_setup(void **state);
int checked_teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, checked_setup, checked_teardown)
/* Instead of the checker that there is. */
void checked_restart(bool is_stable, enum core_order order);

uint64_t count_of(const char *id);
uint64_t count_all(void);
/* Some report has these words, or will have in a moment. */
void assert_reported(const char *words);
size_t n_reports(void);

/* A callback that begins, and one that has returned. */
struct command *begin(enum command_kind kind, const char *path);
void returned(struct command *cmd, prj_result result);
void completed(const struct command *cmd, prj_result result);
void command_end(struct command *cmd); /* frees it */

/* A session: started; each call of list() is one get, names up to NULL; ended. */
struct command *session_begin(const char *path);
void session_list(struct command *session, const char *name, ...);
void session_end(struct command *session);
/* All of it, for a complete listing of files of one byte. */
#define list_all(path, ...)                                                                        \
	do {                                                                                       \
		struct command *all = session_begin(path);                                         \
		session_list(all, __VA_ARGS__, NULL);                                              \
		session_list(all, NULL);                                                           \
		session_end(all);                                                                  \
	} while (0)
struct command *get_begin(const struct command *session);
void add_entry(const struct command *get, const char *name, uint8_t kind, uint64_t size,
               prj_result result);

/* A look-up with its answer. */
void look_up_file(const char *path, uint64_t size, const char *content_id);
void look_up_kind(const char *path, uint8_t kind);
void look_up_nothing(const char *path);

/* A request for content of a file of this size; deliver() gives bytes that depend on @seed. */
struct command *data_begin(const char *path, uint64_t offset, uint64_t length, uint64_t size,
                           const char *content_id);
void deliver(const struct command *cmd, uint64_t offset, uint64_t length, int seed);

#endif
