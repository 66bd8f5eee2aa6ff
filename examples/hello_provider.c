/* SPDX-License-Identifier: MIT */
/*
 * A loadable provider: a few files that greet somebody.
 *
 *     PROJFS_PROVIDER_PATH=FOLDER-OF-THE-MODULE projfs mount -o greeting=Ahoy hello_provider:Ada ROOT
 *
 * "Ada" is the source, what this provider projects; -o takes the options of the descriptor at the end.
 */
#include "tree.h"

#include <prj/provider.h>
#include <stdio.h>
#include <stdlib.h>

struct hello {
	struct tree
	        tree; /* the first member: what the callbacks of the tree get as their context */
	struct tree_item items[4];
	char text[256];
};

static const struct prj_provider_option options[] = {
        {"greeting", PRJ_OPTION_STRING, "Hello", "the first word of hello.txt"},
};

static prj_result hello_open(const struct prj_provider_args *args,
                             struct prj_provider_instance *ret)
{
	struct hello *hello;
	int n;

	if (!*args->source) {
		args->set_error(args->error_context, "whom to greet? Say hello_provider:NAME");
		return PRJ_ERR_INVALID_PARAMETER;
	}
	hello = calloc(1, sizeof(*hello));
	if (!hello)
		return PRJ_ERR_OUT_OF_MEMORY;
	n = snprintf(hello->text, sizeof(hello->text), "%s, %s!\n", args->options[0].string,
	             args->source);
	if (n < 0 || (size_t)n >= sizeof(hello->text)) {
		args->set_error(args->error_context, "greeting and name are too long");
		free(hello);
		return PRJ_ERR_INVALID_PARAMETER;
	}
	hello->items[0] = (struct tree_item){"hello.txt", hello->text};
	hello->items[1] = (struct tree_item){"numbers", NULL};
	hello->items[2] = (struct tree_item){"numbers/even.txt", "2\n4\n6\n"};
	hello->items[3] = (struct tree_item){"numbers/odd.txt", "1\n3\n5\n"};
	hello->tree = (struct tree){hello->items, 4, .lock = PTHREAD_MUTEX_INITIALIZER};

	tree_fill_callbacks(&ret->callbacks);
	ret->context = hello;
	/* Nothing here ever changes, and the answers come from memory. */
	ret->start_flags = PRJ_FLAG_STABLE_VIEW | PRJ_FLAG_INLINE_CALLBACKS;
	return PRJ_OK;
}

PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
        .struct_size = sizeof(struct prj_provider),
        .abi_version = PRJ_PROVIDER_ABI_VERSION,
        .name = "hello_provider",
        .version = "1.0",
        .description = "a few files that greet somebody",
        .source_help = "whom to greet",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .open = hello_open,
        .close = free,
};
