# SPDX-License-Identifier: MIT
"""What a user deletes does not come back, and what he makes in its place is his own."""

import os
import shutil

import pytest

import trees
from endings import ENDS, kill, tree_of, write
from support import error_of, inside, names, read, stat


@ENDS
@pytest.mark.parametrize("before", ["virtual", "placeholder", "hydrated", "dirty", "full"])
def test_a_deleted_file_does_not_come_back(box, before, end):
    trees.make_small(box.source)
    instance = box.mount()
    path = box.root / "sub/run"
    if before != "virtual":
        stat(path)
    if before == "hydrated":
        read(path)
    if before == "dirty":
        inside(path.chmod, 0o600)
    if before == "full":
        write(path, b"mine")
    inside(path.unlink)
    for _ in range(2):
        assert error_of(os.lstat, path) == "ENOENT"
        assert names(box.root / "sub") == ["deeper", "link"]
        assert box.state(path) == "tombstone"
        end(box, instance)
        instance = box.mount()
    assert box.run("ls", "--tombstones", box.root / "sub").stdout.split() == ["run"]


@ENDS
def test_a_deleted_tree_does_not_come_back(box, end):
    trees.make_small(box.source)
    instance = box.mount()
    inside(shutil.rmtree, box.root / "sub")
    for _ in range(2):
        assert names(box.root) == ["empty", "hello.txt"]
        for path in ("sub", "sub/run", "sub/deeper", "sub/deeper/large"):
            assert error_of(os.lstat, box.root / path) == "ENOENT"
        end(box, instance)
        instance = box.mount()


@ENDS
def test_a_directory_made_where_one_was_deleted_is_local_and_empty(box, end):
    trees.make_small(box.source)
    instance = box.mount()
    inside(shutil.rmtree, box.root / "sub")
    inside(os.mkdir, box.root / "sub")
    for _ in range(2):
        assert names(box.root / "sub") == []
        assert box.state(box.root / "sub") == "full"
        assert error_of(os.lstat, box.root / "sub/run") == "ENOENT"
        end(box, instance)
        instance = box.mount()
    write(box.root / "sub/run", b"mine")
    inside(os.mkdir, box.root / "sub/deeper")
    for _ in range(2):
        assert tree_of(box.root / "sub") == {"run": b"mine", "deeper": None}
        end(box, instance)
        instance = box.mount()


@ENDS
def test_a_deletion_moves_with_its_directory(box, end):
    trees.make_small(box.source)
    instance = box.mount()
    inside(os.unlink, box.root / "sub/run")
    inside(os.rename, box.root / "sub", box.root / "moved")
    for _ in range(2):
        assert names(box.root) == ["empty", "hello.txt", "moved"]
        assert names(box.root / "moved") == ["deeper", "link"]
        assert error_of(os.lstat, box.root / "moved/run") == "ENOENT"
        assert error_of(os.lstat, box.root / "sub/run") == "ENOENT"
        end(box, instance)
        instance = box.mount()
    inside(os.rename, box.root / "moved", box.root / "sub")
    for _ in range(2):
        assert names(box.root) == ["empty", "hello.txt", "sub"]
        assert names(box.root / "sub") == ["deeper", "link"]
        end(box, instance)
        instance = box.mount()


@ENDS
def test_deletions_in_a_renamed_and_remade_directory_stay(box, end):
    """Deleted, its directory renamed away, made again, removed and made again."""
    trees.make_small(box.source)
    instance = box.mount()
    inside(os.unlink, box.root / "sub/run")
    inside(os.rename, box.root / "sub", box.root / "aside")
    for _ in range(3):
        inside(os.mkdir, box.root / "sub")
        assert names(box.root / "sub") == []
        end(box, instance)
        instance = box.mount()
        assert names(box.root / "sub") == []
        assert error_of(os.lstat, box.root / "sub/run") == "ENOENT"
        inside(os.rmdir, box.root / "sub")
        assert error_of(os.lstat, box.root / "sub") == "ENOENT"
        end(box, instance)
        instance = box.mount()
        assert names(box.root) == ["aside", "empty", "hello.txt"]
        assert names(box.root / "aside") == ["deeper", "link"]


def test_what_the_provider_adds_later_shows_beside_deletions(box):
    trees.make_small(box.source)
    with box.mount():
        inside(os.unlink, box.root / "sub/run")
    (box.source / "sub/run").write_bytes(b"another version")
    (box.source / "sub/new").write_bytes(b"new")
    with box.mount():
        assert names(box.root / "sub") == ["deeper", "link", "new"]
        assert read(box.root / "sub/new") == b"new"


def test_a_deleted_local_file_that_covered_a_projected_one_leaves_a_tombstone(box):
    trees.make_small(box.source)
    (box.source / "later").write_bytes(b"of the provider")
    instance = box.mount()
    inside(os.unlink, box.root / "hello.txt")
    write(box.root / "hello.txt", b"mine")
    inside(os.rename, box.root / "sub/run", box.root / "later")  # over a projected one
    for _ in range(2):
        assert read(box.root / "hello.txt") == b"mine"
        assert read(box.root / "later") == (box.source / "sub/run").read_bytes()
        kill(box, instance)
        instance = box.mount()
    inside(os.unlink, box.root / "hello.txt")
    inside(os.unlink, box.root / "later")
    for _ in range(2):
        assert names(box.root) == ["empty", "sub"]
        kill(box, instance)
        instance = box.mount()


def test_a_local_file_that_covers_nothing_leaves_nothing(box):
    trees.make_small(box.source)
    with box.mount():
        write(box.root / "mine", b"mine")
        inside(os.mkdir, box.root / "own")
        write(box.root / "own/f", b"f")
        inside(os.unlink, box.root / "mine")
        inside(shutil.rmtree, box.root / "own")
        assert box.run("ls", "--tombstones", "-R", box.root).stdout == ""
    assert box.below() == []
