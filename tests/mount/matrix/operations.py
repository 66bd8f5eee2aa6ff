# SPDX-License-Identifier: MIT
"""Where the families of operations register themselves."""

from matrix.cell import Operation

OPERATIONS = []


def add(family, name, run, x, y=(None,), **properties):
    OPERATIONS.append(Operation(family, name, run, tuple(x), tuple(y), **properties))


def operation(family, name, x, y=(None,), **properties):
    def register(run):
        add(family, name, run, x, y, **properties)
        return run

    return register
