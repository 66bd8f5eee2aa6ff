/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_PROVIDER_LOAD_H
#define PROJFS_CLI_PROVIDER_LOAD_H

/*
 * Finding and loading providers.  What is loaded stays loaded: a provider may leave threads behind.
 */

#include <prj/provider.h>

#include "util/errmsg.h"

/* A plain name: neither empty, nor with '/', nor beginning with '.'. */
int provider_name_is_valid(const char *name);

/*
 * Load NAME.so from the first folder that has it, and check its descriptor.
 * -EINVAL: no possible name; -ENOENT: in no folder (the message suggests a similar name);
 * -ELIBBAD: it cannot be used.
 */
int provider_load(const char *name, const struct prj_provider **ret, struct errmsg *err);

/* Is the descriptor one that we can use for NAME.so at @path? 0 or -ELIBBAD. */
int provider_check(const struct prj_provider *provider, const char *name, const char *path,
		   struct errmsg *err);

/* Call @each for the name of every provider that could be loaded, once each, in no order. */
void provider_for_each(void (*each)(void *context, const char *name), void *context);

/* Print what `projfs mount --help-provider` shows. */
void provider_print_help(const struct prj_provider *provider);

#endif
