# SPDX-License-Identifier: MIT
"""Operations on what is in a file."""

import mmap
import os

from matrix.operations import add, operation
from matrix.states import ALL, FILES, HELD, LARGE, READ_WRITE, SIZE, named

CONTENT = [*FILES, *HELD, *LARGE]
SOME = named("virtual", "hydrated", "dirty", "full", "local", "renamed placeholder", "virtual, open", "large")


# ---- open -----------------------------------------------------------------------------------


FLAGS = {
    name: sum(getattr(os, f"O_{word}") for word in name.split())
    for name in (
        "RDONLY",
        "WRONLY",
        "RDWR",
        "RDWR TRUNC",
        "RDONLY TRUNC",
        "WRONLY APPEND",
        "RDWR CREAT",
        "RDONLY CREAT",
        "RDWR CREAT EXCL",
        "WRONLY CREAT TRUNC",
        "RDONLY CREAT EXCL NOFOLLOW",
        "RDONLY DIRECTORY",
        "RDONLY DIRECTORY NOFOLLOW",
        "RDWR DIRECTORY",
        "RDONLY NOFOLLOW",
        "RDWR NOFOLLOW APPEND",
        "PATH",
        "PATH NOFOLLOW",
    )
}


def open_and_use(flags):
    def run(c):
        # a fifo without a peer would wait
        fd = c.open("open", c.x, flags | os.O_NONBLOCK, 0o640)
        if fd is None:
            return
        c.call("fstat", os.fstat, fd)
        if not flags & os.O_PATH:
            c.call("read", os.pread, fd, 100, 10)
            c.call("write", os.write, fd, b"a few bytes")
            c.call("read again", os.pread, fd, SIZE * 2, 0)
            c.call("fstat again", os.fstat, fd)
        c.call("close", os.close, fd)

    return run


for flag_names, flag_bits in FLAGS.items():
    add("open", f"open({flag_names})", open_and_use(flag_bits), ALL, live="CREAT" in flag_names)


def direct(flags):
    """Reads and writes of whole pages."""

    def run(c):
        fd = c.open("open", c.x, flags | os.O_DIRECT)
        if fd is None:
            return
        page = mmap.mmap(-1, 4096)
        c.call("read", os.preadv, fd, [page], 4096)
        c.call.note("data", bytes(page))
        page[:] = b"direct .." * 455 + b"\n"
        if flags & os.O_RDWR:
            c.call("write", os.pwritev, fd, [page], 4096)
            c.call("write beyond", os.pwritev, fd, [page], 16384)
        page[:] = bytes(4096)
        c.call("read the end", os.preadv, fd, [page], 8192)
        c.call.note("data of the end", bytes(page))
        c.call("close", os.close, fd)

    return run


add("open", "open(O_DIRECT) to read", direct(os.O_RDONLY), CONTENT)
add("open", "open(O_DIRECT) to write", direct(os.O_RDWR), CONTENT)


