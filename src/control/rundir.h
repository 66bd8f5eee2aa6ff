/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_CONTROL_RUNDIR_H
#define PROJFS_CONTROL_RUNDIR_H

/*
 * The private directory that holds the sockets of this user's instances.
 *
 * Sockets are reached as /proc/self/fd/N/NAME: the directory that was checked is the one that is used,
 * and no path is ever too long for sun_path.
 */

#include <sys/un.h>

#include "util/errmsg.h"

#define RUNDIR_CANDIDATES 3

/* The name of a root's socket in the directory, with room for a suffix. */
#define RUNDIR_NAME_SIZE 64
void rundir_socket_name(const char *root_path, char ret_name[RUNDIR_NAME_SIZE]);

/* Is @name one that rundir_socket_name() makes? */
int rundir_is_socket_name(const char *name);

/* Open the first candidate that exists or can be made. A descriptor, or a negative errno. */
int rundir_create(struct errmsg *err);

/* Open candidate 0 to RUNDIR_CANDIDATES - 1, if it exists and is ours. A descriptor, or a negative errno. */
int rundir_open(unsigned candidate);

/* The address of a socket in an open directory. */
int rundir_address(int dirfd, const char *name, struct sockaddr_un *ret);

#endif
