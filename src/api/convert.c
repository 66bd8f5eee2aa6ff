/* SPDX-License-Identifier: MIT */
#include "api/convert.h"

#include <limits.h>
#include <string.h>

#include "api/result.h"

#define NSEC_PER_SEC 1000000000u
#define XATTR_VALUE_MAX 65536 /* what the kernel takes */
#define BLOB_MAX (256 * 1024)

void converted_deinit(struct converted *c)
{
	buf_deinit(&c->xattrs);
}

static int time_is_set(const struct prj_time *t)
{
	return t->sec != 0 || t->nsec != 0;
}

/* Returns 0 for a nanosecond part that is none. */
static int convert_time(const struct prj_time *t, uint32_t field, struct record *rec,
			struct record_time *ret)
{
	if (t->nsec >= NSEC_PER_SEC)
		return 0;
	if (time_is_set(t)) {
		*ret = (struct record_time){.sec = t->sec, .nsec = t->nsec};
		rec->fields |= field;
	}
	return 1;
}

static prj_result convert_basic(const struct prj_file_basic_info *info, struct record *rec)
{
	if (info->struct_size < sizeof(*info))
		return fail(PRJ_ERR_INSUFFICIENT_BUFFER,
			    "prj_file_basic_info.struct_size is %u, at least %zu is needed: set it to "
			    "sizeof(struct prj_file_basic_info)", info->struct_size, sizeof(*info));
	rec->kind = info->is_directory ? RECORD_DIRECTORY : RECORD_FILE;
	if (info->file_size < 0 && info->file_size != PRJ_FILE_SIZE_UNKNOWN)
		return fail(PRJ_ERR_INVALID_PARAMETER, "file_size is negative");
	if (info->file_size >= 0 && (!info->is_directory || info->file_size > 0)) {
		rec->size = (uint64_t)info->file_size;
		rec->fields |= RECORD_SIZE;
	}
	if (!convert_time(&info->creation_time, RECORD_BTIME, rec, &rec->btime) ||
	    !convert_time(&info->last_access_time, RECORD_ATIME, rec, &rec->atime) ||
	    !convert_time(&info->last_write_time, RECORD_MTIME, rec, &rec->mtime) ||
	    !convert_time(&info->change_time, RECORD_CTIME, rec, &rec->ctime))
		return fail(PRJ_ERR_INVALID_PARAMETER, "a time has 1,000,000,000 or more nanoseconds");
	if (info->file_attributes) {
		rec->attributes = info->file_attributes;
		rec->fields |= RECORD_ATTRIBUTES;
	}
	if (info->valid & ~(uint32_t)(PRJ_BASIC_INFO_MODE | PRJ_BASIC_INFO_OWNER))
		return fail(PRJ_ERR_INVALID_PARAMETER, "unknown bits 0x%x in valid", info->valid);
	if (info->valid & PRJ_BASIC_INFO_MODE) {
		if (info->mode & ~07777u)
			return fail(PRJ_ERR_INVALID_PARAMETER,
				    "mode 0%o has other bits than permissions", info->mode);
		rec->mode = info->mode;
		rec->fields |= RECORD_MODE;
	}
	if (info->valid & PRJ_BASIC_INFO_OWNER) {
		rec->uid = info->uid;
		rec->gid = info->gid;
		rec->fields |= RECORD_OWNER;
	}
	return PRJ_OK;
}

static prj_result convert_symlink(const char *target, struct record *rec)
{
	size_t length = target ? strlen(target) : 0;

	if (!length || length >= PATH_MAX)
		return fail(PRJ_ERR_INVALID_PARAMETER, "a link target must have 1 to %d bytes",
			    PATH_MAX - 1);
	rec->kind = RECORD_SYMLINK;
	rec->target = (struct record_bytes){(const uint8_t *)target, length};
	rec->fields |= RECORD_TARGET;
	/* The size of a link is the length of its target, and it has no mode of its own. */
	rec->fields &= ~(uint32_t)(RECORD_SIZE | RECORD_MODE);
	return PRJ_OK;
}

