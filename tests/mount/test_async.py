# SPDX-License-Identifier: MIT
"""
Commands that are answered later: completed once and never twice, on any thread, in any order, cancelled when nobody
waits any more, and all of them ended when the instance ends.  The puppet keeps what a rule says, and the test completes
it by its id, wrongly if it likes.  (Codes are the matter of test_codes.py, time limits and signals of test_waiting.py.)
"""

import errno
import mmap
import os
import re
import signal
import threading

import pytest

from support import Child, content, eventually, inside, names, read, stat

OK = "0x00000000"
INVALID_HANDLE = "0x80070006"
INVALID_PARAMETER = "0x80070057"
IO_PENDING = "0x800703e5"
INTERNAL_ERROR = "0x8007054f"

VIEW = ["dir d", "file d/f 5000 1", "file d/g 5000 4", "file large 8388608 2", "file there 5000 3"]
OPTIONS = ["notify=0x1ffe", "query", "placeholder-timeout=1ms"]


def read_directly(path):
    """Past the page cache: a request of this process, that ends with it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, 8192)
    return buffer[: os.preadv(fd, [buffer], 0)]


# Which callback, about what, what makes it, and what that returns.
WAITS = {
    "lookup": ("d/f", lambda root: os.lstat(root / "d/f").st_size, 5000),
    "start": ("d", lambda root: sorted(os.listdir(root / "d")), ["f", "g"]),
    "list": ("d", lambda root: sorted(os.listdir(root / "d")), ["f", "g"]),
    "data": ("d/f", lambda root: read_directly(root / "d/f"), content(1, 5000)),
    "opened": ("d/f", lambda root: os.close(os.open(root / "d/f", os.O_RDONLY)), None),
    "pre-delete": ("d/f", lambda root: os.unlink(root / "d/f"), None),
    "pre-rename": ("d/f", lambda root: os.rename(root / "d/f", root / "d/h"), None),
    "pre-convert": ("d/f", lambda root: (root / "d/f").write_bytes(b"x"), 1),
}
KINDS = pytest.mark.parametrize("kind", WAITS)


class Kept:
    """A child that waits for a callback, which is kept."""

    def __init__(self, instance, kind, function=None, path=None):
        self.puppet = instance.puppet
        self.kind = kind
        self.path = path or WAITS[kind][0]
        n = self.puppet.count(kind, self.path)
        self.puppet.ask(f"keep {kind} {self.path}")
        self.child = Child(function or WAITS[kind][1], instance.root)
        self.puppet.ask(f"await {kind} {self.path} {n + 1}")
        self.puppet.ask("release")
        self.id = ids(self.puppet, kind, self.path)[-1]
        self.with_buffer = "buffer" if kind == "list" else ""

    def complete(self, code=OK, extended=None):
        extended = self.with_buffer if extended is None else extended
        return self.puppet.ask(f"complete {self.id} {code} {extended}")[0]

    def fill(self):
        return self.puppet.ask(f"fill {self.id}")[0]

    def write(self, offset, length):
        return self.puppet.ask(f"write {self.id} {offset} {length}")[0]


def error_from(child):
    """The name of the errno with which its function ended; None if with none."""
    try:
        child.result()
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


def ids(puppet, kind, path):
    """The ids of the commands of one kind about a path, in their order."""
    calls = [line.split() for line in puppet.ask(f"calls {kind}")]
    return [int(number) for _, number, at in calls if at == path]


# ---- completing -----------------------------------------------------------------------------


@KINDS
def test_a_command_is_completed_once_and_only_with_what_fits_it(box, kind):
    with box.puppet(*VIEW, options=OPTIONS) as instance:
        kept = Kept(instance, kind)
        assert kept.complete(IO_PENDING) == INVALID_PARAMETER
        assert kept.complete(OK, "type=0") == INVALID_PARAMETER
        assert kept.complete(OK, "type=7") == INVALID_PARAMETER
        assert kept.complete(OK, "mask=0x10000") == INVALID_PARAMETER
        if kind in ("lookup", "start", "list", "data"):
            assert kept.complete(OK, "mask=0x2") == INVALID_PARAMETER
        if kind == "list":
            assert kept.complete(OK, "") == INVALID_PARAMETER
        for number in (0, -1, kept.id + 100000, 2**31 - 1):
            assert instance.puppet.ask(f"complete {number} 0") == [INVALID_PARAMETER]
        assert kept.child.is_running()
        assert kept.fill() == OK
        assert kept.complete() == OK
        assert kept.child.result() == WAITS[kind][2]
        assert kept.complete() == INVALID_PARAMETER
        assert kept.complete(INTERNAL_ERROR) == INVALID_PARAMETER
        assert instance.counters()["provider_faults"] == 0


@pytest.mark.parametrize("mask", ["0", "0xffffffff", "0x1", "0x1ffe"])
def test_a_notification_may_be_completed_with_a_mask(box, mask):
    with box.puppet(*VIEW, options=OPTIONS) as instance:
        kept = Kept(instance, "opened")
        assert kept.complete(OK, f"mask={mask}") == OK
        assert kept.child.result() is None


def test_a_data_stream_ends_with_its_command(box):
    with box.puppet(*VIEW) as instance:
        kept = Kept(instance, "data")
        assert kept.write(4990, 11) == INVALID_PARAMETER  # beyond the end
        assert kept.fill() == OK
        assert kept.complete() == OK
        assert kept.child.result() == content(1, 5000)
        assert kept.write(0, 100) == INVALID_HANDLE
        assert read(instance.root / "d/f") == content(1, 5000)
        other = Kept(instance, "lookup", lambda root: os.lstat(root / "d/g"), "d/g")
        assert other.write(0, 100) == INVALID_HANDLE  # a command that has no stream
        assert other.fill() == OK
        assert other.complete() == OK
        other.child.result()


@KINDS
def test_what_fails_later_can_be_asked_for_again(box, kind):
    with box.puppet(*VIEW, options=OPTIONS) as instance:
        kept = Kept(instance, kind)
        assert kept.complete("0x80070005", "") == OK
        assert error_from(kept.child) == "EACCES"
        assert kept.complete() == INVALID_PARAMETER
        assert inside(WAITS[kind][1], instance.root) == WAITS[kind][2]


@pytest.mark.parametrize("how", ["early", "late"])
def test_a_whole_session_of_work_is_answered_on_other_threads(box, how):
    kinds = "lookup start list end data query opened created overwritten pre-delete pre-rename pre-link renamed linked"
    kinds += " closed closed-modified closed-deleted pre-convert"

    def work(root):
        assert sorted(os.listdir(root)) == ["d", "large", "there"]
        assert (root / "d/f").read_bytes() == content(1, 5000)
        assert (root / "large").read_bytes() == content(2, 8 << 20)
        (root / "new").write_bytes(b"new")
        (root / "there").write_bytes(b"over")
        os.link(root / "d/g", root / "hard")
        os.rename(root / "d/f", root / "d/h")
        os.unlink(root / "d/h")
        os.unlink(root / "new")
        return sorted(os.listdir(root)) + sorted(os.listdir(root / "d"))

    with box.puppet(*VIEW, options=OPTIONS) as instance:
        for kind in kinds.split():
            instance.puppet.ask(f"{how} {kind} *")
        assert inside(work, instance.root) == ["d", "hard", "large", "there", "g"]
        counters = instance.counters()
        assert (counters["provider_faults"], counters["cancels"]) == (0, 0)
        for kind in kinds.split():
            eventually(lambda: instance.puppet.count(kind) > 0, True)
            assert instance.puppet.count(kind) > 0, kind
    assert "sessions 0" in (box.dir / "puppet/journal").read_text()


@pytest.mark.limit(120)
def test_a_thousand_commands_are_completed_in_random_order_from_four_threads(box):
    view = [f"dir d{i}" for i in range(500)] + [f"file d{i}/f{i} 5000 {i}" for i in range(500)]
    view += [f"file f{i} {i} 1" for i in range(500)]

    def look(root, i, found):
        if i < 500:
            found[i] = os.listdir(root / f"d{i}") == [f"f{i}"]
        else:
            found[i] = os.lstat(root / f"f{i - 500}").st_size == i - 500

    def look_at_all(root):
        found = [None] * 1000
        threading.stack_size(256 << 10)
        threads = [threading.Thread(target=look, args=(root, i, found)) for i in range(1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    with box.puppet(*view, options=["lookup-timeout=100s", "stable"]) as instance:
        # the directories are known, so that their listings are all that is asked
        inside(lambda: [os.lstat(instance.root / f"d{i}") for i in range(500)])
        instance.puppet.ask("keep start *")
        instance.puppet.ask("keep lookup *")
        child = Child(look_at_all, instance.root)
        for i in range(500):
            instance.puppet.ask(f"await start d{i} 1")
            instance.puppet.ask(f"await lookup f{i} 1")
        assert instance.status()["counters"]["n_commands"] == 1000
        instance.puppet.ask("release")
        assert instance.puppet.ask("scatter 4 20240229") == ["0"]
        assert child.result(60) == [True] * 1000
        assert instance.status()["counters"]["n_commands"] == 0
    assert "sessions 0" in (box.dir / "puppet/journal").read_text()


# ---- cancelling -----------------------------------------------------------------------------


@KINDS
def test_a_command_for_which_nobody_waits_is_cancelled_by_its_id_and_completing_it_is_harmless(box, kind):
    with box.puppet(*VIEW, options=OPTIONS) as instance:
        function = None
        if kind == "data":  # the kernel does not tell of readers that they are gone, but of ioctls

            def function(root):
                os.execv(box.command, [box.command, "hydrate", root / "d/f"])

        kept = Kept(instance, kind, function)
        kept.child.kill()
        assert os.WTERMSIG(kept.child.wait_gone(10)) == signal.SIGKILL
        instance.puppet.ask(f"await cancel {kept.path} 1")
        assert ids(instance.puppet, "cancel", kept.path) == [kept.id]
        if kind == "data":
            assert kept.write(0, 5000) == INVALID_HANDLE
        # late success, late failure, even something undocumented: nobody listens
        assert kept.complete() == OK
        assert kept.complete(INTERNAL_ERROR) == OK
        assert kept.complete("0x80004005") == OK
        assert inside(WAITS[kind][1], instance.root) == WAITS[kind][2]
        assert instance.counters()["provider_faults"] == 0


def test_a_late_answer_to_a_cancelled_look_up_is_kept_as_what_the_item_is(box):
    with box.puppet(*VIEW, options=["stable"]) as instance:
        kept = Kept(instance, "lookup")
        kept.child.kill()
        kept.child.wait_gone(10)
        instance.puppet.ask(f"await cancel {kept.path} 1")
        assert kept.fill() == OK
        assert kept.complete() == OK
        assert stat(instance.root / "d/f").st_size == 5000


def test_a_reader_past_the_page_cache_can_be_killed(box):
    with box.puppet(*VIEW) as instance:
        kept = Kept(instance, "data")
        kept.child.kill()
        assert os.WTERMSIG(kept.child.wait_gone(10)) == signal.SIGKILL
        instance.puppet.ask(f"await cancel {kept.path} 1")
        assert kept.write(0, 5000) == INVALID_HANDLE


def test_a_cancelled_callback_that_still_runs_is_told_and_ends_as_it_likes(box):
    with box.puppet(*VIEW) as instance:
        instance.puppet.ask("hold lookup d/f")
        child = Child(os.lstat, instance.root / "d/f")
        instance.puppet.ask("await lookup d/f 1")
        child.kill()
        child.wait_gone(10)
        instance.puppet.ask("await cancel d/f 1")
        assert ids(instance.puppet, "cancel", "d/f") == ids(instance.puppet, "lookup", "d/f")
        instance.puppet.ask("release")
        assert stat(instance.root / "d/f").st_size == 5000


# ---- the end --------------------------------------------------------------------------------


def test_stopping_cancels_each_pended_command_once_and_late_answers_are_refused(box):
    view = [*VIEW, "dir e", "file e/x 5 1", "dir s"]
    with box.puppet(*view, options=[*OPTIONS, "threads=2"]) as instance:
        instance.puppet.ask("keep end e")
        assert names(instance.root / "e") == ["x"]  # nobody waits for the end of a listing
        instance.puppet.ask("await end e 1")
        kept = [
            Kept(instance, "lookup"),
            Kept(instance, "list"),
            Kept(instance, "start", lambda root: os.listdir(root / "s"), "s"),
            Kept(instance, "data", lambda root: read_directly(root / "large"), "large"),
            # the last, since the kernel locks the root for it
            Kept(instance, "pre-delete", lambda root: os.unlink(root / "there"), "there"),
        ]
        instance.send(signal.SIGTERM)
        assert instance.wait_unmounted(20)
        for one in kept:
            assert error_from(one.child) is not None, one.kind
        assert instance.wait(20) == 0
    journal = [line.split() for line in (box.dir / "puppet/journal").read_text().splitlines()]
    wanted = [one.id for one in kept] + [int(line[1]) for line in journal if line[0] == "end" and line[2] == "e"]
    cancelled = [int(line[1]) for line in journal if line[0] == "cancel"]
    assert sorted(cancelled) == sorted(wanted)
    after = journal[[line[0] for line in journal].index("cancel") :]
    # what was open is closed; nothing else begins
    allowed = {"cancel", "end", "closed", "sessions", "late-complete", "late-write"}
    assert {line[0] for line in after} <= allowed
    refused = {int(line[1]): line[2] for line in journal if line[0] == "late-complete"}
    assert refused == {number: INVALID_PARAMETER for number in wanted}
    assert [line[2] for line in journal if line[0] == "late-write"] == [INVALID_HANDLE]
    # of e, whose end was never answered
    assert journal[-1] == ["sessions", "1"]


def test_stopping_ends_waiting_commands_in_the_order_in_which_they_came(box):
    with box.puppet(*[f"file f{i} 5 1" for i in range(10)], options=["threads=1"]) as instance:
        kept = []
        for i in range(10):
            kept.append(Kept(instance, "lookup", lambda root, i=i: os.lstat(root / f"f{i}"), f"f{i}"))
            # the callback may come before its request has lain down to wait
            assert eventually(lambda: instance.counters()["n_parked"], i + 1) == i + 1
        instance.send(signal.SIGTERM)
        assert instance.wait(20) == 0
        for one in kept:
            assert error_from(one.child) is not None
    cancelled = re.findall(r"^cancel (\d+)", (box.dir / "puppet/journal").read_text(), re.MULTILINE)
    assert [int(number) for number in cancelled] == [one.id for one in kept]
