#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run scenarios on a real Xen in QEMU, and give a verdict on each, in KTAP.

A scenario is a file of tests/lab: run(lab, kind, kernel) shows what its head
says, for each of its TYPES of guests and KERNELS, within TIMEOUT seconds; EXPECTED
are the reports on a console that it provokes; CORE are the types of guests that it
is run in even where scenarios take turns. Those of tests/lab/bench misbehave
on purpose: EXPECT_VERDICT and EXPECT_REASON say what must be found.
All share one boot as long as it stays healthy.
"""

import argparse
import contextlib
import importlib.util
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import images
import kernels
import packages
from guest import GuestError
from host import HostError, Timeout
from ktap import ERROR, FAILURE, SKIP, SUCCESS, Ktap
from lab import Failure, Lab, Skip
from session import Session

SCENARIOS = images.REPO / "tests/lab"
KINDS = ("pv", "pvh", "hvm")
HVM_KERNEL = "6.1"          # with HVM one kernel is enough
FLAVOUR_KINDS = {"debug": ("pvh",)}     # KASAN runs in no other guest
SLOW = {"debug": 4, "lockdep": 3}       # times as long may everything take in guests of these flavours
RUNS_KEPT = 20
NO_DEADLINE = 0


class OutOfTime(Exception):
    """A scenario ran longer than it may."""


class Scenario:
    """A file of tests/lab, and what it says of itself."""

    def __init__(self, path):
        self.name = path.stem
        spec = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.run = getattr(module, "run", None)
        self.types = getattr(module, "TYPES", ("pv", "pvh"))
        self.kernels = getattr(module, "KERNELS", packages.SERIES)
        self.core = getattr(module, "CORE", ())
        self.timeout = getattr(module, "TIMEOUT", 300)
        self.expected = getattr(module, "EXPECTED", ())
        self.verdict = getattr(module, "EXPECT_VERDICT", SUCCESS)
        self.reason = getattr(module, "EXPECT_REASON", "")
        self.summary = (module.__doc__ or "").strip().partition("\n")[0]

    def cases(self, kinds, wanted):
        """Return the (kind, kernel) that it is to run for: kernels of ours, unlike Debian's, are for all scenarios."""
        return [(kind, kernel) for kernel in wanted if kernel in self.kernels or kernels.flavour_of(kernel)
                for kind in self.types if kind in kinds and kind in FLAVOUR_KINDS.get(kernels.flavour_of(kernel), KINDS)
                and (kind != "hvm" or kernel == HVM_KERNEL or HVM_KERNEL not in wanted)]


def find(names):
    """Return the scenarios of these names or paths; all there are where none is given."""
    folders = (SCENARIOS, SCENARIOS / "bench")
    paths = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    if names:
        known = {path.stem: path for path in paths}
        paths = [Path(name) if name.endswith(".py") else known.get(name) for name in names]
        if None in paths:
            sys.exit(f"run.py: there is no scenario {names[paths.index(None)]}; --list tells which there are")
    sys.path[:0] = [str(SCENARIOS)]
    return [scenario for scenario in map(Scenario, paths) if scenario.run]


@contextlib.contextmanager
def deadline(seconds):
    """Raise OutOfTime in the main thread when the time is over."""
    def over(*_):
        raise OutOfTime(f"hang: it ran longer than its {seconds} s")
    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(NO_DEADLINE)


def judge(scenario, kind, kernel, host, note):
    """Run a scenario once; return its verdict and the reason."""
    host.watch.expect(scenario.expected)
    slow = SLOW.get(kernels.flavour_of(kernel), 1)
    lab = Lab(host, note, slow)
    try:
        with deadline(scenario.timeout * slow):
            scenario.run(lab, kind, kernel)
            if kernels.flavour_of(kernel) and not scenario.expected:
                lab.inspect()
            lab.settle()
            lab.look()
        if not lab.checks:
            return ERROR, "no verdict: it ended without a single check"
        return SUCCESS, ""
    except Skip as skip:
        return SKIP, str(skip)
    except (Failure, GuestError, OutOfTime) as failure:
        return FAILURE, f"{failure}{reports(host, failure)}"
    except HostError as error:
        return ERROR, f"{error}{reports(host, error)}"
    except Exception:
        *trace, last = traceback.format_exc().splitlines()
        return ERROR, "\n".join((last, *trace)) + reports(host, last)
    finally:
        with contextlib.suppress(HostError, Timeout):
            lab.finish()


