#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library exports exactly what prj.h declares:  check_exports.py LIBPROJFS.SO"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

header = (ROOT / "include/prj/prj.h").read_text()
declared = set(re.findall(r"PRJ_EXPORT[^;]*?\b(prj_[a-z0-9_]+)\(", header))
symbols = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], check=True, text=True,
                         capture_output=True).stdout
exported = {line.split()[2].split("@")[0] for line in symbols.splitlines()
            if line.split()[1] != "A"}
for name in sorted(declared - exported):
    print(f"declared, not exported: {name}")
for name in sorted(exported - declared):
    print(f"exported, not declared: {name}")
if declared == exported:
    print(f"{len(exported)} functions")
sys.exit(declared != exported)
