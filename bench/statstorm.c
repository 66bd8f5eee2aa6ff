/* SPDX-License-Identifier: MIT */
/*
 * lstat() on every path of a list, and nothing else: what a version control system or a build tool does to
 * find out what changed.  No directory is read, so that the price of a look-up is not lost among listings.
 *
 *	statstorm DIR LIST      LIST: paths relative to DIR, each ended by a NUL
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Map @path; a list that does not end in a NUL is refused, for it would be read past its end. */
static const char *map_list(const char *path, size_t *ret_size)
{
	const char *list;
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		(void)close(fd);
		return NULL;
	}
	list = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	(void)close(fd);
	if (list == MAP_FAILED || list[st.st_size - 1] != '\0')
		return NULL;
	*ret_size = (size_t)st.st_size;
	return list;
}

int main(int argc, char **argv)
{
	const char *list;
	struct stat st;
	size_t size;

	if (argc != 3) {
		fprintf(stderr, "usage: statstorm DIR LIST\n");
		return 2;
	}
	list = map_list(argv[2], &size);
	if (!list) {
		fprintf(stderr, "statstorm: '%s' is not a list of paths\n", argv[2]);
		return 1;
	}
	if (chdir(argv[1]) < 0) {
		fprintf(stderr, "statstorm: '%s': %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (const char *path = list; path < list + size; path += strlen(path) + 1) {
		if (lstat(path, &st) < 0) {
			fprintf(stderr, "statstorm: '%s': %s\n", path, strerror(errno));
			return 1;
		}
	}
	return 0;
}
