/* SPDX-License-Identifier: MIT */
/*
 * Names that the provider does not have, remembered until it says so.  The kernel is one of our own here, which writes
 * down below which directory a name expires.
 */

#include "changes.h"

#include <sched.h>
#include <stdio.h>

#include "core/internal.h"
#include "util/log.h"

#define EXPIRED_MAX 64

/* What the kernel was told, oldest first. */
static struct {
	pthread_mutex_t lock;
	size_t n;
	struct {
		uint64_t dir_id;
		char name[64];
	} entries[EXPIRED_MAX];
} expired = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_expired(void *context, uint64_t parent_id, const char *name)
{
	pthread_mutex_lock(&expired.lock);
	if (expired.n < EXPIRED_MAX) {
		expired.entries[expired.n].dir_id = parent_id;
		(void)snprintf(expired.entries[expired.n].name, sizeof(expired.entries[0].name),
		               "%s", name);
	}
	expired.n++;
	pthread_mutex_unlock(&expired.lock);
}

static void ignore_node(void *context, uint64_t node_id, bool data)
{
}

static const struct core_kernel kernel = {.expire_entry = note_expired, .inval_node = ignore_node};

static void use_kernel(struct fake *f)
{
	expired.n = 0;
	core_set_kernel(f->core, &kernel, NULL);
}

static void restart(struct fake *f)
{
	fake_restart(f);
	use_kernel(f);
}

static int setup(void **state)
{
	struct fake *f;
	int r = fake_setup(state);

	if (r < 0)
		return r;
	f = *state;
	f->config.negative_path_cache = true;
	restart(f);
	return 0;
}

static void use_stable_view(struct fake *f)
{
	f->config.stable_view = true;
	restart(f);
}

static bool has_expired(uint64_t dir_id, const char *name)
{
	for (size_t i = 0; i < expired.n && i < EXPIRED_MAX; i++)
		if (expired.entries[i].dir_id == dir_id && !strcmp(expired.entries[i].name, name))
			return true;
	return false;
}

/* It is absent, and the kernel may remember that. */
static void check_remembered(struct fake *f, uint64_t dir, const char *name)
{
	struct core_entry entry = {.node_id = 1};

	assert_int_equal(lookup(f, dir, name, &entry), 0);
	assert_int_equal(entry.node_id, 0);
	assert_true(entry.entry_valid_ms == CORE_FOREVER);
}

/* It is absent, and the kernel has to ask again. */
static void check_not_remembered(struct fake *f, uint64_t dir, const char *name)
{
	assert_int_equal(lookup(f, dir, name, NULL), -ENOENT);
}

static int write_placeholder(struct fake *f, const char *path)
{
	struct record rec = {.kind = RECORD_FILE, .size = 5, .fields = RECORD_SIZE};

	return core_write_placeholder(f->core, path, &rec);
}

/* A full file that is not known to have been new: removing it needs the provider's word. */
static void put_full_file(struct fake *f, const char *name)
{
	make_text(f, CORE_ROOT_ID, "made", "x");
	assert_int_equal(move(f, CORE_ROOT_ID, "made", CORE_ROOT_ID, name, 0), 0);
}

/* Until nobody has it in memory: the thread that brought the last answer lets go of it a little later. */
static void forget_only_node(struct fake *f, uint64_t id)
{
	forget_all(f, id);
	while (STAT(f, n_nodes) > 1)
		sched_yield();
}

/* ---- what gets in ------------------------------------------------------------------------------- */

static void an_absent_name_is_asked_about_once(void **state)
{
	struct fake *f = *state;

	for (int i = 0; i < 5; i++)
		check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(STAT(f, negative_hits), 4);
	assert_int_equal(STAT(f, callbacks_placeholder), 1);
}

static void a_pended_answer_is_remembered_too(void **state)
{
	struct fake *f = *state;
	struct fake_call call;
	struct request r;

	f->pend = KIND(PLACEHOLDER);
	request_init(f, &r, WANT_ENTRY);
	core_lookup(f->core, &r.req, CORE_ROOT_ID, "n");
	call = fake_wait_call(f, COMMAND_PLACEHOLDER, 0);
	assert_int_equal(fake_complete(f, &call, -ENOENT), 0);
	assert_int_equal(request_wait(&r), 0);
	assert_int_equal(r.entry.node_id, 0);
	request_deinit(&r);
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
}

