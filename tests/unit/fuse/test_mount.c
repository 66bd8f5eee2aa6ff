/* SPDX-License-Identifier: MIT */

/*
 * Real mounts, with a core of two files.  The instance runs in a child, which never touches its own mount; a
 * watchdog process aborts the connection if a test takes too long, so that nothing can hang for good.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "fake_core.h"
#include "fuse/mount.h"
#include "fuse/mountinfo.h"
#include "util/clock.h"

#define WATCHDOG_MS 20000

struct fixture {
	char root[64];
	pid_t instance;
	pid_t watchdog;
	int to_instance; /* one letter: a command; closing it: the end */
	int from_instance; /* one letter: done */
	int watchdog_fd;
	uid_t uid; /* whom the instance runs as */
};

static void abort_connection(const char *root)
{
	char path[96];
	bool projfs;
	dev_t dev;
	int fd;

	(void)mount("none", "/sys/fs/fuse/connections", "fusectl", 0, NULL);
	if (mountinfo_at(MOUNTINFO_PATH, root, &dev, &projfs) != 1 || !projfs)
		return;
	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor(dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) == 1)
		fprintf(stderr, "watchdog: aborted a stuck connection\n");
	if (fd >= 0)
		close(fd);
	umount2(root, MNT_DETACH);
}

static void start_watchdog(struct fixture *f)
{
	struct pollfd poll_fd;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	f->watchdog_fd = fds[1];
	f->watchdog = fork();
	if (f->watchdog != 0) {
		close(fds[0]);
		return;
	}
	close(fds[1]);
	poll_fd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	if (poll(&poll_fd, 1, WATCHDOG_MS) == 0)
		abort_connection(f->root);
	_exit(0);
}

static int say(int fd, char c)
{
	return write(fd, &c, 1) == 1 ? 0 : -1;
}

/* 0: the other side is gone. */
static char hear(int fd)
{
	char c = 0;

	return read(fd, &c, 1) == 1 ? c : 0;
}

static void obey(struct fuse_mount *m, struct core *core, int in, int out)
{
	struct pollfd gone = {.fd = fuse_mount_event_fd(m), .events = POLLIN};
	const char *names[16];
	char c;

	while ((c = hear(in)) != 0) {
		if (c == 'd')
			fuse_mount_detach(m);
		else if (c == 'e')
			core->kernel->expire_entry(core->kernel_context, CORE_ROOT_ID, "small");
		else if (c == 'g' && poll(&gone, 1, 5000) != 1)
			c = 'X';
		else if (c == 'f')
			c = (char)('0' + fuse_mount_features(m, names, 16));
		say(out, c);
	}
}

