# SPDX-License-Identifier: MIT
"""Operations that make names and take them away."""

import ctypes
import os

from matrix.cell import content_of
from matrix.operations import operation
from matrix.space import checked, libc
from matrix.states import ALL, DIRECTORIES, FILES, HELD, LINKS, named, write_file

ANY_FILE = [*FILES, *HELD]


def look_around(c, path):
    """What is said of a name, in every way."""
    c.call("lstat", os.lstat, path)
    c.call("open", lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
    c.call("readlink", os.readlink, path)
    c.call("list", os.listdir, path)
    c.call("listed above", os.listdir, os.path.dirname(path))


@operation("remove", "unlink", ALL, live=True)
def _(c):
    c.call("unlink", os.unlink, c.x)
    look_around(c, c.x)
    c.call("unlink again", os.unlink, c.x)


@operation("remove", "rmdir", ALL, live=True)
def _(c):
    c.call("rmdir", os.rmdir, c.x)
    look_around(c, c.x)
    c.call("rmdir again", os.rmdir, c.x)


@operation("remove", "everything below", [s for s in DIRECTORIES if "empty" not in s.name])
def _(c):
    for path, directories, files in sorted(os.walk(c.x, topdown=False), reverse=True):
        for name in sorted(files):
            c.call(f"unlink {name}", os.unlink, f"{path}/{name}")
        for name in sorted(directories):
            c.call(f"rmdir {name}", os.rmdir, f"{path}/{name}")
    c.call("rmdir", os.rmdir, c.x)
    look_around(c, c.x)


@operation("remove", "unlink and create again", [*ANY_FILE, *LINKS], live=True)
def _(c):
    os.unlink(c.x)
    c.call("create", write_file, c.x, b"created again")
    look_around(c, c.x)
    c.call("content", content_of, c.x)


@operation("remove", "unlink and mkdir", [*ANY_FILE, *LINKS])
def _(c):
    os.unlink(c.x)
    c.call("mkdir", os.mkdir, c.x)
    look_around(c, c.x)
    c.call("mkdir in it", os.mkdir, f"{c.x}/below")


def remove_all(path):
    for top, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{top}/{name}")
        for name in directories:
            os.rmdir(f"{top}/{name}")
    os.rmdir(path)


@operation("remove", "rmdir and mkdir", DIRECTORIES, live=True)
def _(c):
    remove_all(c.x)
    c.call("mkdir", os.mkdir, c.x)
    look_around(c, c.x)
    c.call("what was in it", os.lstat, f"{c.x}/file")
    c.call("create in it", write_file, f"{c.x}/file", b"mine")
    c.call("content", content_of, f"{c.x}/file")


@operation("remove", "rmdir and create", DIRECTORIES)
def _(c):
    remove_all(c.x)
    c.call("create", write_file, c.x, b"a file now")
    look_around(c, c.x)
    c.call("below a file", os.lstat, f"{c.x}/file")


@operation("remove", "while it is open", [*ANY_FILE])
def _(c):
    fd = os.open(c.x, os.O_RDWR)
    os.unlink(c.x)
    c.call("fstat", os.fstat, fd)
    c.call("read", os.pread, fd, 20_000, 0)
    c.call("write", os.pwrite, fd, b"after the end of its name", 5000)
    c.call("truncate", os.ftruncate, fd, 6000)
    c.call("fchmod", os.fchmod, fd, 0o600)
    c.call("set attribute", os.setxattr, fd, "user.late", b"x")
    c.call("fsync", os.fsync, fd)
    c.call("read again", os.pread, fd, 20_000, 0)
    c.call("fstat again", os.fstat, fd)
    write_file(c.x, b"another one")
    c.call("still the old one", os.pread, fd, 100, 4990)
    os.close(fd)


EMPTY = named("virtual empty directory", "local empty directory", "directory of tombstones")


@operation("remove", "a directory that is open", EMPTY)
def _(c):
    fd = os.open(c.x, os.O_RDONLY)
    os.rmdir(c.x)
    c.call("list", os.listdir, fd)
    c.call("create", os.open, "new", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd)
    c.call("look up", os.lstat, "file", dir_fd=fd)
    os.close(fd)


@operation("remove", "with odd names", [*named("virtual", "virtual directory", "virtual link", "local", "tombstone")])
def _(c):
    for name in ("x/", "x/.", "x/..", "x//", "./x/."):
        c.call(f"unlink {name}", os.unlink, f"{c.top}/{name}")
        c.call(f"lstat {name}", lambda n=name: os.lstat(f"{c.top}/{n}").st_mode)
    c.call("rmdir .", os.rmdir, f"{c.x}/.")
    c.call("rmdir ..", os.rmdir, f"{c.x}/..")
    for length in (255, 256):
        c.call(f"a name of {length}", os.mknod, f"{c.top}/{'n' * length}")


# ---- making ---------------------------------------------------------------------------------


@operation("make", "mkdir", ALL, live=True)
def _(c):
    c.call("mkdir", os.mkdir, c.x, 0o751)
    c.call("lstat", os.lstat, c.x)
    c.call("mkdir in it", os.mkdir, f"{c.x}/below")


@operation("make", "mknod of a file", ALL)
def _(c):
    c.call("mknod", os.mknod, c.x, 0o100_604)
    c.call("lstat", os.lstat, c.x)


@operation("make", "mkfifo", ALL)
def _(c):
    c.call("mkfifo", os.mkfifo, c.x, 0o622)
    c.call("lstat", os.lstat, c.x)


@operation("make", "symlink", ALL, live=True)
def _(c):
    c.call("symlink", os.symlink, "../anywhere", c.x)
    c.call("readlink", os.readlink, c.x)
    c.call("lstat", os.lstat, c.x)


@operation("make", "links of all lengths", named("nothing", "tombstone"))
def _(c):
    for length in (1, 59, 60, 900, 901, 1023, 4000):
        c.call(f"symlink {length}", os.symlink, "t" * length, f"{c.x}{length}")
        c.call(f"readlink {length}", os.readlink, f"{c.x}{length}")
        c.call(f"lstat {length}", os.lstat, f"{c.x}{length}")
    c.call("an empty one", os.symlink, "", c.x)


TARGETS = named("nothing", "tombstone", "renamed away", "virtual", "hydrated", "local", "virtual directory",
                "local empty directory", "virtual link")


@operation("make", "link", ALL, TARGETS, live=True)
def _(c):
    c.call("link", os.link, c.x, c.y, follow_symlinks=False)
    c.call("lstat of the first", os.lstat, c.x)
    c.call("lstat of the second", os.lstat, c.y)
    c.call.note("one file", c.number(c.x) == c.number(c.y))


@operation("make", "write through one of two names", [*ANY_FILE])
def _(c):
    os.link(c.x, c.y)
    fd = os.open(c.y, os.O_RDWR)
    c.call("write", os.pwrite, fd, b"by the second name", 10)
    c.call("read", os.pread, os.open(c.x, os.O_RDONLY), 100, 0)
    c.call("chmod", os.chmod, c.x, 0o604)
    c.call("fstat", os.fstat, fd)
    c.call("unlink", os.unlink, c.x)
    c.call("fstat after unlink", os.fstat, fd)
    c.call("write again", os.pwrite, fd, b"and again", 5)
    os.close(fd)


@operation("make", "a link and a rename onto it", [*ANY_FILE])
def _(c):
    os.link(c.x, c.y)
    c.call("rename", os.rename, c.x, c.y)  # both names stay, says POSIX
    c.call("lstat", os.lstat, c.x)
    c.call("rename elsewhere", os.rename, c.y, f"{c.top}/z")
    c.call("lstat again", os.lstat, f"{c.top}/z")


@operation("make", "a file without a name", [*DIRECTORIES, *TARGETS])
def _(c):
    fd = c.open("open", c.x, os.O_TMPFILE | os.O_RDWR, 0o620)
    if fd is None:
        return
    c.call("write", os.write, fd, b"without a name " * 500)
    c.call("fstat", os.fstat, fd)
    c.call("list", os.listdir, c.x)
    c.call("linkat", os.link, f"/proc/self/fd/{fd}", f"{c.x}/named", follow_symlinks=True)
    c.call("lstat", os.lstat, f"{c.x}/named")
    c.call("linkat again", os.link, f"/proc/self/fd/{fd}", f"{c.x}/file", follow_symlinks=True)
    c.call("write named", os.write, fd, b"with a name")
    c.call("close", os.close, fd)
    fd = os.open(c.x, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    c.call("linkat is refused", os.link, f"/proc/self/fd/{fd}", f"{c.x}/never", follow_symlinks=True)
    os.close(fd)


@operation("make", "below it", ALL, live=True)
def _(c):
    """The kinds of items there are, in it."""
    c.call("create", write_file, f"{c.x}/created", b"created")
    c.call("mkdir", os.mkdir, f"{c.x}/made")
    c.call("symlink", os.symlink, "created", f"{c.x}/linked")
    c.call("mkfifo", os.mkfifo, f"{c.x}/fifo")
    c.call("link", os.link, f"{c.x}/created", f"{c.x}/second")
    c.call("deeper", os.mkdir, f"{c.x}/sub/deeper")
    c.call("deeper still", write_file, f"{c.x}/sub/deeper/file", b"deep")
    c.call("list", os.listdir, c.x)
    c.call("what was there", os.lstat, f"{c.x}/sub/inner")


@operation("make", "in a directory that is gone", named("virtual directory", "local directory", "renamed directory"))
def _(c):
    fd = os.open(f"{c.x}/sub", os.O_RDONLY)
    for name in ("inner", "link"):
        if os.path.lexists(f"{c.x}/sub/{name}"):
            os.unlink(f"{c.x}/sub/{name}")
    os.rmdir(f"{c.x}/sub")
    c.call("mkdir", os.mkdir, "new", dir_fd=fd)
    c.call("symlink", os.symlink, "x", "new", dir_fd=fd)
    c.call("fstat", lambda: os.fstat(fd).st_mode)
    os.close(fd)


# ---- listing while it changes ---------------------------------------------------------------


class Entry(ctypes.Structure):
    _fields_ = [("d_ino", ctypes.c_uint64), ("d_off", ctypes.c_int64), ("d_reclen", ctypes.c_ushort),
                ("d_type", ctypes.c_ubyte), ("d_name", ctypes.c_char * 256)]


libc.fdopendir.restype = ctypes.c_void_p
libc.readdir64.restype = ctypes.POINTER(Entry)


def entries(stream, limit):
    found = []
    while len(found) < limit and (entry := libc.readdir64(ctypes.c_void_p(stream))):
        found.append(entry.contents.d_name.decode())
    return found


LISTED = named("virtual directory", "listed directory", "changed directory", "local directory", "renamed directory")


@operation("list", "while it changes", LISTED, live=True)
def _(c):
    """What is not touched is seen once; the order is not compared."""
    names = [f"{i:03}{'-' * 240}" for i in range(150)]
    for name in names:
        os.mkdir(f"{c.x}/{name}")
    fd = os.open(c.x, os.O_RDONLY)
    stream = libc.fdopendir(fd)
    seen = entries(stream, 20)
    for name in names[::2]:
        os.rmdir(f"{c.x}/{name}")
    for i in range(20):
        os.mkdir(f"{c.x}/new{i}")
    seen += entries(stream, 10_000)
    c.call.note("once", [n for n in names[1::2] if seen.count(n) != 1])
    c.call.note("twice", [n for n in seen if seen.count(n) > 1])
    libc.rewinddir(ctypes.c_void_p(stream))
    c.call.note("again", sorted(entries(stream, 10_000)))
    checked(libc.closedir(ctypes.c_void_p(stream)))


@operation("list", "after each change", [*DIRECTORIES], live=True)
def _(c):
    c.call("before", os.listdir, c.x)
    write_file(f"{c.x}/first", b"1")
    c.call("created", os.listdir, c.x)
    os.rename(f"{c.x}/first", f"{c.x}/second")
    c.call("renamed", os.listdir, c.x)
    os.rename(f"{c.x}/second", f"{c.top}/outside")
    c.call("moved out", os.listdir, c.x)
    os.rename(f"{c.top}/outside", f"{c.x}/third")
    c.call("moved in", os.listdir, c.x)
    os.unlink(f"{c.x}/third")
    c.call("unlinked", os.listdir, c.x)


@operation("list", "after its children went", named("virtual directory", "listed directory", "entered directory",
                                                    "renamed directory", "local directory"))
def _(c):
    c.call("before", os.listdir, c.x)
    for name in ("file", "mine"):
        c.call(f"unlink {name}", os.unlink, f"{c.x}/{name}")
        c.call("after", os.listdir, c.x)
    c.call("rmdir", os.rmdir, f"{c.x}/sub")
    os.rename(f"{c.x}/sub", f"{c.x}/renamed")
    c.call("at last", os.listdir, c.x)
