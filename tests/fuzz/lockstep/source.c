/* SPDX-License-Identifier: MIT */

/*
 * The source: a tree with the names that scripts use, files of many sizes, links, attributes, times of long ago.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "rng.h"
#include "side.h"

#define PATH_SIZE 8192
#define OLD_TIME 1010000000
#define N_BIG 250
#define MAX_DEPTH 3

static int make_file(struct rng *rng, const char *path, size_t size)
{
	static const mode_t modes[] = {0644, 0644, 0644, 0755, 0600, 0444, 0664};
	_cleanup_(freep) uint8_t *data = malloc(size + 1);
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct timespec times[2] = {{OLD_TIME, 0}, {OLD_TIME, (long)rng_below(rng, 1000000000)}};

	if (fd < 0 || !data)
		return -EIO;
	rng_fill(rng_next(rng), data, size);
	if (write(fd, data, size) != (ssize_t)size)
		return -EIO;
	if (rng_below(rng, 8) == 0 && fsetxattr(fd, "user.a", data, MIN(size, 60), 0) < 0)
		return -errno;
	times[1].tv_sec += (time_t)rng_below(rng, 1000000);
	if (fchmod(fd, modes[rng_below(rng, ARRAY_SIZE(modes))]) < 0 || futimens(fd, times) < 0)
		return -errno;
	return 0;
}

static size_t any_size(struct rng *rng)
{
	static const size_t sizes[] = {0,    1,     100,   4095,  4096,   4097,
	                               9000, 20000, 65536, 70000, 140000, 300000};

	if (rng_below(rng, 60) == 0)
		return 1500000;
	return sizes[rng_below(rng, ARRAY_SIZE(sizes))];
}

static int make_leaves(struct rng *rng, const char *top)
{
	char path[PATH_SIZE];
	int r = 0;

	for (unsigned i = 0; i < 7 && r == 0; i++) {
		if (rng_below(rng, 10) >= 8)
			continue;
		if (snprintf(path, sizeof(path), i < 6 ? "%s/f%u" : "%s/\xc3\xbc", top, i) >=
		    PATH_SIZE)
			return -ENAMETOOLONG;
		if (rng_below(rng, 8) == 0)
			r = symlink(i % 2 ? "f0" : "a/f1", path) < 0 ? -errno : 0;
		else
			r = make_file(rng, path, any_size(rng));
	}
	return r;
}

static int make_big(struct rng *rng, const char *top)
{
	char path[PATH_SIZE];
	int r;

	if (snprintf(path, sizeof(path), "%s/big", top) >= PATH_SIZE || mkdir(path, 0755) < 0)
		return -errno;
	for (unsigned i = 0; i < N_BIG; i++) {
		if (snprintf(path, sizeof(path), "%s/big/n%u", top, i) >= PATH_SIZE)
			return -ENAMETOOLONG;
		r = make_file(rng, path, rng_below(rng, 200));
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_directory(struct rng *rng, const char *top, unsigned depth)
{
	static const char long_name[] = "llllllllllllllllllllllllllllllllllllllllllllllllll"
	                                "llllllllllllllllllllllllllllllllllllllllllllllllll"
	                                "llllllllllllllllllllllllllllllllllllllllllllllllll"
	                                "llllllllllllllllllllllllllllllllllllllllllllllllll";
	static const char *const names[] = {"a", "b", "c", long_name};
	char path[PATH_SIZE];
	int r;

	if (mkdir(top, rng_below(rng, 5) ? 0755 : 0700) < 0)
		return -errno;
	r = make_leaves(rng, top);
	for (unsigned i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		if (rng_below(rng, 10) >= (i == 3 ? 3 : 8))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", top, names[i]) >= PATH_SIZE)
			return -ENAMETOOLONG;
		r = depth < MAX_DEPTH ? make_directory(rng, path, depth + 1)
		                      : make_file(rng, path, any_size(rng));
	}
	return r;
}

static int set_old_time(const char *path, time_t when)
{
	struct timespec times[2] = {{when, 0}, {when, 123456789}};

	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Last of all, since making something in a directory changes its time. */
static int age_directories(const char *top)
{
	struct buf b = {0};
	char *rest = NULL;
	int r = 0;

	tree_describe(top, false, &b);
	buf_append_u8(&b, 0);
	if (b.failed)
		return -ENOMEM;
	for (char *line = strtok_r((char *)b.data, "\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		char path[PATH_SIZE];
		char *end = strstr(line, " directory ");

		if (!end)
			end = strstr(line, " link ");
		if (!end)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", top, (int)(end - line), line);
		r = set_old_time(path, OLD_TIME + (end - line));
	}
	buf_deinit(&b);
	return r;
}

int tree_make(const char *top, uint64_t seed, unsigned n_lanes)
{
	struct rng rng = {seed ^ 0x736f75726365};
	char path[PATH_SIZE];
	int r = 0;

	for (unsigned l = 0; l <= n_lanes && r == 0; l++) {
		if (snprintf(path, sizeof(path), "%s/p%u", top, l) >= PATH_SIZE)
			return -ENAMETOOLONG;
		r = make_directory(&rng, path, 1);
		if (r == 0 && l == 1)
			r = make_big(&rng, path);
	}
	return r < 0 ? r : age_directories(top);
}