static void without_the_flag_nothing_is_remembered(void **state)
{
	struct fake *f = *state;

	f->config.negative_path_cache = false;
	restart(f);
	for (int i = 0; i < 3; i++)
		check_not_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 3);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	assert_int_equal(STAT(f, negative_hits), 0);
	assert_int_equal(expired.n, 0);
}

static void a_failure_is_not_remembered(void **state)
{
	static const int errors[] = {EIO, EACCES, ENOMEM, EINVAL};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		f->error[COMMAND_PLACEHOLDER] = -errors[i];
		assert_int_equal(lookup(f, CORE_ROOT_ID, "n", NULL), -errors[i]);
	}
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	f->error[COMMAND_PLACEHOLDER] = 0;
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
}

static void a_listing_without_a_name_does_not_make_it_known_as_absent(void **state)
{
	struct fake *f = *state;

	fake_add(f, "a", RECORD_FILE, 5);
	assert_names(f, CORE_ROOT_ID, "a");
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
}

static void what_lies_under_a_file_is_found_out_for_look_ups_too(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
}

static void names_are_compared_byte_for_byte(void **state)
{
	struct fake *f = *state;

	fake_add(f, "N", RECORD_FILE, 5);
	check_remembered(f, CORE_ROOT_ID, "n");
	find(f, "N");
	check_remembered(f, CORE_ROOT_ID, "n\xff");
	check_remembered(f, CORE_ROOT_ID, "n\xfe");
	expect_asked(f, COMMAND_PLACEHOLDER, "n\xff", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "n\xfe", 1);
	assert_int_equal(core_clear_negative_paths(f->core), 3);
}

static void names_are_kept_by_the_providers_path(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	check_remembered(f, dir, "n");
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	check_remembered(f, dir, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 1);
	expect_asked(f, COMMAND_PLACEHOLDER, "e/n", 0);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	assert_true(has_expired(dir, "n"));
}

static unsigned n_logged;

static void count_log(void *context, enum log_level level, const char *message)
{
	n_logged += strstr(message, "negative path cache") != NULL;
}

static void beyond_the_limit_no_name_is_added(void **state)
{
	struct fake *f = *state;
	char path[32];

	n_logged = 0;
	log_set_sink(count_log, NULL, LOG_LEVEL_WARNING);
	for (unsigned i = 0; i < NEGATIVE_MAX; i++) {
		(void)snprintf(path, sizeof(path), "absent%u", i);
		negative_add(f->core, path, negative_generation(f->core, path));
	}
	assert_int_equal(n_logged, 0);
	check_remembered(f, CORE_ROOT_ID, "absent0");
	check_remembered(f, CORE_ROOT_ID, "absent262143");
	for (int i = 0; i < 3; i++)
		check_not_remembered(f, CORE_ROOT_ID, "n");
	log_set_sink(NULL, NULL, LOG_LEVEL_WARNING);
	expect_asked(f, COMMAND_PLACEHOLDER, "absent0", 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 3);
	assert_int_equal(n_logged, 1);
	assert_int_equal(core_clear_negative_paths(f->core), NEGATIVE_MAX);
	check_remembered(f, CORE_ROOT_ID, "n");
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 4);
}

static void a_new_instance_begins_with_none(void **state)
{
	struct fake *f = *state;

	check_remembered(f, CORE_ROOT_ID, "n");
	restart(f);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
}

/* ---- what is looked at first -------------------------------------------------------------------- */

