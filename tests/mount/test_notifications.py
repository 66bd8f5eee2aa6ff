# SPDX-License-Identifier: MIT
"""
What a provider hears of what applications do: system calls of a child, and the notifications that they lead to, written down
by listener/listener.c.  Closes come when the kernel gets to them, so nothing is ever asserted about what has
not been told yet; what is left over at the end of a test fails it.
"""

import ctypes
import errno
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from support import IS_ROOT, Child, error_of, inside, tool

ALL = 0x1FFE
SUPPRESS, OPENED, CREATED, CLOSED, MODIFIED = 0x1, 0x2, 0x4, 0x200, 0x400


def text_of(event):
    """ "renamed d/ e": a directory ends in '/', a file that was deleted after a change in '+'."""
    words = event["event"] + " " + (event["path"] or ("." if event["is_directory"] else "nowhere"))
    words += "/" * event["is_directory"] + "+" * event["is_modified"]
    return words + (f" {event['destination']}" if event["destination"] else "")


class Listener:
    """An instance with the listener in front of `dir`."""

    def __init__(self, box, *options, mappings=f"mask={ALL}"):
        self.log = box.dir / "events"
        self.rules_file = box.dir / "rules"
        self.log.write_text("")
        self.rules_file.write_text("")
        self.n_seen = 0
        text = f"log={self.log} rules={self.rules_file} {mappings}".strip()
        self.instance = box.mount(None, f"filter=listener:{text}", *options)
        self.root = box.root

    def rule(self, *lines):
        """What some are answered, from now on: "EVENT PATH error ERRNO", "EVENT PATH mask MASK"."""
        temporary = self.rules_file.with_suffix(".new")
        temporary.write_text("".join(line + "\n" for line in lines))
        temporary.rename(self.rules_file)

    def new_events(self):
        lines = self.log.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines[self.n_seen :]]

    def wait(self, n):
        """The next n notifications, in the order of their numbers."""
        deadline = time.monotonic() + 20
        while len(events := self.new_events()) < n and time.monotonic() < deadline:
            pass
        self.n_seen += min(n, len(events))
        return sorted(events[:n], key=lambda event: event["sequence"])

    def hears(self, *expected):
        """These notifications, in this order, and no other before the last of them."""
        events = self.wait(len(expected))
        assert [text_of(e) for e in events] == list(expected)
        return events

    def hears_in_any_order(self, *expected):
        """Those of several items."""
        assert sorted(text_of(e) for e in self.wait(len(expected))) == sorted(expected)

    def stop(self):
        self.instance.stop()
        assert [text_of(e) for e in self.new_events()] == []


@pytest.fixture(params=["live", "stable"])
def listener(request, box):
    (box.source / "a").write_bytes(b"from the source\n")
    (box.source / "b").write_bytes(b"another\n")
    (box.source / "d").mkdir()
    (box.source / "d" / "c").write_bytes(b"below\n")
    (box.source / "link").symlink_to("a")
    shutil.copy("/bin/true", box.source / "program")
    it = Listener(box, *(["stable"] if request.param == "stable" else []))
    yield it
    it.stop()


# ---- files -----------------------------------------------------------------------------------


def write_to(path, flags, data=b"x", offset=None):
    fd = os.open(path, flags, 0o644)
    try:
        return os.write(fd, data) if offset is None else os.pwrite(fd, data, offset)
    finally:
        os.close(fd)


def read_from(path):
    with open(path, "rb", buffering=0) as f:
        return f.readall()


def touch(path, flags):
    os.close(os.open(path, flags, 0o644))


def fetches(listener):
    return listener.instance.counters()["callbacks_data"]


def is_full(listener, box, name):
    """The projfs command is an application, too."""
    state = box.state(listener.root / name)
    listener.hears("opened ./", "closed ./")
    return "full" in state


def test_reading(listener):
    assert inside(read_from, listener.root / "a") == b"from the source\n"
    first, second = listener.hears("opened a", "closed a")
    assert first["handle"] == second["handle"] != 0
    assert second["sequence"] > first["sequence"] > 0


def test_an_open_for_writing_converts_nothing(listener, box):
    inside(touch, listener.root / "a", os.O_RDWR)
    listener.hears("opened a", "closed a")
    assert not is_full(listener, box, "a")
    assert fetches(listener) == 0


