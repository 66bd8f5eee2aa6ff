# SPDX-License-Identifier: MIT
"""
The same call on a plain directory and on the view, in every state of what it is called on: matrix/__init__.py.

A failure names operation × state.  PROJFS_FULL=1 takes all cells, else it is a choice.  With PROJFS_MATRIX=plain the
view is a plain directory, too: then nothing may differ, or the tests are wrong.
"""

import os

import pytest

from matrix import run

IS_PLAIN = os.environ.get("PROJFS_MATRIX") == "plain"
VIEWS = {"stable": ["stable"], "live": []}


def cases():
    for view in VIEWS:
        for family in run.families(view):
            yield pytest.param(view, family, id=f"{family.replace(' ', '_')}-{view}")


@pytest.mark.limit(400)
@pytest.mark.parametrize("view, family", cases())
def test_the_view_is_like_a_plain_directory(box, view, family):
    differences = run.run_family(box, family, view, VIEWS[view], IS_PLAIN)
    shown = "\n".join(differences[: run.N_SHOWN])
    assert not differences, f"{len(differences)} differences:\n{shown}"
