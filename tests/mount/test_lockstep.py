# SPDX-License-Identifier: MIT
"""Every script in which the lockstep fuzzer once found a difference."""

import pathlib
import sys

import pytest

FUZZ = pathlib.Path(__file__).resolve().parent.parent / "fuzz"
sys.path.insert(0, str(FUZZ))

SCRIPTS = sorted((FUZZ / "lockstep-scripts").glob("*.script"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[p.stem for p in SCRIPTS])
def test_a_script_that_once_differed(limit, path):
    import lockstep_run

    a_round, lines = lockstep_run.read_script(path)
    answer = lockstep_run.run(a_round, lines, 50)
    assert not answer.is_bad, f"{answer.text}\n{answer.complaints}"
