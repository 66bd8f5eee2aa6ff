/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_ITEM_JSON_H
#define PROJFS_CLI_ITEM_JSON_H

#include <jansson.h>
#include <prj/prj.h>

/* Add "state", "bits", "mode", "size", "local_bytes" and "content_id" to @object. */
void item_json_add(json_t *object, const struct prj_item_info *info);

#endif