static prj_result convert_xattrs(const struct prj_xattr *list, size_t count, struct converted *ret)
{
	if (count && !list)
		return fail(PRJ_ERR_INVALID_PARAMETER, "extended attributes: the list is NULL");
	for (size_t i = 0; i < count; i++) {
		const struct prj_xattr *x = &list[i];

		if (!x->name || strncmp(x->name, "user.", 5) != 0 || strlen(x->name) > 255 ||
		    !x->name[5] || !strncmp(x->name, "user.projfs", 11))
			return fail(PRJ_ERR_INVALID_NAME, "extended attribute \"%s\": only names of the "
				    "form user.NAME other than user.projfs* are possible",
				    x->name ? x->name : "(null)");
		if (x->size > XATTR_VALUE_MAX || (x->size && !x->value))
			return fail(PRJ_ERR_INVALID_PARAMETER,
				    "extended attribute \"%s\": no value, or more than %d bytes", x->name,
				    XATTR_VALUE_MAX);
		record_xattr_pack(&ret->xattrs, x->name, x->value, x->size);
	}
	if (ret->xattrs.failed)
		return PRJ_ERR_OUT_OF_MEMORY;
	if (count) {
		ret->rec.xattrs = (struct record_bytes){ret->xattrs.data, ret->xattrs.size};
		ret->rec.fields |= RECORD_XATTRS;
	}
	return PRJ_OK;
}

static prj_result convert_extended(const struct prj_extended_info *info, struct converted *ret)
{
	prj_result r = PRJ_OK;

	for (unsigned n = 0; info && r == PRJ_OK; info = info->next, n++) {
		if (n == 16)
			return fail(PRJ_ERR_INVALID_PARAMETER, "the chain of extended infos has no end");
		switch (info->info_type) {
		case PRJ_EXT_INFO_TYPE_SYMLINK:
			r = convert_symlink(info->u.symlink.target_name, &ret->rec);
			break;
		case PRJ_EXT_INFO_TYPE_XATTRS:
			r = convert_xattrs(info->u.xattrs.list, info->u.xattrs.count, ret);
			break;
		case PRJ_EXT_INFO_TYPE_BLOB:
			if (info->u.blob.size > BLOB_MAX || (info->u.blob.size && !info->u.blob.data))
				return fail(PRJ_ERR_INVALID_PARAMETER,
					    "the opaque blob is NULL or larger than %d bytes", BLOB_MAX);
			ret->rec.blob = (struct record_bytes){info->u.blob.data, info->u.blob.size};
			ret->rec.fields |= RECORD_BLOB;
			break;
		default:
			return fail(PRJ_ERR_INVALID_PARAMETER, "unknown extended info type %d",
				    (int)info->info_type);
		}
	}
	return r;
}

prj_result convert_basic_info(const struct prj_file_basic_info *info,
			      const struct prj_extended_info *extended, struct converted *ret)
{
	prj_result r = PRJ_OK;

	*ret = (struct converted){.rec = {.kind = RECORD_FILE}};
	if (info)
		r = convert_basic(info, &ret->rec);
	else
		ret->rec.fields |= RECORD_SIZE;
	return r == PRJ_OK ? convert_extended(extended, ret) : r;
}

prj_result convert_placeholder_info(const struct prj_placeholder_info *info, uint32_t info_size,
				    const struct prj_extended_info *extended, struct converted *ret)
{
	prj_result r;

	*ret = (struct converted){0};
	if (!info)
		return fail(PRJ_ERR_INVALID_PARAMETER, "placeholder info is NULL");
	if (info_size < sizeof(*info) || info->struct_size < sizeof(*info))
		return fail(PRJ_ERR_INSUFFICIENT_BUFFER,
			    "placeholder info has %u bytes (struct_size %u), at least %zu are needed",
			    info_size, info->struct_size, sizeof(*info));
	r = convert_basic_info(&info->file_basic_info, extended, ret);
	if (r != PRJ_OK)
		return r;
	ret->rec.content_id = record_bytes_trim(info->version_info.content_id, PRJ_PLACEHOLDER_ID_LENGTH);
	ret->rec.provider_id = record_bytes_trim(info->version_info.provider_id, PRJ_PLACEHOLDER_ID_LENGTH);
	if (ret->rec.content_id.size)
		ret->rec.fields |= RECORD_CONTENT_ID;
	if (ret->rec.provider_id.size)
		ret->rec.fields |= RECORD_PROVIDER_ID;
	return PRJ_OK;
}

void convert_version_info(const struct record *rec, struct prj_placeholder_version_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (rec->provider_id.size)
		memcpy(ret->provider_id, rec->provider_id.data, rec->provider_id.size);
	if (rec->content_id.size)
		memcpy(ret->content_id, rec->content_id.data, rec->content_id.size);
}
