#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the KUnit tests of tests/kunit in a test kernel, and print a verdict for each in KTAP.

    run.py                              all suites, on 6.12-base
    run.py --kernel debug               on 6.12-debug; 6.1 and 6.1-debug go as well
    run.py --suite 'queue*'             some suites (or tests: suite.test); not on 6.1
    run.py --param seed=7               a parameter of the module; not on 6.1
    run.py --gcov DIR                   also get what gcov counted, and what it noted, into DIR

A kernel that is not in the cache is built first. The whole log stays in the cache.
On 6.1 KUnit runs all suites of a module before its parameters are read, and before
its init function has run.
"""

import argparse
import itertools
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boot     # which knows where the next ones are
import images
import kernels
import packages
import verdict

KERNEL = "6.12-base"
ERRORS = (ValueError, images.ImageError, kernels.KernelError, packages.PackageError)


def kernel(name):
    """Return the folder of the kernel SERIES-FLAVOUR, either of which may be left out."""
    series, flavour = KERNEL.split("-")
    for part in name.split("-"):
        if part in kernels.FLAVOURS:
            flavour = part
        elif part in packages.SERIES:
            series = part
        else:
            raise ValueError(f"{name}: {part} is neither of {', '.join((*packages.SERIES, *kernels.FLAVOURS))}")
    return kernels.folder(series, flavour)


def log(folder, source):
    """Return the path of the log of the latest boot of a kernel with a module."""
    return boot.WORK / f"{folder.name.rpartition('-')[0]}-{source.replace('/', '-')}.log"


def keep(lines, path):
    """Yield the lines of a console, and keep them in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as out:
        for line in lines:
            print(line, file=out, flush=True)
            yield line


def named(lines, module):
    """Yield the lines of a console, with names for functions of a module that was gone when they were printed."""
    text = 0
    for line in lines:
        if match := re.search(r"kunit: text (0x\w+)", line):
            text = int(match[1], 16)
        elif text and (match := re.search(r"kunit: leak +(0x\w+)$", line)):
            place = ["addr2line", "-f", "-j", ".text", "-e", module, hex(int(match[1], 16) - text)]
            line += f" {subprocess.run(place, capture_output=True, text=True).stdout.partition(chr(10))[0]}"
        yield line


def results(folder, source="tests/kunit", parameters="", gcov=None, **more):
    """Build a module, boot it with the kernel in a folder, and yield a verdict.Result for each test as it ends.

    `parameters` are the module's; `gcov` a folder to put counters and notes into, at
    the places that the sources have in the tree; `more` is for boot.boot().
    """
    variables = ("GCOV_PROFILE=y",) if gcov else ()
    module = boot.build(folder, source, variables)
    image = boot.initramfs(module, parameters, bool(gcov))
    if gcov:
        gcov.mkdir(parents=True, exist_ok=True)
        more["counters"] = gcov / "counters.tar"
    yield from verdict.judge(keep(named(boot.boot(folder, image, **more), module), log(folder, source)))
    if gcov:
        yield collect(boot.objects(folder, source, variables), gcov)


def collect(objects, gcov):
    """Unpack the counters that came from a boot, put the compiler's notes beside them, and return a Result."""
    counters = gcov / "counters.tar"
    done = subprocess.run(["tar", "-xf", counters, "-C", gcov, f"--strip-components={len(objects.parts)}"],
                          capture_output=True, text=True)
    counters.unlink()
    for notes in objects.rglob("*.gcno"):
        place = gcov / notes.relative_to(objects)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(notes, place)
    return verdict.Result("boot.gcov", verdict.BAD if done.returncode else verdict.OK, done.stderr.splitlines())


class Report:
    """Prints results in KTAP as they come, and what they say below them."""

    def __init__(self):
        self.count = self.bad = 0

    def add(self, result):
        self.count += 1
        self.bad += result.verdict == verdict.BAD
        skip = result.verdict == verdict.SKIP
        line = f"{'ok' if skip else result.verdict} {self.count} {result.name}"
        print(f"{line} # SKIP {' '.join(result.why)}".rstrip() if skip else line, flush=True)
        for why in () if skip else result.why:
            print(f"# {why}", flush=True)

    def show(self, found):
        """Print all the results of a boot, and a line for each suite that has ended."""
        start = time.monotonic()
        for suite, results in itertools.groupby(found, lambda result: re.match(r"\w+", result.name)[0]):
            tests = 0
            for tests, result in enumerate(results, 1):
                self.add(result)
                end = time.monotonic()
            print(f"# {suite}: {tests} results in {end - start:.1f} s", flush=True)
            start = end


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kernel", default=KERNEL)
    parser.add_argument("--suite", metavar="GLOB", help="run the suites whose names match, on 6.12")
    parser.add_argument("--param", metavar="NAME=VALUE", action="append", default=[], help="a module parameter")
    parser.add_argument("--silence", type=int, default=60, metavar="SECONDS", help="end a boot that is silent so long")
    parser.add_argument("--gcov", type=Path, metavar="DIR", help="get what gcov counted into DIR")
    args = parser.parse_args()
    start = time.monotonic()
    options = f"kunit.filter_glob={args.suite}" if args.suite else ""
    report = Report()
    try:
        folder = kernel(args.kernel)
        report.show(results(folder, parameters=" ".join(args.param), gcov=args.gcov, options=options,
                            silence=args.silence))
    except ERRORS as error:
        sys.exit(f"run.py: {error}")
    print(f"# {report.count} results, {report.bad} bad, in {time.monotonic() - start:.1f} s; "
          f"the log: {log(folder, 'tests/kunit')}")
    sys.exit(1 if report.bad else 0)


if __name__ == "__main__":
    main()
