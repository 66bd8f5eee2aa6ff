# SPDX-License-Identifier: MIT
"""Workloads that change a tree: in a directory of the user's own, and of what is projected.

Each round has a fresh place: on the plain file system a new directory (or copy of the source), in a view a new root.
"""
import os
import sqlite3
import time

import machine

TAR_FILES = 20_000
WRITE_MIB = 1024
N_NAMES = 10_000
SQLITE_ROWS = 100_000
SQLITE_COMMITS = 200


def tarball(bed):
    path = os.path.join(bed.top, "archive.tar")
    if not os.path.exists(path):
        tree = os.path.join(bed.top, "archive")
        block = os.urandom(4096)
        for i in range(TAR_FILES):
            folder = os.path.join(tree, f"d{i // 100:03d}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"f{i:05d}"), "wb") as f:
                f.write(block)
        machine.run(["tar", "-C", tree, "-cf", path, "."])
        os.sync()
    return path


def _timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def in_local_directory(prepare, work):
    """Time work(directory) in a directory that the user made; what prepare(bed, directory) returns is handed on."""

    def once(bed, side):
        if side == "native":
            place = bed.fresh("plain")
            os.makedirs(place)
        else:
            root = bed.fresh("root-" + side)
            bed.projfs.mount(side, bed.source, root)
            place = os.path.join(root, "of-the-user")
            os.mkdir(place)
        given = prepare(bed, place)
        os.sync()
        seconds = _timed(work, place, given)
        if side != "native":
            bed.projfs.umount(root)
        return seconds

    return once


def on_projected_names(work):
    """Time work(paths) on files that the view projects and nobody has touched; natively on a copy of the source."""

    def once(bed, side):
        root = bed.fresh("tree-" + side)
        if side == "native":
            machine.run(["cp", "-a", bed.source, root])
        else:
            bed.projfs.mount(side, bed.source, root)
        paths = []
        for folder, _, names in os.walk(root):
            paths += [os.path.join(folder, name) for name in names]
        paths = sorted(paths)[:N_NAMES]
        for path in paths:
            os.lstat(path)
        os.sync()
        seconds = _timed(work, paths)
        if side != "native":
            bed.projfs.umount(root)
        return seconds

    return once


def untar(place, archive):
    machine.run(["tar", "-C", place, "-xf", archive])


def write_file(place, _):
    machine.run(["dd", "if=/dev/zero", f"of={place}/file", "bs=1M", f"count={WRITE_MIB}", "status=none"])


def make_names(_, place):
    paths = [os.path.join(place, f"{i:05d}") for i in range(N_NAMES)]
    for path in paths:
        with open(path, "wb"):
            pass
    return paths


def rename_all(paths):
    for path in paths:
        os.rename(path, path + ".moved")


def unlink_all(paths):
    for path in paths:
        os.unlink(path)


def sqlite_inserts(place, _):
    """Many rows in one transaction, then many small transactions, each made durable."""
    base = sqlite3.connect(os.path.join(place, "base"))
    base.execute("create table t (i integer primary key, text)")
    base.executemany("insert into t values (?, ?)", ((i, f"row {i}") for i in range(SQLITE_ROWS)))
    base.commit()
    for i in range(SQLITE_COMMITS):
        base.execute("update t set text = ? where i = ?", (f"changed {i}", i * 7))
        base.commit()
    base.close()


def nothing(_bed, _place):
    return None

