# SPDX-License-Identifier: MIT
"""What is measured.  A workload does one round for one side, and returns its seconds.

A side is "native", or a mode of the view.  Warm workloads go over a tree that is local, in a view that stays
mounted; cold ones begin with a fresh root and empty caches each time.  Nothing is deleted in between.
"""
import os
import time

import changes
import machine
import notifications
import tree
import view
import waiters

SIDES = ["native", *view.MODES]


class Bed:
    """Where the workloads lie: the image with the source, its plain copy, and one hydrated view per mode."""

    def __init__(self, top, projfs, n_files):
        self.top = top
        self.projfs = projfs
        self.source = os.path.join(top, "source")
        self.list = os.path.join(top, "list")
        self.n_fresh = 0
        self.statstorm = os.path.join(os.path.dirname(projfs.command), "../../bench/statstorm")
        self.readers = os.path.join(os.path.dirname(projfs.command), "../../tests/mount/readers")
        self.one_file = tree.make(self.source, n_files)
        tree.write_list(self.source, self.list)
        self.warm = {side: os.path.join(top, "warm-" + side) for side in SIDES}
        machine.run(["cp", "-a", self.source, self.warm["native"]])

    def open_warm_views(self):
        """Mount and hydrate.  diff reads all of it: figures of a view that is wrong would say nothing."""
        for side in SIDES:
            if side in view.MODES:
                self.projfs.mount(side, self.source, self.warm[side])
            machine.run(["diff", "-r", "--no-dereference", self.source, self.warm[side]])

    def close_warm_views(self):
        for side in view.MODES:
            self.projfs.umount(self.warm[side])

    def fresh(self, name):
        """A path on the image that was never used."""
        self.n_fresh += 1
        return os.path.join(self.top, f"{self.n_fresh:04d}-{name}")


class Warm:
    """The same command on each tree; one pass before the first that counts."""

    is_warm = True
    sides = SIDES

    def __init__(self, name, what, argv, ok=(0,)):
        self.name, self.what, self.argv, self.ok = name, what, argv, ok
        self.before = {}

    def prepare(self, bed):
        for side in SIDES:
            machine.run(self.argv(bed, bed.warm[side]), self.ok)
        for side in view.MODES:
            self.before[side] = bed.projfs.counters(bed.warm[side])

    def once(self, bed, side):
        return machine.timed(self.argv(bed, bed.warm[side]), self.ok)

    def upcalls(self, bed, n_rounds):
        """Of each mode, per round, what each counter of the instance has grown by."""
        ret = {}
        for side in view.MODES:
            after = bed.projfs.counters(bed.warm[side])
            ret[side] = {key: (after[key] - self.before[side].get(key, 0)) / n_rounds for key in after}
        return ret

    def finish(self, bed):
        pass


class Cold:
    """One function per workload: (bed, side) to seconds.  Sides without a meaning of their own are left out."""

    is_warm = False

    def __init__(self, name, what, once, sides=None):
        self.name, self.what, self.once = name, what, once
        self.sides = sides or SIDES

    def prepare(self, bed):
        pass

    def upcalls(self, bed, n_rounds):
        return {}

    def finish(self, bed):
        pass


def _pipe(command):
    return lambda bed, path: ["sh", "-c", command, "sh", path]


def _on_fresh_root(argv):
    """Time argv(bed, tree) on the source, or on a fresh, empty root of it; caches are dropped alike."""

    def once(bed, side):
        if side == "native":
            machine.drop_caches()
            return machine.timed(argv(bed, bed.source))
        root = bed.fresh("root-" + side)
        bed.projfs.mount(side, bed.source, root)
        machine.drop_caches()
        seconds = machine.timed(argv(bed, root))
        bed.projfs.umount(root)
        return seconds

    return once


def _cp(bed, path):
    return ["cp", "-r", path, bed.fresh("copy")]


def _mount_umount(get_root):
    def once(bed, side):
        root = get_root(bed, side)
        os.makedirs(root, exist_ok=True)
        bed.projfs.will_mount(root)
        os.sync()  # a mount writes its mark to the disk, and would wait for what others wrote
        seconds = machine.timed(bed.projfs.mount_argv(side, bed.source, root), is_short=True)
        start = time.perf_counter()
        bed.projfs.umount(root)
        return seconds + time.perf_counter() - start

    return once


def _first_file(bed, side):
    """From nothing to the content of one file.  The native side only reads it: there is nothing to mount."""
    if side == "native":
        return machine.timed(["cat", os.path.join(bed.source, bed.one_file)])
    root = bed.fresh("root-" + side)
    os.sync()
    start = time.perf_counter()
    bed.projfs.mount(side, bed.source, root)
    machine.run(["cat", os.path.join(root, bed.one_file)])
    seconds = time.perf_counter() - start
    bed.projfs.umount(root)
    return seconds


ALL = [
    Warm("find", "warm find, names only", lambda bed, path: ["find", path]),
    Warm("ls", "warm ls -lR", lambda bed, path: ["ls", "-lR", path]),
    Warm("stat", "warm lstat of every path", lambda bed, path: [bed.statstorm, path, bed.list]),
    Warm("grep", "warm grep -r for what is not there",
         lambda bed, path: ["grep", "-r", tree.ABSENT, path], ok=(1,)),
    # GNU tar does not read files when it sees that its output is /dev/null.
    Warm("tar", "warm tar, through a pipe", _pipe('tar -C "$1" -cf - . | cat >/dev/null')),
    Cold("cold-find", "cold find, fresh root", _on_fresh_root(lambda bed, path: ["find", path])),
    Cold("cold-cp", "cold cp -r, fresh root", _on_fresh_root(_cp)),
    Cold("mount", "mount and umount, fresh root",
         _mount_umount(lambda bed, side: bed.fresh("root-" + side)), list(view.MODES)),
    Cold("mount-local", "mount and umount, all files local",
         _mount_umount(lambda bed, side: bed.warm[side]), list(view.MODES)),
    Cold("first-file", "mount until one file is read (native: read)", _first_file),
    Cold("untar", "untar of 20,000 files into a local directory",
         changes.in_local_directory(lambda bed, place: changes.tarball(bed), changes.untar)),
    Cold("write", "1 GiB written by dd", changes.in_local_directory(changes.nothing, changes.write_file)),
    Cold("rename", "10,000 renames of local files",
         changes.in_local_directory(changes.make_names, lambda place, paths: changes.rename_all(paths))),
    Cold("unlink", "10,000 unlinks of local files",
         changes.in_local_directory(changes.make_names, lambda place, paths: changes.unlink_all(paths))),
    Cold("rename-projected", "10,000 renames of placeholders", changes.on_projected_names(changes.rename_all)),
    Cold("unlink-projected", "10,000 unlinks of placeholders", changes.on_projected_names(changes.unlink_all)),
    Cold("sqlite", "sqlite: 100,000 inserts, 200 durable commits",
         changes.in_local_directory(changes.nothing, changes.sqlite_inserts)),
    *waiters.WORKLOADS,
    *notifications.WORKLOADS,
]


def measure(workload, bed, n_rounds):
    """Seconds of each round of each side, and the upcalls.  Interleaved, and each round begins with another side: what
    the machine does besides, and what one side leaves behind for the next, falls on all alike."""
    sides = workload.sides
    times = {side: [] for side in sides}
    workload.prepare(bed)
    for i in range(n_rounds):
        for j in range(len(sides)):
            side = sides[(i + j) % len(sides)]
            times[side].append(workload.once(bed, side))
    upcalls = workload.upcalls(bed, n_rounds)
    workload.finish(bed)
    return times, upcalls
