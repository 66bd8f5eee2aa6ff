# SPDX-License-Identifier: MIT
"""Views: roots of the projfs that was just built, mounted over directories of the image."""
import json
import os
import subprocess

import machine

MODES = {"stable": ["-o", "stable"], "live": []}


class Projfs:
    """The built command, and the roots it has mounted: close() takes them all down."""

    def __init__(self, build):
        self.command = os.path.join(build, "src/cli/projfs")
        helper = os.path.join(build, "src/fuse/projfs-helper")
        providers = [os.path.join(build, folder) for folder in ("src/provider/dir", "src/provider/fault", "bench")]
        for path in [self.command, helper, *providers]:
            if not os.path.exists(path):
                raise machine.BenchError(f"'{path}' is missing: build first")
        machine.ENV.update({"PROJFS_HELPER": helper, "PROJFS_PROVIDER_PATH": ":".join(providers)})
        self.roots = []

    def version(self):
        return machine.run([self.command, "--version"], stdout=subprocess.PIPE).decode().strip()

    def mount_argv(self, mode, source, root, options=()):
        return [self.command, "mount", *MODES[mode], *options, "dir:" + source, root]

    def umount_argv(self, root):
        return [self.command, "umount", "--quiet", root]

    def mount(self, mode, source, root, options=()):
        """Mount at root, which is made if it is not there."""
        os.makedirs(root, exist_ok=True)
        self.will_mount(root)
        machine.run(self.mount_argv(mode, source, root, options), is_short=True)

    def will_mount(self, root):
        if root not in self.roots:
            self.roots.append(root)

    def umount(self, root):
        machine.run(self.umount_argv(root), is_short=True)
        self.roots.remove(root)

    def status(self, root):
        out = machine.run([self.command, "status", "--json", root], stdout=subprocess.PIPE)
        return json.loads(out)["instances"][0]

    def counters(self, root):
        return self.status(root)["counters"]

    def close(self):
        for root in self.roots:
            if not os.path.ismount(root):
                continue
            argv = self.umount_argv(root)
            try:
                ended = subprocess.run(argv, env=machine.ENV, timeout=30, check=False).returncode == 0
            except subprocess.TimeoutExpired:
                ended = False
            if not ended:
                subprocess.run(["umount", "--lazy", root], check=False)
        self.roots.clear()
