# SPDX-License-Identifier: MIT
"""Whether those who wait disturb those who need not: a directory is read while 10,000 others wait for a hung provider.

Each file that is read leaves the page cache first, so that every read is one that the instance has to answer.
"""
import os
import statistics
import subprocess
import time

import machine

N_WAITING = 10_000
N_NEAR = 500
PASSES = 40
NEAR_BYTES = 16 * 1024
DEADLINE_S = 60


def _source(bed):
    """near/: what is read; far/: what is waited for, named as tests/mount/readers.c wants it."""
    top = os.path.join(bed.top, "waiters")
    if not os.path.exists(top):
        for folder, n, size in (("near", N_NEAR, NEAR_BYTES), ("far", N_WAITING, 16)):
            os.makedirs(os.path.join(top, folder))
            for i in range(n):
                with open(os.path.join(top, folder, f"f{i:06}"), "wb") as f:
                    f.write(os.urandom(size))
        os.sync()
    return top


def _read_all(paths):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if len(os.read(fd, NEAR_BYTES)) != NEAR_BYTES:
            raise machine.BenchError(f"'{path}' is shorter than it should be")
        os.close(fd)


def _look_at(folder):
    """Have the provider describe all: what is waited for afterwards is content alone."""
    for name in os.listdir(folder):
        os.close(os.open(os.path.join(folder, name), os.O_RDONLY))


def _wait_until_all_wait(bed, root, before, readers):
    """Until the provider has been asked about all of them, too: what happens then is nothing."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        now = bed.projfs.counters(root)
        if now["n_parked"] >= N_WAITING and now["callbacks_data"] - before >= N_WAITING:
            return
        if readers.poll() is not None or time.monotonic() > deadline:
            raise machine.BenchError(f"only {now['n_parked']:,} of {N_WAITING:,} readers wait, see projfs status")


class Waiters:
    """Two views of the same source at the same time, read in turns: the side "native" is the one where nobody waits.

    One pass over the directory is so short that what else the machine does falls on both sides alike; the median
    of the passes counts.
    """

    is_warm = False

    def __init__(self, mode, name):
        self.name, self.mode = name, mode
        self.what = f"{N_NEAR * PASSES:,} reads of hydrated files, {N_WAITING:,} readers wait (native: nobody waits)"
        self.sides = ["native", mode]
        self.roots, self.near, self.seconds = {}, {}, {}
        self.readers = None

    def _mount(self, bed, side):
        root = self.roots[side] = bed.fresh("waiters")
        options = ["-o", "placeholder-timeout=1h,filter=fault:get_file_data hang path=far/*"]
        bed.projfs.mount(self.mode, _source(bed), root, options)
        self.near[side] = [os.path.join(root, "near", f"f{i:06}") for i in range(N_NEAR)]
        _read_all(self.near[side])
        _look_at(os.path.join(root, "far"))
        return root

    def prepare(self, bed):
        for side in self.sides:
            root = self._mount(bed, side)
        before = bed.projfs.counters(root)["callbacks_data"]
        argv = [bed.readers, os.path.join(root, "far"), str(N_WAITING), "read"]
        self.readers = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        try:
            _wait_until_all_wait(bed, root, before, self.readers)
        except BaseException:
            self._end_readers()
            raise

    def _measure(self):
        times = {side: [] for side in self.sides}
        for i in range(PASSES):
            for side in self.sides if i % 2 else reversed(self.sides):
                start = time.perf_counter()
                _read_all(self.near[side])
                times[side].append(time.perf_counter() - start)
        return {side: statistics.median(times[side]) * PASSES for side in self.sides}

    def once(self, bed, side):
        """The first side of a round measures both."""
        if side not in self.seconds:
            try:
                self.seconds = self._measure()
            except BaseException:
                self._end_readers()
                raise
        return self.seconds.pop(side)

    def upcalls(self, bed, n_rounds):
        return {}

    def _end_readers(self):
        self.readers.kill()
        self.readers.wait(DEADLINE_S)

    def finish(self, bed):
        self._end_readers()
        for root in self.roots.values():
            bed.projfs.umount(root)


WORKLOADS = [Waiters("stable", "waiters"), Waiters("live", "waiters-live")]
