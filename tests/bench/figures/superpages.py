# SPDX-License-Identifier: GPL-2.0
"""A guest of 512 MiB goes down to 256 MiB and up again, many times, and then as often to a
target at random (the same for both drivers), one cycle right after the other. After each the superpages of
its nested page table are counted from outside, in PV the aligned 2 MiB that are contiguous in machine memory; and
once more when the guest has been left alone for 20 seconds.
"""

import random
import time
from functools import partial

from measure import DRIVERS
from common import MIB, move
from table import Row

NAME = "superpages"
TITLE = "Superpages after cycles"
LOW, HIGH = 256, 512
SEED = 6
IDLE = 20                   # seconds


def cycle(guest, low_kb):
    """Take a guest down and up; return the meter's maps."""
    maps = []
    for target in (low_kb, HIGH * MIB):
        move(guest, target, timeout=120)
        maps.append(guest.meter())
    return maps


def cycles(bench, guest):
    times = 2 if bench.quick else 20
    before = guest.meter()
    draw = random.Random(SEED)
    fixed, wild = [], []
    for _ in range(times):
        down, up = cycle(guest, LOW * MIB)
        if not fixed:
            maps = {"before": before.regions, "down": down.regions, "up": up.regions}
        fixed.append(up.superpages)
    for _ in range(times):
        wild.append(cycle(guest, draw.randrange(LOW * MIB, HIGH * MIB, 4))[1].superpages)
    time.sleep(IDLE)
    return {"before": before.superpages, "fixed": fixed, "random": wild, "idle": guest.meter().superpages, "maps": maps}


def measure(bench):
    data = {kind: {} for kind in bench.superpage_kinds}

    def go(kind, driver):
        with bench.guest(kind, driver) as guest:
            found = data[kind][driver] = cycles(bench, guest)
        bench.say(f"{kind} {driver}: {found['before']} before, {found['idle']} in the end")

    bench.at_once([partial(go, kind, driver) for driver in DRIVERS for kind in data])
    return data


def rows(data):
    found = []
    for kind, drivers in data.items():
        ours, intree = drivers["ours"], drivers["intree"]
        times = len(ours["fixed"])
        for what, pick in (("after one cycle", lambda one: one["fixed"][0]),
                           (f"after {times} cycles", lambda one: one["fixed"][-1]),
                           (f"after {times} more, at random", lambda one: one["random"][-1]),
                           (f"{IDLE} s after that", lambda one: one["idle"])):
            found.append(Row(f"superpages {what}", kind, f"{pick(intree)} of {intree['before']}",
                             f"{pick(ours)} of {ours['before']}", aim="as before",
                             reached=pick(ours) >= ours["before"]))
    return found


def draw(data, folder):
    import plots        # which needs matplotlib
    plots.cycles(data, folder / "cycles.svg")
    pictures = [("cycles.svg", "Superpages that are left, cycle after cycle.",
                 "A curve for either driver and each kind of guest.")]
    for kind in data:
        maps = {driver: one["maps"] for driver, one in data[kind].items()}
        plots.maps(maps, folder / f"maps-{kind}.svg")
        pictures.append((f"maps-{kind}.svg", f"The memory of a {kind.upper()} guest, 2 MiB each: before the first "
                         "cycle, down and up again.", f"Map of a {kind.upper()} guest's memory for both drivers."))
    return pictures
