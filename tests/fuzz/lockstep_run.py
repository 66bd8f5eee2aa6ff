#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The lockstep fuzzer on real views: the same random operations on a view and on a plain copy of its source.

    lockstep_run.py [--build BUILD] [--seconds N] [--seed N]... [--view live|stable|both|plain]
    lockstep_run.py --replay FILE...       run kept scripts again
    lockstep_run.py --minimise FILE        make a kept script that still differs shorter
    lockstep_run.py --self-test            without a view: a difference that is there is found and minimised

A round is one fresh root, one source, and one script with restarts in it, all of them made from the round's seed.
When a round finds a difference its script is minimised, printed and written to --keep; it belongs into lockstep-scripts/, where
test_lockstep.py replays it.  Exit code: 0 no difference, 1 a difference, 2 trouble.
"""

import argparse
import contextlib
import os
import pathlib
import random
import re
import select
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, os.fspath(HERE.parent / "mount"))

FIXED_SEEDS = [1, 2, 3]
ROUND_SECONDS = 120
HEADER = re.compile(r"# source (?P<seed>\d+) threads (?P<threads>\d+) view (?P<view>\S+)")


class Round:
    """What is needed to run a script again: the source's seed and how it is mounted."""

    def __init__(self, seed, threads, view, options=(), sabotage=None):
        self.seed, self.threads, self.view = seed, threads, view
        self.options, self.sabotage = tuple(options), sabotage

    def header(self):
        return f"# source {self.seed} threads {self.threads} view {self.view}"

    def arguments(self):
        return ["--seed", str(self.seed), "--threads", str(self.threads)]


class Answer:
    """is_bad: a difference, a hang, or something that the instance left behind."""

    def __init__(self, code, text, complaints=""):
        self.code, self.complaints = code, complaints
        self.is_bad = code not in (0, 2) or bool(complaints)
        self.failed = {int(n) for n in re.findall(r"^failed (\d+)$", text, re.M)}
        self.text = re.sub(r"^failed \d+\n", "", text, flags=re.M)


def program():
    import support

    return support.BUILD / "tests/fuzz/lockstep/lockstep"


def script_of(a_round, ops, restart_every):
    command = [program(), "--print", *a_round.arguments(), "--ops", str(ops)]
    command += ["--restart-every", str(restart_every)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def mount(box, a_round):
    if a_round.view == "plain":
        return None
    options = [*(["stable"] if a_round.view == "stable" else []), *a_round.options]
    return box.mount(None, *options)


def converse(process, answers, wishes, restart, deadline):
    """Restart the view whenever it is asked for; the output.  None: it took too long."""
    text = b""
    while True:
        ready = select.select([process.stdout, wishes], [], [], max(0, deadline - time.monotonic()))[0]
        if not ready:
            return None
        if wishes in ready and os.read(wishes, 1):
            restart()
            os.write(answers, b"y")
            continue
        if process.stdout in ready:
            chunk = os.read(process.stdout.fileno(), 65536)
            text += chunk
            if not chunk:
                return text.decode(errors="replace")


def run_in(box, a_round, lines, seconds):
    import support
    import watchdog

    subprocess.run([program(), "--make-source", *a_round.arguments(), box.source], check=True)
    for copy in ["copy"] + (["root"] if a_round.view == "plain" else []):
        subprocess.run(["cp", "-aT", box.source, box.make_dir(copy)], check=True)
    (box.dir / "script").write_text("\n".join(lines) + "\n")
    instances = [mount(box, a_round)]

    def restart():
        if instances[0]:
            instances[0].stop()
            instances[0] = mount(box, a_round)

    with contextlib.ExitStack() as stack:
        wishes, our_wish = os.pipe()
        our_answer, answers = os.pipe()
        for fd in (wishes, answers):
            stack.callback(os.close, fd)
        command = [program(), "--say-failed", "--replay", box.dir / "script", *a_round.arguments()]
        command += ["--control", f"{our_answer},{our_wish}", box.root, box.dir / "copy"]
        if a_round.sabotage:
            command += ["--sabotage", a_round.sabotage]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(our_answer, our_wish))
        os.close(our_wish)
        os.close(our_answer)
        try:
            text = converse(process, answers, wishes, restart, time.monotonic() + seconds)
        except Exception as e:  # a restart that fails is a finding
            text = f"restart: {type(e).__name__}: {e}"
        if text is None or text.startswith("restart: "):
            process.kill()
            if not support.wait_for_exit(process.pid, 2):
                watchdog.abort_all()
            process.wait(10)
            return Answer(3, text or f"no end within {seconds} s")
        code = process.wait(30)
        if instances[0]:
            try:
                instances[0].stop()
            except (AssertionError, subprocess.TimeoutExpired) as e:
                return Answer(3, f"{text}stop: {e}")
        return Answer(code, text)


