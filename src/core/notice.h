/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_NOTICE_H
#define PROJFS_CORE_NOTICE_H

/*
 * Notifications: the provider hears of what applications do, before it is done, and may refuse, or afterwards.
 *
 * Which ones it wants is said by mappings: the deepest that covers a path holds, and no other.  An answer about an open
 * file may replace that mask until the last handle of the file is closed (core/opened.h).  What the provider's own
 * process does is never told.
 *
 * Before: notice_ask() from within an operation, which is run again when the provider has agreed.  After:
 * notice_tell() when all else has succeeded; the request is answered when the provider has.  Nobody waits for what is
 * told of closed files.
 *
 * Commands about one item run one after the other, in the order of their sequence numbers (core/command.c).
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/list.h"

struct command;
struct core;
struct core_config;
struct core_req;
struct handle;
struct node;
struct notice;

struct notices {
	struct core_mapping *mappings; /* by root; owned, with the roots */
	size_t n_mappings;
	bool tracks_opens;       /* some mapping wants to hear of opens, closes or conversions */
	pthread_mutex_t lock;    /* outside commands.lock and wait.lock */
	struct list conversions; /* questions that several may wait for */
	atomic_uint wanted;      /* events that may be wanted of something */
	atomic_bool has_warned;
};

int notices_init(struct notices *n, const struct core_config *config);
void notices_deinit(struct notices *n);

/* What happens. */
struct notice_about {
	uint32_t event;          /* enum core_event */
	struct node *node;
	const char *path;        /* where it is, or was; NULL: node_path() */
	const char *destination; /* renames, links; else NULL */
	struct handle *handle;   /* through which, or NULL */
	bool is_modified;        /* CORE_EVENT_CLOSED_DELETED */
	bool is_second;          /* an exchange renames two items */
};

/*
 * May it be done?  0: yes, or nobody wants to know; CORE_PENDING; or the negative errno of the refusal.  Called again
 * in the next run of @req it says 0.
 */
int notice_ask(struct core *core, struct core_req *req, const struct notice_about *about);
/* May the projected file @node become full?  Asked once, however many want to change it. */
int notice_ask_convert(struct core *core, struct core_req *req, struct node *node);

/*
 * It has been done, and nothing can fail any more.  At most two of them for one request.  The caller holds the tree
 * lock, so that what is told of an item comes in the order in which it happened.
 */
void notice_tell(struct core *core, struct core_req *req, const struct notice_about *about);
/* @h, or what was open by it, is closed: end it. */
void notice_closed(struct core *core, struct handle *h);

/* request.c: CORE_PENDING: @req waits for what it told.  0: it need not.  Or a negative errno: an open was refused. */
int notice_wait(struct core *core, struct core_req *req);
/* Has @req done its work and waits only for what it told? */
bool notice_is_told(const struct core_req *req);
/* What @req, which ends with @error, is answered. Frees what belongs to it. */
int notice_outcome(struct core *core, struct core_req *req, int error);

/* command.c: is this an event that nobody can refuse any more? */
bool notice_is_fact(uint32_t event);
void notice_unref(struct core *core, struct notice *n); /* NULL is fine */

#endif
