/* SPDX-License-Identifier: MIT */
#include "fake_core.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/store.h"

enum { SMALL = 2, BIG = 3, SLOW = 4 };

struct content {
	int fd;
	_Atomic unsigned n_refs;
};

static struct content *content_new(int fd)
{
	struct content *c = malloc(sizeof(*c));

	*c = (struct content){.fd = fd, .n_refs = 1};
	return c;
}

int content_fd(const struct content *c)
{
	return c->fd;
}

struct content *content_ref(struct content *c)
{
	c->n_refs++;
	return c;
}

struct content *content_unref(struct content *c)
{
	if (c && --c->n_refs == 0)
		free(c);
	return NULL;
}

void fake_core_init(struct core *core)
{
	char *page = malloc(4096);

	*core = (struct core){.interrupt_result = 0};
	pthread_mutex_init(&core->lock, NULL);
	core->small_fd = memfd_create("small", MFD_CLOEXEC);
	core->big_fd = memfd_create("big", MFD_CLOEXEC);
	core->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (write(core->small_fd, FAKE_SMALL_TEXT, strlen(FAKE_SMALL_TEXT)) < 0)
		abort();
	for (int i = 0; i < FAKE_BIG_BYTES / 4096; i++) {
		memset(page, i % 251, 4096);
		if (write(core->big_fd, page, 4096) != 4096)
			abort();
	}
	free(page);
}

void fake_core_deinit(struct core *core)
{
	pthread_mutex_destroy(&core->lock);
	close(core->small_fd);
	close(core->big_fd);
	close(core->root_fd);
}

void fake_core_finish(struct core *core, int error)
{
	struct core_req *req;

	pthread_mutex_lock(&core->lock);
	req = core->parked;
	core->parked = NULL;
	pthread_mutex_unlock(&core->lock);
	if (!req)
		return;
	if (!error && !core->tree)
		req->ret = core->answer.ret;
	req->done(req, error);
}

static void park(struct core *core, struct core_req *req)
{
	pthread_mutex_lock(&core->lock);
	core->parked = req;
	pthread_mutex_unlock(&core->lock);
}

/* Takes a note of the call; in tree mode threads would get into each other's way. */
static bool noted(struct core *core, const char *name, uint64_t node_id)
{
	if (core->tree)
		return false;
	core->called = name;
	core->node_id = node_id;
	core->n_calls++;
	return true;
}

static void answer(struct core *core, struct core_req *req)
{
	if (core->park) {
		park(core, req);
		return;
	}
	req->ret = core->answer.ret;
	req->done(req, core->error);
}

static void fill_attr(uint64_t node_id, struct core_attr *ret)
{
	*ret = (struct core_attr){
	        .ino = node_id,
	        .mode = node_id == CORE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644,
	        .nlink = 1,
	        .size = node_id == BIG ? FAKE_BIG_BYTES : strlen(FAKE_SMALL_TEXT),
	        .btime.tv_sec = 1000,
	};
}

void core_lookup(struct core *core, struct core_req *req, uint64_t parent_id, const char *name)
{
	struct core_entry *e = &req->ret.entry;

	if (noted(core, "lookup", parent_id)) {
		strncpy(core->name, name, sizeof(core->name) - 1);
		answer(core, req);
		return;
	}
	if (strcmp(name, "slow") == 0) {
		park(core, req);
		return;
	}
	*e = (struct core_entry){.entry_valid_ms = CORE_FOREVER, .attr_valid_ms = CORE_FOREVER};
	e->node_id = strcmp(name, "small") == 0 ? SMALL : strcmp(name, "big") == 0 ? BIG : 0;
	fill_attr(e->node_id, &e->attr);
	req->done(req, 0);
}

void core_forget(struct core *core, uint64_t node_id, uint64_t n_lookups)
{
	if (noted(core, "forget", node_id))
		core->n_forgotten += n_lookups;
}

void core_getattr(struct core *core, struct core_req *req, uint64_t node_id)
{
	if (noted(core, "getattr", node_id)) {
		answer(core, req);
		return;
	}
	fill_attr(node_id, &req->ret.attr.attr);
	req->ret.attr.valid_ms = 0;
	req->done(req, 0);
}

void core_readlink(struct core *core, struct core_req *req, uint64_t node_id)
{
	noted(core, "readlink", node_id);
	answer(core, req);
}

