/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fuse/kernel.h"
#include "fuse/notify.h"
#include "util/macros.h"

/* A kernel that blocks messages about node 1 until told otherwise, and remembers the others. */
struct gate {
	struct channel channel;
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t changed;
	bool open;
	unsigned n_inside; /* messages about node 1 that wait here */
	unsigned n_inside_max;
	unsigned n_sent;
	unsigned n_sent_for_1;
	struct fuse_out_header header;
	char last[512];
	char order[64]; /* first letters of the names expired in node 1 */
};

static int gate_send(struct channel *channel, const struct iovec *iov, int n_iov)
{
	struct gate *g = container_of(channel, struct gate, channel);
	const char *name = n_iov == 3 ? iov[2].iov_base : "-";
	uint64_t node_id = 0;

	pthread_mutex_lock(&g->lock);
	if (n_iov > 1)
		memcpy(&node_id, iov[1].iov_base, sizeof(node_id));
	if (node_id == 1) {
		g->n_inside++;
		g->n_inside_max = MAX(g->n_inside_max, g->n_inside);
		pthread_cond_broadcast(&g->changed);
		while (!g->open)
			pthread_cond_wait(&g->changed, &g->lock);
		g->n_inside--;
		if (g->n_sent_for_1 < sizeof(g->order) - 1)
			g->order[g->n_sent_for_1] = name[0];
		g->n_sent_for_1++;
	}
	memcpy(&g->header, iov[0].iov_base, sizeof(g->header));
	if (n_iov > 1)
		memcpy(g->last, iov[1].iov_base, iov[1].iov_len);
	g->n_sent++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
	return -ENOENT; /* as often as not */
}

static void gate_init(struct gate *g)
{
	static const struct channel_ops ops = {.send = gate_send};

	*g = (struct gate){.channel.ops = &ops};
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

static void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void gate_wait(struct gate *g, const unsigned *counter, unsigned n)
{
	pthread_mutex_lock(&g->lock);
	while (*counter < n)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void a_directory_that_blocks_holds_up_no_other(void **state)
{
	struct notifier *n;
	struct gate g;

	gate_init(&g);
	assert_int_equal(notifier_new(&g.channel, true, &n), 0);
	for (const char *name = "a\0b\0c\0d\0e\0f\0"; *name; name += 2)
		notifier_kernel.expire_entry(n, 1, name);
	gate_wait(&g, &g.n_inside, 1);
	for (uint64_t id = 2; id < 50; id++)
		notifier_kernel.expire_entry(n, id, "x");
	gate_wait(&g, &g.n_sent, 48);
	assert_int_equal(g.n_sent_for_1, 0);

	gate_open(&g);
	gate_wait(&g, &g.n_sent, 54);
	/* In order, and never two at once. */
	assert_string_equal(g.order, "abcdef");
	assert_int_equal(g.n_inside_max, 1);
	notifier_stop(n);
	notifier_free(n);
}

static void messages_are_what_the_kernel_expects(void **state)
{
	const struct fuse_notify_inval_entry_out *entry;
	const struct fuse_notify_inval_inode_out *inode;
	struct notifier *n;
	struct gate g;

	gate_init(&g);
	assert_int_equal(notifier_new(&g.channel, true, &n), 0);
	entry = (const void *)g.last;
	inode = (const void *)g.last;
	notifier_kernel.expire_entry(n, 5, "name");
	gate_wait(&g, &g.n_sent, 1);
	assert_int_equal(g.header.error, FUSE_NOTIFY_INVAL_ENTRY);
	assert_true(g.header.unique == 0);
	assert_true(entry->parent == 5 && entry->namelen == 4 && entry->flags == FUSE_EXPIRE_ONLY);
	/* The name comes with its NUL. */
	assert_int_equal(g.header.len, sizeof(g.header) + sizeof(*entry) + 5);
	notifier_kernel.inval_node(n, 6, false);
	gate_wait(&g, &g.n_sent, 2);
	assert_int_equal(g.header.error, FUSE_NOTIFY_INVAL_INODE);
	assert_true(inode->ino == 6 && inode->off < 0);
	notifier_kernel.inval_node(n, 6, true);
	gate_wait(&g, &g.n_sent, 3);
	assert_true(inode->ino == 6 && inode->off == 0 && inode->len == 0);
	notifier_stop(n);
	notifier_free(n);
}

static void without_expire_only_names_are_invalidated(void **state)
{
	const struct fuse_notify_inval_entry_out *entry;
	struct notifier *n;
	struct gate g;

	gate_init(&g);
	assert_int_equal(notifier_new(&g.channel, false, &n), 0);
	entry = (const void *)g.last;
	notifier_kernel.expire_entry(n, 5, "name");
	gate_wait(&g, &g.n_sent, 1);
	assert_int_equal(entry->flags, 0);
	notifier_stop(n);
	notifier_free(n);
}

static void a_flood_ends_in_one_message_for_all_names(void **state)
{
	struct fuse_out_header header;
	struct notifier *n;
	struct gate g;

	gate_init(&g);
	assert_int_equal(notifier_new(&g.channel, true, &n), 0);
	/* Node 1 blocks; what waits behind it reaches the bound. */
	for (int i = 0; i < 300 * 1024; i++)
		notifier_kernel.expire_entry(n, 1, "a");
	gate_wait(&g, &g.n_sent, 1);
	pthread_mutex_lock(&g.lock);
	header = g.header;
	pthread_mutex_unlock(&g.lock);
	assert_int_equal(header.error, KERNEL_NOTIFY_INC_EPOCH);
	assert_int_equal(header.len, sizeof(header));
	gate_open(&g);
	notifier_stop(n);
	notifier_free(n);
}

static void stopping_drops_what_is_queued(void **state)
{
	struct notifier *n;
	struct gate g;

	gate_init(&g);
	assert_int_equal(notifier_new(&g.channel, true, &n), 0);
	gate_open(&g);
	notifier_stop(n);
	notifier_kernel.expire_entry(n, 3, "x");
	assert_int_equal(g.n_sent, 0);
	notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_directory_that_blocks_holds_up_no_other),
	        cmocka_unit_test(messages_are_what_the_kernel_expects),
	        cmocka_unit_test(without_expire_only_names_are_invalidated),
	        cmocka_unit_test(a_flood_ends_in_one_message_for_all_names),
	        cmocka_unit_test(stopping_drops_what_is_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
