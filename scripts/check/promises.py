#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every promise of Documentation/promises.rst is shown by tests, and those that it names exist.

A unit test is named by its suite and its own name, a scenario of tests/lab by its name; one that was not
seen to pass in any type of guest shows nothing yet.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "scripts/kernel"))
sys.path.append(str(TOP / "scripts/lab"))

from scenarios import find      # noqa: E402: it is not beside this file

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


def scenarios(found):
    """Return the names of those that pass in a type of guest at least."""
    return {scenario.name for scenario in found if set(scenario.types) - set(scenario.unproven)}


def promises(text):
    """Yield each promise's title, and the tests that it names."""
    parts = re.split(r"^(.+)\n=+\n", text, flags=re.M)[1:]
    for title, body in list(zip(parts[::2], parts[1::2]))[1:]:     # the first is the document's own
        shown = re.search(r"^:Shown by:(.*(?:\n +.*)*)", body, re.M)
        yield title, re.findall(r"``(.+?)``", shown[1]) if shown else []


def problems(text, there):
    """Return what is wrong with promises: `there` are the names of all tests."""
    made = list(promises(text))
    if not made:
        return ["no promise was found, expected a section for each"]
    return [f"'{title}' names no test" for title, tests in made if not tests] + [
        f"'{title}' names {test}, which is no unit test, and no scenario that passes"
        for title, tests in made for test in tests if test not in there]


def main():
    if bad := problems(PROMISES.read_text(), unit_tests() | scenarios(find([]))):
        sys.exit("\n".join(f"promises.rst: {what}" for what in bad))


if __name__ == "__main__":
    main()
