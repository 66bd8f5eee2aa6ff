# SPDX-License-Identifier: MIT
"""Sources to project."""

import os
import random

N_ENTRIES = 50_000
ODD_NAMES = [
    b"\xff\xfe not UTF-8 \x80",
    b"new\nline",
    b"x" * 255,
    "ünïcödé — 木 🌲".encode(),
    b" blanks  around ",
    b"-rf",
    b"back\\slash",
    b"tab\tand\x01control",
    b"'quotes\"",
    b"a*b?c[d]",
    b"UPPER",
    b"upper",
    b"...",
]


def _write(path, data, mode=0o644):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def make_odd(top):
    """Every odd name as a file, as a directory with a file in it, as a link."""
    for kind in (b"files", b"directories", b"links"):
        os.mkdir(os.path.join(top, kind))
    for i, name in enumerate(ODD_NAMES):
        _write(os.path.join(top, b"files", name), b"odd %d\n" % i)
        os.mkdir(os.path.join(top, b"directories", name))
        _write(os.path.join(top, b"directories", name, name), b"deep %d\n" % i)
        os.symlink(name, os.path.join(top, b"links", name))
    os.symlink(b"missing", os.path.join(top, b"links", b"dangling"))
    os.symlink(b"/etc/passwd", os.path.join(top, b"links", b"absolute"))
    os.symlink(b"y" * 4000, os.path.join(top, b"links", b"long"))
    return sum(len(d) + len(f) for _, d, f in os.walk(top))


def make_modes(top):
    modes = [0o644, 0o444, 0o755, 0o600, 0o400, 0o640, 0o711, 0o4755, 0o2755]
    if os.geteuid() == 0:
        modes += [0o000, 0o111, 0o222]  # which others than root cannot read in the source
    for mode in modes:
        _write(os.path.join(top, b"mode-%04o" % mode), b"%o\n" % mode, mode)
    os.mkdir(os.path.join(top, b"read-only"))
    _write(os.path.join(top, b"read-only", b"f"), b"in a read-only directory\n")
    os.chmod(os.path.join(top, b"read-only"), 0o555)
    return len(modes) + 2


def make_sizes(top, rng):
    sizes = [0, 1, 4095, 4096, 4097, 65536, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 20) + 17]
    for size in sizes:
        _write(os.path.join(top, b"size-%d" % size), rng.randbytes(size))
    return len(sizes)


def _dir(top, name):
    path = os.path.join(os.fsencode(top), name)
    os.mkdir(path)
    return path


def make_large(top):
    rng = random.Random(3)
    n = 3
    n += make_odd(_dir(top, b"odd"))
    n += make_modes(_dir(top, b"modes"))
    n += make_sizes(_dir(top, b"sizes"), rng)
    deep = os.fsencode(top)
    for i in range(60):
        deep = _dir(deep, b"deep%d" % i)
        n += 1
    directories = [os.fsencode(top)]
    while n < N_ENTRIES:
        directories.append(_dir(rng.choice(directories[-40:]), b"d%d" % n))
        n += 1
        for i in range(min(rng.randrange(20, 200), N_ENTRIES - n)):
            path = os.path.join(directories[-1], b"f%d.txt" % i)
            if i % 25 == 24:
                os.symlink(b"f%d.txt" % (i - 1), path)
            else:
                text = b"%s: line %d needle%d\n" % (path[-12:], n, n % 97)
                _write(path, text * rng.randrange(0, 12), 0o755 if i % 10 == 0 else 0o644)
            n += 1
    stamp = 1_600_000_000 * 10**9
    for path, names, files in os.walk(os.fsencode(top)):
        for name in files[:3]:
            stamp += 1_000_000_007
            os.utime(os.path.join(path, name), ns=(stamp, stamp), follow_symlinks=False)


def make_small(top):
    """A few entries of every kind."""
    top = os.fsencode(top)
    _write(os.path.join(top, b"hello.txt"), b"hello\n")
    os.mkdir(os.path.join(top, b"sub"))
    os.mkdir(os.path.join(top, b"sub", b"deeper"))
    _write(os.path.join(top, b"sub", b"run"), b"#!/bin/sh\necho ran\n", 0o755)
    _write(os.path.join(top, b"sub", b"deeper", b"large"), random.Random(7).randbytes(3 << 20))
    os.symlink(b"../hello.txt", os.path.join(top, b"sub", b"link"))
    os.mkdir(os.path.join(top, b"empty"))
