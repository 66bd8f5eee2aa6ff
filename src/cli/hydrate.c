/* SPDX-License-Identifier: MIT */

/*
 * One thread finds files, and some fetch them: a provider with latency answers several as fast as one.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/walk.h"
#include "util/clock.h"

#define N_WORKERS 4
#define QUEUE_MAX 256 /* paths that were found and not taken */
#define PROGRESS_INTERVAL_MS 100

static const char help[] =
	"Usage: projfs hydrate [-R] [--json] [--quiet] PATH...\n"
	"\n"
	"Fetch the content of files, so that they are there without the provider, too.\n"
	"What fails is reported, and the rest goes on.\n"
	"\n"
	"  -R, --recursive   all files below directories, on the same file system\n"
	"  -q, --quiet       no progress\n"
	"  --json            one object with what was done, see projfs-hydrate(1)\n"
	"  -h, --help        this text\n";

struct hydrate {
	bool is_recursive;
	bool shows_progress;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* all that follows is protected by lock */
	char *queue[QUEUE_MAX];
	size_t n_queued, first;
	bool is_complete; /* nothing more will be queued */
	uint64_t n_files, n_bytes, n_failed;
	uint64_t progress_ms; /* when the line was last written */
	bool has_line;
	json_t *errors; /* NULL for text */
};

/* ---- reporting, with the lock held ---------------------------------------------------------- */

static void clear_line(struct hydrate *h)
{
	if (h->has_line)
		(void)fputs("\r\033[K", stderr);
	h->has_line = false;
}

static void show_progress(struct hydrate *h)
{
	uint64_t now = clock_now_ms();
	char bytes[CLI_BYTES_SIZE];

	if (!h->shows_progress || now - h->progress_ms < PROGRESS_INTERVAL_MS)
		return;
	h->progress_ms = now;
	(void)fprintf(stderr, "\r%" PRIu64 " files, %s bytes\033[K", h->n_files,
		      cli_format_bytes(h->n_bytes, bytes));
	(void)fflush(stderr);
	h->has_line = true;
}

static void add_failure(struct hydrate *h, const char *path, const char *why)
{
	json_t *object;

	clear_line(h);
	h->n_failed++;
	(void)cli_fail("cannot hydrate '%s': %s", path, why);
	if (!h->errors)
		return;
	object = json_object();
	cli_json_set_name(object, "path", path);
	cli_json_set_name(object, "error", why);
	(void)json_array_append_new(h->errors, object);
}

/* ---- fetching ------------------------------------------------------------------------------- */

static void hydrate_one(struct hydrate *h, const char *path)
{
	prj_result result = prj_hydrate_file(path);
	struct stat st;

	pthread_mutex_lock(&h->lock);
	if (PRJ_FAILED(result)) {
		add_failure(h, path, cli_why(result));
		pthread_mutex_unlock(&h->lock);
		return;
	}
	pthread_mutex_unlock(&h->lock);

	if (lstat(path, &st) < 0)
		st.st_size = 0; /* it went away after it was fetched */
	pthread_mutex_lock(&h->lock);
	h->n_files++;
	h->n_bytes += (uint64_t)st.st_size;
	show_progress(h);
	pthread_mutex_unlock(&h->lock);
}

/* The next path, the caller's now; NULL: there are no more. */
static char *queue_take(struct hydrate *h)
{
	char *path = NULL;

	pthread_mutex_lock(&h->lock);
	while (h->n_queued == 0 && !h->is_complete)
		pthread_cond_wait(&h->changed, &h->lock);
	if (h->n_queued > 0) {
		path = h->queue[h->first];
		h->first = (h->first + 1) % QUEUE_MAX;
		h->n_queued--;
		pthread_cond_broadcast(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
	return path;
}

static int queue_put(struct hydrate *h, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&h->lock);
	while (h->n_queued == QUEUE_MAX)
		pthread_cond_wait(&h->changed, &h->lock);
	h->queue[(h->first + h->n_queued++) % QUEUE_MAX] = copy;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	return 0;
}

static void queue_complete(struct hydrate *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_complete = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void *worker_main(void *argument)
{
	struct hydrate *h = argument;
	char *path;

	while ((path = queue_take(h))) {
		hydrate_one(h, path);
		free(path);
	}
	return NULL;
}

/* ---- finding -------------------------------------------------------------------------------- */

static void fail_path(struct hydrate *h, const char *path, const char *why)
{
	pthread_mutex_lock(&h->lock);
	add_failure(h, path, why);
	pthread_mutex_unlock(&h->lock);
}

static int found_entry(void *context, const char *path, unsigned char type)
{
	return type == DT_REG ? queue_put(context, path) : 0;
}

static void found_unreadable(void *context, const char *path, int error)
{
	fail_path(context, path, strerror(error));
}

static void find_below(struct hydrate *h, const char *path)
{
	struct walk walk = {
		.is_recursive = true,
		.one_file_system = true,
		.entry = found_entry,
		.failed = found_unreadable,
		.context = h,
	};
	int r = walk_directory(&walk, path);

	if (r < 0)
		fail_path(h, path, strerror(-r));
}

static void find(struct hydrate *h, const char *path)
{
	struct stat st;
	int r = 0;

	if (stat(path, &st) < 0)
		fail_path(h, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		r = queue_put(h, path);
	else if (!h->is_recursive)
		fail_path(h, path, "it is a directory; all files below it need -R");
	else
		find_below(h, path);
	if (r < 0)
		fail_path(h, path, strerror(-r));
}

static int hydrate_paths(struct hydrate *h, char **paths, int n_paths)
{
	pthread_t workers[N_WORKERS];
	size_t n_workers = 0;

	while (n_workers < N_WORKERS &&
	       pthread_create(&workers[n_workers], NULL, worker_main, h) == 0)
		n_workers++;
	if (n_workers == 0)
		return cli_fail("cannot start a thread");
	for (int i = 0; i < n_paths; i++)
		find(h, paths[i]);
	queue_complete(h);
	for (size_t i = 0; i < n_workers; i++)
		(void)pthread_join(workers[i], NULL);
	clear_line(h);
	return h->n_failed ? EXIT_FAILED : 0;
}

static int hydrate_and_report(struct hydrate *h, char **paths, int n_paths, bool as_json)
{
	int code;

	if (as_json)
		h->errors = json_array();
	code = hydrate_paths(h, paths, n_paths);
	if (as_json &&
	    cli_print_json(json_pack("{s:I, s:I, s:I, s:o}", "files", (json_int_t)h->n_files,
				     "bytes", (json_int_t)h->n_bytes, "failed",
				     (json_int_t)h->n_failed, "errors", h->errors)) != 0)
		code = EXIT_FAILED;
	return code;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"recursive", no_argument, NULL, 'R'},
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct hydrate h = {
		.shows_progress = isatty(STDERR_FILENO) == 1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	bool as_json = false;
	int c;

	while ((c = cli_options(&command_hydrate, argc, argv, ":Rqh", options)) >= 0) {
		h.is_recursive |= c == 'R';
		h.shows_progress &= c != 'q';
		as_json |= c == 'j';
	}
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc == optind)
		return cli_usage(&command_hydrate, "'hydrate' wants a path");
	return hydrate_and_report(&h, argv + optind, argc - optind, as_json);
}

const struct command command_hydrate = {
	.name = "hydrate",
	.summary = "fetch the content of files",
	.help = help,
	.run = run,
};
