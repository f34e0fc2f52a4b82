# SPDX-License-Identifier: GPL-2.0
"""A memory-bound program: it follows pointers at random through 320 of 512 MiB, before and after the guest has
gone to 256 MiB and back. What it takes afterwards, by what it took before, in the same guest: an emulated processor
feels little of what a real one would, and the verdict is by a count, of the entries of the nested page table that map
the guest, in PV of the contiguous pieces. That is as many translations as a processor has to know.
"""

from statistics import median

from common import MIB, move
from measure import DRIVERS, INTREE, OURS
from table import Row, spread

NAME = "access"
TITLE = "A memory-bound program"
LOW, HIGH = 256, 512
MIB_USED, STEPS = 320, 400000
PAGES = 512                 # of a superpage


def nanoseconds(guest):
    """A step's time, the median of the program's rounds."""
    return median(map(float, guest.run(f"chase {MIB_USED} {STEPS}", timeout=240).split()))


def entries(guest):
    """How many entries map the guest's memory."""
    mapped = guest.meter()
    return mapped.superpages + PAGES * (mapped.small + mapped.partial)


def measure(bench):
    data = {}
    for kind in bench.kinds:
        found = data.setdefault(kind, {})
        for run, driver, guest in bench.rounds(kind):
            before = [nanoseconds(guest), entries(guest)]
            for target in (LOW, HIGH):
                move(guest, target * MIB, timeout=120)
            after = [nanoseconds(guest), entries(guest)]
            found.setdefault(driver, []).append({"time": after[0] / before[0], "before": before, "after": after})
            bench.say(f"{kind} {driver} run {run + 1} of {bench.runs}: {after[0] / before[0]:.3f}, entries "
                      f"{before[1]} before and {after[1]} after")
    return data


def rows(data):
    found = []
    for kind, runs in data.items():
        times = {driver: [run["time"] for run in runs[driver]] for driver in DRIVERS}
        found.append(Row("time of a memory-bound program after the cycle, by before", kind,
                         spread(times[INTREE], "{:.3f}"), spread(times[OURS], "{:.3f}")))
        grown = {driver: [run["after"][1] / run["before"][1] for run in runs[driver]] for driver in DRIVERS}
        found.append(Row("page table entries after the cycle, by before", kind, spread(grown[INTREE], "{:.1f}"),
                         spread(grown[OURS], "{:.1f}"), aim="as before", reached=median(grown[OURS]) <= 1))
    return found
