# SPDX-License-Identifier: GPL-2.0
"""A guest of 512 MiB goes down by 256 MiB and up again, many times (in HVM fewer), and then as often to a
target at random (the same for both drivers), one cycle right after the other. After some of them the superpages of
its nested page table are counted from outside, in PV the aligned 2 MiB that are contiguous in machine memory; and
once more when the guest has been left alone for 20 seconds.
"""

import random
import time
from functools import partial

import plots
from measure import DRIVERS
from common import DEVICE, MIB
from table import Row

NAME = "superpages"
TITLE = "Superpages after cycles"
PART = 256                  # MiB of 512 that go and come
LONGEST = 120               # seconds for one way
SEED = 6
COUNTED = (1, 2, 5, 10, 20)         # after so many cycles of either sort
COUNTED_SHORT = (1, 2, 5)           # in HVM, which Xen maps as PVH
COUNTED_QUICK = (1, 2)
IDLE = 20                   # seconds

REMARKS = """
A target that is no multiple of 2 MiB breaks one huge page. Linux hands what is left of it to programs, and when the
rest comes back the region is one of single pages. Healing begins when a guest has been at its target for a second:
here it never is before the end, so that ours loses up to a superpage with each random target. To empty the broken
region for the next target was tried: alloc_contig_range() refuses it, since programs have just got its pages.
"""


def walk(guest, *targets):
    """Lead a guest from target to target, in KiB, which takes less time from inside."""
    was, script = guest.run(f"cat {DEVICE}/target_kb").strip(), ""
    for target in targets:
        script += f"echo {target} >{DEVICE}/target_kb; arrival {was} {LONGEST} || exit 1\n"
        was = target
    guest.run(script, timeout=LONGEST * len(targets))


def cycles(bench, guest, driver):
    counted = COUNTED_QUICK if bench.quick else COUNTED_SHORT if guest.kind == "hvm" else COUNTED
    high = guest.current_kb()
    low = high - PART * MIB
    draw = random.Random(SEED)
    maps, fixed, wild = {"before": guest.meter()}, [], []

    def go_on(found, cycle):
        for times in counted[len(found):]:
            done = found[-1][0] if found else 0
            walk(guest, *(target for _ in range(done, times) for target in cycle()))
            found.append([times, guest.meter().superpages])

    for when, target in (("down", low), ("up", high)):
        walk(guest, target)
        maps[when] = guest.meter()
    fixed.append([1, maps["up"].superpages])
    go_on(fixed, lambda: (low, high))
    bench.say(f"{guest.kind} {driver}: {counted[-1]} of {2 * counted[-1]} cycles")
    go_on(wild, lambda: (draw.randrange(low, high, 4), high))
    time.sleep(IDLE)
    return {"before": maps["before"].superpages, "fixed": fixed, "random": wild, "idle": guest.meter().superpages,
            "maps": {when: found.regions for when, found in maps.items()}}


def measure(bench):
    data = {kind: {} for kind in bench.superpage_kinds}

    def go(kind, driver):
        with bench.guest(kind, driver) as guest:
            found = data[kind][driver] = cycles(bench, guest, driver)
        bench.say(f"{kind} {driver}: {found['before']} before, {found['idle']} in the end")

    bench.at_once([partial(go, kind, driver) for driver in DRIVERS for kind in data])
    return data


def rows(data):
    found = []
    for kind, drivers in data.items():
        ours, intree = drivers["ours"], drivers["intree"]
        times = ours["fixed"][-1][0]
        for what, pick in (("after one cycle", lambda one: one["fixed"][0][1]),
                           (f"after {times} cycles", lambda one: one["fixed"][-1][1]),
                           (f"after {times} more, at random", lambda one: one["random"][-1][1]),
                           (f"{IDLE} s after that", lambda one: one["idle"])):
            found.append(Row(f"superpages {what}", kind, f"{pick(intree)} of {intree['before']}",
                             f"{pick(ours)} of {ours['before']}", aim="as before",
                             reached=pick(ours) >= ours["before"]))
    return found


def draw(data, folder):
    plots.cycles(data, folder / "cycles.svg")
    pictures = [("cycles.svg", "Superpages that are left, cycle after cycle.",
                 "A curve for either driver and each kind of guest.")]
    for kind in data:
        maps = {driver: one["maps"] for driver, one in data[kind].items()}
        plots.maps(maps, folder / f"maps-{kind}.svg")
        pictures.append((f"maps-{kind}.svg", f"The memory of a {kind.upper()} guest, 2 MiB each: before the first "
                         "cycle, down and up again.", f"Map of a {kind.upper()} guest's memory for both drivers."))
    return pictures
