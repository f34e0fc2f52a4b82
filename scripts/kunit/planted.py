#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prove each part of the verdict by a bug that is planted for it: tests/kunit/planted.

Every bug has to turn the result red that is named here, for the reason named, and
nothing else may be red. Those that do not end a boot share one.

    planted.py              all
    planted.py base         those that a kernel without special checks shows; or: debug
"""

import argparse
import re
import sys
import time
from collections import namedtuple

import run      # which knows where the next one is
from verdict import BAD, OK, Result

SOURCE = "tests/kunit/planted"
FLAVOURS = ("base", "debug")
# A boot: `caught` tells for each bug which result has to be bad, and a pattern that is
# among its reasons; the results that `also` names are bad then, too. `silence`, in
# seconds, is when it is taken to hang.
Boot = namedtuple("Boot", "flavour parameters caught also silence", defaults=[(), 60])
BOOTS = (
    Boot("base", "bugs=healthy,asserts_nothing,fails,fails_for_one,healthy_for_all,warns,taints,unready", {
        "a test that asserts nothing": ("planted.asserts_nothing", r"asserts nothing"),
        "a failed expectation": ("planted.fails", r"Expected 2 \+ 2 \+ zero == 5"),
        "a failed parameter": ("planted.fails_for_one", r"not ok 2 number 1"),
        "a WARNING": ("planted.warns", r"WARNING: .* warns"),
        "a taint": ("boot.taint", r"tainted by C"),
        "a suite that does not begin": ("unready as a whole", r"not ok 2 unready"),
    }),
    Boot("base", "bugs=healthy,dereferences_null", {
        "an oops": ("planted.test 14 of 16", r"RIP: 0010:dereferences_null"),
        "a suite that ends early": ("planted as a whole", r"14 of the 16 tests"),
        "a suite that does not run": ("boot.tests", r"1 of the 2 suites"),
        "a boot that does not end as it should": ("boot.end", r"did not power off"),
    }),
    Boot("base", "bugs=spins_for_ever", {
        "a hang": ("boot.end", r"without a word"),
        "the place of a hang": ("planted.spins_for_ever", r"\bspins_for_ever\+"),
    }, ("planted as a whole", "boot.tests"), 8),
    Boot("base", "bugs=reboots", {
        "a reboot": ("planted.reboots", r"the boot ended in the middle"),
    }, ("boot.tests", "boot.end")),
    Boot("base", "refuse=-22", {
        "a module that does not load": ("boot.tests", r"insmod has ended with status"),
    }),
    Boot("debug", "bugs=healthy,takes_locks_in_two_orders,sleeps_in_atomic,shifts_too_far,leaks,leaves_memory,"
         "writes_beyond_its_end", {
        "a lock inversion": ("planted.takes_locks_in_two_orders", r"possible circular locking"),
        "a sleep in atomic context": ("planted.sleeps_in_atomic", r"sleeping function called from invalid context"),
        "undefined behaviour": ("planted.shifts_too_far", r"UBSAN: shift-out-of-bounds"),
        "a write beyond an object": ("planted.writes_beyond_its_end", r"KASAN: slab-out-of-bounds in writes_beyond"),
        "a leak": ("boot.leaks", r"0x\w+ leaks$"),
        "a leak of what the module's data points to": ("boot.leaks", r"0x\w+ leaves_memory$"),
    }, ("boot.taint",)),
)


def missed(results, name, pattern):
    """Return why a bug is not caught, as lines, or none."""
    result = results.get(name)
    if not result:
        return [f"there is no result {name}"]
    if result.verdict != BAD:
        return [f"{name} is {result.verdict}"]
    if not any(re.search(pattern, why) for why in result.why):
        return [f"{name} does not say {pattern}, but:", *result.why]
    return []


def verdicts(planted, results):
    """Yield a result for each bug of a boot, and one for what there was no bug in."""
    for bug, (name, pattern) in planted.caught.items():
        why = missed(results, name, pattern)
        yield Result(f"{bug} is caught", BAD if why else OK, why)
    guilty = {name for name, _ in planted.caught.values()} | set(planted.also)
    why = [line for result in results.values() if result.verdict == BAD and result.name not in guilty
           for line in (result.name, *result.why)]
    yield Result(f"beside {next(iter(planted.caught))} nothing else is bad", BAD if why else OK, why)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("flavour", nargs="?", choices=FLAVOURS, help="both unless told")
    flavour = parser.parse_args().flavour
    start = time.monotonic()
    report = run.Report()
    boots = [planted for planted in BOOTS if flavour in (None, planted.flavour)]
    print(f"1..{sum(len(planted.caught) + 1 for planted in boots)}", flush=True)
    try:
        for planted in boots:
            found = run.results(run.kernel(planted.flavour), SOURCE, planted.parameters, silence=planted.silence)
            for result in verdicts(planted, {result.name: result for result in found}):
                report.add(result)
    except run.ERRORS as error:
        sys.exit(f"planted.py: {error}")
    print(f"# {report.count} results, {report.bad} bad, in {time.monotonic() - start:.1f} s")
    sys.exit(1 if report.bad else 0)


if __name__ == "__main__":
    main()