static void a_file_of_ones_own_is_found_and_the_name_stays_known(void **state)
{
	struct fake *f = *state;

	check_remembered(f, CORE_ROOT_ID, "n");
	make_text(f, CORE_ROOT_ID, "n", "n");
	assert_text(f, find(f, "n").node_id, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(restore(f, "n"), -ENOENT);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
}

static void what_a_listing_shows_is_found_and_the_name_stays_known(void **state)
{
	struct fake *f = *state;
	struct core_entry entry;
	struct request r;
	uint64_t handle;

	check_remembered(f, CORE_ROOT_ID, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	handle = open_dir(f, CORE_ROOT_ID);
	assert_int_equal(read_dir(f, CORE_ROOT_ID, handle, 0, 0, true, &r), 0);
	request_deinit(&r);
	core_releasedir(f->core, CORE_ROOT_ID, handle);
	assert_int_equal(lookup(f, CORE_ROOT_ID, "n", &entry), 0);
	assert_int_not_equal(entry.node_id, 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(STAT(f, negative_hits), 0);
	forget_only_node(f, entry.node_id);
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	find(f, "n");
}

static void a_stable_listing_answers_before_it(void **state)
{
	struct fake *f = *state;

	use_stable_view(f);
	fake_add(f, "a", RECORD_FILE, 5);
	assert_names(f, CORE_ROOT_ID, "a");
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 0);
	assert_int_equal(STAT(f, negative_hits), 0);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
}

static void it_answers_what_lies_under_a_file(void **state)
{
	struct fake *f = *state;

	check_remembered(f, CORE_ROOT_ID, "n");
	put_full_file(f, "n");
	fake_add(f, "n", RECORD_FILE, 5); /* not heard of as long as nothing was cleared */
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 1);
	assert_int_equal(STAT(f, negative_hits), 1);
	assert_int_equal(restore(f, "n"), -ENOENT);
	assert_int_equal(core_clear_negative_paths(f->core), 1);

	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 2);
	assert_state(f, "n", 0x10);
}

/* ---- what takes it away ------------------------------------------------------------------------- */

static void clearing_tells_how_many_there_were_and_they_are_asked_about_again(void **state)
{
	struct fake *f = *state;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	check_remembered(f, CORE_ROOT_ID, "m");
	check_remembered(f, CORE_ROOT_ID, "n");
	check_remembered(f, find(f, "d").node_id, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	assert_int_equal(core_clear_negative_paths(f->core), 3);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	find(f, "n");
	check_remembered(f, CORE_ROOT_ID, "m");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 2);
	expect_asked(f, COMMAND_PLACEHOLDER, "m", 2);
}

static void clearing_expires_the_names_in_the_kernel(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	check_remembered(f, CORE_ROOT_ID, "m");
	check_remembered(f, dir, "n");
	assert_int_equal(expired.n, 0);
	assert_int_equal(core_clear_negative_paths(f->core), 2);
	assert_int_equal(expired.n, 2);
	assert_true(has_expired(CORE_ROOT_ID, "m"));
	assert_true(has_expired(dir, "n"));
}

