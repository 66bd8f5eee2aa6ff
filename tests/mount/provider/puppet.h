/* SPDX-License-Identifier: MIT */
#ifndef PUPPET_H
#define PUPPET_H

/*
 * A provider on strings: tests tell it over a Unix socket what to project and how to misbehave, and it tells them
 * what it was asked.  See puppet_control.c for the commands.
 *
 *	puppet.c          the descriptor, the callbacks, and what a rule makes of each
 *	puppet_view.c     the items, and the good answers
 *	puppet_calls.c    answers that come later, or from other threads, or that are wrong
 *	puppet_control.c  the strings
 */

#include <prj/provider.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

/* What a callback is: those that ask, cancel, and from KIND_EVENT on the notifications in the order of their bits. */
enum kind {
	KIND_LOOKUP,
	KIND_LIST,
	KIND_DATA,
	KIND_CANCEL,
	KIND_START,
	KIND_END,
	KIND_QUERY,
	KIND_EVENT,
	N_KINDS = KIND_EVENT + 12
};

struct range {
	uint64_t offset;
	uint32_t length;
};

/* Items are never freed before the provider: what is gone merely does not exist. */
struct item {
	struct item *next; /* in its hash bucket */
	bool exists;
	bool is_dir;
	bool lists_reversed; /* a directory that lists in the wrong order */
	bool lists_twice; /* every name two times */
	uint64_t size;
	uint64_t seed; /* word n of the content is (seed << 40) + n + 1 */
	uint32_t mode;
	uint64_t counts[N_KINDS];
	struct range *ranges; /* what was asked of the content */
	size_t n_ranges;
	char path[];
};

enum mode {
	MODE_NOW, /* answer in the callback */
	MODE_HOLD, /* hang in the callback until released */
	MODE_PEND, /* answer ERROR_IO_PENDING, and complete it when released */
	MODE_EARLY, /* likewise, and complete it on another thread before the callback returns */
	MODE_LATE, /* likewise, on another thread as soon as the callback has returned */
	MODE_KEEP, /* likewise, when and how the test says */
	N_MODES
};

struct rule {
	struct rule *next;
	enum kind kind;
	enum mode mode;
	bool has_result; /* do nothing, and say this: */
	prj_result result;
	int64_t short_bytes; /* data: deliver only so many, and say that all is well; -1: all */
	uint64_t n_left; /* how many callbacks it is for; 0: all */
	char path[]; /* "*": any */
};

/* One callback, with all that is needed to answer it later. */
struct call {
	struct call *next; /* of the kept ones */
	struct puppet *puppet;
	enum kind kind;
	prj_instance *instance;
	int32_t command_id;
	struct prj_guid id; /* the enumeration, or the data stream */
	bool restart;
	prj_dir_entry_buffer *buffer;
	uint64_t offset;
	uint32_t length;
	/* How a thread of its own answers it. */
	bool is_held; /* wait to be released first */
	bool has_result;
	prj_result result;
	char path[4096];
};

/* That there was a callback. */
struct note {
	enum kind kind;
	int32_t command_id;
	const struct item *item;
};

struct session;

#define N_BUCKETS (1u << 16)
#define MAPPINGS_MAX 8

struct puppet {
	pthread_mutex_t lock; /* protects all that follows, and the items */
	pthread_cond_t changed;
	struct item *buckets[N_BUCKETS];
	struct item **items; /* all of them, in the order in which they were first heard of */
	size_t n_items;
	struct rule *rules;
	struct session *sessions;
	struct call *kept;
	struct note *notes; /* all callbacks, in their order */
	size_t n_notes;
	unsigned n_workers;
	bool is_stopping;
	prj_instance *instance; /* once there was a callback */

	struct prj_notification_mapping mappings[MAPPINGS_MAX];
	char *mapping_text; /* owned; the roots point into it */
	char *directory; /* with the socket "control" and perhaps a "script" */
	int listen_fd;
	int client_fd; /* protected by lock; -1: none */
	pthread_t thread;
};

/* puppet.c */
int kind_parse(const char *name); /* -1: no such kind */
void print_notes(const struct puppet *p, int kind, FILE *out); /* -1: of all kinds */
/* Wait, with the lock, until no rule holds this call any more. */
void wait_released(const struct call *call);

/* puppet_view.c: the caller of the first holds the lock, of the others not. */
struct item *item_find(struct puppet *p, const char *path, bool create);
/* A good answer; a negative @limit: all of the data that was asked for. */
prj_result answer(const struct call *call, int64_t limit);
size_t sessions_free(struct puppet *p); /* how many were open */

/* puppet_calls.c: the caller of the first two holds the lock. */
prj_result answer_on_a_thread(const struct call *call, const struct rule *rule);
prj_result keep_call(const struct call *call);
/* Commands about kept calls, without the lock. false: it is none of them. */
bool calls_obey(struct puppet *p, char **words, int n, FILE *out, const char **ret_error);
void calls_end(struct puppet *p, FILE *journal); /* the instance has stopped */

/* puppet_control.c */
int control_start(struct puppet *p); /* runs the script, then serves the socket; -errno */
void control_stop(struct puppet *p);

#endif