def test_the_first_write_converts(listener):
    inside(write_to, listener.root / "a", os.O_WRONLY, b"FROM", 0)
    listener.hears("opened a", "pre-convert a", "modified a")
    inside(write_to, listener.root / "a", os.O_WRONLY | os.O_APPEND, b"!\n")
    listener.hears("opened a", "modified a")
    assert inside(read_from, listener.root / "a") == b"FROM the source\n!\n"
    listener.hears("opened a", "closed a")


def test_creating(listener):
    inside(touch, listener.root / "new", os.O_WRONLY | os.O_CREAT)
    listener.hears("created new", "closed new")
    inside(write_to, listener.root / "d" / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    listener.hears("created d/new", "modified d/new")
    inside(touch, listener.root / "new", os.O_WRONLY | os.O_CREAT)
    listener.hears("opened new", "closed new")


def test_overwriting_fetches_nothing(listener):
    inside(write_to, listener.root / "a", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, b"mine")
    listener.hears("pre-convert a", "overwritten a", "modified a")
    assert fetches(listener) == 0
    assert inside(read_from, listener.root / "a") == b"mine"
    listener.hears("opened a", "closed a")
    inside(touch, listener.root / "a", os.O_RDWR | os.O_TRUNC)
    listener.hears("overwritten a", "modified a")
    assert inside(os.stat, listener.root / "a").st_size == 0


def _truncate_open(path, size):
    fd = os.open(path, os.O_RDWR)
    os.ftruncate(fd, size)
    os.close(fd)


def test_truncating(listener):
    inside(os.truncate, listener.root / "a", 4)
    listener.hears("pre-convert a", "modified a")
    inside(_truncate_open, listener.root / "a", 2)
    listener.hears("opened a", "modified a")
    inside(os.truncate, listener.root / "b", 0)
    listener.hears("pre-convert b", "modified b")


def _copy_range(source, target):
    with open(source, "rb") as f, open(target, "r+b") as t:
        return os.copy_file_range(f.fileno(), t.fileno(), 4)


def test_copying_a_range(listener):
    assert inside(_copy_range, listener.root / "a", listener.root / "b") == 4
    listener.hears_in_any_order("opened a", "opened b", "pre-convert b", "closed a", "modified b")


def _allocate(path):
    fd = os.open(path, os.O_RDWR)
    os.posix_fallocate(fd, 0, 10000)
    os.close(fd)


def test_allocating(listener):
    inside(_allocate, listener.root / "a")
    listener.hears("opened a", "pre-convert a", "modified a")


def _store_after_close(path, told):
    fd = os.open(path, os.O_RDWR)
    memory = mmap.mmap(fd, 4)
    os.close(fd)
    memory[0:4] = b"MMAP"
    told.send(b"stored")
    told.recv(1)
    memory.close()  # the last reference


def test_a_store_after_the_close_is_a_change(listener):
    """mmap duplicates the descriptor in Python; it is the mapping that keeps the file open."""
    ours, theirs = socket.socketpair()
    child = Child(_store_after_close, listener.root / "a", theirs)
    assert ours.recv(10) == b"stored"
    listener.hears("opened a")
    ours.send(b"x")
    child.result()
    listener.hears("pre-convert a", "modified a")
    assert inside(read_from, listener.root / "a").startswith(b"MMAP")
    listener.hears("opened a", "closed a")


def _duplicate(path):
    fd = os.open(path, os.O_RDWR)
    other = os.dup(fd)
    os.close(fd)
    pid = os.fork()
    if pid == 0:
        os.write(other, b"x")
        os._exit(0)
    os.close(other)
    os.waitpid(pid, 0)


def test_duplicated_and_inherited_descriptors_are_one(listener):
    inside(_duplicate, listener.root / "a")
    listener.hears("opened a", "pre-convert a", "modified a")


def _open_twice(path):
    reader = os.open(path, os.O_RDONLY)
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b"x")
    os.close(reader)
    os.close(writer)


def test_each_open_has_its_close(listener):
    inside(_open_twice, listener.root / "a")
    events = listener.wait(5)
    assert [text_of(e) for e in events[:3]] == ["opened a", "opened a", "pre-convert a"]
    closes = {e["handle"]: e["event"] for e in events[3:]}
    assert closes == {events[0]["handle"]: "closed", events[1]["handle"]: "modified"}


def _look(root):
    os.stat(root / "a")
    os.access(root / "a", os.R_OK)
    os.readlink(root / "link")
    os.chmod(root / "a", 0o600)
    os.utime(root / "a")
    os.listxattr(root / "a")
    os.stat(root / "d" / "c")
    os.chdir(root / "d")
    try:
        os.stat(root / "none")
    except FileNotFoundError:
        pass


