# SPDX-License-Identifier: GPL-2.0
"""The scenarios, and in which guests each is run.

A scenario is a file of tests/lab: run(lab, kind, kernel) shows what its head says, for each of its
TYPES of guests and KERNELS (of Debian's, or ours where it needs one), within TIMEOUT seconds, on a
machine with NODES of memory, where guests can boot another kernel if it says KEXEC; EXPECTED are the
reports on a console that it provokes; CORE are the types of guests that it is run in at every turn
where scenarios take turns; it TAKES so many seconds, about; in UNPROVEN types it was not yet seen to
pass, and has no turn. It is to pass while the driver's allocations fail, too, but where FAULTS is False,
and where it is ELASTIC in guests that give what is idle.
Those of tests/lab/bench show the lab itself, without faults; most misbehave on purpose: EXPECT_VERDICT
and EXPECT_REASON say what must be found.
"""

import importlib.util
import math
import sys
from pathlib import Path

import images
import kernels
import packages
from ktap import SUCCESS

SCENARIOS = images.REPO / "tests/lab"
TOOLSTACKS = images.REPO / "tests/toolstacks"      # of which some scenarios have a daemon
KINDS = ("pv", "pvh", "hvm")
HVM_KERNEL = "6.1"          # with HVM one kernel is enough
FLAVOUR_KINDS = {"debug": ("pvh",), "lockdep": ("pv",), "lending": ("pv",)}    # KASAN runs in PVH only
# Seconds, about: what one turn of the scenarios that take turns may take, and what one of them does
TURN = 600
TAKES, MISBEHAVES = 60, 20
LONG = 240                  # with allocations that fail it takes much longer


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
        self.unproven = getattr(module, "UNPROVEN", ())
        self.nodes = getattr(module, "NODES", 1)
        self.kexec = getattr(module, "KEXEC", False)
        self.timeout = getattr(module, "TIMEOUT", 300)
        self.expected = getattr(module, "EXPECTED", ())
        self.verdict = getattr(module, "EXPECT_VERDICT", SUCCESS)
        self.reason = getattr(module, "EXPECT_REASON", "")
        self.faults = getattr(module, "FAULTS", path.parent == SCENARIOS)
        self.elastic = getattr(module, "ELASTIC", False)
        self.takes = getattr(module, "TAKES", TAKES if self.verdict == SUCCESS else MISBEHAVES)
        self.summary = (module.__doc__ or "").strip().partition("\n")[0]

    def cases(self, kinds, wanted):
        """Return the (kind, kernel) that it is to run for: on its own kernels, unless some are wanted.

        Kernels of ours, unlike Debian's, are for all scenarios, but for those in which drivers borrow from the
        balloon: a guest without a loan is not as large there as it may be.
        """
        lend = {kernels.lends(kernel) for kernel in self.kernels or [""]}
        on = [kernel for kernel in wanted or self.kernels
              if kernel in self.kernels or kernels.flavour_of(kernel) and kernels.lends(kernel) in lend]
        return [(kind, kernel) for kernel in on
                for kind in self.types if kind in kinds and kind in FLAVOUR_KINDS.get(kernels.flavour_of(kernel), KINDS)
                and (kind != "hvm" or kernel == HVM_KERNEL or HVM_KERNEL not in on)]


def find(names):
    """Return the scenarios of these names or paths; all there are where none is given."""
    folders = (SCENARIOS, SCENARIOS / "bench")
    paths = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    if names:
        known = {path.stem: path for path in paths}
        paths = [Path(name) if name.endswith(".py") else known.get(name) for name in names]
        if None in paths:
            sys.exit(f"run.py: there is no scenario {names[paths.index(None)]}; --list tells which there are")
    sys.path[:0] = [str(SCENARIOS), str(TOOLSTACKS)]
    return [scenario for scenario in map(Scenario, paths) if scenario.run]


def one_each(cases):
    """Keep one case of each scenario, another type of guest and kernel from one to the next.

    Of a CORE scenario keep one case for each of those types, of UNPROVEN types none.
    """
    groups = {}
    for case in cases:
        scenario, kind, _ = case
        if kind in scenario.unproven:
            continue
        if kind in scenario.core or not scenario.core and (kind != "hvm" or scenario.types == ("hvm",)):
            groups.setdefault((scenario.name, kind if scenario.core else ""), []).append(case)
    scenarios = list(dict.fromkeys(name for name, _ in groups))
    return [group[(scenarios.index(name) + KINDS.index(part or KINDS[0])) % len(group)]
            for (name, part), group in groups.items()]


def by_turns(cases, number):
    """Keep what is to be run of cases at the turn of this number, of the commit for example.

    That are the CORE scenarios, and of the others as many as take TURN seconds. In so many turns in
    a row as there are, all have been run. Return the cases, how many turns there are, and the names
    of those that are left out.
    """
    cases = one_each(cases)
    others = sorted({case[0].name: case[0].takes for case in cases if not case[0].core}.items(),
                    key=lambda item: -item[1])
    turns = max(1, math.ceil(sum(takes for _, takes in others) / TURN))
    left = {name for at, (name, _) in enumerate(others) if (at - number) % turns}
    return [case for case in cases if case[0].name not in left], turns, sorted(left)


def one_in_turn(cases, number, longest=LONG):
    """Keep the one of cases whose turn it is; none that takes so long, or longer, has a turn."""
    short = [case for case in cases if case[0].takes < longest]
    return [short[number % len(short)]]


def commit_number():
    """Return the number of the commit; where the clone does not go back to the first, the day of it."""
    git = ("git", "-c", f"safe.directory={images.REPO}", "-C", str(images.REPO))
    if packages.output(*git, "rev-parse", "--is-shallow-repository").strip() == "true":
        return int(packages.output(*git, "log", "-1", "--format=%ct")) // (24 * 60 * 60)
    return int(packages.output(*git, "rev-list", "--count", "HEAD"))
