# SPDX-License-Identifier: MIT
"""
The fault filter around `dir`: what a program sees of each fault, and that a good answer helps afterwards.

A view never shows zeros, or other bytes than the provider gave, in place of content that did not come.
"""

import os
import random
import signal
from stat import S_ISDIR

import pytest

from support import Child, MountFailed, error_of, eventually, inside, names, read, stat

SMALL = random.Random(1).randbytes(5000).replace(b"\0", b"\1")
LARGE = random.Random(2).randbytes(3 << 20).replace(b"\0", b"\1")
NAMES = ["d", "large", "small"]


def fault(box, text, *options):
    """Mount a small tree with these faults."""
    if "source" not in box.made:
        (box.source / "d").mkdir()
        for name in ("a", "b", "c"):
            (box.source / "d" / name).write_bytes(SMALL)
        (box.source / "small").write_bytes(SMALL)
        (box.source / "large").write_bytes(LARGE)
    text = text.replace(",", "\\,")
    return box.mount(None, f"filter=fault:{text}", "rebind", *options)


def read_until_error(path):
    """What can be read from the beginning on, and the errno that ended it, or None."""
    data = b""
    try:
        with open(path, "rb", buffering=0) as f:
            while chunk := f.read(65536):
                data += chunk
    except OSError as e:
        return data, e.errno
    return data, None


def injected(instance):
    return instance.status()["provider_status"]["faults injected"]


# ---- wrong answers --------------------------------------------------------------------------

# callback, path, what asks for it
ASKS = {
    "get_placeholder_info": ("d/a", lambda root: os.lstat(root / "d/a").st_size),
    "start_directory_enumeration": ("d", lambda root: sorted(os.listdir(root / "d"))),
    "get_directory_enumeration": ("d", lambda root: sorted(os.listdir(root / "d"))),
    "get_file_data": ("small", lambda root: (root / "small").read_bytes()),
}
GOOD = {
    "get_placeholder_info": len(SMALL),
    "start_directory_enumeration": ["a", "b", "c"],
    "get_directory_enumeration": ["a", "b", "c"],
    "get_file_data": SMALL,
}
CALLBACKS = pytest.mark.parametrize("callback", ASKS)
CONTENTS = {"small": SMALL, "large": LARGE}


def times(callback):
    """How often a fault must come so that one question fails: the kernel reads again what it could not read ahead."""
    return 6 if callback == "get_file_data" else 1


def in_the_end(ask, root):
    """The answer when the faults are used up."""
    assert eventually(lambda: error_of(ask, root), None) is None
    return inside(ask, root)


@CALLBACKS
@pytest.mark.parametrize("how", ["", "pend", "delay=20ms"])
@pytest.mark.parametrize(
    "result, errno", [("access_denied", "EACCES"), ("Disk_Full", "ENOSPC"), ("0xDEADBEEF", "EIO")]
)
def test_an_error_is_what_a_program_gets_and_then_all_is_well(box, callback, result, errno, how):
    path, ask = ASKS[callback]
    n = times(callback)
    with fault(box, f"{callback} error={result} count={n} path={path} {how}") as instance:
        assert error_of(ask, instance.root) == errno
        assert in_the_end(ask, instance.root) == GOOD[callback]
        assert injected(instance) == n
        assert instance.counters()["provider_faults"] == (n if errno == "EIO" else 0)


@CALLBACKS
def test_nothing_is_wrong_before_a_fault(box, callback):
    with fault(box, f"{callback} error=access_denied after=1000") as instance:
        assert inside(ASKS[callback][1], instance.root) == GOOD[callback]
        assert injected(instance) == 0


def test_a_listing_that_ends_badly_is_a_listing(box):
    with fault(box, "end_directory_enumeration error=access_denied") as instance:
        assert names(instance.root) == NAMES


