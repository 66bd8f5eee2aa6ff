# SPDX-License-Identifier: MIT
"""Every optional feature can be switched off, and then the fallback of older kernels works."""

import os

import pytest

import trees
from support import error_of, inside, names, read, stat

FEATURES = [
    "readdirplus",
    "readdirplus_auto",
    "parallel_dirops",
    "cache_symlinks",
    "noopen",
    "noopendir",
    "max_pages",
    "expire_only",
    "posix_acl",
    "clone",
    "pin",
    "tmpfile",
]


def work(box):
    """A little of everything."""
    assert names(box.root) == ["empty", "hello.txt", "sub"]
    assert names(box.root / "sub") == ["deeper", "link", "run"]
    assert read(box.root / "hello.txt") == b"hello\n"
    assert read(box.root / "sub/link") == b"hello\n"
    large = (box.source / "sub/deeper/large").read_bytes()
    assert read(box.root / "sub/deeper/large", 1 << 20, 5000) == large[1 << 20 :][:5000]
    assert read(box.root / "sub/deeper/large") == large
    assert stat(box.root / "sub/run").st_mode & 0o777 == 0o755
    assert inside(os.readlink, box.root / "sub/link") == "../hello.txt"
    assert error_of(os.lstat, box.root / "absent") == "ENOENT"
    assert error_of(os.getxattr, box.root / "hello.txt", "user.absent") == "ENODATA"
    assert box.state(box.root / "hello.txt") == "hydrated"
    assert inside(change, box.root) == [b"begin and end", ["file", "second"], 2]


def change(root):
    """Some changes that leave the tree as it was."""
    os.mkdir(root / "sub/mine")
    with open(root / "sub/mine/created", "wb") as f:
        f.write(b"begin")
    fd = os.open(root / "sub/mine/created", os.O_WRONLY | os.O_APPEND)
    os.write(fd, b" and end")
    os.fsync(fd)
    os.close(fd)
    os.rename(root / "sub/mine/created", root / "sub/mine/file")
    os.link(root / "sub/mine/file", root / "sub/mine/second")
    os.truncate(root / "sub/mine/second", 5)
    os.truncate(root / "sub/mine/second", 0)
    with open(root / "sub/mine/second", "wb") as f:
        f.write(b"begin and end")
    with open(root / "sub/mine/file", "rb") as f:
        found = [f.read(), sorted(os.listdir(root / "sub/mine")), os.fstat(f.fileno()).st_nlink]
    for name in found[1]:
        os.unlink(root / "sub/mine" / name)
    os.rmdir(root / "sub/mine")
    return found


@pytest.mark.parametrize("view", ["live", "stable"])
@pytest.mark.parametrize("feature", [*FEATURES, ",".join(FEATURES)], ids=lambda f: "all" if "," in f else f)
def test_it_works_without(box, feature, view):
    trees.make_small(box.source)
    options = ["stable"] if view == "stable" else []
    with box.mount(None, *options, PROJFS_DISABLE=feature) as instance:
        assert not set(feature.split(",")) & set(instance.status()["features"])
        work(box)
        work(box)
    assert (box.root / "hello.txt").read_bytes() == b"hello\n"


def test_with_a_stable_view_opens_are_not_heard_of(box):
    trees.make_small(box.source)
    with box.mount(None, "stable") as instance:
        work(box)
        assert {"noopen", "noopendir"} <= set(instance.status()["features"])
        before = instance.counters()["opens"]
        work(box)
        assert instance.counters()["opens"] == before