def test_what_opens_nothing_is_not_told(listener):
    inside(_look, listener.root)
    inside(touch, listener.root / "b", os.O_RDONLY)
    listener.hears("opened b", "closed b")


def test_a_program_is_opened_and_closed(listener):
    tool(listener.root / "program")
    listener.hears("opened program", "closed program")


# ---- names -----------------------------------------------------------------------------------


def test_directories(listener):
    inside(os.listdir, listener.root)
    listener.hears("opened ./", "closed ./")
    inside(os.listdir, listener.root / "d")
    listener.hears("opened d/", "closed d/")
    inside(os.mkdir, listener.root / "new")
    inside(os.rmdir, listener.root / "new")
    listener.hears("created new/", "pre-delete new/", "deleted new/")
    assert error_of(os.rmdir, listener.root / "d") == "ENOTEMPTY"


def test_special_files(listener):
    inside(os.mkfifo, listener.root / "fifo")
    inside(os.symlink, "a", listener.root / "newlink")
    listener.hears("created fifo", "created newlink")
    inside(read_from, listener.root / "newlink")  # is that of the file
    listener.hears("opened a", "closed a")


def _delete_open(path):
    fd = os.open(path, os.O_RDWR)
    os.write(fd, b"x")
    os.unlink(path)
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDWR))  # it has no name
    os.ftruncate(fd, 0)
    os.close(fd)


def test_deleting(listener):
    inside(os.unlink, listener.root / "a")
    listener.hears("pre-delete a", "deleted a")
    inside(os.unlink, listener.root / "link")
    listener.hears("pre-delete link", "deleted link")
    inside(_delete_open, listener.root / "b")
    listener.hears("opened b", "pre-convert b", "pre-delete b", "deleted b+")


def _exchange(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):
        raise OSError(ctypes.get_errno(), "renameat2")


def _rename_open(old, new):
    fd = os.open(old, os.O_RDONLY)
    os.rename(old, new)
    os.close(fd)


def test_renaming(listener):
    root = listener.root
    inside(os.rename, root / "a", root / "d" / "a")
    listener.hears("pre-rename a d/a", "renamed a d/a")
    inside(os.rename, root / "d", root / "e")
    listener.hears("pre-rename d/ e", "renamed d/ e")
    inside(os.rename, root / "e" / "a", root / "b")  # replaces it
    listener.hears("pre-rename e/a b", "renamed e/a b")
    inside(_rename_open, root / "e" / "c", root / "c")
    listener.hears("opened e/c", "pre-rename e/c c", "renamed e/c c", "closed c")
    inside(_exchange, root / "c", root / "e")
    listener.hears("pre-rename c e", "pre-rename e/ c", "renamed c e", "renamed e/ c")
    assert inside(read_from, root / "e") == b"below\n"
    listener.hears("opened e", "closed e")


def _link_unnamed(directory, name):
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o644)
    os.write(fd, b"x")
    libc = ctypes.CDLL(None, use_errno=True)
    follow = 0x400  # AT_SYMLINK_FOLLOW, which os.link() does not pass on
    r = libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, os.fsencode(directory / name), follow)
    os.close(fd)
    if r:
        raise OSError(ctypes.get_errno(), "linkat")


def test_linking(listener):
    root = listener.root
    inside(os.link, root / "a", root / "d" / "hard")
    listener.hears("pre-link a d/hard", "pre-convert a", "linked a d/hard")
    inside(os.rename, root / "a", root / "d" / "hard")  # nothing happens
    inside(_link_unnamed, root, "unnamed")
    listener.hears("pre-link nowhere unnamed", "linked nowhere unnamed", "modified unnamed")


def test_shell_redirections(listener):
    script = "echo x > new; cat a > b; echo y >> a; : > new"
    tool("sh", "-c", script, cwd=listener.root)
    listener.hears_in_any_order(
        *("created new", "modified new"),
        *("pre-convert b", "overwritten b", "opened a", "closed a", "modified b"),
        *("opened a", "pre-convert a", "modified a"),
        *("overwritten new", "modified new"),
    )


