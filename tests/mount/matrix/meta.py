# SPDX-License-Identifier: MIT
"""Operations on metadata: modes, owners, times, attributes, access lists."""

import os
import struct

from matrix.data import with_file
from matrix.operations import add, operation
from matrix.states import ALL, DIRECTORIES, FILES, OLD_NS, SET_NS, named

NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2


def then_stat(label, function):
    def run(c):
        c.call(label, function, c.x)
        c.call("lstat", os.lstat, c.x)

    return run


for mode in (0o600, 0o444, 0o000, 0o4755, 0o2711, 0o1777, 0o755):
    add("chmod", f"chmod {mode:o}", then_stat("chmod", lambda p, m=mode: os.chmod(p, m)), ALL, live=mode == 0o600)

for owner in ((1234, 4321), (-1, 5), (7, -1), (-1, -1)):
    add("chown", f"chown {owner}", then_stat("chown", lambda p, o=owner: os.lchown(p, *o)), ALL)


@operation("chown", "chown clears set-id bits", FILES)
def _(c):
    os.chmod(c.x, 0o6755)
    c.call("chown", os.chown, c.x, os.geteuid(), os.getegid())
    c.call("lstat", os.lstat, c.x)


@with_file("chmod", "fchmod", os.O_RDONLY)
def _(c, fd):
    c.call("fchmod", os.fchmod, fd, 0o606)
    c.call("futimens", os.utime, fd, ns=(SET_NS, SET_NS + 1))


# ---- times ----------------------------------------------------------------------------------


def times_of(c):
    status = os.lstat(c.x)
    c.call.note("both times", (status.st_atime_ns, status.st_mtime_ns))


for label, ns in {
    "to the nanosecond": (SET_NS, SET_NS - 1),
    "to the begin of time": (0, 0),
    "before the begin of time": (-1_500_000_001, -999_999_999),
    "to far away": (4 * 10**18, 4 * 10**18 + 5),
    "to what they are": (OLD_NS, OLD_NS),
}.items():

    def set_times(c, ns=ns):
        if c.call("utime", os.utime, c.x, ns=ns, follow_symlinks=False) is None and os.path.lexists(c.x):
            times_of(c)

    add("utime", f"utime {label}", set_times, ALL, live="nano" in label)

add("utime", "utime to now", then_stat("utime", lambda p: os.utime(p, follow_symlinks=False)), ALL)


def utimensat(path, access, modification):
    """With the two special values, which Python does not pass on."""
    import ctypes

    from matrix.space import checked, libc

    times = struct.pack("4q", 1_300_000_000, access, 1_300_000_000, modification)
    checked(libc.utimensat(-100, os.fsencode(path), ctypes.c_char_p(times), 0x100))


for label, values in {"both now": (NOW, NOW), "omit access": (OMIT, 5), "omit modification": (5, OMIT),
                      "omit both": (OMIT, OMIT), "now and omit": (NOW, OMIT)}.items():
    add("utime", f"utimensat, {label}", then_stat("utimensat", lambda p, v=values: utimensat(p, *v)), ALL)


@operation("utime", "chmod keeps times, write does not", FILES)
def _(c):
    os.utime(c.x, ns=(SET_NS, SET_NS))
    os.chmod(c.x, 0o611)
    c.call("after chmod", os.lstat, c.x)
    fd = os.open(c.x, os.O_WRONLY)
    c.call("after open", os.lstat, c.x)
    os.write(fd, b"x")
    c.call("after write", os.lstat, c.x)
    os.utime(c.x, ns=(SET_NS, SET_NS))
    os.close(fd)
    c.call("after close", os.lstat, c.x)


@operation("utime", "of the directory, after changes in it", DIRECTORIES, live=True)
def _(c):
    c.call("before", os.lstat, c.x)
    os.mkdir(f"{c.x}/news")
    c.call("mkdir", os.lstat, c.x)
    os.utime(c.x, ns=(SET_NS, SET_NS))
    c.call("utime", os.lstat, c.x)
    os.chmod(f"{c.x}/news", 0o700)
    c.call("a child's mode", os.lstat, c.x)
    os.rmdir(f"{c.x}/news")
    c.call("rmdir", os.lstat, c.x)


@operation("utime", "access", ALL)
def _(c):
    for mode in (os.F_OK, os.R_OK, os.W_OK, os.X_OK):
        c.call.note(f"access {mode}", os.access(c.x, mode))
        c.call.note(f"with the own ids {mode}", os.access(c.x, mode, effective_ids=True))


