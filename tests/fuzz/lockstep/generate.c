/* SPDX-License-Identifier: MIT */

/*
 * Scripts by chance.
 *
 * The generator knows nothing about the trees.  Names come from a small pool, which is that of the source too
 * (tree.c), and paths that were just used are used again, so that they meet something: a third of all operations
 * succeeds, and the others fail for interesting reasons.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "script.h"
#include "side.h"
#include "util/macros.h"

#define N_RECENT 8
#define PATH_SIZE 1024
#define PARALLEL_OPS 60
#define ALONE_OPS 15
#define CHECK_EVERY 300

struct generator {
	struct rng rng;
	unsigned n_lanes;
	unsigned total_weight;
	struct {
		char path[PATH_SIZE];
	} recent[MAX_LANES + 1][N_RECENT];
};

static bool chance(struct generator *g, unsigned percent)
{
	return rng_below(&g->rng, 100) < percent;
}

static long pick(struct generator *g, const long *values, size_t n)
{
	return values[rng_below(&g->rng, n)];
}
#define PICK(g, ...)                                                                               \
	pick(g, (const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

/* ---- names ----------------------------------------------------------------------------------- */

static void append_directory(struct generator *g, char *path)
{
	size_t length = strlen(path);

	if (chance(g, 4))
		memset(path + length, 'l', 200), path[length + 200] = '\0';
	else
		snprintf(path + length, PATH_SIZE - length, "%c", (int)PICK(g, 'a', 'a', 'b', 'c'));
}

static void append_leaf(struct generator *g, char *path)
{
	size_t length = strlen(path);

	if (chance(g, 5))
		snprintf(path + length, PATH_SIZE - length, "big/n%d",
		         (int)rng_below(&g->rng, 250));
	else if (chance(g, 5))
		snprintf(path + length, PATH_SIZE - length, "\xc3\xbc");
	else
		snprintf(path + length, PATH_SIZE - length, "f%d", (int)rng_below(&g->rng, 6));
}

static void make_path(struct generator *g, unsigned lane, bool directory, char *path)
{
	unsigned part = lane ? lane : (unsigned)rng_below(&g->rng, g->n_lanes + 1);
	unsigned depth = (unsigned)PICK(g, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3);

	snprintf(path, PATH_SIZE, "p%u", part);
	if (directory && chance(g, 3))
		return;
	strcat(path, "/");
	for (unsigned i = 0; i < depth; i++) {
		append_directory(g, path);
		strcat(path, "/");
	}
	if (chance(g, directory ? 80 : 15))
		append_directory(g, path);
	else if (directory && chance(g, 30))
		strcat(path, "big");
	else
		append_leaf(g, path);
}

static char *any_path(struct generator *g, unsigned lane, bool directory)
{
	char(*slot)[PATH_SIZE] = &g->recent[lane][rng_below(&g->rng, N_RECENT)].path;

	if (!(*slot)[0] || !chance(g, 60))
		make_path(g, lane, directory, *slot);
	return strdup(*slot);
}

/* Downwards only: a link never leads out of its part, wherever it is moved. */
static char *any_target(struct generator *g)
{
	char path[PATH_SIZE] = "";

	if (chance(g, 30)) {
		append_directory(g, path);
		strcat(path, "/");
	}
	if (chance(g, 20))
		append_directory(g, path);
	else
		append_leaf(g, path);
	return strdup(path);
}

/* ---- numbers ----------------------------------------------------------------------------------- */

static long any_offset(struct generator *g)
{
	if (chance(g, 30))
		return 0;
	if (chance(g, 50))
		return PICK(g, 1, 511, 4095, 4096, 4097, 8192, 65535, 65536, 131072, 131073);
	return (long)rng_below(&g->rng, chance(g, 80) ? 20000 : 400000);
}

static long any_length(struct generator *g)
{
	if (chance(g, 5))
		return 0;
	if (chance(g, 40))
		return PICK(g, 1, 100, 4095, 4096, 4097, 8192, 65536, 131072);
	return (long)rng_below(&g->rng, chance(g, 90) ? 20000 : 1500000);
}

static long any_mode(struct generator *g)
{
	return PICK(g, 0644, 0644, 0755, 0600, 0666, 0700, 0444, 0711, 0, 04755, 02755, 01777,
	            06711);
}

