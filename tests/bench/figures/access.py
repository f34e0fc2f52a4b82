# SPDX-License-Identifier: GPL-2.0
"""A memory-bound program: it follows pointers at random through 320 of 512 MiB, in five rounds, before and after the
guest has gone to 256 MiB and back. What each round takes afterwards, by the median of those before, in the same guest:
an emulated processor feels little of what a real one would, and the verdict is by a count, of the entries of the nested
page table that map the guest, in PV of the contiguous pieces. That is as many translations as a processor has to know.
"""

from statistics import median

from common import MIB, move
from measure import INTREE, OURS
from table import Row, spread

NAME = "access"
TITLE = "A memory-bound program"
LOW, HIGH = 256, 512
MIB_USED, STEPS = 320, 400000
PAGES = 512                 # of a superpage


def used(guest):
    """Let the program run; return the time of a step in each of its rounds, and how many entries map the guest."""
    rounds = [float(time) for time in guest.run(f"chase {MIB_USED} {STEPS}", timeout=240).split()]
    mapped = guest.meter()
    return {"times": rounds, "entries": mapped.superpages + PAGES * (mapped.small + mapped.partial)}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        with bench.guest(kind, INTREE) as intree, bench.guest(kind, OURS) as ours:
            guests = {INTREE: intree, OURS: ours}
            found = data[kind] = {driver: {"before": used(guest)} for driver, guest in guests.items()}
            for driver, guest in guests.items():
                for target in (LOW, HIGH):
                    move(guest, target * MIB, timeout=120)
                found[driver]["after"] = used(guest)
                bench.say(f"{kind} {driver}: entries {found[driver]['before']['entries']} before and "
                          f"{found[driver]['after']['entries']} after")
    return data


def rows(data):
    found = []
    for kind, drivers in data.items():
        times = {driver: [time / median(taken["before"]["times"]) for time in taken["after"]["times"]]
                 for driver, taken in drivers.items()}
        found.append(Row("time of a memory-bound program after the cycle, by before", kind,
                         spread(times[INTREE], "{:.3f}"), spread(times[OURS], "{:.3f}")))
        grown = {driver: taken["after"]["entries"] / taken["before"]["entries"] for driver, taken in drivers.items()}
        found.append(Row("page table entries after the cycle, by before", kind, f"{grown[INTREE]:.1f}",
                         f"{grown[OURS]:.1f}", aim="as before", reached=grown[OURS] <= 1))
    return found
