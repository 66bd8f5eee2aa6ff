/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_DATA_H
#define PROJFS_PROVIDER_DIR_DATA_H

#include <prj/prj.h>
#include <sys/stat.h>
#include <time.h>

/*
 * How many nanoseconds after @now a write to a file that last changed at @changed is certain to give it
 * another time; 0 if that holds already.
 */
int64_t data_settle_ns(const struct statx_timestamp *changed, const struct timespec *now);

prj_get_file_data_cb data_get;

#endif