def run(a_round, lines, seconds=ROUND_SECONDS):
    """Run a script on fresh trees."""
    import support
    import watchdog

    box = support.Box()
    watchdog.tell(f"begin {2 * seconds}")
    try:
        answer = run_in(box, a_round, lines, seconds)
    except support.MountFailed as e:
        answer = Answer(3, f"mount: {e}")
    finally:
        with contextlib.redirect_stdout(None):
            complaints = box.close()
        watchdog.tell("end")
    if complaints and answer.code != 3:  # what is killed may leave something
        answer = Answer(answer.code, answer.text, complaints)
    return answer


# ---- minimising -----------------------------------------------------------------------------


def without_chunks(lines, is_bad, deadline):
    """Delta debugging: drop what can be dropped, in ever smaller chunks."""
    size = max(1, len(lines) // 2)
    while time.monotonic() < deadline:
        position, dropped = 0, False
        while position < len(lines) and time.monotonic() < deadline:
            fewer = lines[:position] + lines[position + size :]
            if fewer and is_bad(fewer):
                lines, dropped = fewer, True
            else:
                position += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2)
    return lines


def minimise(a_round, lines, answer, seconds):
    """The shortest script found that still fails, and how it fails; as given when it does not fail again."""
    deadline = time.monotonic() + seconds
    found = re.search(r"difference at operation (\d+)", answer.text)
    last = [answer]

    def is_bad(fewer):
        # something that hung once need not be waited for long
        again = run(a_round, fewer, 20)
        if again.is_bad:
            last[0] = again
        return again.is_bad

    if found and is_bad(lines[: int(found[1])]):
        lines = lines[: int(found[1])]
    elif not is_bad(lines):
        print("it did not fail again")
        return lines, answer
    # what failed changed nothing, most likely
    fewer = [line for n, line in enumerate(lines, 1) if n not in last[0].failed]
    if fewer and is_bad(fewer):
        lines = fewer
    for lane in sorted({line.split()[0] for line in lines}):
        fewer = [line for line in lines if line.split()[0] != lane]
        if fewer and is_bad(fewer):
            lines = fewer
    lines = without_chunks(lines, is_bad, deadline)
    return lines, last[0]


def report(a_round, lines, answer, keep, seconds):
    print(f"seed {a_round.seed} view {a_round.view}: {answer.text.strip()}\n{answer.complaints}".rstrip(), flush=True)
    lines, answer = minimise(a_round, lines, answer, seconds)
    text = "\n".join([a_round.header(), *lines]) + "\n"
    print(f"--- minimised to {len(lines)} operations\n{text}--- {answer.text.strip()}\n{answer.complaints}".rstrip())
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"seed-{a_round.seed}-{a_round.view}.script"
    path.write_text(text)
    print(f"kept as {path}", flush=True)


# ---- what can be asked for ----------------------------------------------------------------------


def read_script(path):
    lines = pathlib.Path(path).read_text().splitlines()
    header = HEADER.match(lines[0])
    if not header:
        raise ValueError(f"{path}: the first line is not '# source SEED threads N view VIEW'")
    a_round = Round(int(header["seed"]), int(header["threads"]), header["view"])
    return a_round, [line for line in lines if line and not line.startswith("#")]


def replay(paths):
    bad = 0
    for path in paths:
        a_round, lines = read_script(path)
        answer = run(a_round, lines)
        print(f"{'FAIL' if answer.is_bad else 'ok  '}  {path}")
        if answer.is_bad:
            print(answer.text, answer.complaints)
            bad += 1
    return bad


