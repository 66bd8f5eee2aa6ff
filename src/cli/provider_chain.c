/* SPDX-License-Identifier: MIT */
#include "cli/provider_chain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/macros.h"

static void set_error(void *context, const char *message)
{
	(void)errmsg_set(context, 0, "%s", message);
}

static int open_link(struct provider_chain *chain, struct provider_link *link, struct errmsg *err)
{
	struct errmsg reason = {0};
	struct prj_provider_args args = {
		.struct_size = sizeof(args),
		.source = link->source,
		.options = link->values,
		.n_options = link->provider->n_options,
		.inner = link == chain->links ? NULL : &link[-1].instance,
		.set_error = set_error,
		.error_context = &reason,
	};
	prj_result result;

	link->instance = (struct prj_provider_instance){.struct_size = sizeof(link->instance)};
	link->instance.callbacks.struct_size = sizeof(link->instance.callbacks);
	result = link->provider->open(&args, &link->instance);
	if (PRJ_SUCCEEDED(result))
		return 0;
	if (!reason.text[0])
		set_error(&reason, strerror(prj_result_to_errno(result)));
	return errmsg_set(err, -EIO, "cannot open '%s:%s': %s", link->provider->name, link->source,
			  reason.text);
}

/* "A+B" with what is there already; frees that. */
static char *joined(char *before, const char *text)
{
	char *result = NULL;

	if (asprintf(&result, "%s%s%s", before ? before : "", before ? "+" : "", text) < 0)
		result = NULL;
	free(before);
	return result;
}

static int set_names(struct provider_chain *chain)
{
	for (size_t i = 0; i < chain->n_links; i++) {
		struct provider_link *link = &chain->links[i];
		/* a filter hands on the source of what it wraps, or says nothing */
		const char *source =
			i == 0 && link->instance.source ? link->instance.source : link->source;

		chain->name = joined(chain->name, link->provider->name);
		chain->source = joined(chain->source, source);
		if (!chain->name || !chain->source)
			return -ENOMEM;
	}
	return 0;
}

int provider_chain_open(struct provider_chain *chain, struct errmsg *err)
{
	int r = 0;

	for (; chain->n_opened < chain->n_links && r == 0; chain->n_opened += r == 0)
		r = open_link(chain, &chain->links[chain->n_opened], err);
	if (r == 0 && set_names(chain) < 0)
		r = errmsg_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		provider_chain_close(chain);
	return r;
}

void provider_chain_close(struct provider_chain *chain)
{
	while (chain->n_opened > 0) {
		struct provider_link *link = &chain->links[--chain->n_opened];

		link->provider->close(link->instance.context);
	}
	free(steal_ptr(&chain->name));
	free(steal_ptr(&chain->source));
}

const struct prj_provider_instance *provider_chain_outermost(const struct provider_chain *chain)
{
	return &chain->links[chain->n_links - 1].instance;
}
