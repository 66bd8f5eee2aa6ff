/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_CHECK_H
#define PROJFS_STORE_CHECK_H

/* What the parts of store_check() share. */

#include "store/change.h"

struct check {
	struct store *store;
	bool repair;
	store_report *report;
	void *context;
};

void check_say(const struct check *c, enum store_problem problem, const char *path,
	       const char *what, bool repaired);
/* The record that stands in the item itself, perhaps a reference.  0: there is none; positive: there is. */
int check_head(struct store *s, int fd, const struct stat *st, struct buf *storage,
	       struct record *ret);

/* check_private.c: .projfs itself, and its folders that are small. */
int check_private(const struct check *c);
/* check_records.c: records put aside that nothing refers to. */
int check_records(const struct check *c);
/* Call @each for every name in .projfs/@folder, if there is one; a negative result ends it. */
int check_folder(const struct check *c, const char *folder,
		 int (*each)(const struct check *c, int folder, const char *name));

#endif