def fuzz(arguments):
    """Rounds until the time is over; True if all was well."""
    seeds = arguments.seed or [*FIXED_SEEDS, random.SystemRandom().randrange(100, 1 << 32)]
    views = ["live", "stable"] if arguments.view == "both" else [arguments.view]
    print(f"seeds {' '.join(map(str, seeds))}, {arguments.seconds} s", flush=True)
    rounds = operations = 0
    for seed in seeds:
        end = time.monotonic() + arguments.seconds / len(seeds)
        for n in range(1_000_000):
            if n and time.monotonic() >= end:
                break
            a_round = Round(seed * 1_000_000 + n, arguments.threads, views[n % len(views)], arguments.option)
            lines = script_of(a_round, arguments.ops, arguments.restart_every)
            answer = run(a_round, lines)
            if answer.code == 2:
                raise RuntimeError(answer.text)
            if answer.is_bad:
                report(a_round, lines, answer, arguments.keep, arguments.minimise_seconds)
                return False
            rounds += 1
            operations += len(lines)
    print(f"{rounds} rounds, {operations} operations, no difference")
    return True


def self_test():
    """Plain against plain: equal; with an operation that goes wrong on one side: found, and minimised to what matters."""
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"  # trees made and removed all the time: nothing for a disk
    a_round = Round(5, 3, "plain")
    lines = script_of(a_round, 800, 300)
    answer = run(a_round, lines)
    assert answer.code == 0 and not answer.is_bad, answer.text
    broken = Round(5, 3, "plain", sabotage="truncate")
    answer = run(broken, lines)
    assert answer.code == 1 and "difference at operation" in answer.text, answer.text
    fewer, answer = minimise(broken, lines, answer, 60)
    print("\n".join(fewer), answer.text, sep="\n")
    assert answer.code == 1
    assert len(fewer) <= 4, "not minimal"
    assert any(" truncate " in line for line in fewer)
    without = [line for line in fewer if " truncate " not in line]
    assert not run(broken, without).is_bad


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="the build directory (default: PROJFS_BUILD)")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--ops", type=int, default=1500, help="operations in a round")
    parser.add_argument("--restart-every", type=int, default=400)
    parser.add_argument("--view", choices=["live", "stable", "both", "plain"], default="both")
    parser.add_argument("-o", "--option", action="append", default=[], help="one more mount option")
    parser.add_argument("--minimise-seconds", type=float, default=300)
    parser.add_argument("--keep", type=pathlib.Path, help="where found scripts go (default: BUILD/lockstep)")
    parser.add_argument("--replay", nargs="+", metavar="FILE")
    parser.add_argument("--minimise", metavar="FILE", help="make a kept script that still differs shorter")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.build:
        os.environ["PROJFS_BUILD"] = arguments.build
    return arguments


def with_pytest():
    """The mount tests' modules need pytest: Debian's own python has it, whatever python3 is in PATH."""
    import importlib.util

    debian = "/usr/bin/python3"
    if not importlib.util.find_spec("pytest") and os.path.realpath(sys.executable) != os.path.realpath(debian):
        os.execv(debian, [debian, os.path.abspath(__file__), *sys.argv[1:]])


def main():
    arguments = parse()
    with_pytest()
    import conftest
    import support
    import watchdog

    arguments.keep = arguments.keep or support.BUILD / "lockstep"
    os.environ[support.SESSION_VARIABLE] = f"{os.getpid()}"
    os.umask(0o022)
    if arguments.self_test or arguments.view == "plain":
        pid = None
    else:
        conftest.prepare_fusectl()
        pid = watchdog.start()
    try:
        if arguments.self_test:
            self_test()
            return 0
        if arguments.replay:
            return 1 if replay(arguments.replay) else 0
        if arguments.minimise:
            a_round, lines = read_script(arguments.minimise)
            report(a_round, lines, run(a_round, lines), arguments.keep, arguments.minimise_seconds)
            return 1
        return 0 if fuzz(arguments) else 1
    finally:
        if pid:
            watchdog.stop(pid)


if __name__ == "__main__":
    sys.exit(main())
