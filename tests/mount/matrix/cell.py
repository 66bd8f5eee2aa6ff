# SPDX-License-Identifier: MIT
"""One cell: its calls and what they return, and what its tree looks like afterwards."""

import dataclasses
import errno
import hashlib
import os
import stat
import traceback
import typing

from matrix.design import without_differences

# later than anything that sources or tests set, earlier than any clock
NOW_NS = 1_600_000_000 * 10**9


@dataclasses.dataclass(frozen=True)
class Operation:
    family: str
    name: str
    run: typing.Callable
    x: tuple
    y: tuple = (None,)
    needs_root: bool = False
    live: bool = False  # is done on a live view, too


class Log:
    """What the calls returned."""

    def __init__(self):
        self.lines = []

    def note(self, label, value):
        self.lines.append((label, plain_value(value)))

    def __call__(self, label, function, *arguments, **keywords):
        """Call, note the outcome, return the result; None if it failed."""
        try:
            result = function(*arguments, **keywords)
        except OSError as e:
            self.note(label, errno.errorcode[e.errno])
            return None
        self.note(label, result)
        return result


def plain_value(value):
    """What can be compared and be read in a message."""
    if isinstance(value, os.stat_result):
        return describe_status(value)
    if isinstance(value, (bytes, bytearray)) and len(value) > 60:
        return f"{bytes(value[:20])}… {len(value)} bytes {hashlib.sha1(value).hexdigest()[:12]}"
    if isinstance(value, list):
        return sorted(map(plain_value, value))
    return value


def describe_time(ns):
    return "now" if ns > NOW_NS else ns


def describe_status(status):
    kind = stat.S_IFMT(status.st_mode)
    fields = {
        "type": kind,
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "owner": (status.st_uid, status.st_gid),
        "size": status.st_size,
        "blocks": status.st_blocks,
        "links": status.st_nlink,
        "atime": describe_time(status.st_atime_ns),
        "mtime": describe_time(status.st_mtime_ns),
        "ctime": describe_time(status.st_ctime_ns),
    }
    return without_differences(kind, fields)


class Cell:
    """What an operation gets: paths, and a log for its calls."""

    def __init__(self, top, operation, x, y):
        self.top = top
        self.operation = operation
        self.states = (x, y)
        self.x = f"{top}/x"
        self.y = f"{top}/y"
        self.call = Log()
        self.held = []

    def __str__(self):
        names = " × ".join(s.name for s in self.states if s)
        return f"{self.operation.name} × {names}"

    def operands(self):
        return [(state, path) for state, path in zip(self.states, (self.x, self.y)) if state]

    def make(self, top):
        """The source of it, below another top."""
        os.mkdir(top)
        for state, path in self.operands():
            state.make(f"{top}/{os.path.basename(path)}")
        os.utime(top, ns=(10**18, 10**18))

    def is_looked_at(self):
        """The operand is known already: a look at it does not change the state."""
        return not self.states[0].name.startswith("virtual")

    def open(self, label, path, flags, mode=0o644):
        """A descriptor, or None."""
        try:
            fd = os.open(path, flags, mode)
        except OSError as e:
            self.call.note(label, errno.errorcode[e.errno])
            return None
        self.call.note(label, "open")
        return fd

    def number(self, path):
        try:
            return os.lstat(path).st_ino
        except OSError as e:
            return errno.errorcode[e.errno]

    def run(self):
        """(what the calls returned, the tree, what went wrong in the test itself)"""
        try:
            for state, path in self.operands():
                held = state.prepare(path)
                if hasattr(held, "finish"):
                    self.held.append(held)
            self.operation.run(self)
            for held in self.held:
                held.finish(self.call)
            return self.call.lines, snapshot(self.top), None
        except BaseException:  # pylint: disable=broad-except
            return self.call.lines, {}, traceback.format_exc()


# ---- trees ----------------------------------------------------------------------------------


def attempt(function, *arguments, **keywords):
    try:
        return function(*arguments, **keywords)
    except OSError as e:
        return errno.errorcode[e.errno]


def content_of(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        data = b""
        while chunk := os.read(fd, 1 << 20):
            data += chunk
        return data
    finally:
        os.close(fd)


def attributes_of(path):
    return {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name.startswith(("user.", "system."))
    }


def look(path, listed_as):
    """All that is to be the same, and under "_" what is compared otherwise."""
    status = attempt(os.lstat, path)
    if isinstance(status, str):
        return {"stat": status, "_": {}}
    found = describe_status(status)
    found["attributes"] = attempt(attributes_of, path)
    found["listed as itself"] = listed_as in (None, status.st_ino)
    if stat.S_ISREG(status.st_mode):
        data = attempt(content_of, path)
        found["data"] = plain_value(data)
        found["has its size"] = isinstance(data, str) or len(data) == status.st_size
    elif stat.S_ISLNK(status.st_mode):
        found["target"] = attempt(os.readlink, path)
    found["_"] = {"inode": status.st_ino, "mtime": status.st_mtime_ns}
    return found


def snapshot(top):
    """{path: what is there}"""
    found = {".": look(top, None)}
    todo = [""]
    while todo:
        directory = todo.pop()
        entries = attempt(lambda: [(e.name, e.inode()) for e in os.scandir(f"{top}/{directory}")])
        if isinstance(entries, str):
            found[f"{directory}*"] = {"list": entries, "_": {}}
            continue
        for name, number in entries:
            relative = f"{directory}/{name}" if directory else name
            assert relative not in found, f"{relative} is listed twice"
            found[relative] = look(f"{top}/{relative}", number)
            if found[relative].get("type") == stat.S_IFDIR:
                todo.append(relative)
    return found


def tree_differences(expected, found):
    for path in sorted({*expected, *found}):
        if path not in found:
            yield f"{path}: missing"
        elif path not in expected:
            yield f"{path}: should not be there: {found[path]}"
        else:
            for key in sorted({*expected[path], *found[path]} - {"_"}):
                a, b = expected[path].get(key), found[path].get(key)
                if a != b:
                    yield f"{path}: {key} is {b}, plainly {a}"


def restart_differences(before, after):
    """What a restart must not change, and no plain directory tells."""
    for path in sorted({*before} & {*after}):
        for key, value in before[path]["_"].items():
            if after[path]["_"].get(key) != value:
                yield f"{path}: {key} was {value}, after the restart {after[path]['_'].get(key)}"


def log_differences(expected, found):
    for i, (label, value) in enumerate(expected):
        if i >= len(found):
            yield f"{label}: plainly {value}, not reached"
        elif found[i] != (label, value):
            yield f"{found[i][0]}: {found[i][1]}, plainly {label}: {value}"
    for label, value in found[len(expected) :]:
        yield f"{label}: {value}, plainly not reached"
