/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_DISK_H
#define PROJFS_CORE_DISK_H

/*
 * Disk threads do what may take long on the disk: cold reads, fsyncs, and every few seconds in which
 * something was hydrated one sync that makes it durable.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/list.h"

struct core;

#define DISK_N_THREADS 4
#define DISK_SYNC_INTERVAL_MS 5000

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
};

int disk_init(struct core *core);
/* Finishes the queued jobs, ends the threads. */
void disk_stop(struct core *core);
void disk_deinit(struct core *core);
/* There is something to make durable before long. */
void disk_note_change(struct core *core);

#endif
