# SPDX-License-Identifier: MIT
"""How an instance ends between a change and the look at what has become of it."""

import os
import signal

import pytest

from support import inside


def write(path, data):
    inside(path.write_bytes, data)


def kill(_box, instance):
    """The instance dies; its helper unmounts."""
    instance.send(signal.SIGKILL)
    instance.process.wait(20)
    assert instance.wait_unmounted(20)


def stop(_box, instance):
    instance.stop()


def keep_running(_box, _instance):
    pass


ENDS = pytest.mark.parametrize("end", [stop, kill], ids=["stopped", "killed"])
RESTARTS = pytest.mark.parametrize("end", [keep_running, stop, kill], ids=["running", "restarted", "killed"])


def tree_of(top):
    """{relative path: content, link target, or None for a directory}"""

    def walk():
        found = {}
        for path, directories, files in os.walk(top):
            for name in directories + files:
                full = os.path.join(path, name)
                if os.path.islink(full):
                    found[os.path.relpath(full, top)] = os.readlink(full)
                elif os.path.isdir(full):
                    found[os.path.relpath(full, top)] = None
                else:
                    with open(full, "rb") as f:
                        found[os.path.relpath(full, top)] = f.read()
        return found

    return inside(walk)
