/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: several users who make, read, write, rename, remove and restore, and a provider that answers
 * from a thread of its own.  Afterwards nothing may be left over (the fake sees to that), no request may have hung, and
 * what this core shows must be what a new one finds on disk.
 *
 * Like the kernel, a user holds the directory whose names he changes; restoring holds nothing.
 */

#include "changes.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/log.h"

#define ROOT CORE_ROOT_ID
#define N_USERS 6
#define N_DIR_LOCKS 64
#define RUN_MS 1000
#define N_QUEUED 256

struct stress {
	struct fake *f;
	pthread_rwlock_t dirs[N_DIR_LOCKS]; /* by node id */
	uint64_t end_ms;
	/* Questions for the provider's own thread. */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct fake_call queue[N_QUEUED];
	size_t n_queued;
	bool quit;
	pthread_t provider;
};

struct user {
	struct stress *s;
	struct fake *f;
	unsigned seed;
	unsigned long n_done;
	pthread_t thread;
};

/* The hook has no context of its own. */
static struct stress *current;

/* ---- the provider ---------------------------------------------------------------------------- */

static int answer_later(struct fake *f, const struct fake_call *call)
{
	struct stress *s = current;
	bool queued = false;

	/* The buffer of a listing lives as long as its command only. */
	if (call->kind == COMMAND_PLACEHOLDER || call->kind == COMMAND_DATA) {
		pthread_mutex_lock(&s->lock);
		if (s->n_queued < N_QUEUED && !s->quit) {
			s->queue[s->n_queued++] = *call;
			queued = true;
		}
		pthread_cond_signal(&s->work);
		pthread_mutex_unlock(&s->lock);
	}
	return queued ? CORE_PENDING : fake_answer(f, call);
}

