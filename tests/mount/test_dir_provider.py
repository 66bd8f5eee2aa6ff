# SPDX-License-Identifier: MIT
"""The provider `dir`: what a directory of this machine has, and what may happen to it meanwhile."""

import os
import socket

import pytest

import trees
from support import Child, error_of, inside, names, needs_root, read, stat


def test_special_files_are_left_out_and_counted(box):
    (box.source / "f").write_text("x")
    os.mkfifo(box.source / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.fspath(box.source / "socket"))
    with box.mount() as instance:
        assert names(box.root) == ["f"]
        assert error_of(os.lstat, box.root / "fifo") == "ENOENT"
        assert instance.status()["provider_status"]["special files left out"] == 2


def test_user_attributes_are_shown(box):
    (box.source / "f").write_text("x")
    (box.source / "d").mkdir()
    values = {"user.mime": b"text/plain", "user.empty": b"", "user.binary": bytes(range(256))}
    for path in ("f", "d"):
        for name, value in values.items():
            os.setxattr(box.source / path, name, value)
    with box.mount():
        for path in (box.root / "f", box.root / "d"):
            for _ in range(2):  # as a placeholder, and hydrated
                assert sorted(inside(os.listxattr, path)) == sorted(values)
                assert {n: inside(os.getxattr, path, n) for n in values} == values
                if path.name == "f":
                    read(path)
        assert error_of(os.getxattr, box.root / "f", "user.other") == "ENODATA"


def test_links_are_shown_as_they_are(box):
    targets = ["f", "../outside", "/absolute", "missing", "x" * 1023, "y" * 4000, "with\nnewline", b"\xff\xfe"]
    (box.source / "f").write_text("x")
    for i, target in enumerate(targets):
        os.symlink(target, box.source / f"link{i}")
    with box.mount():
        for i, target in enumerate(targets):
            assert os.fsencode(inside(os.readlink, box.root / f"link{i}")) == os.fsencode(target)
            assert stat(box.root / f"link{i}").st_size == len(os.fsencode(target))
        assert read(box.root / "link0") == b"x"


@pytest.mark.parametrize("ns", [1, 999_999_999, 1_234_567_890_123_456_789, -1_500_000_001, 4_000_000_000_000_000_000])
def test_times_have_nanoseconds(box, ns):
    (box.source / "f").write_text("x")
    (box.source / "d").mkdir()
    os.symlink("f", box.source / "l")
    for path in "fdl":
        os.utime(box.source / path, ns=(ns, ns), follow_symlinks=False)
    with box.mount():
        assert [stat(box.root / p).st_mtime_ns for p in "fdl"] == [ns] * 3
        read(box.root / "f")
        assert stat(box.root / "f").st_mtime_ns == ns
    with box.mount():
        assert [stat(box.root / p).st_mtime_ns for p in "fdl"] == [ns] * 3


def test_modes_are_those_of_the_source(box):
    modes = [0o644, 0o444, 0o400, 0o755, 0o600, 0o4755, 0o2711, 0o1644]
    for mode in modes:
        path = box.source / f"{mode:o}"
        path.write_text("x")
        path.chmod(mode)
        (box.source / f"d{mode:o}").mkdir()
        (box.source / f"d{mode:o}/f").write_text("x")
        (box.source / f"d{mode:o}").chmod(mode | 0o500)
    for _ in range(2):
        with box.mount():
            for mode in modes:
                assert stat(box.root / f"{mode:o}").st_mode & 0o7777 == mode
                assert read(box.root / f"{mode:o}") == b"x"
                assert stat(box.root / f"{mode:o}").st_mode & 0o7777 == mode
                assert stat(box.root / f"d{mode:o}").st_mode & 0o7777 == mode | 0o500
                assert read(box.root / f"d{mode:o}/f") == b"x"
                assert stat(box.root / f"d{mode:o}").st_mode & 0o7777 == mode | 0o500


@needs_root
def test_owners_are_those_of_the_source_for_root(box):
    (box.source / "f").write_text("x")
    (box.source / "d").mkdir()
    os.symlink("f", box.source / "l")
    for i, path in enumerate("fdl"):
        os.chown(box.source / path, 1000 + i, 2000 + i, follow_symlinks=False)
    for _ in range(2):
        with box.mount():
            for i, path in enumerate("fdl"):
                assert (stat(box.root / path).st_uid, stat(box.root / path).st_gid) == (1000 + i, 2000 + i)
            read(box.root / "f")
            assert (stat(box.root / "f").st_uid, stat(box.root / "f").st_gid) == (1000, 2000)
    assert (os.stat(box.root / "f").st_uid, os.stat(box.root / "f").st_gid) == (1000, 2000)


def test_hard_links_of_the_source_are_files_of_their_own(box):
    (box.source / "a").write_text("same")
    os.link(box.source / "a", box.source / "b")
    with box.mount():
        assert read(box.root / "a") == read(box.root / "b") == b"same"
        assert stat(box.root / "a").st_ino != stat(box.root / "b").st_ino


def write_over_and_over(path, size):
    """Every version consists of one letter."""
    letter = 0
    with open(path, "r+b", buffering=0) as f:
        while True:
            letter = (letter + 1) % 26
            os.pwrite(f.fileno(), bytes([65 + letter]) * size, 0)