void core_open(struct core *core, struct core_req *req, uint64_t node_id, uint32_t flags,
               bool kill_priv)
{
	core->numbers[0] = flags;
	core->numbers[1] = kill_priv;
	noted(core, "open", node_id);
	answer(core, req);
}

void core_opendir(struct core *core, struct core_req *req, uint64_t node_id)
{
	noted(core, "opendir", node_id);
	answer(core, req);
}

void core_release(struct core *core, uint64_t node_id, uint64_t handle)
{
	if (noted(core, "release", node_id))
		core->handle = handle;
}

void core_releasedir(struct core *core, uint64_t node_id, uint64_t handle)
{
	if (noted(core, "releasedir", node_id))
		core->handle = handle;
}

void core_read(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
               uint64_t offset, size_t size)
{
	struct content *c = content_new(node_id == BIG ? core->big_fd : core->small_fd);
	uint64_t end = node_id == BIG ? FAKE_BIG_BYTES : strlen(FAKE_SMALL_TEXT);

	if (noted(core, "read", node_id)) {
		core->handle = handle;
		core->offset = offset;
		core->size = size;
		if (core->park || core->error || core->answer.ret.read.length) {
			req->ret = core->answer.ret;
			req->ret.read.content = c;
			req->done(req, core->error);
			content_unref(c);
			return;
		}
	}
	req->ret.read.content = c;
	req->ret.read.offset = offset;
	req->ret.read.length = offset >= end ? 0 : MIN(size, end - offset);
	req->done(req, 0);
	content_unref(c);
}

static bool emit(struct core *core, struct core_req *req, const struct core_dirent *d)
{
	if (!req->emit(req, d))
		return false;
	if (!core->tree)
		core->n_taken++;
	return true;
}

void core_readdir(struct core *core, struct core_req *req, uint64_t node_id, uint64_t handle,
                  uint64_t offset, bool plus)
{
	static const struct core_dirent tree[] = {
	        {.name = ".", .name_length = 1, .next_offset = 1, .ino = 1, .type = DT_DIR},
	        {.name = "small", .name_length = 5, .next_offset = 2, .ino = SMALL, .type = DT_REG},
	        {.name = "big", .name_length = 3, .next_offset = 3, .ino = BIG, .type = DT_REG},
	};
	const struct core_dirent *dirents = core->tree ? tree : core->dirents;
	size_t n = core->tree ? ARRAY_SIZE(tree) : core->n_dirents;

	noted(core, plus ? "readdirplus" : "readdir", node_id);
	for (size_t i = offset; i < n; i++)
		if (!emit(core, req, &dirents[i]))
			break;
	req->done(req, core->error);
}

void core_getxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name)
{
	if (noted(core, "getxattr", node_id)) {
		strncpy(core->name, name, sizeof(core->name) - 1);
		answer(core, req);
		return;
	}
	req->done(req, -ENODATA);
}

void core_listxattr(struct core *core, struct core_req *req, uint64_t node_id)
{
	noted(core, "listxattr", node_id);
	answer(core, req);
}

void core_ioctl(struct core *core, struct core_req *req, uint64_t node_id, uint32_t command,
                const void *data, size_t size)
{
	if (noted(core, "ioctl", node_id))
		core->size = size;
	answer(core, req);
}

/* ---- changes: noted with what they were given, and answered as the test wants ---- */

static void changed(struct core *core, struct core_req *req, const char *what, uint64_t node_id,
                    const char *name, const char *other_name)
{
	(void)noted(core, what, node_id);
	strncpy(core->name, name ? name : "", sizeof(core->name) - 1);
	strncpy(core->other_name, other_name ? other_name : "", sizeof(core->other_name) - 1);
	answer(core, req);
}

void core_create(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
                 uint32_t flags, uint32_t mode, uint32_t umask)
{
	core->numbers[0] = mode;
	core->numbers[1] = umask;
	core->numbers[2] = flags;
	changed(core, req, "create", parent_id, name, NULL);
}

void core_tmpfile(struct core *core, struct core_req *req, uint64_t dir_id, uint32_t flags,
                  uint32_t mode, uint32_t umask)
{
	core->numbers[0] = mode;
	core->numbers[1] = umask;
	core->numbers[2] = flags;
	changed(core, req, "tmpfile", dir_id, NULL, NULL);
}

void core_mknod(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
                uint32_t mode, uint32_t rdev, uint32_t umask)
{
	core->numbers[0] = mode;
	core->numbers[1] = umask;
	core->numbers[2] = rdev;
	changed(core, req, "mknod", parent_id, name, NULL);
}