def test_moving_across_the_edge_is_creating_and_deleting(listener, box):
    outside = box.make_dir("outside")
    (outside / "in").write_text("in\n")
    tool("mv", outside / "in", listener.root / "in")
    listener.hears("created in", "modified in")
    tool("mv", listener.root / "a", outside / "a")
    listener.hears_in_any_order("opened a", "closed a", "pre-delete a", "deleted a")
    assert (outside / "a").read_bytes() == b"from the source\n"


# ---- refusals --------------------------------------------------------------------------------


def test_refusals(listener):
    root = listener.root
    listener.rule(*(f"{e} * error {errno.EACCES}" for e in ("pre-delete", "pre-rename", "pre-link", "opened")))
    assert error_of(os.unlink, root / "a") == "EACCES"
    inside(os.mkdir, root / "new")
    assert error_of(os.rmdir, root / "new") == "EACCES"
    assert error_of(os.rename, root / "a", root / "x") == "EACCES"
    assert error_of(_exchange, root / "a", root / "b") == "EACCES"
    assert error_of(os.link, root / "a", root / "x") == "EACCES"
    assert error_of(_link_unnamed, root, "x") == "EACCES"
    assert error_of(touch, root / "a", os.O_RDONLY) == "EACCES"
    assert error_of(os.listdir, root / "d") == "EACCES"
    listener.hears(
        *("pre-delete a", "created new/", "pre-delete new/", "pre-rename a x", "pre-rename a b", "pre-link a x"),
        *("pre-link nowhere x", "opened a", "opened d/"),
    )
    listener.rule()
    assert inside(read_from, root / "a") == b"from the source\n"
    listener.hears("opened a", "closed a")
    assert error_of(os.stat, root / "x") == "ENOENT"


def test_a_refused_conversion_leaves_the_file(listener, box):
    path = listener.root / "a"
    listener.rule(f"pre-convert * error {errno.EPERM}")
    assert error_of(write_to, path, os.O_WRONLY) == "EPERM"
    listener.hears("opened a", "pre-convert a", "closed a")
    assert error_of(touch, path, os.O_WRONLY | os.O_TRUNC) == "EPERM"
    assert error_of(os.truncate, path, 0) == "EPERM"
    assert error_of(os.truncate, path, 3) == "EPERM"
    assert error_of(os.link, path, listener.root / "x") == "EPERM"
    listener.hears("pre-convert a", "pre-convert a", "pre-convert a", "pre-link a x", "pre-convert a")
    assert inside(read_from, path) == b"from the source\n"
    assert inside(os.stat, path).st_size == 16
    listener.hears("opened a", "closed a")
    assert not is_full(listener, box, "a")
    listener.rule()
    inside(write_to, path, os.O_WRONLY)
    listener.hears("opened a", "pre-convert a", "modified a")


def _store(path):
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 4) as memory:
        memory[0:4] = b"MMAP"
        try:
            memory.flush()
        except OSError as e:
            return errno.errorcode[e.errno]
    return None


def test_a_refused_store_is_an_error_of_msync(listener):
    listener.rule(f"pre-convert * error {errno.EACCES}")
    assert inside(_store, listener.root / "a") in ("EIO", "EACCES")  # the kernel's choice
    assert text_of(listener.wait(1)[0]) == "opened a"
    # the kernel may try again at the end
    while (event := text_of(listener.wait(1)[0])) != "closed a":
        assert event == "pre-convert a"
    listener.instance.stop()
    assert not (listener.root / "a").exists() or (listener.root / "a").read_bytes() == b"from the source\n"


def test_facts_cannot_be_refused(listener):
    facts = ("created", "overwritten", "renamed", "linked", "closed", "modified", "deleted")
    listener.rule(*(f"{e} * error {errno.EACCES}" for e in facts))
    root = listener.root
    inside(write_to, root / "new", os.O_WRONLY | os.O_CREAT)
    listener.hears("created new", "modified new")
    inside(touch, root / "new", os.O_WRONLY | os.O_TRUNC)
    listener.hears("overwritten new", "modified new")
    inside(os.rename, root / "new", root / "newer")
    inside(os.link, root / "newer", root / "other")
    inside(os.unlink, root / "newer")
    listener.hears(
        *("pre-rename new newer", "renamed new newer", "pre-link newer other", "linked newer other"),
        *("pre-delete newer", "deleted newer"),
    )


# ---- who ---------------------------------------------------------------------------------------


def _open_in_a_thread(path):
    thread = threading.Thread(target=touch, args=(path, os.O_RDONLY))
    thread.start()
    thread.join()
    return os.getpid()


