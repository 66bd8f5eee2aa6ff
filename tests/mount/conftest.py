# SPDX-License-Identifier: MIT
"""
Fixtures: `box` is a test's own directory and instances (support.py); `tree` a large source, made once.

PROJFS_BUILD or --build names the build directory.  PROJFS_FULL=1 takes the large numbers.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
DEFAULT_LIMIT_SECONDS = 60


def pytest_addoption(parser):
    parser.addoption("--build", help="the build directory (default: PROJFS_BUILD)")


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): when the watchdog aborts the mounts of this test")
    if config.getoption("--build"):
        os.environ["PROJFS_BUILD"] = config.getoption("--build")
    import support  # after the environment is as it should be

    if not (support.BUILD / "src/cli/projfs").exists():
        raise pytest.UsageError(f"no build in {support.BUILD}: set PROJFS_BUILD or --build")
    os.environ[support.SESSION_VARIABLE] = f"{os.getpid()}"
    # what one test leaves to the next are surprises
    os.umask(0o022)


def prepare_fusectl():
    import watchdog

    directory = pathlib.Path(watchdog.CONNECTIONS)
    if os.geteuid() == 0 and directory.exists() and not os.path.ismount(directory):
        subprocess.run(["mount", "-t", "fusectl", "fusectl", directory], check=False)


@pytest.fixture(scope="session", autouse=True)
def session():
    import support
    import watchdog

    prepare_fusectl()
    pid = watchdog.start()
    yield
    watchdog.stop(pid)
    # others may run on this machine at the same time
    left = {m for m in support.projfs_mounts() if m.startswith(tuple(support.Box.directories))}
    for root in left:
        support.detach(root)
    pids = support.processes_with(support.SESSION_VARIABLE, os.getpid())
    assert not left, "still mounted"
    assert not pids, "still running"


@pytest.fixture(autouse=True)
def limit(request, session):
    """A time limit for every test."""
    import watchdog

    marker = request.node.get_closest_marker("limit")
    watchdog.tell(f"begin {marker.args[0] if marker else DEFAULT_LIMIT_SECONDS}")
    yield
    watchdog.tell("end")


def open_box():
    import support

    box = support.Box()
    yield box
    complaints = box.close()
    if complaints:
        pytest.fail(complaints)


@pytest.fixture
def box(limit):
    yield from open_box()


@pytest.fixture(scope="module")
def module_box(session):
    yield from open_box()


@pytest.fixture(scope="session")
def tree(session):
    """A source of 50,000 entries with all kinds of them."""
    import trees

    directory = pathlib.Path(tempfile.mkdtemp(prefix="projfs-tree-"))
    directory.chmod(0o755)
    trees.make_large(directory)
    yield directory
    subprocess.run(["chmod", "-R", "u+rwX", directory], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(directory, ignore_errors=True)
