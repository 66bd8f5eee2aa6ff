/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include <fcntl.h>
#include <stdio.h>

static int end(struct request *r, struct core_entry *ret)
{
	int error = request_wait(r);

	if (error == 0 && ret)
		*ret = r->entry;
	request_deinit(r);
	return error;
}

int make_file(struct fake *f, uint64_t dir, const char *name, struct core_entry *ret)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_create(f->core, &r.req, dir, name, O_RDWR, 0644, 0);
	return end(&r, ret);
}

uint64_t make_text(struct fake *f, uint64_t dir, const char *name, const char *text)
{
	struct core_entry entry;

	assert_int_equal(make_file(f, dir, name, &entry), 0);
	assert_int_equal(write_text(f, entry.node_id, 0, text), 0);
	return entry.node_id;
}

int make_dir(struct fake *f, uint64_t dir, const char *name, struct core_entry *ret)
{
	return make_node(f, dir, name, S_IFDIR | 0755, ret);
}

int make_symlink(struct fake *f, uint64_t dir, const char *name, const char *target,
                 struct core_entry *ret)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_symlink(f->core, &r.req, dir, name, target);
	return end(&r, ret);
}

int make_node(struct fake *f, uint64_t dir, const char *name, uint32_t mode, struct core_entry *ret)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_mknod(f->core, &r.req, dir, name, mode, 0, 0);
	return end(&r, ret);
}

int make_unnamed(struct fake *f, uint64_t dir, struct core_entry *ret)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_tmpfile(f->core, &r.req, dir, O_RDWR, 0644, 0);
	return end(&r, ret);
}

int add_name(struct fake *f, uint64_t id, uint64_t dir, const char *name)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_link(f->core, &r.req, id, dir, name);
	return end(&r, NULL);
}

static int remove_name(struct fake *f, uint64_t dir, const char *name, bool is_dir)
{
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_unlink(f->core, &r.req, dir, name, is_dir);
	return end(&r, NULL);
}

int remove_file(struct fake *f, uint64_t dir, const char *name)
{
	return remove_name(f, dir, name, false);
}

int remove_dir(struct fake *f, uint64_t dir, const char *name)
{
	return remove_name(f, dir, name, true);
}

int move(struct fake *f, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name,
         uint32_t flags)
{
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_rename(f->core, &r.req, dir, name, new_dir, new_name, flags);
	return end(&r, NULL);
}

int write_text(struct fake *f, uint64_t id, uint64_t offset, const char *text)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_COUNT);
	core_write(f->core, &r.req, id, offset, text, strlen(text), false);
	error = request_wait(&r);
	if (error == 0 && r.length != strlen(text))
		error = -ENOSPC;
	request_deinit(&r);
	return error;
}

int set_attr(struct fake *f, uint64_t id, const struct core_setattr *change)
{
	struct request r;

	request_init(f, &r, WANT_ATTR);
	core_setattr(f->core, &r.req, id, change);
	return end(&r, NULL);
}

int cut(struct fake *f, uint64_t id, uint64_t size)
{
	return set_attr(f, id, &(struct core_setattr){.fields = CORE_CHANGE_SIZE, .size = size});
}

int change_mode(struct fake *f, uint64_t id, uint32_t mode)
{
	return set_attr(f, id, &(struct core_setattr){.fields = CORE_CHANGE_MODE, .mode = mode});
}

int sync_node(struct fake *f, uint64_t id)
{
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_fsync(f->core, &r.req, id, false);
	return end(&r, NULL);
}

int set_xattr(struct fake *f, uint64_t id, const char *name, const char *value, uint32_t flags)
{
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_setxattr(f->core, &r.req, id, name, value, strlen(value), flags);
	return end(&r, NULL);
}

int remove_xattr(struct fake *f, uint64_t id, const char *name)
{
	struct request r;

	request_init(f, &r, WANT_NOTHING);
	core_removexattr(f->core, &r.req, id, name);
	return end(&r, NULL);
}

