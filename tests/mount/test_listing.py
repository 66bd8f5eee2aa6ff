# SPDX-License-Identifier: MIT
"""Listings: complete, each name once, whatever the buffer, the seeks and the provider's manners."""

import ctypes
import os
import random
import struct

import pytest

from support import error_of, eventually, inside, names, stat

SYS_GETDENTS64 = {"x86_64": 217, "aarch64": 61}[os.uname().machine]
MANY = 200_000


def getdents(fd, size):
    """[(offset of the next entry, name)] of one call."""
    buffer = ctypes.create_string_buffer(size)
    libc = ctypes.CDLL(None, use_errno=True)
    n = libc.syscall(SYS_GETDENTS64, fd, buffer, size)
    if n < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    found, at = [], 0
    while at < n:
        _, offset, length = struct.unpack_from("=QqH", buffer, at)
        name = buffer.raw[at + 19 : at + length].split(b"\0", 1)[0]
        found.append((offset, name))
        at += length
    return found


def entries(fd, size):
    found = []
    while part := getdents(fd, size):
        found += part
    return found


def in_directory(path, function):
    def run():
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return function(fd)
        finally:
            os.close(fd)

    return inside(run, timeout=120)


def expected_names(n):
    return sorted([b".", b".."] + [b"f%06d" % i for i in range(n)])


@pytest.fixture(scope="module", params=[[], ["stable"]], ids=["live", "stable"])
def large(module_box, request):
    root = module_box.make_dir("root-" + "-".join(request.param))
    directory = module_box.make_dir("puppet")
    (directory / "script").write_text(f"many big {MANY}\n")
    with module_box.mount(f"puppet:{directory}", *request.param, root=root) as instance:
        yield instance.root / "big"


@pytest.mark.limit(120)
def test_a_directory_of_200000_entries_lists_each_name_once(large):
    assert names(large, timeout=100) == [f"f{i:06d}" for i in range(MANY)]


@pytest.mark.limit(120)
def test_it_lists_through_a_buffer_of_1_kib(large):
    assert sorted(n for _, n in in_directory(large, lambda fd: entries(fd, 1024))) == expected_names(MANY)


@pytest.mark.limit(120)
def test_it_lists_again_after_rewinding(large):
    def run(fd):
        first = [getdents(fd, 32768) for _ in range(20)]
        os.lseek(fd, 0, os.SEEK_SET)
        again = entries(fd, 32768)
        return [n for part in first for _, n in part] == [n for _, n in again][: sum(map(len, first))], again

    is_same_start, again = in_directory(large, run)
    assert is_same_start
    assert sorted(n for _, n in again) == expected_names(MANY)


@pytest.mark.limit(120)
def test_it_goes_on_where_one_seeks_to(large):
    def run(fd):
        rng = random.Random(5)
        everything = entries(fd, 65536)
        wrong = []
        for _ in range(200):
            i = rng.randrange(len(everything) - 1)
            os.lseek(fd, everything[i][0], os.SEEK_SET)
            following = getdents(fd, 1024)
            if following != everything[i + 1 : i + 1 + len(following)] or not following:
                wrong.append((everything[i], following[:2]))
        return wrong

    assert in_directory(large, run) == []


def test_seeking_back_over_a_changing_directory_repeats_no_name(box):
    with box.puppet("many big 3000") as instance:

        def run(fd):
            first = getdents(fd, 4096)
            instance.puppet.ask("file big/aaa 3 1")
            return first + entries(fd, 4096)

        found = [n for _, n in in_directory(instance.root / "big", run)]
        assert sorted(set(found) - {b"aaa"}) == expected_names(3000)
        assert len(found) == len(set(found))


@pytest.mark.parametrize("manner", ["reversed", "twice"])
def test_a_provider_that_lists_wrongly_is_put_right(box, manner):
    with box.puppet("many big 5000", f"{manner} big") as instance:
        assert names(instance.root / "big") == [f"f{i:06d}" for i in range(5000)]
        assert instance.counters()["listing_faults"] > 0


def test_two_readers_of_one_directory_do_not_disturb_each_other(box):
    with box.puppet("many big 3000") as instance:

        def run():
            fds = [os.open(instance.root / "big", os.O_RDONLY) for _ in range(2)]
            found = [[], []]
            parts = [True, True]
            while any(parts):
                for i, fd in enumerate(fds):
                    parts[i] = getdents(fd, 1024 * (i + 1))
                    found[i] += [n for _, n in parts[i]]
            return [sorted(f) for f in found]

        assert inside(run) == [expected_names(3000)] * 2


def test_a_listing_that_comes_late_is_complete(box):
    with box.puppet("many big 5000", "late list *", "late lookup *") as instance:
        assert len(names(instance.root / "big")) == 5000


@pytest.mark.parametrize(
    "code, error", [("0x80070005", "EACCES"), ("0x8007000E", "ENOMEM"), ("0x8007054F", "EIO"), ("-12345", "EIO")]
)
def test_a_listing_fails_with_what_the_provider_says_and_works_afterwards(box, code, error):
    with box.puppet("many big 10", f"fail list big {code}") as instance:
        assert error_of(os.listdir, instance.root / "big") == error
        instance.puppet.ask("release")
        assert len(names(instance.root / "big")) == 10


def test_a_live_view_shows_what_is_new_and_no_longer_what_is_gone(box):
    with box.puppet("dir d", "file d/old 3 1") as instance:
        assert names(instance.root / "d") == ["old"]
        instance.puppet.ask("file d/new 3 2")
        instance.puppet.ask("remove d/old")
        assert names(instance.root / "d") == ["new"]
        assert eventually(lambda: error_of(os.lstat, instance.root / "d/old"), "ENOENT") == "ENOENT"


def test_a_stable_view_is_listed_once(box):
    with box.puppet("many d 100", options=["stable"]) as instance:
        for _ in range(3):
            assert len(names(instance.root / "d")) == 100
            stat(instance.root / "d/f000050")
            assert error_of(os.lstat, instance.root / "d/absent") == "ENOENT"
        asked = instance.puppet.count("list", "d")
        assert asked > 0
        names(instance.root / "d")
        assert instance.puppet.count("list", "d") == asked
        assert instance.puppet.count("lookup", "d/absent") <= 1
