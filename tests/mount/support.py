# SPDX-License-Identifier: MIT
"""
What the mount tests stand on: a private directory with everything that a test starts in it, instances that are always
unmounted, and children through which a test touches a view.

The test process itself never looks at a path below a mount: a bug in projfs could hang it for ever, beyond the
reach of SIGKILL.  A child does, with a time limit, and when it does not come back the connection is aborted.
"""

import contextlib
import errno
import json
import os
import pathlib
import pickle
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
import traceback

import pytest

import watchdog

BUILD = pathlib.Path(os.environ.get("PROJFS_BUILD", "build")).resolve()
FULL = os.environ.get("PROJFS_FULL") == "1"
IS_ROOT = os.geteuid() == 0
HERE = pathlib.Path(__file__).resolve().parent
SESSION_VARIABLE = "PROJFS_MOUNT_SESSION"

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")


class MountFailed(Exception):
    """projfs mount ended instead of mounting; the text is what it said."""


# ---- processes ------------------------------------------------------------------------------


def wait_for_exit(pid, timeout):
    """True when the process has ended (a child: it can be reaped then)."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout)[0])
    finally:
        os.close(fd)


def processes_with(variable, value):
    """The ids of the processes that have this variable in the environment they were started with."""
    wanted = os.fsencode(f"{variable}={value}")
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = pathlib.Path("/proc", pid, "environ").read_bytes().split(b"\0")
            state = pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, UnicodeDecodeError):
            continue
        if wanted in environment and state != "Z":
            found.append(int(pid))
    return found


class Child:
    """A forked process that runs a function, and hands back what it returned or raised."""

    running = []

    def __init__(self, function, *arguments):
        self.result_fd, write_fd = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.result_fd)
                signal.set_wakeup_fd(-1)
                try:
                    answer = (True, function(*arguments))
                except BaseException as e:  # pylint: disable=broad-except
                    e.__traceback__ = None if isinstance(e, OSError) else e.__traceback__
                    answer = (False, e if isinstance(e, OSError) else RuntimeError(traceback.format_exc()))
                with os.fdopen(write_fd, "wb") as out:
                    out.write(pickle.dumps(answer))
                code = 0
            finally:
                os._exit(code)
        os.close(write_fd)
        self.pidfd = os.pidfd_open(self.pid)
        self.is_reaped = False
        Child.running.append(self)

    def kill(self, number=signal.SIGKILL):
        signal.pidfd_send_signal(self.pidfd, number)

    def is_running(self):
        return not select.select([self.pidfd], [], [], 0)[0]

    def wait_gone(self, timeout=30):
        """How it ended, as a wait status; TimeoutError, after everything was tried to end it."""
        if self.is_reaped:
            return self.status
        if not select.select([self.pidfd], [], [], timeout)[0]:
            self.kill()
            if not select.select([self.pidfd], [], [], 2)[0]:
                watchdog.abort_all()
                select.select([self.pidfd], [], [], 10)
            self._reap()
            raise TimeoutError(f"a child did not end within {timeout} s")
        self._reap()
        return self.status

    def _reap(self):
        self.is_reaped = True
        Child.running.remove(self)
        _, self.status = os.waitpid(self.pid, os.WNOHANG)
        os.close(self.pidfd)

    def result(self, timeout=30):
        """What the function returned; raises what it raised."""
        chunks, deadline = [], time.monotonic() + timeout
        while select.select([self.result_fd], [], [], max(0, deadline - time.monotonic()))[0]:
            chunk = os.read(self.result_fd, 1 << 20)
            if not chunk:
                break
            chunks.append(chunk)
        os.close(self.result_fd)
        self.wait_gone(max(0.5, deadline - time.monotonic()))
        if not chunks:
            raise RuntimeError(f"a child ended without an answer, wait status {self.status}")
        is_good, value = pickle.loads(b"".join(chunks))
        if not is_good:
            raise value
        return value


def inside(function, *arguments, timeout=30):
    """Run a function that touches a view."""
    return Child(function, *arguments).result(timeout)


def _read(path, offset, size):
    with open(path, "rb", buffering=0) as f:
        if size is None:
            return f.readall()
        return os.pread(f.fileno(), size, offset)


def read(path, offset=0, size=None, timeout=30):
    return inside(_read, path, offset, size, timeout=timeout)


def names(path, timeout=30):
    return sorted(inside(os.listdir, path, timeout=timeout))


def stat(path, timeout=30):
    return inside(os.lstat, path, timeout=timeout)


def error_of(function, *arguments, timeout=30):
    """The name of the errno with which it fails; None if it does not."""
    try:
        inside(function, *arguments, timeout=timeout)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


def eventually(function, wanted, timeout=20):
    """Ask until the answer is the wanted one; returns the last answer."""
    deadline = time.monotonic() + timeout
    while (answer := function()) != wanted and time.monotonic() < deadline:
        pass
    return answer


def tool(*command, timeout=60, check=True, **keywords):
    """Run a program on a view; the output is bytes."""
    process = subprocess.Popen(
        [os.fspath(c) for c in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **keywords,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        if not wait_for_exit(process.pid, 2):
            watchdog.abort_all()
        process.wait(10)
        raise
    if check and process.returncode:
        raise AssertionError(f"{command} ended with {process.returncode}:\n{os.fsdecode(out[-2000:] + err[-4000:])}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


# ---- mounts ---------------------------------------------------------------------------------


def _unescape(text):
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def projfs_mounts():
    """{mount point: minor number of its device}"""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            if right.startswith("fuse.projfs "):
                fields = left.split(" ")
                found[_unescape(fields[4])] = int(fields[2].split(":")[1])
    return found


def wait_for_mounts(is_good, timeout, pidfd=None):
    """Poll the table of mounts until is_good(it); False if it is not in time, or the process ends before."""
    deadline = time.monotonic() + timeout
    fd = os.open("/proc/self/mountinfo", os.O_RDONLY)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLERR | select.POLLPRI)
        if pidfd is not None:
            poll.register(pidfd, select.POLLIN)
        while not is_good(projfs_mounts()):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if any(ready == pidfd for ready, _ in poll.poll(left * 1000)):
                return is_good(projfs_mounts())
        return True
    finally:
        os.close(fd)


def detach(root):
    """Unmount by force, whatever the instance does."""
    command = ["umount", "-l", root] if IS_ROOT else ["fusermount3", "-u", "-z", root]
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=10)


class Instance:
    """`projfs mount -f`, running."""

    def __init__(self, box, source, options, root, extra_environment):
        self.box = box
        self.root = root
        self.log = box.dir / "logs" / f"mount-{len(box.instances)}"
        command = [box.command, "mount", "-f"]
        for option in options:
            command += ["-o", option]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*command, source, os.fspath(root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**box.environment, **extra_environment},
            )
        self.pid = self.process.pid
        watchdog.tell(f"pid {self.pid}")
        pidfd = os.pidfd_open(self.pid)
        is_mounted = wait_for_mounts(lambda mounts: os.fspath(root) in mounts, 20, pidfd)
        os.close(pidfd)
        if not is_mounted:
            self.end_by_force()
            raise MountFailed(self.log.read_text(errors="replace"))
        self._wait_usable()
        self.minor = projfs_mounts().get(os.fspath(root))
        watchdog.tell(f"mount {self.minor}")

    def _wait_usable(self):
        """The control socket comes last."""
        sockets = self.box.dir / "run" / "projfs"

        def listens():
            with contextlib.suppress(OSError):
                for path in sockets.glob("*.sock"):
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(os.fspath(path))
                        pid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
                        if pid == self.pid:
                            return True
            return self.process.poll() is not None

        eventually(listens, True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self.end_by_force()

    def is_mounted(self):
        return os.fspath(self.root) in projfs_mounts()

    def wait_unmounted(self, timeout):
        return wait_for_mounts(lambda mounts: os.fspath(self.root) not in mounts, timeout)

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20):
        """The exit code."""
        code = self.process.wait(timeout)
        watchdog.tell(f"gone {self.pid} {self.minor}")
        return code

    def stop(self, number=signal.SIGTERM):
        """Ask it to end, and insist that it ends well."""
        if self.process.returncode is not None:
            return
        self.send(number)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.end_by_force()
            raise
        assert code == 0, f"the instance ended with {code}: {self.log.read_text(errors='replace')}"
        assert not self.is_mounted()

    def end_by_force(self):
        if self.is_mounted():
            detach(self.root)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def status(self):
        return self.box.json("status", self.root)["instances"][0]

    def counters(self):
        return self.status()["counters"]


class Puppet:
    """The other end of the strings of provider/puppet.c."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(40)
        self.socket.connect(os.fspath(directory / "control"))
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def close(self):
        self.lines.close()
        self.socket.close()

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        answer = []
        while True:
            line = self.lines.readline()
            assert line, f"the puppet is gone, asked: {command}"
            line = line.rstrip("\n")
            if line == "ok":
                return answer
            assert not line.startswith("error "), f"{command}: {line}"
            answer.append(line)

    def count(self, kind, path=""):
        return int(self.ask(f"count {kind} {path}")[0])

    def ranges(self, path):
        return [tuple(map(int, line.split())) for line in self.ask(f"ranges {path}")]


