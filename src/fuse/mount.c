/* SPDX-License-Identifier: MIT */

/*
 * From nothing to a mount that answers, and back.
 *
 * The order of the end matters: the notifier first, while requests are still served, because it may wait for
 * a lock that a request of ours holds; then the request threads; closing the device aborts what is left.
 */

#include "fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuse/attach.h"
#include "fuse/helper.h"
#include "fuse/mountinfo.h"
#include "fuse/negotiate.h"
#include "fuse/notify.h"
#include "fuse/read.h"
#include "fuse/session.h"
#include "store/store.h"
#include "util/log.h"
#include "util/macros.h"

#define PROBE_TIMEOUT_MS 1000

struct fuse_mount {
	char *root_path; /* canonical, as in mountinfo */
	dev_t dev;
	bool attached;
	bool stopped;
	int helper_fd; /* its closing sets the helper to work */
	struct devfuse *device;
	struct notifier *notifier;
	struct session session;
};

/* ---- seen from outside ---- */

int fuse_mount_find(const char *path, char *ret_root)
{
	char mount_point[PATH_MAX];
	bool projfs;
	int r;

	r = mountinfo_covering(MOUNTINFO_PATH, path, mount_point, &projfs);
	if (r <= 0 || !projfs)
		return MIN(r, 0);
	strcpy(ret_root, mount_point);
	return 1;
}

/* In a child: it holds nothing of ours but the pipe, least of all a FUSE device. */
static void probe(const char *path, int answer_fd)
{
	struct statx stx;
	unsigned char answer = 0;

	if (dup2(answer_fd, 0) < 0 || close_range(1, UINT_MAX, 0) < 0)
		_exit(1);
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
	          &stx) < 0)
		answer = errno == ENOTCONN || errno == ECONNABORTED;
	_exit(write(0, &answer, 1) == 1 ? 0 : 1);
}

/*
 * A dead mount answers ENOTCONN, but only to a question that a living one would pass on to its instance, which
 * may hang.  So a child asks, and while its request is queued it can be killed.
 */
int fuse_mount_is_dead(const char *root_path)
{
	unsigned char answer = 0;
	struct pollfd poll_fd;
	bool projfs;
	int fds[2], r;
	dev_t dev;
	pid_t pid;

	r = mountinfo_at(MOUNTINFO_PATH, root_path, &dev, &projfs);
	if (r <= 0 || !projfs)
		return MIN(r, 0);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		probe(root_path, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return -EAGAIN;
	}
	poll_fd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	/* Without an answer it is not known to be dead. */
	if (poll(&poll_fd, 1, PROBE_TIMEOUT_MS) == 1)
		(void)!read(fds[0], &answer, 1);
	(void)close(fds[0]);
	(void)kill(pid, SIGKILL);
	/* Should it hang, whoever inherits it reaps it. */
	for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return answer;
}

int fuse_mount_unmount(const char *root_path, bool lazy, struct errmsg *err)
{
	bool projfs;
	dev_t dev;
	int r;

	r = mountinfo_at(MOUNTINFO_PATH, root_path, &dev, &projfs);
	if (r < 0)
		return errmsg_set(err, r, "cannot read " MOUNTINFO_PATH ": %s", strerror(-r));
	if (r == 0 || !projfs)
		return errmsg_set(err, -EINVAL, "'%s' is no mounted projfs root", root_path);
	return detach(root_path, lazy, err);
}

/* ---- starting ---- */

