# SPDX-License-Identifier: GPL-2.0
"""What a program feels while 256 MiB of a guest of 512 are taken and given back: how long a thread that touches
32 MiB at random is kept from going on (a sample is the longest gap of each millisecond), and by how much a timer of
1 ms is late (cyclictest, at normal priority). Both run while the guest goes down and up, on one and on two virtual
CPUs, and for comparison without any ballooning. Each sample of a run lasts from the first target to the end.
"""

import json
from functools import partial
from math import ceil, log2
from statistics import median

import cycle
from common import MIB, move
from measure import INTREE, OURS
from table import Row, spread

NAME = "stalls"
TITLE = "Stalls"
NONE = "none"
QUIET = 3                   # seconds without ballooning
LOW, HIGH = 256, 512
TOUCHED_MIB = 32
LONGEST = 60                # seconds
PERIOD_US = 1000            # of the timer
TIMER = (f"cyclictest --policy=other --threads=1 --interval={PERIOD_US} --histogram=1000000 --quiet "
         f"--duration={LONGEST} --json=/tmp/timer.json >/dev/null 2>&1")


def watched(lab, guest, action):
    """Do something in a guest; return what the program that touches memory and the timer saw meanwhile."""
    touch = guest.spawn(f"stalls {TOUCHED_MIB} {LONGEST}")
    lab.wait(lambda: "ready" in touch.output(), 60, f"stalls in {guest.name} to begin")
    timer = guest.spawn(TIMER)
    action()
    guest.run("killall -TERM stalls; killall -INT cyclictest")
    timer.wait(60, check=False)
    return {"touch": touches(touch.wait(60)), "timer": latencies(json.loads(guest.run("cat /tmp/timer.json")))}


def cycle_once(guest):
    for mib in (LOW, HIGH):
        move(guest, mib * MIB)


def touches(said):
    """What the program stalls printed: max, p999, and buckets."""
    fields = [line.split() for line in said.splitlines()]
    numbers = {name: float(value) for name, value, *_ in (field for field in fields if len(field) == 2)}
    return {"max": numbers["max"], "p999": numbers["p999"],
            "buckets": [[float(upper), int(times)] for name, upper, times in (f for f in fields if len(f) == 3)]}


def latencies(report):
    """The same of cyclictest's report, in buckets of which each is 9 % above the one before.

    It leaves out the periods that it was late for: how late it was counts for each of them.
    """
    thread = report["thread"]["0"]
    counts = sorted((int(us), times * max(1, int(us) // PERIOD_US)) for us, times in thread["histogram"].items())
    total, seen, p999, buckets = sum(times for _, times in counts), 0, None, {}
    for us, times in counts:
        seen += times
        if p999 is None and seen >= total * 0.999:
            p999 = us
        upper = 2 ** (ceil(log2(max(us, 1)) * 8) / 8)
        buckets[upper] = buckets.get(upper, 0) + times
    return {"max": thread["max"], "p999": p999, "buckets": list(buckets.items())}


def step(bench, kind):
    """The longest that one step of our driver takes in a guest that does nothing else, in us."""
    with bench.guest(kind, OURS) as guest:
        return max(cycle.go(bench.lab, guest, mib)["step"] for mib in (LOW, HIGH)) * 1e6


def measure(bench):
    lab, data = bench.lab, {}
    for kind in bench.kinds:
        data[kind] = {"step": step(bench, kind)}
        for vcpus in (1, 2):
            found = data[kind][str(vcpus)] = {}
            for run, driver, guest in bench.rounds(kind, vcpus=vcpus):
                if driver == INTREE:
                    found.setdefault(NONE, []).append(watched(lab, guest, partial(guest.run, f"sleep {QUIET}")))
                seen = watched(lab, guest, partial(cycle_once, guest))
                found.setdefault(driver, []).append(seen)
                bench.say(f"{kind} with {vcpus} CPUs, {driver}, run {run + 1} of {bench.runs}: longest "
                          f"{seen['touch']['max'] / 1e3:.1f} ms, timer {seen['timer']['max'] / 1e3:.1f} ms")
    return data


def rows(data):
    found = []
    for kind, cases in data.items():
        for vcpus in ("1", "2"):
            for feels, name in (("touch", "thread that touches memory"), ("timer", "timer")):
                for which, what in (("max", "longest stall"), ("p999", "99.9th percentile of stalls")):
                    none, intree, ours = ([run[feels][which] / 1e3 for run in cases[vcpus][driver]]
                                          for driver in (NONE, INTREE, OURS))
                    found.append(Row(f"{what} of a {name}, {vcpus} CPUs, in ms", kind, spread(intree), spread(ours),
                                     spread(none), "below in-tree", median(ours) < median(intree)))
        longest = median(run["touch"]["max"] for run in cases["1"][OURS]) / cases["step"]
        found.append(Row("longest stall of a thread that touches memory, 1 CPU, in steps of the driver", kind, "",
                         f"{longest:.2f}", aim="at most 1", reached=longest <= 1))
    return found


def draw(data, folder):
    import plots        # which needs matplotlib
    plots.stalls({kind: {vcpus: runs for vcpus, runs in cases.items() if vcpus != "step"}
                  for kind, cases in data.items()}, folder / "stalls.svg")
    return [("stalls.svg", "How many of the samples are longer than so much.", "Curves that fall; ours below in-tree.")]
