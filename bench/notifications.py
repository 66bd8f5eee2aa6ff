# SPDX-License-Identifier: MIT
"""What notifications cost: the same work with none, with opens and closes, with all of them.

Opens and closes are the dear ones: to tell of them, each has to come from the kernel to projfs and to the provider.
"""
import os

import machine
import tree

OPENS = 0x2 | 0x8 | 0x200 | 0x400 | 0x800
ALL = 0x1FFE
MASKS = {"no notifications": None, "opens and closes": OPENS, "all notifications": ALL}
SIDES = ["native", *MASKS]
N_SOURCES = 100


def _options(side):
    mask = MASKS[side]
    return [] if mask is None else ["-o", f"filter=notify_filter:{mask:#x}"]


def _write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def _make_project(top):
    """A program of many small files, each with a function of its own and two headers."""
    os.mkdir(top)
    numbers = range(N_SOURCES)
    _write(os.path.join(top, "all.h"), "".join(f"int f{i}(int);\n" for i in numbers))
    for i in numbers:
        _write(os.path.join(top, f"f{i}.h"), f"#define F{i} {i}\n")
        _write(os.path.join(top, f"f{i}.c"),
               f'#include <stdio.h>\n#include <stdlib.h>\n#include "all.h"\n#include "f{i}.h"\n\n'
               f"int f{i}(int n)\n{{\n\tprintf(\"%d\\n\", n);\n"
               f"\treturn n > F{i} ? n : f{(i + 1) % N_SOURCES}(n + 1);\n}}\n")
    _write(os.path.join(top, "main.c"), '#include "all.h"\n\nint main(void)\n{\n\treturn f0(1) == 0;\n}\n')
    objects = " ".join(f"f{i}.o" for i in numbers)
    _write(os.path.join(top, "Makefile"), f"program: main.o {objects}\n\tcc -o $@ $^\n\n%.o: %.c all.h\n"
           "\tcc -c -o $@ $<\n\nclean:\n\trm -f program *.o\n")
    return top


class _Notified:
    """A command on a native copy of a source, and on a view of it for each mask; all stay mounted, and are warm."""

    is_warm = False
    sides = SIDES

    def __init__(self, name, what, argv, before=None, ok=(0,)):
        self.name, self.what, self.argv, self.before, self.ok = name, what, argv, before, ok
        self.trees, self.first = {}, {}

    def source(self, bed):
        raise NotImplementedError

    def prepare(self, bed):
        source = self.source(bed)
        for side in SIDES:
            path = self.trees[side] = bed.fresh(self.name)
            if side == "native":
                machine.run(["cp", "-a", source, path])
            else:
                bed.projfs.mount("stable", source, path, _options(side))
            machine.run(["diff", "-r", "--no-dereference", source, path])
            self.once(bed, side)
        for side in MASKS:
            self.first[side] = bed.projfs.counters(self.trees[side])

    def once(self, bed, side):
        if self.before:
            machine.run(self.before(self.trees[side]))
        return machine.timed(self.argv(self.trees[side]), self.ok)

    def upcalls(self, bed, n_rounds):
        ret = {}
        for side in MASKS:
            after = bed.projfs.counters(self.trees[side])
            ret[side] = {key: (after[key] - self.first[side].get(key, 0)) / n_rounds for key in after}
        return ret

    def finish(self, bed):
        for side in MASKS:
            bed.projfs.umount(self.trees[side])


class Grep(_Notified):
    def source(self, bed):
        return bed.source


class Build(_Notified):
    def source(self, bed):
        return _make_project(os.path.join(bed.top, "project"))


WORKLOADS = [
    Grep("notifications-grep", "warm grep -r, stable view", lambda path: ["grep", "-r", tree.ABSENT, path], ok=(1,)),
    Build("notifications-build", f"make of {N_SOURCES} C files, stable view",
          lambda path: ["make", "-s", "-C", path, "-j", str(os.cpu_count())],
          before=lambda path: ["make", "-s", "-C", path, "clean"]),
]
