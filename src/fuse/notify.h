/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_NOTIFY_H
#define PROJFS_FUSE_NOTIFY_H

/*
 * Telling the kernel that something it caches is no longer good.
 *
 * Such a message can block: it takes the lock of a directory that a look-up holds which waits for us, or a
 * page that is being read.  So no request thread sends any.  They are queued by node: those of one node
 * stay in order and are sent by one thread at a time, and a node that blocks holds up no other as
 * long as there is a thread left.  Threads start when they are first needed.
 */

#include <stdbool.h>

#include "core/core.h"
#include "fuse/transport.h"

struct notifier;

/* @expire_only: the kernel can expire a name without invalidating what is below it. */
int notifier_new(struct channel *channel, bool expire_only, struct notifier **ret);
/* Drops what is queued and waits for what is being sent: requests must still be served meanwhile. */
void notifier_stop(struct notifier *n);
struct notifier *notifier_free(struct notifier *n); /* after notifier_stop() */

/* For core_set_kernel(), with the notifier as context. */
extern const struct core_kernel notifier_kernel;

#endif
