/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_INTENT_H
#define PROJFS_STORE_INTENT_H

/*
 * A change that takes several steps on disk is first written down whole, then done, then struck out.
 * store_open() replays what is left over, so the steps must be repeatable.  Payloads are the caller's,
 * one small record each; `type` picks the handler at replay.
 *
 * A short intent is a symbolic link in .projfs/intent, with no fsync: its target comes with its name, and a
 * journalling disk keeps names in the order in which they were made and changed, so that whatever
 * step has survived, the intent has, too.  A long one is a file, whose bytes must be synced before its
 * name appears.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum intent_type {
	INTENT_TOMBSTONE = 1, /* store/tombstone.c */
	INTENT_RENAME = 2, /* store/rename.c */
};

struct intent_handler {
	uint8_t type;
	/* Do all steps (again).  0: done, strike it out.  Anything else keeps it and fails the start. */
	int (*replay)(struct store *s, const void *payload, size_t size);
};

/* Write the intent down (visible as a whole or not at all). */
int intent_begin(struct store *s, uint8_t type, const void *payload, size_t size, uint64_t *ret_id);
/* Strike it out. */
int intent_end(struct store *s, uint64_t id);

/* All intents left over, oldest first.  Damaged ones are set aside as .projfs/intent/bad-* and logged:
 * an intent is written whole before its first step, so a torn one means that no step was made. */
int intent_replay(struct store *s, const struct intent_handler *handlers, size_t n_handlers);
/* Could the intent @name in .projfs/intent be replayed?  False too if it is called bad-*. */
bool intent_is_whole(struct store *s, int folder, const char *name);

#endif
