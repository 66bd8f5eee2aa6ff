# SPDX-License-Identifier: MIT
"""
The states of an operand: what its source has, and which calls bring it there.  The plain directory gets the same
calls, so that afterwards both sides must look the same.
"""

import dataclasses
import mmap
import os
import socket
import typing

OLD_NS = 1_500_000_000_123_456_789  # of what the source has
SET_NS = 1_111_111_111_987_654_321  # as users set it
SIZE = 9000


def data_of(name):
    """Another content for each name; two pages and a bit."""
    line = f"{name} has this line, and it has it again and again\n".encode()
    return (line * (SIZE // len(line) + 1))[:SIZE]


def age(path):
    os.utime(path, ns=(OLD_NS, OLD_NS), follow_symlinks=False)


def write_file(path, data, mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data)
    os.fchmod(fd, mode)
    os.close(fd)


def read_file(path):
    fd = os.open(path, os.O_RDONLY)
    data = b""
    while chunk := os.read(fd, 1 << 20):
        data += chunk
    os.close(fd)
    return data


# ---- what sources have ----------------------------------------------------------------------


def source_file(path):
    write_file(path, data_of(os.path.basename(path)))
    os.setxattr(path, "user.origin", b"source")
    age(path)


def source_large(path):
    block = os.path.basename(path).encode() * 1000
    write_file(path, (block * (2_200_000 // len(block) + 1))[:2_200_000])
    age(path)


def source_dir(path):
    """A file, and a directory with a file and a link in it."""
    os.mkdir(path)
    os.mkdir(f"{path}/sub")
    write_file(f"{path}/sub/inner", b"inner\n")
    os.symlink("inner", f"{path}/sub/link")
    write_file(f"{path}/file", data_of("file"))
    for name in ("/sub/inner", "/sub/link", "/sub", "/file", ""):
        age(path + name)


def source_empty(path):
    os.mkdir(path)
    age(path)


def source_link(path):
    os.symlink("target of " + os.path.basename(path), path)
    age(path)


def elsewhere(make):
    """The source has it under another name."""
    return lambda path: make(path + ".origin")


def nothing(_path):
    pass


# ---- what brings them into their states -----------------------------------------------------


class Held:
    """A descriptor, or a mapping of the first page as well, that is kept over an operation."""

    def __init__(self, path, flags, protection=None, kind=None):
        self.fd = os.open(path, flags)
        self.is_writable = flags & os.O_ACCMODE != os.O_RDONLY
        self.map = kind and mmap.mmap(self.fd, 4096, kind, protection)

    def finish(self, call):
        """What it sees and may do afterwards."""
        status = os.fstat(self.fd)
        call.note("held: links", status.st_nlink)
        call.note("held: size", status.st_size)
        call("held: content", os.pread, self.fd, SIZE * 3, 0)
        # a page beyond the end is a SIGBUS
        if self.map and status.st_size > 0:
            call.note("held: mapping", bytes(self.map[:60]))
            if self.is_writable:
                self.map[7:12] = b"store"
                call("held: msync", self.map.flush)
                call("held: content with the store", os.pread, self.fd, 20, 0)
        if self.is_writable:
            call("held: write", os.pwrite, self.fd, b"late", 3)
            call("held: content with the write", os.pread, self.fd, 20, 0)
            call.note("held: size after the write", os.fstat(self.fd).st_size)
        if self.map:
            self.map.close()
        call("held: close", os.close, self.fd)


def change_meta(path):
    os.chmod(path, 0o640)
    os.utime(path, ns=(SET_NS, SET_NS))


def change_link_times(path):
    os.utime(path, ns=(SET_NS, SET_NS), follow_symlinks=False)


def write_middle(path):
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, b"written by the user", 5000)
    os.close(fd)


def make_local(path):
    write_file(path, b"local content of %s, " % os.path.basename(path).encode() * 500)


def make_local_dir(path):
    os.mkdir(path)
    os.mkdir(f"{path}/sub")
    write_file(f"{path}/sub/inner", b"local inner\n")
    write_file(f"{path}/mine", b"mine\n")


def make_linked(path):
    make_local(path)
    os.link(path, path + ".second")


def link_projected(path):
    os.link(path, path + ".second")


def from_origin(path):
    os.rename(path + ".origin", path)


def steps(*functions):
    def prepare(path):
        for function in functions:
            result = function(path)
        return result if isinstance(result, Held) else None

    return prepare


def hold(flags, kind=None, protection=None):
    return lambda path: Held(path, flags, protection, kind)


def bind_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        fd = os.open(os.path.dirname(path), os.O_PATH)
        s.bind(f"/proc/self/fd/{fd}/{os.path.basename(path)}")
        os.close(fd)


def remove_children(path):
    os.unlink(f"{path}/file")
    os.unlink(f"{path}/sub/link")
    os.unlink(f"{path}/sub/inner")
    os.rmdir(f"{path}/sub")


def remove_tree(path):
    remove_children(path)
    os.rmdir(path)


def enter(path):
    read_file(f"{path}/sub/inner")
    os.readlink(f"{path}/sub/link")


def enter_origin(path):
    enter(path + ".origin")


def change_children(path):
    """One of each kind below."""
    os.rename(f"{path}/file", f"{path}/sub/moved")
    os.unlink(f"{path}/sub/inner")
    write_file(f"{path}/added", b"added\n")


def begin(path):
    """Somewhere in it, so that a part of it is there."""
    fd = os.open(path, os.O_RDONLY)
    os.pread(fd, 10, 1_500_000)
    os.close(fd)


READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


@dataclasses.dataclass(frozen=True)
class State:
    name: str
    kind: str
    make: typing.Callable = nothing
    prepare: typing.Callable = nothing


FILES = [
    State("virtual", "file", source_file),
    State("placeholder", "file", source_file, os.lstat),
    State("hydrated", "file", source_file, read_file),
    State("dirty", "file", source_file, change_meta),
    State("dirty hydrated", "file", source_file, steps(read_file, change_meta)),
    State("full", "file", source_file, write_middle),
    State("local", "file", nothing, make_local),
    State("local over a tombstone", "file", source_file, steps(os.unlink, make_local)),
    State("renamed placeholder", "file", elsewhere(source_file), from_origin),
    State("renamed dirty", "file", elsewhere(source_file), steps(from_origin, change_meta)),
    State("renamed hydrated", "file", elsewhere(source_file), steps(from_origin, read_file)),
    State("hydrated renamed", "file", elsewhere(source_file), steps(lambda p: read_file(p + ".origin"), from_origin)),
    State("two names", "file", nothing, make_linked),
    State("projected, two names", "file", source_file, link_projected),
]
HELD = [
    State("virtual, open", "file", source_file, hold(os.O_RDONLY)),
    State("hydrated, open", "file", source_file, steps(read_file, hold(os.O_RDONLY))),
    State("virtual, open to write", "file", source_file, hold(os.O_RDWR)),
    State("renamed, open", "file", elsewhere(source_file), steps(from_origin, hold(os.O_RDONLY))),
    State("local, open to write", "file", nothing, steps(make_local, hold(os.O_RDWR))),
    State("virtual, mapped", "file", source_file, hold(os.O_RDONLY, mmap.MAP_SHARED, mmap.PROT_READ)),
    State("virtual, mapped to write", "file", source_file, hold(os.O_RDWR, mmap.MAP_SHARED, READ_WRITE)),
    State("full, mapped", "file", source_file, steps(write_middle, hold(os.O_RDWR, mmap.MAP_SHARED, READ_WRITE))),
    State(
        "hydrated, mapped privately",
        "file",
        source_file,
        steps(read_file, hold(os.O_RDONLY, mmap.MAP_PRIVATE, READ_WRITE)),
    ),
]
NOTHING = [
    State("nothing", "none"),
    State("tombstone", "none", source_file, os.unlink),
    State("renamed away", "none", source_file, lambda p: os.rename(p, p + ".away")),
    State("tombstone of a directory", "none", source_dir, remove_tree),
]
DIRECTORIES = [
    State("virtual directory", "dir", source_dir),
    State("virtual empty directory", "dir", source_empty),
    State("listed directory", "dir", source_dir, os.listdir),
    State("entered directory", "dir", source_dir, enter),
    State("dirty directory", "dir", source_dir, lambda p: os.chmod(p, 0o710)),
    State("directory of tombstones", "dir", source_dir, remove_children),
    State("changed directory", "dir", source_dir, change_children),
    State("local directory", "dir", nothing, make_local_dir),
    State("local empty directory", "dir", nothing, os.mkdir),
    State("directory over a tombstone", "dir", source_dir, steps(remove_tree, os.mkdir)),
    State("renamed directory", "dir", elsewhere(source_dir), from_origin),
    State("renamed directory, entered", "dir", elsewhere(source_dir), steps(from_origin, enter)),
    State("entered directory, renamed", "dir", elsewhere(source_dir), steps(enter_origin, from_origin)),
    State("renamed directory, changed", "dir", elsewhere(source_dir), steps(from_origin, change_children)),
]
LINKS = [
    State("virtual link", "link", source_link),
    State("dirty link", "link", source_link, change_link_times),
    State("local link", "link", nothing, lambda p: os.symlink("anywhere", p)),
    State("renamed link", "link", elsewhere(source_link), from_origin),
    State("local link that looks like a marker", "link", nothing, lambda p: os.symlink("/dev/null/projfs/AAAA", p)),
]
SPECIAL = [
    State("fifo", "fifo", nothing, os.mkfifo),
    State("socket", "fifo", nothing, bind_socket),
]
LARGE = [
    State("large", "file", source_large),
    State("large, begun", "file", source_large, begin),
    State("large, read", "file", source_large, read_file),
]
ALL = FILES + HELD + NOTHING + DIRECTORIES + LINKS + SPECIAL


def named(*names):
    found = [s for s in ALL + LARGE if s.name in names]
    assert len(found) == len(names), names
    return found
