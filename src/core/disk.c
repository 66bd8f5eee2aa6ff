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
	pthread_cond_init(&d->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->sync_wake, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&d->jobs);
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
	pthread_mutex_destroy(&d->lock);
}
