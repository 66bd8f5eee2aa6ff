/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_FUZZ_LOCKSTEP_SIDE_H
#define PROJFS_FUZZ_LOCKSTEP_SIDE_H

/*
 * The two trees, and what an operation leaves to be compared.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "script.h"
#include "util/buf.h"

#define N_SIDES 2
#define MAP_SIZE (256 * 1024)
#define MAX_IO (2 << 20)

/*
 * Times that tests set lie before this moment and are compared to the nanosecond; later ones are the time of the
 * run, and compared as "now".
 */
#define LAST_OLD_TIME 1200000000

struct slot {
	int fd; /* -1: closed */
	void *map; /* MAP_SIZE bytes, shared and writable; or NULL */
};

struct lane {
	unsigned number;
	struct slot slots[N_SLOTS][N_SIDES];
};

struct world {
	const char *top[N_SIDES];
	unsigned n_lanes; /* without lane 0 */
	struct lane lanes[MAX_LANES + 1];
	const char *sabotage; /* name of an operation that goes wrong on side 0; NULL */
	bool say_failed; /* name each operation that fails on both sides */
	int control_in, control_out; /* who restarts side 0; -1 */
};

struct outcome {
	int error; /* 0 or a positive errno */
	long value;
	bool is_text;
	struct buf data;
};

/* One operation on one side. */
struct turn {
	struct world *world;
	struct lane *lane;
	int side;
	const struct op *op;
	struct outcome *out;
};

/* The path of argument @i on this turn's side, in a buffer that lives as long as the thread's next but one call. */
const char *turn_path(const struct turn *turn, unsigned i);
struct slot *turn_slot(const struct turn *turn, unsigned i);
/* Note the result of a call: -1 is errno, everything else a value to compare. */
void turn_result(struct turn *turn, long result);
void turn_text(struct turn *turn, const char *format, ...) _printf_(2, 3);

void buf_text(struct buf *b, const char *format, ...) _printf_(2, 3);
void describe_stat(const struct stat *st, struct buf *b);
/* User attributes with their values, sorted. */
void describe_xattrs(const char *path, struct buf *b);
/* The names of a directory with their types, sorted, one a line.  0 or a positive errno. */
int describe_names(const char *path, struct buf *b);
mode_t entry_type(const char *directory, const struct dirent *entry);
void slot_close(struct slot *slot);

/* Run the operation on one side; SIGBUS is one of the things that may come out. */
void turn_perform(struct turn *turn);
void perform_init(void);

/* Remove a directory with all that is in it, or a file. 0 or a positive errno. */
int tree_remove(const char *path);
/* A line for each item; @content: with a digest of what it holds. */
void tree_describe(const char *top, bool content, struct buf *b);
/* Make what lane n alone may touch really its own: no file with names in two parts, no slot on another's file. */
void tree_separate(struct world *world);
/* A source to project, with the names that scripts use.  0 or a negative errno. */
int tree_make(const char *top, uint64_t seed, unsigned n_lanes);

#define PERFORM(name) void perform_##name(struct turn *turn)
PERFORM(open);
PERFORM(close);
PERFORM(pread);
PERFORM(read);
PERFORM(pwrite);
PERFORM(write);
PERFORM(seek);
PERFORM(ftruncate);
PERFORM(fallocate);
PERFORM(copy);
PERFORM(map);
PERFORM(unmap);
PERFORM(mread);
PERFORM(mwrite);
PERFORM(fstat);
PERFORM(fchmod);
PERFORM(futimens);
PERFORM(fsync);
PERFORM(fdatasync);
PERFORM(same);
PERFORM(tmpfile);
PERFORM(linkfd);
PERFORM(truncate);
PERFORM(unlink);
PERFORM(rmdir);
PERFORM(mkdir);
PERFORM(symlink);
PERFORM(link);
PERFORM(rename);
PERFORM(chmod);
PERFORM(chown);
PERFORM(utimens);
PERFORM(setx);
PERFORM(getx);
PERFORM(rmx);
PERFORM(listx);
PERFORM(mknod);
PERFORM(list);
PERFORM(stat);
PERFORM(readlink);
PERFORM(cat);
PERFORM(save);
PERFORM(rmtree);
PERFORM(fsyncdir);
PERFORM(check);
PERFORM(restart);

/* How a run went: 0 no difference, 1 a difference (said on stdout), -1 trouble. */
int world_run(struct world *world, const struct script *script);
void world_init(struct world *world);
void world_deinit(struct world *world);

#endif
