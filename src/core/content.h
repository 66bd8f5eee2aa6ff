/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_CONTENT_H
#define PROJFS_CORE_CONTENT_H

/*
 * Open descriptors of content.  Those of files with a name are kept by least recent use and opened again when they are
 * needed.  A file that was unlinked while in use has no name: its descriptor is pinned to its node; when
 * too many are, the file keeps a name in .projfs instead.
 *
 * node->content is valid exactly while the content is attached.  Both change together under contents.lock, so that the
 * oldest can be dropped without its node's lock.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/list.h"

struct core;
struct node;
struct content;

#define CONTENT_MAX 1024 /* descriptors kept open though nobody uses them right now */
#define CONTENT_PINNED_MAX 2048

struct contents {
	pthread_mutex_t lock;
	struct list list; /* content.link, least recently used first */
	size_t n;
	size_t n_pinned;
};

void contents_init(struct contents *c);
void contents_deinit(struct contents *c);

/* One reference; takes over @fd, also on failure (NULL: no memory). */
struct content *content_new(int fd, bool writable);
/* How large the file is now. */
int content_size(const struct content *c, uint64_t *ret);
/* The open content of @node (hydrated or local), referenced.  The caller holds the tree lock. */
int content_of_node(struct core *core, struct node *node, bool writable, struct content **ret);
/* Is it kept open just now? */
bool content_is_attached(struct core *core, const struct node *node);
/* Keep @content (a new reference is taken) as that of @node, for good if @pin. */
void content_attach(struct core *core, struct node *node, struct content *content, bool pin);
void content_detach(struct core *core, struct node *node);
/*
 * @node is about to lose its name: keep its content open. -EMFILE: too many are kept like that.
 * Undone by content_attach() of the same content.
 */
int content_pin(struct core *core, struct node *node);

#endif
