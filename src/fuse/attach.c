/* SPDX-License-Identifier: MIT */
#include "fuse/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "fuse/fusermount.h"
#include "fuse/mountinfo.h"
#include "util/macros.h"

#define DEVICE "/dev/fuse"

static int open_device(struct errmsg *err)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return errmsg_set(err, -ENODEV,
		                  "cannot open " DEVICE ": %s; load the module with `modprobe "
		                  "fuse`, or pass the device into the container",
		                  strerror(errno));
	return errmsg_set(err, -errno, "cannot open " DEVICE ": %s", strerror(errno));
}

static int attach_directly(const char *path, const struct fuse_mount_options *options, int *ret_fd,
                           struct errmsg *err)
{
	unsigned long flags = MS_NODEV | (options->read_only ? MS_RDONLY : 0);
	_cleanup_(closep) int fd = -1;
	char data[256];

	if (geteuid() != 0)
		return -EPERM;
	fd = open_device(err);
	if (fd < 0)
		return fd;
	(void)snprintf(data, sizeof(data),
	               "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions%s", fd,
	               geteuid(), getegid(), options->allow_other ? ",allow_other" : "");
	if (mount(options->source, path, PROJFS_FSTYPE, flags, data) < 0) {
		int r = errno == ENODEV ? -ENODEV : -errno;

		return errmsg_set(err, r, "cannot mount on '%s': %s", path, strerror(errno));
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

char *attach_escape(const char *text)
{
	char *escaped = malloc(strlen(text) * 2 + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to = '\0';
	return escaped;
}

static int attach_with_fusermount(const char *path, const struct fuse_mount_options *options,
                                  int *ret_fd, struct errmsg *err)
{
	_cleanup_(freep) char *source = attach_escape(options->source);
	_cleanup_(freep) char *list = NULL;

	if (!source ||
	    asprintf(&list, "fsname=%s,subtype=projfs,default_permissions,nodev,nosuid%s%s", source,
	             options->allow_other ? ",allow_other" : "",
	             options->read_only ? ",ro" : "") < 0) {
		list = NULL;
		return errmsg_set(err, -ENOMEM, "out of memory");
	}
	return fusermount_mount(path, list, ret_fd, err);
}

int attach(const char *path, const struct fuse_mount_options *options, int *ret_fd,
           struct errmsg *err)
{
	int r = attach_directly(path, options, ret_fd, err);

	/* Root without the privilege, in a container, may still have the program. */
	return r == -EPERM ? attach_with_fusermount(path, options, ret_fd, err) : r;
}

int detach(const char *path, bool lazy, struct errmsg *err)
{
	if (umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EPERM)
		return fusermount_unmount(path, lazy, err);
	if (errno == EBUSY)
		return errmsg_set(err, -EBUSY, "cannot unmount '%s': it is in use", path);
	return errmsg_set(err, -errno, "cannot unmount '%s': %s", path, strerror(errno));
}
