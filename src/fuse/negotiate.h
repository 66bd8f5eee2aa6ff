/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_NEGOTIATE_H
#define PROJFS_FUSE_NEGOTIATE_H

/*
 * What the kernel offers at INIT, what we want of it, and what is in use.
 *
 * A set of features is the kernel's 64 INIT flags.  Features of ours that no flag stands for take the two
 * topmost bits, which are far from being assigned and are never sent.
 */

#include <stddef.h>
#include <stdint.h>

#include "fuse/kernel.h"
#include "util/errmsg.h"

#define FEATURE_CLONE (1ULL << 62) /* a device descriptor per request thread */
#define FEATURE_PIN (1ULL << 63) /* a processor per request thread */

#define NEGOTIATE_MAX_PAGES 256
#define NEGOTIATE_BACKGROUND                                                                       \
	65535 /* past it the kernel stops sending reads: see D11 in the design */
/* An ordinary WRITE is the largest request; there is room for any header before its data. */
#define NEGOTIATE_BUFFER_BYTES (NEGOTIATE_MAX_PAGES * 4096 + 65536)

/* The features named in a list like "noopen,clone" (of PROJFS_DISABLE; NULL: none).  Other names are
 * for other layers. */
uint64_t features_parse(const char *list);

/* The names of those in @features, in static storage. Returns how many there are. */
size_t features_names(uint64_t features, const char **ret_names, size_t max);

/*
 * Answer INIT.  @wanted: features to use if they are offered; those that cost nothing and have no switch are
 * added here.  @ret_features: what is in use.  -EPROTO: a kernel older than 5.4, or no INIT at all.
 */
int negotiate(const struct fuse_init_in *in, size_t size, uint64_t wanted,
              struct fuse_init_out *ret_out, uint64_t *ret_features, struct errmsg *err);

#endif
