/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CONTROL_CONTROL_H
#define PROJFS_CONTROL_CONTROL_H

/*
 * The control socket of an instance: one JSON object a line, request and reply, owner only.
 *
 * It lies in the runtime directory ($XDG_RUNTIME_DIR/projfs, /run/projfs for root, else
 * /tmp/projfs-UID, always mode 0700 and checked to be ours) as <16 hex digits of a hash of the root path>.sock;
 * leftovers of dead instances are removed by whoever meets them.
 *
 * Requests: {"op": "status", "usage": bool} {"op": "stop"} {"op": "sync"}.  Replies: {"ok": true, ...} or
 * {"ok": false, "error": "..."}.
 */

#include <jansson.h>
#include <stdbool.h>

#include "util/errmsg.h"

/* ---- server: a thread in the instance ---------------------------------------------------- */

struct control_ops {
	json_t *(*status)(void *context, bool usage); /* a new object, or NULL */
	void (*stop)(void *context);                  /* ask for an orderly end; returns at once */
	int (*sync)(void *context);                   /* 0 or a negative errno; may block */
};

struct control_server;

int control_server_start(const char *root_path, const struct control_ops *ops, void *context,
			 struct control_server **ret, struct errmsg *err);
struct control_server *control_server_free(struct control_server *s); /* ends the thread */

/* ---- client: the command ------------------------------------------------------------------- */

/* Send one request to the instance of @root_path (absolute, canonical) and wait at most @timeout_ms.
 * -ENOENT, -ECONNREFUSED: no instance; -ETIMEDOUT. */
int control_call(const char *root_path, json_t *request, unsigned timeout_ms, json_t **ret_reply,
		 struct errmsg *err);
/* Ask every instance of this user; @each gets the reply (borrowed). Instances that do not answer within
 * @timeout_ms are passed over. */
int control_call_all(json_t *request, unsigned timeout_ms,
		     void (*each)(void *context, json_t *reply), void *context);

#endif
