# SPDX-License-Identifier: MIT
"""Forged and damaged markers and records, and a private folder that is not as it should be."""

import os
import shutil

import pytest

import trees
from endings import write
from support import MountFailed, content, error_of, inside, names, needs_root, read, stat, tool

VIEW = ["dir a", "dir a/b", "file a/f 5000 1", "file a/b/g 6000 2", "file h 100 3", "file i 200 4"]
MARKER = "/dev/null/projfs/"


def prepare(box, change):
    """One instance in which something is done."""
    with box.puppet(*VIEW):
        inside(change, box.root)


def damage(text):
    return text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:]


@pytest.mark.parametrize(
    "target",
    [
        MARKER,
        MARKER + "A",
        MARKER + "AAAAAAAAAAAA",
        MARKER + "not base64!",
        MARKER + "../../etc/passwd",
        MARKER + "_" * 3000,
        "damaged",
    ],
)
def test_a_marker_that_cannot_be_read_harms_no_other_item(box, target):
    prepare(box, lambda root: os.rename(root / "h", root / "renamed"))
    text = os.readlink(box.root / "renamed")
    os.unlink(box.root / "renamed")
    os.symlink(damage(text) if target == "damaged" else target, box.root / "renamed")
    with box.puppet(*VIEW):
        assert error_of(read, box.root / "renamed") is not None
        assert error_of(os.readlink, box.root / "renamed") is not None
        assert {"a", "i"} <= set(names(box.root))
        assert read(box.root / "i") == content(4, 200)
        write(box.root / "new", b"new")
    found = box.run("fsck", box.root, check=False)
    assert found.returncode == 1 and "renamed" in found.stdout + found.stderr
    box.run("fsck", "--repair", box.root)
    assert box.json("fsck", box.root)["n_problems"] == 0
    with box.puppet(*VIEW):
        assert error_of(os.lstat, box.root / "renamed") == "ENOENT"
        assert read(box.root / "new") == b"new"


def test_a_record_that_cannot_be_read_harms_no_other_item(box):
    prepare(box, lambda root: [(root / n).read_bytes() for n in ("h", "i", "a/f")])
    for name in ("h", "a"):
        attributes = [n for n in os.listxattr(box.root / name) if "projfs" in n]
        assert len(attributes) == 1
        value = bytearray(os.getxattr(box.root / name, attributes[0]))
        value[-1] ^= 0xFF
        os.setxattr(box.root / name, attributes[0], bytes(value))
    with box.puppet(*VIEW):
        assert error_of(read, box.root / "h") == "EIO"
        assert error_of(os.listdir, box.root / "a") == "EIO"
        assert read(box.root / "i") == content(4, 200)
        assert {"h", "i"} <= set(names(box.root))
    assert box.run("fsck", box.root, check=False).returncode == 1
    box.run("fsck", "--repair", box.root)
    with box.puppet(*VIEW):
        assert read(box.root / "h") == content(3, 100)  # kept as the user's own
        assert box.state(box.root / "h") == "full"


def test_a_record_of_another_root_counts_for_nothing(box):
    """Attributes are copied by tools, and forged by users."""
    prepare(box, lambda root: (root / "h").read_bytes())
    attribute = next(n for n in os.listxattr(box.root / "h") if "projfs" in n)
    value = os.getxattr(box.root / "h", attribute)
    (box.root / "forged").write_bytes(content(3, 100))
    shutil.copystat(box.root / "h", box.root / "forged")
    os.setxattr(box.root / "forged", attribute, value)
    os.mkdir(box.root / "forged directory")
    os.setxattr(box.root / "forged directory", attribute, value)
    with box.puppet(*VIEW):
        assert box.state(box.root / "forged") == "full"
        assert read(box.root / "forged") == content(3, 100)
        assert box.state(box.root / "h") == "hydrated"
        assert read(box.root / "i") == content(4, 200)