def test_the_process_is_told(listener):
    pid = inside(_open_in_a_thread, listener.root / "a")
    for event in listener.hears("opened a", "closed a"):
        assert (event["pid"], event["uid"]) == (pid, os.geteuid())
        assert event["image"] == os.path.realpath("/proc/self/exe")


def _leave_a_heir(path, told):
    fd = os.open(path, os.O_RDONLY)
    if os.fork() == 0:
        told.recv(1)  # until the opener has ended
        os.close(fd)
        os._exit(0)


def test_a_close_tells_who_opened(listener):
    ours, theirs = socket.socketpair()
    child = Child(_leave_a_heir, listener.root / "a", theirs)
    theirs.close()
    child.wait_gone()
    os.close(child.result_fd)  # the heir has the other end
    listener.hears("opened a")
    ours.send(b"x")
    (event,) = listener.hears("closed a")
    assert event["pid"] == child.pid
    assert event["image"] == os.path.realpath("/proc/self/exe")


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_the_user_is_told(listener):
    tool("setpriv", "--reuid=12345", "--clear-groups", "cat", listener.root / "a")
    for event in listener.hears("opened a", "closed a"):
        assert event["uid"] == 12345
        assert event["image"].endswith("/cat")


# ---- masks -------------------------------------------------------------------------------------


def _write_twice(path):
    first = os.open(path, os.O_RDWR)
    second = os.open(path, os.O_RDWR)
    os.write(first, b"x")
    os.close(first)
    os.close(second)


def test_an_answer_silences_a_file_until_its_last_close(listener):
    listener.rule(f"opened a mask {SUPPRESS}")
    inside(_write_twice, listener.root / "a")
    listener.hears("opened a")
    listener.rule()
    # the closes are told to nobody, so there is nothing to wait for but that the next open is heard of
    deadline = time.monotonic() + 20
    while not listener.new_events() and time.monotonic() < deadline:
        inside(touch, listener.root / "a", os.O_RDONLY)
    events = listener.wait(2)
    assert [text_of(e) for e in events] == ["opened a", "closed a"]


def test_an_answer_asks_for_more(box):
    listener = Listener(box, mappings=f"mask={OPENED}")
    (box.source / "a").write_text("a")
    listener.rule(f"opened a mask {CLOSED | MODIFIED}", "opened b mask 0xffffffff")
    inside(_write_twice, listener.root / "a")
    listener.hears("opened a", "modified a", "modified a")
    listener.stop()


def test_mappings(box):
    (box.source / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (box.source / name).write_text(name)
    listener = Listener(
        box, mappings=f"mask={SUPPRESS | ALL} root=d/e mask={OPENED} mask={CREATED} root=d mask={ALL} root=d/e/later"
    )
    for name in ("a", "d/b", "d/e/c"):
        inside(read_from, listener.root / name)
    inside(touch, listener.root / "d" / "new", os.O_CREAT | os.O_WRONLY)
    inside(touch, listener.root / "d" / "e" / "new", os.O_CREAT | os.O_WRONLY)
    inside(touch, listener.root / "d" / "e" / "later", os.O_CREAT | os.O_WRONLY)
    listener.hears_in_any_order("opened a", "created d/new", "created d/e/later", "closed d/e/later")
    listener.stop()


def test_without_mappings_opens_and_new_files_are_told(box):
    (box.source / "a").write_text("a")
    listener = Listener(box, mappings="")
    inside(read_from, listener.root / "a")
    inside(write_to, listener.root / "new", os.O_CREAT | os.O_WRONLY)
    inside(touch, listener.root / "a", os.O_TRUNC | os.O_WRONLY)
    inside(os.unlink, listener.root / "a")
    inside(_link_unnamed, listener.root, "unnamed")
    listener.hears(
        *("opened a", "created new", "overwritten a"),
        *("pre-link nowhere unnamed", "linked nowhere unnamed"),
    )
    listener.stop()


def test_many_closes_are_told_before_the_end(box):
    for i in range(50):
        (box.source / f"f{i}").write_text("x")
    listener = Listener(box, mappings=f"mask={CLOSED}")
    listing = subprocess.run(
        [sys.executable, "-c", f"import os; [os.close(os.open(f'{box.root}/f{{i}}', 0)) for i in range(50)]"],
        check=True,
        timeout=30,
    )
    assert listing.returncode == 0
    listener.hears_in_any_order(*(f"closed f{i}" for i in range(50)))
    listener.stop()
