# SPDX-License-Identifier: MIT
"""Killed before any of the changes that an operation makes on the disk: as before, or as after, nothing between."""

import pytest

import crash_steps
from support import FULL

CHOSEN = [case for case in crash_steps.CASES if FULL or case.in_ci]


@pytest.mark.limit(120)
@pytest.mark.parametrize("case", CHOSEN, ids=[case.name for case in CHOSEN])
def test_a_kill_at_every_step_leaves_the_tree_as_before_or_as_after(box, case):
    crash_steps.make_source(box.source)
    crasher = crash_steps.Crasher(box, case)
    crasher.crash_everywhere()
    assert crasher.seen["never"] >= 1
    # of an operation that changes the disk some step must have been hit, or this tests nothing
    assert crasher.seen["during"] + crasher.seen["after"] >= 1, crasher.seen
