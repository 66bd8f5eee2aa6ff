/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_READ_H
#define PROJFS_FUSE_READ_H

/*
 * Answers to READ.  The core says where the bytes are; getting them may wait for the disk.  A request thread
 * therefore takes only what is in memory already, and leaves the rest to a disk thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "fuse/session.h"

#define READ_MAX_BYTES (1024 * 1024)

/* Marks the calling thread as a request thread, whose READ answers are put together in @buf. */
void read_set_thread_buffer(void *buf);

void reply_read(struct core_req *core_req, int error); /* as those in reply.h */

/* Is the request @unique between the core and its reply, waiting for the disk? */
bool read_is_on_disk_thread(struct session *s, uint64_t unique);
/* Until no read waits for the disk. */
void read_wait_idle(struct session *s);

#endif
