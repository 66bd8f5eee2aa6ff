# SPDX-License-Identifier: MIT
"""Operations of others: locks between processes, callers of other users, set-id bits, fifos and sockets."""

import errno
import fcntl
import os
import socket
import struct

from matrix.operations import add, operation
from matrix.states import ALL, SPECIAL, named, write_file
from support import Child

OTHER = 12345
GROUP = 23456


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except OSError as e:
        return errno.errorcode[e.errno]


def elsewhere(function, *arguments):
    """In another process."""
    return Child(outcome, function, *arguments).result(10)


def as_user(function, *arguments, umask=0o022, groups=()):
    def run():
        os.umask(umask)
        os.setgroups(groups)
        os.setresgid(GROUP, GROUP, GROUP)
        os.setresuid(OTHER, OTHER, OTHER)
        return outcome(function, *arguments)

    return Child(run).result(10)


# ---- locks ----------------------------------------------------------------------------------


def try_flock(path, how):
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, how | fcntl.LOCK_NB)


def try_lockf(path, how, length, start):
    fd = os.open(path, os.O_RDWR)
    fcntl.lockf(fd, how | fcntl.LOCK_NB, length, start)


LOCKED = named("virtual", "hydrated", "dirty", "full", "local", "renamed placeholder", "virtual, open to write")


@operation("locks", "flock", LOCKED, live=True)
def _(c):
    fd = os.open(c.x, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_SH)
    c.call.note("shared", elsewhere(try_flock, c.x, fcntl.LOCK_SH))
    c.call.note("exclusive", elsewhere(try_flock, c.x, fcntl.LOCK_EX))
    fcntl.flock(fd, fcntl.LOCK_UN)
    c.call.note("unlocked", elsewhere(try_flock, c.x, fcntl.LOCK_EX))
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, b"changed under the lock")
    c.call.note("after a change", elsewhere(try_flock, c.x, fcntl.LOCK_SH))
    os.rename(c.x, c.y)
    c.call.note("after a rename", elsewhere(try_flock, c.y, fcntl.LOCK_SH))
    os.close(fd)
    c.call.note("closed", elsewhere(try_flock, c.y, fcntl.LOCK_EX))


@operation("locks", "fcntl", LOCKED, live=True)
def _(c):
    fd = os.open(c.x, os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX, 100, 50)
    c.call.note("overlap", elsewhere(try_lockf, c.x, fcntl.LOCK_EX, 10, 140))
    c.call.note("beside", elsewhere(try_lockf, c.x, fcntl.LOCK_EX, 10, 150))
    os.write(fd, b"changed under the lock")
    c.call.note("after a change", elsewhere(try_lockf, c.x, fcntl.LOCK_SH, 10, 100))
    held = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    c.call.note("own", struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, held))[0])
    os.close(fd)
    c.call.note("closed", elsewhere(try_lockf, c.x, fcntl.LOCK_EX, 10, 100))


# ---- who makes it ---------------------------------------------------------------------------


def make_all_kinds(directory):
    os.close(os.open(f"{directory}/file", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    os.mkdir(f"{directory}/dir", 0o777)
    os.symlink("file", f"{directory}/link")
    os.mkfifo(f"{directory}/fifo", 0o666)
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o666)
    os.link(f"/proc/self/fd/{fd}", f"{directory}/tmpfile", follow_symlinks=True)
    write_file(f"{directory}/dir/deeper", b"deeper", 0o666)


OPEN_DIRECTORIES = named("virtual empty directory", "directory of tombstones", "local empty directory",
                         "directory over a tombstone")
for mode in (0o777, 0o2777, 0o3777, 0o755):
    for umask in (0o022, 0o077, 0o000):

        def create(c, mode=mode, umask=umask):
            os.chown(c.x, 0, 777)
            os.chmod(c.x, mode)
            c.call.note("make", as_user(make_all_kinds, c.x, umask=umask, groups=(777, 888)))

        add("callers", f"create in {mode:o} with umask {umask:o}", create, OPEN_DIRECTORIES, needs_root=True)


@operation("callers", "umask", [*named("nothing", "tombstone", "renamed away")])
def _(c):
    for umask in (0o077, 0o000, 0o027):
        before = os.umask(umask)
        os.mkdir(f"{c.x}-{umask}", 0o777)
        os.close(os.open(f"{c.x}-{umask}/file", os.O_CREAT | os.O_WRONLY, 0o4777))
        os.mknod(f"{c.x}-{umask}/node", 0o100_666)
        os.umask(before)


def try_all(c):
    """What an ordinary user is told, call by call."""
    attempts = [
        ("read", lambda: os.close(os.open(c.x, os.O_RDONLY | os.O_NONBLOCK))),
        ("write", lambda: os.truncate(c.x, 10)),
        ("chmod", lambda: os.chmod(c.x, 0o777)),
        ("utime", lambda: os.utime(c.x, ns=(1, 1), follow_symlinks=False)),
        ("utime to now", lambda: os.utime(c.x, follow_symlinks=False)),
        ("chown", lambda: os.lchown(c.x, OTHER, GROUP)),
        ("set attribute", lambda: os.setxattr(c.x, "user.a", b"b")),
        ("list", lambda: sorted(os.listdir(c.x))),
        ("make in it", lambda: os.mkdir(f"{c.x}/new")),
        ("link", lambda: os.link(c.x, f"{c.top}/linked", follow_symlinks=False)),
        ("rename", lambda: os.rename(c.x, c.y)),
        ("remove", lambda: os.unlink(c.y)),
    ]
    return [(label, outcome(attempt)) for label, attempt in attempts]


@operation("callers", "what others may", ALL, needs_root=True, live=True)
def _(c):
    os.chmod(c.top, 0o777)
    for label, answer in as_user(try_all, c):
        c.call.note(label, answer)


@operation("callers", "a sticky directory", named("virtual directory", "local directory"), needs_root=True)
def _(c):
    os.chmod(c.x, 0o1777)
    write_file(f"{c.x}/of the user", b"x")
    os.chown(f"{c.x}/of the user", OTHER, GROUP)
    c.call.note("another's", as_user(os.unlink, f"{c.x}/file"))
    c.call.note("another's, renamed", as_user(os.rename, f"{c.x}/sub", f"{c.x}/bus"))
    c.call.note("his", as_user(os.unlink, f"{c.x}/of the user"))


# ---- set-id bits ----------------------------------------------------------------------------


def write_some(path):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, b"changed")
    os.close(fd)


