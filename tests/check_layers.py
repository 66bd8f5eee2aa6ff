#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The include arrows of doc/architecture.md: which layer may know which."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# layer -> what it may include besides itself and the system
ALLOWED = {
    "util": set(),
    "store": {"util"},
    "core": {"store", "util"},
    "fuse": {"core", "store", "util"},
    "control": {"util"},
    "api": {"prj", "control", "fuse", "core", "store", "util"},
    "cli": {"prj", "control", "core", "store", "util"},
    "provider": {"prj"},
}
# cli reaches an instance through the public API, core/ioctl.h and the control socket, and looks at a root that nothing
# runs on through the store; provider is public headers alone.

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def layer_of(include, quote):
    head = include.split("/", 1)[0]
    if head == "prj":
        return "prj"
    if quote == '"' and "/" in include and head in ALLOWED:
        return head
    return None


def problems():
    for layer in ALLOWED:
        for path in sorted((ROOT / "src" / layer).rglob("*.[ch]")):
            for quote, include in INCLUDE.findall(path.read_text()):
                target = layer_of(include, quote)
                if target in (None, layer):
                    if quote == '"' and "/" not in include and layer != "provider":
                        yield f"{path.relative_to(ROOT)}: \"{include}\" should name its layer"
                    continue
                if target not in ALLOWED[layer]:
                    yield f"{path.relative_to(ROOT)}: {layer} may not include {include}"
    for path in sorted((ROOT / "examples").rglob("*.[ch]")):
        for quote, include in INCLUDE.findall(path.read_text()):
            if layer_of(include, quote) not in (None, "prj"):
                yield f"{path.relative_to(ROOT)}: examples may not include {include}"
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        if path.relative_to(ROOT / "src").parts[0] not in ALLOWED:
            yield f"{path.relative_to(ROOT)}: no such layer"


found = list(problems())
print("\n".join(found) or "all includes follow the arrows")
sys.exit(bool(found))
