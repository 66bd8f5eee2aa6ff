/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CONTROL_CONTROL_H
#define PROJFS_CONTROL_CONTROL_H

/*
 * The control socket of an instance: one JSON object a line, request and reply, owner only.
 *
 * It lies in the runtime directory as <16 hex digits of a hash of the root path>.sock.  That directory is
 * the first of $XDG_RUNTIME_DIR/projfs, /run/projfs (root) and /tmp/projfs-UID that can be made, always mode 0700 and
 * checked to be ours; the command looks in each of them, because it may run with another environment than
 * the instance.  Leftovers of dead instances are removed by whoever meets them.
 *
 *	rundir.c   the directory, and the names in it
 *	stream.c   lines of bounded length over a socket, with a deadline
 *	server.c   client.c
 *
 * Requests: {"op": "status", "usage": bool} {"op": "stop"} {"op": "sync"}.  Replies: {"ok": true, ...} or
 * {"ok": false, "error": "..."}.  A request is at most CONTROL_REQUEST_MAX bytes long.
 */

#include <jansson.h>
#include <stdbool.h>

#include "util/errmsg.h"

#define CONTROL_REQUEST_MAX (64 * 1024)
#define CONTROL_REPLY_MAX (1024 * 1024)
#define CONTROL_CLIENTS_MAX 16 /* at once; more are told so and dropped */

/* ---- server: a thread in the instance ---------------------------------------------------- */

struct control_ops {
	json_t *(*status)(void *context, bool usage); /* a new object, or NULL */
	void (*stop)(void *context); /* ask for an orderly end; returns at once */
	int (*sync)(void *context); /* 0 or a negative errno; may block */
};

struct control_server;

/*
 * Serve @root_path (absolute, canonical).  @ops is copied; its functions are called on threads of the server, several
 * at once.  One thread a client, so that a slow one, or a sync that blocks, holds up nobody else.
 */
int control_server_start(const char *root_path, const struct control_ops *ops, void *context,
			 struct control_server **ret, struct errmsg *err);
/* Ends the threads: clients who wait for something are dropped, a running op is waited for.  NULL is fine. */
struct control_server *control_server_free(struct control_server *s);

/* ---- client: the command ------------------------------------------------------------------- */

/* Send one request to the instance of @root_path (absolute, canonical) and wait at most @timeout_ms.
 * -ENOENT, -ECONNREFUSED: no instance; -ETIMEDOUT. */
int control_call(const char *root_path, json_t *request, unsigned timeout_ms, json_t **ret_reply,
		 struct errmsg *err);
/* Ask every instance of this user; @each gets the reply (borrowed). Instances that do not answer within
 * @timeout_ms are passed over. */
void control_call_all(json_t *request, unsigned timeout_ms,
		      void (*each)(void *context, json_t *reply), void *context);

#endif
