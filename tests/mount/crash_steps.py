# SPDX-License-Identifier: MIT
"""
An instance that kills itself before the N-th change it makes on the disk, for N = 1, 2, ...

A case is a preparation and one system call.  Both are done to the view and to a plain copy of the source; after the
kill the view has to look as the plain copy did before the call, or after it.
"""

import os
import shutil
import signal
import stat as stat_types

from support import Child, MountFailed, inside

LAST_OLD_TIME = 1_200_000_000
MOST_STEPS = 300


# ---- what a tree looks like -------------------------------------------------------------------


def describe_item(path):
    st = os.lstat(path)
    kind = stat_types.S_IFMT(st.st_mode)
    seen = [oct(st.st_mode), st.st_uid, st.st_gid]
    if kind != stat_types.S_IFDIR:
        # A directory's time changes with whatever was begun in it; nothing promises more.
        seen += [st.st_size, st.st_nlink, st.st_mtime_ns if st.st_mtime < LAST_OLD_TIME else "now"]
    elif st.st_mtime < 1000:
        seen.append(st.st_mtime_ns)  # that was set on purpose
    if kind == stat_types.S_IFREG:
        with open(path, "rb") as f:
            seen.append(f.read())
    if kind == stat_types.S_IFLNK:
        seen.append(os.readlink(path))
    else:
        names = sorted(n for n in os.listxattr(path, follow_symlinks=False) if n.startswith("user."))
        seen += [(n, os.getxattr(path, n, follow_symlinks=False)) for n in names]
    return seen


def describe(top):
    """{relative path: what is there}, everything read."""
    found = {}
    for path, directories, files in os.walk(top):
        for name in directories + files:
            item = os.path.join(path, name)
            found[os.path.relpath(item, top)] = describe_item(item)
    return found


def differences(found, wanted):
    return {
        path: (found.get(path, "not there"), wanted.get(path, "not there"))
        for path in sorted(found.keys() | wanted.keys())
        if found.get(path) != wanted.get(path)
    }


# ---- source and cases -------------------------------------------------------------------------

FILES = {"f": 5000, "g": 3000, "d/x": 100, "d/y": 9000, "d/sub/z": 700, "t/only": 10}


def bytes_of(name, size):
    return (name.encode() + b"-") * (size // (len(name) + 1) + 1)


def make_source(top):
    for directory in ("d/sub", "e", "t"):
        (top / directory).mkdir(parents=True)
    for n, (name, size) in enumerate(FILES.items()):
        (top / name).write_bytes(bytes_of(name, size)[:size])
        os.utime(top / name, ns=(0, (1_000_000_000 + n) * 10**9 + 7))
    os.symlink("f", top / "l")
    os.setxattr(top / "g", "user.from", b"the source")


def hydrate(path):
    with open(path, "rb") as f:
        f.read()


def make_dirty(path):
    os.chmod(path, 0o640)


def make_full(path):
    with open(path, "ab") as f:
        f.write(b"the user's")


def make_local(path):
    with open(path, "xb") as f:
        f.write(b"made here")


def write_at_start(path):
    fd = os.open(path, os.O_RDWR)
    try:
        os.pwrite(fd, b"WRITTEN", 0)
    finally:
        os.close(fd)


def create(path, flags=os.O_CREAT | os.O_EXCL | os.O_RDWR):
    os.close(os.open(path, flags, 0o644))


def link_itself(path, new):
    os.link(path, new, follow_symlinks=False)


def rename2(old, new, flags):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) < 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def link_unnamed(directory, path):
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o644)
    try:
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)  # linkat(2)
    finally:
        os.close(fd)


# How an item gets into a state; "virtual" is how it is.  Each takes the path.
STATES = {
    "virtual": lambda path: None,
    "dirty": make_dirty,
    "hydrated": hydrate,
    "full": make_full,
    "tombstone": os.unlink,
}


class Case:
    def __init__(self, name, call, *preparations, in_ci=False):
        self.name, self.call, self.preparations, self.in_ci = name, call, preparations, in_ci

    def prepare(self, top):
        for preparation in self.preparations:
            preparation(top)


def on(name, function, *arguments):
    """The function, for the item of this name in whatever tree."""
    return lambda top: function(top / name, *arguments)


def on_two(name, other, function, *arguments):
    return lambda top: function(top / name, top / other, *arguments)


def state(name, which):
    return on(name, STATES[which])


def empty(top):
    os.unlink(top / "t/only")


def remove_tree(top):
    shutil.rmtree(top / "d")