def append_some(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"changed")
    os.close(fd)


def make_room(path):
    fd = os.open(path, os.O_WRONLY)
    os.posix_fallocate(fd, 0, 20_000)
    os.close(fd)


CHANGES = {"write": write_some, "append": append_some, "truncate": lambda p: os.truncate(p, 10),
           "truncate on open": lambda p: os.close(os.open(p, os.O_WRONLY | os.O_TRUNC)), "fallocate": make_room,
           "nothing": lambda p: os.close(os.open(p, os.O_RDWR))}
for label, change in CHANGES.items():
    for mode in (0o6777, 0o2767, 0o4777, 0o1777):

        def of_own(c, change=change, mode=mode):
            os.chmod(c.x, mode)
            c.call("change", change, c.x)
            c.call("lstat", os.lstat, c.x)

        def of_other(c, change=change, mode=mode):
            os.chmod(c.x, mode)
            c.call.note("change", as_user(change, c.x))
            c.call("lstat", os.lstat, c.x)

        SOME = named("virtual", "hydrated", "dirty", "full", "local", "renamed placeholder")
        add("set-id", f"{label} with {mode:o}", of_own, SOME)
        add("set-id", f"{label} by another user with {mode:o}", of_other, SOME, needs_root=True)


# ---- fifos and sockets ----------------------------------------------------------------------


@operation("special", "talk through a fifo", [*named("fifo", "nothing", "tombstone")])
def _(c):
    if not os.path.lexists(c.x):
        os.mkfifo(c.x)
    read_fd = os.open(c.x, os.O_RDONLY | os.O_NONBLOCK)
    write_fd = os.open(c.x, os.O_WRONLY | os.O_NONBLOCK)
    c.call("write", os.write, write_fd, b"through the fifo")
    c.call("read", os.read, read_fd, 100)
    os.rename(c.x, f"{c.top}/renamed")
    os.unlink(f"{c.top}/renamed")
    c.call("write after unlink", os.write, write_fd, b"still")
    c.call("read after unlink", os.read, read_fd, 100)


@operation("special", "connect to a socket", [*named("nothing", "tombstone", "renamed away")])
def _(c):
    directory = os.open(c.top, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        c.call("bind", server.bind, f"/proc/self/fd/{directory}/x")
        server.listen(1)
        c.call("connect", client.connect, f"/proc/self/fd/{directory}/x")
        client.sendall(b"hello")
        peer = server.accept()[0]
        c.call("receive", peer.recv, 10)
        peer.close()
        os.rename(c.x, c.y)
        with socket.socket(socket.AF_UNIX) as second:
            c.call("connect after rename", second.connect, f"/proc/self/fd/{directory}/y")
    os.close(directory)


@operation("special", "a device", [*named("nothing", "tombstone")], needs_root=True)
def _(c):
    c.call("mknod", os.mknod, c.x, 0o020_666, os.makedev(1, 3))
    c.call("lstat", lambda: os.lstat(c.x).st_rdev)


@operation("special", "chmod, rename, unlink", SPECIAL)
def _(c):
    c.call("chmod", os.chmod, c.x, 0o612)
    c.call("utime", os.utime, c.x, ns=(5, 5))
    c.call("rename", os.rename, c.x, c.y)
    c.call("link", os.link, c.y, c.x)
    c.call("unlink", os.unlink, c.y)
