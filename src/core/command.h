/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_COMMAND_H
#define PROJFS_CORE_COMMAND_H

/*
 * A command is one invocation of a provider's callback.
 *
 *	NEW -> QUEUED -> RUNNING -> (PENDED ->) DONE
 *
 * It runs on a callback thread, at most core_config.n_callback_threads at a time.  A callback may say that it
 * will be completed later; the completion may even overtake the callback's return.  Whoever completes it calls
 * finished() exactly once, with no lock held, on whatever thread that is.  Cancelling a queued or pended
 * command finishes it at once with -ECANCELED; a running one when its callback returns.
 *
 * Notifications about one item are numbered in the order in which they are submitted, and run in it: one is not put
 * into the queue before the callback of the one before has returned.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"
#include "util/list.h"

struct core;
struct core_completion;
struct node;
struct dir_buffer;
struct listing;
struct hydration;

enum command_kind {
	COMMAND_START_ENUM,
	COMMAND_GET_ENUM,
	COMMAND_END_ENUM,
	COMMAND_PLACEHOLDER,
	COMMAND_DATA,
	COMMAND_QUERY_NAME, /* does the provider have an item of that path? */
	COMMAND_NOTIFY,     /* core/notice.h */
	COMMAND_N_KINDS,
};

enum command_state {
	COMMAND_NEW,
	COMMAND_QUEUED,
	COMMAND_RUNNING,
	COMMAND_PENDED,
	COMMAND_DONE,
};

struct command {
	/* Set by the creator, then constant. */
	enum command_kind kind;
	struct node *node;     /* referenced; the target */
	char *path;            /* owned; as the provider knows it */
	char *current_path;    /* owned; where it is now; NULL: the same */
	uint8_t *version;      /* owned; encoded record that carries the ids for the callback, or NULL */
	size_t version_size;
	uint32_t pid;
	uint32_t uid;
	uint8_t session_id[16]; /* enumeration: id of the session */
	bool restart;          /* get enumeration: first of its session */
	uint32_t event;        /* notification: enum core_event */
	bool is_directory;     /* notification: of the item */
	bool is_modified;      /* notification of a deletion: the content was changed by who has it open */
	char *destination;     /* owned; notification of renames and links: the new path; else NULL */
	uint64_t handle;       /* notification: of the open file, 0: none */
	struct process *process; /* referenced; notification: who did it, NULL: unknown */
	struct notice *notice; /* referenced; notification: who waits for it, or NULL */
	uint64_t offset;       /* data: wanted range */
	uint64_t length;
	struct listing *listing;     /* enumeration; referenced */
	struct hydration *hydration; /* data; referenced */
	struct dir_buffer *buffer;   /* get enumeration; owned */
	void (*finished)(struct core *core, struct command *cmd, int error);

	/* Protected by core->commands.lock. */
	unsigned n_refs;
	enum command_state state;
	int32_t id;           /* while it is QUEUED to PENDED */
	bool cancelled;
	bool succeeded;       /* the callback itself returned success, though the command was cancelled */
	bool is_lent;         /* it was cancelled while the provider may still fill its buffer */
	bool completed_early; /* prj_complete_command() came before the callback returned */
	int early_error;
	uint64_t sequence;    /* notification: its number, from 1 */
	uint32_t reply_mask;  /* notification: set by whoever completes it; 0: unchanged */
	struct list link;     /* in the queue, or in the cancel queue */
	struct list lane_link; /* notification: behind the others about the same item */
	struct list outstanding_link;
	struct command *hash_next;

	/* The provider's answer, protected by node's lock. */
	uint8_t *answer; /* placeholder: encoded record */
	size_t answer_size;
};

#define COMMAND_N_BUCKETS 1024
#define COMMAND_N_CANCELLED 65536
#define COMMAND_QUEUE_MAX 65536
#define COMMAND_FACTS_MAX (4 * COMMAND_QUEUE_MAX) /* of what must not be lost because of others */
#define COMMAND_N_LANES 256

struct commands {
	pthread_mutex_t lock;
	pthread_cond_t work;   /* the queue is not empty, or quit */
	pthread_cond_t cancel_work; /* the cancel queue is not empty, or quit */
	pthread_cond_t idle;   /* something finished */
	struct list queue;
	struct list cancel_queue;
	struct list outstanding; /* oldest first; but for facts that have not been pended: these must be run */
	struct list facts;
	struct list lanes[COMMAND_N_LANES]; /* notifications that have not returned, by node */
	uint64_t n_notifications;
	struct list lent; /* struct dir_buffer_owner: of cancelled commands, until the provider completes these */
	struct command *buckets[COMMAND_N_BUCKETS]; /* by id */
	int32_t next_id;
	uint64_t n_outstanding;
	uint64_t n_queued;      /* with what waits in its lane */
	uint64_t n_queued_facts; /* of these */
	unsigned n_running;
	bool stopping;         /* only what ends sessions is accepted */
	bool quit;
	int32_t cancelled_ids[COMMAND_N_CANCELLED]; /* by id: completing one of these is no error */
	pthread_t *threads;
	unsigned n_threads;
	pthread_t cancel_thread;
	bool cancel_started;
};

int commands_init(struct core *core, unsigned n_threads);
/* Cancel all, wait for the running ones, run what ends sessions, end the threads. */
void commands_stop(struct core *core);
void commands_deinit(struct core *core);

/* A command on @node with both paths and the version filled in. One reference. NULL: no memory. */
struct command *command_new(struct core *core, enum command_kind kind, struct node *node);
/* The same with a path that was found out already: where it is, or was. */
struct command *command_new_about(struct core *core, enum command_kind kind, struct node *node,
				  const char *path);
struct command *command_ref(struct core *core, struct command *cmd);
struct command *command_unref(struct core *core, struct command *cmd); /* NULL is fine; NULL */

/* Queue it; the queue has its own reference.  On an error finished() is not called:
 * -ENOTCONN stopping, -EBUSY the queue is full. */
int command_submit(struct core *core, struct command *cmd);
void command_cancel(struct core *core, struct command *cmd);
int command_complete(struct core *core, int32_t id, int error,
		     const struct core_completion *more);
/* The unfinished, uncancelled command with this id, referenced, or NULL. */
struct command *command_find(struct core *core, int32_t id);
/* The placeholder commands in flight for @path (the provider's name for it), referenced.  There can be two or more:
 * what an item is, and what lies under a local one. */
size_t command_find_placeholders(struct core *core, const char *path, struct command **ret, size_t max);

/* The id under which content is delivered: the command's id and the instance's secret. */
void command_stream_id(struct core *core, const struct command *cmd, uint8_t ret_id[16]);
/* The id that stands for the open file that a notification is about. */
void command_handle_id(struct core *core, const struct command *cmd, uint8_t ret_id[16]);
struct command *command_find_stream(struct core *core, const uint8_t id[16]);

#endif
