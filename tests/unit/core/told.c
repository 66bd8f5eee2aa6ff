/* SPDX-License-Identifier: MIT */
#include "told.h"

#include <stdio.h>

static int answer(struct fake *f, const struct fake_call *call)
{
	struct core_completion more = {.has_mask = true};
	uint32_t vetoed, masked;
	int error;

	if (call->kind != COMMAND_NOTIFY)
		return fake_answer(f, call);
	pthread_mutex_lock(&f->lock);
	vetoed = f->vetoed;
	masked = f->masked;
	error = f->veto;
	more.mask = f->mask;
	pthread_mutex_unlock(&f->lock);
	if (call->event & vetoed)
		return error;
	if (!(call->event & masked))
		return 0;
	assert_int_equal(core_complete(f->core, call->id, 0, &more), 0);
	return CORE_PENDING;
}

void veto(struct fake *f, uint32_t events, int error)
{
	pthread_mutex_lock(&f->lock);
	f->vetoed = events;
	f->veto = error;
	pthread_mutex_unlock(&f->lock);
}

void answer_mask(struct fake *f, uint32_t events, uint32_t mask)
{
	pthread_mutex_lock(&f->lock);
	f->masked = events;
	f->mask = mask;
	pthread_mutex_unlock(&f->lock);
}

void listen_to(struct fake *f, const struct core_mapping *mappings, size_t n)
{
	f->config.mappings = mappings;
	f->config.n_mappings = n;
	f->config.n_callback_threads = 1;
	fake_restart(f);
	/* The core has copies. */
	f->config.mappings = NULL;
	f->config.n_mappings = 0;
	f->n_told = 0;
	f->hook = answer;
}

static const char *event_name(uint32_t event)
{
	static const struct {
		uint32_t event;
		const char *name;
	} names[] = {
	        {CORE_EVENT_OPENED, "opened"},           {CORE_EVENT_CREATED, "created"},
	        {CORE_EVENT_OVERWRITTEN, "overwritten"}, {CORE_EVENT_PRE_DELETE, "pre-delete"},
	        {CORE_EVENT_PRE_RENAME, "pre-rename"},   {CORE_EVENT_PRE_LINK, "pre-link"},
	        {CORE_EVENT_RENAMED, "renamed"},         {CORE_EVENT_LINKED, "linked"},
	        {CORE_EVENT_CLOSED, "closed"},           {CORE_EVENT_CLOSED_MODIFIED, "modified"},
	        {CORE_EVENT_CLOSED_DELETED, "deleted"},  {CORE_EVENT_PRE_CONVERT, "pre-convert"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].event == event)
			return names[i].name;
	return "unknown";
}

static const char *path_name(const struct fake_call *call)
{
	if (*call->path)
		return call->path;
	return call->is_directory ? "." : "nowhere";
}

/*
 * The one callback thread has returned from all of them.  One about an item is queued when that before it has
 * returned, so a callback of another kind may come in between.
 */
static void wait_for_all(struct fake *f)
{
	char name[32];

	do {
		(void)snprintf(name, sizeof(name), "absent-%zu", fake_count(f, COMMAND_PLACEHOLDER));
		assert_int_equal(lookup(f, CORE_ROOT_ID, name, NULL), -ENOENT);
	} while (STAT(f, n_commands) > 0);
}

const char *told(struct fake *f)
{
	char *text = f->told;
	size_t size = sizeof(f->told);

	wait_for_all(f);
	*text = '\0';
	pthread_mutex_lock(&f->lock);
	for (; f->n_told < f->n_calls; f->n_told++) {
		const struct fake_call *call = &f->calls[f->n_told];
		int n;

		if (call->kind != COMMAND_NOTIFY)
			continue;
		n = snprintf(text, size, "%s%s %s%s%s%s%s", text == f->told ? "" : "; ",
		             event_name(call->event), path_name(call),
		             call->is_directory ? "/" : "", call->is_modified ? "+" : "",
		             *call->destination ? " " : "", call->destination);
		assert_true(n > 0 && (size_t)n < size);
		text += n;
		size -= (size_t)n;
	}
	pthread_mutex_unlock(&f->lock);
	return f->told;
}

/* ---- open files ---------------------------------------------------------------------------------- */

int open_file(struct fake *f, uint64_t id, uint32_t flags, uint64_t *ret_handle)
{
	struct request r;
	int error;

	request_init(f, &r, WANT_HANDLE);
	core_open(f->core, &r.req, id, flags, false);
	error = request_wait(&r);
	if (error == 0)
		*ret_handle = r.handle;
	request_deinit(&r);
	return error;
}

static int end_created(struct request *r, uint64_t *ret_id, uint64_t *ret_handle)
{
	int error = request_wait(r);

	if (error == 0) {
		*ret_id = r->entry.node_id;
		*ret_handle = r->req.ret.created.handle;
	}
	request_deinit(r);
	return error;
}

int create_file(struct fake *f, uint64_t dir, const char *name, uint64_t *ret_id,
                uint64_t *ret_handle)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_create(f->core, &r.req, dir, name, O_RDWR | O_CREAT | O_TRUNC, 0644, 0);
	return end_created(&r, ret_id, ret_handle);
}

int create_unnamed(struct fake *f, uint64_t dir, uint64_t *ret_id, uint64_t *ret_handle)
{
	struct request r;

	request_init(f, &r, WANT_ENTRY);
	core_tmpfile(f->core, &r.req, dir, O_RDWR, 0644, 0);
	return end_created(&r, ret_id, ret_handle);
}

void close_file(struct fake *f, uint64_t id, uint64_t handle)
{
	core_release(f->core, id, handle);
}

uint64_t text_file(struct fake *f, uint64_t dir, const char *name, const char *text)
{
	uint64_t id, handle;

	assert_int_equal(create_file(f, dir, name, &id, &handle), 0);
	assert_int_equal(write_text(f, id, 0, text), 0);
	close_file(f, id, handle);
	return id;
}

int cut_open(struct fake *f, uint64_t id, uint64_t size)
{
	return set_attr(f, id,
	                &(struct core_setattr){.fields = CORE_CHANGE_SIZE | CORE_CHANGE_BY_HANDLE,
	                                       .size = size});
}
