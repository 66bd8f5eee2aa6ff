/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CORE_CALLER_H
#define PROJFS_CORE_CALLER_H

/* Who asks, as far as the request alone does not say. */

#include <stdbool.h>
#include <stdint.h>

struct core_req;

/* false also if the caller cannot be seen. */
bool caller_is_in_group(const struct core_req *req, uint32_t gid);

/* What is left of @mode, of a regular file of @gid, when the caller changes its content, or its owner. */
uint32_t caller_mode_after_change(const struct core_req *req, uint32_t mode, uint32_t gid);

#endif
