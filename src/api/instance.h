/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_INSTANCE_H
#define PROJFS_API_INSTANCE_H

#include <prj/prj.h>

#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "control/control.h"
#include "core/command.h"
#include "core/core.h"
#include "fuse/mount.h"
#include "store/store.h"

struct checker; /* api/checker.h */

struct prj_instance {
	char root[PATH_MAX]; /* absolute, canonical */
	struct prj_callbacks callbacks;
	void *context;
	uint32_t flags;
	char *provider_name;
	char *source;
	time_t since;
	struct store *store;
	struct core *core;
	struct checker *checker; /* NULL: nobody wants to know */
	struct fuse_mount *mount;
	struct control_server *control;
	int stop_request_fd; /* eventfd: somebody asked for a stop through the control socket */
	int stop_event_fd;   /* epoll over that and the mount's event: what the program polls */
	/* Protected by the lock of the running instances. */
	struct prj_instance *next_running;
	unsigned n_calls;
};

/*
 * A provider's own threads may still answer when their instance has been stopped.  Calls that they make go
 * between these two: instance_enter() is false for a handle that is not running (any more), and what has entered
 * is waited for before the instance is freed.
 */
bool instance_enter(struct prj_instance *instance);
void instance_leave(struct prj_instance *instance);

/* callbacks.c: what the core calls. */
extern const struct core_provider api_provider;
/* The callback of @cmd was answered with what no callback may return: count and log it. */
void undocumented_code(struct prj_instance *instance, const struct command *cmd, prj_result result);

/* status.c: the reply to `projfs status`. A new object, or NULL. */
json_t *instance_status(struct prj_instance *instance, bool usage);

#endif
