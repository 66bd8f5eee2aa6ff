/* SPDX-License-Identifier: MIT */

/*
 * Runs a script: each operation on side 0, then on side 1, and what comes out is compared at once.
 */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "side.h"

#define PATH_SIZE 8192
#define SHOWN_BYTES 16
#define ERROR_SIGBUS 10000

static _Thread_local sigjmp_buf bus_error;
static _Thread_local volatile sig_atomic_t bus_expected;

/* ---- one turn ---------------------------------------------------------------------------------- */

const char *turn_path(const struct turn *turn, unsigned i)
{
	static _Thread_local char paths[2][PATH_SIZE];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 2];

	snprintf(path, PATH_SIZE, "%s/%s", turn->world->top[turn->side], turn->op->arg[i].text);
	return path;
}

struct slot *turn_slot(const struct turn *turn, unsigned i)
{
	return &turn->lane->slots[turn->op->arg[i].n][turn->side];
}

void turn_result(struct turn *turn, long result)
{
	turn->out->error = result == -1 ? errno : 0;
	turn->out->value = result == -1 ? 0 : result;
}

void slot_close(struct slot *slot)
{
	if (slot->map)
		(void)munmap(slot->map, MAP_SIZE);
	closep(&slot->fd);
	*slot = (struct slot){.fd = -1};
}

static void on_bus_error(int number)
{
	(void)number;
	if (bus_expected)
		siglongjmp(bus_error, 1);
	signal(SIGBUS, SIG_DFL);
}