def simple_cases():
    yield Case("create", on("new", create), in_ci=True)
    yield Case("create_in_a_virtual_directory", on("d/sub/new", create))
    yield Case("create_over_a_tombstone", on("f", create), state("f", "tombstone"), in_ci=True)
    yield Case("mkdir", on("new", os.mkdir))
    yield Case("mkdir_over_a_tombstone", on("f", os.mkdir), state("f", "tombstone"), in_ci=True)
    yield Case("mkdir_where_a_tree_was_removed", on("d", os.mkdir), remove_tree)
    yield Case("symlink", lambda top: os.symlink("target", top / "new"))
    yield Case("symlink_over_a_tombstone", lambda top: os.symlink("target", top / "f"), state("f", "tombstone"))
    yield Case("mkfifo_over_a_tombstone", on("f", os.mkfifo), state("f", "tombstone"))
    yield Case("link_of_an_unnamed_file", lambda top: link_unnamed(top, top / "new"))
    yield Case("rmdir_of_a_virtual_directory", on("e", os.rmdir), in_ci=True)
    yield Case("rmdir_of_tombstones", on("t", os.rmdir), empty, in_ci=True)
    yield Case("rmdir_of_a_local_directory", on("new", os.rmdir), on("new", os.mkdir))
    yield Case("rmdir_of_a_local_directory_over_a_tombstone", on("e", os.rmdir), on("e", os.rmdir), on("e", os.mkdir))
    yield Case("hydration", on("f", hydrate), in_ci=True)
    yield Case("hydration_below_virtual_directories", on("d/sub/z", hydrate))
    yield Case("chmod_of_a_virtual_directory", on("d", os.chmod, 0o700))
    yield Case("utimens_of_a_virtual_directory", on("d", os.utime, (1, 1)))
    yield Case("setxattr_of_a_virtual_directory", on("d", os.setxattr, "user.mine", b"v"))
    yield Case("link_of_a_link", on_two("l", "d/new", link_itself))
    yield Case("link_of_a_renamed_link", on_two("l2", "d/new", link_itself), on_two("l", "l2", os.rename))
    yield Case("unlink_of_a_link", on("l", os.unlink))
    yield Case("unlink_of_a_local_file", on("new", os.unlink), on("new", make_local))
    yield Case("unlink_of_one_of_two_names", on("f", os.unlink), on_two("f", "new", os.link))


def calls_on_a_file():
    yield "unlink", os.unlink, ()
    yield "chmod", os.chmod, (0o600,)
    yield "utimens", os.utime, ((1, 1),)
    yield "setxattr", os.setxattr, ("user.mine", b"v")
    yield "truncate", os.truncate, (17,)
    yield "truncate_to_nothing", os.truncate, (0,)
    yield "open_with_truncation", create, (os.O_WRONLY | os.O_TRUNC,)
    yield "write", write_at_start, ()


def file_cases():
    in_ci = {"write_hydrated", "truncate_dirty", "truncate_virtual", "unlink_hydrated", "unlink_virtual", "chmod_virtual", "utimens_hydrated"}
    for what, function, arguments in calls_on_a_file():
        for which in ("virtual", "dirty", "hydrated", "full"):
            name = f"{what}_{which}"
            yield Case(name, on("g", function, *arguments), state("g", which), in_ci=name in in_ci)
    for which in ("virtual", "hydrated", "full"):
        yield Case(f"link_{which}", on_two("f", "d/new", os.link), state("f", which))


def rename_cases():
    in_ci = {"rename_virtual_to_nothing", "rename_hydrated_to_virtual", "rename_full_to_tombstone"}
    for which in ("virtual", "dirty", "hydrated", "full"):
        name = f"rename_{which}_to_nothing"
        yield Case(name, on_two("f", "d/new", os.rename), state("f", which), in_ci=name in in_ci)
        for other in STATES:
            name = f"rename_{which}_to_{other}"
            yield Case(name, on_two("f", "d/y", os.rename), state("f", which), state("d/y", other), in_ci=name in in_ci)
    for which in ("virtual", "hydrated", "full"):
        swap = on_two("f", "d/y", rename2, 2)
        yield Case(f"exchange_{which}_and_virtual", swap, state("f", which))
        yield Case(f"exchange_{which}_and_full", swap, state("f", which), state("d/y", "full"))
    below = [on("d/x", hydrate), on("d/sub/z", make_full), on("d/y", os.unlink)]
    yield Case("rename_virtual_directory", on_two("d", "new", os.rename), in_ci=True)
    yield Case("rename_directory_in_use", on_two("d", "new", os.rename), *below)
    yield Case("rename_directory_to_empty_one", on_two("d", "e", os.rename), *below)
    yield Case("rename_directory_to_one_of_tombstones", on_two("d", "t", os.rename), empty, *below, in_ci=True)
    yield Case("rename_directory_to_tombstone", on_two("d", "f", os.rename), state("f", "tombstone"), *below)
    yield Case("rename_directory_back", on_two("new", "d", os.rename), *below, on_two("d", "new", os.rename))
    yield Case("rename_file_back", on_two("new", "f", os.rename), on_two("f", "new", os.rename))
    yield Case("rename_local_to_virtual", on_two("new", "f", os.rename), on("new", make_local))
    yield Case("rename_link", on_two("l", "d/new", os.rename))
    yield Case("exchange_directories", on_two("d", "t", rename2, 2), *below)
    yield Case("exchange_file_and_directory", on_two("f", "d", rename2, 2), *below)


