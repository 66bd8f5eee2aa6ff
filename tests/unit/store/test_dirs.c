/* SPDX-License-Identifier: MIT */
/* Placeholder directories and markers, several threads at once, and taking cache away again. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int make_abc(struct store *s)
{
	struct record rec = dir_record();
	const struct store_dir dirs[] = {
	        {"a", "a", &rec}, {"a/b", "a/b", &rec}, {"a/b/c", "a/b/c", &rec}};

	return store_make_dirs(s, dirs, 3);
}

static void chain_appears_with_its_records(void **state)
{
	struct fixture *f = *state;
	struct store_item item;
	struct record got;

	assert_int_equal(make_abc(f->store), 0);
	assert_int_equal(make_abc(f->store), 0);
	assert_int_equal(store_lookup(f->store, "a/b", &item), 0);
	assert_int_equal(item.state, STORE_DIRECTORY);
	assert_int_equal(item.st.st_mode & 07777, 0755);
	assert_int_equal(item.st.st_mtim.tv_sec, MTIME_SEC);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.mode, 0755);
	assert_int_equal(got.mtime.sec, MTIME_SEC);
	store_item_deinit(&item);
	assert_int_equal(state_of(f->store, "a/b/c"), STORE_DIRECTORY);
	assert_int_equal(count_private(f, "tmp"), 0);
	fixture_reboot(f);
	assert_int_equal(state_of(f->store, "a/b/c"), STORE_DIRECTORY);
}

static void missing_part_of_a_chain_is_made(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	const struct store_dir gap[] = {{"a", "a", &rec}, {"a/b/c", "a/b/c", &rec}};
	const struct store_dir deep[] = {{"x/y", "x/y", &rec}};

	assert_int_equal(mkdir(fixture_at(f, "a"), 0755), 0);
	assert_int_equal(make_abc(f->store), 0);
	assert_int_equal(state_of(f->store, "a"), STORE_LOCAL);
	assert_int_equal(state_of(f->store, "a/b"), STORE_DIRECTORY);
	assert_int_equal(store_make_dirs(f->store, gap, 2), -EINVAL);
	assert_int_equal(store_make_dirs(f->store, deep, 1), -ENOENT);
	write_file(fixture_at(f, "x"), "");
	assert_int_equal(store_make_dirs(f->store, deep, 1), -ENOTDIR);
}

static void modes_that_lock_out_stay_in_the_record(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_dir dir = {"locked", "locked", &rec};
	struct store_item item;
	struct record got;

	rec.mode = 0000;
	assert_int_equal(store_make_dirs(f->store, &dir, 1), 0);
	assert_int_equal(hydrate(f->store, "locked/file", "text", NULL), 0);
	assert_int_equal(state_of(f->store, "locked/file"), STORE_HYDRATED);
	assert_int_equal(store_lookup(f->store, "locked", &item), 0);
	assert_int_equal(item.st.st_mode & 07777, geteuid() == 0 ? 0000 : 0700);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_true(got.fields & RECORD_MODE);
	assert_int_equal(got.mode, 0000);
	store_item_deinit(&item);
}

static void record_of_a_directory_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct record rec = dir_record();
	struct store_item item;
	struct record got;

	assert_int_equal(make_abc(f->store), 0);
	rec.fields |= RECORD_CONTENT_ID;
	rec.content_id = bytes_of("v2");
	assert_int_equal(store_update_dir(f->store, "a/b", &rec), 0);
	assert_int_equal(store_lookup(f->store, "a/b", &item), 0);
	assert_int_equal(item.state, STORE_DIRECTORY);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_true(record_bytes_equal(got.content_id, bytes_of("v2")));
	store_item_deinit(&item);
	assert_int_equal(store_update_dir(f->store, "none", &rec), -ENOENT);
	assert_int_equal(mkdir(fixture_at(f, "users"), 0755), 0);
	assert_int_equal(store_update_dir(f->store, "users", &rec), -EBUSY);
	assert_int_equal(state_of(f->store, "users"), STORE_LOCAL);
}

static void markers_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	struct record rec = file_record(1);
	struct buf target = {0};
	struct store_item item;
	struct record got;

	assert_int_equal(store_write_marker(f->store, "file", &rec), -EINVAL);
	rec.fields |= RECORD_ORIGIN;
	rec.origin = bytes_of("file");
	assert_int_equal(store_write_marker(f->store, "file", &rec), 0);
	rec.size = 1234;
	assert_int_equal(store_write_marker(f->store, "file", &rec), 0);
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_int_equal(open(fixture_at(f, "file"), O_RDONLY), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(store_readlink(f->store, "file", &target), -EINVAL);
	assert_int_equal(store_lookup(f->store, "file", &item), 0);
	assert_int_equal(item.state, STORE_PLACEHOLDER);
	assert_int_equal(record_decode(item.rec.data, item.rec.size, &got), 0);
	assert_int_equal(got.size, 1234);
	assert_int_equal(got.mode, 0644);
	store_item_deinit(&item);
	assert_int_equal(store_discard(f->store, "file"), 0);
	assert_int_equal(state_of(f->store, "file"), STORE_NONE);
	write_file(fixture_at(f, "users"), "x");
	assert_int_equal(store_write_marker(f->store, "users", &rec), -EEXIST);
	assert_int_equal(state_of(f->store, "users"), STORE_LOCAL);
	rec = dir_record();
	assert_int_equal(store_write_marker(f->store, "dir", &rec), -EINVAL);
}

static void tombstone_marker_is_no_cache(void **state)
{
	const struct record rec = {.kind = RECORD_TOMBSTONE};
	struct fixture *f = *state;
	struct buf target = {0};

	assert_int_equal(make_abc(f->store), 0);
	assert_int_equal(marker_encode(&rec, &target), 0);
	assert_int_equal(symlink((const char *)target.data, fixture_at(f, "a/gone")), 0);
	buf_deinit(&target);
	assert_int_equal(state_of(f->store, "a/gone"), STORE_TOMBSTONE);
	assert_int_equal(store_discard(f->store, "a/gone"), -EBUSY);
	assert_int_equal(store_discard(f->store, "a"), -EBUSY);
}

static void discard_takes_cache_and_spares_what_is_local(void **state)
{
	struct fixture *f = *state;
	struct store_usage usage;

	assert_int_equal(make_abc(f->store), 0);
	assert_int_equal(hydrate(f->store, "a/b/c/file", "text", NULL), 0);
	write_file(fixture_at(f, "a/b/users"), "x");
	assert_int_equal(store_usage(f->store, 10000, &usage), 0);
	assert_int_equal(usage.n_hydrated, 1);
	assert_int_equal(usage.bytes_hydrated, 4);
	assert_int_equal(usage.n_local, 1);
	assert_int_equal(usage.n_directories, 3);
	assert_false(usage.truncated);
	assert_int_equal(store_discard(f->store, "a"), -EBUSY);
	assert_int_equal(state_of(f->store, "a/b/c/file"), STORE_HYDRATED);
	assert_int_equal(store_discard(f->store, "a/b/c"), 0);
	assert_int_equal(state_of(f->store, "a/b/c"), STORE_NONE);
	assert_int_equal(unlink(fixture_at(f, "a/b/users")), 0);
	assert_int_equal(store_discard(f->store, "a"), 0);
	assert_int_equal(store_discard(f->store, "a"), -ENOENT);
	assert_int_equal(store_discard(f->store, ""), -EINVAL);
	assert_true(becomes_empty(f, "old"));
}

static void file_with_two_names_is_no_cache(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hydrate(f->store, "file", "text", NULL), 0);
	assert_int_equal(link(fixture_at(f, "file"), fixture_at(f, "second")), 0);
	assert_int_equal(store_discard(f->store, "file"), -EBUSY);
}

/* ---- several threads ---------------------------------------------------------------------------- */

