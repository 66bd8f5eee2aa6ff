/* SPDX-License-Identifier: MIT */

/*
 * The life of a mounting process.  It ends by a signal, by `projfs umount`, or because somebody unmounted the root;
 * and it does end: a provider that hangs in a callback is given ten seconds, then the process exits, and
 * the helper that the library started cleans up.
 */

#include "cli/instance.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "cli/cli.h"
#include "cli/logsink.h"
#include "cli/overlap.h"

#define STOP_TIMEOUT_MS 10000

/* ---- root and source ------------------------------------------------------------------------ */

static int check_overlap(const char *root, const char *source, struct errmsg *err)
{
	const char *what;
	int r = overlap_check(source, root);

	if (r < 0)
		return errmsg_set(err, r, "cannot compare '%s' and '%s': %s", source, root,
				  strerror(-r));
	if (r == OVERLAP_NONE)
		return 0;
	what = r == OVERLAP_SAME                   ? "is the root itself"
	       : r == OVERLAP_SOURCE_CONTAINS_ROOT ? "contains the root"
						   : "lies in the root";
	return errmsg_set(err, -EINVAL,
			  "cannot project '%s' into '%s': the source %s; choose a root outside of "
			  "the source",
			  source, root, what);
}

static int check_sources(const struct instance_plan *plan, struct errmsg *err)
{
	for (size_t i = 0; i < plan->chain->n_links; i++) {
		const char *source = plan->chain->links[i].instance.source_directory;
		int r = source ? check_overlap(plan->root, source, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int mark_root(const struct instance_plan *plan, struct errmsg *err)
{
	const char *root = plan->root;
	struct prj_guid id;
	prj_result result;

	prj_guid_generate(&id);
	result = plan->options->adopt ? prj_adopt_directory(root, NULL, &id)
				      : prj_mark_directory_as_placeholder(root, NULL, NULL, &id);
	if (PRJ_SUCCEEDED(result) || result == PRJ_ERR_REPARSE_POINT_ENCOUNTERED)
		return 0;
	if (result == PRJ_ERR_DIR_NOT_EMPTY)
		return errmsg_set(err, -ENOTEMPTY,
				  "cannot mount on '%s': it is not empty; choose an empty "
				  "directory, or keep what it holds as local files with -o adopt",
				  root);
	if (result == PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION)
		return errmsg_set(err, -EINVAL,
				  "cannot mount on '%s': it lies inside another projfs root; "
				  "choose a directory outside of it",
				  root);
	return errmsg_set(err, -EIO, "%s", cli_sentence("make a root of", root, result));
}

/* ---- stopping ------------------------------------------------------------------------------- */

struct watchdog {
	pthread_t thread;
	int signal_fd;
	int done_fd;
};

static void *watchdog_main(void *argument)
{
	struct watchdog *w = argument;
	struct pollfd fds[] = {
		{.fd = w->signal_fd, .events = POLLIN},
		{.fd = w->done_fd, .events = POLLIN},
	};
	int r = poll(fds, ARRAY_SIZE(fds), STOP_TIMEOUT_MS);

	if (r == 0)
		prj_log(PRJ_LOG_ERROR,
			"the provider did not return within 10 s; ending without it");
	if (r == 0 || fds[0].revents)
		_exit(EXIT_FAILED);
	return NULL;
}

/* Without one (no memory) we stop just as well, but a hanging provider can keep us. */
static bool watchdog_start(struct watchdog *w, int signal_fd)
{
	w->signal_fd = signal_fd;
	w->done_fd = eventfd(0, EFD_CLOEXEC);
	if (w->done_fd < 0)
		return false;
	if (pthread_create(&w->thread, NULL, watchdog_main, w) != 0) {
		(void)close(w->done_fd);
		return false;
	}
	return true;
}

static void watchdog_end(struct watchdog *w)
{
	(void)eventfd_write(w->done_fd, 1);
	(void)pthread_join(w->thread, NULL);
	(void)close(w->done_fd);
}

static void wait_for_end(prj_instance *instance, int signal_fd)
{
	struct pollfd fds[] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = prj_get_stop_event(instance), .events = POLLIN},
	};
	struct signalfd_siginfo info;

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
		;
	/* taken, so that the watchdog sees the next one only */
	if (fds[0].revents && read(signal_fd, &info, sizeof(info)) < 0)
		prj_log(PRJ_LOG_DEBUG, "a signal disappeared");
}

static void stop(const struct instance_plan *plan, prj_instance *instance, int signal_fd)
{
	struct watchdog watchdog;
	bool is_watched = watchdog_start(&watchdog, signal_fd);

	prj_stop_virtualizing(instance);
	provider_chain_close(plan->chain);
	if (is_watched)
		watchdog_end(&watchdog);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int start(const struct instance_plan *plan, prj_instance **ret, struct errmsg *err)
{
	const struct prj_provider_instance *provider = provider_chain_outermost(plan->chain);
	struct prj_start_options options = plan->options->start;
	prj_result result;

	options.flags |= provider->start_flags;
	options.compare_order = provider->compare_order;
	options.provider_name = plan->chain->name;
	options.source = plan->chain->source;
	options.notification_mappings = provider->notification_mappings;
	options.notification_mappings_count = provider->notification_mappings_count;
	result = prj_start_virtualizing(plan->root, &provider->callbacks, provider->context,
					&options, ret);
	if (PRJ_SUCCEEDED(result))
		return 0;
	if (result == PRJ_ERR_ALREADY_INITIALIZED)
		return errmsg_set(err, -EBUSY,
				  "cannot mount on '%s': an instance runs for it already; end it "
				  "with 'projfs umount'",
				  plan->root);
	return errmsg_set(err, -EIO, "%s", cli_sentence("mount on", plan->root, result));
}

/* Signals are taken by descriptor, in all threads that come after this. */
static int block_signals(struct errmsg *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* of a provider's connections */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? errmsg_set(err, -errno, "cannot wait for signals: %s", strerror(errno))
		      : fd;
}

static int prepare(const struct instance_plan *plan, prj_instance **ret, struct errmsg *err)
{
	int r = provider_chain_open(plan->chain, err);

	if (r < 0)
		return r;
	r = check_sources(plan, err);
	if (r == 0)
		r = mark_root(plan, err);
	if (r == 0)
		r = start(plan, ret, err);
	if (r < 0)
		provider_chain_close(plan->chain);
	return r;
}

/* The library keeps some thousand files of the store open; the usual limit of a shell is 1,024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run_logged(const struct instance_plan *plan, struct daemon_report *report)
{
	_cleanup_(closep) int signal_fd = -1;
	prj_instance *instance = NULL;
	struct errmsg err = {0};

	raise_descriptor_limit();
	signal_fd = block_signals(&err);
	if (signal_fd < 0 || prepare(plan, &instance, &err) < 0)
		return daemon_report_failure(report, err.text);
	/* who started us was interrupted meanwhile, and does not expect a mount any more */
	if (daemon_report_ready(report) == 0)
		wait_for_end(instance, signal_fd);
	stop(plan, instance, signal_fd);
	return 0;
}

int instance_run(void *context, struct daemon_report *report)
{
	const struct instance_plan *plan = context;
	struct errmsg err = {0};
	struct logsink log;
	int code;

	if (logsink_init(&log, plan->options, plan->is_foreground, &err) < 0)
		return daemon_report_failure(report, err.text);
	code = run_logged(plan, report);
	logsink_deinit(&log);
	return code;
}
