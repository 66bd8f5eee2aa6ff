# SPDX-License-Identifier: MIT
"""Runs the cells of a family on either side, and says what differs."""

import mmap
import os
import random

from matrix import callers, data, meta, names, rename, space  # noqa: F401: they register their operations
from matrix.cell import Cell, attempt, log_differences, restart_differences, snapshot, tree_differences
from matrix.operations import OPERATIONS
from support import FULL, IS_ROOT, inside

LIMIT_SECONDS = 180 if FULL else 45
N_CELLS = {"stable": 80, "live": 30}  # of a family, unless all are wanted
N_SHOWN = 40


def families(view):
    allowed = [o for o in OPERATIONS if (o.live or view != "live") and (IS_ROOT or not o.needs_root)]
    return list(dict.fromkeys(o.family for o in allowed))


def cells_of(family, view):
    """(operation, state, state) of all cells of a family, or of some for each operation."""
    every = [
        [(operation, x, y) for x in operation.x for y in operation.y]
        for operation in OPERATIONS
        if operation.family == family and (operation.live or view != "live") and (IS_ROOT or not operation.needs_root)
    ]
    chosen = [cell for cells in every for cell in cells]
    if FULL or len(chosen) <= N_CELLS[view]:
        return chosen
    # the same ones each time, others as another user
    choice = random.Random(f"{family} {view} {IS_ROOT}")
    first = {choice.choice(cells) for cells in every}
    rest = [cell for cell in chosen if cell not in first]
    some = {*first, *choice.sample(rest, max(0, N_CELLS[view] - len(first)))}
    return [cell for cell in chosen if cell in some]


class Side:
    """The same cells in one directory: the view, or a plain one."""

    def __init__(self, top, chosen):
        self.cells = [Cell(f"{top}/{i:04}", *c) for i, c in enumerate(chosen)]
        self.progress = mmap.mmap(-1, 4096)

    def make(self, top):
        for cell in self.cells:
            cell.make(f"{top}/{os.path.basename(cell.top)}")

    def _each(self, function):
        found = []
        for i, cell in enumerate(self.cells):
            self.progress[:4] = i.to_bytes(4, "little")
            found.append(function(cell))
        return found

    def _inside(self, function):
        try:
            return inside(self._each, function, timeout=LIMIT_SECONDS)
        except (TimeoutError, RuntimeError) as e:
            number = int.from_bytes(self.progress[:4], "little")
            raise AssertionError(f"at {self.cells[number]}: {e}") from e

    def run(self):
        return self._inside(Cell.run)

    def look(self):
        return self._inside(lambda cell: snapshot(cell.top))


def below_differences(tree, source, top):
    """Content that no provider has must be a real file while nothing runs."""
    known = {look.get("data") for look in source.values()}
    for path, look in tree.items():
        if "data" in look and look["data"] not in known | {"EACCES"} and look["links"] == 1:
            here = attempt(os.lstat, f"{top}/{path}")
            if isinstance(here, str) or (here.st_size, here.st_mtime_ns) != (look["size"], look["_"].get("mtime")):
                yield f"{path}: underneath there is {here}, in the view {look}"


def _differences_of(kind, cell, differences):
    return [f"{cell}: {kind}{d}" for d in differences]


def compare_runs(cells, plain, view):
    found = []
    for cell, (expected_log, expected_tree, trouble), (log, tree, view_trouble) in zip(cells, plain, view):
        assert trouble is None, f"the test itself is wrong: {cell}\n{trouble}"
        if view_trouble:
            found.append(f"{cell}: {view_trouble.strip().splitlines()[-1]}")
        found += _differences_of("", cell, log_differences(expected_log, log))
        if not view_trouble:
            found += _differences_of("", cell, tree_differences(expected_tree, tree))
    return found


def compare_restart(cells, before, after):
    found = []
    for cell, (_, expected, trouble), tree in zip(cells, before, after):
        if not trouble:
            found += _differences_of("after a restart ", cell, tree_differences(expected, tree))
            found += _differences_of("after a restart ", cell, restart_differences(expected, tree))
    return found


def compare_below(cells, view, source, root):
    found = []
    for cell, (_, tree, trouble) in zip(cells, view):
        if not trouble:
            name = os.path.basename(cell.top)
            projected = snapshot(f"{source}/{name}")
            found += _differences_of("", cell, below_differences(tree, projected, f"{root}/{name}"))
    return found


def run_family(box, family, view_name, options, is_plain=False):
    """All differences, as lines."""
    chosen = cells_of(family, view_name)
    plain = Side(box.make_dir("plain"), chosen)
    plain.make(box.dir / "plain")
    view = Side(box.root, chosen)
    if is_plain:  # the test of the tests
        view.make(box.root)
        expected, found = plain.run(), view.run()
        return compare_runs(view.cells, expected, found) + compare_restart(view.cells, found, view.look())
    view.make(box.source)
    expected = plain.run()
    with box.mount(None, *options):
        found = view.run()
    differences = compare_runs(view.cells, expected, found)
    differences += compare_below(view.cells, found, box.source, box.root)
    with box.mount(None, *options):
        differences += compare_restart(view.cells, found, view.look())
    return differences
