/* SPDX-License-Identifier: MIT */

/*
 * The socket between the command and an instance, in a runtime directory of our own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "control/control.h"
#include "control/rundir.h"
#include "control/stream.h"
#include "util/clock.h"
#include "util/macros.h"

#define ROOT "/a root/of this test"
#define TIMEOUT_MS 5000

struct fixture {
	char runtime[4096];
	struct control_server *server;
	atomic_int n_stops;
	int sync_result;
	pthread_mutex_t sync_gate; /* a sync waits until it is free */
};

static json_t *fake_status(void *context, bool usage)
{
	return json_pack("{s:s, s:b}", "root", ROOT, "usage", usage);
}

static void fake_stop(void *context)
{
	struct fixture *f = context;

	f->n_stops++;
}

static int fake_sync(void *context)
{
	struct fixture *f = context;

	pthread_mutex_lock(&f->sync_gate);
	pthread_mutex_unlock(&f->sync_gate);
	return f->sync_result;
}

static const struct control_ops ops = {.status = fake_status, .stop = fake_stop, .sync = fake_sync};

static void start_server(struct fixture *f)
{
	struct errmsg err = {0};

	assert_int_equal(control_server_start(ROOT, &ops, f, &f->server, &err), 0);
}

static int setup(void **state)
{
	static const char part[] = "/a-long-name-that-does-not-fit-into-sun_path-at-all";
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(f);
	pthread_mutex_init(&f->sync_gate, NULL);
	(void)snprintf(f->runtime, sizeof(f->runtime) - sizeof(part) * 3, "%s/control-XXXXXX",
		       tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->runtime));
	for (int i = 0; i < 3; i++) {
		strcat(f->runtime, part);
		assert_int_equal(mkdir(f->runtime, 0700), 0);
	}
	assert_int_equal(setenv("XDG_RUNTIME_DIR", f->runtime, 1), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[5000];

	control_server_free(f->server);
	for (int i = 0; i < 3; i++)
		*strrchr(f->runtime, '/') = '\0';
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->runtime);
	assert_int_equal(system(command), 0);
	pthread_mutex_destroy(&f->sync_gate);
	free(f);
	return 0;
}

static int call(const char *op, json_t **ret_reply)
{
	json_t *request = json_pack("{s:s, s:b}", "op", op, "usage", 1);
	int r = control_call(ROOT, request, TIMEOUT_MS, ret_reply, NULL);

	json_decref(request);
	return r;
}

static bool call_is_ok(const char *op)
{
	json_t *reply = NULL;
	bool is_ok;

	assert_int_equal(call(op, &reply), 0);
	is_ok = json_is_true(json_object_get(reply, "ok"));
	json_decref(reply);
	return is_ok;
}

static int connect_raw(void)
{
	char name[RUNDIR_NAME_SIZE];
	struct sockaddr_un address;
	int dirfd = rundir_open(0), fd;

	assert_true(dirfd >= 0);
	rundir_socket_name(ROOT, name);
	assert_int_equal(rundir_address(dirfd, name, &address), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(dirfd);
	return fd;
}

/* One line of text from a raw connection; "" at its end. */
static void read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
}

static void status_reaches_the_instance(void **state)
{
	json_t *reply = NULL;

	start_server(*state);
	assert_int_equal(call("status", &reply), 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_true(json_is_true(json_object_get(reply, "usage")));
	assert_string_equal(json_string_value(json_object_get(reply, "root")), ROOT);
	json_decref(reply);
}

static void stop_is_answered_and_passed_on(void **state)
{
	struct fixture *f = *state;

	start_server(f);
	assert_true(call_is_ok("stop"));
	assert_int_equal(f->n_stops, 1);
}

static void a_failing_sync_says_why(void **state)
{
	struct fixture *f = *state;
	json_t *reply = NULL;

	f->sync_result = -ENOSPC;
	start_server(f);
	assert_int_equal(call("sync", &reply), 0);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(reply, "error")), strerror(ENOSPC));
	json_decref(reply);
}

static void unknown_ops_are_refused(void **state)
{
	start_server(*state);
	assert_false(call_is_ok("explode"));
}

static void without_an_instance_there_is_nothing_to_call(void **state)
{
	json_t *reply = NULL;

	assert_int_equal(call("status", &reply), -ENOENT);
	assert_null(reply);
}

