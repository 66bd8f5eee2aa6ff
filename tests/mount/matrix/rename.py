# SPDX-License-Identifier: MIT
"""Renames: every state onto every state, and what follows them."""

import ctypes
import os

from matrix.cell import content_of
from matrix.names import look_around
from matrix.operations import add, operation
from matrix.space import checked, libc
from matrix.states import ALL, DIRECTORIES, FILES, HELD, LINKS, NOTHING, named, write_file

NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
AT_FDCWD = -100


def renameat2(source, destination, flags):
    checked(libc.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(destination), ctypes.c_uint(flags)))


ONTO = [
    *NOTHING,
    *named(
        "virtual",
        "placeholder",
        "hydrated",
        "dirty",
        "full",
        "local",
        "renamed placeholder",
        "virtual, open",
        "local, open to write",
        "virtual directory",
        "virtual empty directory",
        "directory of tombstones",
        "local empty directory",
        "local directory",
        "renamed directory",
        "virtual link",
        "local link",
        "fifo",
    ),
]


def rename(flags):
    def run(c):
        before = c.number(c.x) if c.is_looked_at() else None
        c.call("rename", renameat2, c.x, c.y, flags)
        c.call("lstat of the old name", os.lstat, c.x)
        c.call("lstat of the new name", os.lstat, c.y)
        if before and isinstance(before, int):
            c.call.note("keeps its number", before in (c.number(c.x), c.number(c.y)))

    return run


add("rename", "rename", rename(0), ALL, ONTO, live=True)
add("rename no replace", "rename(NOREPLACE)", rename(NOREPLACE), ALL, ONTO)
add("exchange", "rename(EXCHANGE)", rename(EXCHANGE), ALL, ONTO, live=True)
add("rename follow", "rename(both flags)", rename(NOREPLACE | EXCHANGE), named("virtual"), named("virtual", "nothing"))


@operation("rename follow", "there and back", [*FILES, *HELD, *DIRECTORIES, *LINKS], live=True)
def _(c):
    c.call("there", os.rename, c.x, c.y)
    look_around(c, c.x)
    look_around(c, c.y)
    c.call("back", os.rename, c.y, c.x)
    look_around(c, c.x)
    look_around(c, c.y)


OTHERS = named("virtual", "local", "renamed placeholder", "tombstone")


@operation("rename follow", "in a circle of three", FILES, OTHERS)
def _(c):
    c.call("x to z", os.rename, c.x, f"{c.top}/z")
    c.call("y to x", os.rename, c.y, c.x)
    c.call("z to y", os.rename, f"{c.top}/z", c.y)
    c.call("x", content_of, c.x)
    c.call("y", content_of, c.y)


@operation("rename follow", "onto itself", ALL)
def _(c):
    c.call("rename", os.rename, c.x, c.x)
    c.call("no replace", renameat2, c.x, c.x, NOREPLACE)
    c.call("exchange", renameat2, c.x, c.x, EXCHANGE)


@operation("rename follow", "into itself", DIRECTORIES)
def _(c):
    c.call("into itself", os.rename, c.x, f"{c.x}/below")
    c.call("deeper", os.rename, c.x, f"{c.x}/sub/below")
    c.call("exchange with a child", renameat2, c.x, f"{c.x}/sub", EXCHANGE)
    c.call("onto the parent", os.rename, f"{c.x}/sub", c.x)
    c.call("onto a parent that is not empty", os.rename, f"{c.x}/sub/inner", f"{c.x}/sub")


@operation("rename follow", "into a directory", [*FILES, *HELD, *DIRECTORIES, *LINKS], DIRECTORIES, live=True)
def _(c):
    c.call("into", os.rename, c.x, f"{c.y}/moved")
    c.call("list", os.listdir, c.y)
    c.call("lstat", os.lstat, f"{c.y}/moved")


@operation("rename follow", "out of a directory", DIRECTORIES, NOTHING)
def _(c):
    for name in ("file", "sub", "mine", "sub/inner"):
        c.call(f"out: {name}", os.rename, f"{c.x}/{name}", f"{c.y}{name.replace('/', '-')}")
    c.call("list", os.listdir, c.x)
    c.call("rmdir", os.rmdir, c.x)


@operation("rename follow", "write to it afterwards", FILES)
def _(c):
    os.rename(c.x, c.y)
    fd = os.open(c.y, os.O_RDWR)
    c.call("read", os.pread, fd, 20_000, 0)
    c.call("write", os.pwrite, fd, b"under another name", 30)
    os.close(fd)
    c.call("create", write_file, c.x, b"a new one of the old name")
    c.call("chmod", os.chmod, c.x, 0o600)


@operation("rename follow", "save by rename", [*FILES, *HELD], live=True)
def _(c):
    """As editors do it."""
    fd = os.open(c.x, os.O_RDONLY)
    write_file(f"{c.x}.new", b"saved " * 1000)
    os.rename(c.x, f"{c.x}~")
    os.rename(f"{c.x}.new", c.x)
    c.call("the old one", os.pread, fd, 20_000, 0)
    c.call("links", lambda: os.fstat(fd).st_nlink)
    os.unlink(f"{c.x}~")
    c.call("the old one, still", os.pread, fd, 20_000, 0)
    c.call("no links", lambda: os.fstat(fd).st_nlink)
    c.call("the new one", content_of, c.x)
    os.close(fd)


TREES = [s for s in DIRECTORIES if "empty" not in s.name and "over" not in s.name]


@operation("rename follow", "a tree, and things in it", TREES)
def _(c):
    os.rename(c.x, c.y)
    c.call("a rename in it", os.rename, f"{c.y}/sub", f"{c.y}/under")
    c.call("a rename of it", os.rename, c.y, f"{c.top}/z")
    c.call("read", content_of, f"{c.top}/z/under/inner")
    c.call("out of it", os.rename, f"{c.top}/z/under", f"{c.top}/out")
    c.call("a new one of its name", os.mkdir, c.x)
    c.call("empty", os.listdir, c.x)
    c.call("move into the new one", os.rename, f"{c.top}/z", f"{c.x}/z")
    c.call("move all", os.rename, f"{c.top}/out", f"{c.x}/z/sub")


@operation("rename follow", "while it is open", [*FILES], named("virtual", "full", "local"))
def _(c):
    """Both the moved and the replaced one."""
    moved, replaced = os.open(c.x, os.O_RDWR), os.open(c.y, os.O_RDWR)
    os.rename(c.x, c.y)
    for label, fd in (("moved", moved), ("replaced", replaced)):
        c.call(f"{label}: fstat", os.fstat, fd)
        c.call(f"{label}: read", os.pread, fd, 20_000, 0)
        c.call(f"{label}: write", os.pwrite, fd, label.encode(), 10)
        c.call(f"{label}: truncate", os.ftruncate, fd, 5000)
        c.call(f"{label}: fstat again", os.fstat, fd)
        c.call(f"{label}: read again", os.pread, fd, 20_000, 0)
        os.close(fd)
