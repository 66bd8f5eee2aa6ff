/* SPDX-License-Identifier: MIT */
#include "fuse/negotiate.h"

#include <errno.h>
#include <string.h>

#define MINOR_MIN 31 /* Linux 5.4 */

static const struct feature {
	const char *name;
	uint64_t bit;
} features[] = {
        {"readdirplus", FUSE_DO_READDIRPLUS},
        {"readdirplus_auto", FUSE_READDIRPLUS_AUTO},
        {"parallel_dirops", FUSE_PARALLEL_DIROPS},
        {"cache_symlinks", FUSE_CACHE_SYMLINKS},
        {"noopen", FUSE_NO_OPEN_SUPPORT},
        {"noopendir", FUSE_NO_OPENDIR_SUPPORT},
        {"max_pages", FUSE_MAX_PAGES},
        {"atomic_o_trunc", FUSE_ATOMIC_O_TRUNC},
        {"expire_only", FUSE_HAS_EXPIRE_ONLY},
        {"posix_acl", FUSE_POSIX_ACL},
        {"clone", FEATURE_CLONE},
        {"pin", FEATURE_PIN},
};

/*
 * Data is invalidated by us alone, never by a change of mtime; modes arrive without umask.  Not FUSE_ASYNC_DIO: who
 * reads with O_DIRECT would wait where no signal reaches him, not even SIGKILL, and we would not be told.
 */
#define ALWAYS_WANTED                                                                              \
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DONT_MASK |                                      \
	 FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT)

uint64_t features_parse(const char *list)
{
	uint64_t found = 0;

	while (list && *list) {
		size_t length = strcspn(list, ",");

		for (size_t i = 0; i < ARRAY_SIZE(features); i++)
			if (strlen(features[i].name) == length &&
			    memcmp(features[i].name, list, length) == 0)
				found |= features[i].bit;
		list += length;
		list += *list == ',';
	}
	return found;
}

size_t features_names(uint64_t in_use, const char **ret_names, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(in_use & features[i].bit))
			continue;
		if (n < max)
			ret_names[n] = features[i].name;
		n++;
	}
	return n;
}

int negotiate(const struct fuse_init_in *in, size_t size, uint64_t wanted,
              struct fuse_init_out *ret_out, uint64_t *ret_features, struct errmsg *err)
{
	const uint64_t ours = FEATURE_CLONE | FEATURE_PIN;
	uint64_t offered, used;

	if (size < offsetof(struct fuse_init_in, flags2) || in->major != FUSE_KERNEL_VERSION ||
	    in->minor < MINOR_MIN)
		return errmsg_set(err, -EPROTO,
		                  "this kernel's FUSE is too old: Linux 5.4 or newer is needed");

	offered = in->flags;
	if ((offered & FUSE_INIT_EXT) && size >= sizeof(*in))
		offered |= (uint64_t)in->flags2 << 32;
	else
		offered &= ~(uint64_t)FUSE_INIT_EXT;

	used = offered & ~ours & (wanted | ALWAYS_WANTED);
	/* Which of the two a listing uses is a choice only where there are two. */
	if (!(used & FUSE_DO_READDIRPLUS))
		used &= ~(uint64_t)FUSE_READDIRPLUS_AUTO;

	*ret_out = (struct fuse_init_out){
	        .major = FUSE_KERNEL_VERSION,
	        .minor = FUSE_KERNEL_MINOR_VERSION,
	        .max_readahead = in->max_readahead,
	        .flags = (uint32_t)used,
	        .flags2 = (uint32_t)(used >> 32),
	        .max_background = NEGOTIATE_BACKGROUND,
	        .congestion_threshold = NEGOTIATE_BACKGROUND / 4 * 3,
	        .max_write = (used & FUSE_MAX_PAGES ? NEGOTIATE_MAX_PAGES : 32) * 4096,
	        .time_gran = 1,
	        .max_pages = used & FUSE_MAX_PAGES ? NEGOTIATE_MAX_PAGES : 0,
	};
	*ret_features = used | (wanted & ours);
	return 0;
}
