# SPDX-License-Identifier: MIT
"""
The root is changed with plain tools while nothing runs.  The next mount takes nothing of the user's for cache, shows
again what was removed, and one bad item harms no other.
"""

import os
import shutil
import subprocess

import pytest

from endings import write
from support import content, error_of, inside, names, read, stat

VIEW = ["dir a", "dir a/b", "file a/f 5000 1", "file a/b/g 6000 2", "file h 100 3", "file i 200 4"]
MARKER = "/dev/null/projfs/"


def sh(script, directory):
    subprocess.run(["sh", "-ec", script], cwd=directory, check=True, timeout=30)


def prepare(box, change, view=VIEW):
    """One instance in which something is done."""
    with box.puppet(*view):
        inside(change, box.root)


# ---- moved ----------------------------------------------------------------------------------


def test_a_hydrated_file_that_was_moved_is_the_users(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    number = os.stat(box.root / "h").st_ino
    os.rename(box.root / "h", box.root / "moved")
    with box.puppet(*VIEW) as instance:
        assert box.state(box.root / "moved") == "full"
        assert read(box.root / "moved") == content(3, 100)
        assert stat(box.root / "moved").st_ino == number
        assert instance.puppet.count("data") == 0
        assert box.state(box.root / "h") in ("virtual", "placeholder")  # nobody deleted it in the view
        assert read(box.root / "h") == content(3, 100)
        assert stat(box.root / "h").st_ino != number


def test_a_hydrated_file_that_was_moved_onto_another_name_is_not_taken_for_that(box):
    prepare(box, lambda root: [(root / n).read_bytes() for n in ("h", "i")])
    os.rename(box.root / "h", box.root / "i")
    with box.puppet(*VIEW):
        assert box.state(box.root / "i") == "full"
        assert read(box.root / "i") == content(3, 100)
        assert read(box.root / "h") == content(3, 100)


def test_two_hydrated_files_that_changed_places_are_the_users(box):
    view = [*VIEW, "file j 100 7"]  # as large as h
    prepare(box, lambda root: [(root / n).read_bytes() for n in ("h", "j")], view)
    sh("mv h x; mv j h; mv x j", box.root)
    with box.puppet(*view):
        assert read(box.root / "h") == content(7, 100)
        assert read(box.root / "j") == content(3, 100)
        assert [box.state(box.root / n) for n in "hj"] == ["full", "full"]


def test_a_directory_that_was_moved_is_the_users_with_what_is_in_it(box):
    prepare(box, lambda root: (root / "a/f").read_bytes())
    os.rename(box.root / "a", box.root / "mine")
    with box.puppet(*VIEW):
        assert names(box.root) == ["a", "h", "i", "mine"]
        assert names(box.root / "mine") == ["f"]
        assert read(box.root / "mine/f") == content(1, 5000)
        assert [box.state(box.root / p) for p in ("mine", "mine/f")] == ["full", "full"]
        assert names(box.root / "a") == ["b", "f"]
        assert read(box.root / "a/f") == content(1, 5000)


def test_full_files_move_along(box):
    prepare(box, lambda root: (root / "a/f").write_bytes(b"mine"))
    sh("mkdir new; mv a/f new/", box.root)
    with box.puppet(*VIEW):
        assert read(box.root / "new/f") == b"mine"
        assert read(box.root / "a/f") == content(1, 5000)


def test_a_renamed_placeholder_that_was_moved_again_is_still_asked_for(box):
    prepare(box, lambda root: os.rename(root / "h", root / "a/renamed"))
    assert os.readlink(box.root / "a/renamed").startswith(MARKER)
    os.rename(box.root / "a/renamed", box.root / "again")
    with box.puppet(*VIEW) as instance:
        assert names(box.root) == ["a", "again", "i"]
        assert stat(box.root / "again").st_size == 100
        assert read(box.root / "again") == content(3, 100)
        assert instance.puppet.count("data", "h") == 1


# ---- copied ---------------------------------------------------------------------------------


def test_copies_with_attributes_are_items_of_their_own(box):
    prepare(box, lambda root: [(root / p).read_bytes() for p in ("h", "a/f", "a/b/g")])
    sh("cp -a h copy; cp -a a tree; cp -al h linked", box.root)
    with box.puppet(*VIEW) as instance:
        copies = (("copy", "h", 3, 100), ("tree/f", "a/f", 1, 5000), ("tree/b/g", "a/b/g", 2, 6000))
        for copy, original, seed, size in copies:
            assert read(box.root / copy) == content(seed, size)
            assert box.state(box.root / copy) == "full", copy
            assert stat(box.root / copy).st_ino != stat(box.root / original).st_ino
        assert box.state(box.root / "a/f") == "hydrated"
        assert box.state(box.root / "tree") == "full"
        assert names(box.root / "tree") == ["b", "f"]
        write(box.root / "copy", b"mine")
        assert read(box.root / "h") == content(3, 100)
        assert stat(box.root / "linked").st_nlink == 2
        assert instance.puppet.count("data") == 0


def test_a_copy_in_place_of_the_original_is_the_users(box):
    """As editors and sed -i do it: same content, same attributes, same times, another file."""
    prepare(box, lambda root: (root / "h").read_bytes())
    sh("cp -a h x; mv x h", box.root)
    with box.puppet(*VIEW):
        assert read(box.root / "h") == content(3, 100)
        assert box.state(box.root / "h") == "full"


def test_copies_of_a_marker_show_the_same_content(box):
    prepare(box, lambda root: os.rename(root / "h", root / "renamed"))
    sh("cp -a renamed copy", box.root)
    with box.puppet(*VIEW):
        assert names(box.root) == ["a", "copy", "i", "renamed"]
        assert read(box.root / "copy") == read(box.root / "renamed") == content(3, 100)
        assert stat(box.root / "copy").st_ino != stat(box.root / "renamed").st_ino
        write(box.root / "copy", b"mine")
        assert read(box.root / "renamed") == content(3, 100)


def test_a_copied_tombstone_is_never_shown_as_a_link(box):
    prepare(box, lambda root: os.unlink(root / "h"))
    sh("cp -a h nothing; cp -a h i", box.root)
    with box.puppet(*VIEW):
        assert names(box.root) == ["a"]
        assert error_of(os.readlink, box.root / "nothing") == "ENOENT"
        write(box.root / "nothing", b"mine")
        write(box.root / "i", b"mine")
    with box.puppet(*VIEW):
        assert read(box.root / "nothing") == read(box.root / "i") == b"mine"


def test_a_root_copied_with_its_attributes_is_a_root_of_its_own(box):
    def change(root):
        (root / "h").read_bytes()
        (root / "i").write_bytes(b"mine")
        os.unlink(root / "a/f")

    prepare(box, change)
    sh("cp -a root other", box.dir)
    box.made.add("other")
    directory = box.make_dir("puppet")
    with box.mount(f"puppet:{directory}", root=box.dir / "other"):
        other = box.dir / "other"
        assert names(other) == ["a", "h", "i"]
        assert read(other / "h") == content(3, 100)
        assert read(other / "i") == b"mine"
        assert names(other / "a") == []  # a copied directory is the user's own, and the tombstone in it no link
        assert [box.state(other / n) for n in "ah"] == ["full", "full"]


# ---- removed --------------------------------------------------------------------------------


def test_what_was_removed_offline_shows_again(box):
    def change(root):
        (root / "h").read_bytes()  # hydrated
        (root / "i").write_bytes(b"mine")  # full
        (root / "a/f").chmod(0o600)  # dirty
        os.unlink(root / "a/b/g")  # tombstone

    prepare(box, change)
    for path in ("h", "i", "a/f", "a/b/g"):
        os.unlink(box.root / path)
    with box.puppet(*VIEW):
        assert read(box.root / "h") == content(3, 100)
        assert read(box.root / "i") == content(4, 200)
        assert read(box.root / "a/f") == content(1, 5000)
        assert stat(box.root / "a/f").st_mode & 0o777 == 0o644
        assert read(box.root / "a/b/g") == content(2, 6000)


def test_a_tree_that_was_removed_offline_shows_again(box):
    def change(root):
        (root / "a/f").write_bytes(b"mine")
        os.unlink(root / "a/b/g")

    prepare(box, change)
    shutil.rmtree(box.root / "a")
    with box.puppet(*VIEW):
        assert names(box.root / "a") == ["b", "f"]
        assert read(box.root / "a/f") == content(1, 5000)
        assert read(box.root / "a/b/g") == content(2, 6000)


def test_a_renamed_item_that_was_removed_leaves_its_tombstone(box):
    prepare(box, lambda root: os.rename(root / "h", root / "renamed"))
    os.unlink(box.root / "renamed")
    with box.puppet(*VIEW):
        assert names(box.root) == ["a", "i"]
        box.run("restore", box.root / "h")
        assert read(box.root / "h") == content(3, 100)


# ---- changed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "touch h",
        "printf x >>h",
        "printf other >h",
        "touch -r h t; printf longer >>h; touch -r t h; rm t",  # the time restored, the size not
        "truncate -s 50 h",
        "cp h x; cat x >h; rm x",
    ],
)
def test_a_hydrated_file_that_was_touched_is_the_users(box, script):
    prepare(box, lambda root: (root / "h").read_bytes())
    sh(script, box.root)
    expected = (box.root / "h").read_bytes()
    for _ in range(2):
        with box.puppet(*VIEW, "file h 120 8") as instance:  # the provider has a newer one
            assert box.state(box.root / "h") == "full"
            assert read(box.root / "h") == expected
            assert instance.puppet.count("data") == 0


