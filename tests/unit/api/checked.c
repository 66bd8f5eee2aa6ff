/* SPDX-License-Identifier: MIT */
#include "checked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/record.h"
#include "util/buf.h"
#include "util/macros.h"

#define REPORT_SECONDS 30

struct checked checked;
_Atomic uint64_t checked_now_ms;

static uint64_t now(void)
{
	return checked_now_ms;
}

static void on_log(void *context, enum prj_log_level level, const char *message)
{
	(void)context;
	(void)level;
	pthread_mutex_lock(&checked.lock);
	(void)snprintf(checked.log[checked.n_log++ % ARRAY_SIZE(checked.log)],
	               sizeof(checked.log[0]), "%s", message);
	pthread_cond_broadcast(&checked.logged);
	pthread_mutex_unlock(&checked.lock);
}

void checked_restart(bool is_stable, enum core_order order)
{
	struct core_config core = {
	        .stable_view = is_stable, .order = order, .lookup_timeout_ms = 30000};
	struct checker_config config;

	checker_config_init(&config, &core);
	config.now_ms = now;
	checked.checker = checker_free(checked.checker);
	assert_int_equal(checker_new(&config, &checked.checker), 0);
}

int checked_setup(void **state)
{
	(void)state;
	checked = (struct checked){.next_id = 1,
	                           .next_session = 1,
	                           .lock = PTHREAD_MUTEX_INITIALIZER,
	                           .logged = PTHREAD_COND_INITIALIZER};
	/* All deadlines have passed on the watcher's own clock: it looks every few milliseconds. */
	checked_now_ms = 1000;
	prj_set_log_callback(on_log, NULL, PRJ_LOG_WARNING);
	checked_restart(true, CORE_ORDER_BYTES);
	return 0;
}

int checked_teardown(void **state)
{
	(void)state;
	checked.checker = checker_free(checked.checker);
	prj_set_log_callback(NULL, NULL, PRJ_LOG_ERROR);
	return 0;
}

/* ---- what was seen ------------------------------------------------------------------------------ */

struct wanted {
	const char *id; /* NULL: all */
	uint64_t n;
};

static void add_count(void *context, const char *id, uint64_t n)
{
	struct wanted *wanted = context;

	if (!wanted->id || !strcmp(wanted->id, id))
		wanted->n += n;
}

uint64_t count_of(const char *id)
{
	struct wanted wanted = {.id = id};

	checker_for_each_count(checked.checker, add_count, &wanted);
	return wanted.n;
}

uint64_t count_all(void)
{
	return count_of(NULL);
}

/* The caller holds the lock. */
static bool is_logged(const char *words)
{
	for (size_t i = 0; i < MIN(checked.n_log, ARRAY_SIZE(checked.log)); i++)
		if (strstr(checked.log[i], words))
			return true;
	return false;
}

void assert_reported(const char *words)
{
	struct timespec deadline;
	bool logged;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += REPORT_SECONDS;
	pthread_mutex_lock(&checked.lock);
	while (!(logged = is_logged(words)))
		if (pthread_cond_timedwait(&checked.logged, &checked.lock, &deadline))
			break;
	pthread_mutex_unlock(&checked.lock);
	if (!logged)
		fail_msg("no report says \"%s\"; the last one: %s", words,
		         checked.n_log ? checked.log[(checked.n_log - 1) % ARRAY_SIZE(checked.log)]
		                       : "none");
}

size_t n_reports(void)
{
	size_t n;

	pthread_mutex_lock(&checked.lock);
	n = checked.n_log;
	pthread_mutex_unlock(&checked.lock);
	return n;
}

/* ---- commands --------------------------------------------------------------------------------------- */

static const char *const names[COMMAND_N_KINDS] = {
        [COMMAND_START_ENUM] = "start_directory_enumeration",
        [COMMAND_GET_ENUM] = "get_directory_enumeration",
        [COMMAND_END_ENUM] = "end_directory_enumeration",
        [COMMAND_PLACEHOLDER] = "get_placeholder_info",
        [COMMAND_DATA] = "get_file_data",
        [COMMAND_QUERY_NAME] = "query_file_name",
        [COMMAND_NOTIFY] = "notification",
};

static struct command *command(enum command_kind kind, const char *path)
{
	struct command *cmd = calloc(1, sizeof(*cmd));

	assert_non_null(cmd);
	cmd->kind = kind;
	cmd->id = checked.next_id++;
	cmd->path = strdup(path);
	assert_non_null(cmd->path);
	return cmd;
}

struct command *begin(enum command_kind kind, const char *path)
{
	struct command *cmd = command(kind, path);

	checker_begin(checked.checker, cmd, names[kind]);
	return cmd;
}

