#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare a projected tree with a copied one: every workload runs interleaved on ext4 and on both views.

Prints a Markdown table; progress goes to the standard error.  Trust the ratios, not the seconds.
"""
import argparse
import json
import os
import signal
import sys

import changes
import machine
import report
import view
import workloads

SKIPPED = 77
BYTES_PER_FILE = 16 * 1024  # with its inode, and with room: the tree has 9 KiB a file on average
TREES = 8  # source, copy, two local views; for the notifications a copy and three local views


def parse(argv):
    p = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n", maxsplit=1)[0])
    names = [w.name for w in workloads.ALL]
    p.add_argument("names", nargs="*", metavar="NAME", help="only these: " + ", ".join(names))
    p.add_argument("--build", required=True, help="build directory, optimised (./dev passes it)")
    p.add_argument("--short", action="store_true", help="10,000 files and 3 rounds, under 3 minutes")
    p.add_argument("--rounds", type=int, help="rounds (default 5, with --short 3)")
    p.add_argument("--files", type=int, help="files in the tree (default 50,000, with --short 10,000)")
    p.add_argument("--json", metavar="FILE", help="write the figures there as well")
    args = p.parse_args(argv)
    unknown = [name for name in args.names if name not in names]
    if unknown:
        p.error(f"no workload '{unknown[0]}': there are {', '.join(names)}")
    args.n_files = args.files or (10_000 if args.short else 50_000)
    args.n_rounds = args.rounds or (3 if args.short else 5)
    if args.n_files < 1 or args.n_rounds < 1:
        p.error("at least one file and one round")
    return args


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure_one(workload, bed, n_rounds):
    say(f"bench: {workload.what}")
    times, upcalls = workloads.measure(workload, bed, n_rounds)
    return report.rows(workload, times, upcalls)


def measure_all(args, top, projfs, facts):
    say(f"bench: making {args.n_files:,} files, and copies of them")
    bed = workloads.Bed(top, projfs, args.n_files)
    bed.open_warm_views()
    facts["features"] = projfs.status(bed.warm["stable"])["features"]
    chosen = [w for w in workloads.ALL if not args.names or w.name in args.names]
    rows = []
    for workload in (w for w in chosen if w.is_warm):
        rows += measure_one(workload, bed, args.n_rounds)
    bed.close_warm_views()
    for workload in (w for w in chosen if not w.is_warm):
        rows += measure_one(workload, bed, args.n_rounds)
    return rows


def stop(number, frame):
    raise KeyboardInterrupt


def main(argv):
    args = parse(argv)
    if os.geteuid() != 0:
        say("bench: the loop image needs root: run it with sudo")
        return SKIPPED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)

    # A fresh root per mode and round, and a copy per side and round, in `cp -r`.
    n_trees = TREES + args.n_rounds * (len(view.MODES) + 2 * len(workloads.SIDES))
    n_written = args.n_rounds * len(workloads.SIDES) * (changes.WRITE_MIB * 2**20 + changes.TAR_FILES * 8192)
    image = machine.Image(max(2**30, n_trees * args.n_files * BYTES_PER_FILE * 3 // 2 + n_written * 5 // 4))
    projfs = None
    try:
        facts = {**machine.facts(), "n_files": args.n_files, "n_rounds": args.n_rounds}
        projfs = view.Projfs(os.path.abspath(args.build))
        facts["projfs"] = projfs.version()
        image.open()
        rows = measure_all(args, image.top, projfs, facts)
    except KeyboardInterrupt:
        say("bench: stopped")
        return 130
    except (machine.BenchError, OSError) as e:
        say(f"bench: {e}")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if projfs:
            projfs.close()
        image.close()

    print(report.markdown(facts, rows))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"facts": facts, "rows": rows}, f, indent=2)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
