# SPDX-License-Identifier: MIT
"""The tree that is projected: made of a seed, so that every run on every machine has the same one.

Its shape is that of source code: about 20 files in a directory, most of them of 1 to 16 KiB, a few large
ones, some symbolic links.  Times lie in the past: a provider may read a file again that changed just now.
"""
import os
import random

SEED = 20240131
FILES_PER_DIR = 20
MAX_DEPTH = 8
LINK_EVERY = 100  # one symbolic link for so many files
LONG_AGO_NS = 1_600_000_000 * 10**9
ABSENT = "no_file_contains_this_string"  # '_' is not in the alphabet of the content


def _content_pool(rng):
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 10))) for _ in range(4000)]
    lines = (" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(40000))
    return "\n".join(lines).encode()


def _size(rng):
    kind = rng.random()
    if kind < 0.88:
        return rng.randint(1024, 16 * 1024)
    if kind < 0.95:
        return rng.randint(0, 1023)
    if kind < 0.99:
        return rng.randint(16 * 1024, 64 * 1024)
    return rng.randint(100 * 1024, 200 * 1024)


def _make_dirs(rng, top, n_dirs):
    dirs = [(top, 0)]
    while len(dirs) < n_dirs:
        parent, depth = rng.choice(dirs)
        if depth < MAX_DEPTH:
            path = os.path.join(parent, f"d{len(dirs):05d}")
            os.mkdir(path)
            dirs.append((path, depth + 1))
    return [path for path, _ in dirs]


def make(top, n_files):
    """Make the tree at top, which does not exist yet.  Returns the path of one file in it, relative to top."""
    rng = random.Random(SEED)
    pool = _content_pool(rng)
    os.mkdir(top)
    dirs = _make_dirs(rng, top, max(1, n_files // FILES_PER_DIR))
    path = None
    for i in range(n_files):
        directory = rng.choice(dirs)
        name = f"file{i:06d}.c"
        path = os.path.join(directory, name)
        at, size = rng.randrange(len(pool) - 200 * 1024), _size(rng)
        with open(path, "wb") as f:
            f.write(pool[at:at + size])
        if rng.random() < 0.05:
            os.chmod(path, 0o755)
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS + i * 1000))
        if i % LINK_EVERY == 0:
            os.symlink(name, os.path.join(directory, f"link{i:06d}"))
    for directory in dirs:
        os.utime(directory, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return os.path.relpath(path, top)


def write_list(top, list_path):
    """All paths below top into list_path, for statstorm."""
    with open(list_path, "wb") as out:
        for directory, dirs, files in os.walk(os.fsencode(top)):
            for name in sorted(dirs + files):
                out.write(os.path.relpath(os.path.join(directory, name), os.fsencode(top)) + b"\0")
