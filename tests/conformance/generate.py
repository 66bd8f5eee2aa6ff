#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which test shows which statement of the reference: doc/conformance.md, made from statements.toml.

    generate.py --check         the list is complete, its tests and reasons exist, and the page is made from it
    generate.py --results DIR   every named test passed in the run whose results are in DIR, and the page says so
    generate.py --write [DIR]   make the page; DIR: with the results of that run

DIR is the build root of tests/run.sh.  A test of the C sources is named unit:FOLDER/FILE/TEST, one with a real mount
mount:FILE.py::TEST.
"""

import argparse
import json
import pathlib
import re
import sys
import tomllib
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
LIST = HERE / "statements.toml"
DOC = TESTS.parent / "doc"
PAGE = DOC / "conformance.md"
COMMAND = "tests/conformance/generate.py"

PASS, FAIL, SKIP, NOT_RUN = "pass", "FAIL", "skipped", "not run"
ANSWERS = ("tests", "differs", "not_testable")  # each statement has at least one of them
OPTIONAL = ("issue", "wanted")
LATER = {6: "in a later version (changing the view)", 8: "in a later version (the Windows interface)"}

# ---- the list --------------------------------------------------------------------------------


def load():
    return tomllib.loads(LIST.read_text())


def statements(data):
    for section in data["section"]:
        yield from section["statement"]


def problems_of_statement(s):
    unknown = set(s) - {"id", "text", *ANSWERS, *OPTIONAL}
    if unknown:
        yield f"unknown keys {sorted(unknown)}"
    if not s.get("text"):
        yield "no text"
    if "wanted" in s:
        yield f"no test yet, wanted: {s['wanted']}"
    elif not any(s.get(key) for key in ANSWERS) and "issue" not in s:
        yield "neither a test nor a documented difference"
    if s.get("issue", 6) not in LATER:
        yield f"unknown issue {s['issue']}"


def check_list(data, sources):
    """Everything that is wrong with the list."""
    seen = set()
    for s in statements(data):
        for problem in problems_of_statement(s):
            yield f"{s['id']}: {problem}"
        if s["id"] in seen:
            yield f"{s['id']} is there twice"
        seen.add(s["id"])
        for test in s.get("tests", []):
            if test not in sources:
                yield f"{s['id']}: there is no test {test}"


# ---- the reasons ----------------------------------------------------------------------------------


def rows(page):
    """The cells of all tables of a page, but for their heads."""
    for line in page.read_text().splitlines():
        cells = [c.strip() for c in line.split("|")[1:-1]]
        if cells and cells[0] not in ("topic", "name") and not cells[0].startswith("---"):
            yield cells


def check_differences(data):
    """Each difference says where its reason is: a topic of a page, or a decision."""
    topics = {page: {cells[0] for cells in rows(DOC / f"{page}.md")} for page in ("semantics", "posix")}
    for s in statements(data):
        if not s.get("differs"):
            continue
        named = re.findall(r"(semantics|posix)\.md, \*(.+?)\*", s["differs"])
        decisions = re.findall(r"decisions/(\d{4})", s["differs"])
        if not named and not decisions:
            yield f"{s['id']}: the difference does not say where its reason is"
        for page, topic in named:
            if topic not in topics[page]:
                yield f"{s['id']}: doc/{page}.md has no topic {topic}"
        for number in decisions:
            if not list(DOC.glob(f"decisions/{number}-*.md")):
                yield f"{s['id']}: there is no decision {number}"


def check_reasons(data, sources):
    """The choices of doc/semantics.md are complete, and shown by statements or tests that exist."""
    ids = {s["id"] for s in statements(data)}
    for cells in rows(DOC / "semantics.md"):
        where = f"doc/semantics.md, {cells[0]}, {cells[1]}"
        if len(cells) != 5 or not all(cells):
            yield f"{where}: a cell is missing or empty"
        for folder, name in re.findall(r"`([\w/.]+)` (\w+)", cells[-1]):
            test = f"mount:{folder}::{name}" if folder.endswith(".py") else f"unit:{folder}/{name}"
            if test not in sources:
                yield f"{where}: there is no test {test}"
        for word in re.sub(r"`[^`]*` \w+", "", cells[-1]).replace(",", " ").split():
            if re.match(r"G?\d", word) and word not in ids:
                yield f"{where}: there is no statement {word}"


# ---- the tests that there are -------------------------------------------------------------------


def unit_tests():
    """A cmocka test is a function that takes the state, and is named in a macro of the list in main()."""
    for path in TESTS.glob("unit/*/test_*.c"):
        text = path.read_text()
        listed = set(re.findall(r"\b(?:cmocka_unit_test\w*|[A-Z][A-Z_]*)\(\s*([a-z]\w*)\s*[,)]", text))
        for name in re.findall(r"^static void (\w+)\(void \*\*", text, re.MULTILINE):
            if name in listed:
                yield f"unit:{path.parent.name}/{path.stem}/{name}"


def mount_tests():
    for path in TESTS.glob("mount/test_*.py"):
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE):
            yield f"mount:{path.name}::{name}"


def source_tests():
    return {*unit_tests(), *mount_tests()}


# ---- what they said -------------------------------------------------------------------------------


def note(results, test, outcome):
    """One that has several parameters passed if one did and none failed."""
    order = [NOT_RUN, SKIP, PASS, FAIL]
    results[test] = max(results.get(test, NOT_RUN), outcome, key=order.index)


def unit_results(results, log, sources):
    for line in log.read_text().splitlines():
        run = json.loads(line)
        program = pathlib.Path(run["command"][-1])
        stem = program.name[program.name.find("test_") :]
        where = f"unit:{program.parent.name}/{stem}"
        if run["result"] == "SKIP":  # all of it, for what this machine lacks
            for test in sources:
                if test.startswith(where + "/"):
                    note(results, test, SKIP)
        output = run.get("stdout", "") + "\n" + run.get("stderr", "")
        found = re.findall(r"\[ +(OK|FAILED|SKIPPED|ERROR) +\] (\w+)", output)
        # A program that passes its tests and then fails, for a leak say, has failed in all.
        all_bad = run["result"] not in ("OK", "SKIP") and "FAILED" not in {outcome for outcome, _ in found}
        for outcome, name in found:
            note(results, f"{where}/{name}", FAIL if all_bad else {"OK": PASS, "SKIPPED": SKIP}.get(outcome, FAIL))


def mount_results(results, log):
    for case in ElementTree.parse(log).iter("testcase"):
        name = case.get("name").split("[", 1)[0]
        test = f"mount:{case.get('classname').rsplit('.', 1)[-1]}.py::{name}"
        kinds = {child.tag for child in case}
        bad = kinds & {"failure", "error"}
        note(results, test, FAIL if bad else SKIP if "skipped" in kinds else PASS)


def load_results(build, sources):
    results = {}
    unit = build / "gcc-asan" / "meson-logs" / "testlog.json"
    mount = build / "mount-tests.xml"
    if unit.exists():
        unit_results(results, unit, sources)
    if mount.exists():
        mount_results(results, mount)
    return results


def check_results(data, results):
    for s in statements(data):
        for test in s.get("tests", []):
            outcome = results.get(test, NOT_RUN)
            # What this machine or this user cannot run says so itself.
            if outcome not in (PASS, SKIP):
                yield f"{s['id']}: {test}: {outcome}"


# ---- the page ----------------------------------------------------------------------------------------


def test_cell(s):
    names = []
    for test in s.get("tests", []):
        where, name = re.fullmatch(r"(?:unit|mount):(.*?)(?:/|::)(\w+)", test).groups()
        names.append(f"`{where}` {name}")
    return "<br>".join(names) or "none"


def result_cell(s, results):
    parts = []
    if "wanted" in s:
        parts.append("no test yet")
    outcomes = {results.get(test, NOT_RUN) for test in s.get("tests", [])}
    if outcomes:
        parts.append(next(o for o in (FAIL, NOT_RUN, SKIP, PASS) if o in outcomes))
    if s.get("differs"):
        parts.append("difference: " + s["differs"])
    if "issue" in s:
        parts.append("difference: " + LATER[s["issue"]])
    if s.get("not_testable"):
        parts.append("not testable: " + s["not_testable"])
    return "; ".join(parts)


def page(data, results):
    everything = list(statements(data))
    tested = sum(1 for s in everything if s.get("tests"))
    lines = [
        "# Conformance",
        "",
        f"Made by `{COMMAND}` from `tests/conformance/statements.toml`: do not edit.",
        "",
        "Each statement of the reference on which a provider may rely, in our words, with the tests that show it. The",
        "numbers are those of the reference's sections; G1 to G49 are its list of subtle rules. A *difference* is what",
        "Linux, or we, do otherwise, with the reason in [semantics.md](semantics.md) or [posix.md](posix.md).",
        "",
        f"{len(everything)} statements, {tested} of them with tests, "
        f"{sum(1 for s in everything if s.get('differs') or 'issue' in s)} with a difference.",
    ]
    for section in data["section"]:
        lines += ["", f"## {section['title']}", "", "| no. | statement | tests | result |", "|---|---|---|---|"]
        for s in section["statement"]:
            cells = [s["id"], s["text"], test_cell(s), result_cell(s, results)]
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def without_results(text):
    return re.sub(rf"\| (?:{PASS}|{FAIL}|{SKIP}|{NOT_RUN})(?=( \||; ))", "| ?", text)


def check_page(data):
    if not PAGE.exists() or without_results(PAGE.read_text()) != without_results(page(data, {})):
        yield f"doc/conformance.md is not what the list says: {COMMAND} --write BUILD_ROOT"


# ---- main ---------------------------------------------------------------------------------------------


def check_written_results(data, results):
    outcomes = {t: PASS if o == SKIP else o for t, o in results.items()}
    if PAGE.read_text() != page(data, outcomes):
        yield f"doc/conformance.md does not say what this run found: {COMMAND} --write BUILD_ROOT"


def main():
    parser = argparse.ArgumentParser()
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--check", action="store_true")
    group.add_argument("--results", type=pathlib.Path, metavar="DIR")
    group.add_argument("--write", nargs="?", type=pathlib.Path, const=pathlib.Path("/nonexistent"), metavar="DIR")
    args = parser.parse_args()
    data = load()
    sources = source_tests()
    problems = [*check_list(data, sources), *check_differences(data), *check_reasons(data, sources)]
    if args.check:
        problems += check_page(data)
    elif args.results:
        results = load_results(args.results, sources)
        problems += check_results(data, results)
        problems += [] if problems else check_written_results(data, results)
    else:
        results = load_results(args.write, sources)
        problems += check_results(data, results) if results else []
        PAGE.write_text(page(data, results))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
