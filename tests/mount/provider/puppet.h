/* SPDX-License-Identifier: MIT */
#ifndef PUPPET_H
#define PUPPET_H

/*
 * A provider on strings: tests tell it over a Unix socket what to project and how to misbehave, and it tells them
 * what it was asked.  See puppet_control.c for the commands.
 */

#include <prj/provider.h>
#include <pthread.h>
#include <stdbool.h>

enum kind { KIND_LOOKUP, KIND_LIST, KIND_DATA, KIND_CANCEL, N_KINDS };

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
	bool lists_twice;    /* every name two times */
	uint64_t size;
	uint64_t seed; /* word n of the content is (seed << 40) + n + 1 */
	uint32_t mode;
	uint64_t counts[N_KINDS];
	struct range *ranges; /* what was asked of the content */
	size_t n_ranges;
	char path[];
};

enum action {
	ACTION_HOLD, /* hang in the callback until released */
	ACTION_PEND, /* answer ERROR_IO_PENDING, and complete it when released */
	ACTION_LATE, /* likewise, and complete it at once on another thread */
	ACTION_FAIL, /* with the argument as the result */
	ACTION_SHORT /* data: deliver so many bytes, and say that all is well */
};

struct rule {
	struct rule *next;
	enum kind kind;
	enum action action;
	int64_t argument;
	char path[]; /* "*": any */
};

struct session;

#define N_BUCKETS (1u << 16)

struct puppet {
	pthread_mutex_t lock; /* protects all that follows, and the items */
	pthread_cond_t changed;
	struct item *buckets[N_BUCKETS];
	struct item **items; /* all of them, in the order in which they were first heard of */
	size_t n_items;
	struct rule *rules;
	struct session *sessions;
	unsigned n_workers;
	bool is_stopping;

	char *directory; /* with the socket "control" and perhaps a "script" */
	int listen_fd;
	int client_fd; /* protected by lock; -1: none */
	pthread_t thread;
};

/* puppet.c: the caller holds the lock */
struct item *item_find(struct puppet *p, const char *path, bool create);
int kind_parse(const char *name);

/* puppet_control.c */
int control_start(struct puppet *p); /* runs the script, then serves the socket; -errno */
void control_stop(struct puppet *p);

#endif
