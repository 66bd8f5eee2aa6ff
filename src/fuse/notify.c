/* SPDX-License-Identifier: MIT */
#include "fuse/notify.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/kernel.h"
#include "util/hash.h"
#include "util/list.h"
#include "util/log.h"

#define N_THREADS_MAX 4
#define N_BUCKETS 256
#define QUEUE_MAX (256 * 1024) /* beyond it, all cached names are expired in one go */

enum kind {
	NOTIFY_ENTRY,
	NOTIFY_ATTRIBUTES,
	NOTIFY_DATA,
	NOTIFY_EVERYTHING,
};

struct item {
	struct list link; /* in node_queue.items */
	enum kind kind;
	size_t name_length;
	char name[];
};

/* What is to be said about one node; goes away when that has been said. */
struct node_queue {
	uint64_t node_id;
	struct list hash_link;
	struct list ready_link; /* in notifier.ready, unless a thread works on it */
	struct list items;
};

struct notifier {
	struct channel *channel;
	bool expire_only;

	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t work;
	bool stopping;
	struct list ready;
	struct list buckets[N_BUCKETS];
	size_t n_items;
	bool overflowed; /* until everything has been expired */
	unsigned n_idle;
	unsigned n_threads;
	pthread_t threads[N_THREADS_MAX];
};

static int send_message(struct notifier *n, int code, void *body, size_t body_size,
                        const char *name, size_t name_size)
{
	struct fuse_out_header header = {
	        .error = code,
	        .len = (uint32_t)(sizeof(header) + body_size + name_size),
	};
	struct iovec iov[] = {
	        {.iov_base = &header, .iov_len = sizeof(header)},
	        {.iov_base = body, .iov_len = body_size},
	        {.iov_base = (void *)name, .iov_len = name_size},
	};

	return n->channel->ops->send(n->channel, iov, body_size == 0 ? 1 : name_size == 0 ? 2 : 3);
}

static int send_item(struct notifier *n, uint64_t node_id, const struct item *item)
{
	struct fuse_notify_inval_entry_out entry = {
	        .parent = node_id,
	        .namelen = (uint32_t)item->name_length,
	        .flags = n->expire_only ? FUSE_EXPIRE_ONLY : 0,
	};
	/* A negative offset: attributes only. Length 0: to the end. */
	struct fuse_notify_inval_inode_out inode = {
	        .ino = node_id,
	        .off = item->kind == NOTIFY_DATA ? 0 : -1,
	};

	switch (item->kind) {
	case NOTIFY_ENTRY:
		return send_message(n, FUSE_NOTIFY_INVAL_ENTRY, &entry, sizeof(entry), item->name,
		                    item->name_length + 1);
	case NOTIFY_ATTRIBUTES:
	case NOTIFY_DATA:
		return send_message(n, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode), NULL, 0);
	case NOTIFY_EVERYTHING:
		return send_message(n, KERNEL_NOTIFY_INC_EPOCH, NULL, 0, NULL, 0);
	}
	return -EINVAL;
}

static size_t bucket_of(uint64_t node_id)
{
	return hash_bytes(hash_process_key(), &node_id, sizeof(node_id)) % N_BUCKETS;
}

static struct node_queue *queue_find(struct notifier *n, uint64_t node_id)
{
	struct list *bucket = &n->buckets[bucket_of(node_id)];

	list_for_each (link, bucket) {
		struct node_queue *q = list_entry(link, struct node_queue, hash_link);

		if (q->node_id == node_id)
			return q;
	}
	return NULL;
}

static struct node_queue *queue_new(struct notifier *n, uint64_t node_id)
{
	struct node_queue *q = malloc(sizeof(*q));

	if (!q)
		return NULL;
	q->node_id = node_id;
	list_init(&q->items);
	list_append(&n->buckets[bucket_of(node_id)], &q->hash_link);
	list_init(&q->ready_link);
	list_append(&n->ready, &q->ready_link);
	return q;
}

static void queue_free(struct node_queue *q)
{
	list_remove(&q->hash_link);
	list_remove(&q->ready_link);
	list_for_each_safe (link, tmp, &q->items)
		free(list_entry(link, struct item, link));
	free(q);
}

static void send_and_free(struct notifier *n, uint64_t node_id, struct item *item)
{
	int r = send_item(n, node_id, item);

	/* ENOENT: the kernel does not know the node or the name (any more). ENOTDIR likewise. */
	if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -ENODEV && r != -ENOTCONN)
		log_error("cannot invalidate what the kernel caches of node %llu: %s, it may show "
		          "what is no longer true",
		          (unsigned long long)node_id, strerror(-r));
	free(item);
}