static void *provide(void *arg)
{
	struct stress *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct fake_call call;

		while (!s->n_queued && !s->quit)
			pthread_cond_wait(&s->work, &s->lock);
		if (!s->n_queued)
			break;
		call = s->queue[--s->n_queued];
		pthread_mutex_unlock(&s->lock);
		sched_yield();
		(void)fake_complete(s->f, &call, fake_answer(s->f, &call));
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void offer_tree(struct fake *f)
{
	char path[100];

	for (int d = 0; d < 3; d++) {
		(void)snprintf(path, sizeof(path), "d%d", d);
		fake_add(f, path, RECORD_DIRECTORY, 0);
		(void)snprintf(path, sizeof(path), "d%d/d3", d);
		fake_add(f, path, RECORD_DIRECTORY, 0);
		for (int i = 0; i < 5; i++) {
			(void)snprintf(path, sizeof(path), "d%d/f%d", d, i);
			fake_add(f, path, RECORD_FILE, 100u * (unsigned)i);
			(void)snprintf(path, sizeof(path), "d%d/d3/f%d", d, i);
			fake_add(f, path, RECORD_FILE, i == 4 ? MIB + 300000 : 5000);
		}
		(void)snprintf(path, sizeof(path), "d%d/l", d);
		fake_add(f, path, RECORD_SYMLINK, 0)->target = "../somewhere";
	}
}

/* ---- users ----------------------------------------------------------------------------------- */

static unsigned pick(struct user *u, unsigned n)
{
	return (unsigned)rand_r(&u->seed) % n;
}

static const char *pick_name(struct user *u)
{
	static const char *const names[] = {"f0", "f1", "f2", "f3", "f4", "l", "d0",
	                                    "d1", "d2", "d3", "n0", "n1", "n2"};

	return names[pick(u, sizeof(names) / sizeof(*names))];
}

static const char *pick_dir_name(struct user *u)
{
	static const char *const names[] = {"d0", "d1", "d2", "d3"};

	return names[pick(u, 4)];
}

/* What may go wrong when others change the same things. */
static int allow(int r, const char *what)
{
	switch (r) {
	case 0:
	case -ENOENT:
	case -EEXIST:
	case -ENOTDIR:
	case -EISDIR:
	case -ENOTEMPTY:
	case -ESTALE:
	case -EINVAL: /* a directory into itself; no regular file */
	case -EPERM: /* a directory has one name */
	case -ENODATA:
	case -EMLINK:
	case -EOPNOTSUPP: /* attributes of a link */
		return r;
	default:
		print_error("%s: %s\n", what, strerror(-r));
		abort();
	}
}

static pthread_rwlock_t *dir_lock(struct user *u, uint64_t id)
{
	return &u->s->dirs[id % N_DIR_LOCKS];
}

/* The kernel looks up with the directory held shared. 0: there is none. */
static uint64_t walk_one(struct user *u, uint64_t dir, const char *name)
{
	struct core_entry entry = {0};
	int r;

	pthread_rwlock_rdlock(dir_lock(u, dir));
	r = lookup(u->f, dir, name, &entry);
	pthread_rwlock_unlock(dir_lock(u, dir));
	allow(r, "look-up");
	return r == 0 ? entry.node_id : 0;
}

/* A directory zero to two levels deep; forget_one() it. */
static uint64_t walk_dir(struct user *u)
{
	uint64_t dir = ROOT;

	for (unsigned depth = pick(u, 3); depth > 0; depth--) {
		uint64_t next = walk_one(u, dir, pick_dir_name(u));

		if (!next)
			break;
		forget_one(u->f, dir);
		dir = next;
	}
	return dir;
}

/* Holds up to four directories alone: all or none, so that nobody waits while he holds one. */
static bool hold(struct user *u, const uint64_t *ids, pthread_rwlock_t **ret, size_t *ret_n)
{
	*ret_n = 0;
	for (int i = 0; i < 4; i++) {
		pthread_rwlock_t *lock = ids[i] ? dir_lock(u, ids[i]) : NULL;
		bool held = !lock;

		for (size_t j = 0; j < *ret_n; j++)
			held |= ret[j] == lock;
		if (held)
			continue;
		if (pthread_rwlock_trywrlock(lock) == 0) {
			ret[(*ret_n)++] = lock;
			continue;
		}
		while (*ret_n)
			pthread_rwlock_unlock(ret[--*ret_n]);
		sched_yield();
		return false;
	}
	return true;
}

static void let_go(pthread_rwlock_t **locks, size_t n)
{
	while (n)
		pthread_rwlock_unlock(locks[--n]);
}

static void make_something(struct user *u, uint64_t dir, uint64_t other)
{
	const char *name = pick_name(u);
	struct core_entry entry = {0};
	int r = lookup(u->f, dir, name, &entry);

	if (r == 0 && entry.node_id) {
		forget_one(u->f, entry.node_id);
		return;
	}
	entry.node_id = 0;
	switch (name[0] == 'd' ? 0 : 1 + pick(u, 4)) {
	case 0:
		r = make_dir(u->f, dir, name, &entry);
		break;
	case 1:
		r = make_symlink(u->f, dir, name, "elsewhere", &entry);
		break;
	case 2:
		if (other && add_name(u->f, other, dir, name) == 0)
			forget_one(u->f, other);
		break;
	default:
		r = make_file(u->f, dir, name, &entry);
		if (r == 0)
			allow(write_text(u->f, entry.node_id, 0, name), "first write");
	}
	allow(r, "make");
	if (entry.node_id)
		forget_one(u->f, entry.node_id);
}

static void change_names(struct user *u, uint64_t dir, uint64_t other)
{
	const char *name = pick_name(u), *new_name = pick_name(u);
	uint64_t victim = walk_one(u, dir, name), target = 0;
	bool rename = pick(u, 3) > 0;
	pthread_rwlock_t *locks[4];
	struct core_entry entry;
	size_t n;

	if (rename)
		target = walk_one(u, other, new_name);
	if (victim && hold(u, (uint64_t[4]){dir, victim, rename ? other : 0, target}, locks, &n)) {
		unsigned flags = pick(u, 4) == 0 ? RENAME_EXCHANGE : 0;
		int r = lookup(u->f, dir, name, &entry);

		if (r == 0 && entry.node_id)
			forget_one(u->f, entry.node_id);
		/* Somebody was faster: then it is not what is held. */
		if (r == 0 && entry.node_id == victim && rename)
			allow(move(u->f, dir, name, other, new_name, flags), "rename");
		else if (r == 0 && entry.node_id == victim && S_ISDIR(entry.attr.mode))
			allow(remove_dir(u->f, dir, name), "rmdir");
		else if (r == 0 && entry.node_id == victim)
			allow(remove_file(u->f, dir, name), "unlink");
		let_go(locks, n);
	}
	forget_one(u->f, victim);
	forget_one(u->f, target);
}

static void use_file(struct user *u, uint64_t id)
{
	struct core_attr attr;
	struct request r;

	if (get_attr(u->f, id, &attr) < 0)
		return;
	switch (S_ISREG(attr.mode) ? pick(u, 7) : 2 + pick(u, 3)) {
	case 0:
		allow(write_text(u->f, id, pick(u, 200), "changed"), "write");
		break;
	case 1:
		allow(cut(u->f, id, pick(u, 2) * 50), "cut");
		break;
	case 2:
		if (!S_ISLNK(attr.mode))
			allow(change_mode(u->f, id, 0700 | pick(u, 077)), "chmod");
		break;
	case 3:
		if (!S_ISLNK(attr.mode))
			allow(set_xattr(u->f, id, "user.x", "y", 0), "setxattr");
		break;
	case 4:
		allow(sync_node(u->f, id), "fsync");
		break;
	case 5:
		allow(hydrate_node(u->f, id), "hydrate");
		break;
	default:
		request_init(u->f, &r, WANT_DATA);
		core_read(u->f->core, &r.req, id, 0, pick(u, 2) * attr.size / 2, 4096);
		allow(request_wait(&r), "read");
		request_deinit(&r);
	}
}

static void list_dir(struct user *u, uint64_t dir)
{
	struct core_attr attr;
	struct request r;
	uint64_t handle;

	if (get_attr(u->f, dir, &attr) < 0 || !S_ISDIR(attr.mode))
		return;
	pthread_rwlock_rdlock(dir_lock(u, dir));
	handle = open_dir(u->f, dir);
	if (allow(read_dir(u->f, dir, handle, 0, 0, pick(u, 2), &r), "readdir") == 0)
		for (size_t i = 0; i < r.n_names; i++)
			forget_one(u->f, r.names[i].id);
	request_deinit(&r);
	core_releasedir(u->f->core, dir, handle);
	pthread_rwlock_unlock(dir_lock(u, dir));
}

static void restore_something(struct user *u)
{
	char path[100];
	struct core_ioctl_state state;

	switch (pick(u, 3)) {
	case 0:
		(void)snprintf(path, sizeof(path), "%s", pick_name(u));
		break;
	case 1:
		(void)snprintf(path, sizeof(path), "%s/%s", pick_dir_name(u), pick_name(u));
		break;
	default:
		(void)snprintf(path, sizeof(path), "%s/d3/%s", pick_dir_name(u), pick_name(u));
	}
	allow(state_of(u->f, path, 0, &state), "state");
	allow(restore(u->f, path), "restore");
}

static void do_something(struct user *u)
{
	uint64_t dir = walk_dir(u), other = walk_dir(u), file;
	pthread_rwlock_t *locks[4];
	size_t n;

	switch (pick(u, 10)) {
	case 0:
	case 1:
		file = walk_one(u, other, pick_name(u));
		if (hold(u, (uint64_t[4]){dir}, locks, &n)) {
			make_something(u, dir, file);
			let_go(locks, n);
		}
		forget_one(u->f, file);
		break;
	case 2:
	case 3:
	case 4:
		change_names(u, dir, other);
		break;
	case 5:
		list_dir(u, dir);
		break;
	case 6:
		restore_something(u);
		break;
	default:
		file = walk_one(u, dir, pick_name(u));
		if (file)
			use_file(u, file);
		forget_one(u->f, file);
	}
	forget_one(u->f, dir);
	forget_one(u->f, other);
}

static void *be_user(void *arg)
{
	struct user *u = arg;

	while (clock_now_ms() < u->s->end_ms) {
		do_something(u);
		u->n_done++;
	}
	return NULL;
}

/* ---- what there is --------------------------------------------------------------------------- */

static uint64_t sum_of(struct fake *f, uint64_t id, uint64_t size)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < size; at += 65536) {
		struct request r;

		request_init(f, &r, WANT_DATA);
		core_read(f->core, &r.req, id, 0, at, 65536);
		assert_int_equal(request_wait(&r), 0);
		for (size_t i = 0; i < r.length; i++)
			sum = sum * 31 + r.data[i];
		request_deinit(&r);
	}
	return sum;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One line for each item, in an order that is not that of the listing. */
