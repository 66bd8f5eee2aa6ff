/* SPDX-License-Identifier: MIT */
/*
 * A directory is listed again and again, so that adding up what each listing leaves out would count
 * listings.  The special files that were seen are therefore told apart by device and inode number.
 */

#include "left_out.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

#define FIRST_SLOTS 64u

void left_out_init(struct left_out *left_out)
{
	*left_out = (struct left_out){0};
	(void)pthread_mutex_init(&left_out->lock, NULL);
}

void left_out_deinit(struct left_out *left_out)
{
	free(left_out->slots);
	(void)pthread_mutex_destroy(&left_out->lock);
}

/* The slot of @item, or the free one where it belongs; there is always a free one. */
static struct left_out_item *find_slot(struct left_out_item *slots, size_t n_slots,
                                       const struct left_out_item *item)
{
	uint64_t hash = (item->inode ^ (item->device << 32)) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 32) & (n_slots - 1);

	while (slots[i].inode && (slots[i].inode != item->inode || slots[i].device != item->device))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static bool grow(struct left_out *left_out)
{
	size_t n_slots = left_out->n_slots ? 2 * left_out->n_slots : FIRST_SLOTS;
	struct left_out_item *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < left_out->n_slots; i++) {
		if (left_out->slots[i].inode)
			*find_slot(slots, n_slots, &left_out->slots[i]) = left_out->slots[i];
	}
	free(left_out->slots);
	left_out->slots = slots;
	left_out->n_slots = n_slots;
	return true;
}

void left_out_add_special(struct left_out *left_out, const struct statx *st)
{
	struct left_out_item item = {makedev(st->stx_dev_major, st->stx_dev_minor), st->stx_ino};
	struct left_out_item *slot;

	(void)pthread_mutex_lock(&left_out->lock);
	if (left_out->n_special < LEFT_OUT_MAX &&
	    (2 * left_out->n_special < left_out->n_slots || grow(left_out))) {
		slot = find_slot(left_out->slots, left_out->n_slots, &item);
		if (!slot->inode && item.inode) {
			*slot = item;
			left_out->n_special++;
		}
	}
	(void)pthread_mutex_unlock(&left_out->lock);
}

void left_out_set_reserved_name(struct left_out *left_out, bool is_there)
{
	(void)pthread_mutex_lock(&left_out->lock);
	left_out->has_reserved_name = is_there;
	(void)pthread_mutex_unlock(&left_out->lock);
}

void left_out_count(struct left_out *left_out, size_t *ret_n_special, size_t *ret_n_reserved)
{
	(void)pthread_mutex_lock(&left_out->lock);
	*ret_n_special = left_out->n_special;
	*ret_n_reserved = left_out->has_reserved_name ? 1 : 0;
	(void)pthread_mutex_unlock(&left_out->lock);
}