static void garbage_is_answered_and_the_connection_goes_on(void **state)
{
	static const char *const garbage[] = {
		"garbage\n", "{\"op\": \n", "[1,2]\n",      "\n",
		"42\n",      "{}\n",        "{\"op\":7}\n", "{\"op\":\"\xff\xfe\"}\n",
	};
	char line[1024];
	int fd;

	start_server(*state);
	fd = connect_raw();
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		assert_true(send(fd, garbage[i], strlen(garbage[i]), 0) > 0);
		read_line(fd, line, sizeof(line));
		assert_non_null(strstr(line, "\"ok\":false"));
	}
	assert_true(send(fd, "{\"op\":\"stop\"}\n{\"op\":\"stop\"}\n", 28, 0) == 28);
	for (int i = 0; i < 2; i++) {
		read_line(fd, line, sizeof(line));
		assert_string_equal(line, "{\"ok\":true}");
	}
	(void)close(fd);
}

static void a_nul_byte_in_a_request_is_garbage(void **state)
{
	char line[1024];
	int fd;

	start_server(*state);
	fd = connect_raw();
	assert_true(send(fd, "{\"op\":\0\"stop\"}\n", 15, 0) == 15);
	read_line(fd, line, sizeof(line));
	assert_non_null(strstr(line, "\"ok\":false"));
	(void)close(fd);
}

static void a_line_that_is_too_long_ends_the_connection(void **state)
{
	static char spaces[CONTROL_REQUEST_MAX];
	char line[1024];
	int fd;

	memset(spaces, ' ', sizeof(spaces));
	start_server(*state);
	fd = connect_raw();
	assert_true(send(fd, spaces, sizeof(spaces), 0) == sizeof(spaces));
	assert_true(send(fd, "  ", 2, 0) == 2);
	read_line(fd, line, sizeof(line));
	assert_non_null(strstr(line, "too long"));
	read_line(fd, line, sizeof(line));
	assert_string_equal(line, "");
	(void)close(fd);
	assert_true(call_is_ok("status"));
}

static void a_line_of_the_longest_length_is_taken(void **state)
{
	static char request[CONTROL_REQUEST_MAX + 1];
	static const char op[] = "{\"op\":\"stop\"}";
	char line[1024];
	int fd;

	memset(request, ' ', sizeof(request));
	memcpy(request, op, strlen(op));
	request[CONTROL_REQUEST_MAX] = '\n';
	start_server(*state);
	fd = connect_raw();
	for (size_t sent = 0; sent < sizeof(request);)
		sent += (size_t)send(fd, request + sent, sizeof(request) - sent, 0);
	read_line(fd, line, sizeof(line));
	assert_string_equal(line, "{\"ok\":true}");
	(void)close(fd);
}

static void slow_clients_hold_up_nobody(void **state)
{
	int fds[CONTROL_CLIENTS_MAX - 1];
	uint64_t start_ms;

	start_server(*state);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_raw();
		assert_true(send(fds[i], "{\"op\":", 6, 0) == 6);
	}
	start_ms = clock_now_ms();
	assert_true(call_is_ok("status"));
	assert_true(clock_now_ms() - start_ms < 3000);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

static void too_many_clients_are_told_so(void **state)
{
	int fds[CONTROL_CLIENTS_MAX], extra;
	char line[1024];

	start_server(*state);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_raw();
		/* an answer shows that it was accepted */
		assert_true(send(fds[i], "{}\n", 3, 0) == 3);
		read_line(fds[i], line, sizeof(line));
	}
	extra = connect_raw();
	read_line(extra, line, sizeof(line));
	assert_non_null(strstr(line, "too many"));
	(void)close(extra);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

static void a_running_sync_holds_up_no_status(void **state)
{
	struct fixture *f = *state;
	char line[1024];
	int fd;

	start_server(f);
	pthread_mutex_lock(&f->sync_gate);
	fd = connect_raw();
	assert_true(send(fd, "{\"op\":\"sync\"}\n", 14, 0) == 14);
	assert_true(call_is_ok("status"));
	pthread_mutex_unlock(&f->sync_gate);
	read_line(fd, line, sizeof(line));
	assert_string_equal(line, "{\"ok\":true}");
	(void)close(fd);
}

