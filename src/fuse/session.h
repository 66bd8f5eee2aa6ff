/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_SESSION_H
#define PROJFS_FUSE_SESSION_H

/*
 * One connection to the kernel: what was negotiated at INIT, and the request threads.
 *
 * A request thread waits for nothing but the kernel: what the core cannot answer at once is parked there,
 * what would wait for the disk goes to a disk thread (read.c).
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "fuse/transport.h"
#include "util/errmsg.h"
#include "util/list.h"

struct session {
	struct core *core;
	uint64_t features; /* negotiate.h; fixed after the handshake */
	bool untracked; /* core_opens_untracked() */
	int gone_fd; /* an eventfd, readable when the connection has ended by itself */

	pthread_mutex_t lock;
	struct list disk_reads; /* reads that wait for a disk thread; protected by lock */
	unsigned n_disk_reads; /* those, and the ones being answered there; protected by lock */
	pthread_cond_t disk_idle; /* n_disk_reads became 0 */

	unsigned n_threads;
	struct worker *workers;
};

int session_init(struct session *s, struct core *core);
void session_deinit(struct session *s); /* threads must have been joined */

/* Receive INIT on @channel and answer it. @wanted: features to use where the kernel has them. */
int session_handshake(struct session *s, struct channel *channel, uint64_t wanted,
                      struct errmsg *err);

/* One thread for each of @n channels, pinned to a processor if @s->features says so. */
int session_start_threads(struct session *s, struct devfuse *device, unsigned n);
/* After devfuse_stop(), or when the connection has ended: wait for the threads. */
void session_join_threads(struct session *s);

/* The processors that we may run on. */
unsigned session_n_processors(void);

#endif
