/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_DIR_H
#define PROJFS_PROVIDER_DIR_DIR_H

#include "left_out.h"
#include "listing.h"
#include "source.h"

/* One projected directory: the context of all callbacks. */
struct dir_provider {
	struct source source;
	struct listings listings;
	struct left_out left_out;
	char *source_text; /* "dir:" and the path */
};

/* Names the format of the ContentID, see item.c. */
#define DIR_PROVIDER_ID "dir1"

/* The name at the top that projfs keeps for itself. */
#define DIR_RESERVED_NAME ".projfs"

#endif
