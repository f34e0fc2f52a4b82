#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the driver calls fails in a test, or it is known why it need not.

A call that tests/kunit/calls.txt does not have, as of another allocator, is one without a
test of its failure. Read from the driver as it is built for Debian's kernel.
"""

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path += [str(TOP / "scripts" / folder) for folder in ("lab", "kernel")]

import images       # noqa: E402
import packages     # noqa: E402

SERIES = "6.12"
KUNIT = TOP / "tests/kunit"
DRIVER = TOP / "drivers/xen/balloon"
MACROS = "trace.c"      # and nothing else
COMPILERS = re.compile(r"__x86_indirect_thunk_\w+$")    # one for each register


def called(build, names):
    """Return which files call what is not in the driver, by symbol."""
    defined, wanted = set(), {}
    for path in build.rglob("*.o"):
        lines = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout.splitlines()
        for *_, kind, symbol in map(str.split, lines):
            if kind != "U":
                defined.add(symbol)
            elif f"{path.stem}.c" in names:
                wanted.setdefault(symbol, set()).add(f"{path.stem}.c")
    return {symbol: files for symbol, files in wanted.items() if symbol not in defined}


def listed():
    """Yield what stands before the colon in calls.txt, with each symbol after it."""
    for line in (KUNIT / "calls.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            what, _, symbols = line.partition(": ")
            yield from ((what, symbol) for symbol in symbols.split())


def unknown_calls(calls):
    """Yield what calls are not listed, and what is listed and not called."""
    known = {symbol for _, symbol in listed()}
    for symbol, files in sorted(calls.items()):
        if symbol not in known and not COMPILERS.match(symbol):
            yield (f"{', '.join(sorted(files))}: {symbol} is not in tests/kunit/calls.txt: have it fail in a test, "
                   "or say why it cannot")
    for symbol in sorted(known - calls.keys()):
        if not COMPILERS.match(symbol):
            yield f"tests/kunit/calls.txt: {symbol} is not called"


def unknown_faults():
    """Yield the operations of the simulation that calls.txt names and that do not exist."""
    known = set(re.findall(r"\bSIM_[A-Z_]+\b", (KUNIT / "sim.h").read_text()))
    for what in sorted({what for what, _ in listed() if what.startswith("SIM_")} - known):
        yield f"tests/kunit/calls.txt: there is no {what} in tests/kunit/sim.h"


def unknown_hypercalls():
    """Yield the hypercalls that the unit tests do not stand between."""
    seam = (KUNIT / "seam-xen.h").read_text()
    answers = (KUNIT / "sim-hypercalls.c").read_text()
    for path in sorted(DRIVER.glob("xenmem-*.c")):
        text = path.read_text()
        for call in sorted(set(re.findall(r"\bHYPERVISOR_\w+(?=\()", text))):
            if f"#define {call}\t" not in seam:
                yield f"{path.name}: {call}() is not in tests/kunit/seam-xen.h"
        for command in sorted(set(re.findall(r"\bXENMEM_[a-z]\w+", text))):
            if command not in answers:
                yield f"{path.name}: {command} is not answered by tests/kunit/sim-hypercalls.c"


def main():
    try:
        module, = images.build_module(SERIES, "calls", images.DRIVER, images.REPO)
    except (images.ImageError, packages.PackageError) as error:
        sys.exit(f"calls.py: {error}")
    calls = called(module.parent, [path.name for path in DRIVER.glob("*.c") if path.name != MACROS])
    found = {
        "each call outside of the driver fails in a test, or cannot": unknown_calls(calls),
        "what fails for it is known to the simulation": unknown_faults(),
        "each hypercall is answered in every way in the unit tests": unknown_hypercalls(),
    }
    bad = 0
    print(f"1..{len(found)}")
    for number, (rule, breaches) in enumerate(found.items(), 1):
        why = list(breaches)
        bad += bool(why)
        print(*why, f"{'not ' if why else ''}ok {number} {rule}", sep="\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
