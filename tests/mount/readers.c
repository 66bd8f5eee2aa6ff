/* SPDX-License-Identifier: MIT */
/*
 * Very many readers in one process: a thread each, with a stack so small that ten thousand of them cost nothing.
 *
 *	readers DIR N read|direct
 *
 * Thread i opens DIR/f<i, six digits> and reads its first word.  "direct" goes around the page cache: only then does
 * the kernel tell the instance that a reader was killed.  When all have ended it prints how, a line "COUNT HOW" each:
 * the name of the errno, "right" or "wrong" for what puppet.c says about the content of a file whose seed is i.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_BYTES (32 * 1024)
#define PAGE_BYTES 4096 /* how O_DIRECT wants its memory */

struct reader {
	pthread_t thread;
	unsigned number;
	int error; /* errno; 0: right; -1: wrong */
};

static const char *dir;
static int extra_flags;

/* errno, 0, or -1, as in struct reader. */
static int read_word(int fd, uint64_t wanted)
{
	_Alignas(PAGE_BYTES) char page[PAGE_BYTES];
	uint64_t word;
	ssize_t n = read(fd, page, sizeof(page));

	if (n < 0)
		return errno;
	if ((size_t)n < sizeof(word))
		return -1;
	memcpy(&word, page, sizeof(word));
	return word == wanted ? 0 : -1;
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	char path[1024];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/f%06u", dir, r->number);
	fd = open(path, O_RDONLY | O_CLOEXEC | extra_flags);
	if (fd < 0) {
		r->error = errno;
		return NULL;
	}
	r->error = read_word(fd, ((uint64_t)r->number << 40) + 1);
	(void)close(fd);
	return NULL;
}

static const char *text_of(int error)
{
	if (error < 0)
		return "wrong";
	return error ? strerrorname_np(error) : "right";
}

static void print_tally(const struct reader *readers, unsigned n)
{
	unsigned counts[257] = {0}; /* by errno, shifted by one; the last: all others */

	for (unsigned i = 0; i < n; i++)
		counts[readers[i].error < 255 ? readers[i].error + 1 : 256]++;
	for (unsigned i = 0; i < 257; i++)
		if (counts[i])
			printf("%u %s\n", counts[i], text_of((int)i - 1));
}

static int start(struct reader *readers, unsigned n)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (unsigned i = 0; i < n && r == 0; i++) {
		readers[i].number = i;
		r = pthread_create(&readers[i].thread, &attr, reader_main, &readers[i]);
	}
	pthread_attr_destroy(&attr);
	return r;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	struct reader *readers;
	unsigned n;
	int r;

	if (argc != 4) {
		fprintf(stderr, "usage: readers DIR N read|direct\n");
		return 2;
	}
	dir = argv[1];
	n = (unsigned)strtoul(argv[2], NULL, 10);
	extra_flags = strcmp(argv[3], "direct") ? 0 : O_DIRECT;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	readers = calloc(n, sizeof(*readers));
	r = readers ? start(readers, n) : ENOMEM;
	if (r) {
		fprintf(stderr, "readers: cannot start %u threads: %s\n", n, strerror(r));
		return 1;
	}
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(readers[i].thread, NULL);
	print_tally(readers, n);
	free(readers);
	return 0;
}
