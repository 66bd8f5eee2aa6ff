/* SPDX-License-Identifier: MIT */
/*
 * Names that change.  Almost every node has one name all its life; renames move it, and a file with hard links has
 * further ones, its aliases.  Two names of one file must be one node, or the kernel would cache its pages twice:
 * such files are found by their inode on disk.
 */

#include <errno.h>
#include <string.h>

#include "core/internal.h"
#include "core/node_table.h"

static struct alias **alias_bucket(struct node_table *t, uint32_t hash)
{
	return &t->aliases[hash % NODE_N_LINK_BUCKETS];
}

struct node *alias_find_locked(struct node_table *t, const struct node *parent, const char *name,
			       uint32_t hash)
{
	if (!t->n_aliases)
		return NULL;
	for (struct alias *a = *alias_bucket(t, hash); a; a = a->hash_next)
		if (a->name_hash == hash && a->parent == parent && !strcmp(a->name, name))
			return a->node;
	return NULL;
}

static void alias_unhash(struct node_table *t, struct alias *a)
{
	struct alias **p = alias_bucket(t, a->name_hash);

	while (*p != a)
		p = &(*p)->hash_next;
	*p = a->hash_next;
	t->n_aliases--;
}

static struct node **inode_bucket(struct node_table *t, uint64_t disk_ino)
{
	return &t->by_inode[disk_ino % NODE_N_LINK_BUCKETS];
}

struct alias *names_forget_locked(struct node_table *t, struct node *node)
{
	for (struct alias *a = node->aliases; a; a = a->next)
		alias_unhash(t, a);
	if (node->by_inode) {
		struct node **p = inode_bucket(t, node->disk_ino);

		while (*p != node)
			p = &(*p)->inode_next;
		*p = node->inode_next;
		node->by_inode = false;
	}
	return steal_ptr(&node->aliases);
}

bool node_is_called(const struct node *node, const struct node *parent, const char *name)
{
	return node->parent == parent && !strcmp(node->name, name);
}

bool node_is_unlinked(struct core *core, const struct node *node)
{
	bool yes;

	node_lock(core, node);
	yes = node->flags & NODE_UNLINKED;
	node_unlock(core, node);
	return yes;
}

bool node_has_name(struct core *core, const struct node *node)
{
	bool yes;

	pthread_mutex_lock(&core->table.lock);
	yes = node->hashed;
	pthread_mutex_unlock(&core->table.lock);
	return yes;
}

/* Take the alias of that name off the list. The caller holds table.lock. */
static struct alias *alias_take(struct node_table *t, struct node *node, const struct node *parent,
				const char *name)
{
	for (struct alias **p = &node->aliases; *p; p = &(*p)->next) {
		struct alias *a = *p;

		if (a->parent != parent || strcmp(a->name, name) != 0)
			continue;
		*p = a->next;
		alias_unhash(t, a);
		return a;
	}
	return NULL;
}

void node_drop_name(struct core *core, struct node *node, const struct node *parent,
		    const char *name)
{
	struct node_table *t = &core->table;
	struct node *old_parent = NULL;
	struct alias *a;
	char *copy = NULL;

	pthread_mutex_lock(&t->lock);
	if (!node_is_called(node, parent, name)) {
		a = alias_take(t, node, parent, name);
		if (a)
			old_parent = a->parent;
	} else {
		a = node->aliases;
		copy = a ? strdup(a->name) : NULL;
		table_unhash_name(t, node);
		/* Without memory it keeps the old name to look at; nobody finds it by that. */
		if (copy) {
			node->aliases = a->next;
			alias_unhash(t, a);
			old_parent = node->parent;
			node->parent = a->parent;
			free(node->name);
			node->name = copy;
			table_hash_name(t, node);
		} else {
			a = NULL;
		}
	}
	pthread_mutex_unlock(&t->lock);
	free(a);
	node_unref(core, old_parent);
}

int node_move(struct core *core, struct node *node, const struct node *parent, const char *name,
	      struct node *new_parent, const char *new_name)
{
	struct node_table *t = &core->table;
	struct node *old_parent;
	char *copy;

	if (!node_is_called(node, parent, name)) {
		int r = node_add_name(core, node, new_parent, new_name);

		if (r == 0)
			node_drop_name(core, node, parent, name);
		return r;
	}
	copy = strdup(new_name);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	table_unhash_name(t, node);
	old_parent = node->parent;
	node->parent = new_parent;
	new_parent->n_refs++;
	free(node->name);
	node->name = copy;
	table_hash_name(t, node);
	pthread_mutex_unlock(&t->lock);
	node_unref(core, old_parent);
	return 0;
}

