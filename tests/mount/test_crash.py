# SPDX-License-Identifier: MIT
"""kill -9 at any moment: nothing half, nothing private, nothing mounted."""

import errno
import os
import random
import select
import signal
import socket
import time

import pytest

from support import FULL, Child, inside, names, processes_with, read

N_KILLS = 200 if FULL else 20
N_FILES = 150


def make_source(directory, rng):
    content = {}
    for i in range(N_FILES):
        name = f"d{i % 7}/e{i % 3}/f{i}"
        size = rng.choice([0, 1, 100, 5000, 70_000, 900_000, 1_500_000, 3_000_000])
        content[name] = rng.randbytes(size).replace(b"\0", b"\1")
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[name])
    return content


def read_all(root, order, content, progress):
    """Read until the mount breaks; what was wrong until then."""
    wrong = []
    for name in order:
        try:
            with open(root / name, "rb", buffering=0) as f:
                data = b""
                while chunk := f.read(65536):
                    data += chunk
                    os.write(progress, b".")
        except OSError:
            return wrong
        if data != content[name]:
            wrong.append(name)
    return wrong


def wrong_below(root, content):
    """Names and contents underneath that should not be there."""
    wrong = []
    for path, directories, files in os.walk(root):
        if os.fspath(path) == os.fspath(root):
            directories.remove(".projfs")
        for name in files:
            relative = os.path.relpath(os.path.join(path, name), root)
            with open(os.path.join(path, name), "rb") as f:
                if content.get(relative) != f.read():
                    wrong.append(relative)
    return wrong


def kill_with_helper(box, instance):
    others = []
    deadline = time.monotonic() + 20
    # the mount is there a moment before the helper is
    while not others and time.monotonic() < deadline:
        others = [p for p in processes_with("PROJFS_TEST_DIR", box.dir) if p != instance.pid]
    assert len(others) == 1
    for pid in (*others, instance.pid):
        os.kill(pid, signal.SIGKILL)
    instance.wait()
    assert instance.is_mounted()


def kill_once(box, root, content, rng):
    """Mount, read with three readers, and kill the instance after a random part of the work."""
    order = list(content)
    progress_read, progress_write = os.pipe()
    instance = box.mount(root=root)
    readers = []
    for _ in range(3):
        rng.shuffle(order)
        readers.append(Child(read_all, root, list(order), content, progress_write))
    os.close(progress_write)
    n = rng.randrange(1, 200)
    while n > 0 and (part := os.read(progress_read, n)):
        n -= len(part)
    select.select([], [], [], rng.random() * 0.003)  # somewhere between two steps
    instance.send(signal.SIGKILL)
    assert instance.wait_unmounted(1.0), "the root is not clean within a second"
    instance.wait()
    wrong = [r.result() for r in readers]
    os.close(progress_read)
    assert wrong == [[], [], []], "a reader got wrong bytes"
    assert wrong_below(root, content) == []


@pytest.mark.limit(900 if FULL else 100)
def test_an_instance_that_is_killed_leaves_nothing_half(box):
    rng = random.Random(int(os.environ.get("PROJFS_SEED", "11")))
    content = make_source(box.source, rng)
    for i in range(N_KILLS):
        root = box.make_dir(f"root{i // 5}")  # some kills hit what earlier ones left
        kill_once(box, root, content, rng)
        if i % 5 == 4:
            with box.mount(root=root):
                assert names(root) == sorted(os.listdir(box.source))
                for name in rng.sample(list(content), 30):
                    assert read(root / name) == content[name]
            assert wrong_below(root, content) == []
            assert os.listdir(root / ".projfs/tmp") == []


def test_the_root_is_clean_after_a_kill_without_work(box):
    (box.source / "f").write_text("x")
    instance = box.mount()
    assert read(box.root / "f") == b"x"
    instance.send(signal.SIGKILL)
    assert instance.wait_unmounted(1.0)
    instance.wait()
    assert box.below() == [b"f"]
    with box.mount():
        assert read(box.root / "f") == b"x"


def test_open_files_fail_after_a_kill_and_do_not_hang(box):
    (box.source / "f").write_bytes(b"x" * 5_000_000)
    instance = box.mount()
    opened_read, opened_write = os.pipe()

    def reader():
        fd = os.open(box.root / "f", os.O_RDONLY)
        os.write(opened_write, b"o")
        instance_gone_read.recv(1)
        try:
            return os.read(fd, 10)
        except OSError as e:
            return e.errno

    instance_gone_read, instance_gone_write = socket.socketpair()
    child = Child(reader)
    os.read(opened_read, 1)
    instance.send(signal.SIGKILL)
    assert instance.wait_unmounted(1.0)
    instance.wait()
    instance_gone_write.send(b"g")
    assert child.result(10) == errno.ENOTCONN


def test_killing_instance_and_helper_leaves_a_mount_that_the_next_command_repairs(box):
    (box.source / "f").write_text("x")
    instance = box.mount()
    assert inside(os.listdir, box.root) == ["f"]
    kill_with_helper(box, instance)
    done = box.run("status")
    assert os.fspath(box.root) in done.stderr
    assert not instance.is_mounted()
    with box.mount():
        assert read(box.root / "f") == b"x"


def test_mounting_over_a_dead_mount_repairs_it(box):
    (box.source / "f").write_text("x")
    instance = box.mount()
    kill_with_helper(box, instance)
    again = box.run("mount", f"dir:{box.source}", box.root)
    assert again.returncode == 0
    assert read(box.root / "f") == b"x"
    box.run("umount", "--quiet", box.root)
