/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUZZ_LOCKSTEP_SCRIPT_H
#define PROJFS_FUZZ_LOCKSTEP_SCRIPT_H

/*
 * A script is what one run does: one operation a line, "LANE NAME ARGUMENT...".
 *
 * Lane 0 is alone: everything before it has ended, nothing after it has begun.  Operations of the lanes 1, 2, ...
 * that follow each other run at the same time, a thread for each lane, and keep to p1/, p2/, ...
 * So any lines may be taken out of a script and it still means something.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define N_SLOTS 4 /* open files of a lane */
#define MAX_LANES 16
#define MAX_ARGS 6

struct turn;

/*
 * The letters of @args say what the arguments are, for the generator more exactly than for the reader:
 *	s slot  p path  d path of a directory, more likely  y link target  @ offset  l length  z file size
 *	w seed of bytes  o mode (octal)  f open flags  r rename flags  k fallocate mode  K kind of node
 *	t time  x attribute name  v attribute size  X attribute flags  u user or group  n number
 */
struct op_kind {
	const char *name;
	const char *args;
	unsigned weight; /* how often it is generated; 0 never by chance */
	void (*perform)(struct turn *turn);
};

extern const struct op_kind op_kinds[]; /* ends with a NULL name */

struct op {
	unsigned line; /* in the script, from 1 */
	unsigned lane;
	const struct op_kind *kind;
	struct {
		long n;
		char *text; /* paths */
	} arg[MAX_ARGS];
};

struct script {
	struct op *ops;
	size_t n_ops;
	size_t capacity;
};

void script_deinit(struct script *script);
/* The new operation, all zero but for lane, kind and line. NULL: no memory. */
struct op *script_add(struct script *script, unsigned lane, const struct op_kind *kind);
void op_print(const struct op *op, FILE *out);
void script_print(const struct script *script, FILE *out);
/* 0 or a negative errno; what is wrong is said on stderr.  Empty lines and # comments are skipped. */
int script_read(const char *path, struct script *ret);

bool is_text_arg(char letter);
const struct op_kind *op_kind_find(const char *name);

/* Operations by chance, everything from the seed. */
struct generate_options {
	uint64_t seed;
	unsigned n_ops;
	unsigned n_lanes; /* threads, from 1 */
	unsigned restart_every; /* operations; 0 never */
};
int script_generate(const struct generate_options *options, struct script *ret);

#endif
