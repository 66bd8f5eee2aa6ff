# SPDX-License-Identifier: MIT
"""
Every callback × every code × {answered at once, completed before the callback returned, completed after}: what the
application gets, what is left on disk, what is counted and logged, and that a later good answer works.

Each callback has one mount, with a file or directory for each cell, so that the cells do not disturb each other.
"""

import ctypes
import errno
import json
import os
import re

import pytest

from support import inside, stat

HOW = ["now", "early", "late"]

# What a callback may return, and the errno that applications see.
DOCUMENTED = {
    "FILE_NOT_FOUND": (0x80070002, "ENOENT"),
    "ACCESS_DENIED": (0x80070005, "EACCES"),
    "INVALID_HANDLE": (0x80070006, "EBADF"),
    "OUT_OF_MEMORY": (0x8007000E, "ENOMEM"),
    "WRITE_PROTECT": (0x80070013, "EROFS"),
    "SHARING_VIOLATION": (0x80070020, "EBUSY"),
    "NOT_SUPPORTED": (0x80070032, "ENOTSUP"),
    "FILE_EXISTS": (0x80070050, "EEXIST"),
    "INVALID_PARAMETER": (0x80070057, "EINVAL"),
    "DISK_FULL": (0x80070070, "ENOSPC"),
    "INSUFFICIENT_BUFFER": (0x8007007A, "EIO"),
    "INVALID_NAME": (0x8007007B, "EINVAL"),
    "DIR_NOT_EMPTY": (0x80070091, "ENOTEMPTY"),
    "BUSY": (0x800700AA, "EBUSY"),
    "ALREADY_EXISTS": (0x800700B7, "EEXIST"),
    "FILENAME_EXCED_RANGE": (0x800700CE, "ENAMETOOLONG"),
    "DIRECTORY": (0x8007010B, "ENOTDIR"),
    "OFFSET_ALIGNMENT_VIOLATION": (0x80070147, "EINVAL"),
    "VIRTUALIZATION_UNAVAILABLE": (0x80070171, "EIO"),
    "VIRTUALIZATION_METADATA_CORRUPT": (0x80070172, "EIO"),
    "VIRTUALIZATION_BUSY": (0x80070173, "EBUSY"),
    "VIRTUALIZATION_PROVIDER_UNKNOWN": (0x80070174, "EIO"),
    "VIRTUALIZATION_INVALID_OPERATION": (0x80070181, "EPERM"),
    "OPERATION_ABORTED": (0x800703E3, "EINTR"),
    "IO_DEVICE": (0x8007045D, "EIO"),
    "INTERNAL_ERROR": (0x8007054F, "EIO"),
    "TIMEOUT": (0x800705B4, "ETIMEDOUT"),
    "CANNOT_DELETE": (0xD0000121, "EPERM"),
}

# What it may not: all of it is EIO, counted and logged.
UNDOCUMENTED = {
    "PATH_NOT_FOUND": 0x80070003,
    "NOT_ENOUGH_MEMORY": 0x80070008,
    "NO_MORE_FILES": 0x80070012,
    "NOT_FOUND": 0x80070490,
    "ALREADY_INITIALIZED": 0x800704DF,
    "REPARSE_TAG_MISMATCH": 0x8007112A,
    "REPARSE_POINT_ENCOUNTERED": 0x8007112B,
    "E_NOTIMPL": 0x80004001,
    "E_FAIL": 0x80004005,
    "STATUS_ACCESS_DENIED": 0xC0000022,
    "HRESULT_FROM_NT_ACCESS_DENIED": 0xD0000022,
    "S_FALSE": 1,
    "RAW_FILE_NOT_FOUND": 2,
    "RAW_IO_PENDING": 997,
    "LARGE_POSITIVE": 0x7FFFFFFF,
}

CODES = {name: code for name, (code, _) in DOCUMENTED.items()} | UNDOCUMENTED
CELLS = [(f"{name}.{how}", name, how) for name in CODES for how in HOW]

# ---- what applications do -------------------------------------------------------------------
# By the C library, since Python does again what EINTR ended.

libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
libc.pread.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long]


class Failed(Exception):
    pass


def call(function, *arguments):
    """The result; Failed with the errno's name."""
    ctypes.set_errno(0)
    result = getattr(libc, function)(*arguments)
    if ctypes.get_errno() and result in (-1, None):
        raise Failed(errno.errorcode[ctypes.get_errno()])
    return result


