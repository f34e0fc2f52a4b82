#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Measure what of the driver the unit tests run: lines and branches, by gcov and lcov.

The objects are built with gcov's counters, the counters come out of the VM through its
second serial line, and lcov's pages are kept in the cache. The engine has to reach
90 % of its lines and 80 % of its branches; the tests do not count. What no unit test
can run is named with the scenario of tests/lab that runs it.
"""

import shutil
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import boot     # which knows where the next ones are
import engine
import images
import kernels
import packages
import verdict

IN_LAB = {      # what only a kernel on a real Xen runs, and by which scenario
    "main.c": "reload, refuse",
    "takeover.c": "handback, refuse",
    "xenmem-common.c": "targets",
    "xenmem-dirty.c": "dirty",
    "xenmem-pv.c": "targets (PV)",
    "xenmem-translated.c": "targets (PVH)",
    "xenmem-vnode.c": "numa, nodes, fakenodes",
    "sysfs.c": "badinput",
    "sysfs-nodes.c": "badinput, nodes, fakenodes",
    "toolstack-nodes.c": "badinput, nodes",
    "debugfs.c": "targets",
}
SERIES, FLAVOUR = "6.12", "base"
LINES, BRANCHES = 90, 80        # per cent of the engine that have to run
SILENCE = 300                   # seconds that a test may take; counting makes them slow
PAGES = packages.CACHE / "coverage"
LCOV = ("--quiet", "--rc", "lcov_branch_coverage=1")

# Of a file: lines found and hit, branches found and hit
Counts = namedtuple("Counts", "lines lines_hit branches branches_hit")


class CoverageError(Exception):
    """There is nothing that can be trusted to be measured."""


def run_tests(folder):
    """Build the tests with counters, run them, and put what was counted beside the objects."""
    kernel = kernels.folder(SERIES, FLAVOUR)
    sources = [(images.REPO / name, name) for name in ("drivers", "include", "tests/kunit")]
    module, = images.build_modules(kernel / "build", folder, sources, "tests/kunit", ["GCOV_PROFILE=y"])
    counters = folder / "counters.tar"
    lines = boot.boot(kernel, boot.initramfs(module, gcov=True), silence=SILENCE, counters=counters)
    bad = [result.name for result in verdict.judge(lines) if result.verdict == verdict.BAD]
    if bad:
        raise CoverageError(f"first make kunit must be good: {', '.join(bad)}")
    packages.output("tar", "-xf", str(counters), "-C", str(folder), f"--strip-components={len(folder.parts)}")


def collect(folder):
    """Return the path of what lcov makes of the counters of the driver's own sources."""
    whole, ours = folder / "all.info", folder / "driver.info"
    for command in (("--capture", "--directory", folder / engine.FOLDER, "--output-file", whole),
                    ("--extract", whole, f"*/{engine.FOLDER}/*.c", "--output-file", ours)):
        packages.output("lcov", *LCOV, *map(str, command))
    return ours


def counts(text):
    """Map the name of each file that lcov tells of to its Counts."""
    found = {}
    for record in text.split("end_of_record")[:-1]:
        fields = dict(line.split(":", 1) for line in record.split() if line[:3] in ("SF:", "LF:", "LH:", "BRF", "BRH"))
        found[Path(fields["SF"]).name] = Counts(*(int(fields.get(name, 0)) for name in ("LF", "LH", "BRF", "BRH")))
    return found


def rates(part):
    """Return the per cent of lines and of branches that ran."""
    return (100 * part.lines_hit / max(part.lines, 1), 100 * part.branches_hit / max(part.branches, 1))


def show(name, part, more=""):
    lines, branches = rates(part)
    print(f"{name:22}{part.lines_hit:5} of {part.lines:4} lines {lines:6.1f} %"
          f"{part.branches_hit:7} of {part.branches:4} branches {branches:6.1f} %{more}")


def main():
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            run_tests(folder)
            info = collect(folder)
            found = counts(info.read_text())
            shutil.rmtree(PAGES, ignore_errors=True)
            packages.output("genhtml", "--branch-coverage", "--quiet", "--prefix", str(folder), "--output-directory",
                            str(PAGES), str(info))
    except (CoverageError, images.ImageError, kernels.KernelError, packages.PackageError) as error:
        sys.exit(f"coverage.py: {error}")
    names = engine.files()
    for name in names:
        show(name, found[name])
    all_of_it = Counts(*map(sum, zip(*(found[name] for name in names))))
    show("the engine", all_of_it, f"   at least {LINES} % and {BRANCHES} % are wanted")
    print("Not of the engine, and run by a scenario of tests/lab:")
    for name, scenario in IN_LAB.items():
        if name in found and found[name].lines_hit:
            show(name, found[name], f"   {scenario}")
        else:
            print(f"{name:22}{scenario}")
    print(f"Line by line: {PAGES}/index.html")
    lines, branches = rates(all_of_it)
    sys.exit(0 if lines >= LINES and branches >= BRANCHES else 1)


if __name__ == "__main__":
    main()
