/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_DISK_H
#define PROJFS_CORE_DISK_H

/*
 * Disk threads do what may take long on the disk: cold reads, and every few seconds in which
 * something was hydrated one sync that makes it durable.  Also here: open descriptors of content, kept by
 * least recent use.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/list.h"

struct core;
struct node;
struct content;

#define DISK_N_THREADS 4
#define DISK_SYNC_INTERVAL_MS 5000
#define DISK_CONTENT_MAX 1024 /* descriptors kept open though nobody uses them right now */

struct disk {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list jobs;
	bool quit;
	pthread_t threads[DISK_N_THREADS];
	unsigned n_threads;
	pthread_t sync_thread;
	bool sync_started;
	pthread_cond_t sync_wake;
	bool sync_idle; /* it waits for a change */

	pthread_mutex_t content_lock;
	struct list contents; /* content.link, least recently used first */
	size_t n_contents;
};

int disk_init(struct core *core);
/* Finishes the queued jobs, ends the threads. */
void disk_stop(struct core *core);
void disk_deinit(struct core *core);
/* There is something to make durable before long. */
void disk_note_change(struct core *core);

/* One reference; takes over @fd, also on failure (NULL: no memory). */
struct content *content_new(int fd);
/* The open content of @node (hydrated or local), referenced. */
int content_of_node(struct core *core, struct node *node, struct content **ret);
/* Keep @content (a new reference is taken) as that of @node. The caller holds node_lock(). */
void content_attach(struct core *core, struct node *node, struct content *content);
/* The caller holds node_lock(). */
void content_detach(struct core *core, struct node *node);

#endif
