/* SPDX-License-Identifier: MIT */
/* Questions about items by their path in the file system, from any process: through the mount's root by
 * ioctl when an instance runs, from the disk when none does. */

#include <prj/prj.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/result.h"
#include "core/ioctl.h"
#include "fuse/mount.h"
#include "store/store.h"
#include "util/macros.h"

/* Make @path absolute and clean without touching the file system: looking things up would change their state. */
static int absolute(const char *path, char ret[PATH_MAX])
{
	char joined[2 * PATH_MAX], *rest = joined, *name;
	size_t n = 0;

	if (*path == '/') {
		(void)snprintf(joined, sizeof(joined), "%s", path);
	} else {
		char cwd[PATH_MAX];

		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		(void)snprintf(joined, sizeof(joined), "%s/%s", cwd, path);
	}
	ret[0] = '\0';
	while ((name = strsep(&rest, "/"))) {
		size_t size = strlen(name);

		if (!size || !strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			while (n && ret[--n] != '/')
				;
			ret[n] = '\0';
			continue;
		}
		if (n + size + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		ret[n++] = '/';
		memcpy(ret + n, name, size + 1);
		n += size;
	}
	if (!n)
		(void)strcpy(ret, "/");
	return 0;
}

/* The same with the symbolic links in its directory followed: for paths that no mount covers literally. */
static int resolved(const char *path, char ret[PATH_MAX])
{
	char copy[PATH_MAX], dir[PATH_MAX], *slash;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	slash = strrchr(copy, '/');
	if (slash == copy || !slash)
		return absolute(path, ret);
	*slash = '\0';
	if (!realpath(copy, dir))
		return -errno;
	if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", slash + 1) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

struct location {
	char path[PATH_MAX]; /* absolute */
	char root[PATH_MAX]; /* "" outside of every root */
	const char *relative; /* in path */
	bool running;
};

static bool store_above(const char *path, char ret_root[PATH_MAX])
{
	char *slash;

	(void)snprintf(ret_root, PATH_MAX, "%s", path);
	for (;;) {
		if (store_is_root(ret_root) == 1)
			return true;
		slash = strrchr(ret_root, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
}

static int locate(const char *path, struct location *ret)
{
	int r = absolute(path, ret->path);

	if (r < 0)
		return r;
	ret->running = fuse_mount_find(ret->path, ret->root) == 1;
	if (!ret->running) {
		char other[PATH_MAX];

		r = resolved(ret->path, other);
		if (r < 0)
			return r;
		memcpy(ret->path, other, sizeof(other));
		ret->running = fuse_mount_find(ret->path, ret->root) == 1;
	}
	if (ret->running && fuse_mount_is_dead(ret->root) == 1)
		return -ENOTCONN;
	if (!ret->running && !store_above(ret->path, ret->root))
		ret->root[0] = '\0';
	ret->relative = ret->path + strlen(ret->root);
	ret->relative += *ret->relative == '/';
	return 0;
}

static prj_result not_found(int r, const char *path)
{
	switch (r) {
	case -ENOENT:
		return fail(PRJ_ERR_FILE_NOT_FOUND, "\"%s\": no such file or directory", path);
	case -ENOTDIR:
		return fail(PRJ_ERR_PATH_NOT_FOUND, "\"%s\": a directory on the way does not exist", path);
	case -ENOTCONN:
		return fail(PRJ_ERR_VIRTUALIZATION_UNAVAILABLE, "\"%s\": the instance of this root has died; "
			    "projfs umount removes its mount", path);
	default:
		return fail_errno(r, "\"%s\": %s", path, strerror(-r));
	}
}

static int ask_instance(const struct location *at, uint32_t flags, struct core_ioctl_state *ret)
{
	_cleanup_(closep) int fd = open(at->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);

	if (fd < 0)
		fd = open(at->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = (struct core_ioctl_state){.flags = flags};
	(void)snprintf(ret->path, sizeof(ret->path), "%s", at->relative);
	return ioctl(fd, CORE_IOCTL_STATE, ret) < 0 ? -errno : 0;
}

static uint32_t state_of_item(const struct store_item *item, const struct record *rec)
{
	uint32_t dirty = (rec && rec->flags & (RECORD_FLAG_DIRTY | RECORD_FLAG_ADOPTED)) ||
					 item->meta_differs ? PRJ_FILE_STATE_DIRTY_PLACEHOLDER : 0;

	switch (item->state) {
	case STORE_HYDRATED:
		return PRJ_FILE_STATE_PLACEHOLDER | PRJ_FILE_STATE_HYDRATED_PLACEHOLDER | dirty;
	case STORE_PLACEHOLDER:
	case STORE_DIRECTORY:
		return PRJ_FILE_STATE_PLACEHOLDER | dirty;
	case STORE_TOMBSTONE:
		return PRJ_FILE_STATE_TOMBSTONE;
	default:
		return PRJ_FILE_STATE_FULL;
	}
}

static void copy_ids(const struct record *rec, struct core_ioctl_state *ret)
{
	if (rec->provider_id.size)
		memcpy(ret->provider_id, rec->provider_id.data, rec->provider_id.size);
	if (rec->content_id.size)
		memcpy(ret->content_id, rec->content_id.data, rec->content_id.size);
}

/* Nothing runs: the disk is all there is. */
static int ask_disk(const struct location *at, struct core_ioctl_state *ret)
{
	struct store_item item = {0};
	struct store *store = NULL;
	struct record rec;
	bool has_rec;
	int r = store_open_readonly(at->root, &store, NULL);

	if (r == 0)
		r = store_lookup(store, at->relative, &item);
	if (r == 0 && item.state == STORE_NONE)
		r = -ENOTCONN;
	else if (r == 0 && item.state == STORE_DAMAGED)
		r = -EBADMSG;
	if (r == 0) {
		has_rec = item.rec.size && record_decode(item.rec.data, item.rec.size, &rec) == 0;
		*ret = (struct core_ioctl_state){
			.state = state_of_item(&item, has_rec ? &rec : NULL),
			.mode = item.state == STORE_TOMBSTONE ? 0 : item.st.st_mode,
			.size = (uint64_t)item.st.st_size,
		};
		if (has_rec)
			copy_ids(&rec, ret);
		if (S_ISREG(item.st.st_mode))
			ret->local_bytes = ret->size;
	}
	store_item_deinit(&item);
	store_free(store);
	return r;
}

static int ask_plain(const struct location *at, struct core_ioctl_state *ret)
{
	struct stat st;

	if (lstat(at->path, &st) < 0)
		return -errno;
	*ret = (struct core_ioctl_state){
		.state = PRJ_FILE_STATE_FULL,
		.mode = st.st_mode,
		.size = (uint64_t)st.st_size,
		.local_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0,
	};
	return 0;
}

static prj_result get_state(const char *path, uint32_t flags, struct core_ioctl_state *ret)
{
	struct location at;
	int r;

	if (!path || !*path)
		return fail(PRJ_ERR_INVALID_PARAMETER, "the path is empty");
	r = locate(path, &at);
	if (r < 0)
		return not_found(r, path);
	if (at.running)
		r = ask_instance(&at, flags, ret);
	else if (at.root[0])
		r = ask_disk(&at, ret);
	else
		r = ask_plain(&at, ret);
	if (r == -ENOTCONN)
		return fail(PRJ_ERR_VIRTUALIZATION_UNAVAILABLE, "\"%s\": nothing of that name is on disk, and "
			    "its root \"%s\" is not mounted", path, at.root);
	return r < 0 ? not_found(r, path) : PRJ_OK;
}

prj_result prj_get_on_disk_file_state(const char *path, uint32_t *ret_state)
{
	struct core_ioctl_state state;
	prj_result result;

	if (!ret_state)
		return fail(PRJ_ERR_INVALID_PARAMETER, "ret_state is NULL");
	result = get_state(path, 0, &state);
	if (result == PRJ_OK)
		*ret_state = state.state;
	return result;
}

prj_result prj_get_item_info(const char *path, uint32_t flags, struct prj_item_info *ret_info)
{
	struct core_ioctl_state state;
	prj_result result;

	if (!ret_info || ret_info->struct_size < sizeof(*ret_info))
		return fail(PRJ_ERR_INVALID_PARAMETER,
			    "ret_info is NULL, or its struct_size is not set to sizeof(struct prj_item_info)");
	result = get_state(path, flags & PRJ_ITEM_INFO_LISTED ? CORE_IOCTL_STATE_LISTED : 0, &state);
	if (result != PRJ_OK)
		return result;
	ret_info->state = state.state;
	ret_info->mode = state.mode;
	ret_info->size = state.size;
	ret_info->local_bytes = state.local_bytes;
	memcpy(ret_info->version_info.provider_id, state.provider_id, sizeof(state.provider_id));
	memcpy(ret_info->version_info.content_id, state.content_id, sizeof(state.content_id));
	return PRJ_OK;
}

prj_result prj_hydrate_file(const char *path)
{
	struct location at;
	struct stat st;
	int fd, r;

	if (!path || !*path)
		return fail(PRJ_ERR_INVALID_PARAMETER, "the path is empty");
	r = locate(path, &at);
	if (r < 0)
		return not_found(r, path);
	if (!at.running) {
		uint32_t state;

		/* What is on disk is all there: un-hydrated items are not. */
		return prj_get_on_disk_file_state(path, &state);
	}
	if (lstat(at.path, &st) < 0)
		return not_found(-errno, path);
	if (!S_ISREG(st.st_mode))
		return PRJ_OK;
	fd = open(at.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return not_found(-errno, path);
	r = ioctl(fd, CORE_IOCTL_HYDRATE) < 0 ? -errno : 0;
	(void)close(fd);
	return r < 0 ? fail_errno(r, "hydrating \"%s\": %s", path, strerror(-r)) : PRJ_OK;
}

prj_result prj_unmount_root(const char *root_path, int lazy)
{
	char root[PATH_MAX];
	struct errmsg err = {0};
	int r;

	if (!root_path || !*root_path)
		return fail(PRJ_ERR_INVALID_PARAMETER, "the path is empty");
	r = absolute(root_path, root);
	if (r == 0)
		r = fuse_mount_unmount(root, lazy != 0, &err);
	return r < 0 ? fail_errno(r, "%s", err.text[0] ? err.text : strerror(-r)) : PRJ_OK;
}
