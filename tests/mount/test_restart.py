# SPDX-License-Identifier: MIT
"""What one instance leaves to the next, and what people do in between."""

import os
import shutil

import trees
from support import content, error_of, eventually, inside, names, read, stat


def test_hydrated_content_is_remembered_and_not_asked_for_again(box):
    view = ["dir d", "file d/small 5000 1", "file d/large 3000000 2"]
    with box.puppet(*view) as instance:
        assert read(instance.root / "d/small") == content(1, 5000)
        assert read(instance.root / "d/large") == content(2, 3000000)
    assert box.below() == [b"d", b"d/large", b"d/small"]
    with box.puppet(*view) as instance:
        assert [box.state(instance.root / "d" / n) for n in ("small", "large")] == ["hydrated"] * 2
        assert read(instance.root / "d/small") == content(1, 5000)
        assert read(instance.root / "d/large") == content(2, 3000000)
        assert instance.puppet.count("data") == 0


def test_hydrated_files_are_plain_files_while_nothing_runs(box):
    trees.make_small(box.source)
    with box.mount():
        for name in ("sub/run", "sub/deeper/large"):
            read(box.root / name)
    for name in ("sub/run", "sub/deeper/large"):
        mine, theirs = os.stat(box.root / name), os.stat(box.source / name)
        assert (box.root / name).read_bytes() == (box.source / name).read_bytes()
        assert (mine.st_mode, mine.st_mtime_ns) == (theirs.st_mode, theirs.st_mtime_ns)
    assert not (box.root / "hello.txt").exists()


def test_a_placeholder_ends_with_its_instance(box):
    trees.make_small(box.source)
    with box.mount():
        stat(box.root / "hello.txt")
        assert box.state(box.root / "hello.txt") == "placeholder"
    assert box.below() == []
    with box.mount():
        assert box.state(box.root / "hello.txt") == "virtual"


def test_inode_numbers_survive_hydration_and_restart(box):
    trees.make_small(box.source)
    paths = ["hello.txt", "sub", "sub/run", "sub/link", "sub/deeper"]
    with box.mount():
        before = [stat(box.root / p).st_ino for p in paths]
        read(box.root / "sub/run")
        assert [stat(box.root / p).st_ino for p in paths] == before
    with box.mount():
        assert [stat(box.root / p).st_ino for p in paths] == before
        listed = {e.name: e.inode() for e in inside(lambda: [Entry(e) for e in os.scandir(box.root / "sub")])}
        assert [listed[n] for n in ("run", "link", "deeper")] == before[2:]


class Entry:
    """What survives the way out of a child."""

    def __init__(self, entry):
        self.name, self.number = entry.name, entry.inode()

    def inode(self):
        return self.number


def test_what_changed_in_the_source_while_nothing_ran_is_seen(box):
    trees.make_small(box.source)
    with box.mount():
        assert read(box.root / "hello.txt") == b"hello\n"
        assert read(box.root / "sub/run")
    (box.source / "hello.txt").write_bytes(b"something else\n")
    (box.source / "sub/run").unlink()
    (box.source / "sub/new").write_bytes(b"new\n")
    with box.mount():
        assert stat(box.root / "hello.txt").st_size == 15
        assert read(box.root / "hello.txt") == b"something else\n"
        assert error_of(os.lstat, box.root / "sub/run") == "ENOENT"
        assert names(box.root / "sub") == ["deeper", "link", "new"]
        assert read(box.root / "sub/new") == b"new\n"


def test_a_file_that_became_a_directory_while_nothing_ran_is_one(box):
    (box.source / "x").write_bytes(b"file")
    (box.source / "y").mkdir()
    (box.source / "y/f").write_bytes(b"f")
    with box.mount():
        assert read(box.root / "x") == b"file"
        assert read(box.root / "y/f") == b"f"
    (box.source / "x").unlink()
    (box.source / "x").mkdir()
    (box.source / "x/inner").write_bytes(b"inner")
    shutil.rmtree(box.source / "y")
    (box.source / "y").write_bytes(b"now a file")
    with box.mount():
        assert read(box.root / "x/inner") == b"inner"
        assert read(box.root / "y") == b"now a file"


def test_a_hydrated_file_that_was_edited_offline_is_the_users(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "hello.txt")
    (box.root / "hello.txt").write_bytes(b"edited by hand\n")
    with box.mount():
        assert box.state(box.root / "hello.txt") == "full"
        assert read(box.root / "hello.txt") == b"edited by hand\n"
    assert (box.source / "hello.txt").read_bytes() == b"hello\n"
    (box.source / "hello.txt").write_bytes(b"a newer one\n")
    with box.mount():
        assert read(box.root / "hello.txt") == b"edited by hand\n"


def test_a_hydrated_file_that_was_deleted_offline_comes_back(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "sub/run")
    shutil.rmtree(box.root / "sub")
    with box.mount():
        assert "sub" in names(box.root)
        assert read(box.root / "sub/run") == (box.source / "sub/run").read_bytes()


def test_files_that_were_added_offline_show(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "sub/run")
    (box.root / "mine.txt").write_bytes(b"mine\n")
    (box.root / "sub/mine too").write_bytes(b"mine too\n")
    (box.root / "own").mkdir()
    (box.root / "own/f").write_bytes(b"f\n")
    os.symlink("mine.txt", box.root / "own link")
    with box.mount():
        assert names(box.root) == ["empty", "hello.txt", "mine.txt", "own", "own link", "sub"]
        assert names(box.root / "sub") == ["deeper", "link", "mine too", "run"]
        assert names(box.root / "own") == ["f"]
        for path in ("mine.txt", "sub/mine too", "own", "own/f", "own link"):
            assert box.state(box.root / path) == "full", path
        assert read(box.root / "own link") == b"mine\n"
        assert read(box.root / "sub/mine too") == b"mine too\n"
        assert box.state(box.root / "sub/run") == "hydrated"


def test_a_local_file_hides_the_providers_of_that_name(box):
    trees.make_small(box.source)
    with box.mount():
        pass
    (box.root / "hello.txt").write_bytes(b"local\n")
    with box.mount():
        assert read(box.root / "hello.txt") == b"local\n"
        assert names(box.root).count("hello.txt") == 1
        assert box.state(box.root / "hello.txt") == "full"


def test_a_copy_of_a_hydrated_file_with_its_attributes_is_an_item_of_its_own(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "hello.txt")
    assert os.system(f"cp -a '{box.root}/hello.txt' '{box.root}/copy'") == 0
    with box.mount():
        assert read(box.root / "copy") == b"hello\n"
        assert stat(box.root / "copy").st_ino != stat(box.root / "hello.txt").st_ino
        assert box.state(box.root / "copy") == "full"


def test_a_live_source_is_followed_within_the_timeout(box):
    trees.make_small(box.source)
    with box.mount(None, "placeholder-timeout=10ms"):
        assert stat(box.root / "hello.txt").st_size == 6
        (box.source / "hello.txt").write_bytes(b"longer than before\n")
        assert eventually(lambda: stat(box.root / "hello.txt").st_size, 19) == 19
        assert read(box.root / "hello.txt") == b"longer than before\n"