static void dump(struct fake *f, uint64_t dir, const char *path, FILE *to)
{
	char *names = names_of(f, dir), *rest = names, *name, *sorted[100], below[1000];
	size_t n = 0;

	while ((name = strsep(&rest, " ")) && *name) {
		assert_true(n < 100);
		sorted[n++] = name;
	}
	qsort(sorted, n, sizeof(*sorted), compare_words);
	for (size_t i = 0; i < n; i++) {
		struct core_entry e;
		int r = lookup(f, dir, sorted[i], &e);

		if (r != 0)
			fail_msg("\"%s/%s\" is listed: %s", path, sorted[i], strerror(-r));
		(void)snprintf(below, sizeof(below), "%s/%s", path, sorted[i]);
		(void)fprintf(to, "%s %o ino %lx", below, e.attr.mode, e.attr.ino);
		if (S_ISREG(e.attr.mode))
			(void)fprintf(to, " links %u size %lu sum %lx", e.attr.nlink, e.attr.size,
			              sum_of(f, e.node_id, e.attr.size));
		if (S_ISLNK(e.attr.mode)) {
			char *target = target_of(f, e.node_id);

			(void)fprintf(to, " to %s", target);
			free(target);
		}
		(void)fprintf(to, "\n");
		if (S_ISDIR(e.attr.mode))
			dump(f, e.node_id, below, to);
	}
	free(names);
}