static long any_open_flags(struct generator *g)
{
	long flags = PICK(g, O_RDONLY, O_RDWR, O_RDWR, O_RDWR, O_WRONLY);

	if (chance(g, 50))
		flags |= O_CREAT;
	if (chance(g, 10))
		flags |= O_EXCL | O_CREAT;
	if (chance(g, 15))
		flags |= O_TRUNC;
	if (chance(g, 15))
		flags |= O_APPEND;
	if (chance(g, 8))
		flags |= O_NOFOLLOW;
	if (chance(g, 4)) /* with O_CREAT it is undefined, with writing useless */
		flags = O_RDONLY | O_DIRECTORY;
	return flags;
}

static long any_number(struct generator *g, char letter)
{
	switch (letter) {
	case 's':
		return (long)rng_below(&g->rng, N_SLOTS);
	case '@':
		return any_offset(g);
	case 'l':
		return any_length(g);
	case 'z':
		return chance(g, 30) ? 0 : any_offset(g);
	case 'o':
		return any_mode(g);
	case 'f':
		return any_open_flags(g);
	case 'r':
		return PICK(g, 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE);
	case 'k':
		return PICK(g, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		            FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
	case 'K':
		return PICK(g, S_IFIFO, S_IFIFO, S_IFSOCK, S_IFREG);
	case 't':
		return chance(g, 20)   ? -1
		       : chance(g, 10) ? -2
		                       : 1000000000 + (long)rng_below(&g->rng, 1000000);
	case 'v':
		return PICK(g, 0, 1, 20, 60, 200);
	case 'X':
		return PICK(g, 0, 0, 0, 1, 2);
	case 'u':
		return PICK(g, -1, 0, 1, 1000);
	default: /* x, w */
		return (long)rng_below(&g->rng, letter == 'x' ? 4 : 1000000);
	}
}

/* ---- scripts ----------------------------------------------------------------------------------- */

static const struct op_kind *any_kind(struct generator *g)
{
	const struct op_kind *kind = op_kinds;
	uint64_t n = rng_below(&g->rng, g->total_weight);

	while (n >= kind->weight)
		n -= kind++->weight;
	return kind;
}

static bool add_any(struct generator *g, struct script *script, unsigned lane)
{
	struct op *op = script_add(script, lane, any_kind(g));

	if (!op)
		return false;
	for (unsigned i = 0; op->kind->args[i]; i++) {
		char letter = op->kind->args[i];

		if (!is_text_arg(letter)) {
			op->arg[i].n = any_number(g, letter);
			continue;
		}
		op->arg[i].text = letter == 'y' ? any_target(g) : any_path(g, lane, letter == 'd');
		if (!op->arg[i].text)
			return false;
	}
	return true;
}

static bool add_check(struct script *script, bool content)
{
	struct op *op = script_add(script, 0, op_kind_find("check"));

	if (op)
		op->arg[0].n = content;
	return op;
}

int script_generate(const struct generate_options *options, struct script *ret)
{
	_cleanup_(freep) struct generator *g = calloc(1, sizeof(*g));
	const struct op_kind *restart = op_kind_find("restart");

	if (!g)
		return -ENOMEM;
	g->rng.state = options->seed * 0x100000001b3;
	g->n_lanes = options->n_lanes;
	for (const struct op_kind *kind = op_kinds; kind->name; kind++)
		g->total_weight += kind->weight;
	for (unsigned i = 1; i <= options->n_ops; i++) {
		bool alone = i % (PARALLEL_OPS + ALONE_OPS) >= PARALLEL_OPS;
		unsigned lane = alone ? 0 : 1 + (unsigned)rng_below(&g->rng, g->n_lanes);

		if (!add_any(g, ret, lane))
			return -ENOMEM;
		if (options->restart_every && i % options->restart_every == 0) {
			if (!script_add(ret, 0, restart) || !add_check(ret, chance(g, 25)))
				return -ENOMEM;
		} else if (i % CHECK_EVERY == 0 && !add_check(ret, false)) {
			return -ENOMEM;
		}
	}
	return add_check(ret, true) ? 0 : -ENOMEM;
}