void core_symlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
                  const char *target)
{
	changed(core, req, "symlink", parent_id, name, target);
}

void core_link(struct core *core, struct core_req *req, uint64_t node_id, uint64_t parent_id,
               const char *name)
{
	core->numbers[0] = node_id;
	changed(core, req, "link", parent_id, name, NULL);
}

void core_unlink(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
                 bool dir)
{
	changed(core, req, dir ? "rmdir" : "unlink", parent_id, name, NULL);
}

void core_rename(struct core *core, struct core_req *req, uint64_t parent_id, const char *name,
                 uint64_t new_parent_id, const char *new_name, uint32_t flags)
{
	core->numbers[0] = new_parent_id;
	core->numbers[1] = flags;
	changed(core, req, "rename", parent_id, name, new_name);
}

void core_setattr(struct core *core, struct core_req *req, uint64_t node_id,
                  const struct core_setattr *change)
{
	core->change = *change;
	changed(core, req, "setattr", node_id, NULL, NULL);
}

void core_write(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
                const void *data, size_t size, bool kill_priv)
{
	core->offset = offset;
	core->size = size;
	core->numbers[0] = kill_priv;
	core->numbers[1] = size ? *(const unsigned char *)data : 0;
	changed(core, req, "write", node_id, NULL, NULL);
}

void core_fallocate(struct core *core, struct core_req *req, uint64_t node_id, uint32_t mode,
                    uint64_t offset, uint64_t length)
{
	core->numbers[0] = mode;
	core->numbers[1] = offset;
	core->numbers[2] = length;
	changed(core, req, "fallocate", node_id, NULL, NULL);
}

void core_lseek(struct core *core, struct core_req *req, uint64_t node_id, uint64_t offset,
                uint32_t whence)
{
	core->numbers[0] = offset;
	core->numbers[1] = whence;
	changed(core, req, "lseek", node_id, NULL, NULL);
}

void core_copy_range(struct core *core, struct core_req *req, uint64_t from_id,
                     uint64_t from_offset, uint64_t to_id, uint64_t to_offset, uint64_t length)
{
	core->numbers[0] = from_offset;
	core->numbers[1] = to_id;
	core->numbers[2] = to_offset;
	core->size = length;
	changed(core, req, "copy_range", from_id, NULL, NULL);
}

void core_fsync(struct core *core, struct core_req *req, uint64_t node_id, bool data_only)
{
	core->numbers[0] = data_only;
	changed(core, req, "fsync", node_id, NULL, NULL);
}

void core_setxattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name,
                   const void *value, size_t size, uint32_t flags)
{
	core->size = size;
	core->numbers[0] = flags;
	core->numbers[1] = size ? *(const unsigned char *)value : 0;
	changed(core, req, "setxattr", node_id, name, NULL);
}

void core_removexattr(struct core *core, struct core_req *req, uint64_t node_id, const char *name)
{
	changed(core, req, "removexattr", node_id, name, NULL);
}

int core_interrupt(struct core *core, uint64_t unique)
{
	if (core->tree) {
		fake_core_finish(core, -EINTR);
		return 0;
	}
	core->called = "interrupt";
	return core->interrupt_result;
}

bool core_wants_truncating_opens(const struct core *core)
{
	return !core->untracked;
}

bool core_opens_untracked(const struct core *core)
{
	return core->untracked;
}

/* Nothing but its root's descriptor is asked of the store. */
struct store *core_store(struct core *core)
{
	return (struct store *)core;
}

int store_root_fd(const struct store *s)
{
	return ((const struct core *)s)->root_fd;
}

struct job {
	void (*run)(void *arg);
	void *arg;
};

static void *job_main(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	job.run(job.arg);
	return NULL;
}

int core_run_on_disk_thread(struct core *core, void (*run)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t thread;

	*job = (struct job){.run = run, .arg = arg};
	core->n_disk_jobs++;
	if (pthread_create(&thread, NULL, job_main, job) != 0)
		abort();
	pthread_detach(thread);
	return 0;
}

void core_limit_parked_reads(struct core *core, uint64_t n)
{
	(void)core;
	(void)n;
}

void core_set_kernel(struct core *core, const struct core_kernel *kernel, void *context)
{
	core->kernel = kernel;
	core->kernel_context = context;
}
