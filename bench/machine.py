# SPDX-License-Identifier: MIT
"""The machine: commands that end with us, cold caches, and a file system of our own.

The file system is an image in a sparse file.  It is fresh for each run because ext4 remembers: after mass
deletion later creations are slow for minutes.  For the same reason nothing is deleted on it during a run.
"""
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time

ENV = {**os.environ, "LC_ALL": "C"}


class BenchError(Exception):
    """Something that makes the figures worthless: said in one line, ends the run."""


def run(argv, ok=(0,), stdout=subprocess.DEVNULL, timeout_s=600, is_short=False):
    """Run argv to its end, and return what it wrote if stdout is PIPE.

    If we are stopped, its process group is killed: a pipeline that outlives its shell would keep the image busy.
    What is_short is left to end instead: half a mount would appear after all others were taken down.
    """
    p = subprocess.Popen(argv, stdout=stdout, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENV,
                         start_new_session=True)
    try:
        out, err = p.communicate(timeout=timeout_s)
    except BaseException as e:
        try:
            p.communicate(timeout=10 if is_short else 0)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.communicate()
        if isinstance(e, subprocess.TimeoutExpired):
            raise BenchError(f"'{' '.join(argv)}' took longer than {timeout_s} s") from None
        raise
    if p.returncode not in ok:
        lines = err.decode(errors="replace").strip().splitlines() or ["no message"]
        raise BenchError(f"'{' '.join(argv)}' ended with {p.returncode}: {lines[0]}")
    return out


def timed(argv, ok=(0,), is_short=False):
    start = time.perf_counter()
    run(argv, ok, is_short=is_short)
    return time.perf_counter() - start


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3")


class Image:
    """A fresh ext4 in a loop device.  close() may be called at any time, and more than once."""

    def __init__(self, size_bytes):
        self.work = tempfile.mkdtemp(prefix="projfs-bench-")
        self.top = os.path.join(self.work, "fs")
        self.mounted = False
        self.size_bytes = size_bytes

    def open(self):
        image = os.path.join(self.work, "image")
        os.mkdir(self.top)
        with open(image, "wb") as f:
            f.truncate(self.size_bytes)
        # Not lazy: the kernel would write inode tables behind the first minutes of the measurement.
        run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image])
        self.mounted = True
        run(["mount", "-o", "loop", image, self.top])

    def close(self):
        for _ in range(50):
            if not self.mounted or not os.path.ismount(self.top):
                break
            if subprocess.run(["umount", self.top], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "--lazy", self.top], check=False)
        self.mounted = False
        if not os.path.ismount(self.top):
            shutil.rmtree(self.work, ignore_errors=True)


def _first_line_with(path, key):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), None)
    except OSError:
        return None


def facts():
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _first_line_with("/proc/cpuinfo", "model name") or "unknown",
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "fs": "ext4 in a fresh loop image",
        "load_before": os.getloadavg()[0],
    }