CASES = [*simple_cases(), *file_cases(), *rename_cases()]


# ---- one try ---------------------------------------------------------------------------------------


def work(case, top, progress):
    case.prepare(top)
    os.write(progress, b"p")
    case.call(top)
    os.write(progress, b"c")


def try_once(box, case, root, step):
    """
    Do the case in an instance that is killed before its step (None: never); says when that was: "before" the
    call, "during" it, "after" it was answered, or "never".
    """
    environment = {"PROJFS_STORE_STEP": step} if step else {}
    try:
        instance = box.mount(root=root, **environment)
    except MountFailed:
        return "before"
    progress_read, progress_write = os.pipe()
    child = Child(work, case, root, progress_write)
    os.close(progress_write)
    error = None
    try:
        child.result()
    except OSError as e:
        error = e
    progress = os.read(progress_read, 10)
    os.close(progress_read)
    if error and instance.is_mounted() and instance.wait_unmounted(2) is False:
        raise AssertionError(f"{case.name}: {error}") from error
    instance.send(signal.SIGTERM)  # of a process that has ended already: nothing
    code = instance.wait()
    assert code in (0, -signal.SIGKILL), f"ended with {code}: {instance.log.read_text(errors='replace')}"
    assert instance.wait_unmounted(5), "still mounted"
    if code == 0:
        assert error is None, f"{case.name}: {error}"
        return "never"
    return {b"": "before", b"p": "during", b"pc": "after"}[progress]


def look_after(box, root):
    """What the next instance shows, and what fsck says of what it leaves."""
    with box.mount(root=root):
        found = inside(describe, root)
    done = box.run("fsck", root, check=False)
    assert done.returncode == 0, f"fsck: {done.stdout}{done.stderr}"
    leftovers = [n for n in ("intent", "recovered", "conflicts") if os.path.isdir(root / ".projfs" / n) and os.listdir(root / ".projfs" / n)]
    assert not leftovers, f"in .projfs: {leftovers}"
    return found


class Crasher:
    """All steps of one case."""

    def __init__(self, box, case):
        self.box, self.case = box, case
        self.seen = {"before": 0, "during": 0, "after": 0, "never": 0}
        self.before, self.after = self.on_plain_copy()

    def on_plain_copy(self):
        plain = self.box.dir / "plain"
        shutil.copytree(self.box.source, plain, symlinks=True)
        self.case.prepare(plain)
        before = describe(plain)
        self.case.call(plain)
        after = describe(plain)
        shutil.rmtree(plain)
        return before, after

    def fresh(self):
        root = self.box.dir / "root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return root

    def count_of_preparation(self):
        """How many steps an instance takes that is started, prepared and stopped."""
        file = self.box.dir / "count"
        file.unlink(missing_ok=True)
        only = Case(self.case.name, lambda top: None, *self.case.preparations)
        assert try_once(self.box, only, self.fresh(), f"count:{file}") == "never"
        return int(file.read_text().split()[-1])

    def crash(self, n):
        """Kill at the n-th step and compare; says when that was."""
        root = self.fresh()
        when = try_once(self.box, self.case, root, f"kill:{n}")
        self.seen[when] += 1
        if when == "before":
            return when
        found = look_after(self.box, root)
        if found == self.after or (when == "during" and found == self.before):
            return when
        raise AssertionError(
            f"{self.case.name}, step {n}, killed {when} the call:\n"
            f"found, wanted after: {differences(found, self.after)}\n"
            f"found, wanted before: {differences(found, self.before)}"
        )

    def crash_everywhere(self):
        """Every step from the first of the call on, until an instance ends well."""
        middle = max(1, self.count_of_preparation())
        n = middle
        while n > 0 and self.crash(n) != "before":
            n -= 1
        for n in range(middle + 1, middle + MOST_STEPS):
            if self.crash(n) == "never":
                return
        raise AssertionError(f"no end after {MOST_STEPS} steps")
