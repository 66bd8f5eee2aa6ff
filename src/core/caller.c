/* SPDX-License-Identifier: MIT */
#include "core/caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/internal.h"

#define STATUS_SIZE (64 * 1024) /* a process may have 65,536 groups; who has more than fit is in none of the rest */

static bool list_has(const char *list, uint32_t gid)
{
	while (*list && *list != '\n') {
		char *end;
		unsigned long each = strtoul(list, &end, 10);

		if (end == list)
			return false;
		if (each == gid)
			return true;
		list = end + strspn(end, " \t");
	}
	return false;
}

static bool has_supplementary_group(uint32_t pid, uint32_t gid)
{
	_cleanup_(freep) char *text = malloc(STATUS_SIZE);
	_cleanup_(closep) int fd = -1;
	const char *groups;
	char path[64];
	ssize_t n;

	if (!pid || !text)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%u/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, STATUS_SIZE - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	groups = strstr(text, "\nGroups:");
	if (!groups)
		return false;
	groups += strlen("\nGroups:");
	return list_has(groups + strspn(groups, " \t"), gid);
}

bool caller_is_in_group(const struct core_req *req, uint32_t gid)
{
	return req->gid == gid || has_supplementary_group(req->pid, gid);
}

uint32_t caller_mode_after_change(const struct core_req *req, uint32_t mode, uint32_t gid)
{
	uint32_t left = mode & ~(uint32_t)S_ISUID;

	if ((left & S_ISGID) && ((left & S_IXGRP) || !caller_is_in_group(req, gid)))
		left &= ~(uint32_t)S_ISGID;
	return left;
}
