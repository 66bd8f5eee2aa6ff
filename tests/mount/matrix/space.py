# SPDX-License-Identifier: MIT
"""Operations on the room that a file takes, copies within the kernel, mappings and fsync."""

import ctypes
import mmap
import os

from matrix.data import CONTENT, SOME, with_file
from matrix.operations import add, operation
from matrix.states import ALL, DIRECTORIES, FILES, READ_WRITE, SIZE, named

libc = ctypes.CDLL(None, use_errno=True)

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def fallocate(fd, mode, offset, length):
    return checked(libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


ALLOCATIONS = {
    "within": (0, 100, 5000),
    "beyond": (0, 8000, 20_000),
    "beyond, keeping the size": (KEEP_SIZE, 8000, 20_000),
    "a hole": (PUNCH_HOLE | KEEP_SIZE, 1000, 5000),
    "a hole at the end": (PUNCH_HOLE | KEEP_SIZE, 8192, 100_000),
    "zeros": (ZERO_RANGE, 500, 6000),
    "zeros beyond": (ZERO_RANGE, 8000, 9000),
    "zeros, keeping the size": (ZERO_RANGE | KEEP_SIZE, 8000, 9000),
    "a hole that changes the size": (PUNCH_HOLE, 0, 100),
    "of nothing": (0, 0, 0),
    "before the begin": (0, -1, 10),
}
for allocation, numbers in ALLOCATIONS.items():

    def allocate(c, fd, numbers=numbers):
        c.call("fallocate", fallocate, fd, *numbers)
        c.call("read", os.pread, fd, 100_000, 0)

    with_file("space", f"fallocate {allocation}", x=CONTENT)(allocate)


@with_file("space", "SEEK_DATA and SEEK_HOLE", os.O_RDONLY)
def _(c, fd):
    end = os.fstat(fd).st_size
    for offset in (0, 100, end - 1):
        c.call(f"data from {offset}", os.lseek, fd, offset, os.SEEK_DATA)
        c.call(f"hole from {offset}", os.lseek, fd, offset, os.SEEK_HOLE)
    for offset in (end, end + 10):
        c.call("data from the end", os.lseek, fd, offset, os.SEEK_DATA)
        c.call("hole from the end", os.lseek, fd, offset, os.SEEK_HOLE)


@with_file("space", "holes that the user made")
def _(c, fd):
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"far away", 1 << 20)
    c.call("first data", os.lseek, fd, 0, os.SEEK_DATA)
    c.call("first hole", os.lseek, fd, 0, os.SEEK_HOLE)
    c.call("hole from data", os.lseek, fd, 1 << 20, os.SEEK_HOLE)
    os.ftruncate(fd, 100)


# ---- copies ---------------------------------------------------------------------------------


@operation("copy", "copy_file_range", SOME, [*SOME, *named("renamed hydrated", "local, open to write")], live=True)
def _(c):
    source, destination = os.open(c.x, os.O_RDONLY), os.open(c.y, os.O_RDWR)
    c.call("copy", os.copy_file_range, source, destination, 3000, 4000, 2000)
    c.call("read", os.pread, destination, 10_000, 0)
    c.call("copy beyond", os.copy_file_range, source, destination, 3000, 0, 20_000)
    c.call("copy from the end", os.copy_file_range, source, destination, 10, 1 << 30, 0)
    c.call("size", lambda: os.fstat(destination).st_size)
    os.close(source)
    os.close(destination)


@with_file("copy", "copy_file_range within a file")
def _(c, fd):
    c.call("copy", os.copy_file_range, fd, fd, 1000, 0, 5000)
    c.call("copy over itself", os.copy_file_range, fd, fd, 1000, 0, 500)
    c.call("read", os.pread, fd, 10_000, 0)


@with_file("copy", "sendfile into it", x=FILES)
def _(c, fd):
    outside = os.memfd_create("outside")
    os.write(outside, b"from outside " * 500)
    c.call("sendfile", os.sendfile, fd, outside, 10, 5000)
    os.close(outside)


