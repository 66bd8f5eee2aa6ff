/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_TESTS_API_TINY_H
#define PROJFS_TESTS_API_TINY_H

/*
 * An instance with a real mount and a provider of a few items, through the public functions alone.  It writes down
 * every callback with all that it was given.  The mount is used by programs that are started for it, so that they are
 * other processes than the provider's and hold none of its descriptors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <prj/prj.h>

#include <pthread.h>
#include <sys/types.h>

#define TINY_CALLS_MAX 1024

enum tiny_kind {
	TINY_START,
	TINY_GET,
	TINY_END,
	TINY_INFO,
	TINY_DATA,
	TINY_NOTIFICATION,
	TINY_CANCEL,
	TINY_N_KINDS,
};

/* One callback: what its data points to is copied. */
struct tiny_call {
	enum tiny_kind kind;
	struct prj_callback_data data;
	char path[64];
	char image[256]; /* "": none */
	struct prj_placeholder_version_info version;
	bool has_version;
	bool has_expression;
	struct prj_guid session;
	prj_dir_entry_buffer *buffer;
	uint64_t offset; /* of data, as the length */
	uint32_t length;
	enum prj_notification event;
	uint32_t mask; /* in the parameters of FILE_OPENED, before the answer */
};

struct tiny {
	char root[64];
	struct prj_callbacks callbacks; /* before tiny_start() */
	struct prj_start_options options;
	prj_instance *instance;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	prj_result result
	        [TINY_N_KINDS]; /* what a callback returns without doing anything; PRJ_OK: it answers */
	_Atomic uint32_t reply_mask; /* in the answer to FILE_OPENED */
	bool is_held; /* get placeholder info does not return */
	unsigned n_inside, max_inside; /* callbacks that are held */
	const char *denied; /* get placeholder info of this path: ACCESS_DENIED */
	struct tiny_call calls[TINY_CALLS_MAX];
	size_t n_calls;
	bool has_listed; /* in this session */
};

/* cmocka: a marked root and a provider that is ready to start. */
int tiny_setup(void **state);
int tiny_teardown(void **state);
void tiny_start(struct tiny *t);
void tiny_stop(struct tiny *t);

/* Run a shell script with the root as "$0": its exit code.  @ret_pid may be NULL. */
int tiny_run(struct tiny *t, const char *script, pid_t *ret_pid);
/* Start it, and wait for it: its exit code. */
pid_t tiny_spawn(struct tiny *t, const char *script);
int tiny_wait(pid_t pid);

/* The first callback of this kind for @path, copied; waits until it has come. */
struct tiny_call tiny_find(struct tiny *t, enum tiny_kind kind, const char *path);
size_t tiny_count(struct tiny *t, enum tiny_kind kind);
/* Wait until there are that many. */
void tiny_wait_count(struct tiny *t, enum tiny_kind kind, size_t n);
/* The events that have come, as a mask. Waits until those of @mask are among them. */
uint32_t tiny_wait_events(struct tiny *t, uint32_t mask);
/* What has come for @path, in words: "info opened data closed".  Waits for it, but not for ever. */
void tiny_assert_sequence(struct tiny *t, const char *path, const char *expected);
/* Likewise of notifications alone. */
void tiny_assert_told(struct tiny *t, const char *path, const char *expected);
void tiny_answer_with(struct tiny *t, enum tiny_kind kind, prj_result result);
/* Let those go that are held, and hold no more. */
void tiny_let_go(struct tiny *t);
/* Wait until so many are held. */
void tiny_wait_inside(struct tiny *t, unsigned n);
/* Answer get placeholder info or get directory enumeration as the provider would have. */
prj_result tiny_answer(struct tiny *t, const struct tiny_call *call);

#endif
