/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_TREE_LOCK_H
#define PROJFS_CORE_TREE_LOCK_H

/*
 * Names hold still while somebody works with them.
 *
 * Whoever goes from a node to a path, or from a path to what is on disk there, holds the tree lock shared.  Whoever
 * takes a name away, moves one, or turns a state on disk into another (full, tombstone, restored) holds it
 * exclusively.  Making a new name and hydrating are additions: shared will do.
 *
 * It is held while a request runs and while the result of a command is taken in, never while one waits for the
 * provider, and it is the outermost of the core's locks.  A thread that holds it may take it again (shared within
 * anything), which only counts.  Requests that are woken by a thread that holds it run when it has let go: none runs
 * inside another.
 */

#include <pthread.h>
#include <stdbool.h>

struct core;
struct core_req;

struct tree_lock {
	pthread_rwlock_t lock;
};

void tree_lock_init(struct tree_lock *t);
void tree_lock_deinit(struct tree_lock *t);

void tree_read(struct core *core);
/* Not within a shared hold of the same thread. */
void tree_write(struct core *core);
void tree_unlock(struct core *core);
bool tree_is_exclusive(void); /* held so by this thread */

/* If this thread holds the lock: run @req when it lets go, and return true. */
bool tree_defer(struct core_req *req);

#endif