void command_end(struct command *cmd)
{
	free(cmd->buffer);
	free(cmd->version);
	free(cmd->path);
	free(cmd);
}

void returned(struct command *cmd, prj_result result)
{
	checker_returned(checked.checker, cmd, result);
}

void completed(const struct command *cmd, prj_result result)
{
	struct core_completion more = {.buffer = cmd->buffer};

	checker_completing(checked.checker, cmd->id, result, &more);
}

/* ---- listings ------------------------------------------------------------------------------------------ */

struct command *session_begin(const char *path)
{
	struct command *session = command(COMMAND_START_ENUM, path);

	memcpy(session->session_id, &checked.next_session, sizeof(checked.next_session));
	checked.next_session++;
	session->restart = true; /* of the first get */
	checker_begin(checked.checker, session, names[COMMAND_START_ENUM]);
	returned(session, PRJ_OK);
	return session;
}

struct command *get_begin(const struct command *session)
{
	struct command *get = command(COMMAND_GET_ENUM, session->path);

	memcpy(get->session_id, session->session_id, sizeof(get->session_id));
	get->restart = session->restart;
	get->buffer = malloc(1); /* nobody looks into it */
	assert_non_null(get->buffer);
	checker_begin(checked.checker, get, names[COMMAND_GET_ENUM]);
	return get;
}

void add_entry(const struct command *get, const char *name, uint8_t kind, uint64_t size,
               prj_result result)
{
	struct record rec = {.kind = kind, .fields = RECORD_SIZE, .size = size};

	assert_int_equal(checker_buffer(get->buffer, name), PRJ_OK);
	checker_entry(get->buffer, name, &rec, result);
}

void session_list(struct command *session, const char *name, ...)
{
	struct command *get = get_begin(session);
	va_list args;

	session->restart = false;
	va_start(args, name);
	for (; name; name = va_arg(args, const char *))
		add_entry(get, name, RECORD_FILE, 1, PRJ_OK);
	va_end(args);
	returned(get, PRJ_OK);
	command_end(get);
}

void session_end(struct command *session)
{
	struct command *end = command(COMMAND_END_ENUM, session->path);

	memcpy(end->session_id, session->session_id, sizeof(end->session_id));
	checker_begin(checked.checker, end, names[COMMAND_END_ENUM]);
	returned(end, PRJ_OK);
	command_end(end);
	command_end(session);
}

/* ---- look-ups ------------------------------------------------------------------------------------------- */

static void set_content_id(struct record *rec, const char *content_id)
{
	if (!content_id)
		return;
	rec->fields |= RECORD_CONTENT_ID;
	rec->content_id = (struct record_bytes){(const uint8_t *)content_id, strlen(content_id)};
}

static void look_up(const char *path, struct record *rec)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, path);

	checker_placeholder(checked.checker, path, rec, PRJ_OK);
	returned(cmd, PRJ_OK);
	command_end(cmd);
}

void look_up_file(const char *path, uint64_t size, const char *content_id)
{
	struct record rec = {.kind = RECORD_FILE, .fields = RECORD_SIZE, .size = size};

	set_content_id(&rec, content_id);
	look_up(path, &rec);
}

void look_up_kind(const char *path, uint8_t kind)
{
	struct record rec = {.kind = kind};

	look_up(path, &rec);
}

void look_up_nothing(const char *path)
{
	struct command *cmd = begin(COMMAND_PLACEHOLDER, path);

	returned(cmd, PRJ_ERR_FILE_NOT_FOUND);
	command_end(cmd);
}

/* ---- content ----------------------------------------------------------------------------------------------- */

struct command *data_begin(const char *path, uint64_t offset, uint64_t length, uint64_t size,
                           const char *content_id)
{
	struct record rec = {.kind = RECORD_FILE};
	struct command *cmd = command(COMMAND_DATA, path);
	struct buf encoded = {0};

	if (size != UINT64_MAX) {
		rec.fields |= RECORD_SIZE;
		rec.size = size;
	}
	set_content_id(&rec, content_id);
	assert_int_equal(record_encode(&rec, &encoded), 0);
	cmd->version = encoded.data;
	cmd->version_size = encoded.size;
	cmd->offset = offset;
	cmd->length = length;
	checker_begin(checked.checker, cmd, names[COMMAND_DATA]);
	return cmd;
}

void deliver(const struct command *cmd, uint64_t offset, uint64_t length, int seed)
{
	uint8_t *bytes = malloc(length), stream_id[16] = {0};

	assert_non_null(bytes);
	for (uint64_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)((offset + i) * 7 + (uint64_t)seed);
	memcpy(stream_id, &cmd->id, sizeof(cmd->id));
	checker_data(checked.checker, stream_id, bytes, offset, length, 0);
	free(bytes);
}
