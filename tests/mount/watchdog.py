# SPDX-License-Identifier: MIT
"""
A process beside the tests: when a test takes too long, or the tests die, it aborts the FUSE connections that they
made.  A process that waits for a dead connection cannot be killed, the abort frees it.

It reads lines: "begin SECONDS", "end", "mount MINOR", "pid PID", "gone PID MINOR".
"""

import os
import select
import signal
import sys
import time

CONNECTIONS = "/sys/fs/fuse/connections"

_pipe = -1
_minors = set()


def abort(minors):
    for minor in minors:
        try:
            with open(f"{CONNECTIONS}/{minor}/abort", "w", encoding="ascii") as f:
                f.write("1")
        except OSError:
            pass  # it is gone already


def _obey(line, minors, pids, deadline):
    words = line.split()
    if words[0] == "begin":
        return time.monotonic() + float(words[1])
    if words[0] == "end":
        return None
    if words[0] == "mount":
        minors.add(words[1])
    elif words[0] == "pid":
        pids.add(words[1])
    elif words[0] == "gone":
        pids.discard(words[1])
        minors.discard(words[2])
    return deadline


def _end_all(minors, pids):
    abort(minors)
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


def _main(fd):
    minors, pids, deadline, text = set(), set(), None, b""
    while True:
        timeout = None if deadline is None else max(0, deadline - time.monotonic())
        if not select.select([fd], [], [], timeout)[0]:
            sys.stderr.write("\nwatchdog: a test exceeded its limit, its mounts are aborted\n")
            _end_all(minors, pids)
            minors.clear()
            pids.clear()
            deadline = None
            continue
        chunk = os.read(fd, 65536)
        if not chunk or chunk.endswith(b"quit\n"):
            _end_all(minors, pids)
            os._exit(0)
        *lines, text = (text + chunk).split(b"\n")
        for line in lines:
            deadline = _obey(line.decode(), minors, pids, deadline)


def start():
    global _pipe
    read_fd, _pipe = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(_pipe)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setsid()
        try:
            _main(read_fd)
        finally:
            os._exit(1)
    os.close(read_fd)
    return pid


def stop(pid):
    global _pipe
    tell("quit")  # a forked process may have the pipe, too
    os.close(_pipe)
    _pipe = -1
    os.waitpid(pid, 0)


def tell(line):
    words = line.split()
    if words[0] == "mount":
        _minors.add(words[1])
    elif words[0] == "gone":
        _minors.discard(words[2])
    if _pipe >= 0:
        os.write(_pipe, line.encode() + b"\n")


def abort_all():
    """Now, from the tests themselves."""
    abort(_minors)
