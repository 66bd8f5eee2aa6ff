/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_NODE_TABLE_H
#define PROJFS_CORE_NODE_TABLE_H

/* What node.c and names.c share of the name table.  The caller holds table.lock. */

#include <stdint.h>

#include "core/node.h"

uint32_t table_hash(const struct node *parent, const char *name); /* needs no lock */
void table_hash_name(struct node_table *t, struct node *node);
void table_unhash_name(struct node_table *t, struct node *node);

struct node *alias_find_locked(struct node_table *t, const struct node *parent, const char *name,
			       uint32_t hash);
/* The node goes: out of the tables of links.  Returns its aliases, which are the caller's to free. */
struct alias *names_forget_locked(struct node_table *t, struct node *node);

#endif
