# SPDX-License-Identifier: MIT
"""`-o check`: good providers are not reported, and mistakes are, with their path and in the words of the guide."""

import contextlib
import os
import subprocess

import pytest

import trees
from support import error_of, eventually, inside, names, read

SMALL = b"some bytes " * 400


def mistakes(instance):
    return instance.status()["checker"]


def reports(instance):
    return [m["text"] for m in instance.status()["messages"] if "provider mistake" in m["text"]]


def look_at_everything(root):
    """What a person does in a tree."""
    for command in (["find", ".", "-ls"], ["grep", "-r", "e", "."], ["du", "-a", "."], ["ls", "-lR", "."]):
        subprocess.run(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    for directory, _, files in os.walk(root):
        for name in files:
            error_of_read(os.path.join(directory, name))
        error_of_read(os.path.join(directory, "no such name"))


def error_of_read(path):
    try:
        if not os.path.islink(path):
            with open(path, "rb") as f:
                f.read()
    except OSError as e:
        return e
    return None


# ---- good providers ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["placeholder-timeout=1ms"], ["threads=8", "small=4096"]])
def test_dir_makes_no_mistake(box, options):
    trees.make_small(box.source)
    (box.source / "include").mkdir()
    for i in range(600):
        (box.source / f"include/Header_{i}.h").write_bytes(SMALL[:i])
    for size in (0, 1, 4096, 1 << 20, (1 << 20) + 1, 3 << 20):
        (box.source / f"of {size}").write_bytes((SMALL * 800)[:size])
    with box.mount(None, "check", *options) as instance:
        for _ in range(2):
            inside(look_at_everything, box.root, timeout=50)
        assert mistakes(instance) == {}
        assert "no mistakes" in box.run("status", box.root).stdout
    assert "provider mistake" not in instance.log.read_text(errors="replace")


@pytest.mark.parametrize("how", ["late", "early"])
@pytest.mark.parametrize("stable", ["stable=no", "stable=yes"])
def test_a_provider_that_answers_later_makes_no_mistake(box, how, stable):
    script = ["many d 500", "file big 3000000 7", "file empty 0 1"]
    script += [f"{how} {kind} *" for kind in ("lookup", "list", "data")]
    with box.puppet(*script, options=["check", stable]) as instance:
        for _ in range(2):
            inside(look_at_everything, box.root)
        assert mistakes(instance) == {}


def test_what_a_user_interrupts_is_no_mistake(box):
    with box.puppet("file f 5 1", "hold data *", options=["check"]) as instance:
        reader = subprocess.Popen(["cat", box.root / "f"], stdout=subprocess.DEVNULL)
        instance.puppet.ask("await data f 1")
        reader.kill()
        reader.wait(30)
        instance.puppet.ask("release")
        assert read(box.root / "f")
        assert "never-completed" not in mistakes(instance)


def test_without_the_option_nothing_is_said(box):
    with box.puppet("dir d", "file d/a 1 1", "file d/b 1 1", "reversed d") as instance:
        assert names(box.root / "d") == ["a", "b"]
        assert "checker" not in instance.status()
        assert "mistake: " not in box.run("status", box.root).stdout


# ---- mistakes ---------------------------------------------------------------------------------


def listing(root):
    with contextlib.suppress(OSError):
        os.listdir(root / "d")


def listing_and_look_up(root):
    os.listdir(root / "d")
    for name in ("a", "0"):
        error_of_read(root / "d" / name)


def reading(root):
    error_of_read(root / "d/a")


GET, INFO, DATA = "get_directory_enumeration", "get_placeholder_info", "get_file_data"
MISTAKES = [
    (f"{GET} disorder path=d", listing, "listing-order", f'{GET} of "d" gave'),
    (f"{GET} duplicate path=d", listing, "listing-duplicate", f'{GET} of "d" gave'),
    (f"{GET} add=a/b path=d", listing, "listing-name", f'{GET} of "d" gave "a/b"'),
    (f"{GET} error=insufficient_buffer path=d", listing, "listing-result", f'{GET} of "d" returned'),
    (f"{GET} add=0 path=d", listing_and_look_up, "listed-not-found", '"d/0" found nothing'),
    (f"{INFO} error=file_not_found path=d/a", listing_and_look_up, "listed-not-found", '"d/a" found nothing'),
    (f"{INFO} kind=directory path=d/a", listing_and_look_up, "kind-differs", '"a" is a file in the listing'),
    (f"{INFO} size=77 path=d/a", listing_and_look_up, "size-differs", '"a" has 4400 bytes in the listing'),
    (f"{INFO} drop path=d/a", reading, "placeholder-missing", f'{INFO} of "d/a" succeeded'),
    (f"{DATA} short path=d/a", reading, "data-short", f'{DATA} of "d/a" succeeded'),
    (f"{DATA} overlap path=d/a", reading, "data-overlap", f'{DATA} of "d/a" delivered'),
    (f"{DATA} beyond path=d/a", reading, "data-beyond-end", f'{DATA} of "d/a" delivered'),
    (f"{DATA} error=0xDEADBEEF path=d/a", reading, "undocumented-code", f'{DATA} of "d/a" returned 0xdeadbeef'),
    (f"{DATA} pend=0 twice path=d/a", reading, "completed-twice", f'{DATA} of "d/a" was over already'),
    ("end_directory_enumeration error=access_denied path=d", listing, "session-leak", 'of "d" returned ACCESS_DENIED'),
]


def report_of(instance, mistake):
    """Some report of this kind, or None."""
    return next((r for r in reports(instance) if f"({mistake})" in r), None)


@pytest.mark.parametrize("text, do, mistake, words", MISTAKES, ids=[m[0].replace(" ", "_") for m in MISTAKES])
def test_a_mistake_is_reported(box, text, do, mistake, words):
    (box.source / "d").mkdir()
    for name in ("a", "b"):
        (box.source / "d" / name).write_bytes(SMALL)
    with box.mount(None, f"filter=fault:{text}", "check") as instance:
        # answers of a live view are compared if they are not far apart: on a slow machine it may take another try
        def try_it():
            inside(do, box.root)
            return report_of(instance, mistake) is not None

        eventually(try_it, True)
        assert words in report_of(instance, mistake)
        assert set(mistakes(instance)) == {mistake}
        assert f"mistake:     {mistake} " in box.run("status", box.root).stdout
    assert f"provider mistake ({mistake})" in instance.log.read_text(errors="replace")


def test_other_bytes_for_the_same_content_id_are_reported(box):
    (box.source / "a").write_bytes(SMALL)
    with box.mount(None, f"filter=fault:{DATA} corrupt count=1", "check") as instance:
        assert read(box.root / "a") != SMALL
        box.run("restore", box.root / "a")
        assert read(box.root / "a") == SMALL
        assert set(mistakes(instance)) == {"content-id-reused"}


def test_what_is_not_completed_in_its_time_is_reported(box):
    options = ["check", "lookup-timeout=300ms"]
    with box.puppet("file f 5 1", "keep lookup f", options=options) as instance:
        assert error_of(os.lstat, box.root / "f") == "ETIMEDOUT"
        assert eventually(lambda: set(mistakes(instance)), {"never-completed"}) == {"never-completed"}
        assert f'{INFO} of "f" was pended' in report_of(instance, "never-completed")


@pytest.mark.limit(120)
def test_a_callback_that_blocks_is_reported_while_it_does(box):
    with box.puppet("file f 5 1", "hold data f", options=["check"]) as instance:
        reader = subprocess.Popen(["cat", box.root / "f"], stdout=subprocess.DEVNULL)
        eventually(lambda: set(mistakes(instance)), {"callback-slow"}, timeout=60)
        assert f'{DATA} of "f" has been running for' in report_of(instance, "callback-slow")
        instance.puppet.ask("release")
        assert reader.wait(30) == 0
        assert mistakes(instance) == {"callback-slow": 1}
