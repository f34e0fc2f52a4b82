#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run scenarios on a real Xen in QEMU, and give a verdict on each, in KTAP.

All share one boot as long as it stays healthy.
"""

import argparse
import contextlib
import math
import re
import signal
import sys
import time
import traceback

import images
import kernels      # its folder is known by images
import packages
from deadline import OutOfTime, deadline
from guest import GuestError
from host import HostError, Machine, Timeout
from ktap import ERROR, FAILURE, SKIP, SUCCESS, Ktap
from lab import Failure, Lab, Skip
from scenarios import FLAVOUR_KINDS, KINDS, LONG, by_turns, commit_number, find, one_in_turn
from session import Session, make_folder

SLOW = {"debug": 4, "lockdep": 3, "lending": 3}       # times as long may everything take in guests of these flavours


def judge(scenario, kind, kernel, faults, elastic, host, note):
    """Run a scenario once, in guests that give memory or not, with so many percent of allocations that fail.

    Return the verdict and the reason.
    """
    host.watch.expect(scenario.expected)
    slow = SLOW.get(kernels.flavour_of(kernel), 1)
    lab = Lab(host, note, slow, faults, elastic)
    try:
        with deadline(scenario.timeout * slow):
            scenario.run(lab, kind, kernel)
            if kernels.flavour_of(kernel) and not any("WARNING" in report for report in host.watch.provoked):
                lab.inspect()
            if faults:
                lab.check(sum(lab.failed.values()) > 0, f"allocations that failed: {lab.failed}, expected some")
            if elastic:
                lab.check(lab.given > 0, f"pages that guests gave: {lab.given}, expected some")
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
    unsaid = host.watch.told(but=str(said))
    return f"\n{unsaid}" if unsaid else ""


def as_expected(scenario, verdict, reason):
    """Turn the verdict on a scenario that misbehaves on purpose: ok where it was caught."""
    if scenario.verdict == verdict and re.search(scenario.reason, reason):
        return SUCCESS, ""
    return FAILURE, f"expected {scenario.verdict} and /{scenario.reason}/, got {verdict}: {reason or '(no reason)'}"


def prepare(names):
    """Have the kernels at hand before a run begins; to build one takes minutes."""
    for name in names:
        images.kernel_image(name)
        if kinds := FLAVOUR_KINDS.get(kernels.flavour_of(name)):
            packages.say(f"{name} runs in guests of type {', '.join(kinds)} only")


def take_turns(cases):
    """Return those of cases whose turn it is at this commit, and a line that names the others."""
    number = commit_number()
    unproven = sorted({f"{scenario.name} {kind}" for scenario, kind, _ in cases if kind in scenario.unproven})
    cases, turns, left = by_turns(cases, number)
    return cases, (f"left out at turn {number % turns + 1} of {turns}: {' '.join(left) or 'none'}"
                   f"; at all turns: {', '.join(unproven) or 'none'}")


def run_all(cases, names, elastic, remark=""):
    """Run every (scenario, kind, kernel, faults); return whether nothing failed."""
    ktap = Ktap(len(cases))
    if remark:
        ktap.note(remark)
    folder = make_folder()
    with Session(folder, names) as session:
        for scenario, kind, kernel, faults in cases:
            name = f"{scenario.name} {kind} {kernel}" + (f", {faults} % of allocations fail" if faults else "")
            name += ", elastic" if elastic else ""
            start = time.monotonic()
            packages.say(f"running {name}")
            try:
                host = session.host(Machine(nodes=scenario.nodes, kexec=scenario.kexec))
                verdict, reason = judge(scenario, kind, kernel, faults, elastic, host, ktap.note)
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
                        help="each scenario in one type of guest and on one kernel, CORE ones in several, "
                             "and those that make it long at every few commits")
    parser.add_argument("--faults", type=int, action="append", metavar="PERCENT",
                        help="so many of the allocations that the driver asks for fail; for debug and lockdep kernels; "
                             "may be repeated; by turns one scenario and one percentage")
    parser.add_argument("--elastic", action="store_true",
                        help="the guests give what is idle to the host meanwhile; by turns one scenario")
    parser.add_argument("--list", action="store_true", help="list the scenarios, and run none")
    parser.add_argument("scenario", nargs="*",
                        help="its name, or its path; all where none is given, with --faults or --elastic "
                             "all that are to pass so")
    args = parser.parse_args()
    scenarios = find(args.scenario)
    if not args.scenario:
        scenarios = [scenario for scenario in scenarios
                     if (scenario.faults or not args.faults) and (scenario.elastic or not args.elastic)]
    if args.list:
        for scenario in scenarios:
            print(f"{scenario.name:14} {scenario.summary}")
        return
    cases = [(scenario, *case) for scenario in scenarios
             for case in scenario.cases(args.type or KINDS, args.kernel)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: ended by SIGTERM"))
    remark = ""
    try:
        one = args.faults or args.elastic
        if args.by_turns and not one:
            cases, remark = take_turns(cases)
        cases = [(*case, faults) for faults in args.faults or [0] for case in cases]
        if args.by_turns and one:
            cases = one_in_turn(cases, commit_number(), LONG if args.faults else math.inf)
        names = sorted({kernel for _, _, kernel, _ in cases})
        prepare(names)
    except packages.PackageError as error:
        sys.exit(f"run.py: {error}")
    sys.exit(0 if run_all(cases, names, args.elastic, remark) else 1)


if __name__ == "__main__":
    main()
