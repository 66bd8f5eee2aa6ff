/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_CALL_H
#define PROVIDER_FAULT_CALL_H

/*
 * One invocation of a callback as a value, whichever callback it is, so that it can be handed on to the wrapped
 * provider unchanged, changed, twice, or later.
 */

#include <prj/provider.h>
#include <stdbool.h>

enum callback {
	CALLBACK_START,
	CALLBACK_GET,
	CALLBACK_END,
	CALLBACK_INFO,
	CALLBACK_DATA,
	CALLBACK_QUERY,
	CALLBACK_NOTIFICATION,
	CALLBACK_CANCEL,
	N_CALLBACKS,
};

#define CALLBACK_BIT(callback) (1u << (callback))
#define ALL_CALLBACKS (CALLBACK_BIT(N_CALLBACKS) - 1)

/* The member's name in struct prj_callbacks. */
const char *callback_name(enum callback callback);

struct call {
	enum callback callback;
	struct prj_callback_data data; /* for the wrapped provider: with its context */
	struct prj_guid enumeration_id; /* the three of a listing */
	const char *expression; /* get */
	prj_dir_entry_buffer *buffer; /* get */
	uint64_t offset; /* data */
	uint32_t length; /* data; 0: all of a file of unknown size */
	int is_directory; /* notification, as the rest */
	enum prj_notification notification;
	const char *destination;
	union prj_notification_parameters *parameters;
};

/* Begin a call: all of @data that is known here, with the context of @inner. */
struct call call_of(enum callback callback, const struct prj_callback_data *data,
                    const struct prj_provider_instance *inner);

/* Ask the wrapped provider.  What it has no callback for, it has no objection to. Not for cancel. */
prj_result call_forward(const struct call *call, const struct prj_provider_instance *inner);

/* Finish a command that was pended. */
prj_result call_complete(const struct call *call, prj_result result);

/* A copy that needs nothing of the original, except the buffer of a listing; NULL: no memory. */
struct call *call_copy(const struct call *call);
void call_free(struct call *call);

#endif
