/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUSE_REPLY_H
#define PROJFS_FUSE_REPLY_H

/*
 * The core's answers, turned into the kernel's replies.
 *
 * A request lives from dispatch until its reply is sent.  Each function below that has the shape of
 * core_req.done ends one: it sends exactly one reply and frees the request, on whichever thread it runs.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "fuse/kernel.h"
#include "fuse/session.h"

struct fuse_req {
	struct core_req core;
	struct session *session;
	struct channel *channel; /* where it came in, and the answer must go out */
	uint64_t unique;
	uint32_t size; /* room that the caller has for the answer: read, readdir, xattrs, ioctl */
	bool plus; /* readdir: with entries */

	char *dirents; /* packed so far; owned */
	size_t n_dirents_bytes;

	struct content *content; /* a read on its way to a disk thread; referenced */
	struct list disk_link; /* protected by session->lock */
};

/* NULL: out of memory, and that was replied. */
struct fuse_req *req_new(struct session *s, struct channel *channel,
                         const struct fuse_in_header *header,
                         void (*done)(struct core_req *req, int error));
void req_free(struct fuse_req *req);

/* @error: 0 or a negative errno, as everywhere inside. */
void reply_error(struct channel *channel, uint64_t unique, int error);
int reply_data(struct channel *channel, uint64_t unique, const void *data, size_t size);

void reply_entry(struct core_req *core_req, int error);
void reply_created(struct core_req *core_req, int error);
void reply_empty(struct core_req *core_req, int error);
void reply_write(struct core_req *core_req, int error);
void reply_copied(struct core_req *core_req, int error); /* 64-bit */
void reply_lseek(struct core_req *core_req, int error);
void reply_attr(struct core_req *core_req, int error);
void reply_statx(struct core_req *core_req, int error);
void reply_readlink(struct core_req *core_req, int error);
void reply_open(struct core_req *core_req, int error);
void reply_opendir(struct core_req *core_req, int error);
void reply_xattr(struct core_req *core_req, int error);
void reply_xattr_names(struct core_req *core_req, int error);
void reply_ioctl(struct core_req *core_req, int error);
void reply_readdir(struct core_req *core_req, int error);

/* core_req.emit: packs entries as READDIR or READDIRPLUS want them. */
bool reply_emit_dirent(struct core_req *core_req, const struct core_dirent *dirent);

#endif
