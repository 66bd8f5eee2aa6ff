# SPDX-License-Identifier: MIT
"""Who may read: with root's mount everybody, as the modes say; with a user's mount only he."""

import errno
import os

import trees
from support import Child, needs_root, read

NOBODY = 65534


def as_nobody(function, *arguments):
    """The result, or the name of the errno."""

    def run():
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            return function(*arguments)
        except OSError as e:
            return errno.errorcode[e.errno]

    return Child(run).result()


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


@needs_root
def test_others_read_what_the_modes_allow(box):
    trees.make_small(box.source)
    (box.source / "secret").write_bytes(b"secret")
    (box.source / "secret").chmod(0o600)
    (box.source / "group").write_bytes(b"group")
    (box.source / "group").chmod(0o640)
    os.chown(box.source / "group", 0, NOBODY)
    (box.source / "locked").mkdir(mode=0o700)
    (box.source / "locked/f").write_bytes(b"x")
    with box.mount():
        for _ in range(2):  # as placeholders, and hydrated
            assert as_nobody(content_of, box.root / "hello.txt") == b"hello\n"
            assert as_nobody(content_of, box.root / "secret") == "EACCES"
            assert as_nobody(content_of, box.root / "group") == b"group"
            assert as_nobody(content_of, box.root / "locked/f") == "EACCES"
            assert as_nobody(os.listdir, box.root / "locked") == "EACCES"
            assert sorted(as_nobody(os.listdir, box.root)) == sorted(os.listdir(box.source))
            assert read(box.root / "secret") == b"secret"
            assert read(box.root / "locked/f") == b"x"


@needs_root
def test_access_lists_of_the_source_do_not_let_anybody_in(box):
    (box.source / "f").write_bytes(b"x")
    (box.source / "f").chmod(0o600)
    with box.mount():
        assert as_nobody(os.access, box.root / "f", os.R_OK) is False
        assert as_nobody(os.access, box.root, os.R_OK | os.X_OK) is True


@needs_root
def test_others_stay_out_if_root_says_so(box):
    trees.make_small(box.source)
    with box.mount(None, "no_allow_other"):
        assert as_nobody(os.listdir, box.root) == "EACCES"
        assert as_nobody(content_of, box.root / "hello.txt") == "EACCES"
        assert read(box.root / "hello.txt") == b"hello\n"


@needs_root
def test_a_set_user_id_bit_is_shown(box):
    (box.source / "f").write_bytes(b"x")
    (box.source / "f").chmod(0o4755)
    with box.mount():
        assert as_nobody(lambda: os.stat(box.root / "f").st_mode & 0o7777) == 0o4755
        assert as_nobody(content_of, box.root / "f") == b"x"
        assert as_nobody(lambda: os.stat(box.root / "f").st_mode & 0o7777) == 0o4755


@needs_root
def test_the_private_folder_is_closed_to_others_while_nothing_runs(box):
    trees.make_small(box.source)
    with box.mount():
        read(box.root / "hello.txt")
    assert as_nobody(os.listdir, box.root / ".projfs") == "EACCES"
    assert as_nobody(content_of, box.root / "hello.txt") == b"hello\n"