static int detach_dead(const char *root_path, struct errmsg *err)
{
	int r;

	/* Several can lie on one another. */
	while ((r = fuse_mount_is_dead(root_path)) > 0) {
		log_warning("detaching the dead mount at '%s' of an instance that has ended",
		            root_path);
		r = fuse_mount_unmount(root_path, true, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? errmsg_set(err, r, "cannot tell what is mounted at '%s': %s", root_path,
	                          strerror(-r))
	             : 0;
}

static uint64_t wanted_features(const struct session *s, const struct fuse_mount_options *options)
{
	uint64_t wanted = FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS |
	                  FUSE_CACHE_SYMLINKS | FUSE_MAX_PAGES | FUSE_HAS_EXPIRE_ONLY |
	                  FEATURE_CLONE | FEATURE_PIN;

	if (s->untracked)
		wanted |= FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT;
	if (core_wants_truncating_opens(s->core))
		wanted |= FUSE_ATOMIC_O_TRUNC;
	if (options->allow_other && geteuid() == 0)
		wanted |= FUSE_POSIX_ACL;
	return wanted & ~features_parse(secure_getenv("PROJFS_DISABLE"));
}

/* What the kernel really takes: an ordinary user's share has a ceiling of its own. */
static uint64_t background_limit(void)
{
	uint64_t limit = NEGOTIATE_BACKGROUND;
	unsigned ceiling = 0;
	FILE *f = geteuid() == 0 ? NULL : fopen("/sys/module/fuse/parameters/max_user_bgreq", "re");

	if (f && fscanf(f, "%u", &ceiling) == 1 && ceiling)
		limit = MIN(limit, (uint64_t)ceiling);
	if (f)
		(void)fclose(f);
	return limit;
}

static int start_threads(struct fuse_mount *m, unsigned n, struct errmsg *err)
{
	int cloned = 0, r;

	if (n == 0)
		n = session_n_processors();
	r = devfuse_add_channels(m->device, n, (m->session.features & FEATURE_CLONE) != 0, &cloned);
	if (r == 0 && !cloned)
		m->session.features &= ~FEATURE_CLONE;
	if (r == 0)
		r = notifier_new(devfuse_channel(m->device, 0),
		                 m->session.features & FUSE_HAS_EXPIRE_ONLY, &m->notifier);
	if (r == 0) {
		core_set_kernel(m->session.core, &notifier_kernel, m->notifier);
		core_limit_parked_reads(m->session.core, background_limit() / 4 * 3);
		r = session_start_threads(&m->session, m->device, n);
	}
	return r < 0 ? errmsg_set(err, r, "cannot start the request threads: %s", strerror(-r)) : 0;
}

static int mount_and_serve(struct fuse_mount *m, const struct fuse_mount_options *options,
                           struct errmsg *err)
{
	bool projfs;
	int fd, r;

	r = attach(m->root_path, options, &fd, err);
	if (r < 0)
		return r;
	m->attached = true;
	r = devfuse_new(fd, &m->device);
	if (r < 0)
		return errmsg_set(err, r, "cannot use the FUSE device: %s", strerror(-r));
	r = mountinfo_at(MOUNTINFO_PATH, m->root_path, &m->dev, &projfs);
	if (r <= 0)
		return errmsg_set(err, r < 0 ? r : -ENOENT,
		                  "the new mount at '%s' is not in " MOUNTINFO_PATH, m->root_path);
	r = helper_start(m->root_path, m->dev, store_root_fd(core_store(m->session.core)),
	                 &m->helper_fd, err);
	if (r < 0)
		return r;
	r = session_handshake(&m->session, devfuse_channel(m->device, 0),
	                      wanted_features(&m->session, options), err);
	if (r < 0)
		return r;
	return start_threads(m, options->n_threads, err);
}

int fuse_mount_start(struct core *core, const char *root_path,
                     const struct fuse_mount_options *options, struct fuse_mount **ret,
                     struct errmsg *err)
{
	struct fuse_mount *m;
	int r;

	m = calloc(1, sizeof(*m));
	if (!m)
		return errmsg_set(err, -ENOMEM, "out of memory");
	m->helper_fd = -1;
	r = session_init(&m->session, core);
	if (r < 0)
		errmsg_set(err, r, "cannot start a session: %s", strerror(-r));
	if (r == 0) {
		m->root_path = realpath(root_path, NULL);
		if (!m->root_path)
			r = errmsg_set(err, -errno, "cannot resolve '%s': %s", root_path,
			               strerror(errno));
	}
	if (r == 0)
		r = detach_dead(m->root_path, err);
	if (r == 0)
		r = mount_and_serve(m, options, err);
	if (r < 0) {
		fuse_mount_detach(m);
		fuse_mount_stop(m);
		fuse_mount_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

/* ---- stopping ---- */

static void expire_nothing(void *context, uint64_t parent_id, const char *name)
{
}

static void inval_nothing(void *context, uint64_t node_id, bool data)
{
}

/* For what the core may still say when there is no kernel to hear it. */
static const struct core_kernel no_kernel = {
        .expire_entry = expire_nothing,
        .inval_node = inval_nothing,
};

void fuse_mount_detach(struct fuse_mount *m)
{
	bool projfs;
	dev_t dev;
	int r;

	if (!m->attached)
		return;
	m->attached = false;
	/* Somebody may have unmounted it, and mounted something else. */
	if (mountinfo_at(MOUNTINFO_PATH, m->root_path, &dev, &projfs) == 1 && projfs &&
	    (m->dev == 0 || dev == m->dev)) {
		struct errmsg err;

		r = detach(m->root_path, false, &err);
		if (r == -EBUSY)
			r = detach(m->root_path, true, &err);
		if (r < 0) {
			log_error("%s, leaving it to the helper process", err.text);
			return;
		}
	}
	/* A lost byte costs the helper one look at the mount table. */
	if (m->helper_fd >= 0)
		(void)send(m->helper_fd, &(char){HELPER_DETACHED}, 1, MSG_NOSIGNAL);
}

void fuse_mount_stop(struct fuse_mount *m)
{
	if (m->stopped)
		return;
	m->stopped = true;
	if (m->notifier)
		notifier_stop(m->notifier);
	if (m->device)
		devfuse_stop(m->device);
	session_join_threads(&m->session);
	if (m->device)
		read_wait_idle(&m->session);
	m->device = devfuse_free(m->device);
	if (m->notifier)
		core_set_kernel(m->session.core, &no_kernel, NULL);
	if (m->helper_fd >= 0)
		(void)close(m->helper_fd);
	m->helper_fd = -1;
}

struct fuse_mount *fuse_mount_free(struct fuse_mount *m)
{
	if (!m)
		return NULL;
	notifier_free(m->notifier);
	session_deinit(&m->session);
	free(m->root_path);
	free(m);
	return NULL;
}

int fuse_mount_event_fd(const struct fuse_mount *m)
{
	return m->session.gone_fd;
}

size_t fuse_mount_features(const struct fuse_mount *m, const char **ret_names, size_t max)
{
	return features_names(m->session.features, ret_names, max);
}