def reports(host, said):
    """What the consoles reported, if it is not said yet."""
    unsaid = [report for report in host.watch.reports if report not in str(said)]
    return "\nreported on a console:\n" + "\n".join(unsaid[:20]) if unsaid else ""


def as_expected(scenario, verdict, reason):
    """Turn the verdict on a scenario that misbehaves on purpose: ok where it was caught."""
    if scenario.verdict == verdict and re.search(scenario.reason, reason):
        return SUCCESS, ""
    return FAILURE, f"expected {scenario.verdict} and /{scenario.reason}/, got {verdict}: {reason or '(no reason)'}"


def by_turns(cases):
    """Keep one case of each scenario, another type of guest and kernel from one to the next.

    Of a CORE scenario keep one case for each of those types.
    """
    groups = {}
    for case in cases:
        scenario, kind, _ = case
        part = kind if kind in scenario.core else "" if not scenario.core and kind != "hvm" else None
        if part is not None:
            groups.setdefault((scenario.name, part), []).append(case)
    scenarios = list(dict.fromkeys(name for name, _ in groups))
    return [group[(scenarios.index(name) + KINDS.index(part or KINDS[0])) % len(group)]
            for (name, part), group in groups.items()]


def make_folder():
    """Return a new folder for the logs of this run; remove those of long ago."""
    runs = packages.CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir())[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))


def prepare(names):
    """Have the kernels at hand before a run begins; to build one takes minutes."""
    for name in names:
        images.kernel_image(name)
        if kinds := FLAVOUR_KINDS.get(kernels.flavour_of(name)):
            packages.say(f"{name} runs in guests of type {', '.join(kinds)} only")


def run_all(cases, names):
    """Run every (scenario, kind, kernel); return whether nothing failed."""
    ktap = Ktap(len(cases))
    folder = make_folder()
    with Session(folder, names) as session:
        for scenario, kind, kernel in cases:
            name = f"{scenario.name} {kind} {kernel}"
            start = time.monotonic()
            packages.say(f"running {name}")
            try:
                verdict, reason = judge(scenario, kind, kernel, session.host(), ktap.note)
            except (HostError, Timeout, packages.PackageError, images.ImageError) as error:
                verdict, reason = ERROR, f"no host: {error}"
            if scenario.verdict != SUCCESS:
                ktap.note(f"caught: {verdict}: {reason}")
                verdict, reason = as_expected(scenario, verdict, reason)
            ktap.note(f"{name} took {time.monotonic() - start:.0f} s")
            ktap.result(name, verdict, reason)
    good = ktap.summary()
    if not good:
        packages.say(f"the consoles' logs are in {folder}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kernel", action="append", type=kernels.named,
                        help="only for this kernel, such as 6.1, 6.12-debug, or debug for the latter; may be repeated")
    parser.add_argument("--type", action="append", choices=KINDS, help="only for this type of guest; may be repeated")
    parser.add_argument("--by-turns", action="store_true",
                        help="each scenario in one type of guest and on one kernel, by turns; CORE ones in several")
    parser.add_argument("--list", action="store_true", help="list the scenarios, and run none")
    parser.add_argument("scenario", nargs="*", help="its name, or its path; all where none is given")
    args = parser.parse_args()
    scenarios = find(args.scenario)
    if args.list:
        for scenario in scenarios:
            print(f"{scenario.name:14} {scenario.summary}")
        return
    cases = [(scenario, *case) for scenario in scenarios
             for case in scenario.cases(args.type or KINDS, args.kernel or packages.SERIES)]
    if args.by_turns:
        cases = by_turns(cases)
    names = [name for name in args.kernel or packages.SERIES if name in {kernel for *_, kernel in cases}]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: ended by SIGTERM"))
    try:
        prepare(names)
    except packages.PackageError as error:
        sys.exit(f"run.py: {error}")
    sys.exit(0 if run_all(cases, names) else 1)


if __name__ == "__main__":
    main()
