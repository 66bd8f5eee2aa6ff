/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_PROVIDER_DIR_ITEM_H
#define PROJFS_PROVIDER_DIR_ITEM_H

#include <prj/prj.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Regular files, directories and symbolic links; everything else is special and not shown. */
bool item_is_shown(const struct statx *st);

/* The metadata of a shown item. */
void item_fill_basic_info(const struct statx *st, struct prj_file_basic_info *ret);

/* The version of a shown item, padded with zeros. */
void item_fill_content_id(const struct statx *st, uint8_t ret[PRJ_PLACEHOLDER_ID_LENGTH]);

/* Whether @version names the version that @st describes; @version may be NULL, then it does not. */
bool item_has_version(const struct statx *st, const struct prj_placeholder_version_info *version);

prj_get_placeholder_info_cb item_get_placeholder_info;
prj_query_file_name_cb item_query_file_name;

#endif
