# SPDX-License-Identifier: MIT
"""Content: asked for once, delivered right or not at all."""

import errno
import hashlib
import os
import random
import traceback

import pytest

from support import Child, content, error_of, eventually, inside, read, stat

MIB = 1 << 20


def overlaps(ranges):
    """Pairs of neighbours that share a byte."""
    ranges = sorted(ranges)
    return [(a, b) for a, b in zip(ranges, ranges[1:]) if a[0] + a[1] > b[0]]


def digests_of_readers(path, n):
    """Let n processes read the file at the same time; the exit codes and digests that came."""
    start_read, start_write = os.pipe()
    answer_read, answer_write = os.pipe()
    for _ in range(n):
        if os.fork() == 0:
            code = 1
            try:
                os.close(start_write)
                os.read(start_read, 1)  # the end of the pipe, for all at once
                digest = hashlib.sha256()
                with open(path, "rb", buffering=0) as f:
                    while chunk := f.read(256 * 1024):
                        digest.update(chunk)
                os.write(answer_write, digest.digest())
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
    os.close(start_write)
    os.close(answer_write)
    answers = b""
    while chunk := os.read(answer_read, 65536):
        answers += chunk
    codes = [os.wait()[1] for _ in range(n)]
    return codes.count(0), [answers[i : i + 32] for i in range(0, len(answers), 32)]


@pytest.mark.limit(120)
@pytest.mark.parametrize("options", [[], ["small=16M"]], ids=["by range", "whole"])
def test_1000_processes_read_one_file_and_the_provider_is_asked_once_per_range(box, options):
    with box.puppet("file big 8388608 7", options=options) as instance:
        n_good, digests = inside(digests_of_readers, instance.root / "big", 1000, timeout=100)
        assert n_good == 1000
        assert set(digests) == {hashlib.sha256(content(7, 8 * MIB)).digest()}
        assert len(digests) == 1000
        ranges = sorted(instance.puppet.ranges("big"))
        end = 0
        for offset, length in ranges:
            assert offset == end, f"a gap or an overlap in {ranges}"
            end = offset + length
        assert end == 8 * MIB
        assert box.state(instance.root / "big") == "hydrated"


def test_a_small_file_is_asked_for_whole_and_once(box):
    with box.puppet("file f 300000 3") as instance:
        assert read(instance.root / "f", 1000, 10) == content(3, 10, 1000)
        assert read(instance.root / "f") == content(3, 300000)
        assert instance.puppet.ranges("f") == [(0, 300000)]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, MIB, MIB + 1, 3 * MIB + 5])
def test_files_of_every_size_are_right(box, size):
    with box.puppet(f"file f {size} 9") as instance:
        assert read(instance.root / "f") == content(9, size)
    if size:  # nothing needs to be fetched of an empty file
        assert (box.root / "f").read_bytes() == content(9, size)


def test_random_readers_of_a_large_file_get_the_right_bytes(box):
    size = 24 * MIB + 123
    with box.puppet(f"file f {size} 5") as instance:

        def reader(seed):
            rng = random.Random(seed)
            with open(instance.root / "f", "rb", buffering=0) as f:
                for _ in range(60):
                    offset, length = rng.randrange(size), rng.randrange(1, 300_000)
                    if os.pread(f.fileno(), length, offset) != content(5, min(length, size - offset), offset):
                        return f"wrong bytes at {offset}, {length}"
            return None

        children = [Child(reader, i) for i in range(8)]
        assert [c.result() for c in children] == [None] * 8
        assert overlaps(instance.puppet.ranges("f")) == []


def test_fewer_bytes_than_asked_are_an_error_and_no_zeros(box):
    with box.puppet("file f 500000 4", "short f 1000") as instance:
        assert error_of(read, instance.root / "f") == "EIO"
        assert box.state(instance.root / "f") == "placeholder"
        instance.puppet.ask("release")
        assert read(instance.root / "f") == content(4, 500000)


def test_no_bytes_of_a_large_file_are_an_error_too(box):
    with box.puppet("file f 5000000 4", "short f 0") as instance:
        assert error_of(read, instance.root / "f") == "EIO"
        instance.puppet.ask("release")
        assert read(instance.root / "f") == content(4, 5000000)


