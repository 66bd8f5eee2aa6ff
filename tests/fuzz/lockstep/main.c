/* SPDX-License-Identifier: MIT */

/*
 * lockstep: the same operations on two trees that began equal, every result compared.
 *
 *	lockstep [OPTION...] A B             run a script made from the seed
 *	lockstep --replay FILE A B           run this script
 *	lockstep --print [OPTION...]         print the script of the seed
 *	lockstep --make-source [OPTION...] DIR
 *
 * Options: --seed N  --ops N  --threads N  --restart-every N
 *	--control IN,OUT    descriptors: a byte to OUT asks to have A restarted, a byte from IN says that it is
 *	--say-failed        name each operation that fails on both sides
 *	--sabotage NAME     this operation does something else on A (truncate)
 *
 * Exit code: 0 no difference, 1 a difference, 2 trouble.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "side.h"

struct options {
	struct generate_options generate;
	const char *replay;
	const char *sabotage;
	int control_in, control_out;
	bool print, make_source, say_failed;
};

static bool parse_unsigned(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 0);
	return !errno && end != text && !*end && *ret <= max;
}

static bool parse_option(int c, struct options *o)
{
	unsigned long n = 0;

	if (strchr("snte", c) && !parse_unsigned(optarg, c == 's' ? UINT64_MAX : 10000000, &n))
		return false;
	switch (c) {
	case 's':
		o->generate.seed = n;
		return true;
	case 'n':
		o->generate.n_ops = (unsigned)n;
		return true;
	case 't':
		o->generate.n_lanes = (unsigned)n;
		return n >= 1 && n <= MAX_LANES;
	case 'e':
		o->generate.restart_every = (unsigned)n;
		return true;
	case 'c':
		return sscanf(optarg, "%d,%d", &o->control_in, &o->control_out) == 2;
	case 'r':
		o->replay = optarg;
		return true;
	case 'S':
		o->sabotage = optarg;
		return true;
	case 'f':
		o->say_failed = true;
		return true;
	case 'p':
		o->print = true;
		return true;
	case 'm':
		o->make_source = true;
		return true;
	default:
		return false;
	}
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
	        {"seed", required_argument, NULL, 's'},
	        {"ops", required_argument, NULL, 'n'},
	        {"threads", required_argument, NULL, 't'},
	        {"restart-every", required_argument, NULL, 'e'},
	        {"control", required_argument, NULL, 'c'},
	        {"replay", required_argument, NULL, 'r'},
	        {"sabotage", required_argument, NULL, 'S'},
	        {"say-failed", no_argument, NULL, 'f'},
	        {"print", no_argument, NULL, 'p'},
	        {"make-source", no_argument, NULL, 'm'},
	        {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!parse_option(c, o))
			return false;
	return argc - optind == (o->print ? 0 : o->make_source ? 1 : 2);
}

static int run(const struct options *o, const struct script *script, char *const tops[N_SIDES])
{
	struct world world;
	int r;

	world_init(&world);
	for (int side = 0; side < N_SIDES; side++)
		world.top[side] = tops[side];
	world.n_lanes = o->generate.n_lanes;
	world.sabotage = o->sabotage;
	world.say_failed = o->say_failed;
	world.control_in = o->control_in;
	world.control_out = o->control_out;
	perform_init();
	r = world_run(&world, script);
	world_deinit(&world);
	if (r > 0 && !o->replay)
		printf("seed %llu\n", (unsigned long long)o->generate.seed);
	return r < 0 ? 2 : r;
}

int main(int argc, char **argv)
{
	struct options o = {
	        .generate = {.seed = 1, .n_ops = 1500, .n_lanes = 3},
	        .control_in = -1,
	        .control_out = -1,
	};
	struct script script = {0};
	int r;

	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr, "usage: lockstep [OPTION...] A B; see the top of main.c\n");
		return 2;
	}
	umask(022);
	if (o.make_source) {
		r = tree_make(argv[optind], o.generate.seed, o.generate.n_lanes);
		if (r < 0)
			fprintf(stderr, "lockstep: %s: %s\n", argv[optind], strerror(-r));
		return r < 0 ? 2 : 0;
	}
	r = o.replay ? script_read(o.replay, &script) : script_generate(&o.generate, &script);
	if (r < 0)
		fprintf(stderr, "lockstep: no script: %s\n", strerror(-r));
	else if (o.print)
		script_print(&script, stdout);
	else
		r = run(&o, &script, &argv[optind]);
	script_deinit(&script);
	return r < 0 ? 2 : r;
}