void perform_init(void)
{
	const struct sigaction action = {.sa_handler = on_bus_error, .sa_flags = SA_NODEFER};

	(void)sigaction(SIGBUS, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* What a jump out of an operation leaks is a buffer or a mapping, in a program that ends soon. */
void turn_perform(struct turn *turn)
{
	if (sigsetjmp(bus_error, 1) == 0) {
		bus_expected = 1;
		turn->op->kind->perform(turn);
	} else {
		turn->out->error = ERROR_SIGBUS;
	}
	bus_expected = 0;
}

/* ---- lane 0's own -------------------------------------------------------------------------------- */

PERFORM(check)
{
	turn->out->is_text = true;
	tree_describe(turn->world->top[turn->side], turn->op->arg[0].n, &turn->out->data);
}

/* Nothing may be open below while whoever started us stops side 0 and starts it again. */
PERFORM(restart)
{
	struct world *world = turn->world;
	char answer;

	for (unsigned l = 0; l <= world->n_lanes; l++)
		for (unsigned i = 0; i < N_SLOTS; i++)
			slot_close(&world->lanes[l].slots[i][turn->side]);
	if (turn->side != 0 || world->control_out < 0)
		return;
	if (write(world->control_out, "r", 1) != 1 || read(world->control_in, &answer, 1) != 1)
		turn_result(turn, -1);
}

/* ---- comparing --------------------------------------------------------------------------------------- */

static size_t first_difference(const struct buf *a, const struct buf *b)
{
	size_t i = 0;

	while (i < a->size && i < b->size && a->data[i] == b->data[i])
		i++;
	return i;
}

static bool is_equal(const struct outcome *a, const struct outcome *b)
{
	return a->error == b->error && a->value == b->value && a->data.size == b->data.size &&
	       first_difference(&a->data, &b->data) == a->data.size;
}

/* The whole line in which the sides differ. */
static void print_line(const struct buf *b, size_t at)
{
	size_t from = MIN(at, b->size), to = from;

	while (from > 0 && b->data[from - 1] != '\n')
		from--;
	while (to < b->size && b->data[to] != '\n')
		to++;
	printf("%.*s", (int)(to - from), b->data ? (const char *)b->data + from : "");
}

static void print_outcome(char side, const struct outcome *out, size_t at)
{
	printf("  %c: ", side);
	if (out->error == ERROR_SIGBUS)
		printf("SIGBUS ");
	else if (out->error)
		printf("%s ", strerrorname_np(out->error) ? strerrorname_np(out->error) : "?");
	else
		printf("%ld ", out->value);
	if (out->is_text) {
		print_line(&out->data, at);
	} else if (out->data.size) {
		printf("%zu bytes, at %zu:", out->data.size, at);
		for (size_t i = at; i < out->data.size && i < at + SHOWN_BYTES; i++)
			printf(" %02x", out->data.data[i]);
	}
	printf("\n");
}

static void report(const struct op *op, const struct outcome out[N_SIDES])
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t at = first_difference(&out[0].data, &out[1].data);

	pthread_mutex_lock(&lock);
	printf("difference at operation %u: ", op->line);
	op_print(op, stdout);
	for (int side = 0; side < N_SIDES; side++)
		print_outcome("AB"[side], &out[side], at);
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

/* ---- running ------------------------------------------------------------------------------------------ */

struct run {
	struct world *world;
	const struct op *ops; /* those of the parallel phase */
	size_t n_ops;
	atomic_bool differs;
	atomic_uint n_succeeded;
};

struct runner {
	struct run *run;
	unsigned lane;
};

static void run_op(struct run *run, const struct op *op)
{
	struct outcome out[N_SIDES] = {0};

	for (int side = 0; side < N_SIDES; side++) {
		struct turn turn = {
		        .world = run->world,
		        .lane = &run->world->lanes[op->lane],
		        .side = side,
		        .op = op,
		        .out = &out[side],
		};

		turn_perform(&turn);
	}
	if (!is_equal(&out[0], &out[1])) {
		report(op, out);
		run->differs = true;
	}
	run->n_succeeded += out[1].error == 0;
	if (out[1].error && run->world->say_failed)
		printf("failed %u\n", op->line);
	for (int side = 0; side < N_SIDES; side++)
		buf_deinit(&out[side].data);
}

static void *run_lane(void *argument)
{
	struct runner *runner = argument;
	struct run *run = runner->run;

	for (size_t i = 0; i < run->n_ops && !run->differs; i++)
		if (run->ops[i].lane == runner->lane)
			run_op(run, &run->ops[i]);
	return NULL;
}

static int run_parallel(struct run *run)
{
	struct runner runners[MAX_LANES];
	pthread_t threads[MAX_LANES];
	unsigned n;

	for (n = 0; n < run->world->n_lanes; n++) {
		runners[n] = (struct runner){run, n + 1};
		if (pthread_create(&threads[n], NULL, run_lane, &runners[n]) != 0)
			break;
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return n == run->world->n_lanes ? 0 : -1;
}

int world_run(struct world *world, const struct script *script)
{
	struct run run = {.world = world};
	bool is_separate = true; /* the source is */
	size_t i = 0, first;

	while (i < script->n_ops && !run.differs) {
		if (script->ops[i].lane == 0) {
			is_separate = false;
			run_op(&run, &script->ops[i++]);
			continue;
		}
		for (first = i; i < script->n_ops && script->ops[i].lane != 0; i++) {
			if (script->ops[i].lane > world->n_lanes)
				return -1;
		}
		if (!is_separate)
			tree_separate(world);
		is_separate = true;
		run.ops = &script->ops[first];
		run.n_ops = i - first;
		if (run_parallel(&run) < 0)
			return -1;
	}
	if (!run.differs)
		printf("%zu operations, %u succeeded, no difference\n", i, run.n_succeeded);
	return run.differs;
}

void world_init(struct world *world)
{
	*world = (struct world){.control_in = -1, .control_out = -1};
	for (unsigned l = 0; l <= MAX_LANES; l++) {
		world->lanes[l].number = l;
		for (unsigned i = 0; i < N_SLOTS; i++)
			for (int side = 0; side < N_SIDES; side++)
				world->lanes[l].slots[i][side].fd = -1;
	}
}

void world_deinit(struct world *world)
{
	for (unsigned l = 0; l <= MAX_LANES; l++)
		for (unsigned i = 0; i < N_SLOTS; i++)
			for (int side = 0; side < N_SIDES; side++)
				slot_close(&world->lanes[l].slots[i][side]);
}