static void a_name_that_the_kernel_did_not_hear_of_does_not_expire(void **state)
{
	struct fake *f = *state;

	put_full_file(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	assert_int_equal(expired.n, 0);
}

static void a_name_expires_in_the_node_that_the_directory_has_now(void **state)
{
	struct fake *f = *state;
	uint64_t former, dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	former = find(f, "d").node_id;
	check_remembered(f, former, "n");
	forget_only_node(f, former);
	dir = find(f, "d").node_id;
	assert_int_not_equal(former, dir);
	check_remembered(f, dir, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 1);
	expired.n = 0;
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	assert_int_equal(expired.n, 1);
	assert_true(has_expired(dir, "n"));
}

/* Both show what the provider has as "d": the one that was renamed, and the one restored in its place. */
static void a_name_that_two_directories_share_expires_in_both(void **state)
{
	struct fake *f = *state;
	uint64_t renamed, again;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	renamed = find(f, "d").node_id;
	assert_int_equal(move(f, CORE_ROOT_ID, "d", CORE_ROOT_ID, "e", 0), 0);
	assert_int_equal(restore(f, "d"), 0);
	again = find(f, "d").node_id;
	assert_int_not_equal(renamed, again);
	expired.n = 0;
	check_remembered(f, renamed, "n");
	check_remembered(f, again, "n");
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	assert_true(has_expired(renamed, "n"));
	assert_true(has_expired(again, "n"));
}

static void writing_a_placeholder_ends_the_absence_of_that_name_only(void **state)
{
	struct fake *f = *state;
	uint64_t hits;

	check_remembered(f, CORE_ROOT_ID, "m");
	check_remembered(f, CORE_ROOT_ID, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	assert_int_equal(write_placeholder(f, "n"), 0);
	f->n_kept++;
	assert_int_equal(expired.n, 1);
	assert_true(has_expired(CORE_ROOT_ID, "n"));
	hits = STAT(f, negative_hits);
	find(f, "n");
	assert_int_equal(STAT(f, negative_hits), hits);
	check_remembered(f, CORE_ROOT_ID, "m");
	expect_asked(f, COMMAND_PLACEHOLDER, "m", 1);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
}

static void a_placeholder_in_a_directory_that_is_not_known_ends_the_absence_too(void **state)
{
	struct fake *f = *state;
	uint64_t dir;

	fake_add(f, "d", RECORD_DIRECTORY, 0);
	dir = find(f, "d").node_id;
	check_remembered(f, dir, "n");
	forget_only_node(f, dir);
	fake_add(f, "d/n", RECORD_FILE, 5);
	assert_int_equal(write_placeholder(f, "d/n"), -ENOENT);
	find(f, "d/n");
	expect_asked(f, COMMAND_PLACEHOLDER, "d/n", 2);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
}

static void a_name_that_is_absent_again_is_known_again(void **state)
{
	struct fake *f = *state;
	struct fake_item *item = fake_add(f, "n", RECORD_FILE, 5);

	f->config.placeholder_timeout_ms = 0;
	restart(f);
	find(f, "n");
	item->gone = true;
	while (lookup(f, CORE_ROOT_ID, "n", &(struct core_entry){0}) == 0 &&
	       !STAT(f, negative_hits))
		; /* what was told is good for ten milliseconds, then it is asked for again */
	check_remembered(f, CORE_ROOT_ID, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 2);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
}

/* ---- answers from before ------------------------------------------------------------------------ */

/* A look-up of "n" that is at the provider. */
static void begin_lookup(struct fake *f, struct request *r)
{
	f->gate = KIND(PLACEHOLDER);
	request_init(f, r, WANT_ENTRY);
	core_lookup(f->core, &r->req, CORE_ROOT_ID, "n");
	fake_wait_gated(f, 1);
}

static void check_next_is_asked(struct fake *f)
{
	fake_add(f, "n", RECORD_FILE, 5);
	f->error[COMMAND_PLACEHOLDER] = 0;
	find(f, "n");
	expect_asked(f, COMMAND_PLACEHOLDER, "n", 2);
}

static void an_answer_from_before_the_clearing_is_not_remembered(void **state)
{
	struct fake *f = *state;
	struct request r;

	begin_lookup(f, &r);
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	fake_open_gate(f);
	assert_int_equal(request_wait(&r), -ENOENT);
	request_deinit(&r);
	check_next_is_asked(f);
}

static void nor_does_a_stable_view_let_the_kernel_remember_it(void **state)
{
	use_stable_view(*state);
	an_answer_from_before_the_clearing_is_not_remembered(state);
}

/* The provider says both, that there is one and that there is none. */
static void an_answer_from_before_a_placeholder_is_not_remembered(void **state)
{
	struct fake *f = *state;
	struct request r;

	f->error[COMMAND_PLACEHOLDER] = -ENOENT;
	begin_lookup(f, &r);
	assert_int_equal(write_placeholder(f, "n"), 0);
	fake_open_gate(f);
	assert_int_equal(request_wait(&r), -ENOENT);
	request_deinit(&r);
	check_next_is_asked(f);
}

static void an_answer_about_another_name_is_remembered(void **state)
{
	struct fake *f = *state;
	uint64_t before[8];
	size_t n = 0;
	char name[2] = "";

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		name[0] = (char)('a' + i);
		before[i] = negative_generation(f->core, name);
	}
	negative_remove(f->core, "n");
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		name[0] = (char)('a' + i);
		negative_add(f->core, name, before[i]);
		n += negative_knows(f->core, f->core->root, name);
	}
	/* One in a thousand is mistaken for it, so not all eight. */
	assert_true(n > 0);
}

/* ---- with a stable view ------------------------------------------------------------------------- */

static void in_a_stable_view_without_the_flag_clearing_does_nothing(void **state)
{
	struct fake *f = *state;

	f->config.negative_path_cache = false;
	use_stable_view(f);
	check_remembered(f, CORE_ROOT_ID, "n");
	assert_int_equal(core_clear_negative_paths(f->core), 0);
	assert_int_equal(write_placeholder(f, "n"), 0);
	f->n_kept++;
	assert_int_equal(expired.n, 0);
}

static void in_a_stable_view_with_the_flag_clearing_expires_names(void **state)
{
	struct fake *f = *state;

	use_stable_view(f);
	check_remembered(f, CORE_ROOT_ID, "n");
	fake_add(f, "n", RECORD_FILE, 5);
	assert_int_equal(core_clear_negative_paths(f->core), 1);
	assert_true(has_expired(CORE_ROOT_ID, "n"));
	find(f, "n");
}