def test_a_hydrated_file_with_another_mode_is_dirty(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    os.chmod(box.root / "h", 0o600)
    with box.puppet(*VIEW):
        assert box.state(box.root / "h") == "dirty"
        assert stat(box.root / "h").st_mode & 0o777 == 0o600
        assert read(box.root / "h") == content(3, 100)


def test_a_file_made_over_a_tombstone_is_the_users(box):
    prepare(box, lambda root: os.unlink(root / "h"))
    # a plain write would follow the marker, and cannot
    assert subprocess.run(["sh", "-c", "echo x >h"], cwd=box.root, check=False, stderr=subprocess.DEVNULL).returncode
    sh("rm h; echo mine >h", box.root)
    with box.puppet(*VIEW):
        assert read(box.root / "h") == b"mine\n"
        assert box.state(box.root / "h") == "full"


def test_a_directory_made_where_the_provider_has_one_is_local_and_opaque(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    sh("mkdir a; echo mine >a/own", box.root)
    with box.puppet(*VIEW):
        assert names(box.root / "a") == ["own"]
        assert box.state(box.root / "a") == "full"
        assert error_of(os.lstat, box.root / "a/f") == "ENOENT"


def test_a_directory_in_place_of_a_file_and_a_file_in_place_of_a_directory(box):
    prepare(box, lambda root: [(root / p).read_bytes() for p in ("h", "a/f")])
    sh("rm h; mkdir h; echo in >h/in; rm -r a; echo file >a", box.root)
    with box.puppet(*VIEW):
        assert read(box.root / "a") == b"file\n"
        assert read(box.root / "h/in") == b"in\n"
        assert error_of(os.lstat, box.root / "a/f") == "ENOTDIR"


def test_markers_cannot_be_read_or_written_through(box):
    prepare(box, lambda root: (os.rename(root / "h", root / "renamed"), os.unlink(root / "i")))
    for name in ("renamed", "i", "h"):
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_CREAT):
            assert error_of(os.open, box.root / name, flags) == "ENOTDIR"


def test_tar_of_an_unmounted_root_brings_the_changes_back(box):
    """A backup and its restoration: what is full is full, what is cache may be."""

    def change(root):
        (root / "h").read_bytes()
        (root / "i").write_bytes(b"mine")
        os.unlink(root / "a/f")
        os.rename(root / "a/b/g", root / "renamed")

    prepare(box, change)
    sh("tar --xattrs -cf backup.tar root; rm -rf root; tar --xattrs --xattrs-include='*' -xf backup.tar", box.dir)
    with box.puppet(*VIEW):
        assert names(box.root) == ["a", "h", "i", "renamed"]
        assert read(box.root / "h") == content(3, 100)
        assert read(box.root / "i") == b"mine"
        assert error_of(os.lstat, box.root / "a/f") == "ENOENT"
        assert read(box.root / "renamed") == content(2, 6000)