static void ending_the_server_does_not_wait_for_idle_clients(void **state)
{
	struct fixture *f = *state;
	uint64_t start_ms;
	char line[8];
	int fd;

	start_server(f);
	fd = connect_raw();
	assert_true(send(fd, "{\"op\"", 5, 0) == 5);
	start_ms = clock_now_ms();
	f->server = control_server_free(f->server);
	assert_true(clock_now_ms() - start_ms < 3000);
	read_line(fd, line, sizeof(line));
	assert_string_equal(line, "");
	(void)close(fd);
}

static bool socket_exists(void)
{
	char name[RUNDIR_NAME_SIZE];
	int dirfd = rundir_open(0);
	bool exists;

	rundir_socket_name(ROOT, name);
	exists = faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	(void)close(dirfd);
	return exists;
}

static void the_socket_goes_with_the_server(void **state)
{
	struct fixture *f = *state;

	start_server(f);
	assert_true(socket_exists());
	f->server = control_server_free(f->server);
	assert_false(socket_exists());
}

static void a_later_server_keeps_its_socket(void **state)
{
	struct fixture *f = *state;
	struct control_server *former;

	start_server(f);
	former = f->server;
	start_server(f);
	control_server_free(former);
	assert_true(call_is_ok("status"));
}

static void leftovers_are_removed_by_who_meets_them(void **state)
{
	char name[RUNDIR_NAME_SIZE];
	struct sockaddr_un address;
	json_t *reply = NULL;
	int dirfd = rundir_create(NULL), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rundir_socket_name(ROOT, name);
	assert_int_equal(rundir_address(dirfd, name, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	(void)close(dirfd);
	assert_true(socket_exists());
	assert_true(call("status", &reply) < 0);
	assert_null(reply);
	assert_false(socket_exists());
}

static void an_instance_that_does_not_answer_times_out(void **state)
{
	json_t *request = json_pack("{s:s}", "op", "status"), *reply = NULL;
	char name[RUNDIR_NAME_SIZE];
	struct sockaddr_un address;
	int dirfd = rundir_create(NULL), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rundir_socket_name(ROOT, name);
	assert_int_equal(rundir_address(dirfd, name, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(control_call(ROOT, request, 50, &reply, NULL), -ETIMEDOUT);
	json_decref(request);
	(void)close(fd);
	(void)close(dirfd);
}

static void count_ours(void *context, json_t *reply)
{
	const char *root = json_string_value(json_object_get(reply, "root"));

	/* instances of other tests may run */
	*(int *)context += root && strcmp(root, ROOT) == 0;
}

static void all_instances_are_asked(void **state)
{
	json_t *request = json_pack("{s:s}", "op", "status");
	struct control_server *second = NULL;
	int n = 0;

	start_server(*state);
	assert_int_equal(control_server_start("/another", &ops, *state, &second, NULL), 0);
	control_call_all(request, TIMEOUT_MS, count_ours, &n);
	assert_int_equal(n, 2);
	json_decref(request);
	control_server_free(second);
}

static void the_directory_is_made_private(void **state)
{
	struct fixture *f = *state;
	char path[5000];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/projfs", f->runtime);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	fd = rundir_create(NULL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)close(fd);
}

static void a_symbolic_link_is_no_runtime_directory(void **state)
{
	struct fixture *f = *state;
	char path[5000];

	(void)snprintf(path, sizeof(path), "%s/projfs", f->runtime);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(rundir_open(0) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(status_reaches_the_instance),
		T(stop_is_answered_and_passed_on),
		T(a_failing_sync_says_why),
		T(unknown_ops_are_refused),
		T(without_an_instance_there_is_nothing_to_call),
		T(garbage_is_answered_and_the_connection_goes_on),
		T(a_nul_byte_in_a_request_is_garbage),
		T(a_line_that_is_too_long_ends_the_connection),
		T(a_line_of_the_longest_length_is_taken),
		T(slow_clients_hold_up_nobody),
		T(too_many_clients_are_told_so),
		T(a_running_sync_holds_up_no_status),
		T(ending_the_server_does_not_wait_for_idle_clients),
		T(the_socket_goes_with_the_server),
		T(a_later_server_keeps_its_socket),
		T(leftovers_are_removed_by_who_meets_them),
		T(an_instance_that_does_not_answer_times_out),
		T(all_instances_are_asked),
		T(the_directory_is_made_private),
		T(a_symbolic_link_is_no_runtime_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