@pytest.mark.parametrize("effect", ["short", "short=1", "drop", "short error=access_denied"])
def test_missing_bytes_are_an_error_and_never_zeros(box, effect):
    errno = "EACCES" if "error" in effect else "EIO"
    text = f"get_file_data {effect} path=small count=40; get_file_data {effect} path=large count=6"
    with fault(box, text) as instance:
        assert error_of((instance.root / "small").read_bytes) == errno
        assert in_the_end(lambda root: (root / "small").read_bytes(), instance.root) == SMALL
        # what did come of a large file is there: only the rest is asked for again
        data, error = inside(read_until_error, instance.root / "large")
        assert data == LARGE if error is None else LARGE.startswith(data)
        assert in_the_end(lambda root: (root / "large").read_bytes(), instance.root) == LARGE


@pytest.mark.parametrize("effect", ["overlap", "beyond", "overlap beyond pend", "twice", "pend=20ms twice"])
@pytest.mark.parametrize("name", CONTENTS)
def test_what_was_delivered_too_often_or_too_far_does_no_harm(box, effect, name):
    with fault(box, f"get_file_data {effect}") as instance:
        assert read(instance.root / name) == CONTENTS[name]
        assert injected(instance) > 0


def test_corrupt_content_is_shown_as_it_came(box):
    with fault(box, "get_file_data corrupt") as instance:
        assert read(instance.root / "small") == b"\xfa" * len(SMALL)
        assert read(instance.root / "large") == b"\xfa" * len(LARGE)


@pytest.mark.parametrize("effect", ["duplicate", "duplicate pend", "add=d", "add=x/y", "add=..", 'add=""'])
def test_names_that_come_twice_or_are_none_are_left_out(box, effect):
    with fault(box, f"get_directory_enumeration {effect}") as instance:
        assert names(instance.root) == NAMES
        assert read(instance.root / "small") == SMALL


def test_disorder_loses_nothing(box):
    with fault(box, "get_directory_enumeration disorder") as instance:
        assert names(instance.root) == [*NAMES, "~fault-1", "~fault-2"]
        assert names(instance.root / "d") == ["a", "b", "c", "~fault-1", "~fault-2"]
        assert stat(instance.root / "d/~fault-1").st_size == 0
        assert instance.counters()["listing_faults"] > 0


def test_a_name_that_is_listed_need_not_be_found(box):
    with fault(box, "get_directory_enumeration add=!ghost path=d") as instance:
        # in this order: what was listed just now is known without a question
        assert error_of(os.lstat, instance.root / "d/!ghost") == "ENOENT"
        assert names(instance.root / "d") == ["!ghost", "a", "b", "c"]


def test_what_is_found_need_not_be_listed(box):
    text = "get_placeholder_info kind=file size=0 path=ghost; get_directory_enumeration drop path=d"
    with fault(box, text) as instance:
        assert stat(instance.root / "ghost").st_size == 0
        assert names(instance.root) == NAMES
        assert read(instance.root / "d/a") == SMALL
        assert "b" not in names(instance.root / "d")


def test_a_look_up_without_an_answer_is_an_error(box):
    with fault(box, "get_placeholder_info drop path=small count=1") as instance:
        assert error_of(os.lstat, instance.root / "small") == "EIO"
        assert read(instance.root / "small") == SMALL


@pytest.mark.parametrize("facts", ["kind=directory", "kind=file size=7"])
def test_other_facts_on_look_up_than_in_the_listing_are_those_of_the_look_up(box, facts):
    with fault(box, f"get_placeholder_info {facts} path=small") as instance:
        found = stat(instance.root / "small")
        assert S_ISDIR(found.st_mode) == ("directory" in facts)
        if "size" in facts:
            assert found.st_size == 7
            # the provider does not have this version
            assert error_of((instance.root / "small").read_bytes) == "EIO"
        assert names(instance.root) == NAMES


# ---- slow answers ---------------------------------------------------------------------------

LATE = pytest.mark.parametrize("effect", ["hang", "delay=24h", "pend=24h"])


