/* SPDX-License-Identifier: MIT */
/*
 * A program that is a provider itself, with the library and without the projfs command:
 *
 *     hello_program ROOT
 *
 * projects the tree below into the directory ROOT until it is interrupted or somebody unmounts ROOT.
 */
#include "tree.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const struct tree_item items[] = {
        {"hello.txt", "Hello, world!\n"},
        {"poems", NULL},
        {"poems/rose.txt", "Roses are red,\nviolets are blue.\n"},
        {"poems/tide.txt", "The tide comes in,\nthe tide goes out.\n"},
};

static int fail(const char *what, prj_result result)
{
	fprintf(stderr, "hello_program: %s: %s %s\n", what, prj_result_name(result),
	        prj_last_error_message());
	return 1;
}

/* A directory is marked once in its life; later starts find that it is a root already. */
static prj_result mark(const char *root)
{
	struct prj_guid id;
	prj_result result;

	prj_guid_generate(&id);
	result = prj_mark_directory_as_placeholder(root, NULL, NULL, &id);
	return result == PRJ_ERR_REPARSE_POINT_ENCOUNTERED ? PRJ_OK : result;
}

static void wait_for_the_end(prj_instance *instance, int signal_fd)
{
	struct pollfd fds[] = {
	        {.fd = signal_fd, .events = POLLIN},
	        {.fd = prj_get_stop_event(instance), .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
}

static int run(const char *root, struct tree *tree, int signal_fd)
{
	struct prj_callbacks callbacks;
	struct prj_start_options options = {
	        .struct_size = sizeof(options),
	        .flags = PRJ_FLAG_STABLE_VIEW,
	        .provider_name = "hello_program",
	};
	prj_instance *instance;
	prj_result result;

	result = mark(root);
	if (PRJ_FAILED(result))
		return fail("cannot make a root", result);
	tree_fill_callbacks(&callbacks);
	result = prj_start_virtualizing(root, &callbacks, tree, &options, &instance);
	if (PRJ_FAILED(result))
		return fail("cannot start", result);
	puts("ready");
	fflush(stdout);
	wait_for_the_end(instance, signal_fd);
	prj_stop_virtualizing(instance);
	return 0;
}

int main(int argc, char **argv)
{
	struct tree tree = {items, sizeof(items) / sizeof(items[0]), PTHREAD_MUTEX_INITIALIZER};
	sigset_t signals;
	int signal_fd, status;

	if (argc != 2) {
		fprintf(stderr, "usage: hello_program ROOT\n");
		return 2;
	}
	/* Before the library makes threads, which inherit what is blocked. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (signal_fd < 0) {
		perror("hello_program: signalfd");
		return 1;
	}
	status = run(argv[1], &tree, signal_fd);
	close(signal_fd);
	return status;
}