# ---- attributes -----------------------------------------------------------------------------


def keep(**arguments):
    return {"follow_symlinks": False, **arguments}


@operation("attributes", "set, replace, remove", ALL, live=True)
def _(c):
    c.call("get what is not there", os.getxattr, c.x, "user.news", **keep())
    c.call("list", os.listxattr, c.x, **keep())
    c.call("replace what is not there", os.setxattr, c.x, "user.news", b"1", os.XATTR_REPLACE, **keep())
    c.call("create", os.setxattr, c.x, "user.news", b"2", os.XATTR_CREATE, **keep())
    c.call("create again", os.setxattr, c.x, "user.news", b"3", os.XATTR_CREATE, **keep())
    c.call("get", os.getxattr, c.x, "user.news", **keep())
    c.call("set", os.setxattr, c.x, "user.news", b"4" * 300, **keep())
    c.call("get the longer one", os.getxattr, c.x, "user.news", **keep())
    c.call("an empty one", os.setxattr, c.x, "user.empty", b"", **keep())
    c.call("list all", os.listxattr, c.x, **keep())
    c.call("remove", os.removexattr, c.x, "user.news", **keep())
    c.call("remove again", os.removexattr, c.x, "user.news", **keep())


@operation("attributes", "change that of the source", [s for s in FILES if s.make.__name__ == "source_file"])
def _(c):
    c.call("get", os.getxattr, c.x, "user.origin")
    c.call("set", os.setxattr, c.x, "user.origin", b"changed")
    c.call("get again", os.getxattr, c.x, "user.origin")
    os.setxattr(c.x, "user.more", b"more")
    c.call("remove", os.removexattr, c.x, "user.origin")


@operation("attributes", "of a read-only file", FILES)
def _(c):
    os.chmod(c.x, 0o444)
    c.call("set", os.setxattr, c.x, "user.news", b"1")
    c.call("utime", os.utime, c.x, ns=(SET_NS, SET_NS))
    c.call("list", os.listxattr, c.x)


@operation("attributes", "names that nobody may", named("virtual", "hydrated", "local", "virtual directory"))
def _(c):
    for name in ("nothing", "unknown.name", "user.", "user." + "n" * 251):
        c.call(f"set {name[:20]}", os.setxattr, c.x, name, b"1")


# ---- access lists ---------------------------------------------------------------------------


def acl(mode_owner, mode_group, mode_other, user=None):
    """As the kernel reads it: version, then tag, permissions, id."""
    undefined = 0xFFFFFFFF
    entries = [(0x01, mode_owner, undefined)]
    if user:
        entries.append((0x02, user[1], user[0]))
    entries.append((0x04, mode_group, undefined))
    if user:
        entries.append((0x10, 7, undefined))
    entries.append((0x20, mode_other, undefined))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


@operation("access lists", "of an item", ALL, needs_root=True, live=True)
def _(c):
    c.call("get", os.getxattr, c.x, ACCESS, **keep())
    c.call("set one that is a mode", os.setxattr, c.x, ACCESS, acl(6, 4, 0), **keep())
    c.call("lstat", os.lstat, c.x)
    c.call("set", os.setxattr, c.x, ACCESS, acl(7, 5, 1, (4711, 6)), **keep())
    c.call("lstat with mask", os.lstat, c.x)
    c.call("get again", os.getxattr, c.x, ACCESS, **keep())
    c.call("damaged", os.setxattr, c.x, ACCESS, b"\2\0\0\0\1", **keep())
    c.call("chmod", lambda: os.path.islink(c.x) or os.chmod(c.x, 0o640))
    c.call("after chmod", os.getxattr, c.x, ACCESS, **keep())


@operation("access lists", "that are inherited", DIRECTORIES, needs_root=True)
def _(c):
    c.call("set", os.setxattr, c.x, DEFAULT, acl(7, 5, 0, (4711, 6)))
    fd = c.open("create", f"{c.x}/new", os.O_CREAT | os.O_WRONLY, 0o666)
    os.close(fd)
    c.call("lstat", os.lstat, f"{c.x}/new")
    c.call("inherited", os.getxattr, f"{c.x}/new", ACCESS)
    c.call("mkdir", os.mkdir, f"{c.x}/newer", 0o777)
    c.call("inherited default", os.getxattr, f"{c.x}/newer", DEFAULT)
    c.call("lstat of the directory", os.lstat, f"{c.x}/newer")
    c.call("remove", os.removexattr, c.x, DEFAULT)
    c.call("gone", os.getxattr, c.x, DEFAULT)
