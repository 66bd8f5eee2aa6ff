# SPDX-License-Identifier: MIT
"""Absent names with the negative path cache: the kernel remembers them, and forgets when the provider says so."""

import os

import pytest

from support import Child, error_of, eventually, inside, stat


@pytest.fixture
def instance(box):
    with box.mount(f"absent:{box.source}") as instance:
        yield instance


def error(instance, name):
    return error_of(os.lstat, instance.root / name)


def look_often(root, names, times):
    for _ in range(times):
        for name in names:
            try:
                os.lstat(root / name)
            except FileNotFoundError:
                pass


def test_an_absent_name_costs_one_message(instance):
    look = (look_often, instance.root, ["a", "b"])
    inside(*look, 1)
    before = instance.counters()
    inside(*look, 100)
    after = instance.counters()
    assert after["lookups"] == before["lookups"]
    assert after["callbacks_placeholder"] == before["callbacks_placeholder"]


def test_without_the_cache_each_look_asks(box):
    with box.mount(f"absent:{box.source}", "off") as instance:
        before = instance.counters()
        inside(look_often, instance.root, ["a"], 20)
        assert instance.counters()["callbacks_placeholder"] == before["callbacks_placeholder"] + 20
        assert error(instance, "clear.0") == "ENOENT"


def test_clearing_reaches_the_kernel_and_tells_how_many(box, instance):
    for name in "a", "b", "c":
        assert error(instance, name) == "ENOENT"
    (box.source / "a").touch()
    assert error(instance, "a") == "ENOENT"
    assert error(instance, "clear.3") == "ENOENT"
    assert eventually(lambda: error(instance, "a"), None) is None
    assert error(instance, "b") == "ENOENT"
    assert error(instance, "clear.1") == "ENOENT"


def test_a_placeholder_reaches_the_kernel(box, instance):
    for name in "a", "b":
        assert error(instance, name) == "ENOENT"
    for name in "a", "b":
        (box.source / name).touch()
    # that name itself is absent, too, and asked about once
    assert error(instance, "write.a") == "ENOENT"
    assert eventually(lambda: error(instance, "a"), None) is None
    assert error(instance, "b") == "ENOENT"


def test_a_file_of_ones_own_is_there_and_when_it_goes_the_name_is_absent(box, instance):
    assert error(instance, "a") == "ENOENT"
    before = instance.counters()
    for _ in range(3):
        inside((instance.root / "a").write_text, "text")
        assert stat(instance.root / "a").st_size == 4
        inside((instance.root / "a").unlink)
        assert error(instance, "a") == "ENOENT"
    assert instance.counters()["callbacks_placeholder"] == before["callbacks_placeholder"]
    assert instance.counters()["negative_hits"] > before["negative_hits"]
    # no tombstone: it can come
    (box.source / "a").touch()
    assert error(instance, "clear.1") == "ENOENT"
    assert eventually(lambda: error(instance, "a"), None) is None


def look_until_there(root, names):
    for name in names:
        while not os.path.lexists(root / name):
            pass


def test_no_name_stays_absent_that_was_looked_up_while_clearing(box, instance):
    names = [f"n{i}" for i in range(100)]
    children = [Child(look_until_there, instance.root, names) for _ in range(2)]
    for name in names:
        (box.source / name).touch()
        assert error(instance, "clear") == "ENOENT"
    for child in children:
        child.result(60)
