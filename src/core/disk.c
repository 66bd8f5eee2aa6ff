/* SPDX-License-Identifier: MIT */
/* See disk.h. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/internal.h"
#include "util/log.h"

struct job {
	struct list link;
	void (*run)(void *arg);
	void *arg;
};

static void *disk_main(void *arg)
{
	struct core *core = arg;
	struct disk *d = &core->disk;

	(void)prctl(PR_SET_NAME, "prj-disk");
	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct job *job;

		while (list_empty(&d->jobs) && !d->quit)
			pthread_cond_wait(&d->work, &d->lock);
		if (list_empty(&d->jobs))
			break;
		job = list_entry(d->jobs.next, struct job, link);
		list_remove(&job->link);
		pthread_mutex_unlock(&d->lock);
		job->run(job->arg);
		free(job);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

int core_run_on_disk_thread(struct core *core, void (*run)(void *arg), void *arg)
{
	struct disk *d = &core->disk;
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return -ENOMEM;
	*job = (struct job){.run = run, .arg = arg};
	pthread_mutex_lock(&d->lock);
	if (d->quit) {
		pthread_mutex_unlock(&d->lock);
		free(job);
		return -ENOTCONN;
	}
	list_append(&d->jobs, &job->link);
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* Sleeps while nothing is hydrated; after the first change waits a while, so that many share one sync. */
static void *sync_main(void *arg)
{
	struct core *core = arg;
	struct disk *d = &core->disk;

	(void)prctl(PR_SET_NAME, "prj-sync");
	pthread_mutex_lock(&d->lock);
	while (!d->quit) {
		struct timespec until;
		int r = 0;

		if (!store_needs_sync(core->store)) {
			d->sync_idle = true;
			pthread_cond_wait(&d->sync_wake, &d->lock);
			d->sync_idle = false;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += DISK_SYNC_INTERVAL_MS / 1000;
		while (!d->quit && r != ETIMEDOUT)
			r = pthread_cond_timedwait(&d->sync_wake, &d->lock, &until);
		if (d->quit)
			break;
		pthread_mutex_unlock(&d->lock);
		r = store_sync(core->store);
		if (r < 0)
			log_error("syncfs of the root failed (%s): what was hydrated since the last sync "
				  "will be fetched again after a power cut", strerror(-r));
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

void disk_note_change(struct core *core)
{
	pthread_mutex_lock(&core->disk.lock);
	if (core->disk.sync_idle)
		pthread_cond_signal(&core->disk.sync_wake);
	pthread_mutex_unlock(&core->disk.lock);
}

int disk_init(struct core *core)
{
	struct disk *d = &core->disk;
	pthread_condattr_t attr;
	int r;

	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->content_lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->sync_wake, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&d->jobs);
	list_init(&d->contents);
	for (; d->n_threads < DISK_N_THREADS; d->n_threads++) {
		r = pthread_create(&d->threads[d->n_threads], NULL, disk_main, core);
		if (r)
			return -r;
	}
	r = pthread_create(&d->sync_thread, NULL, sync_main, core);
	if (r)
		return -r;
	d->sync_started = true;
	return 0;
}

void disk_stop(struct core *core)
{
	struct disk *d = &core->disk;

	pthread_mutex_lock(&d->lock);
	d->quit = true;
	pthread_cond_broadcast(&d->work);
	pthread_cond_broadcast(&d->sync_wake);
	pthread_mutex_unlock(&d->lock);
	for (; d->n_threads > 0; d->n_threads--)
		pthread_join(d->threads[d->n_threads - 1], NULL);
	if (d->sync_started)
		pthread_join(d->sync_thread, NULL);
	d->sync_started = false;
}

void disk_deinit(struct core *core)
{
	struct disk *d = &core->disk;

	pthread_cond_destroy(&d->sync_wake);
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->content_lock);
	pthread_mutex_destroy(&d->lock);
}

/* ---- open content ---------------------------------------------------------------------------- */

struct content {
	atomic_uint n_refs;
	int fd;
	/* Protected by disk.content_lock. */
	struct list link;
	struct node *node; /* not referenced: a node detaches its content before it goes */
};

struct content *content_new(int fd)
{
	struct content *c = malloc(sizeof(*c));

	if (!c) {
		(void)close(fd);
		return NULL;
	}
	*c = (struct content){.n_refs = 1, .fd = fd};
	list_init(&c->link);
	return c;
}

int content_fd(const struct content *c)
{
	return c->fd;
}

struct content *content_ref(struct content *c)
{
	atomic_fetch_add(&c->n_refs, 1);
	return c;
}

struct content *content_unref(struct content *c)
{
	if (c && atomic_fetch_sub(&c->n_refs, 1) == 1) {
		(void)close(c->fd);
		free(c);
	}
	return NULL;
}

/*
 * The list has its own reference to each content in it; node->content is valid exactly while the content is in
 * the list.  Both change together under content_lock, so that the oldest can be dropped without its node's lock.
 */
void content_attach(struct core *core, struct node *node, struct content *content)
{
	struct disk *d = &core->disk;
	struct content *oldest = NULL, *former = NULL;

	pthread_mutex_lock(&d->content_lock);
	if (node->content) {
		former = node->content;
		list_remove(&former->link);
		former->node = NULL;
		d->n_contents--;
	}
	node->content = content_ref(content);
	content->node = node;
	list_append(&d->contents, &content->link);
	if (++d->n_contents > DISK_CONTENT_MAX) {
		oldest = list_entry(d->contents.next, struct content, link);
		list_remove(&oldest->link);
		oldest->node->content = NULL;
		oldest->node = NULL;
		d->n_contents--;
	}
	pthread_mutex_unlock(&d->content_lock);
	content_unref(former);
	content_unref(oldest);
}

void content_detach(struct core *core, struct node *node)
{
	struct disk *d = &core->disk;
	struct content *c;

	pthread_mutex_lock(&d->content_lock);
	c = steal_ptr(&node->content);
	if (c) {
		list_remove(&c->link);
		c->node = NULL;
		d->n_contents--;
	}
	pthread_mutex_unlock(&d->content_lock);
	content_unref(c);
}

static struct content *content_lookup(struct core *core, struct node *node)
{
	struct disk *d = &core->disk;
	struct content *c;

	pthread_mutex_lock(&d->content_lock);
	c = node->content;
	if (c) {
		content_ref(c);
		list_remove(&c->link);
		list_append(&d->contents, &c->link);
	}
	pthread_mutex_unlock(&d->content_lock);
	return c;
}

int content_of_node(struct core *core, struct node *node, struct content **ret)
{
	_cleanup_(freep) char *path = NULL;
	struct content *c = content_lookup(core, node);
	int fd;

	if (!c) {
		path = node_path(core, node);
		if (!path)
			return -ENOMEM;
		fd = store_open_file(core->store, path, O_RDONLY);
		if (fd < 0)
			return fd;
		c = content_new(fd);
		if (!c)
			return -ENOMEM;
		content_attach(core, node, c);
	}
	*ret = c;
	return 0;
}