def with_open(path, flags, then=lambda fd: None, mode=0o644):
    fd = call("open", path, flags, mode)
    try:
        return then(fd)
    finally:
        libc.close(fd)


def look(path):
    call("access", path, os.F_OK)


def list_names(path):
    stream = call("opendir", path)
    try:
        n = 0
        while call("readdir", stream):
            n += 1
        if n != 3:
            raise Failed(f"{n} names")
    finally:
        libc.closedir(stream)


def read(path):
    def of(fd):
        data = ctypes.create_string_buffer(100)
        if call("pread", fd, data, 100, 0) != 100:
            raise Failed("a short read")

    with_open(path, os.O_RDONLY, of)


def make(path):
    with_open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def write(path):
    with_open(path, os.O_WRONLY, lambda fd: call("write", fd, b"new", 3))


OPERATIONS = {
    "lookup": look,
    "start": list_names,
    "list": list_names,
    "end": list_names,
    "data": read,
    "query": lambda path: call("unlink", path),
    "opened": lambda path: with_open(path, os.O_RDONLY),
    "created": make,
    "overwritten": lambda path: with_open(path, os.O_WRONLY | os.O_TRUNC),
    "pre-delete": lambda path: call("unlink", path),
    "pre-rename": lambda path: call("rename", path, path + b".new"),
    "pre-link": lambda path: call("link", path, path + b".new"),
    "pre-convert": write,
    "renamed": lambda path: call("rename", path, path + b".new"),
    "linked": lambda path: call("link", path, path + b".new"),
    "closed": lambda path: with_open(path, os.O_RDONLY),
    "closed-modified": write,
    "closed-deleted": lambda path: with_open(path, os.O_RDONLY, lambda fd: call("unlink", path)),
}

EVENT_BITS = {
    "opened": 0x2,
    "created": 0x4,
    "overwritten": 0x8,
    "pre-delete": 0x10,
    "pre-rename": 0x20,
    "pre-link": 0x40,
    "renamed": 0x80,
    "linked": 0x100,
    "closed": 0x200,
    "closed-modified": 0x400,
    "closed-deleted": 0x800,
    "pre-convert": 0x1000,
}
DENIABLE = ["opened", "pre-delete", "pre-rename", "pre-link", "pre-convert"]

CALLBACK_NAMES = {
    "lookup": "get_placeholder_info",
    "start": "start_directory_enumeration",
    "list": "get_directory_enumeration",
    "end": "end_directory_enumeration",
    "data": "get_file_data",
    "query": "query_file_name",
} | {event: "notification" for event in EVENT_BITS}


def try_all(root, kind, names):
    """{name: errno name or None}"""
    found = {}
    for name in names:
        try:
            OPERATIONS[kind](os.fsencode(root / name))
            found[name] = None
        except Failed as e:
            found[name] = str(e)
    return found


def make_all(root, names):
    """Local files: when one is removed later, the provider is asked what lies under it."""
    inside(lambda: [make(os.fsencode(root / name)) for name in names])


def expected(kind, code):
    """The errno of the first try."""
    error = DOCUMENTED[code][1] if code in DOCUMENTED else "EIO"
    if kind == "end" or (kind in EVENT_BITS and kind not in DENIABLE):
        return None  # nobody is there any more to whom it could be told
    if kind == "query":
        # what cannot be told is taken for a yes: the user's deletion holds
        return error if error in ("EINTR", "ETIMEDOUT", "ENOMEM") else None
    if kind in ("start", "list") and error == "ENOENT":
        return "0 names"  # to the C library that is the end of a directory that was removed
    if kind == "data" and error == "EBUSY":
        return "EIO"  # the version is gone, again and again
    return error


def expected_state(kind, code):
    """Of the item between the two tries; None: it is gone."""
    if kind == "query":
        return "full" if expected(kind, code) else None if code == "FILE_NOT_FOUND" else "tombstone"
    return {
        "pre-convert": "hydrated",  # the content is fetched before the question is asked
        "created": "full",
        "overwritten": "full",
        "renamed": "tombstone",
        "closed-modified": "full",
        "closed-deleted": "tombstone",
        "linked": "full",
    }.get(kind, "untouched")


def states(box, root, names):
    """{name: its state; None if there is nothing}"""
    done = box.run("state", "--json", *[root / name for name in names], check=False)
    found = {os.path.basename(item["path"]): item for item in json.loads(done.stdout)}
    return {name: found.get(name) for name in names}