# ---- mappings -------------------------------------------------------------------------------


@with_file("mapping", "stores and msync", live=True)
def _(c, fd):
    with mmap.mmap(fd, SIZE - 100, mmap.MAP_SHARED, READ_WRITE) as m:
        m[10:20] = b"stored one"
        m[8000:8010] = b"stored two"
        c.call("read before msync", os.pread, fd, SIZE * 2, 0)
        c.call("msync", m.flush)
    c.call("read", os.pread, fd, SIZE * 2, 0)


@with_file("mapping", "stores alone")
def _(c, fd):
    with mmap.mmap(fd, 4096, mmap.MAP_SHARED, READ_WRITE) as m:
        m[4000:4010] = b"stored one"


@with_file("mapping", "stores after the close of the file")
def _(c, fd):
    other = os.open(c.x, os.O_RDWR)
    m = mmap.mmap(other, 4096, mmap.MAP_SHARED, READ_WRITE)
    os.close(other)
    m[100:106] = b"stored"
    c.call("read", os.pread, fd, 200, 0)
    m.close()


@with_file("mapping", "writes are seen in a mapping")
def _(c, fd):
    with mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        c.call.note("before", m[:30])
        os.pwrite(fd, b"seen by all", 3)
        c.call.note("after", m[:30])


@with_file("mapping", "a shared mapping of a read-only file", os.O_RDONLY)
def _(c, fd):
    c.call("mmap", lambda: mmap.mmap(fd, 4096, mmap.MAP_SHARED, READ_WRITE).close())


@with_file("mapping", "a private mapping keeps its stores")
def _(c, fd):
    with mmap.mmap(fd, 4096, mmap.MAP_PRIVATE, READ_WRITE) as m:
        m[0:7] = b"private"
        os.pwrite(fd, b"public", 5000)
        c.call("read", os.pread, fd, 20, 0)
        c.call.note("mapping", m[:20])


@with_file("mapping", "grown while it is mapped")
def _(c, fd):
    with mmap.mmap(fd, 4096, mmap.MAP_SHARED, READ_WRITE) as m:
        os.ftruncate(fd, 20_000)
        m[0:5] = b"grown"
        with mmap.mmap(fd, 20_000, mmap.MAP_SHARED, READ_WRITE) as larger:
            larger[15_000:15_004] = b"more"
    c.call("read", os.pread, fd, 30_000, 0)


# ---- durability -----------------------------------------------------------------------------


@with_file("sync", "fsync and fdatasync")
def _(c, fd):
    c.call("fsync", os.fsync, fd)
    os.pwrite(fd, b"durable", 50)
    c.call("fdatasync", os.fdatasync, fd)
    os.ftruncate(fd, 60)
    c.call("fsync again", os.fsync, fd)


@operation("sync", "fsync of what is only read", ALL)
def _(c):
    fd = c.open("open", c.x, os.O_RDONLY | os.O_NONBLOCK)
    if fd is not None:
        c.call("fsync", os.fsync, fd)
        c.call("fdatasync", os.fdatasync, fd)
        os.close(fd)


@operation("sync", "fsync of a directory", DIRECTORIES, live=True)
def _(c):
    fd = os.open(c.x, os.O_RDONLY | os.O_DIRECTORY)
    c.call("fsync", os.fsync, fd)
    os.mkdir("made", dir_fd=fd)
    c.call("fsync with news", os.fsync, fd)
    c.call("fdatasync", os.fdatasync, fd)
    c.call("syncfs", lambda: checked(libc.syncfs(fd)))
    os.close(fd)


add("sync", "statfs", lambda c: [c.call("room", lambda: bool(os.statvfs(c.x).f_blocks)),
                                 c.call("longest name", lambda: os.statvfs(c.x).f_namemax),
                                 c.call("block", lambda: os.statvfs(c.x).f_bsize)], ALL)
