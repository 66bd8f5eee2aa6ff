/* SPDX-License-Identifier: MIT */
#include "fuse/session.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "fuse/dispatch.h"
#include "fuse/negotiate.h"
#include "fuse/read.h"
#include "fuse/reply.h"
#include "util/log.h"

struct worker {
	struct session *session;
	struct channel *channel;
	int processor; /* -1: any */
	pthread_t thread;
};

int session_init(struct session *s, struct core *core)
{
	*s = (struct session){
	        .core = core,
	        .untracked = core_opens_untracked(core),
	        .gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	if (s->gone_fd < 0)
		return -errno;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->disk_idle, NULL);
	list_init(&s->disk_reads);
	return 0;
}

void session_deinit(struct session *s)
{
	if (s->gone_fd < 0)
		return;
	pthread_cond_destroy(&s->disk_idle);
	pthread_mutex_destroy(&s->lock);
	(void)close(s->gone_fd);
	s->gone_fd = -1;
}

int session_handshake(struct session *s, struct channel *channel, uint64_t wanted,
                      struct errmsg *err)
{
	_cleanup_(freep) char *request = NULL;
	struct fuse_in_header *header;
	struct fuse_init_out out;
	ssize_t n;
	int r;

	request = malloc(NEGOTIATE_BUFFER_BYTES);
	if (!request)
		return errmsg_set(err, -ENOMEM, "out of memory");
	n = channel->ops->receive(channel, request, NEGOTIATE_BUFFER_BYTES);
	if (n <= 0)
		return errmsg_set(err, n < 0 ? (int)n : -ENODEV,
		                  "the kernel ended the connection before it was set up: %s",
		                  strerror(n < 0 ? (int)-n : ENODEV));
	header = (struct fuse_in_header *)request;
	if ((size_t)n < sizeof(*header) || header->opcode != FUSE_INIT)
		return errmsg_set(err, -EPROTO, "the kernel's first request is not INIT");

	r = negotiate((struct fuse_init_in *)(header + 1), (size_t)n - sizeof(*header), wanted,
	              &out, &s->features, err);
	if (r < 0) {
		reply_error(channel, header->unique, r);
		return r;
	}
	r = reply_data(channel, header->unique, &out, sizeof(out));
	if (r < 0)
		return errmsg_set(err, r, "cannot answer INIT: %s", strerror(-r));
	return 0;
}

static void pin(int processor)
{
	cpu_set_t set;

	if (processor < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	/* Only speed depends on it. */
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *map_buffer(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void serve(struct worker *w, void *request)
{
	ssize_t n;

	while ((n = w->channel->ops->receive(w->channel, request, NEGOTIATE_BUFFER_BYTES)) > 0)
		dispatch(w->session, w->channel, request, (size_t)n);
	if (n == 0)
		return;
	if (n != -ENODEV)
		log_error("cannot read requests from the kernel: %s, the mount is given up",
		          strerror((int)-n));
	(void)eventfd_write(w->session->gone_fd, 1);
}

/* Two buffers: done() of a READ may run while another request is still being read from the first. */
static void *worker_main(void *arg)
{
	struct worker *w = arg;
	void *request = map_buffer(NEGOTIATE_BUFFER_BYTES);
	void *answer = map_buffer(READ_MAX_BYTES);

	pin(w->processor);
	if (request && answer) {
		read_set_thread_buffer(answer);
		serve(w, request);
		read_set_thread_buffer(NULL);
	} else {
		log_error("out of memory for a request thread, the mount is given up");
		(void)eventfd_write(w->session->gone_fd, 1);
	}
	if (request)
		(void)munmap(request, NEGOTIATE_BUFFER_BYTES);
	if (answer)
		(void)munmap(answer, READ_MAX_BYTES);
	return NULL;
}

unsigned session_n_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* The @i-th of the processors that we may run on, or -1. */
static int nth_processor(unsigned i)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && i-- == 0)
			return cpu;
	return -1;
}

int session_start_threads(struct session *s, struct devfuse *device, unsigned n)
{
	bool pinned = (s->features & FEATURE_PIN) && n == session_n_processors();
	sigset_t all, before;
	int r = 0;

	s->workers = calloc(n, sizeof(*s->workers));
	if (!s->workers)
		return -ENOMEM;
	if (!pinned)
		s->features &= ~FEATURE_PIN;

	/* Signals are the business of the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < n && r == 0; i++) {
		s->workers[i] = (struct worker){
		        .session = s,
		        .channel = devfuse_channel(device, i),
		        .processor = pinned ? nth_processor(i) : -1,
		};
		r = -pthread_create(&s->workers[i].thread, NULL, worker_main, &s->workers[i]);
		if (r == 0)
			s->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void session_join_threads(struct session *s)
{
	for (unsigned i = 0; i < s->n_threads; i++)
		(void)pthread_join(s->workers[i].thread, NULL);
	s->n_threads = 0;
	free(s->workers);
	s->workers = NULL;
}
