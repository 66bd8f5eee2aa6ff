/* SPDX-License-Identifier: MIT */
#include "crash.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const kind_names[N_KINDS] = {
        "nothing",    "tombstone", "marker",        "hydrated",   "local",
        "local link", "local dir", "projected dir", "hollow dir", "empty dir",
};

bool is_dir_kind(enum kind kind)
{
	return kind >= LOCAL_DIR;
}

static void put_marker(struct store *s, const char *path)
{
	struct record rec = file_record(100);

	rec.fields |= RECORD_ORIGIN;
	rec.origin = bytes_of("origin");
	assert_int_equal(store_write_marker(s, path, &rec), 0);
}

static void put_dir(struct store *s, const struct fixture *f, enum kind kind, const char *path)
{
	const struct record rec = dir_record();
	const struct store_dir dir = {.path = path, .origin = path, .rec = &rec};
	char inner[256];

	if (kind == LOCAL_DIR || kind == EMPTY_DIR)
		assert_int_equal(mkdir(fixture_at(f, path), 0755), 0);
	else
		assert_int_equal(store_make_dirs(s, &dir, 1), 0);
	if (kind == EMPTY_DIR)
		return;
	(void)snprintf(inner, sizeof(inner), "%s/gone", path);
	assert_int_equal(store_remove(s, inner, true), 0);
	(void)snprintf(inner, sizeof(inner), "%s/inner", path);
	if (kind != HOLLOW_DIR)
		write_file(fixture_at(f, inner), path);
}

void put(struct store *s, const struct fixture *f, enum kind kind, const char *path)
{
	switch (kind) {
	case NOTHING:
	case N_KINDS:
		break;
	case TOMBSTONE:
		assert_int_equal(store_remove(s, path, true), 0);
		break;
	case MARKER:
		put_marker(s, path);
		break;
	case HYDRATED:
		assert_int_equal(hydrate(s, path, path, NULL), 0);
		break;
	case LOCAL:
		write_file(fixture_at(f, path), path);
		break;
	case LOCAL_LINK:
		assert_int_equal(symlink("some/where", fixture_at(f, path)), 0);
		break;
	case LOCAL_DIR:
	case PROJECTED_DIR:
	case HOLLOW_DIR:
	case EMPTY_DIR:
		put_dir(s, f, kind, path);
		break;
	}
}

/* ---- what can be seen ---------------------------------------------------------------------------- */

struct names {
	char *list[64];
	size_t n;
};

static int add_name(void *context, const char *name, unsigned char type)
{
	struct names *names = context;

	assert_true(names->n < 64);
	names->list[names->n++] = strdup(name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void describe(struct store *s, const char *path, const struct store_item *item,
                     struct buf *out)
{
	char content[256] = "";
	char line[1024];
	int fd;

	if (S_ISREG(item->st.st_mode)) {
		fd = store_open_file(s, path, O_RDONLY);
		assert_true(fd >= 0);
		assert_true(read(fd, content, sizeof(content) - 1) >= 0);
		close(fd);
	}
	(void)snprintf(line, sizeof(line), "%s state %d mode %o rec %zu content '%s'\n", path,
	               item->state, item->st.st_mode, item->rec.size, content);
	buf_append(out, line, strlen(line));
}

static void snapshot_dir(struct store *s, const char *dir, struct buf *out)
{
	struct names names = {.n = 0};

	assert_int_equal(store_list(s, dir, add_name, &names), 0);
	qsort(names.list, names.n, sizeof(names.list[0]), by_name);
	for (size_t i = 0; i < names.n; i++) {
		struct store_item item;
		char path[512];

		(void)snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", names.list[i]);
		assert_int_equal(store_lookup(s, path, &item), 0);
		if (item.state != STORE_NONE)
			describe(s, path, &item, out);
		if (S_ISDIR(item.st.st_mode))
			snapshot_dir(s, path, out);
		store_item_deinit(&item);
		free(names.list[i]);
	}
}

void snapshot(struct store *s, struct buf *ret)
{
	snapshot_dir(s, "", ret);
	buf_append_u8(ret, '\0');
	assert_false(ret->failed);
}

/* ---- crashes ----------------------------------------------------------------------------------------- */

/* In a process that dies at step @n. True: it got through. */
static bool gets_through(const struct fixture *f, const struct crash_case *c, unsigned n)
{
	struct errmsg err;
	struct store *s;
	char step[32];
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)snprintf(step, sizeof(step), "kill:%u", n);
		setenv("PROJFS_STORE_STEP", step, 1);
		if (store_open(f->path, &s, &err) < 0)
			_exit(1);
		if (c && c->work(s, c->context) < 0)
			_exit(2);
		store_free(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	if (WEXITSTATUS(status) != 0)
		fail_msg("%s, step %u: the process said %d", c ? c->name : "start", n,
		         WEXITSTATUS(status));
	return true;
}

static void fresh(void **state, const struct crash_case *c, struct buf *ret_before)
{
	struct fixture *f;

	assert_int_equal(fixture_setup(state), 0);
	f = *state;
	c->prepare(f->store, f, c->context);
	if (ret_before)
		snapshot(f->store, ret_before);
	f->store = store_free(f->store);
}

static void look_after(const struct fixture *f, struct buf *ret)
{
	struct errmsg err;
	struct store *s;

	if (store_open(f->path, &s, &err) < 0)
		fail_msg("%s", err.text);
	snapshot(s, ret);
	assert_int_equal(count_private(f, "intent"), 0);
	assert_int_equal(count_private(f, "tmp"), 0);
	assert_int_equal(count_private(f, "open"), 0);
	store_free(s);
}

static void compare(const struct crash_case *c, unsigned n, const struct buf *before,
                    const struct buf *after, const struct buf *now)
{
	const char *text = (const char *)now->data;

	if (strcmp(text, (const char *)before->data) != 0 &&
	    strcmp(text, (const char *)after->data) != 0)
		fail_msg("%s, crash at step %u\nbefore:\n%s\nafter:\n%s\nbut:\n%s\n", c->name, n,
		         (const char *)before->data, (const char *)after->data, text);
}

static bool crash_once(const struct crash_case *c, unsigned n, const struct buf *before,
                       const struct buf *after)
{
	_cleanup_(buf_deinit) struct buf now = {0};
	void *state;
	bool through;

	fresh(&state, c, NULL);
	through = gets_through(state, c, n);
	if (!through) {
		for (unsigned m = 1; !gets_through(state, NULL, m); m++)
			;
	}
	look_after(state, &now);
	compare(c, n, through ? after : before, after, &now);
	fixture_teardown(&state);
	if (c->disable)
		setenv("PROJFS_DISABLE", c->disable, 1);
	return through;
}

void crash_everywhere(const struct crash_case *c)
{
	_cleanup_(buf_deinit) struct buf before = {0};
	_cleanup_(buf_deinit) struct buf after = {0};
	void *state;
	unsigned n = 1;

	if (c->disable)
		setenv("PROJFS_DISABLE", c->disable, 1);
	fresh(&state, c, &before);
	assert_true(gets_through(state, c, 0));
	look_after(state, &after);
	fixture_teardown(&state);
	if (c->disable)
		setenv("PROJFS_DISABLE", c->disable, 1);
	while (!crash_once(c, n, &before, &after))
		n++;
	assert_true(n > 1); /* there was a step */
	unsetenv("PROJFS_DISABLE");
}