def test_a_users_own_link_that_looks_like_a_marker_is_a_link(box):
    targets = [MARKER + "AAAA", "/dev/null/projfs-link/x", "/dev/null", "/dev/null/projfs"]
    with box.puppet(*VIEW):
        for i, target in enumerate(targets):
            inside(os.symlink, target, box.root / f"link{i}")
    for _ in range(2):
        with box.puppet(*VIEW):
            for i, target in enumerate(targets):
                assert inside(os.readlink, box.root / f"link{i}") == target
                assert stat(box.root / f"link{i}").st_size == len(target)
                assert box.state(box.root / f"link{i}") == "full"


# ---- .projfs --------------------------------------------------------------------------------


def refusal(box, *options):
    with pytest.raises(MountFailed) as failure:
        box.puppet(*VIEW, options=options)
    text = str(failure.value)
    assert text.startswith("projfs: ") and text.count("\n") == 1
    return text


@pytest.mark.parametrize("mode", [0o500, 0o000, 0o777])
def test_a_private_folder_with_another_mode_loses_nothing(box, mode):
    prepare(box, lambda root: (root / "h").read_bytes())
    (box.root / ".projfs").chmod(mode)
    try:
        with box.puppet(*VIEW):
            write(box.root / "i", b"mine")
    except MountFailed as failure:
        assert ".projfs" in str(failure)
    box.run("fsck", "--repair", box.root)
    assert os.stat(box.root / ".projfs").st_mode & 0o777 == 0o700
    with box.puppet(*VIEW):
        assert box.state(box.root / "h") == "hydrated"
        write(box.root / "h", b"mine")


@needs_root
def test_a_root_that_cannot_be_written_is_refused_with_its_name(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    tool("mount", "--bind", box.root, box.root)
    try:
        tool("mount", "-o", "remount,ro,bind", box.root)
        text = refusal(box)
        assert os.fspath(box.root) in text and "read-only" in text.lower()
    finally:
        tool("umount", "-l", box.root)
    with box.puppet(*VIEW):
        assert box.state(box.root / "h") == "hydrated"


def test_a_private_folder_that_is_gone_makes_it_an_ordinary_directory(box):
    def change(root):
        (root / "h").read_bytes()
        (root / "i").write_bytes(b"mine")

    prepare(box, change)
    shutil.rmtree(box.root / ".projfs")
    text = refusal(box)
    assert "not empty" in text and "adopt" in text
    with box.puppet(*VIEW, options=["adopt"]):
        assert read(box.root / "h") == content(3, 100)
        assert read(box.root / "i") == b"mine"
        assert names(box.root) == ["a", "h", "i"]


def test_a_private_folder_that_is_a_file_is_refused(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    shutil.rmtree(box.root / ".projfs")
    (box.root / ".projfs").write_bytes(b"what is this")
    assert "not empty" in refusal(box)
    assert ".projfs" in refusal(box, "adopt")
    assert (box.root / ".projfs").read_bytes() == b"what is this"


def test_a_mark_that_cannot_be_read_is_refused(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "hello.txt")
    for path in sorted((box.root / ".projfs").iterdir()):
        if path.is_file() and path.stat().st_size:
            saved = path.read_bytes()
            path.write_bytes(b"\xff" * len(saved))
            try:
                with box.mount():
                    assert read(box.root / "hello.txt") == b"hello\n"
            except MountFailed as failure:
                assert str(failure).startswith("projfs: ")
            path.write_bytes(saved)
    with box.mount():
        assert read(box.root / "hello.txt") == b"hello\n"


def test_leftovers_in_the_private_folder_are_removed(box):
    prepare(box, lambda root: (root / "h").read_bytes())
    for name in ("tmp", "open"):
        (box.root / ".projfs" / name).mkdir(exist_ok=True)
        (box.root / ".projfs" / name / "leftover").write_bytes(b"of a crash")
    with box.puppet(*VIEW):
        assert read(box.root / "h") == content(3, 100)
    with box.puppet(*VIEW):
        pass
    assert not [p for p in (box.root / ".projfs").rglob("leftover")]
