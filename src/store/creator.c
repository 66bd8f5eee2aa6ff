/* SPDX-License-Identifier: MIT */
/*
 * Making things as the caller, so that owner, group and quota are his.  Credentials belong to threads for the
 * kernel, but the C library's wrappers change them for the whole process, so these are bare system
 * calls.  With the file system user goes the power over files; this thread takes back what the mount's own
 * permission checks have already granted, but not the power to exceed a quota.  (The kernel also marks
 * the process as not dumpable: an instance of the super-user writes no core dumps.)
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/change.h"
#include "store/internal.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define KEPT                                                                                       \
	(BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |    \
	 BIT(CAP_MKNOD) | BIT(CAP_LINUX_IMMUTABLE))

/* Neither call says that it failed: asking for an id that cannot be tells which one is set. */
static bool set_ids(uint32_t uid, uint32_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	(void)syscall(SYS_setfsuid, uid);
	return (uint32_t)syscall(SYS_setfsgid, -1) == gid &&
	       (uint32_t)syscall(SYS_setfsuid, -1) == uid;
}

static int take_back(const struct creator_saved *saved)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
		        .permitted = saved->caps[i].permitted,
		        .inheritable = saved->caps[i].inheritable,
		        .effective = saved->caps[i].permitted & (uint32_t)(KEPT >> (32 * i)),
		};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int save(struct creator_saved *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		ret->caps[i].effective = data[i].effective;
		ret->caps[i].permitted = data[i].permitted;
		ret->caps[i].inheritable = data[i].inheritable;
	}
	return 0;
}

int creator_begin(const struct store_creator *as, struct creator_saved *ret)
{
	int r;

	*ret = (struct creator_saved){0};
	if (!as || geteuid() != 0)
		return 0;
	ret->fsuid = (uint32_t)syscall(SYS_setfsuid, -1);
	ret->fsgid = (uint32_t)syscall(SYS_setfsgid, -1);
	if (as->uid == ret->fsuid && as->gid == ret->fsgid)
		return 0;
	r = save(ret);
	if (r < 0)
		return r;
	ret->switched = true;
	if (!set_ids(as->uid, as->gid))
		r = -EPERM; /* an id that our user namespace does not have */
	if (r == 0)
		r = take_back(ret);
	if (r < 0)
		creator_end(ret);
	return r;
}

void creator_end(const struct creator_saved *saved)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (!saved->switched)
		return;
	/* Back to our own ids and powers: that cannot be refused. */
	(void)set_ids(saved->fsuid, saved->fsgid);
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
		        .effective = saved->caps[i].effective,
		        .permitted = saved->caps[i].permitted,
		        .inheritable = saved->caps[i].inheritable,
		};
	(void)syscall(SYS_capset, &head, data);
}
