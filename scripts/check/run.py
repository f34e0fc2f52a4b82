#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make check`: run every check, name what failed, and end with `N passed, N failed`.

A check is a command. Each KTAP result line that it prints counts as one result; one
that prints none counts as one by its exit status, and stays silent when all is well.
A result that a check's plan promised and that never came is a failure, so is a check
that outlives its time: all of them together have DEADLINE seconds.

    run.py [static|kunit|lab]
"""

import argparse
import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import consoles

TOP = Path(__file__).resolve().parents[2]
STATIC = {
    "packages": ["scripts/lab/packages.py", "fetch"],
    "tree": ["scripts/check/tree.sh"],
    "promises": ["scripts/check/promises.py"],
    "style": ["scripts/check/style.sh"],
    "shell": ["scripts/check/shell.sh"],
    "python": ["scripts/check/python.sh"],
    "spelling": ["scripts/check/spelling.sh"],
    "programs": ["scripts/check/programs.sh"],
    "module 6.1": ["scripts/check/module.sh", "6.1"],
    "module 6.12": ["scripts/check/module.sh", "6.12"],
    "calls": ["scripts/check/calls.py"],
    "unit": ["scripts/check/units.py"],
}
KUNIT = {
    "test kernels": ["scripts/kernel/build.py", "6.12", "base", "nounpopulated", "debug"],
    "module 6.12-base": ["scripts/check/module.sh", "6.12-base"],
    "unit tests": ["scripts/kunit/run.py", "--param", "steps=100000"],
    "unit tests debug": ["scripts/kunit/run.py", "--kernel", "debug"],
    "planted bugs": ["scripts/kunit/planted.py"],
}
LAB = {
    "lab": ["scripts/lab/run.py", "--by-turns"],
    "lab debug": ["scripts/lab/run.py", "--kernel", "debug", "answers", "superpages"],
    "lab elastic": ["scripts/lab/run.py", "--elastic", "--by-turns"],
    "lab faults": ["scripts/lab/run.py", "--kernel", "debug", "--faults", "1", "--faults", "10", "--by-turns"],
}
PARTS = {"static": STATIC, "kunit": KUNIT, "lab": LAB, "all": STATIC | KUNIT | LAB}
TIME = {"static": "2 minutes", "kunit": "4 minutes", "lab": "30 minutes", "all": "40 minutes"}

DEADLINE = 80 * 60      # with set-up before it, well below the 90 minutes that a CI run may take
GRACE = 20              # seconds to end in when told to
RESULT = re.compile(r"(?P<bad>not )?ok \d+ ?-? ?(?P<name>.*?)(?P<skip> # SKIP\b.*)?$")
PLAN = re.compile(r"1\.\.(\d+)")


class Tally:
    """What passed, failed and was skipped; each is printed as it comes, the failures again at the end."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []

    def add(self, verdict, what, results=1):
        self.counts[verdict] += results
        if verdict == "failed":
            self.failures.append(what)
        print(f"{verdict:7} {what}", flush=True)

    def __str__(self):
        counts = dict(self.counts)
        if not counts["skipped"]:
            del counts["skipped"]
        failures = "".join(f"failed: {what}\n" for what in self.failures)
        return failures + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def show(said):
    """Print what a check said beside its results."""
    for line in said:
        print(f"        {line}", flush=True)


def lines(process, until):
    """Yield the lines that a process prints; end it, and raise TimeoutError, at the time `until`."""
    said = queue.Queue()

    def read():
        for line in process.stdout:
            said.put(line.rstrip("\n"))
        said.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (line := said.get(timeout=max(0.0, until - time.monotonic()))) is not None:
            yield line
    except queue.Empty:
        raise TimeoutError from None


def end(process):
    """End a process and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def run(name, command, until, tally):
    """Run one check, show what it says, and count its results."""
    start = time.monotonic()
    began = quiet = time.time()
    results = failures = planned = 0
    late = ""
    process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        for line in lines(process, until):
            if match := RESULT.match(line):
                results += 1
                failures += bool(match["bad"])
                verdict = "failed" if match["bad"] else "skipped" if match["skip"] else "passed"
                tally.add(verdict, f"{name}: {match['name']}{match['skip'] or ''}")
                if match["bad"]:
                    show(consoles.tails(began, quiet))
                quiet = time.time()
            elif match := PLAN.fullmatch(line):
                planned = int(match[1])
            elif not line.startswith("KTAP version"):
                show([line])
        process.wait()
    except TimeoutError:
        show(consoles.tails(began, quiet))
        late = "it did not end in the time that all checks have, and was ended"
    finally:
        end(process)
    took = f"({time.monotonic() - start:.0f} s)"
    if late:
        tally.add("failed", f"{name}: {late} {took}")
    elif not results and not planned:
        tally.add("failed" if process.returncode else "passed", f"{name} {took}")
    elif process.returncode and not failures and results >= planned:
        tally.add("failed", f"{name}: exit status {process.returncode} after {results} good results {took}")
    if planned > results:
        tally.add("failed", f"{name}: {planned - results} results that were promised never came", planned - results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=PARTS, default="all")
    part = parser.parse_args().part
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"This takes about {TIME[part]} on two cores, and some more the first time, to fetch packages "
          "and build kernels.", flush=True)
    until = time.monotonic() + DEADLINE
    tally = Tally()
    try:
        for name, command in PARTS[part].items():
            run(name, command, until, tally)
    except KeyboardInterrupt:
        tally.add("failed", "ended from outside before all checks had run")
    print(tally, flush=True)
    sys.exit(1 if tally.counts["failed"] else 0)


if __name__ == "__main__":
    main()
