# SPDX-License-Identifier: MIT
"""What is renamed is still asked for under the name that the provider knows."""

import os

import pytest

from endings import RESTARTS, keep_running, write
from support import content, error_of, inside, names, read, stat

VIEW = ["dir a", "dir a/b", "dir a/b/c", "file a/b/c/f 5000 1", "file a/b/g 3000000 2", "file h 100 3", "dir e"]


def asked(instance, kind):
    """The paths that the provider was asked for."""
    paths = ["a", "a/b", "a/b/c", "a/b/c/f", "a/b/g", "h", "e", "n", "n/b/c/f", "moved", "x", "x/f", "e/h", "z"]
    return {p for p in paths if instance.puppet.count(kind, p)}


def again(box, instance, end, view=VIEW):
    end(box, instance)
    return instance if end is keep_running else box.puppet(*view)


@RESTARTS
def test_a_renamed_file_is_asked_for_under_its_original_name(box, end):
    instance = box.puppet(*VIEW)
    stat(box.root / "h")
    inside(os.rename, box.root / "h", box.root / "e/h")
    inside(os.rename, box.root / "a/b/g", box.root / "moved")
    instance = again(box, instance, end)
    assert names(box.root) == ["a", "e", "moved"]
    assert stat(box.root / "moved").st_size == 3000000
    assert read(box.root / "moved", 2_000_000, 5000) == content(2, 5000, 2_000_000)
    assert read(box.root / "e/h") == content(3, 100)
    assert asked(instance, "data") == {"h", "a/b/g"}
    assert error_of(os.lstat, box.root / "h") == "ENOENT"


@RESTARTS
def test_a_renamed_directory_resolves_under_its_original_name(box, end):
    instance = box.puppet(*VIEW)
    inside(os.rename, box.root / "a", box.root / "n")
    instance = again(box, instance, end)
    assert names(box.root) == ["e", "h", "n"]
    assert names(box.root / "n/b") == ["c", "g"]
    assert read(box.root / "n/b/c/f") == content(1, 5000)
    assert asked(instance, "data") == {"a/b/c/f"}
    assert not {p for p in asked(instance, "lookup") | asked(instance, "list") if p.startswith("n/")}
    assert error_of(os.lstat, box.root / "a/b") == "ENOENT"


@RESTARTS
def test_nested_renames_resolve_under_their_original_names(box, end):
    instance = box.puppet(*VIEW)
    inside(os.rename, box.root / "a/b/c/f", box.root / "a/b/c/f2")
    inside(os.rename, box.root / "a/b/c", box.root / "x")
    instance = again(box, instance, end)
    inside(os.rename, box.root / "a", box.root / "e/n")
    instance = again(box, instance, end)
    inside(os.rename, box.root / "x", box.root / "e/n/x")
    inside(os.rename, box.root / "e", box.root / "z")
    instance = again(box, instance, end)
    assert names(box.root) == ["h", "z"]
    assert names(box.root / "z/n") == ["b", "x"]
    assert names(box.root / "z/n/b") == ["g"]
    assert read(box.root / "z/n/x/f2") == content(1, 5000)
    assert read(box.root / "z/n/b/g") == content(2, 3000000)
    assert asked(instance, "data") == {"a/b/c/f", "a/b/g"}


@RESTARTS
def test_renames_back_leave_it_as_it_was(box, end):
    instance = box.puppet(*VIEW)
    for there, back in (("a", "n"), ("h", "moved")):
        inside(os.rename, box.root / there, box.root / back)
    instance = again(box, instance, end)
    for there, back in (("a", "n"), ("h", "moved")):
        inside(os.rename, box.root / back, box.root / there)
    instance = again(box, instance, end)
    assert names(box.root) == ["a", "e", "h"]
    assert read(box.root / "a/b/c/f") == content(1, 5000)
    assert read(box.root / "h") == content(3, 100)
    assert box.run("ls", "--tombstones", "-R", box.root).stdout == ""


@RESTARTS
def test_two_that_changed_names_are_asked_for_under_the_others(box, end):
    view = [*VIEW, "file i 200 9"]
    instance = box.puppet(*view)
    inside(os.rename, box.root / "h", box.root / "tmp")
    inside(os.rename, box.root / "i", box.root / "h")
    inside(os.rename, box.root / "tmp", box.root / "i")
    instance = again(box, instance, end, view)
    assert read(box.root / "h") == content(9, 200)
    assert read(box.root / "i") == content(3, 100)


@RESTARTS
def test_a_new_item_of_the_old_name_is_another_one(box, end):
    instance = box.puppet(*VIEW)
    number = stat(box.root / "h").st_ino
    inside(os.rename, box.root / "h", box.root / "moved")
    write(box.root / "h", b"mine")
    instance = again(box, instance, end)
    assert stat(box.root / "moved").st_ino == number
    assert stat(box.root / "h").st_ino != number
    assert read(box.root / "h") == b"mine"
    assert read(box.root / "moved") == content(3, 100)


@RESTARTS
def test_what_is_restored_beside_its_renamed_former_self_is_another_item(box, end):
    instance = box.puppet(*VIEW)
    number = stat(box.root / "h").st_ino
    inside(os.rename, box.root / "h", box.root / "moved")
    box.run("restore", box.root / "h")
    instance = again(box, instance, end)
    assert read(box.root / "h") == read(box.root / "moved") == content(3, 100)
    assert stat(box.root / "moved").st_ino == number
    assert stat(box.root / "h").st_ino != number


@RESTARTS
def test_inode_numbers_survive_renames(box, end):
    instance = box.puppet(*VIEW)
    paths = {"a": "n", "a/b": "n/b", "a/b/c/f": "n/b/c/f", "a/b/g": "n/b/g"}
    before = {new: stat(box.root / old).st_ino for old, new in paths.items()}
    read(box.root / "a/b/g")
    inside(os.rename, box.root / "a", box.root / "n")
    instance = again(box, instance, end)
    assert {p: stat(box.root / p).st_ino for p in before} == before
    write(box.root / "n/b/g", b"mine")
    instance = again(box, instance, end)
    assert {p: stat(box.root / p).st_ino for p in before} == before


@pytest.mark.parametrize("size", [10, 100, 3_000_000])
def test_a_renamed_or_changed_placeholder_gets_the_content_that_there_is_now(box, size):
    for name in ("moved", "dirty"):
        (box.source / name).write_bytes(b"old" * 30)
    with box.mount():
        inside(os.rename, box.root / "moved", box.root / "new")
        inside(os.chmod, box.root / "dirty", 0o640)
        for name in ("moved", "dirty"):
            (box.source / name).write_bytes(b"n" * size)
        assert read(box.root / "new") == read(box.root / "dirty") == b"n" * size
        assert (stat(box.root / "dirty").st_mode & 0o777, stat(box.root / "new").st_size) == (0o640, size)
    with box.mount():
        assert read(box.root / "new") == read(box.root / "dirty") == b"n" * size
        assert stat(box.root / "dirty").st_mode & 0o777 == 0o640
        assert error_of(os.lstat, box.root / "moved") == "ENOENT"