#define N_THREADS 6
#define N_ROUNDS 40

struct race {
	struct store *store;
	pthread_barrier_t start;
	atomic_int n_failed;
	atomic_int n_hydrated;
};

static void race_round(struct race *race, int round)
{
	struct record rec = dir_record();
	char a[16];
	char b[16];
	char file[24];
	const struct store_dir dirs[] = {{a, a, &rec}, {b, b, &rec}};
	struct store_item item;
	int r;

	(void)snprintf(a, sizeof(a), "d%d", round);
	(void)snprintf(b, sizeof(b), "d%d/e", round);
	(void)snprintf(file, sizeof(file), "d%d/e/file", round);
	pthread_barrier_wait(&race->start);
	if (store_make_dirs(race->store, dirs, 2) < 0)
		atomic_fetch_add(&race->n_failed, 1);
	rec = file_record(4);
	rec.mode = 0000; /* the mode is changed and put back by everybody who looks */
	r = hydrate(race->store, file, "text", &rec);
	if (r == 0)
		atomic_fetch_add(&race->n_hydrated, 1);
	else if (r != -EEXIST)
		atomic_fetch_add(&race->n_failed, 1);
	if (store_lookup(race->store, file, &item) < 0 || item.state != STORE_HYDRATED ||
	    item.meta_differs || (item.st.st_mode & 07777) != 0)
		atomic_fetch_add(&race->n_failed, 1);
	store_item_deinit(&item);
	if (round % 8 == 0 && store_sync(race->store) < 0)
		atomic_fetch_add(&race->n_failed, 1);
}

static void *race_main(void *context)
{
	for (int i = 0; i < N_ROUNDS; i++)
		race_round(context, i);
	return NULL;
}

static void threads_that_make_the_same_things_agree(void **state)
{
	struct fixture *f = *state;
	struct race race = {.store = f->store};
	pthread_t threads[N_THREADS];

	pthread_barrier_init(&race.start, NULL, N_THREADS);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_main, &race), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&race.start);
	assert_int_equal(race.n_failed, 0);
	assert_int_equal(race.n_hydrated, N_ROUNDS);
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_true(becomes_empty(f, "old"));
}

static void *lookup_main(void *context)
{
	struct store *s = context;
	char name[16];
	int r;

	for (int i = 0; i < N_ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "file%d", i);
		if (state_of(s, name) == STORE_NONE) {
			r = hydrate(s, name, "text", NULL);
			assert_true(r == 0 || r == -EEXIST);
		}
	}
	return NULL;
}

static void threads_that_meet_remnants_remove_nothing_new(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[N_THREADS];
	char name[16];

	for (int i = 0; i < N_ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "file%d", i);
		assert_int_equal(hydrate(f->store, name, "text", NULL), 0);
	}
	fixture_reboot(f);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, lookup_main, f->store), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < N_ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "file%d", i);
		assert_int_equal(state_of(f->store, name), STORE_HYDRATED);
	}
}

int main(void)
{
#define OPEN(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	        OPEN(chain_appears_with_its_records),
	        OPEN(missing_part_of_a_chain_is_made),
	        OPEN(modes_that_lock_out_stay_in_the_record),
	        OPEN(record_of_a_directory_is_replaced),
	        OPEN(markers_cannot_be_opened),
	        OPEN(tombstone_marker_is_no_cache),
	        OPEN(discard_takes_cache_and_spares_what_is_local),
	        OPEN(file_with_two_names_is_no_cache),
	        OPEN(threads_that_make_the_same_things_agree),
	        OPEN(threads_that_meet_remnants_remove_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
