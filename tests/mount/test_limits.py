# SPDX-License-Identifier: MIT
"""Bounds: callbacks at once, the time that anything waits, and what ten thousand waiting readers cost."""

import contextlib
import errno
import mmap
import os
import resource
import signal
import subprocess

import pytest

import support
import watchdog
from support import Child, content, error_of, eventually, inside, names, read

OUT_OF_MEMORY = -2147024882  # PRJ_ERR_OUT_OF_MEMORY
HOUR = "placeholder-timeout=1h"  # what was looked at once is known for the whole test


# ---- callbacks at once --------------------------------------------------------------------------


def callbacks(instance):
    """How many the provider has been asked so far, beginnings and ends of listings aside."""
    return sum(instance.puppet.count(kind) for kind in ("lookup", "list", "data"))


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_callbacks_run_at_once_than_the_instance_has_threads(box, threads):
    tree = [line for i in range(4) for line in (f"dir d{i}", f"file d{i}/f 5000 {i}", f"file f{i} 3000000 {i}")]
    with box.puppet(*tree, options=[f"threads={threads}", HOUR]) as instance:
        root = instance.root
        for i in range(4):
            inside(lambda i=i: [os.close(os.open(root / name, os.O_RDONLY)) for name in (f"d{i}", f"f{i}")])
        before = callbacks(instance)
        for kind in ("lookup", "list", "data"):
            instance.puppet.ask(f"hold {kind} *")
        children = []
        for i in range(4):
            children.append(Child(os.lstat, root / f"d{i}/f"))
            children.append(Child(os.listdir, root / f"d{i}"))
            children.append(Child((root / f"f{i}").read_bytes))
        # all of them wait, so each that could be asked of the provider was
        assert eventually(lambda: instance.counters()["n_parked"] >= len(children), True)
        assert callbacks(instance) - before == threads
        instance.puppet.ask("release")
        for child in children:
            child.result()
        assert callbacks(instance) - before >= len(children)