@operation("open", "through a link", CONTENT)
def _(c):
    os.symlink("x", f"{c.top}/through")
    fd = c.open("open", f"{c.top}/through", os.O_RDWR)
    c.call("write", os.pwrite, fd, b"through a link", 100)
    os.close(fd)
    fd = c.open("create", f"{c.top}/through", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    c.call.note("refused", fd is None)


# ---- read and write -------------------------------------------------------------------------


def with_file(family, name, flags=os.O_RDWR, x=tuple(CONTENT), **properties):
    """An operation on an open file."""

    def register(run):
        def outer(c):
            fd = os.open(c.x, flags)
            run(c, fd)
            c.call("fstat", os.fstat, fd)
            c.call("close", os.close, fd)

        add(family, name, outer, x, **properties)
        return run

    return register


@with_file("read", "read", os.O_RDONLY, live=True)
def _(c, fd):
    for size in (10, 4096, 100_000, 1 << 20, 10):
        c.call("read", os.read, fd, size)


@with_file("read", "pread", os.O_RDONLY)
def _(c, fd):
    size = os.fstat(fd).st_size
    for offset in (0, 4000, 4096, size - 1, size, size + 5000, 1 << 40):
        c.call(f"pread {offset}", os.pread, fd, 5000, offset)
    c.call("pread of nothing", os.pread, fd, 0, 10)


@with_file("read", "read a write-only file", os.O_WRONLY)
def _(c, fd):
    c.call("read", os.read, fd, 10)


@with_file("read", "a mapping to read", os.O_RDONLY)
def _(c, fd):
    size = os.fstat(fd).st_size
    with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        c.call.note("all of it", m[:])
    # what is beyond the end in the last page is zeros
    with mmap.mmap(fd, size, mmap.MAP_PRIVATE, READ_WRITE) as m:
        m[0:5] = b"hello"
        c.call.note("private", m[:20])
    c.call("read", os.pread, fd, 20, 0)


@with_file("read", "sendfile", os.O_RDONLY)
def _(c, fd):
    read_fd, write_fd = os.pipe()
    c.call("sendfile", os.sendfile, write_fd, fd, 100, 5000)
    c.call("piped", os.read, read_fd, 5000)
    os.close(read_fd)
    os.close(write_fd)


for place, offset in {"begin": 0, "middle": 4090, "end": SIZE - 3, "just beyond": SIZE, "far beyond": 70_000}.items():

    def write_at(c, fd, offset=offset):
        c.call("write", os.pwrite, fd, b"written here", offset)
        c.call("read", os.pread, fd, 5000, max(0, offset - 2000))

    with_file("write", f"write at the {place}", live=True)(write_at)


@with_file("write", "append", os.O_RDWR | os.O_APPEND, live=True)
def _(c, fd):
    for text in (b"one", b"two" * 3000, b""):
        c.call("write", os.write, fd, text)
    c.call("pwrite", os.pwrite, fd, b"appended, too", 0)
    c.call("position", os.lseek, fd, 0, os.SEEK_CUR)
    c.call("end", os.lseek, fd, 0, os.SEEK_END)


@with_file("write", "append of two", os.O_WRONLY | os.O_APPEND)
def _(c, fd):
    other = os.open(c.x, os.O_WRONLY | os.O_APPEND)
    for i in range(5):
        os.write(fd, b"first %d;" % i)
        os.write(other, b"second %d;" % i)
    os.close(other)
    c.call("size", lambda: os.fstat(fd).st_size)


@with_file("write", "write of nothing")
def _(c, fd):
    c.call("write", os.write, fd, b"")


@with_file("write", "writev")
def _(c, fd):
    c.call("writev", os.writev, fd, [b"one, ", b"two, " * 1000, b"", b"three"])
    c.call("pwritev", os.pwritev, fd, [b"x" * 4096, b"y" * 4096], 4096)


@with_file("write", "write a read-only file", os.O_RDONLY)
def _(c, fd):
    c.call("write", os.write, fd, b"no")
    c.call("truncate", os.ftruncate, fd, 5)
    c.call("fallocate", os.posix_fallocate, fd, 0, 5)


@with_file("write", "a whole new content", os.O_WRONLY | os.O_TRUNC)
def _(c, fd):
    for i in range(40):
        c.call("write", os.write, fd, b"line %d of the new content\n" % i * 20)


# ---- size -----------------------------------------------------------------------------------


SIZES = {"nothing": 0, "one": 1, "a page": 4096, "half": 6000, "its size": SIZE, "more": 9001, "much more": 50_000}
for name, size in SIZES.items():
    add("truncate", f"truncate to {name}", lambda c, size=size: c.call("truncate", os.truncate, c.x, size), ALL)

    def shrink(c, fd, size=size):
        c.call("ftruncate", os.ftruncate, fd, size)
        c.call("read", os.pread, fd, 100_000, 0)
        c.call("write", os.pwrite, fd, b"tail", 10_000)

    with_file("truncate", f"ftruncate to {name}", live=name == "nothing")(shrink)

add("truncate", "truncate to less than nothing", lambda c: c.call("truncate", os.truncate, c.x, -1), CONTENT)


@operation("truncate", "down and up", CONTENT)
def _(c):
    os.truncate(c.x, 100)
    os.truncate(c.x, 8000)
    c.call("read", os.pread, os.open(c.x, os.O_RDONLY), 9000, 0)
