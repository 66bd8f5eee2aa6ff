# SPDX-License-Identifier: MIT
"""
A power cut before the N-th change on the disk: what was fsynced is there, and nothing holds what it should not.

The disk is an image that is shut down without writing its log (EXT4_IOC_SHUTDOWN), unmounted, and mounted again.
All bytes of source and user are other than zero, so that zeros in a file are always wrong.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import subprocess

import pytest

from support import FULL, Child, MountFailed, eventually, inside, needs_root, tool

pytestmark = [needs_root, pytest.mark.limit(1200 if FULL else 120)]

IOC_SHUTDOWN = 0x8004587D
WITHOUT_LOG = b"\x02\0\0\0"
SECTOR = 512  # what a disk writes whole; a block of a small ext4 is two of them
N_IN_CI = 4
MOST_STEPS = 1000
# file system -> size of the image, how to make it
DISKS = {
    "ext4": (96 << 20, ["mkfs.ext4", "-q", "-F"]),
    "xfs": (400 << 20, ["mkfs.xfs", "-q", "-f"]),
}


def bytes_of(name, size):
    return (name.encode() + b"+") * (size // (len(name) + 1) + 1)


SOURCE = {f"d{i % 3}/f{i}": 3000 + 5000 * i for i in range(12)}
SOURCE = {name: bytes_of(name, size)[:size] for name, size in SOURCE.items()}
NEW = {name: bytes_of(f"new of {name}", 20_000)[:20_000] for name in [*SOURCE, "made0", "made1", "d1/made2", "d2/made3"]}


def make_source(top):
    for name, data in SOURCE.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(data)
        os.utime(top / name, (10**9, 10**9))


# ---- the disk -----------------------------------------------------------------------------------


class Disk:
    def __init__(self, box, kind):
        size, make = DISKS[kind]
        if not shutil.which(make[0]):
            pytest.skip(f"no {make[0]}")
        self.place = box.make_dir("disk")
        self.image = box.dir / "image"
        with open(self.image, "wb") as f:
            f.truncate(size)
        tool(*make, self.image)

    def mount(self):
        done = tool("mount", "-o", "loop", self.image, self.place, check=False)
        if done.returncode:
            pytest.skip(f"no loop mounts: {os.fsdecode(done.stderr)}")

    def unmount(self):
        # what was detached from a disk that is down keeps it busy for a moment
        done = eventually(lambda: tool("umount", self.place, check=False).returncode, 0)
        assert done == 0, "the disk stays busy"

    def cut_power(self):
        with contextlib.suppress(OSError):  # EIO: it is down already
            fd = os.open(self.place, os.O_RDONLY)
            try:
                fcntl.ioctl(fd, IOC_SHUTDOWN, WITHOUT_LOG)
            finally:
                os.close(fd)

    @contextlib.contextmanager
    def mounted(self):
        self.mount()
        try:
            yield
        finally:
            if os.path.ismount(self.place):
                subprocess.run(["umount", "-l", self.place], check=False)


@pytest.fixture(params=list(DISKS))
def disk(box, request):
    made = Disk(box, request.param)
    made.mount()
    made.unmount()
    return made


# ---- what the user does ----------------------------------------------------------------------------


def overwrite(path, data, flags=os.O_RDWR):
    fd = os.open(path, flags, 0o644)
    try:
        os.pwrite(fd, data, 0)
    finally:
        os.close(fd)


def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_all(path):
    with open(path, "rb", buffering=0) as f:
        return f.readall()


def steps(top):
    """(what was durable after it: {name: bytes or None}, the call) in this order; each name has one user."""
    f = [top / name for name in SOURCE]
    names = list(SOURCE)
    yield {}, lambda: [read_all(path) for path in f[0:6]]
    # a new file, synced; and one that is not
    yield {}, lambda: overwrite(top / "made0", NEW["made0"], os.O_RDWR | os.O_CREAT)
    yield {"made0": NEW["made0"]}, lambda: fsync(top / "made0")
    yield {}, lambda: overwrite(top / "made1", NEW["made1"], os.O_RDWR | os.O_CREAT)
    # a hydrated file written while its epoch is young; synced
    wanted = NEW[names[0]] + SOURCE[names[0]][20_000:]
    yield {}, lambda: overwrite(f[0], NEW[names[0]])
    yield {names[0]: wanted}, lambda: fsync(f[0])
    # the same, and not synced
    yield {}, lambda: overwrite(f[1], NEW[names[1]])
    # a virtual file written at once; synced, and not
    wanted6 = NEW[names[6]] + SOURCE[names[6]][20_000:]
    yield {}, lambda: overwrite(f[6], NEW[names[6]])
    yield {names[6]: wanted6}, lambda: fsync(f[6])
    yield {}, lambda: overwrite(f[7], NEW[names[7]])
    # a file cut off at once, a deletion and a rename with their directories synced
    yield {}, lambda: os.truncate(f[8], 100)
    yield {names[8]: SOURCE[names[8]][:100]}, lambda: fsync(f[8])
    yield {}, lambda: os.unlink(f[9])
    yield {names[9]: None}, lambda: fsync(f[9].parent)
    yield {}, lambda: os.rename(f[2], top / "d1/moved")
    # its bytes may be lost, being cache, but not where it is now nor where they come from
    yield {"d1/moved": SOURCE[names[2]], names[2]: None}, lambda: fsync(top / "d1")
    yield {}, lambda: os.mkdir(top / "d2/dir")
    yield {}, lambda: overwrite(top / "d2/made3", NEW["d2/made3"], os.O_RDWR | os.O_CREAT)
    yield {"d2/made3": NEW["d2/made3"]}, lambda: fsync(top / "d2/made3")
    yield {}, lambda: [read_all(path) for path in f[10:12]]


def work(top, progress):
    """A byte for each step done; ends when the view does."""
    for _, call in steps(top):
        try:
            call()
        except OSError:
            return
        os.write(progress, b".")


def look(top):
    found = {}
    for path, _, files in os.walk(top):
        for name in files:
            full = os.path.join(path, name)
            try:
                found[os.path.relpath(full, top)] = read_all(full)
            except OSError as e:
                found[os.path.relpath(full, top)] = errno.errorcode[e.errno]
    return found


# ---- what may be there after it ----------------------------------------------------------------------


def sectors_come_from(data, sources):
    """Each sector is, as far as it goes, that of one of these."""
    return all(
        any(data[at : at + SECTOR] == source[at : at + min(SECTOR, len(data) - at)] for source in sources)
        for at in range(0, len(data), SECTOR)
    )


def base_of(name):
    return SOURCE[list(SOURCE)[2]] if name == "d1/moved" else SOURCE.get(name)


def without_grown_zeros(data, base):
    """
    An append that was not synced may be there as zeros, as on the disk alone: ext4 lets a file grow within its last block
    when the write is made, and puts the bytes there later.
    """
    return data if data[len(base) :].strip(b"\0") else data[: len(base)]


def complaint(name, data, state, durable):
    """What is wrong with what this file holds; None if nothing is."""
    if isinstance(data, str):
        return f"is listed and cannot be read: {data}"
    if name in durable:
        return None if data == durable[name] else "not what was fsynced"
    base = base_of(name)
    if state in ("hydrated", "virtual", "placeholder"):
        return None if data == base else "not what the provider has"
    if base is not None:
        data = without_grown_zeros(data, base)
    if b"\0" in data:
        return "zeros"
    sources = [s for s in (base, NEW.get(name)) if s is not None]
    if base is not None and name in NEW:
        sources.append(NEW[name] + base[20_000:])
    return None if sectors_come_from(data, sources) else "bytes of nobody"


def check(box, root, durable):
    found = inside(look, root)
    states = {name: "" if isinstance(data, str) else box.state(root / name) for name, data in found.items()}
    wrong = {n: (states[n], c) for n, data in found.items() if (c := complaint(n, data, states[n], durable))}
    for name, data in durable.items():
        if (name in found) != (data is not None):
            wrong[name] = "missing" if data is not None else "was deleted and is there again"
    for name in SOURCE:
        moved = name == list(SOURCE)[2] and "d1/moved" in found
        if name not in found and name != list(SOURCE)[9] and not moved:
            wrong[name] = "missing"
        if name in found and moved:
            wrong[name] = "is under both names"
    return wrong


def set_aside(root, durable):
    """Names below recovered/ that hold something which was fsynced."""
    found = []
    for path, _, files in os.walk(root / ".projfs/recovered"):
        for name in files:
            with open(os.path.join(path, name), "rb") as f:
                if f.read() in [d for d in durable.values() if d]:
                    found.append(name)
    return found


# ---- one power cut --------------------------------------------------------------------------------------


def run_until_cut(box, disk, root, step):
    """Work until the disk is gone; what was durable by then, and whether it was cut before the work was done."""
    environment = {"PROJFS_BOOT_ID": "before"}
    if step:
        environment["PROJFS_STORE_STEP"] = step
    try:
        instance = box.mount(root=root, **environment)
    except MountFailed:
        return {}, True
    progress_read, progress_write = os.pipe()
    child = Child(work, root, progress_write)
    os.close(progress_write)
    child.result()
    done = b""
    while chunk := os.read(progress_read, 4096):
        done += chunk
    os.close(progress_read)
    durable = {}
    for _, (what, _) in zip(done, steps(root)):
        durable.update(what)
    is_cut = instance.process.poll() is not None or len(done) < len(list(steps(root)))
    if step and step.startswith("count:"):
        instance.stop()
        return durable, False
    disk.cut_power()
    if instance.process.poll() is None:
        instance.send(signal.SIGKILL)
    instance.wait()
    assert instance.wait_unmounted(10), "the view is still mounted"
    return durable, is_cut


def cut_once(box, disk, image, n):
    """A fresh disk, a power cut at step n, and what is there afterwards; False when the work was done before it."""
    subprocess.run(["cp", "--sparse=always", image, disk.image], check=True)
    root = disk.place / "root"
    with disk.mounted():
        durable, is_cut = run_until_cut(box, disk, root, f"shutdown:{n}")
        release(box, disk)
    with disk.mounted():
        with box.mount(root=root, PROJFS_BOOT_ID="after"):
            wrong = check(box, root, durable)
        wrong_aside = set_aside(root, durable)
        release(box, disk)
    assert not wrong, f"step {n}: {wrong}"
    assert not wrong_aside, f"step {n}: fsynced and set aside: {wrong_aside}"
    return is_cut


def release(box, disk):
    """The helper of an instance that was killed has the disk open for a moment."""
    from support import processes_with, wait_for_exit

    for pid in processes_with("PROJFS_TEST_DIR", box.dir):
        assert wait_for_exit(pid, 20), f"process {pid} is still there"
    disk.unmount()


def count_steps(box, disk):
    file = box.dir / "count"
    with disk.mounted():
        run_until_cut(box, disk, disk.place / "root", f"count:{file}")
        release(box, disk)
    return int(file.read_text().split()[-1])


def test_a_power_cut_at_any_step_loses_nothing_that_was_fsynced(box, disk):
    make_source(box.source)
    image = box.dir / "fresh"
    with disk.mounted():
        (disk.place / "root").mkdir()
        release(box, disk)
    subprocess.run(["cp", "--sparse=always", disk.image, image], check=True)
    n_steps = count_steps(box, disk)
    assert n_steps >= len(list(steps(box.dir)))
    numbers = range(1, MOST_STEPS) if FULL else [n_steps * (i + 1) // (N_IN_CI + 1) for i in range(N_IN_CI)] + [MOST_STEPS]
    n_cut = 0
    for n in numbers:
        if not cut_once(box, disk, image, n):
            break
        n_cut += 1
    assert n_cut >= (n_steps // 2 if FULL else N_IN_CI - 1)
