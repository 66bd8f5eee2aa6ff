# SPDX-License-Identifier: MIT
"""A provider that hangs: every wait ends, and nobody else is disturbed."""

import os
import signal
import time

import pytest

from support import Child, content, error_of, names, read, stat

FILES = ["dir d", "file d/f 5000 1", "file large 8388608 2", "file there 5000 3"]
# what hangs, what waits for it, and how the kind is called
WAITS = {
    "lookup": ("d/f", lambda root: os.lstat(root / "d/f")),
    "list": ("d", lambda root: os.listdir(root / "d")),
    "data": ("d/f", lambda root: (root / "d/f").read_bytes()),
}
KINDS = pytest.mark.parametrize("kind", WAITS)
HOW = pytest.mark.parametrize("how", ["hold", "pend"])


def waiting(instance, how, kind):
    """A child that waits for a provider that hangs."""
    path, function = WAITS[kind]
    instance.puppet.ask(f"{how} {kind} {path}")
    child = Child(function, instance.root)
    instance.puppet.ask(f"await {kind} {path} 1")
    return child


@HOW
@KINDS
def test_a_wait_for_a_hanging_provider_ends_with_etimedout(box, kind, how):
    options = ["lookup-timeout=300ms", "data-timeout=300ms"]
    with box.puppet(*FILES, options=options) as instance:
        path, function = WAITS[kind]
        instance.puppet.ask(f"{how} {kind} {path}")
        begin = time.monotonic()
        assert error_of(function, instance.root) == "ETIMEDOUT"
        assert 0.3 <= time.monotonic() - begin < 10
        assert instance.counters()["timeouts"] > 0
        instance.puppet.ask("release")
        assert error_of(function, instance.root) is None


@HOW
@KINDS
def test_sigkill_ends_a_waiter_at_once(box, kind, how):
    with box.puppet(*FILES) as instance:
        child = waiting(instance, how, kind)
        child.kill()
        assert os.WTERMSIG(child.wait_gone(3)) == signal.SIGKILL
        instance.puppet.ask("release")
        assert read(instance.root / "d/f") == content(1, 5000)


@HOW
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_ends_the_process_ends_a_reader_at_once(box, how, number):
    def reader():
        signal.signal(number, signal.SIG_DFL)
        return (instance.root / "large").read_bytes()

    with box.puppet(*FILES) as instance:
        instance.puppet.ask(f"{how} data large")
        child = Child(reader)
        instance.puppet.ask("await data large 1")
        child.kill(number)
        assert os.WTERMSIG(child.wait_gone(3)) == number
        instance.puppet.ask("release")


@pytest.mark.parametrize("path, size, seed", [("d/f", 5000, 1), ("large", 8 << 20, 2)])
def test_handled_and_ignored_signals_do_not_disturb_a_reader(box, path, size, seed):
    with box.puppet(*FILES) as instance:
        instance.puppet.ask("hold data *")
        told_read, told_write = os.pipe()

        def reader():
            for number in (signal.SIGURG, signal.SIGALRM):
                signal.signal(number, lambda *_: None)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            os.write(told_write, b"x")
            return (instance.root / path).read_bytes()

        child = Child(reader)
        os.read(told_read, 1)
        instance.puppet.ask(f"await data {path} 1")
        for _ in range(20):
            for number in (signal.SIGURG, signal.SIGALRM, signal.SIGUSR1):
                child.kill(number)
            # a look-up through the instance, so that it is busy with something between the signals
            stat(instance.root)
        assert child.is_running()
        instance.puppet.ask("release")
        assert child.result() == content(seed, size)


def test_a_handled_signal_does_not_disturb_a_look_up(box):
    with box.puppet(*FILES) as instance:
        instance.puppet.ask("hold lookup d/f")

        def look():
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            size = os.lstat(instance.root / "d/f").st_size
            signal.setitimer(signal.ITIMER_REAL, 0)
            return size

        child = Child(look)
        instance.puppet.ask("await lookup d/f 1")
        assert [stat(instance.root).st_mode for _ in range(30)]
        assert child.is_running()
        instance.puppet.ask("release")
        assert child.result() == 5000


@HOW
@KINDS
def test_others_are_served_while_the_provider_hangs(box, kind, how):
    with box.puppet(*FILES) as instance:
        assert read(instance.root / "there") == content(3, 5000)
        child = waiting(instance, how, kind)
        for _ in range(20):
            assert read(instance.root / "there", timeout=5) == content(3, 5000)
        assert box.state(instance.root / "there") == "hydrated"
        assert instance.status()["counters"]["n_parked"] >= 1
        assert child.is_running()
        instance.puppet.ask("release")
        child.result()


def test_more_hanging_readers_than_threads_keep_nobody_from_local_files(box):
    many = [f"file slow{i} 3000000 {i}" for i in range(100)]
    with box.puppet(*FILES, *many, options=["threads=2"]) as instance:
        assert read(instance.root / "there") == content(3, 5000)
        instance.puppet.ask("pend data *")
        children = [Child((instance.root / f"slow{i}").read_bytes) for i in range(100)]
        for i in range(100):
            instance.puppet.ask(f"await data slow{i} 1")
        for _ in range(10):
            assert read(instance.root / "there", timeout=5) == content(3, 5000)
            assert "there" in names(instance.root, timeout=5)
        instance.puppet.ask("release")
        assert all(c.result() == content(i, 3000000) for i, c in enumerate(children))


# (Of data only what is not read ahead: the kernel tells nobody that its reader has gone.)
@pytest.mark.parametrize("kind", ["lookup", "list"])
def test_a_command_for_which_nobody_waits_any_more_is_cancelled(box, kind):
    with box.puppet(*FILES) as instance:
        child = waiting(instance, "pend", kind)
        child.kill()
        child.wait_gone(3)
        instance.puppet.ask(f"await cancel {WAITS[kind][0]} 1")
        instance.puppet.ask("release")
        assert read(instance.root / "d/f") == content(1, 5000)


def test_two_readers_share_one_question_and_one_may_leave(box):
    with box.puppet(*FILES) as instance:
        instance.puppet.ask("pend data d/f")
        readers = [Child((instance.root / "d/f").read_bytes) for _ in range(2)]
        instance.puppet.ask("await data d/f 1")
        readers[0].kill()
        readers[0].wait_gone(3)
        assert instance.puppet.count("cancel", "d/f") == 0
        instance.puppet.ask("release")
        assert readers[1].result() == content(1, 5000)
        assert instance.puppet.count("data", "d/f") == 1


@KINDS
def test_it_unmounts_in_time_while_pended_commands_wait(box, kind):
    with box.puppet(*FILES) as instance:
        child = waiting(instance, "pend", kind)
        instance.send(signal.SIGTERM)
        assert instance.wait_unmounted(5)
        assert instance.wait(10) == 0
        assert os.WIFEXITED(child.wait_gone(5))


def test_it_unmounts_in_time_while_callbacks_hang(box):
    with box.puppet(*FILES, options=["threads=4"]) as instance:
        children = [waiting(instance, "hold", kind) for kind in ("lookup", "list")]
        children.append(Child((instance.root / "large").read_bytes))
        instance.send(signal.SIGTERM)
        assert instance.wait_unmounted(5)
        for child in children:
            child.wait_gone(15)
        assert instance.wait(15) in (0, 1)  # after ten seconds it gives the provider up