/* The names that their paths are made from. */
static void swap_first_names(struct node_table *t, struct node *a, struct node *b)
{
	struct node *parent;
	char *name;

	pthread_mutex_lock(&t->lock);
	table_unhash_name(t, a);
	table_unhash_name(t, b);
	parent = a->parent;
	a->parent = b->parent;
	b->parent = parent;
	name = a->name;
	a->name = b->name;
	b->name = name;
	table_hash_name(t, a);
	table_hash_name(t, b);
	pthread_mutex_unlock(&t->lock);
}

/* The name of @a is one of several. */
static int swap_alias(struct core *core, const struct named_node *a, const struct named_node *b)
{
	int r;

	node_drop_name(core, a->node, a->dir, a->name);
	r = node_move(core, b->node, b->dir, b->name, a->dir, a->name);
	return r < 0 ? r : node_add_name(core, a->node, b->dir, b->name);
}

int node_swap_names(struct core *core, const struct named_node *a, const struct named_node *b)
{
	if (!node_is_called(a->node, a->dir, a->name))
		return swap_alias(core, a, b);
	if (!node_is_called(b->node, b->dir, b->name))
		return swap_alias(core, b, a);
	swap_first_names(&core->table, a->node, b->node);
	return 0;
}

int node_add_name(struct core *core, struct node *node, struct node *parent, const char *name)
{
	struct node_table *t = &core->table;
	size_t size = strlen(name) + 1;
	struct alias *a = malloc(sizeof(*a) + size);
	struct node *old_parent = NULL;
	char *copy = strdup(name);

	if (!a || !copy) {
		free(a);
		free(copy);
		return -ENOMEM;
	}
	*a = (struct alias){.parent = parent, .node = node, .name_hash = table_hash(parent, name)};
	memcpy(a->name, name, size);
	pthread_mutex_lock(&t->lock);
	if (alias_find_locked(t, parent, name, a->name_hash) == node ||
	    (node->hashed && node_is_called(node, parent, name))) {
		pthread_mutex_unlock(&t->lock);
		free(a);
		free(copy);
		return 0;
	}
	parent->n_refs++;
	if (node->hashed) {
		a->next = node->aliases;
		node->aliases = a;
		a->hash_next = *alias_bucket(t, a->name_hash);
		*alias_bucket(t, a->name_hash) = a;
		t->n_aliases++;
		a = NULL;
	} else {
		old_parent = node->parent;
		node->parent = parent;
		free(node->name);
		node->name = copy;
		copy = NULL;
		table_hash_name(t, node);
	}
	pthread_mutex_unlock(&t->lock);
	free(a);
	free(copy);
	node_unref(core, old_parent);
	return 0;
}

struct node *node_find_inode(struct core *core, uint64_t disk_ino)
{
	struct node_table *t = &core->table;
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = *inode_bucket(t, disk_ino);
	while (node && node->disk_ino != disk_ino)
		node = node->inode_next;
	if (node)
		node->n_refs++;
	pthread_mutex_unlock(&t->lock);
	return node;
}

void node_register_inode(struct core *core, struct node *node, uint64_t disk_ino)
{
	struct node_table *t = &core->table;

	pthread_mutex_lock(&t->lock);
	if (!node->by_inode) {
		node->by_inode = true;
		node->disk_ino = disk_ino;
		node->inode_next = *inode_bucket(t, disk_ino);
		*inode_bucket(t, disk_ino) = node;
	}
	pthread_mutex_unlock(&t->lock);
}

static bool is_below(const struct node *node, const struct node *dir)
{
	for (node = node->parent; node; node = node->parent)
		if (node == dir)
			return true;
	return false;
}

void node_drop_aliases_below(struct core *core, const struct node *dir)
{
	struct node_table *t = &core->table;
	struct alias *dropped = NULL, *next;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; t->n_aliases && i < NODE_N_LINK_BUCKETS; i++) {
		for (struct alias *a = t->aliases[i]; a; a = next) {
			next = a->hash_next;
			if (a->parent != dir && !is_below(a->parent, dir))
				continue;
			(void)alias_take(t, a->node, a->parent, a->name);
			a->next = dropped;
			dropped = a;
		}
	}
	pthread_mutex_unlock(&t->lock);
	for (; dropped; dropped = next) {
		next = dropped->next;
		node_unref(core, dropped->parent);
		free(dropped);
	}
}

int node_list_below(struct core *core, const struct node *dir, struct node ***ret, size_t *ret_n)
{
	struct node_table *t = &core->table;
	struct node **list;
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	list = malloc((t->n_nodes + 1) * sizeof(struct node *));
	for (size_t i = 0; list && i < t->n_buckets; i++) {
		for (struct node *node = t->by_id[i]; node; node = node->id_next) {
			if (!node->hashed || !is_below(node, dir))
				continue;
			node->n_refs++;
			list[n++] = node;
		}
	}
	pthread_mutex_unlock(&t->lock);
	if (!list)
		return -ENOMEM;
	*ret = list;
	*ret_n = n;
	return 0;
}
