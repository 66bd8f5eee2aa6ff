/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_CONVERT_H
#define PROJFS_API_CONVERT_H

/* From the structures of prj.h, which providers fill in, to records.  Everything is checked here, once. */

#include <prj/prj.h>

#include "store/record.h"

/* What @ret points to besides the provider's memory. */
struct converted {
	struct record rec;
	struct buf xattrs;
};

void converted_deinit(struct converted *c);

/* A listing's entry: @info may be NULL. PRJ_OK or a failure with a message. */
prj_result convert_basic_info(const struct prj_file_basic_info *info,
			      const struct prj_extended_info *extended, struct converted *ret);

/* A whole description. */
prj_result convert_placeholder_info(const struct prj_placeholder_info *info, uint32_t info_size,
				    const struct prj_extended_info *extended, struct converted *ret);

/* The ids of a record as a callback gets them. */
void convert_version_info(const struct record *rec, struct prj_placeholder_version_info *ret);

#endif
