/* SPDX-License-Identifier: MIT */
/* The facts of one instance, as `projfs status` shows them. man/projfs-status.1.scd documents the fields. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/checker.h"
#include "api/instance.h"
#include "util/log.h"
#include "util/macros.h"

#define USAGE_LIMIT_MS 2000 /* for walking the local tree */
#define FEATURES_MAX 32

static json_t *features(const struct prj_instance *instance)
{
	const char *names[FEATURES_MAX];
	json_t *list = json_array();
	size_t n = instance->mount ? fuse_mount_features(instance->mount, names, FEATURES_MAX) : 0;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *counters(struct prj_instance *instance)
{
	struct core_stats stats;
	json_t *object = json_object();

	core_get_stats(instance->core, &stats);
#define PUT(name, help) json_object_set_new(object, #name, json_integer((json_int_t)stats.name));
	CORE_COUNTERS(PUT)
#undef PUT
	json_object_set_new(object, "n_nodes", json_integer((json_int_t)stats.n_nodes));
	json_object_set_new(object, "n_parked", json_integer((json_int_t)stats.n_parked));
	json_object_set_new(object, "n_commands", json_integer((json_int_t)stats.n_commands));
	json_object_set_new(object, "n_open_listings", json_integer((json_int_t)stats.n_open_listings));
	return object;
}

static json_t *local_usage(struct prj_instance *instance)
{
	struct store_usage u = {0};

	if (store_usage(instance->store, USAGE_LIMIT_MS, &u) < 0)
		return json_null();
	return json_pack("{sI sI sI sI sI sI sI sI sI sb}",
			 "n_hydrated", (json_int_t)u.n_hydrated,
			 "bytes_hydrated", (json_int_t)u.bytes_hydrated,
			 "n_local", (json_int_t)u.n_local,
			 "bytes_local", (json_int_t)u.bytes_local,
			 "n_directories", (json_int_t)u.n_directories,
			 "n_markers", (json_int_t)u.n_markers,
			 "n_partial", (json_int_t)u.n_partial,
			 "bytes_partial", (json_int_t)u.bytes_partial,
			 "n_damaged", (json_int_t)u.n_damaged,
			 "truncated", (int)u.truncated);
}

static void emit(void *context, const char *key, int64_t value)
{
	json_object_set_new(context, key, json_integer((json_int_t)value));
}

static json_t *provider_status(struct prj_instance *instance)
{
	json_t *object = json_object();

	if (instance->callbacks.status)
		instance->callbacks.status(instance->context, emit, object);
	return object;
}

static void add_count(void *context, const char *id, uint64_t n)
{
	json_object_set_new(context, id, json_integer((json_int_t)n));
}

static json_t *mistakes(struct prj_instance *instance)
{
	json_t *object = json_object();

	checker_for_each_count(instance->checker, add_count, object);
	return object;
}

/* JSON is UTF-8; a path need not be. Stray bytes become '?'. */
static json_t *text(const char *bytes)
{
	json_t *string = json_string(bytes);
	char *copy;

	if (string)
		return string;
	copy = strdup(bytes);
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy ? copy : "");
	free(copy);
	return string;
}

static void add_message(void *context, long long unix_seconds, const char *message)
{
	json_array_append_new(context, json_pack("{sI so}", "time", (json_int_t)unix_seconds, "text",
						 text(message)));
}

json_t *instance_status(struct prj_instance *instance, bool usage)
{
	json_t *messages = json_array();
	json_t *status;

	log_ring_for_each(add_message, messages);
	status = json_pack("{so so so si sI ss so so so so}",
			   "root", text(instance->root),
			   "provider", text(instance->provider_name),
			   "source", text(instance->source),
			   "pid", (int)getpid(),
			   "since", (json_int_t)instance->since,
			   "view", instance->flags & PRJ_FLAG_STABLE_VIEW ? "stable" : "live",
			   "features", features(instance),
			   "counters", counters(instance),
			   "provider_status", provider_status(instance),
			   "messages", messages);
	if (status && instance->checker)
		json_object_set_new(status, "checker", mistakes(instance));
	if (status && usage)
		json_object_set_new(status, "usage", local_usage(instance));
	return status;
}
