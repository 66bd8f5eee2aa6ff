/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_RENAME_H
#define PROJFS_STORE_RENAME_H

/* What the parts of store_rename() share; rename.c has the idea. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/change.h"
#include "store/internal.h"

struct end {
	int dir;
	const char *path;
	const char *name;
	bool there;
	struct stat st;
};

/* What is noted. */
struct plan {
	unsigned flags; /* STORE_RENAME_* */
	uint64_t moved; /* inode */
	uint64_t replaced; /* inode that comes to the old name, to be taken away; or 0 */
	char aside[PRIVATE_NAME_SIZE]; /* in .projfs/tmp: what was at the new name; or "" */
};

/* end.dir is -1 before. */
int end_find(struct store *s, const char *path, struct end *ret);
int end_look(struct end *end); /* again */
void end_deinit(struct end *end);

int plan_note(struct store *s, const struct plan *plan, const struct end *from,
	      const struct end *to, uint64_t *ret_intent);
/* What has moved is at its new name: take away from the old one what does not belong there, put a
 * tombstone there if one is wanted. */
int plan_settle(struct store *s, const struct plan *plan, struct end *from);

#endif
