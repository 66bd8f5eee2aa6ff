/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_STORE_INTENT_H
#define PROJFS_STORE_INTENT_H

/*
 * A change that takes several steps on disk is first written down whole, then done, then struck out.
 * store_open() replays what is left over, so the steps must be repeatable.  Payloads are the caller's,
 * one small record each; `type` picks the handler at replay.
 */

#include <stddef.h>
#include <stdint.h>

struct store;

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

#endif
