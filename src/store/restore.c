/* SPDX-License-Identifier: MIT */
/* Back to the provider's view: all that is local goes by one rename, whatever it is. */
#include <errno.h>
#include <fcntl.h>

#include "store/change.h"
#include "store/internal.h"

int store_restore(struct store *s, const char *path)
{
	_cleanup_(closep) int item = -1;
	_cleanup_(closep) int dir = -1;
	const char *name;
	int r;

	if (s->readonly)
		return -EROFS;
	r = disk_check(path);
	if (r == 0 && !*path)
		r = -EINVAL;
	if (r < 0)
		return r;
	item = disk_open(s, path, O_PATH);
	if (item < 0)
		return item;
	dir = disk_open_parent(s, path, &name);
	if (dir < 0)
		return dir;
	/* What is projected again is not what was renamed away. */
	r = generation_raise_below(s, path);
	return r < 0 ? r : clean_move(s, dir, name);
}
