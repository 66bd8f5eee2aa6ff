# SPDX-License-Identifier: MIT
"""-o ro: every writing call is refused; in any mount what is private stays so."""

import ctypes
import errno
import os

import pytest

import trees
from support import Child, error_of, inside, names, read, stat

CALLS = {
    "open to write": lambda r: os.open(r / "hello.txt", os.O_WRONLY),
    "open to read and write": lambda r: os.open(r / "hello.txt", os.O_RDWR),
    "open to truncate": lambda r: os.open(r / "hello.txt", os.O_WRONLY | os.O_TRUNC),
    "create": lambda r: os.open(r / "new", os.O_WRONLY | os.O_CREAT, 0o600),
    "create exclusively": lambda r: os.open(r / "sub/new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600),
    "create without a name": lambda r: os.open(r, os.O_RDWR | os.O_TMPFILE, 0o600),
    "mkdir": lambda r: os.mkdir(r / "new"),
    "mkdir of what is private": lambda r: os.mkdir(r / ".projfs"),
    "create what is private": lambda r: os.open(r / ".projfs", os.O_WRONLY | os.O_CREAT, 0o600),
    "mknod": lambda r: os.mknod(r / "new"),
    "mkfifo": lambda r: os.mkfifo(r / "new"),
    "symlink": lambda r: os.symlink("x", r / "new"),
    "link": lambda r: os.link(r / "hello.txt", r / "new"),
    "unlink": lambda r: os.unlink(r / "hello.txt"),
    "unlink in a directory": lambda r: os.unlink(r / "sub/run"),
    "unlink a link": lambda r: os.unlink(r / "sub/link"),
    "rmdir": lambda r: os.rmdir(r / "empty"),
    "rename": lambda r: os.rename(r / "hello.txt", r / "new"),
    "rename over": lambda r: os.rename(r / "hello.txt", r / "sub/run"),
    "rename a directory": lambda r: os.rename(r / "sub", r / "new"),
    "chmod": lambda r: os.chmod(r / "hello.txt", 0o600),
    "chmod of a directory": lambda r: os.chmod(r / "sub", 0o700),
    "chown": lambda r: os.chown(r / "hello.txt", os.getuid(), os.getgid()),
    "utime": lambda r: os.utime(r / "hello.txt", (1, 1)),
    "utime of the root": lambda r: os.utime(r, (1, 1)),
    "truncate": lambda r: os.truncate(r / "hello.txt", 0),
    "setxattr": lambda r: os.setxattr(r / "hello.txt", "user.x", b"y"),
    "removexattr": lambda r: os.removexattr(r / "hello.txt", "user.x"),
}


@pytest.fixture
def root(box):
    trees.make_small(box.source)
    with box.mount(None, "ro"):
        yield box.root


@pytest.mark.parametrize("call", CALLS)
def test_a_writing_call_fails_with_erofs(root, call):
    assert error_of(CALLS[call], root) == "EROFS"


def test_a_hydrated_file_is_read_only_too(box, root):
    assert read(root / "hello.txt") == b"hello\n"
    for call in ("open to write", "truncate", "unlink", "rename", "chmod", "utime", "setxattr"):
        assert error_of(CALLS[call], root) == "EROFS", call
    assert (box.source / "hello.txt").read_bytes() == b"hello\n"


def test_a_mapping_cannot_be_written_through(root):
    import mmap

    def store():
        with open(root / "hello.txt", "rb") as f:
            mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)[0] = 1

    assert error_of(store) == "EACCES"


def test_a_failed_write_leaves_nothing_behind(box):
    trees.make_small(box.source)
    with box.mount(None, "ro"):
        for call in CALLS.values():
            assert error_of(call, box.root) == "EROFS"
    assert box.below() == []


def test_what_is_private_cannot_be_seen(root):
    assert ".projfs" not in names(root)
    for path in (".projfs", ".projfs/root", ".projfs/tmp", "sub/../.projfs"):
        assert error_of(os.lstat, f"{root}/{path}") == "ENOENT"
    assert error_of(os.listdir, root / ".projfs") == "ENOENT"
    assert not [n for n in inside(os.listxattr, root / "hello.txt") if "projfs" in n]
    read(root / "hello.txt")
    assert not [n for n in inside(os.listxattr, root / "hello.txt") if "projfs" in n]


def test_programs_that_ask_for_security_attributes_are_told_once_and_work(root):
    def ask():
        buffer = ctypes.create_string_buffer(100)
        libc = ctypes.CDLL(None, use_errno=True)
        path = os.fsencode(root / "hello.txt")
        return [
            libc.getxattr(path, name, buffer, 100) < 0 and ctypes.get_errno()
            for name in (b"security.selinux", b"security.capability")
        ]

    assert Child(ask).result() == [errno.EOPNOTSUPP, errno.ENODATA]


def test_changes_of_a_writable_mount_are_seen_read_only(box):
    trees.make_small(box.source)
    with box.mount():
        inside((box.root / "sub/new").write_bytes, b"new\n")
        inside(os.unlink, box.root / "hello.txt")
        inside(os.rename, box.root / "sub/run", box.root / "moved")
        inside(os.chmod, box.root / "moved", 0o700)
    with box.mount(None, "ro"):
        assert names(box.root) == ["empty", "moved", "sub"]
        assert read(box.root / "sub/new") == b"new\n"
        assert read(box.root / "moved") == (box.source / "sub/run").read_bytes()
        assert stat(box.root / "moved").st_mode & 0o777 == 0o700
        for path in ("moved", "sub/new"):
            assert error_of(os.truncate, box.root / path, 0) == "EROFS"
