# SPDX-License-Identifier: MIT
"""What a user changes stays changed, and goes when he restores it."""

import os
import shutil

import pytest

import trees
from endings import ENDS, tree_of, write
from support import content, error_of, inside, names, needs_root, read, stat, tool

VIEW = ["dir a", "dir a/b", "dir a/b/c", "file a/b/c/f 5000 1", "file a/b/g 3000000 2", "file h 100 3"]


@ENDS
def test_changes_of_every_kind_are_there_afterwards(box, end):
    trees.make_small(box.source)
    instance = box.mount()

    def change(root=box.root):
        with open(root / "hello.txt", "ab") as f:
            f.write(b"and more\n")
        (root / "sub/run").chmod(0o711)
        os.utime(root / "sub/deeper/large", ns=(10**18, 10**18 + 1))
        (root / "new").write_bytes(b"new" * 5000)
        (root / "sub/fresh/deep").mkdir(parents=True)
        os.symlink("anywhere", root / "sub/fresh/link")
        os.link(root / "new", root / "sub/fresh/second")
        os.mkfifo(root / "fifo")
        os.unlink(root / "sub/link")
        os.setxattr(root / "sub/run", "user.mine", b"attribute")
        os.chmod(root / "empty", 0o700)

    inside(change)
    for _ in range(3):
        assert read(box.root / "hello.txt") == b"hello\nand more\n"
        assert stat(box.root / "sub/run").st_mode & 0o7777 == 0o711
        assert stat(box.root / "sub/deeper/large").st_mtime_ns == 10**18 + 1
        assert inside(os.getxattr, box.root / "sub/run", "user.mine") == b"attribute"
        assert stat(box.root / "new").st_nlink == 2
        assert stat(box.root / "new").st_ino == stat(box.root / "sub/fresh/second").st_ino
        assert inside(os.readlink, box.root / "sub/fresh/link") == "anywhere"
        assert stat(box.root / "empty").st_mode & 0o7777 == 0o700
        assert names(box.root) == ["empty", "fifo", "hello.txt", "new", "sub"]
        assert names(box.root / "sub") == ["deeper", "fresh", "run"]
        end(box, instance)
        instance = box.mount()
    assert read(box.root / "sub/deeper/large") == (box.source / "sub/deeper/large").read_bytes()
    assert stat(box.root / "sub/deeper/large").st_mtime_ns == 10**18 + 1
    assert (box.source / "hello.txt").read_bytes() == b"hello\n"  # nobody writes to the source


def test_states_follow_what_is_done(box):
    trees.make_small(box.source)
    with box.mount():
        path = box.root / "hello.txt"
        stat(path)
        assert box.state(path) == "placeholder"
        inside(path.chmod, 0o600)
        assert box.state(path) == "dirty"
        read(path)
        assert box.state(path) == "dirty"
        inside(os.truncate, path, 3)
        assert box.state(path) == "full"
        inside(os.unlink, path)
        assert box.state(path) == "tombstone"
        write(path, b"")
        assert box.state(path) == "full"
        inside(os.rename, box.root / "sub/run", box.root / "sub/other")
        assert box.state(box.root / "sub/run") == "tombstone"
    assert box.state(box.root / "hello.txt") == "full"


def test_a_file_that_is_written_whole_is_not_fetched(box):
    instance = box.puppet(*VIEW)
    write(box.root / "h", b"all of it")  # O_TRUNC
    inside(os.truncate, box.root / "a/b/g", 0)
    write(box.root / "z", b"new")
    inside(os.rename, box.root / "z", box.root / "a/b/c/f")
    inside(os.unlink, box.root / "a/b/g")
    assert instance.puppet.count("data") == 0


def test_a_file_that_is_changed_in_part_is_fetched_first(box):
    instance = box.puppet(*VIEW)

    def change(path, offset):
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, b"mine", offset)
        os.close(fd)

    inside(change, box.root / "a/b/g", 2_999_999)
    expected = content(2, 2_999_999) + b"mine"
    for _ in range(2):
        assert read(box.root / "a/b/g") == expected
        instance.stop()
        assert (box.root / "a/b/g").read_bytes() == expected
        instance = box.puppet(*VIEW)


@pytest.mark.parametrize("kind", ["stable", "live"])
def test_a_provider_that_fails_does_not_make_a_file_full(box, kind):
    options = ["stable"] if kind == "stable" else []
    instance = box.puppet(*VIEW, options=options)
    instance.puppet.ask("fail data * 0x8007001f")

    def change(path):
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, b"mine", 10)
        os.close(fd)

    assert error_of(change, box.root / "h") == "EIO"
    assert box.state(box.root / "h") in ("virtual", "placeholder")
    instance.puppet.ask("release")
    inside(change, box.root / "h")
    assert read(box.root / "h") == content(3, 100)[:10] + b"mine" + content(3, 100)[14:]


def test_full_files_do_not_follow_the_source(box):
    trees.make_small(box.source)
    with box.mount():
        write(box.root / "hello.txt", b"mine")
        inside((box.root / "sub/run").chmod, 0o700)
    (box.source / "hello.txt").write_bytes(b"a new version")
    (box.source / "sub/run").unlink()
    with box.mount():
        assert read(box.root / "hello.txt") == b"mine"


