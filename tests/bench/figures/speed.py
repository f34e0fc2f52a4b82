# SPDX-License-Identifier: GPL-2.0
"""The time of 512 → 256 → 512 MiB by ``xl mem-set`` in a fresh guest, from the moment the driver knows of the target
to the end of the first call by which Xen takes or gives memory, and to the end of the last step (of the in-tree driver
that of the last call, which is a little less). The floor, in a fresh guest too, is to get 256 MiB from the allocator,
zeroed once, and the bare hypercalls, in PV with the mappings that go with them. Debian's kernels zero what they
allocate (init_on_alloc), and the in-tree driver, as they are built, zeroes it once more; ours does not. Upkeep is off.
"""

from statistics import median

import cycle
import plots
from measure import DRIVERS, INTREE, OURS
from table import Row, spread

NAME = "speed"
TITLE = "Speed"
LOW, HIGH = 256, 512
GIB = 1024 / (HIGH - LOW)
FLOOR = "floor"
TIMES = {"pvh": 6, "pv": 4.5}       # as fast as in-tree
INFLATE_AT_MOST = 1.3               # times the floor
WAYS = {"down": "inflate", "up": "deflate"}

REMARKS = """
The floor's own speed is what a driver would reach that did nothing but zero once and make these hypercalls; an aim
above it asks for more than that. decrease_reservation() in Xen's common/memory.c removes one frame after the other,
whatever the order of the extent, so that giving 2 MiB takes far longer than getting them: see the changes of the nested
page table that are counted below.

Part of what the drivers take here is the measuring: while they work, dom0 runs ``xl``, and a program in the guest looks
for the arrival 100 times a second, while the floor has the machine to itself. Traced in PVH, a fresh guest's way down
after a write to target_kb with nobody looking took 4.3 and 5.7 seconds for each GiB, the floor 6.4 and 4.7; by ``xl``
with the program looking it took 10.4, 6.7 and 10.3 then. In PV the first call of either driver gets 512 single frames,
in 1 to 8 ms.

The emulated processor has no ERMS. With it Linux zeroes a page by ``rep stosb``, which QEMU emulates byte by
byte, so that zeroing takes some eight times as long as by ``rep stosq``: no real processor is like that. The in-tree
driver zeroes twice, and both drivers are then slower.
"""


def least(guest):
    """What zeroing and bare hypercalls take, in seconds for each GiB."""
    guest.run(f"insmod /floor.ko pieces={(HIGH - LOW) // 2}")
    zero, release, populate = (int(guest.run(f"cat /sys/module/floor/parameters/{name}_ns")) / 1e9 * GIB
                               for name in ("zero", "release", "populate"))
    return {"down": zero + release, "up": populate, "zero": zero, "release": release}


def once(bench, guest):
    """One cycle, in seconds for each GiB, and to the first call's end in seconds."""
    taken = {way: cycle.go(bench.lab, guest, mib) for way, mib in zip(WAYS, (LOW, HIGH))}
    return {**{way: taken[way]["seconds"] * GIB for way in WAYS},
            **{f"first {way}": taken[way]["first"] for way in WAYS}}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        found = data.setdefault(kind, {})
        for run, driver, guest in bench.rounds(kind, (*DRIVERS, FLOOR), upkeep=False):
            taken = least(guest) if driver == FLOOR else once(bench, guest)
            found.setdefault(driver, []).append(taken)
            bench.say(f"{kind} {driver} run {run + 1} of {bench.runs}: {taken['down']:.2f} s/GiB down, "
                      f"{taken['up']:.2f} up")
    return data


def whole(runs):
    return [run["down"] + run["up"] for run in runs]


def ratios(some, others):
    """What one took by what the other took, run by run."""
    return [one / other for one, other in zip(some, others, strict=True)]


def rows(data):
    found = []
    for kind, runs in data.items():
        intree, ours, floor = (runs[driver] for driver in (INTREE, OURS, FLOOR))
        faster = ratios(whole(intree), whole(ours))
        found.append(Row("speed of a cycle, by in-tree's", kind, "1", spread(faster, "{:.2f}"),
                         spread(ratios(whole(intree), whole(floor))), f"{TIMES[kind]:g} times",
                         median(faster) >= TIMES[kind]))
        for way, name in WAYS.items():
            least_s = [run[way] for run in floor]
            theirs, mine = (ratios([run[way] for run in some], least_s) for some in (intree, ours))
            found.append(Row(f"{name}: time, by the floor's", kind, spread(theirs), spread(mine), "1",
                             *((f"at most {INFLATE_AT_MOST:g}", median(mine) <= INFLATE_AT_MOST)
                               if way == "down" else ())))
        parts = {part: median(run[part] / run["down"] for run in floor) for part in ("zero", "release")}
        found.append(Row("inflate: what the floor consists of", kind, reference=f"{parts['zero']:.0%} zeroing, "
                         f"{parts['release']:.0%} hypercalls"))
        for way, name in WAYS.items():
            for what, pick in (("first page", f"first {way}"), ("target", way)):
                share = ratios(*([run[pick] for run in some] for some in (ours, intree)))
                found.append(Row(f"{name}: time to the {what}, by in-tree's", kind, "1", spread(share),
                                 aim="below 1", reached=median(share) < 1))
    return found


def draw(data, folder):
    plots.speed(data, folder / "speed.svg")
    return [("speed.svg", "Seconds for each GiB, in software emulation, so that only ratios mean anything; medians, "
             "with the fastest and the slowest of all runs.", "Bars of both drivers and of the floor.")]
