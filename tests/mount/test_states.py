# SPDX-License-Identifier: MIT
"""virtual, placeholder, hydrated: what `projfs state` says, and that asking changes nothing."""

import os

import trees
from support import inside, read, stat


def test_a_file_goes_from_virtual_over_placeholder_to_hydrated(box):
    trees.make_small(box.source)
    with box.mount():
        path = box.root / "hello.txt"
        assert box.state(path) == "virtual"
        stat(path)
        assert box.state(path) == "placeholder"
        assert read(path) == b"hello\n"
        assert box.state(path) == "hydrated"


def test_asking_does_not_change_the_state(box):
    trees.make_small(box.source)
    with box.mount():
        paths = [box.root / "hello.txt", box.root / "sub", box.root / "sub/link", box.root / "sub/deeper/large"]
        for _ in range(3):
            assert [box.state(p) for p in paths] == ["virtual"] * 4
        assert [e["state"] for e in box.json("ls", "--state", box.root)["entries"]] == ["virtual"] * 3
        assert box.state(paths[0]) == "virtual"


def test_a_listing_makes_no_placeholders(box):
    trees.make_small(box.source)
    with box.mount():
        inside(lambda: [os.listdir(box.root), os.listdir(box.root / "sub")])
        assert box.state(box.root / "sub/run") == "virtual"
