/* SPDX-License-Identifier: MIT */
/* What a start has to finish. */
#include <errno.h>
#include <string.h>

#include "store/intent.h"
#include "store/internal.h"

static const struct intent_handler handlers[] = {
        {INTENT_TOMBSTONE, tombstone_replay},
        {INTENT_RENAME, rename_replay},
};

int intent_recover(struct store *s, const char *path, struct errmsg *err)
{
	int r = intent_replay(s, handlers, ARRAY_SIZE(handlers));

	if (r == -EPROTONOSUPPORT)
		return errmsg_set(err, r,
		                  "the root '%s' has an unfinished operation from a newer "
		                  "version of projfs in '" STORE_PRIVATE "/intent': start that "
		                  "version once",
		                  path);
	if (r < 0)
		return errmsg_set(err, r,
		                  "cannot finish the operations in '%s/" STORE_PRIVATE "/intent': "
		                  "%s",
		                  path, strerror(-r));
	return 0;
}
