/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CLI_PROVIDER_CHAIN_H
#define PROJFS_CLI_PROVIDER_CHAIN_H

/*
 * A provider and the filters around it, as one: each filter is given the instance that it wraps, and the
 * outermost one is what projfs talks to.
 */

#include <prj/provider.h>

#include "util/errmsg.h"

#define PROVIDER_CHAIN_MAX 17 /* sixteen filters around one provider */

struct provider_link {
	const struct prj_provider *provider;
	const char *source; /* borrowed: what follows "NAME:" */
	const struct prj_option_value *values; /* borrowed */
	struct prj_provider_instance instance; /* valid once opened */
};

struct provider_chain {
	struct provider_link links[PROVIDER_CHAIN_MAX]; /* innermost first */
	size_t n_links;
	size_t n_opened;
	char *name; /* once opened: "dir", "dir+upper"; what the root remembers */
	char *source; /* "/usr/include", "/usr/include+TEXT" */
};

/* Open from the inside out. After a failure, what was opened is closed again. -EIO or -ENOMEM. */
int provider_chain_open(struct provider_chain *chain, struct errmsg *err);
/* Close from the outside in. */
void provider_chain_close(struct provider_chain *chain);
/* The outermost instance of an opened chain. */
const struct prj_provider_instance *provider_chain_outermost(const struct provider_chain *chain);

#endif