/* The child: mount, say "m" or "x", obey, end. */
static void run_instance(const char *root, bool untracked, int in, int out)
{
	struct fuse_mount_options options = {.source = "test:a,b\\c", .read_only = true};
	struct errmsg err = {""};
	struct fuse_mount *m;
	struct core core;

	fake_core_init(&core);
	core.tree = true;
	core.untracked = untracked;
	core.answer.ret.open.handle = 1;
	if (fuse_mount_start(&core, root, &options, &m, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		say(out, 'x');
		_exit(1);
	}
	say(out, 'm');
	obey(m, &core, in, out);
	fuse_mount_detach(m);
	fake_core_finish(&core, -ENOTCONN); /* core_stop() */
	fuse_mount_stop(m);
	fuse_mount_free(m);
	fake_core_deinit(&core);
	exit(0);
}

static void become(uid_t uid)
{
	if (uid && (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0))
		_exit(3);
}

static char start_instance_as(struct fixture *f, bool untracked)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	f->instance = fork();
	if (f->instance == 0) {
		close(in[1]);
		close(out[0]);
		close(f->watchdog_fd);
		become(f->uid);
		run_instance(f->root, untracked, in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	f->to_instance = in[1];
	f->from_instance = out[0];
	return hear(f->from_instance);
}

static void start_instance(struct fixture *f)
{
	assert_int_equal(start_instance_as(f, false), 'm');
}

static void tell(struct fixture *f, char command)
{
	assert_int_equal(say(f->to_instance, command), 0);
	assert_int_equal(hear(f->from_instance), command);
}

static int stop_instance(struct fixture *f)
{
	int status = -1;

	close(f->to_instance);
	close(f->from_instance);
	waitpid(f->instance, &status, 0);
	f->instance = 0;
	return status;
}

static bool is_mounted(const struct fixture *f)
{
	bool projfs;
	dev_t dev;

	return mountinfo_at(MOUNTINFO_PATH, f->root, &dev, &projfs) == 1;
}

/* A change of the mount table wakes poll(); nothing else does. */
static bool wait_until_unmounted(const struct fixture *f, int timeout_ms)
{
	uint64_t deadline = clock_now_ms() + (uint64_t)timeout_ms;
	struct pollfd poll_fd = {.fd = open(MOUNTINFO_PATH, O_RDONLY | O_CLOEXEC),
	                         .events = POLLPRI};
	bool mounted;

	while ((mounted = is_mounted(f)) && clock_now_ms() < deadline)
		poll(&poll_fd, 1, 50);
	close(poll_fd.fd);
	return !mounted;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/test_mount.XXXXXX");
	if (!mkdtemp(f->root))
		return -1;
	start_watchdog(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->instance > 0) {
		kill(f->instance, SIGKILL);
		stop_instance(f);
		wait_until_unmounted(f, 2000);
	}
	while (is_mounted(f) && umount2(f->root, MNT_DETACH) == 0)
		;
	close(f->watchdog_fd);
	waitpid(f->watchdog, NULL, 0);
	rmdir(f->root);
	free(f);
	return 0;
}

static int open_below(const struct fixture *f, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	return open(path, flags | O_CLOEXEC);
}

static void read_both_files(struct fixture *f)
{
	char *data = malloc(FAKE_BIG_BYTES + 1);
	size_t used = 0;
	ssize_t n;
	int fd;

	fd = open_below(f, "small", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, data, 100), strlen(FAKE_SMALL_TEXT));
	assert_memory_equal(data, FAKE_SMALL_TEXT, strlen(FAKE_SMALL_TEXT));
	close(fd);
	fd = open_below(f, "big", O_RDONLY);
	assert_true(fd >= 0);
	while ((n = read(fd, data + used, FAKE_BIG_BYTES + 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	assert_int_equal(used, FAKE_BIG_BYTES);
	for (size_t i = 0; i < FAKE_BIG_BYTES; i++)
		if ((unsigned char)data[i] != i / 4096 % 251)
			fail();
	free(data);
}

static void count_names(struct fixture *f, unsigned expected)
{
	DIR *dir = opendir(f->root);
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	assert_int_equal(n, expected);
}

static void a_mount_serves_files_and_listings(void **state)
{
	struct fixture *f = *state;
	char found[PATH_MAX], path[128];
	struct statfs st;

	start_instance(f);
	read_both_files(f);
	count_names(f, 3);
	assert_int_equal(open_below(f, "absent", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(statfs(f->root, &st), 0);
	snprintf(path, sizeof(path), "%s/any/thing", f->root);
	assert_int_equal(fuse_mount_find(path, found), 1);
	assert_string_equal(found, f->root);
	assert_int_equal(fuse_mount_is_dead(f->root), 0);
	assert_int_equal(stop_instance(f), 0);
	assert_false(is_mounted(f));
	assert_int_equal(fuse_mount_find(path, found), 0);
}

static void untracked_opens_work_without_the_core(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start_instance_as(f, true), 'm');
	for (int i = 0; i < 2; i++) {
		read_both_files(f);
		count_names(f, 3);
	}
	assert_int_equal(stop_instance(f), 0);
}

static void the_fallbacks_serve_as_well(void **state)
{
	struct fixture *f = *state;

	setenv("PROJFS_DISABLE",
	       "readdirplus,readdirplus_auto,parallel_dirops,cache_symlinks,noopen,noopendir,clone,"
	       "expire_only,posix_acl,max_pages,pin",
	       1);
	assert_int_equal(start_instance_as(f, true), 'm');
	unsetenv("PROJFS_DISABLE");
	assert_int_equal(say(f->to_instance, 'f'), 0);
	assert_int_equal(hear(f->from_instance), '0');
	read_both_files(f);
	count_names(f, 3);
	tell(f, 'e');
	assert_int_equal(stop_instance(f), 0);
}

static void mounting_and_unmounting_is_quick(void **state)
{
	struct fixture *f = *state;
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		uint64_t began = clock_now_ms();

		start_instance(f);
		assert_int_equal(stop_instance(f), 0);
		best = MIN(best, clock_now_ms() - began);
	}
	assert_true(best < 100);
}

static void a_killed_instance_leaves_no_mount(void **state)
{
	struct fixture *f = *state;

	start_instance(f);
	assert_true(is_mounted(f));
	kill(f->instance, SIGKILL);
	assert_true(wait_until_unmounted(f, 1000));
	stop_instance(f);
}

static void a_killed_instance_in_use_is_detached_too(void **state)
{
	struct fixture *f = *state;
	char byte;
	int fd;

	start_instance(f);
	fd = open_below(f, "big", O_RDONLY);
	assert_true(fd >= 0);
	kill(f->instance, SIGKILL);
	assert_true(wait_until_unmounted(f, 1000));
	assert_int_equal(pread(fd, &byte, 1, FAKE_BIG_BYTES - 1), -1);
	assert_int_equal(errno, ENOTCONN);
	close(fd);
	stop_instance(f);
}

static void a_busy_mount_is_detached_and_still_served(void **state)
{
	struct fixture *f = *state;
	char byte;
	int fd;

	start_instance(f);
	fd = open_below(f, "big", O_RDONLY);
	tell(f, 'd');
	assert_false(is_mounted(f));
	assert_int_equal(pread(fd, &byte, 1, FAKE_BIG_BYTES - 1), 1);
	assert_int_equal(stop_instance(f), 0);
	assert_int_equal(pread(fd, &byte, 1, FAKE_BIG_BYTES / 2), -1);
	close(fd);
}

static void an_unmount_by_somebody_else_is_noticed(void **state)
{
	struct errmsg err;
	struct fixture *f = *state;

	start_instance(f);
	assert_int_equal(fuse_mount_unmount(f->root, false, &err), 0);
	tell(f, 'g');
	assert_int_equal(fuse_mount_unmount(f->root, false, &err), -EINVAL);
	assert_int_equal(stop_instance(f), 0);
}

static void only_its_own_mount_is_detached(void **state)
{
	struct fixture *f = *state;

	start_instance(f);
	assert_int_equal(umount2(f->root, 0), 0);
	assert_int_equal(mount("tmpfs", f->root, "tmpfs", 0, "size=4k"), 0);
	assert_int_equal(stop_instance(f), 0);
	assert_true(is_mounted(f));
}

/* A mount like ours whose device was closed. */
static void a_dead_mount_is_recognized_and_repaired(void **state)
{
	struct fixture *f = *state;
	char data[64];
	int fd;

	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(data, sizeof(data), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	assert_int_equal(mount("dead", f->root, PROJFS_FSTYPE, 0, data), 0);
	close(fd);
	assert_int_equal(fuse_mount_is_dead(f->root), 1);
	start_instance(f);
	read_both_files(f);
	assert_int_equal(stop_instance(f), 0);
	assert_false(is_mounted(f));
	assert_int_equal(fuse_mount_is_dead(f->root), 0);
}

/* Stopped by a signal, it answers nothing. */
static void a_hung_instance_is_not_dead_and_does_not_block(void **state)
{
	struct fixture *f = *state;

	start_instance(f);
	kill(f->instance, SIGSTOP);
	assert_int_equal(fuse_mount_is_dead(f->root), 0);
	kill(f->instance, SIGCONT);
	assert_int_equal(stop_instance(f), 0);
}

static void a_waiting_caller_can_be_killed(void **state)
{
	struct fixture *f = *state;
	int status, ready[2];
	pid_t pid;

	start_instance(f);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		say(ready[1], 'r');
		_exit(open_below(f, "slow", O_RDONLY) < 0 ? errno : 0);
	}
	hear(ready[0]);
	/* Whether it waits already or not: it ends, and the instance answers others meanwhile. */
	read_both_files(f);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);
	read_both_files(f);
	assert_int_equal(stop_instance(f), 0);
}

#define NOBODY 65534

static bool has_fusermount(void)
{
	struct stat st;

	return access("/usr/bin/fusermount3", X_OK) == 0 && stat("/dev/fuse", &st) == 0 &&
	       (st.st_mode & 0006) == 0006;
}

/* Not even root may look into it, so a child does the looking. */
static int exit_status_of_reader(struct fixture *f)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		char text[64];
		int fd;

		become(NOBODY);
		fd = open_below(f, "small", O_RDONLY);
		_exit(fd < 0 ? errno : read(fd, text, sizeof(text)) != strlen(FAKE_SMALL_TEXT));
	}
	waitpid(pid, &status, 0);
	return status;
}

static void an_ordinary_user_mounts_through_fusermount3(void **state)
{
	struct fixture *f = *state;

	if (!has_fusermount())
		skip();
	f->uid = NOBODY;
	assert_int_equal(chown(f->root, NOBODY, NOBODY), 0);
	start_instance(f);
	assert_int_equal(exit_status_of_reader(f), 0);
	assert_int_equal(open_below(f, "small", O_RDONLY), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(stop_instance(f), 0);
	assert_false(is_mounted(f));

	start_instance(f);
	kill(f->instance, SIGKILL);
	assert_true(wait_until_unmounted(f, 1000));
	stop_instance(f);
}

static void an_ordinary_user_is_told_what_is_missing(void **state)
{
	struct fixture *f = *state;

	if (!has_fusermount())
		skip();
	f->uid = NOBODY; /* who may not write to the directory, since it is root's */
	assert_int_equal(start_instance_as(f, false), 'x');
	assert_false(is_mounted(f));
	stop_instance(f);
}

static void a_missing_helper_is_an_error_and_leaves_no_mount(void **state)
{
	struct fixture *f = *state;
	char *helper = strdup(getenv("PROJFS_HELPER"));

	setenv("PROJFS_HELPER", "/nowhere/projfs-helper", 1);
	assert_int_equal(start_instance_as(f, false), 'x');
	setenv("PROJFS_HELPER", helper, 1);
	free(helper);
	assert_false(is_mounted(f));
	stop_instance(f);
}

/*
 * A mount table of our own, in which everybody may open /dev/fuse, as on most machines.  Where that is not
 * possible the tests that need it are skipped.
 */
static void make_namespace(void)
{
	char dir[] = "/tmp/test_mount.XXXXXX", node[64];

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(dir))
		return;
	snprintf(node, sizeof(node), "%s/fuse", dir);
	if (mknod(node, S_IFCHR, makedev(10, 229)) == 0 && chmod(node, 0666) == 0)
		(void)mount(node, "/dev/fuse", NULL, MS_BIND, NULL);
	unlink(node);
	rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_mount_serves_files_and_listings),
	        TEST(untracked_opens_work_without_the_core),
	        TEST(the_fallbacks_serve_as_well),
	        TEST(mounting_and_unmounting_is_quick),
	        TEST(a_killed_instance_leaves_no_mount),
	        TEST(a_killed_instance_in_use_is_detached_too),
	        TEST(a_busy_mount_is_detached_and_still_served),
	        TEST(an_unmount_by_somebody_else_is_noticed),
	        TEST(only_its_own_mount_is_detached),
	        TEST(a_dead_mount_is_recognized_and_repaired),
	        TEST(a_hung_instance_is_not_dead_and_does_not_block),
	        TEST(a_waiting_caller_can_be_killed),
	        TEST(an_ordinary_user_mounts_through_fusermount3),
	        TEST(an_ordinary_user_is_told_what_is_missing),
	        TEST(a_missing_helper_is_an_error_and_leaves_no_mount),
	};

	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0 || !getenv("PROJFS_HELPER"))
		return 77;
	signal(SIGPIPE, SIG_IGN);
	make_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
