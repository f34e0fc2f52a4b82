#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every promise of Documentation/promises.rst is shown by tests, and those that it names exist.

A unit test is named by its suite and its own name, a scenario of tests/lab by its name.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROMISES = TOP / "Documentation/promises.rst"
SUITES = ("drivers/xen/balloon/tests/*-kunit.h", "tests/kunit/*.c")


def unit_tests():
    """Return the names of all unit tests, with their suites'."""
    tests = set()
    for path in (path for pattern in SUITES for path in TOP.glob(pattern)):
        text = path.read_text()
        if suite := re.search(r"struct kunit_suite \w+ = \{\s*\.name = \"(\w+)\"", text):
            tests |= {f"{suite[1]}.{name}" for name in re.findall(r"\bKUNIT_CASE\w*\(\s*(\w+)", text)}
    return tests


def scenarios():
    return {path.stem for path in TOP.glob("tests/lab/*.py") if re.search(r"^def run\(", path.read_text(), re.M)}


def promises(text):
    """Yield each promise's title, and the tests that it names."""
    parts = re.split(r"^(.+)\n=+\n", text, flags=re.M)[1:]
    for title, body in list(zip(parts[::2], parts[1::2]))[1:]:     # the first is the document's own
        shown = re.search(r"^:Shown by:(.*(?:\n +.*)*)", body, re.M)
        yield title, re.findall(r"``(.+?)``", shown[1]) if shown else []


def main():
    there = unit_tests() | scenarios()
    made = list(promises(PROMISES.read_text()))
    bad = [f"'{title}' names no test" for title, tests in made if not tests]
    bad += [f"'{title}' names {test}, which is no unit test and no scenario"
            for title, tests in made for test in tests if test not in there]
    if not made:
        bad = ["no promise was found, expected a section for each"]
    if bad:
        sys.exit("\n".join(f"promises.rst: {what}" for what in bad))


if __name__ == "__main__":
    main()