static void in_a_stable_view_removed_names_are_remembered_as_ever(void **state)
{
	struct fake *f = *state;

	use_stable_view(f);
	fake_add(f, "n", RECORD_FILE, 5);
	find(f, "n");
	assert_int_equal(remove_file(f, CORE_ROOT_ID, "n"), 0);
	check_remembered(f, CORE_ROOT_ID, "n");
	assert_int_equal(core_clear_negative_paths(f->core), 0);
}

/* ---- all at once -------------------------------------------------------------------------------- */

#define N_ROUNDS 300
#define N_NAMES 8

/* It has the name or not, as it likes. */
static int answer_by_chance(struct fake *f, const struct fake_call *call)
{
	static atomic_uint n;

	if (call->kind != COMMAND_PLACEHOLDER || atomic_fetch_add(&n, 1) % 3 == 0)
		return fake_answer(f, call);
	return -ENOENT;
}

static void *look(void *arg)
{
	char name[8];

	for (int i = 0; i < N_ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i % N_NAMES);
		(void)lookup(arg, CORE_ROOT_ID, name, NULL);
	}
	return NULL;
}

static void *write_some(void *arg)
{
	char name[8];

	for (int i = 0; i < N_ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i % N_NAMES);
		(void)write_placeholder(arg, name);
	}
	return NULL;
}

static void *clear(void *arg)
{
	struct fake *f = arg;

	for (int i = 0; i < N_ROUNDS; i++)
		(void)core_clear_negative_paths(f->core);
	return NULL;
}

static void after_much_at_once_what_is_there_is_found(void **state)
{
	static void *(*const jobs[])(void *) = {look, look, write_some, clear};
	pthread_t threads[ARRAY_SIZE(jobs)];
	struct fake *f = *state;
	char name[8];

	f->may_keep = true;
	for (int i = 0; i < N_NAMES; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		fake_add(f, name, RECORD_FILE, 5);
	}
	f->hook = answer_by_chance;
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], f), 0);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		pthread_join(threads[i], NULL);
	f->hook = NULL;
	(void)core_clear_negative_paths(f->core);
	for (int i = 0; i < N_NAMES; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		find(f, name);
	}
	assert_int_equal(core_clear_negative_paths(f->core), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(an_absent_name_is_asked_about_once),
	        T(a_pended_answer_is_remembered_too),
	        T(without_the_flag_nothing_is_remembered),
	        T(a_failure_is_not_remembered),
	        T(a_listing_without_a_name_does_not_make_it_known_as_absent),
	        T(what_lies_under_a_file_is_found_out_for_look_ups_too),
	        T(names_are_compared_byte_for_byte),
	        T(names_are_kept_by_the_providers_path),
	        T(beyond_the_limit_no_name_is_added),
	        T(a_new_instance_begins_with_none),
	        T(a_file_of_ones_own_is_found_and_the_name_stays_known),
	        T(what_a_listing_shows_is_found_and_the_name_stays_known),
	        T(a_stable_listing_answers_before_it),
	        T(it_answers_what_lies_under_a_file),
	        T(clearing_tells_how_many_there_were_and_they_are_asked_about_again),
	        T(clearing_expires_the_names_in_the_kernel),
	        T(a_name_that_the_kernel_did_not_hear_of_does_not_expire),
	        T(a_name_expires_in_the_node_that_the_directory_has_now),
	        T(a_name_that_two_directories_share_expires_in_both),
	        T(writing_a_placeholder_ends_the_absence_of_that_name_only),
	        T(a_placeholder_in_a_directory_that_is_not_known_ends_the_absence_too),
	        T(a_name_that_is_absent_again_is_known_again),
	        T(an_answer_from_before_the_clearing_is_not_remembered),
	        T(nor_does_a_stable_view_let_the_kernel_remember_it),
	        T(an_answer_from_before_a_placeholder_is_not_remembered),
	        T(an_answer_about_another_name_is_remembered),
	        T(in_a_stable_view_without_the_flag_clearing_does_nothing),
	        T(in_a_stable_view_with_the_flag_clearing_expires_names),
	        T(in_a_stable_view_removed_names_are_remembered_as_ever),
	        T(after_much_at_once_what_is_there_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