@pytest.mark.parametrize("size", [900_000, 3_000_000])
def test_a_file_that_changes_while_it_is_fetched_is_never_mixed(box, size):
    for i in range(8):
        (box.source / f"f{i}").write_bytes(b"A" * size)
    n_right = 0
    for i in range(8):
        writer = Child(write_over_and_over, box.source / f"f{i}", size)
        root = box.make_dir(f"root{i}")
        with box.mount(root=root):

            def letters():
                with open(root / f"f{i}", "rb", buffering=0) as f:
                    return set(f.readall())

            try:
                found = inside(letters)
                assert len(found) == 1, "two versions in one file"
                n_right += 1
            except OSError as e:
                assert e.errno == 5
        writer.kill()
        writer.wait_gone()
        with box.mount(root=root):  # what was kept of it is not used
            assert read(root / f"f{i}") == (box.source / f"f{i}").read_bytes()


def grow_and_shrink(path):
    while True:
        for size in (100_000, 2_000_000, 10, 700_000):
            with open(path, "wb", buffering=0) as f:
                f.write(b"z" * size)


def test_a_file_that_changes_its_size_is_never_zero_filled(box):
    (box.source / "f").write_bytes(b"z" * 1000)
    with box.mount(None, "placeholder-timeout=10ms"):
        writer = Child(grow_and_shrink, box.source / "f")
        for _ in range(20):
            try:
                assert set(read(box.root / "f")) <= {ord("z")}
            except OSError as e:
                assert e.errno == 5
        writer.kill()
        writer.wait_gone()


def test_a_file_that_vanishes_is_an_error_or_right(box):
    data = b"v" * 2_500_000

    def vanish(path):
        path.unlink()

    with box.mount():
        for i in range(10):
            path = box.source / f"f{i}"
            path.write_bytes(data)
            stat(box.root / path.name)
            child = Child(vanish, path)
            try:
                assert read(box.root / path.name) == data
            except OSError as e:
                assert e.errno in (2, 5)
            child.wait_gone()


def test_an_unreadable_file_is_an_error(box):
    (box.source / "f").write_text("secret")
    (box.source / "d").mkdir()
    (box.source / "f").chmod(0)
    with box.mount():
        if os.geteuid() == 0:
            assert read(box.root / "f") == b"secret"
        else:
            assert error_of(read, box.root / "f") == "EACCES"
            assert stat(box.root / "f").st_size == 6


def test_a_source_that_is_moved_away_is_an_error_until_it_is_back(box):
    trees.make_small(box.source)
    with box.mount(None, "placeholder-timeout=10ms"):
        assert read(box.root / "hello.txt") == b"hello\n"
        os.rename(box.source, box.dir / "elsewhere")
        assert read(box.root / "hello.txt") == b"hello\n"
        assert error_of(os.listdir, box.root) == "EIO"
        assert error_of(os.lstat, box.root / "sub") == "EIO"
        assert error_of(os.lstat, box.root / "never there") == "EIO"
        os.mkdir(box.dir / "source")  # another one at its path is not the source
        assert error_of(os.lstat, box.root / "sub") == "EIO"
        os.rmdir(box.dir / "source")
        os.rename(box.dir / "elsewhere", box.dir / "source")
        assert names(box.root) == ["empty", "hello.txt", "sub"]
        assert read(box.root / "sub/run") == (box.dir / "source/sub/run").read_bytes()
        assert error_of(os.lstat, box.root / "never there") == "ENOENT"


def test_a_stable_source_is_listed_and_looked_at_once(box):
    trees.make_small(box.source)
    log = box.dir / "callbacks"
    with box.mount(None, "stable", f"filter=log_filter:{log}") as instance:
        assert instance.status()["view"] == "stable"
        for _ in range(3):
            inside(lambda: [os.listdir(box.root / "sub"), os.lstat(box.root / "sub/run")])
            assert error_of(os.lstat, box.root / "absent") == "ENOENT"
        once = log.read_text()
        for _ in range(3):
            inside(lambda: [os.listdir(box.root / "sub"), os.lstat(box.root / "sub/run")])
            assert error_of(os.lstat, box.root / "absent") == "ENOENT"
        assert log.read_text() == once


def test_odd_names_are_all_there(box):
    trees.make_odd(os.fsencode(box.source))
    with box.mount():
        top = os.fsencode(box.root)
        for kind in (b"files", b"directories", b"links"):
            seen = sorted(inside(os.listdir, os.path.join(top, kind)))
            assert seen == sorted(os.listdir(os.path.join(os.fsencode(box.source), kind)))
        for i, name in enumerate(trees.ODD_NAMES):
            assert read(os.path.join(top, b"files", name)) == b"odd %d\n" % i
            assert read(os.path.join(top, b"directories", name, name)) == b"deep %d\n" % i
    for i, name in enumerate(trees.ODD_NAMES):
        with open(os.path.join(top, b"files", name), "rb") as f:
            assert f.read() == b"odd %d\n" % i


def test_an_item_named_like_our_private_folder_is_left_out_and_counted(box):
    (box.source / ".projfs").mkdir()
    (box.source / ".projfs/secret").write_text("x")
    (box.source / "sub").mkdir()
    (box.source / "sub/.projfs").write_text("an ordinary file")
    with box.mount() as instance:
        assert names(box.root) == ["sub"]
        assert error_of(os.lstat, box.root / ".projfs") == "ENOENT"
        assert read(box.root / "sub/.projfs") == b"an ordinary file"
        assert instance.status()["provider_status"]["reserved names left out"] == 1


def test_programs_run_from_the_view(box):
    trees.make_small(box.source)
    with box.mount():
        assert inside(os.system, f"{box.root}/sub/run >/dev/null") == 0
