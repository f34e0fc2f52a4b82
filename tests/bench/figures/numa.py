# SPDX-License-Identifier: GPL-2.0
"""On which of a machine's two nodes the memory of a PVH guest lies, which has two virtual nodes of 256 MiB, one for
each. It goes to half of its size and back, three times; then to twelve targets at random (the same for both drivers)
and back. Then it gives 192 MiB, another guest takes what is free of the second node, and it grows again and is left
alone for 20 seconds. Then the other guest goes, and this one is left alone until, as far as it knows, nothing is away
any more, for ten minutes at most; with the in-tree driver, which changes nothing of a guest at its target, for one. At
each stage all pages of both virtual nodes are counted in the nested page table, from outside. And what 2 MiB cost with
ours, its upkeep off: such a guest and one of the same size without virtual nodes, which is the reference, go down by
128 MiB and up again, ten times each, by turns.
"""

import random
import time
from statistics import median

import cycle
import plots
import vnodes
from common import DEVICE, MIB
from figures.superpages import walk
from measure import DRIVERS, INTREE, OURS
from table import Row, spread

NAME = "numa"
TITLE = "Nodes of the machine"
TIME = 60 * 60              # seconds
NODES = 2                   # of the machine
KIND = "pvh"
SIZES = (256, 256)          # MiB of the virtual nodes
PART = 256                  # MiB of both that go and come
CYCLES, TARGETS = 3, 12
QUICK_CYCLES, QUICK_TARGETS = 1, 3
SEED = 6
TAKEN_MIB = 192             # from the guest, before the second node is full
STARVED_S = 20
AT_REST_S = {INTREE: 60, OURS: 600}
EVERY = 5                   # seconds from one look to the next
AWAY = f"cat {DEVICE}/node/node*/away_kb | awk '{{n += $1}} END {{print n}}'"
COST_PART = 128             # MiB of 512, so that either node has much more free than it gives
COST_TIMES = 2              # all turns are taken
WAYS = {"down": ("inflate", -COST_PART), "up": ("deflate", COST_PART)}
NAMES = {"first": "at first", "cycles": "after cycles", "random": "after random targets",
         "starved": "grown while a node was full", "rested": "at rest, when there was room again"}
ROOM = ("cycles", "random", "rested")       # had all nodes of the machine
WRONG_AT_MOST, COST_AT_MOST = 0.001, 1.05

REMARKS = """
While the second node is full there is nothing better than memory of the first one, with either driver: that has no aim.
What came from there is known to ours, and comes anew when there is room.
"""


def at_rest(guest, driver):
    """Leave the guest alone until nothing is away, as far as ours knows; return for how many seconds."""
    start = time.monotonic()
    while (seconds := time.monotonic() - start) < AT_REST_S[driver] and (driver == INTREE or int(guest.run(AWAY))):
        time.sleep(EVERY)
    return seconds


def lies(bench, driver):
    """Of each virtual node how many pages there are, and how many are misplaced, stage by stage."""
    stages, draw = {}, random.Random(SEED)
    cycles, targets = (QUICK_CYCLES, QUICK_TARGETS) if bench.quick else (CYCLES, TARGETS)
    with bench.guest(KIND, driver, vnodes=SIZES, vcpus=len(SIZES)) as guest:
        def look(stage):
            found = vnodes.spread(bench.lab, guest)
            stages[stage] = {"pages": [sum(row) for row in found.rows], "misplaced": found.misplaced}
            bench.say(f"{driver} {NAMES[stage]}: {found}")

        high = guest.current_kb()
        low = high - PART * MIB
        look("first")
        walk(guest, *[low, high] * cycles)
        look("cycles")
        walk(guest, *(draw.randrange(low, high, 4) for _ in range(targets)), high)
        look("random")
        walk(guest, high - TAKEN_MIB * MIB)
        with vnodes.full_node(bench.lab, guest):
            walk(guest, high)
            time.sleep(STARVED_S)
            look("starved")
        seconds = at_rest(guest, driver)
        look("rested")
    return {"stages": stages, "rested_s": seconds}


def cost(bench):
    """Milliseconds and calls for each 2 MiB, either way, of a guest with virtual nodes and of one without."""
    taken = {which: {way: [] for way in WAYS} for which in ("nodes", "none")}
    with bench.guest(KIND, OURS, upkeep=False, vnodes=SIZES) as nodes, \
            bench.guest(KIND, OURS, upkeep=False, memory=sum(SIZES)) as none:
        for _ in range(1 if bench.quick else COST_TIMES):
            for which, guest in bench.by_turns({"nodes": nodes, "none": none}):
                for way, (_, mib) in WAYS.items():
                    seen = cycle.go(bench.lab, guest, mib)
                    taken[which][way].append({"ms": seen["seconds"] * 1e3 / (COST_PART // 2),
                                              "calls": seen["calls"] / (COST_PART // 2)})
                bench.say(f"{which}: " + ", ".join(f"{way} {found[-1]['ms']:.1f} ms, {found[-1]['calls']:.2f} calls"
                                                   for way, found in taken[which].items()) + " for each 2 MiB")
    return taken


def measure(bench):
    return {"lies": {driver: lies(bench, driver) for driver in DRIVERS}, "cost": cost(bench)}


def wrong(stage):
    """Which part of all pages is misplaced."""
    return sum(stage["misplaced"]) / sum(stage["pages"])


def tell(stage):
    return f"{sum(stage['misplaced'])} of {sum(stage['pages'])} ({wrong(stage):.2%})"


def rows(data):
    found = []
    intree, ours = (data["lies"][driver] for driver in DRIVERS)
    for stage, name in NAMES.items():
        found.append(Row(f"pages on the wrong node, {name}", KIND,
                         *(tell(driver["stages"][stage]) for driver in (intree, ours)),
                         *(("", "at most 0.1 %", wrong(ours["stages"][stage]) <= WRONG_AT_MOST)
                           if stage in ROOM else ())))
    rested = ours["rested_s"]
    found.append(Row("time at rest until nothing was away, as far as ours knows, in s", KIND, "",
                     f"{rested:.0f}" if rested < AT_REST_S[OURS] else f"not within {AT_REST_S[OURS]}"))
    for way, (name, _) in WAYS.items():
        ms, calls = ([[run[what] for run in data["cost"][which][way]] for which in ("nodes", "none")]
                     for what in ("ms", "calls"))
        # The host is now slower, now faster: those that were side by side are compared.
        ratio = median(some / others for some, others in zip(*ms, strict=True))
        found += [Row(f"{name}: time for each 2 MiB with virtual nodes, in ms", KIND, "",
                      *(spread(times, "{:.1f}") for times in ms), f"at most {COST_AT_MOST:g} times: {ratio:.3f}",
                      ratio <= COST_AT_MOST),
                  Row(f"{name}: calls for each 2 MiB with virtual nodes", KIND, "", *map(spread, calls))]
    return found


def draw(data, folder):
    plots.numa({driver: {stage: 100 * wrong(found) for stage, found in one["stages"].items()}
                for driver, one in data["lies"].items()}, folder / "numa.svg")
    return [("numa.svg", "Pages of a guest with two virtual nodes that lie on another node of the machine than they "
             "should.", "Bars of both drivers, stage by stage.")]