def test_an_instance_takes_all_the_descriptors_that_it_may_have(box):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with box.puppet("file f 1 1") as instance:
            found = resource.prlimit(instance.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == (hard, hard)


# ---- time limits --------------------------------------------------------------------------------


def with_fd(flags, function):
    """Open the path, and call function(fd)."""

    def run(path):
        fd = os.open(path, flags)
        try:
            return function(fd)
        finally:
            os.close(fd)

    return run


def other(path):
    return path.with_name("other")


# What asks for a name, which nobody has looked up before.
NAMED = {
    "stat": os.lstat,
    "access": lambda path: os.stat(path).st_mode,
    "open": with_fd(os.O_RDONLY, lambda fd: None),
    "create": with_fd(os.O_WRONLY | os.O_CREAT, lambda fd: None),
    "open-truncate": with_fd(os.O_WRONLY | os.O_TRUNC, lambda fd: None),
    "mkdir": os.mkdir,
    "symlink": lambda path: os.symlink("target", path),
    "readlink": os.readlink,
    "link": lambda path: os.link(path, other(path)),
    "rename": lambda path: os.rename(path, other(path)),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "chmod": lambda path: os.chmod(path, 0o600),
    "utime": lambda path: os.utime(path, (1, 1)),
    "truncate": lambda path: os.truncate(path, 10),
    "getxattr": lambda path: os.getxattr(path, "user.a"),
    "setxattr": lambda path: os.setxattr(path, "user.a", b"1"),
}

# What needs content, of a file that is known.
DATA = {
    "read": with_fd(os.O_RDONLY, lambda fd: os.read(fd, 100)),
    "read-direct": with_fd(os.O_RDONLY | os.O_DIRECT, lambda fd: os.preadv(fd, [mmap.mmap(-1, 4096)], 0)),
    "write": with_fd(os.O_WRONLY, lambda fd: os.pwrite(fd, b"x", 10)),
    "truncate": lambda path: os.truncate(path, 10),
    "fallocate": with_fd(os.O_WRONLY, lambda fd: os.posix_fallocate(fd, 0, 10000)),
    "link": lambda path: os.link(path, other(path)),
}

# What needs to know what is in a directory.
LIST = {
    "readdir": os.listdir,
    "rmdir": os.rmdir,
}

# What needs to know how a file, open already, looks now.
STALE = {
    "fstat": os.fstat,
    "fchmod": lambda fd: os.fchmod(fd, 0o600),
    "futimens": lambda fd: os.utime(fd, (1, 1)),
    "fgetxattr": lambda fd: os.getxattr(fd, "user.a"),
    "flistxattr": os.listxattr,
    "fsetxattr": lambda fd: os.setxattr(fd, "user.a", b"1"),
}

SHORT = ["lookup-timeout=300ms", "data-timeout=300ms"]


def hang(instance):
    for kind in ("lookup", "list", "data"):
        instance.puppet.ask(f"hold {kind} *")


def errors(functions, argument_of):
    """The error of each; they wait side by side, so that the limit passes once for all."""
    children = {name: Child(function, argument_of(name)) for name, function in functions.items()}
    found = {}
    for name, child in children.items():
        try:
            child.result()
            found[name] = None
        except OSError as e:
            found[name] = errno.errorcode[e.errno]
    return found


def all_of(functions, error):
    return dict.fromkeys(functions, error)


def a_file_each(functions):
    """A directory for each, since who changes one waits in the kernel for who looks into it."""
    return [line for name in functions for line in (f"dir {name}", f"file {name}/f 5000 1")]


def untouched(root, functions):
    return all(
        os.listdir(root / name) == ["f"] and (root / name / "f").read_bytes() == content(1, 5000)
        for name in functions
    )


def test_whatever_looks_up_a_name_ends_with_etimedout(box):
    with box.puppet(*a_file_each(NAMED), options=[*SHORT, HOUR]) as instance:
        inside(lambda: [os.lstat(instance.root / name) for name in NAMED])
        hang(instance)
        assert errors(NAMED, lambda name: instance.root / name / "f") == all_of(NAMED, "ETIMEDOUT")
        instance.puppet.ask("release")
        assert inside(untouched, instance.root, NAMED)


def test_whatever_needs_content_ends_with_etimedout(box):
    def look():
        for name in DATA:
            os.close(os.open(instance.root / name / "f", os.O_RDONLY))
        with contextlib.suppress(FileNotFoundError):
            os.lstat(instance.root / "link/other")

    with box.puppet(*a_file_each(DATA), options=[*SHORT, HOUR]) as instance:
        inside(look)
        hang(instance)
        assert errors(DATA, lambda name: instance.root / name / "f") == all_of(DATA, "ETIMEDOUT")
        instance.puppet.ask("release")
        assert inside(untouched, instance.root, DATA)


def test_whatever_needs_a_listing_ends_with_etimedout(box):
    with box.puppet(*a_file_each(LIST), options=[*SHORT, HOUR]) as instance:
        inside(lambda: [os.lstat(instance.root / name) for name in LIST])
        hang(instance)
        assert errors(LIST, lambda name: instance.root / name) == all_of(LIST, "ETIMEDOUT")
        instance.puppet.ask("release")
        assert inside(untouched, instance.root, LIST)


def with_stale(function):
    """Call it when the millisecond is over for which the kernel and the instance know how the file looks."""

    def run(fd):
        with contextlib.suppress(TimeoutError):
            while True:
                os.fstat(fd)
        return function(fd)

    return run


def test_whatever_asks_again_how_an_open_file_looks_ends_with_etimedout(box):
    # a child opens them all, lets the provider hang, and forks once more for each
    def work():
        fds = {name: os.open(instance.root / name / "f", os.O_RDWR) for name in STALE}
        hang(instance)
        return errors({name: with_stale(f) for name, f in STALE.items()}, lambda name: fds[name])

    with box.puppet(*a_file_each(STALE), options=[*SHORT, "placeholder-timeout=1ms"]) as instance:
        assert inside(work) == all_of(STALE, "ETIMEDOUT")
        instance.puppet.ask("release")
        assert inside(untouched, instance.root, STALE)


# A live view has to ask whether the provider has something under the name, too.
GIVEN_AWAY = {
    "unlink": os.unlink,
    "rename": lambda path: os.rename(path, other(path)),
}


def test_removing_a_local_file_whose_name_cannot_be_asked_about_ends_with_etimedout(box):
    def make():
        for name in GIVEN_AWAY:
            (instance.root / name / "local").write_text("mine")

    def is_there():
        return all((instance.root / name / "local").read_text() == "mine" for name in GIVEN_AWAY)

    def give_away():
        return errors(GIVEN_AWAY, lambda name: instance.root / name / "local")

    options = [*SHORT, "placeholder-timeout=1ms"]
    with box.puppet(*a_file_each(GIVEN_AWAY), options=options) as instance:
        inside(make)
        hang(instance)
        # when this has failed, more than a millisecond has passed since the names were asked about
        assert error_of(os.lstat, instance.root / "absent") == "ETIMEDOUT"
        assert give_away() == all_of(GIVEN_AWAY, "ETIMEDOUT")
        instance.puppet.ask("release")
        assert inside(is_there)
        assert give_away() == all_of(GIVEN_AWAY, None)


# ---- everybody else -----------------------------------------------------------------------------


def use_local_things(directory):
    """All that a user does in a directory of his own."""
    made = directory / "made"
    made.mkdir()
    (made / "a").write_text("one")
    (made / "b").symlink_to("a")
    os.link(made / "a", made / "c")
    with open(made / "a", "r+", encoding="ascii") as f:
        f.write("two")
        f.truncate(2)
        os.fsync(f.fileno())
    assert (made / "b").read_text() == (made / "c").read_text() == "tw"
    os.chmod(made / "a", 0o600)
    os.setxattr(made / "a", "user.a", b"1")
    os.rename(made / "a", made / "d")
    assert sorted(os.listdir(made)) == ["b", "c", "d"]
    for name in os.listdir(made):
        os.unlink(made / name)
    made.rmdir()
    return os.listdir(directory)


def test_local_and_hydrated_things_elsewhere_are_served_while_every_callback_hangs(box):
    view = ["dir d", "file d/f 5000 1", "dir e", "file e/f 5000 2", "file e/large 3000000 3"]
    with box.puppet(*view, options=["threads=2", HOUR]) as instance:
        root = instance.root
        assert read(root / "e/f") == content(2, 5000)
        assert read(root / "e/large") == content(3, 3000000)
        inside(lambda: ((root / "own").mkdir(), os.lstat(root / "d"), [os.stat(p) for p in root.iterdir()]))
        before = callbacks(instance)
        hang(instance)
        children = [Child(os.lstat, root / "d/f")] + [Child(os.listdir, root / "d") for _ in range(3)]
        children += [Child(os.lstat, root / f"d/{i}") for i in range(20)]
        assert eventually(lambda: instance.counters()["n_commands"] > 2, True)
        assert eventually(lambda: callbacks(instance) - before, 2) == 2
        for _ in range(3):
            assert inside(use_local_things, root / "own", timeout=15) == []
            assert read(root / "e/f", timeout=15) == content(2, 5000)
            assert read(root / "e/large", 2000000, 5000, timeout=15) == content(3, 5000, 2000000)
        with_write = with_fd(os.O_WRONLY, lambda fd: os.pwrite(fd, b"x", 0))
        assert inside(with_write, root / "e/f", timeout=15) == 1
        assert read(root / "e/f", timeout=15) == b"x" + content(2, 5000)[1:]
        assert all(child.is_running() for child in children)
        instance.puppet.ask("release")
        for child in children:
            with contextlib.suppress(FileNotFoundError):
                child.result()


def test_a_stable_view_lists_what_it_knows_while_every_callback_hangs(box):
    view = ["dir d", "file d/f 5000 1", "many e 300"]
    with box.puppet(*view, options=["threads=2", "stable"]) as instance:
        before = names(instance.root / "e")
        assert len(before) == 300
        hang(instance)
        children = [Child((instance.root / "e" / name).read_bytes) for name in before[:2]]
        assert eventually(lambda: instance.counters()["n_parked"], 2) == 2
        assert names(instance.root / "e", timeout=15) == before
        assert inside(lambda: sum(os.lstat(instance.root / "e" / n).st_size for n in before), timeout=15) == 1500
        assert error_of(os.lstat, instance.root / "e/absent", timeout=15) == "ENOENT"
        instance.puppet.ask("release")
        for child in children:
            child.result()


# ---- ten thousand readers -----------------------------------------------------------------------


def n_readers():
    """Of an ordinary user the kernel takes fewer at once, and a quarter of them is kept for others."""
    if support.IS_ROOT:
        return 10_000
    with open("/sys/module/fuse/parameters/max_user_bgreq", encoding="ascii") as f:
        return min(10_000, int(f.read()) // 2)


N = n_readers()
THREADS = 2


def mount_many(box, *options):
    """A directory "d" of N small files that are known but not hydrated, and a hydrated one elsewhere."""

    def look():
        for name in os.listdir(instance.root / "d"):
            os.close(os.open(instance.root / "d" / name, os.O_RDONLY))

    files = [f"file d/f{i:06} 16 {i}" for i in range(N)]
    view = ["dir d", "dir e", "file e/f 5000 1", *files]
    instance = box.puppet(*view, options=[HOUR, f"threads={THREADS}", *options])
    inside(look)
    assert read(instance.root / "e/f") == content(1, 5000)
    return instance


class Readers:
    """readers.c: a reader for each file, in one process."""

    def __init__(self, box, instance, how):
        command = [support.BUILD / "tests/mount/readers", instance.root / "d", str(N), how]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=box.environment)

    def tally(self, timeout=40):
        """{how they ended: how many}"""
        if not support.wait_for_exit(self.process.pid, timeout):
            self.kill()
        out, _ = self.process.communicate(timeout=10)
        return {how: int(n) for n, how in (line.split() for line in out.decode().splitlines())}

    def kill(self, timeout=30):
        self.process.kill()
        if not support.wait_for_exit(self.process.pid, timeout):
            watchdog.abort_all()
            raise TimeoutError("killed readers did not end")
        self.process.communicate(timeout=10)


def wait_until_all_read(instance):
    def all_read():
        counters = instance.counters()
        return counters["n_parked"] >= N and counters["reads"] >= N

    assert eventually(all_read, True, 40)


def size_of(instance):
    """(threads, open files)"""
    return tuple(len(os.listdir(f"/proc/{instance.pid}/{what}")) for what in ("task", "fd"))


def some_are_right(instance):
    """A good answer counts, whatever came before it."""
    numbers = range(0, N, N // 10)
    return all(read(instance.root / f"d/f{i:06}") == content(i, 16) for i in numbers)


HOW = pytest.mark.parametrize("how", ["read", "direct"])


@HOW
def test_ten_thousand_readers_cost_no_threads_or_files_and_get_their_bytes(box, how):
    with mount_many(box) as instance:
        threads, fds = size_of(instance)
        instance.puppet.ask("hold data *")
        readers = Readers(box, instance, how)
        wait_until_all_read(instance)
        threads_now, fds_now = size_of(instance)
        # a thread or two come and go with the clients of the control socket
        assert threads_now <= threads + 2
        assert fds_now <= fds + 20
        assert instance.puppet.count("data") == THREADS + 1
        for _ in range(3):
            assert read(instance.root / "e/f", timeout=15) == content(1, 5000)
        instance.puppet.ask("release")
        assert readers.tally() == {"right": N}
        assert eventually(lambda: instance.counters()["n_commands"], 0) == 0


def test_ten_thousand_readers_end_when_the_provider_fails_and_may_come_again(box):
    with mount_many(box) as instance:
        instance.puppet.ask("hold data *")
        readers = Readers(box, instance, "direct")
        wait_until_all_read(instance)
        instance.puppet.ask(f"fail data * {OUT_OF_MEMORY}")
        assert readers.tally() == {"ENOMEM": N}
        instance.puppet.ask("release")
        assert some_are_right(instance)


def test_ten_thousand_readers_end_when_the_limit_passes_and_may_come_again(box):
    with mount_many(box, "data-timeout=3s") as instance:
        instance.puppet.ask("hold data *")
        assert Readers(box, instance, "direct").tally() == {"ETIMEDOUT": N}
        assert instance.counters()["timeouts"] == N
        instance.puppet.ask("release")
        assert some_are_right(instance)


@HOW
def test_ten_thousand_readers_end_when_the_instance_is_killed(box, how):
    instance = mount_many(box)
    instance.puppet.ask("hold data *")
    readers = Readers(box, instance, how)
    wait_until_all_read(instance)
    instance.send(signal.SIGKILL)
    found = readers.tally()
    assert "right" not in found and sum(found.values()) == N
    assert instance.wait() == -signal.SIGKILL
    assert instance.wait_unmounted(20)


def test_ten_thousand_killed_readers_leave_no_commands_behind(box):
    with mount_many(box) as instance:
        instance.puppet.ask("hold data *")
        readers = Readers(box, instance, "direct")
        wait_until_all_read(instance)
        readers.kill()
        # what was not begun is forgotten, what is running is told
        assert eventually(lambda: instance.counters()["n_commands"], THREADS, 40) == THREADS
        assert eventually(lambda: instance.puppet.count("cancel"), THREADS) == THREADS
        assert instance.counters()["n_parked"] == 0
        instance.puppet.ask("release")
        assert some_are_right(instance)


def test_sigkill_ends_ten_thousand_readers_of_whom_the_kernel_tells_nobody(box):
    with mount_many(box) as instance:
        instance.puppet.ask("hold data *")
        readers = Readers(box, instance, "read")
        wait_until_all_read(instance)
        readers.kill()
        instance.puppet.ask(f"fail data * {OUT_OF_MEMORY}")
        assert eventually(lambda: instance.counters()["n_commands"], 0, 40) == 0
