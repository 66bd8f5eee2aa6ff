/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_DISPATCH_H
#define PROJFS_FUSE_DISPATCH_H

#include <stddef.h>

#include "fuse/session.h"

/*
 * Handle one request as it came in on @channel.  What the kernel sends is checked like anything from outside:
 * tests and fuzzers send otherwise.  Each request gets one reply, here or when the core is done with it; only
 * FORGETs, INTERRUPTs and what is too short to have a number get none.
 */
void dispatch(struct session *s, struct channel *channel, const void *request, size_t size);

#endif
