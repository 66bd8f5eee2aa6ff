/* SPDX-License-Identifier: MIT */
/*
 * The source may change while it is copied, and the reader must never get a mixture.  The version is
 * therefore compared before and after the copy, and the copy counts only if both are the one that was asked
 * for.  There is one hole: file systems take their times from a clock that ticks (every 1 to 10 ms), and a
 * second write within a tick leaves no trace.  So a file that changed in this very tick is copied when the
 * tick is over.
 */

#include "data.h"

#include "dir.h"
#include "item.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

/* Two ticks of the slowest kernel clock (100 Hz): sleeping and reading it may each be off by one. */
#define TICK_NS INT64_C(20000000)

/* Some file systems count whole seconds, FAT every other. */
#define LONG_TICK_NS (2 * NS_PER_S)

int64_t data_settle_ns(const struct statx_timestamp *changed, const struct timespec *now)
{
	int64_t tick_ns = changed->tv_nsec ? TICK_NS : LONG_TICK_NS;
	int64_t age_s = (int64_t)now->tv_sec - changed->tv_sec;
	int64_t age_ns;

	if (age_s > LONG_TICK_NS / NS_PER_S)
		return 0;
	/* Later than now: the clocks differ (a file server), but the change itself is past. */
	if (age_s < 0)
		return tick_ns;
	age_ns = age_s * NS_PER_S + now->tv_nsec - (int64_t)changed->tv_nsec;
	if (age_ns < 0)
		return tick_ns;
	return age_ns < tick_ns ? tick_ns - age_ns : 0;
}

/* The time of the last write is that of ctime or earlier, or was set by hand: ctime is enough. */
static void wait_for_tick(const struct statx *st)
{
	struct timespec now, rest;
	int64_t ns;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	ns = data_settle_ns(&st->stx_ctime, &now);
	if (!ns)
		return;
	rest = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
		;
}

/* Opened through /proc, so that it is what @path_fd is, and nothing but a regular file is ever opened. */
static prj_result open_for_reading(int path_fd, int *ret_fd)
{
	char path[sizeof("/proc/self/fd/-2147483648")];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? PRJ_ERR_INTERNAL_ERROR : prj_result_from_errno(errno);
	*ret_fd = fd;
	return PRJ_OK;
}

static prj_result check_version(const struct prj_callback_data *data, int fd, struct statx *ret_st)
{
	int r;

	r = source_stat(fd, "", ret_st);
	if (r < 0)
		return prj_result_from_errno(-r);
	if (!S_ISREG(ret_st->stx_mode) || !item_has_version(ret_st, data->version_info))
		return PRJ_ERR_VIRTUALIZATION_BUSY;
	return PRJ_OK;
}

static prj_result copy(const struct prj_callback_data *data, int fd, uint64_t byte_offset,
                       uint64_t length)
{
	struct statx st;
	prj_result result;

	result = check_version(data, fd, &st);
	if (PRJ_FAILED(result))
		return result;
	if (byte_offset >= st.stx_size)
		return PRJ_OK;
	if (!length || length > st.stx_size - byte_offset)
		length = st.stx_size - byte_offset;

	wait_for_tick(&st);
	result = prj_write_file_data_from_fd(data->instance, &data->data_stream_id, fd, byte_offset,
	                                     byte_offset, length, PRJ_WRITE_ON_COMPLETION);
	if (PRJ_FAILED(result))
		return result;
	return check_version(data, fd, &st);
}

prj_result data_get(const struct prj_callback_data *data, uint64_t byte_offset, uint32_t length)
{
	struct dir_provider *dir = data->instance_context;
	struct statx st;
	prj_result result;
	int path_fd, fd = -1;

	result = source_open(&dir->source, data->file_path_name, O_PATH, &path_fd);
	/* The version is gone; whether the file is will be seen when projfs asks for the item again. */
	if (result == PRJ_ERR_FILE_NOT_FOUND)
		return PRJ_ERR_VIRTUALIZATION_BUSY;
	if (PRJ_FAILED(result))
		return result;

	result = check_version(data, path_fd, &st);
	if (PRJ_SUCCEEDED(result))
		result = open_for_reading(path_fd, &fd);
	(void)close(path_fd);
	if (PRJ_FAILED(result))
		return result;
	result = copy(data, fd, byte_offset, length);
	(void)close(fd);
	return result;
}
