# SPDX-License-Identifier: MIT
"""50,000 entries: every tool sees in the view what it sees in the source."""

import hashlib
import mmap
import os
import pathlib
import random
import re

import pytest

from support import inside, tool

pytestmark = pytest.mark.limit(180)


@pytest.fixture(scope="module")
def view(module_box, tree):
    with module_box.mount(f"dir:{tree}") as instance:
        yield instance.root


def lines_of(find_output):
    return sorted(find_output.split(b"\0"))


def difference(a, b):
    """The first few lines that only one side has; empty when they are equal."""
    if a == b:
        return []
    only_a, only_b = set(a) - set(b), set(b) - set(a)
    return sorted([b"- " + x for x in only_a] + [b"+ " + x for x in only_b], key=lambda x: x[2:])[:20] or [b"order"]


def list_long(top):
    # The link count of a directory is 1 in the view, and its size and blocks (hence "total") are those of its disk.
    out = tool("ls", "-lRA", "--full-time", "--quoting-style=c", ".", cwd=top, timeout=120).stdout
    lines = []
    for line in out.split(b"\n"):
        if line.startswith(b"total "):
            continue
        fields = re.split(rb" +", line, 5)
        if line.startswith((b"d", b"-", b"l")) and len(fields) == 6:
            fields[1] = b"N"
            if line.startswith(b"d"):
                fields[4] = b"SIZE"
        lines.append(b" ".join(fields))
    return lines


@pytest.mark.parametrize("options", [[], ["stable"]], ids=["live", "stable"])
def test_enumeration_alone_leaves_nothing_on_the_disk(box, tree, options):
    with box.mount(f"dir:{tree}", *options) as instance:
        found = tool("find", ".", "-print0", cwd=instance.root, timeout=120).stdout
        assert lines_of(found) == lines_of(tool("find", ".", "-print0", cwd=tree).stdout)
        assert found.count(b"\0") > 50_000
        assert list_long(instance.root) == list_long(tree)
        assert instance.counters()["bytes_fetched"] == 0
        assert instance.counters()["callbacks_data"] == 0
    assert box.below() == []


def test_find_prints_the_same_facts(view, tree):
    format = r"%p %y %m %T@ %l %U %G\0"
    for kind in (["-type", "d"], ["!", "-type", "d"]):
        # the root itself is the user's own directory
        line = format if kind[0] == "-type" else "%s " + format
        kind = ["-mindepth", "1", *kind]
        seen = tool("find", ".", *kind, "-printf", line, cwd=view, timeout=120).stdout
        true = tool("find", ".", *kind, "-printf", line, cwd=tree).stdout
        assert difference(lines_of(seen), lines_of(true)) == []


def test_ls_long_lists_the_same(view, tree):
    assert difference(list_long(view), list_long(tree)) == []


def test_diff_finds_no_difference(view, tree):
    done = tool("diff", "-r", "--no-dereference", tree, view, timeout=170, check=False)
    assert (done.returncode, done.stdout[:2000], done.stderr[:2000]) == (0, b"", b"")


def test_grep_finds_the_same(view, tree):
    found = [tool("grep", "-r", "-c", "-Z", "needle42", ".", cwd=top, timeout=120, check=False) for top in (view, tree)]
    assert found[1].stdout.count(b"\0") > 10_000
    assert [f.returncode for f in found] == [0, 0]
    assert difference(*[sorted(f.stdout.split(b"\n")) for f in found]) == []


def test_tar_makes_the_same_archive(view, tree):
    command = "tar --sort=name --format=gnu -cf - -- * | sha256sum"
    digests = {tool("bash", "-o", "pipefail", "-c", command, cwd=top, timeout=120).stdout for top in (view, tree)}
    assert len(digests) == 1


def test_rsync_has_nothing_to_do(view, tree):
    done = tool("rsync", "-n", "-a", "-i", "--checksum", "--delete", f"{tree}/", f"{view}/", timeout=170)
    assert done.stdout in (b"", b".d..t...... ./\n")  # the root itself is the user's own directory


def digest_mapped(path):
    with open(path, "rb") as f:
        if os.fstat(f.fileno()).st_size == 0:
            return hashlib.sha256(b"").digest()
        with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
            return hashlib.sha256(m).digest()


def test_mapped_readers_see_the_same_bytes(box, tree):
    rng = random.Random(1)
    files = [p for d, _, names in os.walk(tree) for p in map(pathlib.Path(d).joinpath, names) if p.match("f*.txt")]
    files = [p for p in files if not p.is_symlink()]
    chosen = rng.sample(sorted(files), 300) + sorted((tree / "sizes").iterdir())
    with box.mount(f"dir:{tree}") as instance:
        seen = inside(lambda: [digest_mapped(instance.root / p.relative_to(tree)) for p in chosen], timeout=60)
    assert seen == [digest_mapped(p) for p in chosen]
