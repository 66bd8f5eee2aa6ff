/* SPDX-License-Identifier: MIT */
/*
 * The ContentID has to change whenever the content of an item may have changed, and to stay the same when
 * the source is mounted again.  Whatever changes a file sets its ctime, which users cannot set back; the rest
 * is for file systems whose ctime is not that good.  It is written next to each local item, hence small:
 * the kind ('f', 'd' or 'l'), then as numbers of 7 bits a byte, lowest first, the top bit saying that more
 * follow: inode, size (not of directories), mtime in ns, ctime as its distance to mtime.
 */

#include "item.h"

#include "dir.h"
#include "xattrs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

bool item_is_shown(const struct statx *st)
{
	return S_ISREG(st->stx_mode) || S_ISDIR(st->stx_mode) || S_ISLNK(st->stx_mode);
}

/* The very first nanosecond of 1970, a common time in reproducible trees, would mean "now": take the second. */
static struct prj_time to_time(struct statx_timestamp time)
{
	struct prj_time ret = {.sec = time.tv_sec, .nsec = time.tv_nsec};

	if (!ret.sec && !ret.nsec)
		ret.nsec = 1;
	return ret;
}

void item_fill_basic_info(const struct statx *st, struct prj_file_basic_info *ret)
{
	bool has_birth = st->stx_mask & STATX_BTIME;

	*ret = (struct prj_file_basic_info){
	        .struct_size = sizeof(*ret),
	        .is_directory = S_ISDIR(st->stx_mode),
	        .file_size = (int64_t)st->stx_size,
	        .creation_time = to_time(has_birth ? st->stx_btime : st->stx_mtime),
	        .last_access_time = to_time(st->stx_atime),
	        .last_write_time = to_time(st->stx_mtime),
	        .change_time = to_time(st->stx_ctime),
	        .valid = PRJ_BASIC_INFO_MODE | PRJ_BASIC_INFO_OWNER,
	        .mode = st->stx_mode & 07777,
	        .uid = st->stx_uid,
	        .gid = st->stx_gid,
	};
}

static uint8_t *put_number(uint8_t *p, uint64_t number)
{
	while (number >= 0x80) {
		*p++ = (uint8_t)(number | 0x80);
		number >>= 7;
	}
	*p++ = (uint8_t)number;
	return p;
}

/* Small distances of either sign become small numbers: 0, -1, 1, -2, ... */
static uint8_t *put_distance(uint8_t *p, uint64_t distance)
{
	return put_number(p, distance << 1 ^ (distance >> 63 ? UINT64_MAX : 0));
}

/* Wraps around after 584 years, which does no harm: it only has to tell times apart. */
static uint64_t to_ns(struct statx_timestamp time)
{
	return (uint64_t)time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

void item_fill_content_id(const struct statx *st, uint8_t ret[PRJ_PLACEHOLDER_ID_LENGTH])
{
	uint64_t modified = to_ns(st->stx_mtime);
	uint8_t *p = ret;

	memset(ret, 0, PRJ_PLACEHOLDER_ID_LENGTH);
	*p++ = S_ISDIR(st->stx_mode) ? 'd' : S_ISLNK(st->stx_mode) ? 'l' : 'f';
	p = put_number(p, st->stx_ino);
	if (!S_ISDIR(st->stx_mode))
		p = put_number(p, st->stx_size);
	p = put_number(p, modified);
	(void)put_distance(p, to_ns(st->stx_ctime) - modified);
}

bool item_has_version(const struct statx *st, const struct prj_placeholder_version_info *version)
{
	uint8_t id[PRJ_PLACEHOLDER_ID_LENGTH];

	if (!version)
		return false;
	item_fill_content_id(st, id);
	return !memcmp(id, version->content_id, sizeof(id));
}

/* Open the item that a callback is about, if it is one of the view.  The descriptor has O_PATH. */
static prj_result open_shown(const struct prj_callback_data *data, int *ret_fd,
                             struct statx *ret_st)
{
	struct dir_provider *dir = data->instance_context;
	prj_result result;
	int fd, r;

	if (!strcmp(data->file_path_name, DIR_RESERVED_NAME))
		return PRJ_ERR_FILE_NOT_FOUND;
	result = source_open(&dir->source, data->file_path_name, O_PATH, &fd);
	if (PRJ_FAILED(result))
		return result;

	r = source_stat(fd, "", ret_st);
	if (r < 0)
		result = prj_result_from_errno(-r);
	else if (!item_is_shown(ret_st)) {
		left_out_add_special(&dir->left_out, ret_st);
		result = PRJ_ERR_FILE_NOT_FOUND;
	}
	if (PRJ_FAILED(result))
		(void)close(fd);
	else
		*ret_fd = fd;
	return result;
}

static prj_result write_placeholder(const struct prj_callback_data *data, const struct statx *st,
                                    const struct prj_extended_info *extended_info)
{
	struct prj_placeholder_info info = {
	        .struct_size = sizeof(info),
	        .version_info.provider_id = DIR_PROVIDER_ID,
	};

	item_fill_basic_info(st, &info.file_basic_info);
	item_fill_content_id(st, info.version_info.content_id);
	return prj_write_placeholder_info2(data->instance, data->file_path_name, &info,
	                                   sizeof(info), extended_info);
}

static prj_result write_link(const struct prj_callback_data *data, int fd, const struct statx *st)
{
	char target[PATH_MAX];
	struct prj_extended_info link = {
	        .info_type = PRJ_EXT_INFO_TYPE_SYMLINK,
	        .u.symlink.target_name = target,
	};
	int r;

	r = source_read_link(fd, "", target);
	if (r < 0)
		return prj_result_from_errno(-r);
	return write_placeholder(data, st, &link);
}

/* The version is older than the attributes: if they change in between, the next look-up sees a new version. */
static prj_result write_file_or_directory(const struct prj_callback_data *data, int fd,
                                          const struct statx *st)
{
	struct xattrs xattrs;
	struct prj_extended_info info = {.info_type = PRJ_EXT_INFO_TYPE_XATTRS};
	prj_result result;

	result = xattrs_read(fd, &xattrs);
	if (PRJ_FAILED(result))
		return result;
	info.u.xattrs.list = xattrs.list;
	info.u.xattrs.count = xattrs.count;
	result = write_placeholder(data, st, xattrs.count ? &info : NULL);
	xattrs_deinit(&xattrs);
	return result;
}

prj_result item_get_placeholder_info(const struct prj_callback_data *data)
{
	struct statx st;
	prj_result result;
	int fd;

	result = open_shown(data, &fd, &st);
	if (PRJ_FAILED(result))
		return result;
	if (S_ISLNK(st.stx_mode))
		result = write_link(data, fd, &st);
	else
		result = write_file_or_directory(data, fd, &st);
	(void)close(fd);
	return result;
}

prj_result item_query_file_name(const struct prj_callback_data *data)
{
	struct statx st;
	prj_result result;
	int fd;

	result = open_shown(data, &fd, &st);
	if (PRJ_SUCCEEDED(result))
		(void)close(fd);
	return result;
}
