# SPDX-License-Identifier: GPL-2.0
"""The time of 512 → 256 → 512 MiB by ``xl mem-set`` in a fresh guest, from the moment the driver knows of
the target until the first and the last call by which Xen takes or gives memory have returned. The floor, in a fresh guest too, is to get 256 MiB from the allocator, zeroed once, and the bare
hypercalls. Debian's kernels zero what they allocate (init_on_alloc), and the in-tree driver zeroes it once more.
"""

from statistics import median

import cycle
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


def least(guest):
    """What zeroing and bare hypercalls take, in seconds for each GiB."""
    guest.run(f"insmod /floor.ko pieces={(HIGH - LOW) // 2}")
    zero, release, populate = (int(guest.run(f"cat /sys/module/floor/parameters/{name}_ns")) / 1e9 * GIB
                               for name in ("zero", "release", "populate"))
    return {"down": zero + release, "up": populate, "zero": zero, "release": release}


def once(bench, guest):
    """One cycle, in seconds for each GiB, and to the first call's end in seconds."""
    taken = cycle.measure(bench.lab, guest, LOW, HIGH)
    return {**{way: taken[way]["seconds"] * GIB for way in WAYS},
            **{f"first {way}": taken[way]["first"] for way in WAYS},
            "superpages": [taken["maps"][when].superpages for when in ("before", "up")]}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        found = data.setdefault(kind, {})
        for run, driver, guest in bench.rounds(kind, (*DRIVERS, FLOOR)):
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
        found.append(Row("speed of a cycle", kind, "1", spread(faster, "{:.2f}"),
                         spread(ratios(whole(intree), whole(floor))), f"{TIMES[kind]:g} times",
                         median(faster) >= TIMES[kind]))
        for way, name in WAYS.items():
            least_s = [run[way] for run in floor]
            theirs, mine = (ratios([run[way] for run in some], least_s) for some in (intree, ours))
            found.append(Row(f"{name}: time, as a multiple of the floor's", kind, spread(theirs), spread(mine), "1",
                             *((f"at most {INFLATE_AT_MOST:g}", median(mine) <= INFLATE_AT_MOST)
                               if way == "down" else ())))
        for way, name in WAYS.items():
            for what, pick in (("first page", f"first {way}"), ("target", way)):
                share = ratios(*([run[pick] for run in some] for some in (ours, intree)))
                found.append(Row(f"{name}: time to the {what}, as a share", kind, "1", spread(share),
                                 aim="below 1", reached=median(share) < 1))
    return found


def draw(data, folder):
    import plots        # which needs matplotlib
    plots.speed(data, folder / "speed.svg")
    return [("speed.svg", "Seconds for each GiB, in software emulation, so that only ratios mean anything; medians, "
             "with the fastest and the slowest of all runs.", "Bars: in-tree is highest, ours near the floor.")]