def content(seed, size, offset=0):
    """What the puppet delivers for a file: words of eight bytes, each of them another."""
    import array

    first, last = offset // 8, (offset + size + 7) // 8
    words = array.array("Q", range((seed << 40) + first + 1, (seed << 40) + last + 1))
    return words.tobytes()[offset % 8 : offset % 8 + size]


# ---- a test's own directory -----------------------------------------------------------------


class Box:
    """A private directory, an environment that keeps to it, and everything that was started there."""

    directories = []  # of all boxes of this session

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="projfs-mount-"))
        Box.directories.append(f"{self.dir}/")
        self.command = os.fspath(BUILD / "src/cli/projfs")
        self.instances = []
        self.puppets = []
        self.made = set()
        for name in ("logs", "run", "home", "sanitizer"):
            (self.dir / name).mkdir(mode=0o700)
        self.dir.chmod(0o755)
        # the helper of an instance and what it runs have other users
        (self.dir / "sanitizer").chmod(0o1777)
        logs = self.dir / "sanitizer" / "log"
        self.environment = {
            **os.environ,
            "HOME": os.fspath(self.dir / "home"),
            "XDG_RUNTIME_DIR": os.fspath(self.dir / "run"),
            "PROJFS_HELPER": os.fspath(BUILD / "src/fuse/projfs-helper"),
            "PROJFS_PROVIDER_PATH": ":".join(
                os.fspath(BUILD / d)
                for d in ("src/provider/dir", "src/provider/fault", "examples", "tests/mount")
            ),
            "PROJFS_TEST_DIR": os.fspath(self.dir),
            "ASAN_OPTIONS": f"log_path={logs}:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": f"log_path={logs}:print_stacktrace=1",
            "TSAN_OPTIONS": f"log_path={logs}",
            "LC_ALL": "C.UTF-8",
        }

    def make_dir(self, name):
        path = self.dir / name
        if name not in self.made:  # a mount may cover it, which is not to be touched
            path.mkdir()
            self.made.add(name)
        return path

    @property
    def source(self):
        return self.make_dir("source")

    @property
    def root(self):
        return self.make_dir("root")

    def mount(self, source=None, *options, root=None, **environment):
        """Run an instance in the foreground; `dir:` and the source directory is the default source."""
        instance = Instance(
            self, source or f"dir:{self.source}", options, root or self.root, environment
        )
        self.instances.append(instance)
        return instance

    def puppet(self, *script, options=(), **environment):
        """Mount the puppet with this script; returns the instance, with its strings in `.puppet`."""
        directory = self.make_dir("puppet")
        (directory / "script").write_text("".join(line + "\n" for line in script))
        instance = self.mount(f"puppet:{directory}", *options, **environment)
        instance.puppet = Puppet(directory)
        self.puppets.append(instance.puppet)
        return instance

    def run(self, *arguments, check=True, timeout=30, **environment):
        """The projfs command; its output is text."""
        done = tool(
            self.command, *arguments, check=False, timeout=timeout, env={**self.environment, **environment}
        )
        done.stdout = done.stdout.decode(errors="surrogateescape")
        done.stderr = done.stderr.decode(errors="surrogateescape")
        if check:
            assert done.returncode == 0, f"projfs {arguments} ended with {done.returncode}: {done.stderr}"
        return done

    def json(self, command, *arguments, **keywords):
        return json.loads(self.run(command, "--json", *arguments, **keywords).stdout)

    def state(self, path):
        return self.run("state", path).stdout.split()[0]

    def below(self, root=None):
        """All that is on the disk of an unmounted root, without the private directory."""
        root = os.fspath(root or self.root)
        assert root not in projfs_mounts()
        found = []
        for path, directories, files in os.walk(os.fsencode(root)):
            if path == os.fsencode(root):
                directories.remove(b".projfs")
            found += [os.path.relpath(os.path.join(path, n), os.fsencode(root)) for n in directories + files]
        return sorted(found)

    def sanitizer_logs(self):
        return [p.read_text(errors="replace") for p in sorted((self.dir / "sanitizer").iterdir())]

    def close(self):
        """End and remove everything; returns what should not have been there, as text."""
        complaints = []
        for child in list(Child.running):  # of a test that failed
            child.kill()
            with contextlib.suppress(TimeoutError):
                child.wait_gone(5)
        for puppet in self.puppets:
            puppet.close()
        for instance in self.instances:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if instance.process.poll() is None:
                    instance.send(signal.SIGTERM)
                    instance.wait(15)
            instance.end_by_force()
        for root in projfs_mounts():
            if root.startswith(f"{self.dir}/"):
                complaints.append(f"{root} was still mounted")
                detach(root)
        for pid in processes_with("PROJFS_TEST_DIR", self.dir):
            if not wait_for_exit(pid, 10):
                complaints.append(f"process {pid} was still running")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        complaints += self.sanitizer_logs()
        for log in sorted((self.dir / "logs").iterdir()):
            text = log.read_text(errors="replace")
            if text:
                print(f"--- {log.name}\n{text[-4000:]}")
        if not IS_ROOT:
            subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--one-file-system", self.dir], check=False, stderr=subprocess.DEVNULL)
        return "\n".join(complaints)
