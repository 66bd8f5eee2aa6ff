/* SPDX-License-Identifier: MIT */

/*
 * What projfs needs from this machine, tried out one by one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "cli/provider_load.h"
#include "util/text.h"

#define FUSECTL "/sys/fs/fuse/connections"
#define FUSECTL_MAGIC 0x65735543
#define NOFILE_WANTED 4096

static const char help[] =
	"Usage: projfs doctor [--json] [ROOT]\n"
	"\n"
	"Check what projfs needs from this machine, and from the file system of ROOT (default:\n"
	"of $HOME).  Each line says ok, warning or error, what it is about, and what to do.\n"
	"\n"
	"  --json       an array of objects, see projfs-doctor(1)\n"
	"  -h, --help   this text\n";

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_ERROR };

struct doctor {
	json_t *array; /* NULL for text */
	bool has_error;
};

static void say(struct doctor *d, enum level level, const char *what, const char *format, ...)
	_printf_(4, 5);

static void say(struct doctor *d, enum level level, const char *what, const char *format, ...)
{
	static const char *const words[] = {"ok", "warning", "error"};
	char text[1024];
	va_list args;

	va_start(args, format);
	text_vformat(text, sizeof(text), format, args);
	va_end(args);
	d->has_error |= level == LEVEL_ERROR;
	if (d->array) {
		json_t *object = json_object();

		(void)json_object_set_new(object, "level", json_string(words[level]));
		(void)json_object_set_new(object, "what", json_string(what));
		cli_json_set_name(object, "text", text);
		(void)json_array_append_new(d->array, object);
	} else {
		printf("%s: %s: %s\n", words[level], what, text);
	}
}

/* ---- FUSE ----------------------------------------------------------------------------------- */

static void check_device(struct doctor *d)
{
	_cleanup_(closep) int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		say(d, LEVEL_OK, "/dev/fuse", "can be opened");
	else if (errno == ENOENT)
		say(d, LEVEL_ERROR, "/dev/fuse",
		    "is missing: 'modprobe fuse' as root; a container needs --device /dev/fuse");
	else
		say(d, LEVEL_ERROR, "/dev/fuse", "cannot be opened: %s; it should have mode 0666",
		    strerror(errno));
}

static void check_kernel(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		say(d, LEVEL_WARNING, "kernel", "does not tell its version");
	else if (major < 5 || (major == 5 && minor < 10))
		say(d, LEVEL_WARNING, "kernel", "Linux %u.%u is older than 5.10, which is tested",
		    major, minor);
	else
		say(d, LEVEL_OK, "kernel", "Linux %u.%u; built for FUSE %d.%d%s", major, minor,
		    FUSE_KERNEL_VERSION, FUSE_KERNEL_MINOR_VERSION,
		    major > 6 || (major == 6 && minor >= 9) ? "; has passthrough" : "");
}

/* The first fusermount3 in PATH. */
static bool find_program(const char *name, char ret_path[PATH_MAX])
{
	const char *list = getenv("PATH");

	while (list && *list) {
		size_t length = strcspn(list, ":");
		int n = snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)length, list, name);

		if (length > 0 && n < PATH_MAX && access(ret_path, X_OK) == 0)
			return true;
		list += length;
		list += *list == ':';
	}
	return false;
}

static void check_fusermount(struct doctor *d)
{
	enum level missing = geteuid() == 0 ? LEVEL_WARNING : LEVEL_ERROR;
	char path[PATH_MAX];
	struct stat st;

	if (!find_program("fusermount3", path))
		say(d, missing, "fusermount3",
		    "not found: users other than root cannot mount; install the package fuse3");
	else if (stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & S_ISUID))
		say(d, LEVEL_OK, "fusermount3", "'%s' is set-uid root", path);
	else
		say(d, missing, "fusermount3",
		    "'%s' is not set-uid root: users other than root cannot mount; "
		    "'chmod u+s' it as root",
		    path);
}

static bool file_has_line(const char *path, const char *wanted)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		found = strcmp(line, wanted) == 0;
	}
	(void)fclose(file);
	return found;
}

static void check_allow_other(struct doctor *d)
{
	if (geteuid() == 0)
		say(d, LEVEL_OK, "other users", "root lets them in by default");
	else if (file_has_line("/etc/fuse.conf", "user_allow_other"))
		say(d, LEVEL_OK, "other users", "-o allow_other is allowed");
	else
		say(d, LEVEL_WARNING, "other users",
		    "-o allow_other will fail: put 'user_allow_other' into /etc/fuse.conf");
}

static void check_fusectl(struct doctor *d)
{
	struct statfs st;

	if (statfs(FUSECTL, &st) == 0 && st.f_type == FUSECTL_MAGIC)
		say(d, LEVEL_OK, "fusectl", "is mounted");
	else
		say(d, LEVEL_WARNING, "fusectl",
		    "is not mounted: a stuck mount cannot be aborted from outside; as root: 'mount "
		    "-t fusectl none " FUSECTL "'");
}

/* ---- this installation ---------------------------------------------------------------------- */

static void check_helper(struct doctor *d)
{
	const char *path = getenv("PROJFS_HELPER");

	if (!path || !path[0])
		path = PROJFS_HELPER_PATH;
	if (access(path, X_OK) == 0)
		say(d, LEVEL_OK, "helper", "'%s'", path);
	else
		say(d, LEVEL_ERROR, "helper",
		    "'%s' cannot be run (%s): nobody would unmount after a crash; reinstall projfs",
		    path, strerror(errno));
}

