# SPDX-License-Identifier: MIT
"""Files of which only a part is needed."""

import os
import random

import pytest

from support import inside, read, stat

MIB = 1 << 20
GIB = 1 << 30


def test_a_file_of_20_gib_opens_at_once_and_only_what_is_read_is_fetched(box):
    middle = 10 * GIB + 12345
    data = random.Random(2).randbytes(MIB)
    with open(box.source / "huge", "wb") as f:
        f.truncate(20 * GIB)
        f.seek(middle)
        f.write(data)
    path = box.root / "huge"
    with box.mount() as instance:
        assert stat(path).st_size == 20 * GIB
        inside(lambda: open(path, "rb").close(), timeout=5)
        assert instance.counters()["bytes_fetched"] == 0
        assert read(path, middle, MIB) == data
        assert instance.counters()["bytes_fetched"] <= 8 * MIB
        assert box.json("state", path)[0]["local_bytes"] <= 8 * MIB
    # before anything is asked for, all that is on the disk is small, and no file shows as complete
    assert box.below() == []
    with box.mount() as instance:
        assert read(path, middle, MIB) == data
        assert read(path, middle + 1000, 5000) == data[1000:6000]
        assert instance.counters()["bytes_fetched"] == 0
        assert read(path, 20 * GIB - 4096, 8192) == bytes(4096)
        assert box.json("state", path)[0]["state"] == "placeholder"


@pytest.mark.parametrize("how", ["read", "hydrate"])
def test_what_was_fetched_in_part_is_completed_after_a_restart(box, how):
    size = 64 * MIB + 77
    data = random.Random(3).randbytes(size)
    (box.source / "f").write_bytes(data)
    path = box.root / "f"
    with box.mount(None, "small=1M"):
        assert read(path, 30 * MIB, 2 * MIB) == data[30 * MIB : 32 * MIB]
        assert box.json("state", path)[0]["local_bytes"] >= 2 * MIB
    assert box.below() == []
    with box.mount(None, "small=1M") as instance:
        assert box.json("state", path)[0]["local_bytes"] >= 2 * MIB
        if how == "read":
            assert read(path) == data
        else:
            box.run("hydrate", "--quiet", path)
        assert box.state(path) == "hydrated"
        assert instance.counters()["bytes_fetched"] <= size - 2 * MIB
        assert read(path) == data
    assert box.below() == [b"f"]
    assert (box.root / "f").read_bytes() == data
    assert os.listdir(box.root / ".projfs/tmp") == []


def test_what_was_fetched_of_an_older_version_is_not_used(box):
    (box.source / "f").write_bytes(b"a" * (16 * MIB))
    path = box.root / "f"
    with box.mount():
        assert read(path, 8 * MIB, 4096) == b"a" * 4096
    (box.source / "f").write_bytes(b"b" * (16 * MIB))
    with box.mount():
        assert read(path, 8 * MIB, 4096) == b"b" * 4096
        assert read(path) == b"b" * (16 * MIB)