/* Called with the lock held, which is released while messages are sent. */
static void serve_queue(struct notifier *n, struct node_queue *q)
{
	list_remove(&q->ready_link);
	while (!list_empty(&q->items) && !n->stopping) {
		struct item *item = list_entry(q->items.next, struct item, link);

		list_remove(&item->link);
		n->n_items--;
		if (item->kind == NOTIFY_EVERYTHING)
			n->overflowed = false;
		pthread_mutex_unlock(&n->lock);
		send_and_free(n, q->node_id, item);
		pthread_mutex_lock(&n->lock);
	}
	queue_free(q);
}

static void *notifier_main(void *arg)
{
	struct notifier *n = arg;

	pthread_mutex_lock(&n->lock);
	while (!n->stopping) {
		if (list_empty(&n->ready)) {
			n->n_idle++;
			pthread_cond_wait(&n->work, &n->lock);
			n->n_idle--;
			continue;
		}
		serve_queue(n, list_entry(n->ready.next, struct node_queue, ready_link));
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

/* Called with the lock held, when there is work. */
static void wake_or_start_thread(struct notifier *n)
{
	sigset_t all, before;

	if (n->n_idle > 0) {
		pthread_cond_signal(&n->work);
		return;
	}
	if (n->n_threads == N_THREADS_MAX)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&n->threads[n->n_threads], NULL, notifier_main, n) == 0)
		n->n_threads++;
	else if (n->n_threads == 0)
		log_error("cannot start a thread to invalidate the kernel's caches with");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Called with the lock held. */
static int enqueue(struct notifier *n, uint64_t node_id, enum kind kind, const char *name,
                   size_t name_length)
{
	struct node_queue *q;
	struct item *item;

	item = malloc(sizeof(*item) + name_length + 1);
	if (!item)
		return -ENOMEM;
	item->kind = kind;
	item->name_length = name_length;
	memcpy(item->name, name, name_length);
	item->name[name_length] = '\0';

	q = queue_find(n, node_id);
	if (!q)
		q = queue_new(n, node_id);
	if (!q) {
		free(item);
		return -ENOMEM;
	}
	list_append(&q->items, &item->link);
	n->n_items++;
	if (!list_empty(&q->ready_link))
		wake_or_start_thread(n);
	return 0;
}

static void notify(struct notifier *n, uint64_t node_id, enum kind kind, const char *name)
{
	int r = 0;

	pthread_mutex_lock(&n->lock);
	if (n->stopping) {
		pthread_mutex_unlock(&n->lock);
		return;
	}
	if (kind == NOTIFY_ENTRY && n->n_items >= QUEUE_MAX) {
		if (!n->overflowed) /* node 0 is none of the tree's: it waits behind nobody */
			r = enqueue(n, 0, NOTIFY_EVERYTHING, "", 0);
		n->overflowed = r == 0;
	} else {
		r = enqueue(n, node_id, kind, name, strlen(name));
	}
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		log_error("out of memory, the kernel may show what is no longer true");
}

static void expire_entry(void *context, uint64_t parent_id, const char *name)
{
	notify(context, parent_id, NOTIFY_ENTRY, name);
}

static void inval_node(void *context, uint64_t node_id, bool data)
{
	notify(context, node_id, data ? NOTIFY_DATA : NOTIFY_ATTRIBUTES, "");
}

const struct core_kernel notifier_kernel = {
        .expire_entry = expire_entry,
        .inval_node = inval_node,
};

int notifier_new(struct channel *channel, bool expire_only, struct notifier **ret)
{
	struct notifier *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->channel = channel;
	n->expire_only = expire_only;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->work, NULL);
	list_init(&n->ready);
	for (size_t i = 0; i < N_BUCKETS; i++)
		list_init(&n->buckets[i]);
	*ret = n;
	return 0;
}

void notifier_stop(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	pthread_cond_broadcast(&n->work);
	pthread_mutex_unlock(&n->lock);
	/* Nobody starts threads any more, so the array is ours. */
	for (unsigned i = 0; i < n->n_threads; i++)
		(void)pthread_join(n->threads[i], NULL);
	n->n_threads = 0;
}

struct notifier *notifier_free(struct notifier *n)
{
	if (!n)
		return NULL;
	list_for_each_safe (link, tmp, &n->ready)
		queue_free(list_entry(link, struct node_queue, ready_link));
	pthread_cond_destroy(&n->work);
	pthread_mutex_destroy(&n->lock);
	free(n);
	return NULL;
}