@CALLBACKS
@LATE
def test_who_waits_for_ever_gets_etimedout_and_then_all_is_well(box, callback, effect):
    path, ask = ASKS[callback]
    options = ["lookup-timeout=300ms", "data-timeout=300ms"]
    with fault(box, f"{callback} {effect} count={times(callback)} path={path}", *options) as instance:
        assert error_of(ask, instance.root) == "ETIMEDOUT"
        assert in_the_end(ask, instance.root) == GOOD[callback]


@CALLBACKS
@LATE
def test_it_stops_in_time_while_calls_wait(box, callback, effect):
    path, ask = ASKS[callback]
    with fault(box, f"{callback} {effect} path={path}", "threads=4") as instance:
        child = Child(ask, instance.root)
        assert eventually(lambda: injected(instance) > 0, True)
        instance.send(signal.SIGTERM)
        assert instance.wait(30) == 0
        assert not instance.is_mounted()
        with pytest.raises(OSError):
            child.result()


def test_it_stops_while_the_end_of_a_listing_hangs(box):
    with fault(box, "end_directory_enumeration hang") as instance:
        assert names(instance.root) == NAMES
        assert eventually(lambda: injected(instance) > 0, True)


def test_it_stops_though_the_end_of_a_listing_is_pended_meanwhile(box):
    text = "get_directory_enumeration delay=24h path=d; end_directory_enumeration delay=300ms hang path=d"
    with fault(box, text) as instance:
        child = Child(os.listdir, instance.root / "d")
        assert eventually(lambda: injected(instance), 1) == 1
        instance.send(signal.SIGTERM)
        assert instance.wait(30) == 0
        with pytest.raises(OSError):
            child.result()


@CALLBACKS
def test_late_answers_are_as_good_as_others(box, callback):
    with fault(box, f"any pend=5ms; {callback} delay=5ms") as instance:
        assert inside(ASKS[callback][1], instance.root) == GOOD[callback]
        assert read(instance.root / "large") == LARGE


# ---- crash ----------------------------------------------------------------------------------


@CALLBACKS
def test_a_crash_leaves_no_mount_and_no_half_file(box, callback):
    path, ask = ASKS[callback]
    instance = fault(box, f"{callback} crash path={path}")
    assert read(instance.root / "large") == LARGE
    assert error_of(ask, instance.root) is not None
    assert instance.wait() == -signal.SIGKILL
    assert instance.wait_unmounted(20)
    assert "small" not in box.below()
    with fault(box, f"{callback} crash after=1000"):
        assert inside(ask, box.root) == GOOD[callback]
        assert read(box.root / "large") == LARGE


def test_a_crash_comes_at_the_nth_call(box):
    instance = fault(box, "get_file_data crash after=2")
    assert read(instance.root / "d/a") == SMALL
    assert read(instance.root / "d/b") == SMALL
    assert error_of((instance.root / "d/c").read_bytes) is not None
    assert instance.wait() == -signal.SIGKILL
    assert instance.wait_unmounted(20)


# ---- the text -------------------------------------------------------------------------------


def test_a_wrong_text_is_refused_with_its_place(box):
    with pytest.raises(MountFailed) as failure:
        fault(box, "get_file_data eror=access_denied")
    text = str(failure.value)
    assert "at character 15, 'eror=access_denied'" in text and "error=RESULT" in text


def test_commas_and_blanks_reach_the_filter(box):
    (box.source / "a, b").write_bytes(SMALL)
    text = 'get_placeholder_info path="a\\, b" error=access_denied'
    with box.mount(None, f"filter=fault:{text}") as instance:
        assert error_of(os.lstat, instance.root / "a, b") == "EACCES"


def test_two_filters_are_one_in_the_other(box):
    (box.source / "f").write_bytes(SMALL)
    inner, outer = "get_file_data short count=6", "any pend; any error=access_denied path=g"
    with box.mount(None, f"filter=fault:{inner}", f"filter=fault:{outer}") as instance:
        assert error_of((instance.root / "f").read_bytes) == "EIO"
        assert in_the_end(lambda root: (root / "f").read_bytes(), instance.root) == SMALL
