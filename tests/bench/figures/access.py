# SPDX-License-Identifier: GPL-2.0
"""A memory-bound program: it follows pointers at random through 320 of 512 MiB, in a guest with either driver, before
the first and after each of five cycles to 256 MiB and back, by turns. What it takes then, by what it took at first in
the same guest: an emulated processor feels little of what a real one would, and the verdict is by a count, of the
entries of the nested page table that map the guest, in PV of the contiguous pieces. That is as many translations as a
processor has to know.
"""

from statistics import median

from common import MIB, move
from measure import INTREE, OURS
from table import Row, spread

NAME = "access"
TITLE = "A memory-bound program"
LOW, HIGH = 256, 512
MIB_USED, STEPS = 320, 50000
PAGES = 512                 # of a superpage


def used(guest):
    """Let the program run; return the time of a step, the median of its rounds, and how many entries map the guest."""
    rounds = guest.run(f"chase {MIB_USED} {STEPS}", timeout=240).split()
    mapped = guest.meter()
    return {"ns": median(map(float, rounds)),
            "entries": mapped.superpages + PAGES * (mapped.small + mapped.partial)}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        with bench.guest(kind, INTREE) as intree, bench.guest(kind, OURS) as ours:
            guests = {INTREE: intree, OURS: ours}
            found = data[kind] = {driver: [used(guest)] for driver, guest in guests.items()}
            for driver, guest in bench.by_turns(guests):
                for target in (LOW, HIGH):
                    move(guest, target * MIB, timeout=120)
                found[driver].append(used(guest))
            bench.say(f"{kind}: {found}")
    return data


def grown(seen, what):
    """By how much something is more than at first, after each cycle."""
    first, *later = (one[what] for one in seen)
    return [one / first for one in later]


def rows(data):
    found = []
    for kind, drivers in data.items():
        times, entries = ({driver: grown(seen, what) for driver, seen in drivers.items()} for what in ("ns", "entries"))
        found.append(Row("time of a memory-bound program after cycles, by before", kind,
                         spread(times[INTREE]), spread(times[OURS])))
        found.append(Row("page table entries after cycles, by before", kind, spread(entries[INTREE], "{:.1f}"),
                         spread(entries[OURS], "{:.1f}"), aim="as before", reached=max(entries[OURS]) <= 1))
    return found
