/* SPDX-License-Identifier: MIT */
#include "fake_prj.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fake_prj fake;

static void copy_text(char *to, size_t size, const char *from)
{
	strncpy(to, from, size - 1);
	to[size - 1] = '\0';
}

prj_result prj_result_from_errno(int error)
{
	switch (error) {
	case ENOENT:
		return PRJ_ERR_FILE_NOT_FOUND;
	case EACCES:
		return PRJ_ERR_ACCESS_DENIED;
	case ENOTDIR:
		return PRJ_ERR_DIRECTORY;
	default:
		return PRJ_ERR_IO_DEVICE;
	}
}

/* One upper-cased character of ASCII or the first part of Latin-1; bytes of UTF-8 sort like the rest. */
static int upper(const char *name, size_t i)
{
	unsigned char c = (unsigned char)name[i];

	if (c >= 'a' && c <= 'z')
		return c - 'a' + 'A';
	if (i > 0 && (unsigned char)name[i - 1] == 0xC3 && c >= 0xA0)
		return c - 0x20;
	return c;
}

int prj_file_name_compare(const char *name1, const char *name2)
{
	size_t i = 0;

	while (name1[i] && upper(name1, i) == upper(name2, i))
		i++;
	return upper(name1, i) - upper(name2, i);
}

int prj_file_name_match(const char *name, const char *pattern)
{
	return !fnmatch(pattern, name, FNM_CASEFOLD);
}

prj_result prj_fill_dir_entry_buffer2(prj_dir_entry_buffer *buffer, const char *file_name,
                                      const struct prj_file_basic_info *info,
                                      const struct prj_extended_info *extended_info)
{
	struct fake_entry *entry;

	if (buffer->n_entries == buffer->capacity)
		return PRJ_ERR_INSUFFICIENT_BUFFER;
	entry = &buffer->entries[buffer->n_entries++];
	*entry = (struct fake_entry){.info = *info};
	copy_text(entry->name, sizeof(entry->name), file_name);
	if (extended_info && extended_info->info_type == PRJ_EXT_INFO_TYPE_SYMLINK)
		copy_text(entry->target, sizeof(entry->target),
		          extended_info->u.symlink.target_name);
	return PRJ_OK;
}

static void keep_xattr(const struct prj_xattr *xattr)
{
	size_t i = fake.n_xattrs++;

	copy_text(fake.xattr_names[i], sizeof(fake.xattr_names[i]), xattr->name);
	memcpy(fake.xattr_values[i], xattr->value, xattr->size);
	fake.xattr_values[i][xattr->size] = '\0';
}

prj_result prj_write_placeholder_info2(prj_instance *instance, const char *destination_file_name,
                                       const struct prj_placeholder_info *info, uint32_t info_size,
                                       const struct prj_extended_info *extended_info)
{
	if (info_size < sizeof(*info) || info->struct_size != sizeof(*info))
		return PRJ_ERR_INSUFFICIENT_BUFFER;
	fake.n_placeholders++;
	fake.info = *info;
	fake.target[0] = '\0';
	fake.n_xattrs = 0;
	for (; extended_info; extended_info = extended_info->next) {
		if (extended_info->info_type == PRJ_EXT_INFO_TYPE_SYMLINK)
			copy_text(fake.target, sizeof(fake.target),
			          extended_info->u.symlink.target_name);
		if (extended_info->info_type == PRJ_EXT_INFO_TYPE_XATTRS) {
			for (size_t i = 0; i < extended_info->u.xattrs.count; i++)
				keep_xattr(&extended_info->u.xattrs.list[i]);
		}
	}
	return PRJ_OK;
}

static int64_t age_ns(int fd)
{
	struct timespec now;
	struct stat st;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (fstat(fd, &st) < 0)
		return -1;
	return (now.tv_sec - st.st_ctim.tv_sec) * INT64_C(1000000000) + now.tv_nsec -
	       st.st_ctim.tv_nsec;
}

prj_result prj_write_file_data_from_fd(prj_instance *instance,
                                       const struct prj_guid *data_stream_id, int fd,
                                       uint64_t fd_offset, uint64_t byte_offset, uint64_t length,
                                       uint32_t flags)
{
	size_t half = length / 2;

	if (length > sizeof(fake.content))
		return PRJ_ERR_INVALID_PARAMETER;
	fake.n_writes++;
	fake.byte_offset = byte_offset;
	fake.write_flags = flags;
	fake.age_ns = age_ns(fd);
	fake.n_content = length;
	if (pread(fd, fake.content, half, (off_t)fd_offset) != (ssize_t)half)
		return PRJ_ERR_VIRTUALIZATION_BUSY;
	if (fake.in_the_middle)
		fake.in_the_middle();
	if (pread(fd, fake.content + half, length - half, (off_t)(fd_offset + half)) !=
	    (ssize_t)(length - half))
		return PRJ_ERR_VIRTUALIZATION_BUSY;
	return PRJ_OK;
}

struct wanted_status {
	const char *key;
	int64_t value;
};

static void take_status(void *context, const char *key, int64_t value)
{
	struct wanted_status *wanted = context;

	if (!strcmp(key, wanted->key))
		wanted->value = value;
}

int64_t fake_status_of(const struct prj_provider_instance *provider, const char *key)
{
	struct wanted_status wanted = {key, -1};

	provider->callbacks.status(provider->context, take_status, &wanted);
	return wanted.value;
}
