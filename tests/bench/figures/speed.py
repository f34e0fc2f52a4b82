# SPDX-License-Identifier: GPL-2.0
"""The time of 512 → 256 → 512 MiB by target_kb in a fresh guest, from the moment the driver knows of the target
to the end of the first call by which Xen takes or gives memory, and to the end of the last step (of the in-tree driver
that of the last call, which is a little less). The floor, in the same guest right before, is to get 256 MiB from the
allocator, zeroed once, and the bare hypercalls, in PV with the mappings that go with them. Debian's kernels zero what
they allocate (init_on_alloc), and the in-tree driver, as they are built, zeroes it once more; ours does not. Upkeep is
off.
"""

from statistics import median

import cycle
import plots
from measure import INTREE, OURS
from table import Row, spread

NAME = "speed"
TITLE = "Speed"
PART = 256                  # MiB of 512 that go and come
GIB = 1024 / PART
FLOOR = "floor"
TIMES = {"pvh": 6, "pv": 4.5}       # as fast as in-tree
INFLATE_AT_MOST = 1.3               # times the floor
WAYS = {"down": "inflate", "up": "deflate"}

REMARKS = """
The floor's own speed is what a driver would reach that did nothing but zero once and make these hypercalls; an aim
above it asks for more than that. decrease_reservation() in Xen's common/memory.c removes one frame after the other,
whatever the order of the extent, so that giving 2 MiB takes far longer than getting them: see the changes of the nested
page table that are counted below.

A driver has the machine to itself here, as the floor has. Traced in PVH, ours took 10.4, 6.7 and 10.3 seconds for each
GiB down while dom0 ran ``xl mem-set``, since three CPUs are emulated on two, and 4.3 and 5.7 without that.
In PV the first call of either driver gets 512 single frames, in 1 to 8 ms.

The emulated processor has no ERMS. With it Linux zeroes a page by ``rep stosb``, which QEMU emulates byte by
byte, so that zeroing takes some eight times as long as by ``rep stosq``: no real processor is like that. The in-tree
driver zeroes twice, and both drivers are then slower.
"""


def least(guest):
    """What zeroing and bare hypercalls take, in seconds for each GiB."""
    guest.run(f"insmod /floor.ko pieces={PART // 2}")
    zero, release, populate = (int(guest.run(f"cat /sys/module/floor/parameters/{name}_ns")) / 1e9 * GIB
                               for name in ("zero", "release", "populate"))
    return {"down": zero + release, "up": populate, "zero": zero, "release": release}


def once(bench, guest):
    """The floor and one cycle, in seconds for each GiB, and to the first call's end in seconds."""
    floor = least(guest)
    taken = {way: cycle.go(bench.lab, guest, mib) for way, mib in zip(WAYS, (-PART, PART))}
    return {FLOOR: floor, **{way: taken[way]["seconds"] * GIB for way in WAYS},
            **{f"first {way}": taken[way]["first"] for way in WAYS}}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        found = data.setdefault(kind, {})
        for run, driver, guest in bench.rounds(kind, upkeep=False):
            taken = once(bench, guest)
            found.setdefault(driver, []).append(taken)
            bench.say(f"{kind} {driver} run {run + 1} of {bench.runs}: {taken['down']:.2f} s/GiB down, "
                      f"{taken['up']:.2f} up; the floor {taken[FLOOR]['down']:.2f} down, {taken[FLOOR]['up']:.2f} up")
    return data


def floors(runs):
    return [run[FLOOR] for run in runs]


def whole(runs):
    return [run["down"] + run["up"] for run in runs]


def ratios(some, others):
    """What one took by what the other took, run by run."""
    return [one / other for one, other in zip(some, others, strict=True)]


def rows(data):
    found = []
    for kind, runs in data.items():
        intree, ours = runs[INTREE], runs[OURS]
        faster = ratios(whole(intree), whole(ours))
        found.append(Row("speed of a cycle, by in-tree's", kind, "1", spread(faster, "{:.2f}"),
                         spread(ratios(whole(intree), whole(floors(intree)))), f"{TIMES[kind]:g} times",
                         median(faster) >= TIMES[kind]))
        found.append(Row("time of a cycle, by the floor's", kind,
                         *(spread(ratios(whole(some), whole(floors(some)))) for some in (intree, ours)), "1"))
        for way, name in WAYS.items():
            theirs, mine = ([run[way] / run[FLOOR][way] for run in some] for some in (intree, ours))
            found.append(Row(f"{name}: time, by the floor's", kind, spread(theirs), spread(mine), "1",
                             *((f"at most {INFLATE_AT_MOST:g}", median(mine) <= INFLATE_AT_MOST)
                               if way == "down" else ())))
        parts = {part: median(run[part] / run["down"] for run in floors(intree + ours))
                 for part in ("zero", "release")}
        found.append(Row("inflate: what the floor consists of", kind, reference=f"{parts['zero']:.0%} zeroing, "
                         f"{parts['release']:.0%} hypercalls"))
        for way, name in WAYS.items():
            for what, pick in (("first page", f"first {way}"), ("target", way)):
                share = ratios(*([run[pick] for run in some] for some in (ours, intree)))
                found.append(Row(f"{name}: time to the {what}, by in-tree's", kind, "1", spread(share),
                                 aim="below 1", reached=median(share) < 1))
    return found


def draw(data, folder):
    plots.speed({kind: {**runs, FLOOR: floors(runs[INTREE] + runs[OURS])} for kind, runs in data.items()},
                folder / "speed.svg")
    return [("speed.svg", "Seconds for each GiB, in software emulation, so that only ratios mean anything; medians, "
             "with the fastest and the slowest of all runs.", "Bars of both drivers and of the floor.")]