static char *dump_all(struct fake *f)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	dump(f, ROOT, "", to);
	(void)fclose(to);
	return text;
}

static void show_difference(const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
		if (a[i] == '\n') {
			line_a = a + i + 1;
			line_b = b + i + 1;
		}
	}
	if (strcmp(a, b) != 0)
		fail_msg("before: %.*s\nafter: %.*s", (int)strcspn(line_a, "\n"), line_a,
		         (int)strcspn(line_b, "\n"), line_b);
}

/* ---- the test -------------------------------------------------------------------------------- */

static void run_users(struct stress *s)
{
	/* What a run of another seed has found can be looked for again, as far as threads repeat themselves. */
	const char *chosen = getenv("PROJFS_TEST_SEED");
	unsigned seed = chosen ? (unsigned)atoi(chosen) : 7;
	struct user users[N_USERS];
	unsigned long n = 0;

	s->end_ms = clock_now_ms() + RUN_MS;
	for (unsigned i = 0; i < N_USERS; i++) {
		users[i] = (struct user){.s = s, .f = s->f, .seed = seed + 1000 * i};
		pthread_create(&users[i].thread, NULL, be_user, &users[i]);
	}
	for (unsigned i = 0; i < N_USERS; i++) {
		pthread_join(users[i].thread, NULL);
		n += users[i].n_done;
	}
	print_message("%lu operations\n", n);
	assert_true(n > 100);
}

static void run(struct fake *f)
{
	struct stress s = {.f = f};
	char *before, *after;

	f->may_keep = true;
	f->per_get = 4;
	for (int i = 0; i < N_DIR_LOCKS; i++)
		pthread_rwlock_init(&s.dirs[i], NULL);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.work, NULL);
	pthread_create(&s.provider, NULL, provide, &s);
	current = &s;
	offer_tree(f);
	f->hook = answer_later;
	run_users(&s);
	before = dump_all(f);
	pthread_mutex_lock(&s.lock);
	s.quit = true;
	pthread_cond_signal(&s.work);
	pthread_mutex_unlock(&s.lock);
	pthread_join(s.provider, NULL);
	fake_restart(f);
	after = dump_all(f);
	show_difference(before, after);
	free(before);
	free(after);
	fake_stop(f);
	pthread_cond_destroy(&s.work);
	pthread_mutex_destroy(&s.lock);
	for (int i = 0; i < N_DIR_LOCKS; i++)
		pthread_rwlock_destroy(&s.dirs[i]);
	f->hook = NULL;
}

static void many_users_leave_a_live_view_as_a_new_instance_finds_it(void **state)
{
	run(*state);
}

static void many_users_leave_a_stable_view_as_a_new_instance_finds_it(void **state)
{
	struct fake *f = *state;

	f->config.stable_view = true;
	fake_restart(f);
	run(f);
}

static void show(void *context, enum log_level level, const char *message)
{
	(void)context;
	(void)level;
	print_error("%s\n", message);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(many_users_leave_a_live_view_as_a_new_instance_finds_it),
	        T(many_users_leave_a_stable_view_as_a_new_instance_finds_it),
	};

	log_set_sink(show, NULL, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