static void check_provider(void *context, const char *name)
{
	const struct prj_provider *provider;
	struct doctor *d = context;
	struct errmsg err;

	if (provider_load(name, &provider, &err) == 0)
		say(d, LEVEL_OK, "provider", "%s %s", name,
		    provider->version ? provider->version : "");
	else
		say(d, LEVEL_WARNING, "provider", "%s", err.text);
}

static void count_provider(void *context, const char *name)
{
	++*(unsigned *)context;
}

static void check_providers(struct doctor *d)
{
	unsigned n = 0;

	provider_for_each(count_provider, &n);
	if (n == 0)
		say(d, LEVEL_ERROR, "provider",
		    "none in '" PROJFS_PROVIDER_DIR "': reinstall projfs, or set "
		    "PROJFS_PROVIDER_PATH");
	provider_for_each(check_provider, d);
}

static void check_limits(struct doctor *d)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	/* An instance takes all that it may have. */
	if (limit.rlim_max >= NOFILE_WANTED)
		say(d, LEVEL_OK, "open files", "%ju allowed", (uintmax_t)limit.rlim_max);
	else
		say(d, LEVEL_WARNING, "open files",
		    "only %ju allowed: raise the hard limit to %d or more (limits.conf(5))",
		    (uintmax_t)limit.rlim_max, NOFILE_WANTED);
}

/* ---- the file system of a root -------------------------------------------------------------- */

static void check_attributes(struct doctor *d, int fd, const char *path)
{
	if (fsetxattr(fd, "user.projfs-doctor", "1", 1, 0) == 0)
		say(d, LEVEL_OK, "user attributes", "work in '%s'", path);
	else
		say(d, LEVEL_ERROR, "user attributes",
		    "'%s' has none (%s): choose a root on ext4, XFS, Btrfs or another file system "
		    "with user extended attributes",
		    path, strerror(errno));
}

/* A file without a name if possible; else one that is unlinked at once. */
static void check_file_system(struct doctor *d, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[PATH_MAX];

	if (fd >= 0) {
		say(d, LEVEL_OK, "O_TMPFILE", "works in '%s'", path);
		check_attributes(d, fd, path);
		return;
	}
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) {
		say(d, LEVEL_ERROR, "root", "cannot write in '%s': %s; choose another directory",
		    path, strerror(errno));
		return;
	}
	if (snprintf(name, sizeof(name), "%s/.projfs-doctor-XXXXXX", path) < (int)sizeof(name))
		fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		say(d, LEVEL_ERROR, "root", "cannot write in '%s': %s; choose another directory",
		    path, strerror(errno));
		return;
	}
	(void)unlink(name);
	say(d, LEVEL_WARNING, "O_TMPFILE",
	    "is not supported in '%s': hydration works, a little slower", path);
	check_attributes(d, fd, path);
}

static void check_mounts(struct doctor *d)
{
	struct mounts mounts;
	size_t n_dead = 0;
	int r = mounts_read(&mounts);

	if (r < 0) {
		say(d, LEVEL_ERROR, "mounts", "cannot read their table: %s; is /proc mounted?",
		    strerror(-r));
		return;
	}
	for (size_t i = 0; i < mounts.n_entries; i++) {
		if (!mount_is_dead(mounts.entries[i].root))
			continue;
		n_dead++;
		say(d, LEVEL_WARNING, "mounts",
		    "the instance of '%s' is gone: 'projfs status' removes the mount",
		    mounts.entries[i].root);
	}
	if (n_dead == 0)
		say(d, LEVEL_OK, "mounts", "%zu of projfs, none dead", mounts.n_entries);
	mounts_deinit(&mounts);
}

static void check_root(struct doctor *d, const char *text)
{
	char root[PATH_MAX];
	struct mounts mounts;
	int r = path_resolve_root(text, root);

	if (r < 0) {
		say(d, LEVEL_ERROR, "root", "'%s': %s; make the directory first", text,
		    strerror(-r));
		return;
	}
	if (mounts_read(&mounts) == 0) {
		bool is_mounted = mounts_covering(&mounts, root) != NULL;

		mounts_deinit(&mounts);
		if (is_mounted) {
			say(d, LEVEL_OK, "root",
			    "'%s' is mounted, so its file system was found fit", root);
			return;
		}
	}
	check_file_system(d, root);
}

static void check_all(struct doctor *d, const char *root)
{
	const char *home = getenv("HOME");

	check_device(d);
	check_kernel(d);
	check_fusermount(d);
	check_allow_other(d);
	check_fusectl(d);
	check_helper(d);
	check_providers(d);
	check_limits(d);
	check_mounts(d);
	check_root(d, root ? root : home && home[0] ? home : "/tmp");
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct doctor d = {0};
	bool as_json = false;
	int c;

	while ((c = cli_options(&command_doctor, argc, argv, ":h", options)) >= 0)
		as_json |= c == 'j';
	if (c != CLI_OPTIONS_END)
		return cli_options_exit(c);
	if (argc - optind > 1)
		return cli_usage(&command_doctor, "'doctor' wants one root at most");
	if (as_json)
		d.array = json_array();
	check_all(&d, argv[optind]);
	if (as_json && cli_print_json(d.array) != 0)
		return EXIT_FAILED;
	return d.has_error ? EXIT_FAILED : 0;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "check this machine and a file system",
	.help = help,
	.run = run,
};