def is_state(item, wanted):
    if wanted is None or item is None:
        return wanted is None and item is None
    if wanted == "untouched":
        return item["state"] in ("virtual", "placeholder") and item["local_bytes"] == 0
    return item["state"] == wanted


def options_for(kind):
    options = ["placeholder-timeout=1ms", "stable=no"]
    if kind == "query":
        options.append("query")
    if kind in EVENT_BITS:
        options.append(f"notify={EVENT_BITS[kind]:#x}")
    return options


def view_for(kind):
    """Files that a first and a second try are about."""
    if kind in ("query", "created"):
        return []
    lines = []
    for name, _, _ in CELLS:
        if kind in ("start", "list", "end"):
            lines += [f"dir {name}", f"file {name}/a 5 1"]
        else:
            lines += [f"file {name} 5000 1", f"file {name}.again 5000 1"]
    return lines


def second_names(kind):
    """A second try is about the same item, if the first left it as it was."""
    same = kind not in EVENT_BITS or kind in DENIABLE
    return [name if same else f"{name}.again" for name, _, _ in CELLS]


def check_log(instance, kind, complain):
    """Undocumented codes, and only those, are logged with callback and path, and counted."""
    callback = CALLBACK_NAMES[kind]
    lines = re.findall(r'(\w+) of "([^"]*)" returned 0x([0-9a-f]+) .*may not return', instance.log.read_text())
    logged = {(path.removesuffix(".new"), int(code, 16)) for name, path, code in lines if name == callback}
    wanted = {(name, CODES[code]) for name, code, _ in CELLS if code in UNDOCUMENTED}
    for name, code in sorted(wanted - logged):
        complain(f"{kind} {name}: {code:#x} is not in the log")
    for name, code in sorted(logged - wanted):
        complain(f"{kind} {name}: {code:#x} is in the log, though it is documented")
    faults = instance.counters()["provider_faults"]
    if faults != len(lines):
        complain(f"{kind}: {faults} provider_faults, but {len(lines)} lines in the log")


@pytest.mark.parametrize("kind", OPERATIONS)
def test_every_code_reaches_the_application_as_documented_and_a_later_good_answer_works(box, kind):
    failures = []
    names = [name for name, _, _ in CELLS]
    with box.puppet(*view_for(kind), options=options_for(kind)) as instance:
        if kind == "query":
            make_all(instance.root, names)
        for name, code, how in CELLS:
            instance.puppet.ask(f"fail {kind} {name} {CODES[code]:#x} {how}")
        first = inside(try_all, instance.root, kind, names)
        for name in names:
            instance.puppet.ask(f"await {kind} {name} 1")
        instance.puppet.ask("release")
        between = states(box, instance.root, names)
        if kind == "query":
            make_all(instance.root, [name for name in names if not first[name]])
        second = inside(try_all, instance.root, kind, second_names(kind))
        for (name, code, how), again in zip(CELLS, second_names(kind)):
            cell = f"{kind} {code} {how}"
            if first[name] != expected(kind, code):
                failures.append(f"{cell}: {first[name]}, not {expected(kind, code)}")
            if not is_state(between[name], expected_state(kind, code)):
                failures.append(f"{cell}: is {between[name]}, not {expected_state(kind, code)}")
            if second[again] is not None:
                failures.append(f"{cell}: {second[again]} after a good answer")
        if kind == "data":
            for name, item in states(box, instance.root, names).items():
                if not is_state(item, "hydrated"):
                    failures.append(f"{kind} {name}: is {item} after a good answer")
        check_log(instance, kind, failures.append)
    # a failing end is answered without ending anything
    left = int(re.search(r"sessions (\d+)", (box.dir / "puppet/journal").read_text())[1])
    if left != (len(CELLS) if kind == "end" else 0):
        failures.append(f"{kind}: {left} listings were not ended")
    assert not failures, "\n".join(failures)


def test_a_version_that_is_gone_is_asked_for_again(box):
    with box.puppet("file f 5000 1") as instance:
        instance.puppet.ask("fail data f 0x80070173 now 2")
        assert inside(try_all, instance.root, "data", ["f"]) == {"f": None}
        assert instance.puppet.count("data", "f") == 3
        assert stat(instance.root / "f").st_size == 5000
