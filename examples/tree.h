/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_TREE_H
#define EXAMPLES_TREE_H

/* A small tree in memory and the five callbacks that every provider has; both hello examples project one. */

#include <prj/prj.h>
#include <pthread.h>

struct tree_item {
	const char *path;
	const char *content; /* NULL: a directory */
};

struct tree_session;

/* What is not named in its initialization is zero. */
struct tree {
	const struct tree_item
	        *items; /* those of one directory in the order of prj_file_name_compare() */
	size_t n_items;
	pthread_mutex_t lock; /* PTHREAD_MUTEX_INITIALIZER */
	struct tree_session *sessions; /* protected by lock */
};

/* The callbacks for a tree; the tree itself is to be their instance_context. */
void tree_fill_callbacks(struct prj_callbacks *ret);

#endif
