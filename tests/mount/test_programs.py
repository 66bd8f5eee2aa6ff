# SPDX-License-Identifier: MIT
"""Real programs work inside a view, and leave there what they leave elsewhere."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

import trees
from support import inside, names, read, tool

VIEWS = pytest.mark.parametrize("options", [["stable"], []], ids=["stable", "live"])
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"no {program}")


def make_sources(top, n_files=60):
    """Something like a project."""
    for i in range(n_files):
        path = top / f"src/part{i % 5}/file{i}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"/* file {i} */\nint function{i}(void)\n{{\n\treturn {i};\n}}\n" + f"/* {i} */\n" * (i * 10))
    (top / "README").write_text("readme\n")
    os.symlink("README", top / "LINK")
    (top / "src/run.sh").write_text("#!/bin/sh\necho ran\n")
    (top / "src/run.sh").chmod(0o755)


def same(left, right, *options):
    done = tool("diff", "-r", "--no-dereference", *options, left, right, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[:2000]


def git(where, *command, environment=None, **keywords):
    done = tool("git", "-C", where, *command, env={**os.environ, **GIT, **(environment or {})}, **keywords)
    return done.stdout.decode()


# ---- git ------------------------------------------------------------------------------------


@needs("git")
@VIEWS
def test_git_works_in_a_projected_repository(box, options):
    """The repository and its work tree are projected; then it is worked in."""
    make_sources(box.source)
    git(box.source, "init", "-q", "-b", "main")
    git(box.source, "config", "core.checkStat", "minimal")  # ctime and the device are other ones
    git(box.source, "config", "core.trustctime", "false")
    git(box.source, "add", "-A")
    git(box.source, "commit", "-q", "-m", "first")
    with box.mount(None, *options):
        view = box.root
        safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        assert git(view, "status", "--porcelain", environment=safe) == ""
        inside((view / "README").write_text, "changed\n")
        inside(os.unlink, view / "src/part1/file1.c")
        assert git(view, "status", "--porcelain", environment=safe).split() == ["M", "README", "D", "src/part1/file1.c"]
        git(view, "commit", "-q", "-a", "-m", "second", environment=safe)
        git(view, "mv", "src/part2", "src/moved", environment=safe)
        git(view, "commit", "-q", "-m", "third", environment=safe)
        git(view, "checkout", "-q", "HEAD~2", environment=safe)
        same(view / "src", box.source / "src")
        git(view, "checkout", "-q", "main", environment=safe)
        assert "part2" not in names(view / "src")
        git(view, "gc", "-q", "--prune=now", environment=safe)
        git(view, "fsck", "--strict", environment=safe)
        assert git(view, "log", "--format=%s", environment=safe).split() == ["third", "second", "first"]
    with box.mount(None, *options):
        assert git(box.root, "status", "--porcelain", environment=safe) == ""
        git(box.root, "fsck", "--strict", environment=safe)


@needs("git")
@VIEWS
def test_git_clones_into_and_from_a_view(box, options):
    origin = box.make_dir("origin")
    make_sources(origin)
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "first")
    trees.make_small(box.source)
    with box.mount(None, *options):
        git(box.dir, "clone", "-q", "--no-hardlinks", origin, box.root / "sub/clone")
        clone = box.root / "sub/clone"
        assert git(clone, "status", "--porcelain") == ""
        git(clone, "worktree", "add", "-q", "-b", "other", box.root / "worktree")
        same(origin / "src", box.root / "worktree/src")
        inside((box.root / "worktree/README").write_text, "in the worktree\n")
        git(box.root / "worktree", "commit", "-q", "-a", "-m", "other")
        git(clone, "merge", "-q", "other")
        assert read(clone / "README") == b"in the worktree\n"
        git(clone, "worktree", "remove", box.root / "worktree")
        git(clone, "gc", "-q")
        git(box.dir, "clone", "-q", "--no-hardlinks", clone, box.dir / "back")
        assert (box.dir / "back/README").read_text() == "in the worktree\n"
    git(clone, "fsck", "--strict")  # while nothing runs
    assert git(clone, "status", "--porcelain") == ""


# ---- databases ------------------------------------------------------------------------------


def sqlite(database, script):
    if shutil.which("sqlite3"):
        return tool("sqlite3", database, script).stdout.decode().split("\n")[:-1]
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for s in sys.argv[2].split(';'): [print('|'.join(map(str, r))) for r in c.execute(s)]"
    )
    return tool(sys.executable, "-c", code, database, script).stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_sqlite_changes_a_projected_database(box, journal):
    with sqlite3.connect(box.source / "db") as connection:
        connection.execute("CREATE TABLE t(i INTEGER PRIMARY KEY, x TEXT)")
        connection.executemany("INSERT INTO t VALUES(?, ?)", [(i, f"row {i} " * 20) for i in range(2000)])
    connection.close()
    database = box.root / "db"
    with box.mount(None, "stable"):
        assert sqlite(database, "SELECT count(*) FROM t") == ["2000"]
        sqlite(database, f"PRAGMA journal_mode={journal}")
        for i in range(5):
            sqlite(database, f"BEGIN; INSERT INTO t SELECT {10000 + i * 1000} + i, x FROM t WHERE i < 200; COMMIT")
            sqlite(database, f"DELETE FROM t WHERE i % 7 = {i}")
        sqlite(database, "BEGIN; DELETE FROM t; ROLLBACK")
        before = sqlite(database, "SELECT count(*), sum(i) FROM t")
        assert sqlite(database, "PRAGMA integrity_check") == ["ok"]
        sqlite(database, "VACUUM")
    with box.mount(None, "stable"):
        assert sqlite(database, "SELECT count(*), sum(i) FROM t") == before
        assert sqlite(database, "PRAGMA integrity_check") == ["ok"]
    assert sqlite(box.source / "db", "SELECT count(*) FROM t") == ["2000"]


def test_two_who_write_to_one_database_do_not_harm_it(box):
    trees.make_small(box.source)
    with box.mount():
        database = box.root / "sub/db"
        sqlite(database, "CREATE TABLE t(who, i)")
        script = (
            "import sqlite3, sys\n"
            "c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)\n"
            "for i in range(40): c.execute('INSERT INTO t VALUES(?, ?)', (sys.argv[2], i))\n"
        )
        both = [subprocess.Popen([sys.executable, "-c", script, database, who]) for who in "ab"]
        assert [p.wait(40) for p in both] == [0, 0]
        assert sqlite(database, "SELECT who, count(*), sum(i) FROM t GROUP BY who") == ["a|40|780", "b|40|780"]
        assert sqlite(database, "PRAGMA integrity_check") == ["ok"]


# ---- compilers, archives, copies ------------------------------------------------------------


@needs("make")
@needs("cc")
@VIEWS
def test_make_builds_a_projected_project(box, options):
    n = 12
    make_sources(box.source, n)
    (box.source / "main.c").write_text(
        "#include <stdio.h>\n"
        + "".join(f"int function{i}(void);\n" for i in range(n))
        + "int main(void)\n{\n\tint sum = 0;\n"
        + "".join(f"\tsum += function{i}();\n" for i in range(n))
        + '\tprintf("%d\\n", sum);\n\treturn 0;\n}\n'
    )
    (box.source / "Makefile").write_text(
        "SOURCES = main.c $(wildcard src/*/*.c)\n"
        "program: $(SOURCES:.c=.o)\n\tcc -o $@ $^\n"
        "%.o: %.c\n\tcc -c -o $@ $<\n"
        "clean:\n\trm -f program $(SOURCES:.c=.o)\n"
    )
    with box.mount(None, *options):
        tool("make", "-s", "-j2", "-C", box.root)
        assert tool(box.root / "program").stdout == b"66\n"
        assert b"up to date" in tool("make", "-j2", "-C", box.root).stdout
        inside((box.root / "src/part3/file3.c").write_text, "int function3(void)\n{\n\treturn 100;\n}\n")
        built = tool("make", "-j2", "-C", box.root).stdout.decode()
        assert built.count("cc -c") == 1 and "file3.c" in built
        assert tool(box.root / "program").stdout == b"163\n"
    with box.mount(None, *options):
        assert b"up to date" in tool("make", "-j2", "-C", box.root).stdout  # times survive a restart
        tool("make", "-s", "-C", box.root, "clean")
        assert "program" not in names(box.root)


@needs("tar")
@VIEWS
def test_tar_in_and_out_is_the_same(box, options):
    make_sources(box.source)
    trees.make_odd(os.fsencode(box.make_dir("odd")))
    tool("tar", "-C", box.dir / "odd", "-cf", box.dir / "odd.tar", ".")
    with box.mount(None, *options):
        inside(os.mkdir, box.root / "odd")
        tool("tar", "-C", box.root / "odd", "-xf", box.dir / "odd.tar")
        same(box.dir / "odd", box.root / "odd")
        tool("tar", "-C", box.root, "--exclude=./odd", "-cf", box.dir / "view.tar", ".")
        done = tool("tar", "-C", box.root / "odd", "-df", box.dir / "odd.tar", check=False)
        assert (done.returncode, done.stdout) == (0, b"")
        # over what is there
        tool("tar", "-C", box.root, "-xf", box.dir / "view.tar")
        same(box.source, box.root, "--exclude=odd")
    tool("tar", "-C", box.make_dir("out"), "-xf", box.dir / "view.tar")
    same(box.source, box.dir / "out")


@needs("rsync")
@VIEWS
def test_rsync_both_ways_finds_nothing_left_to_do(box, options):
    make_sources(box.source)
    mine = box.make_dir("mine")
    make_sources(mine, 40)
    (mine / "README").write_text("another readme\n")
    (mine / "src/part0/file0.c").unlink()
    changes = ("--itemize-changes", "--out-format=%i %n")
    with box.mount(None, *options):
        tool("rsync", "-aHX", f"{box.root}/", box.dir / "out/")
        same(box.source, box.dir / "out")
        assert tool("rsync", "-aX", *changes, f"{box.root}/", box.dir / "out/").stdout == b""
        tool("rsync", "-aHX", "--delete", f"{mine}/", f"{box.root}/")
        same(mine, box.root)
        assert tool("rsync", "-aX", "--delete", "--checksum", *changes, f"{mine}/", f"{box.root}/").stdout == b""
        inside(os.utime, box.root / "README")
        tool("rsync", "-aX", "--inplace", "--no-whole-file", f"{mine}/", f"{box.root}/")
    with box.mount(None, *options):
        same(mine, box.root)
        assert tool("rsync", "-aX", "--delete", *changes, f"{mine}/", f"{box.root}/").stdout == b""


# ---- editors and others ---------------------------------------------------------------------


def save_as_vim(path, data, keep_backup):
    """backupcopy=no: the file becomes the backup, a new one gets its name and what it had."""
    status = os.stat(path)
    probe = os.path.join(os.path.dirname(path), "4913")
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o100644))
    os.chown(probe, status.st_uid, status.st_gid)
    os.unlink(probe)
    os.rename(path, f"{path}~")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, data)
    os.fsync(fd)
    os.fchmod(fd, status.st_mode & 0o7777)
    os.close(fd)
    if not keep_backup:
        os.unlink(f"{path}~")


@VIEWS
@pytest.mark.parametrize("keep_backup", [True, False])
def test_a_save_by_rename_keeps_what_is_meant(box, options, keep_backup):
    trees.make_small(box.source)
    path = box.root / "sub/run"
    original = (box.source / "sub/run").read_bytes()
    with box.mount(None, *options):
        for i in range(3):
            inside(save_as_vim, os.fspath(path), b"version %d\n" % i, keep_backup)
            assert read(path) == b"version %d\n" % i
    with box.mount(None, *options):
        assert read(path) == b"version 2\n"
        assert os.fspath(path.name) + "~" in names(path.parent) or not keep_backup
        assert len(names(path.parent)) == 3 + keep_backup
        assert inside(os.stat, path).st_mode & 0o777 == 0o755
    assert (box.source / "sub/run").read_bytes() == original


def test_sed_in_place_changes_projected_files(box):
    make_sources(box.source, 10)
    with box.mount(None, "stable"):
        tool("sh", "-ec", 'grep -rl function "$1" | xargs sed -i s/function/procedure/', "sh", box.root / "src")
        assert tool("grep", "-rl", "function", box.root / "src", check=False).returncode == 1
        assert len(tool("grep", "-rl", "procedure", box.root / "src").stdout.split()) == 10


@pytest.mark.limit(120)
def test_a_python_virtual_environment_works(box):
    trees.make_small(box.source)
    environment = box.root / "sub/environment"
    with box.mount():
        # without pip, which is large
        tool(sys.executable, "-m", "venv", "--without-pip", environment)
        inside((box.root / "sub/module.py").write_text, "answer = 42\n")
        for _ in range(2):  # compiled, and from the cache
            done = tool(
                environment / "bin/python",
                "-c",
                "import module, sys; print(module.answer, sys.prefix)",
                env={**os.environ, "PYTHONPATH": os.fspath(box.root / "sub"), "PYTHONDONTWRITEBYTECODE": ""},
            )
            assert done.stdout.decode().split() == ["42", os.fspath(environment)]
        assert names(box.root / "sub/__pycache__")
    with box.mount():
        assert tool(environment / "bin/python", "-c", "print(1 + 1)").stdout == b"2\n"