def test_a_large_file_that_comes_in_pieces_too_small_is_an_error_or_right(box):
    with box.puppet("file f 5000000 4", "short f 70000") as instance:

        def run():
            try:
                with open(instance.root / "f", "rb") as f:
                    return f.read() == content(4, 5000000)
            except OSError as e:
                return e.errno == errno.EIO

        assert inside(run)


@pytest.mark.parametrize(
    "code, error",
    [("0x80070005", "EACCES"), ("0x80070171", "EIO"), ("0x8007000E", "ENOMEM"), ("-4711", "EIO"), ("1", "EIO")],
)
def test_a_reader_gets_the_error_of_the_provider(box, code, error):
    with box.puppet("file f 5000 4", f"fail data f {code}") as instance:
        assert error_of(read, instance.root / "f") == error
        instance.puppet.ask("release")
        assert read(instance.root / "f") == content(4, 5000)


@pytest.mark.parametrize("code, error", [("0x80070002", "ENOENT"), ("0x80070005", "EACCES"), ("7", "EIO")])
def test_a_look_up_gets_the_error_of_the_provider(box, code, error):
    with box.puppet("file f 5000 4", f"fail lookup f {code}") as instance:
        assert error_of(os.lstat, instance.root / "f") == error
        instance.puppet.ask("release")
        assert stat(instance.root / "f").st_size == 5000


def test_answers_that_come_late_from_another_thread_are_right(box):
    late = [f"late {kind} *" for kind in ("lookup", "list", "data")]
    with box.puppet("dir d", "file d/f 3000000 4", "file d/g 10 5", *late) as instance:
        assert inside(lambda: sorted(os.listdir(instance.root / "d"))) == ["f", "g"]
        assert read(instance.root / "d/f") == content(4, 3000000)
        assert read(instance.root / "d/g") == content(5, 10)


def test_new_content_is_seen_when_the_placeholder_is_old(box):
    with box.puppet("file f 5000 4", options=["placeholder-timeout=10ms"]) as instance:
        assert stat(instance.root / "f").st_size == 5000
        instance.puppet.ask("file f 7000 5")
        assert eventually(lambda: stat(instance.root / "f").st_size, 7000) == 7000
        assert read(instance.root / "f") == content(5, 7000)


def test_hydrated_content_stays_although_the_provider_has_other(box):
    with box.puppet("file f 5000 4", options=["placeholder-timeout=10ms"]) as instance:
        assert read(instance.root / "f") == content(4, 5000)
        instance.puppet.ask("file f 7000 5")
        assert read(instance.root / "f") == content(4, 5000)
        assert instance.puppet.count("data", "f") == 1


def test_a_file_that_changes_between_its_ranges_is_never_mixed(box):
    size = 6 * MIB
    with box.puppet(f"file f {size} 4", options=["placeholder-timeout=10ms"]) as instance:

        def run():
            with open(instance.root / "f", "rb", buffering=0) as f:
                first = os.pread(f.fileno(), 4096, 0)
                instance.puppet.ask(f"file f {size + 8} 5")
                while os.stat(instance.root / "f").st_size == size:
                    pass
                try:
                    last = os.pread(f.fileno(), 4096, 5 * MIB)
                except OSError as e:
                    last = e.errno
                return first, last, os.pread(f.fileno(), 4096, 0)

        first, last, again = inside(run)
        assert first == again == content(4, 4096)  # what has arrived stays readable
        assert last == errno.EIO
        assert read(instance.root / "f") == content(5, size + 8)


def test_hydrate_fetches_everything_below(box):
    with box.puppet("many d 300", "file big 3000000 2", "dir e", "file e/x 10 3") as instance:
        done = box.json("hydrate", "-R", "--quiet", instance.root)
        assert (done["files"], done["failed"]) == (302, 0)
        assert {box.state(instance.root / p) for p in ("d/f000007", "big", "e/x")} == {"hydrated"}
    assert len([p for p in box.below() if b"f0" in p]) == 300
    assert (box.root / "big").read_bytes() == content(2, 3000000)


def test_hydrate_reports_what_fails_and_goes_on(box):
    with box.puppet("file a 10 1", "file b 10 2", "file c 10 3", "fail data b 0x80070005") as instance:
        done = box.run("hydrate", "--json", "--quiet", *[instance.root / n for n in "abc"], check=False)
        assert done.returncode == 1
        assert "b'" in done.stderr
        assert [box.state(instance.root / n) for n in "ac"] == ["hydrated"] * 2