def test_an_unlinked_file_that_is_open_leaves_nothing_behind(box):
    trees.make_small(box.source)
    with box.mount():

        def use():
            fds = [os.open(box.root / p, os.O_RDWR) for p in ("hello.txt", "sub/run", "sub/deeper/large")]
            for path in ("hello.txt", "sub/run", "sub/deeper/large"):
                os.unlink(box.root / path)
            found = [os.pread(fd, 6, 0) for fd in fds]
            for fd in fds:
                os.pwrite(fd, b"x" * 10_000, 0)
            return found, [os.fstat(fd).st_nlink for fd in fds]

        found, links = inside(use)
        assert found[0] == b"hello\n" and links == [0, 0, 0]
    left = [p for p in (box.root / ".projfs").rglob("*") if p.is_file() and p.stat().st_size >= 10_000]
    assert left == []


# ---- restore, sync, others ------------------------------------------------------------------


@pytest.mark.parametrize("where", ["mounted", "unmounted"])
def test_restore_brings_back_what_was_deleted_changed_or_renamed(box, where):
    trees.make_small(box.source)
    instance = box.mount()
    before = tree_of(box.root)
    inside(os.unlink, box.root / "hello.txt")
    write(box.root / "sub/run", b"mine")
    write(box.root / "sub/new", b"mine")
    inside(os.rename, box.root / "sub/deeper", box.root / "elsewhere")
    inside(os.rmdir, box.root / "empty")
    if where == "unmounted":
        instance.stop()
    box.run("restore", "-R", *(box.root / n for n in ("hello.txt", "sub", "elsewhere", "empty")))
    if where == "unmounted":
        instance = box.mount()
    assert tree_of(box.root) == before
    assert box.run("ls", "--tombstones", "-R", box.root).stdout == ""
    instance.stop()
    with box.mount():
        assert tree_of(box.root) == before


def test_restore_of_one_file_leaves_the_others(box):
    trees.make_small(box.source)
    with box.mount():
        for path in ("hello.txt", "sub/run"):
            write(box.root / path, b"mine")
        box.run("restore", box.root / "hello.txt")
        assert read(box.root / "hello.txt") == b"hello\n"
        assert read(box.root / "sub/run") == b"mine"
        assert box.state(box.root / "hello.txt") == "hydrated"


def test_sync_says_that_changes_are_durable(box):
    trees.make_small(box.source)
    with box.mount():
        write(box.root / "hello.txt", b"mine")
        inside(os.unlink, box.root / "sub/run")
        box.run("sync", box.root)
    assert box.run("fsck", box.root).returncode == 0


def test_a_root_with_all_kinds_of_changes_passes_fsck(box):
    trees.make_small(box.source)
    with box.mount():
        write(box.root / "hello.txt", b"mine")
        inside(os.unlink, box.root / "sub/link")
        inside(os.rename, box.root / "sub/run", box.root / "renamed")
        inside((box.root / "renamed").chmod, 0o700)
        inside(os.rename, box.root / "empty", box.root / "sub/full")
        write(box.root / "new", b"new")
    found = box.json("fsck", box.root)
    assert found["problems"] == []


def test_the_private_folder_cannot_be_made_or_replaced(box):
    trees.make_small(box.source)
    with box.mount():
        for call, *arguments in (
            (os.mkdir, box.root / ".projfs"),
            (os.rename, box.root / "hello.txt", box.root / ".projfs"),
            (os.rename, box.root / "sub", box.root / ".projfs"),
            (os.symlink, "x", box.root / ".projfs"),
            (os.link, box.root / "hello.txt", box.root / ".projfs"),
            (os.rmdir, box.root / ".projfs"),
            (os.open, box.root / ".projfs", os.O_CREAT | os.O_WRONLY),
        ):
            assert error_of(call, *arguments) is not None, call
        inside(os.mkdir, box.root / "sub/.projfs")  # only at the top is it ours
        assert ".projfs" in names(box.root / "sub")
        assert ".projfs" not in names(box.root)


def test_across_the_edge_of_the_root_it_is_another_file_system(box):
    trees.make_small(box.source)
    with box.mount():
        (box.dir / "outside").write_bytes(b"outside")
        assert error_of(os.rename, box.dir / "outside", box.root / "inside") == "EXDEV"
        assert error_of(os.rename, box.root / "hello.txt", box.dir / "out") == "EXDEV"
        assert error_of(os.link, box.dir / "outside", box.root / "inside") == "EXDEV"
        inside(shutil.move, box.dir / "outside", box.root / "inside")
        assert read(box.root / "inside") == b"outside"
        inside(shutil.move, box.root / "sub", box.dir / "sub")
    assert (box.dir / "sub/run").read_bytes() == (box.source / "sub/run").read_bytes()
    assert not (box.root / "sub/run").exists()


@needs_root
def test_files_on_a_small_disk_say_that_it_is_full(box):
    trees.make_small(box.source)
    disk = box.dir / "disk"
    with open(disk, "wb") as f:
        f.truncate(6 << 20)
    mounted = box.make_dir("mounted")
    tool("mkfs.ext4", "-q", "-F", disk)
    try:
        tool("mount", "-o", "loop", disk, mounted)
    except AssertionError:
        pytest.skip("no loop devices here")
    try:
        (mounted / "root").mkdir()
        with box.mount(root=mounted / "root"):

            def fill():
                with open(mounted / "root/large", "wb", buffering=0) as f:
                    while f.write(b"x" * 65536) == 65536:
                        pass

            assert error_of(fill) == "ENOSPC"
            inside(os.unlink, mounted / "root/large")
            inside((mounted / "root/small").write_bytes, b"fits")
            inside(os.unlink, mounted / "root/hello.txt")
            assert names(mounted / "root") == ["empty", "small", "sub"]
    finally:
        tool("umount", "-l", mounted)
