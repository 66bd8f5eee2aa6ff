# SPDX-License-Identifier: MIT
"""The command: what it refuses, with which words, and how mounts come and go."""

import os
import select
import signal
import subprocess
import time

import pytest

import trees
from support import IS_ROOT, Child, MountFailed, names, processes_with, projfs_mounts, read, wait_for_exit


def refusal(box, *arguments, code=1):
    """What `projfs mount` says when it fails; one line."""
    done = box.run("mount", *arguments, check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1 or code == 2
    assert not [m for m in projfs_mounts() if m.startswith(f"{box.dir}/{box.dir.name}")]
    return done.stderr


def test_a_root_in_a_root_is_refused(box):
    trees.make_small(box.source)
    with box.mount():
        text = refusal(box, f"dir:{box.source}", box.root / "empty")
        assert "inside" in text and os.fspath(box.root) in text
    (box.root / "mine").mkdir()
    text = refusal(box, f"dir:{box.source}", box.root / "mine")
    assert "inside another projfs root" in text


def test_a_source_that_contains_the_root_is_refused(box):
    assert "contains the root" in refusal(box, f"dir:{box.dir}", box.root)
    assert os.listdir(box.root) == []


def test_a_source_in_the_root_is_refused(box):
    (box.root / "inner").mkdir()
    assert "lies in the root" in refusal(box, "-o", "adopt", f"dir:{box.root}/inner", box.root)


def test_a_source_that_is_the_root_is_refused(box):
    assert "is the root itself" in refusal(box, f"dir:{box.root}", box.root)
    link = box.dir / "link"
    os.symlink(box.root, link)
    assert "is the root itself" in refusal(box, f"dir:{link}", box.root)


def test_a_root_that_is_not_empty_is_refused_and_may_be_adopted(box):
    trees.make_small(box.source)
    (box.root / "mine").write_text("mine")
    (box.root / "sub").mkdir()
    (box.root / "sub/own").write_text("own")
    (box.root / "hello.txt").write_text("my hello")
    text = refusal(box, f"dir:{box.source}", box.root)
    assert "not empty" in text and "adopt" in text
    assert sorted(os.listdir(box.root)) == ["hello.txt", "mine", "sub"]
    for options in (["adopt"], []):  # afterwards it is a root
        with box.mount(None, *options):
            assert names(box.root) == ["empty", "hello.txt", "mine", "sub"]
            assert names(box.root / "sub") == ["deeper", "link", "own", "run"]
            assert read(box.root / "hello.txt") == b"my hello"
            assert read(box.root / "sub/own") == b"own"
            assert [box.state(box.root / p) for p in ("mine", "hello.txt", "sub/own")] == ["full"] * 3
            assert read(box.root / "sub/run") == (box.source / "sub/run").read_bytes()
    assert (box.root / "hello.txt").read_text() == "my hello"


def test_a_second_mount_of_a_root_is_refused(box):
    trees.make_small(box.source)
    with box.mount():
        assert "mounted there already" in refusal(box, f"dir:{box.source}", box.root)
        assert read(box.root / "hello.txt") == b"hello\n"


def test_another_source_needs_rebind(box):
    trees.make_small(box.source)
    other = box.make_dir("other")
    (other / "different").write_text("different")
    with box.mount():
        assert read(box.root / "hello.txt")
    assert "rebind" in refusal(box, f"dir:{other}", box.root)
    with box.mount(f"dir:{other}", "rebind"):
        assert read(box.root / "different") == b"different"
        assert "sub" not in names(box.root)


def test_a_root_that_does_not_exist_or_is_no_directory_is_refused(box):
    assert "no such directory" in refusal(box, f"dir:{box.source}", box.dir / "absent")
    (box.dir / "file").write_text("x")
    assert "no directory" in refusal(box, f"dir:{box.source}", box.dir / "file")


def test_a_source_that_does_not_exist_is_refused(box):
    assert os.fspath(box.dir / "absent") in refusal(box, f"dir:{box.dir}/absent", box.root)
    assert os.listdir(box.root) == []


@pytest.mark.parametrize(
    "options, words",
    [
        ("lokup-timeout=1s", "'lookup-timeout'"),
        ("stabel", "'stable'"),
        ("qqqqqq", "unknown option 'qqqqqq'"),
        ("lookup-timeout=soon", "not 'soon'"),
        ("small=0", "between"),
        ("stable=perhaps", "not 'perhaps'"),
    ],
)
def test_a_wrong_option_is_an_error_that_helps(box, options, words):
    text = refusal(box, "-o", options, f"dir:{box.source}", box.root, code=2)
    assert words in text
    assert os.listdir(box.root) == []


def test_an_unknown_provider_is_an_error_that_helps(box):
    assert "'dirr'" in refusal(box, f"dirr:{box.source}", box.root)
    assert "no provider" in refusal(box, os.fspath(box.source), box.root, code=2)


def test_a_filter_wraps_a_provider(box):
    trees.make_small(box.source)
    log = box.dir / "log"
    with box.mount(None, f"filter=log_filter:{log}") as instance:
        assert read(box.root / "hello.txt") == b"hello\n"
        assert instance.status()["provider_status"]["data"] == 1
    assert "info hello.txt\n" in log.read_text()
    assert "data hello.txt\n" in log.read_text()


def test_a_filter_is_no_provider_and_a_provider_no_filter(box):
    assert "filter" in refusal(box, "log_filter:x", box.root, code=2)
    assert "no filter" in refusal(box, "-o", "filter=dir:x", f"dir:{box.source}", box.root)


def test_providers_and_their_options_are_listed(box):
    listed = box.run("mount", "--list-providers").stdout
    for name in ("dir", "hello_provider", "puppet", "log_filter"):
        assert name in listed
    text = box.run("mount", "--help-provider", "dir").stdout
    assert "stable" in text and "lookup-timeout" in text


def test_a_loadable_example_works(box):
    with box.mount("hello_provider:Ada", "greeting=Ahoy"):
        assert read(box.root / "hello.txt") == b"Ahoy, Ada!\n"
        assert names(box.root / "numbers") == ["even.txt", "odd.txt"]


def test_a_mount_in_the_background_comes_and_goes_quickly(box):
    trees.make_small(box.source)
    begin = time.monotonic()
    box.run("mount", f"dir:{box.source}", box.root)
    assert read(box.root / "hello.txt") == b"hello\n"  # it is usable when the command returns
    done = box.run("umount", box.root)
    assert time.monotonic() - begin < 5
    assert "absent" in done.stderr
    assert os.fspath(box.root) not in projfs_mounts()
    assert box.below() == [b"hello.txt"]


def test_a_mount_in_the_background_keeps_nothing_of_the_caller(box):
    out_read, out_write = os.pipe()
    extra_read, extra_write = os.pipe()
    subprocess.run(
        [box.command, "mount", f"dir:{box.source}", os.fspath(box.root)],
        env=box.environment,
        stdin=subprocess.DEVNULL,
        stdout=out_write,
        stderr=out_write,
        pass_fds=[extra_write],
        cwd=box.make_dir("there"),
        check=True,
        timeout=20,
    )
    for fd in (out_write, extra_write):
        os.close(fd)
    for fd in (out_read, extra_read):
        assert select.select([fd], [], [], 5)[0], "somebody keeps it open"
        assert os.read(fd, 1) == b""
    for pid in processes_with("PROJFS_TEST_DIR", box.dir):
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    box.run("umount", "--quiet", box.root)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_unmounts(box, number):
    instance = box.mount()
    assert names(box.root) == []
    instance.stop(number)
    assert not instance.is_mounted()


def test_it_ends_when_somebody_unmounts_it(box):
    trees.make_small(box.source)
    instance = box.mount()
    assert read(box.root / "hello.txt") == b"hello\n"
    command = ["umount"] if IS_ROOT else ["fusermount3", "-u"]
    subprocess.run([*command, os.fspath(box.root)], check=True, timeout=10)
    assert instance.wait(15) == 0


def test_it_unmounts_while_files_are_open(box):
    trees.make_small(box.source)
    ready_read, ready_write = os.pipe()
    over_read, over_write = os.pipe()

    def reader():
        file = os.open(box.root / "sub/run", os.O_RDONLY)
        directory = os.open(box.root / "sub", os.O_RDONLY)
        os.listdir(directory)
        os.write(ready_write, b"r")
        os.close(over_write)
        os.read(over_read, 1)
        return file, directory

    instance = box.mount()
    child = Child(reader)
    os.close(ready_write)  # the read ends when the child does
    assert os.read(ready_read, 1) == b"r"
    instance.stop()
    os.close(over_write)
    child.result()


def test_the_helper_ends_with_the_instance(box):
    instance = box.mount()
    assert names(box.root) == []
    helpers = [p for p in processes_with("PROJFS_TEST_DIR", box.dir) if p != instance.pid]
    assert len(helpers) == 1
    instance.stop()
    assert wait_for_exit(helpers[0], 10)


def test_status_shows_all_instances(box):
    roots = [box.make_dir(f"r{i}") for i in range(3)]
    for root in roots:
        box.mount(root=root)
    # others may run on this machine at the same time
    found = [i for i in box.json("status")["instances"] if i["root"].startswith(f"{box.dir}/")]
    assert sorted(i["root"] for i in found) == [os.fspath(r) for r in roots]
    assert {i["provider"] for i in found} == {"dir"}
    assert {i["pid"] for i in found} == {i.pid for i in box.instances}


def test_sync_returns_when_it_is_durable(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "hello.txt")
        box.run("sync", box.root)
        box.run("sync")
    assert box.run("sync", box.root, check=False).returncode == 1


def test_ls_lists_mounted_and_unmounted(box):
    trees.make_small(box.source)
    with box.mount():
        assert box.run("ls", box.root).stdout.split() == ["empty", "hello.txt", "sub"]
        below = box.json("ls", "-R", "--state", box.root)["entries"]
        assert {e["name"]: e["type"] for e in below}["sub/link"] == "symlink"
        assert {e["state"] for e in below} == {"virtual"}
        read(box.root / "hello.txt")
        assert "hydrated" in box.run("ls", "--state", box.root).stdout
    assert box.run("ls", box.root).stdout.split() == ["hello.txt"]


def test_state_of_what_does_not_exist_fails_and_says_so(box):
    trees.make_small(box.source)
    with box.mount():
        done = box.run("state", box.root / "absent", box.root / "hello.txt", check=False)
        assert done.returncode == 1
        assert "absent" in done.stderr
        assert done.stdout.split()[0] == "virtual"
    assert box.state(box.source / "hello.txt") == "full"  # outside of every root


def test_commands_say_when_nothing_is_mounted(box):
    for command in ("umount", "status", "sync"):
        done = box.run(command, box.root, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("projfs: ") and done.stderr.count("\n") == 1


def test_doctor_has_an_opinion(box):
    found = box.json("doctor", box.root, check=False)
    assert {"ok"} <= {f["level"] for f in found}
    assert all(f["what"] and f["text"] for f in found)


def test_a_root_where_nothing_can_be_kept_is_refused(box):
    with pytest.raises(MountFailed) as failure:
        box.mount(root="/proc")
    assert str(failure.value).startswith("projfs: ")
