/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_HYDRATION_H
#define PROJFS_CORE_HYDRATION_H

/*
 * The content of one file on its way from the provider to its place on disk.
 *
 *	hydrate.c   what readers need is asked for, by window; who waits for what
 *	staging.c   the files that it is kept in on its way
 *	deliver.c   bytes that the provider hands over
 *	commit.c    the last byte has come: the file gets its name
 *
 * Files up to config.small_file_bytes come whole, by one command, into a file without a name.  Larger ones come by
 * window into a partial file that survives a restart.  Everybody who reads the same file shares this, and is
 * answered as soon as his own bytes are there.
 *
 * Locks: hydration.lock, then the node's.  Neither is held while the provider or the disk works.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/ranges.h"
#include "core/wait.h"
#include "util/list.h"

struct core;
struct core_req;
struct node;
struct command;
struct content;
struct stage;
struct partial;

#define WINDOW_MIN (1024 * 1024)     /* asked for at once from a large file */
#define WINDOW_MAX (8 * 1024 * 1024) /* when it is read from front to back */
#define RESTARTS_MAX 3               /* because the provider's version changed under way */

/* One command in flight. */
struct flight {
	struct list link;
	struct command *cmd; /* referenced */
	uint64_t start, end; /* what it was asked for */
	bool cancelled;
	struct ranges held;  /* delivered, to count when the command succeeds */
};

struct hydration {
	struct waitq q;
	atomic_uint n_refs;
	atomic_uint_fast64_t bytes; /* arrived so far */
	pthread_mutex_t lock;
	/* Constant. */
	bool small;
	uint8_t *rec;            /* owned; the record that described the file then */
	size_t rec_size;
	/* Set once, before the first byte arrives; protected by the node's staging lock until is_staged. */
	struct stage *stage;     /* small */
	struct partial *partial; /* large */
	int fd;                  /* of either; borrowed; -1: not open yet */
	struct content *content; /* likewise, for readers */
	/* Protected by lock. */
	bool is_staged;          /* the files are open */
	uint64_t size;
	bool size_unknown;
	bool dead;               /* outdated: what still arrives is for nobody */
	bool committing;
	bool over;               /* committed, or failed for good: nobody is woken any more */
	struct ranges arrived;
	struct list flights;
	uint64_t window;         /* bytes; grows while windows follow each other */
	uint64_t next_start;     /* where the window after the last one would begin */
};

/* What a finished or failed command means for those who wait. */
struct outcome {
	struct hydration *h;
	bool over;               /* nothing more will come: everybody runs again */
	int error;               /* for those who wait for [start, end) and do not have it;
				  * -ECANCELED: let them ask again */
	uint64_t start, end;
};

/* The lock of everything that has this identity: a name that came back has it, too. */
pthread_mutex_t *staging_lock(struct core *core, const struct node *node);
/* Open the files again that hold a part of @h already.  The caller holds the node's staging lock. */
int staging_take_up(struct core *core, struct node *node, struct hydration *h);
/* Open them if they are not open.  -EBADF: @node, a large file, gets its content from another hydration by now.
 * Call with no lock but the tree lock. */
int staging_open(struct core *core, struct node *node, struct hydration *h);

/* Wake whom @outcome concerns. Call without locks. */
void hydration_wake(struct core *core, const struct outcome *outcome);

/* The caller holds h->lock. Marks bytes as arrived. */
int hydration_arrived(struct hydration *h, uint64_t start, uint64_t end);

/* The command of a flight has ended. Takes the flight away, commits or reports. */
void hydration_data_finished(struct core *core, struct command *cmd, int error);

/* All of it has arrived: give the file its name. On success @node is hydrated. */
int hydration_commit(struct core *core, struct node *node, struct hydration *h);
/* The same, and everybody who waits is told.  Who calls it has set h->committing. */
int hydration_end(struct core *core, struct node *node, struct hydration *h);

#endif