int restore(struct fake *f, const char *path)
{
	struct core_ioctl_restore arg = {0};
	struct request r;

	(void)snprintf(arg.path, sizeof(arg.path), "%s", path);
	request_init(f, &r, WANT_NOTHING);
	core_ioctl(f->core, &r.req, CORE_ROOT_ID, CORE_IOCTL_RESTORE, &arg, sizeof(arg));
	return end(&r, NULL);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The bytes of an answer as a string of their own. */
static char *take_text(struct request *r)
{
	char *text = calloc(1, r->length + 1);

	assert_non_null(text);
	if (r->length)
		memcpy(text, r->data, r->length);
	request_deinit(r);
	return text;
}

char *text_of(struct fake *f, uint64_t id)
{
	struct request r;

	request_init(f, &r, WANT_DATA);
	core_read(f->core, &r.req, id, 0, 0, 65536);
	assert_int_equal(request_wait(&r), 0);
	return take_text(&r);
}

char *xattr_of(struct fake *f, uint64_t id, const char *name)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_BYTES);
	core_getxattr(f->core, &r.req, id, name);
	error = request_wait(&r);
	if (error == 0)
		return take_text(&r);
	assert_int_equal(error, -ENODATA);
	request_deinit(&r);
	return NULL;
}

char *target_of(struct fake *f, uint64_t id)
{
	struct request r;

	request_init(f, &r, WANT_BYTES);
	core_readlink(f->core, &r.req, id);
	assert_int_equal(request_wait(&r), 0);
	return take_text(&r);
}

void assert_text(struct fake *f, uint64_t id, const char *text)
{
	char *is = text_of(f, id);

	assert_string_equal(is, text);
	free(is);
}

void assert_names(struct fake *f, uint64_t dir, const char *names)
{
	char *are = names_of(f, dir);

	assert_string_equal(are, names);
	free(are);
}

void assert_state(struct fake *f, const char *path, uint32_t bits)
{
	struct core_ioctl_state state;
	int r = state_of(f, path, 0, &state);

	if (r != 0)
		fail_msg("state of \"%s\": %s", path, strerror(-r));
	if (state.state != bits)
		fail_msg("state of \"%s\" is 0x%x, not 0x%x", path, state.state, bits);
}

void assert_missing(struct fake *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
	uint64_t id = slash ? find(f, dir).node_id : CORE_ROOT_ID;
	struct core_entry entry;
	int r = lookup(f, id, slash ? slash + 1 : path, &entry);

	free(dir);
	if (r == 0 && entry.node_id)
		fail_msg("\"%s\" is there", path);
	if (r != 0)
		assert_int_equal(r, -ENOENT);
}

size_t times_asked(struct fake *f, enum command_kind kind, const char *path)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n_calls; i++)
		n += f->calls[i].kind == kind && !strcmp(f->calls[i].path, path);
	pthread_mutex_unlock(&f->lock);
	return n;
}

void expect_asked(struct fake *f, enum command_kind kind, const char *path, size_t times)
{
	size_t n = times_asked(f, kind, path);

	if (n != times)
		fail_msg("\"%s\" was asked for %zu times, not %zu", path, n, times);
}

/* Returns how many look-ups were taken off the account. */
static uint64_t take_seen(struct fake *f, uint64_t id, bool all)
{
	uint64_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n_seen; i++) {
		if (f->seen[i].id != id)
			continue;
		n = all ? f->seen[i].n : 1;
		f->seen[i].n -= n;
		if (!f->seen[i].n)
			f->seen[i] = f->seen[--f->n_seen];
		break;
	}
	pthread_mutex_unlock(&f->lock);
	return n;
}

static void forget(struct fake *f, uint64_t id, bool all)
{
	uint64_t n = take_seen(f, id, all);

	if (n)
		core_forget(f->core, id, n);
}

void forget_one(struct fake *f, uint64_t id)
{
	forget(f, id, false);
}

void forget_all(struct fake *f, uint64_t id)
{
	forget(f, id, true);
}
