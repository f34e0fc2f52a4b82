# SPDX-License-Identifier: GPL-2.0
"""What a guest asks of Xen while it goes from 512 MiB to 384 and back. First, as Xen's own trace (xentrace) counts
them: hypercalls, all of the guest's in that time, with those that Xen interrupted and that went on; what a guest does
beside, such as to switch from one process to another, is in it. Then, as kprobes in the guest see them from the
target to the arrival: calls that take or give memory, their extents, and flushes of all TLBs that were asked for.
Upkeep is off.
"""

import cycle
from measure import DRIVERS, OURS
from table import Row

NAME = "calls"
TITLE = "Hypercalls"
PART = 128                  # MiB of 512 that go and come
GIB = 1024 / (2 * PART)     # of what went down or up
# What tally tells: hypercalls by their number in Xen's public/xen.h.
TALLIED = {"1": "mmu_update", "12": "memory_op", "14": "update_va_mapping", "26": "mmuext_op",
           "p2m": "changes of the nested page table"}
EVENTS = "0x0038f000"               # TRC_PV | TRC_MEM | TRC_HVM of Xen's public/trace.h
BUFFER_PAGES = 1024
TRACE = "/tmp/xentrace"
SEEN = {"calls": "calls that move memory", "extents": "their extents", "flushes": "flushes of all TLBs"}
FEWER_EXTENTS = 50


def hypercalls(lab, action):
    """Do something while Xen traces; return how often the guests made each hypercall, by name, and what it returned."""
    lab.dom0(f"rm -f {TRACE}; (setsid xentrace -D -S {BUFFER_PAGES} -e {EVENTS} {TRACE} </dev/null >/dev/null 2>&1 &); "
             "sleep 1")
    try:
        done = action()
    finally:
        lab.dom0("killall -INT xentrace; while killall -0 xentrace 2>/dev/null; do usleep 100000; done", timeout=120)
    counts = dict.fromkeys(TALLIED.values(), 0)
    for cpu, what, times in map(str.split, lab.dom0(f"tally {TRACE}", timeout=120).splitlines()):
        if cpu != "0" and what in TALLIED:      # where dom0 is
            counts[TALLIED[what]] += int(times)
    return counts, done


def measure(bench):
    lab, data = bench.lab, {}
    for kind in bench.kinds:
        for driver in DRIVERS:
            with bench.guest(kind, driver, upkeep=False) as guest:
                counts, ways = hypercalls(lab, lambda guest=guest: [cycle.go(lab, guest, mib) for mib in (-PART, PART)])
            for name in SEEN:
                counts[name] = sum(way[name] for way in ways)
            lab.check(counts["memory_op"] >= counts["calls"],
                      f"{guest.name}: of {counts['calls']} calls of memory_op Xen saw {counts['memory_op']}")
            counts["steps"] = ways[0]["steps"]
            data.setdefault(kind, {})[driver] = {name: round(times * GIB) for name, times in counts.items()}
            bench.say(f"{kind} {driver}: {data[kind][driver]} for each GiB")
    return data


def rows(data):
    found = []
    for kind, drivers in data.items():
        for name in (*TALLIED.values(), *SEEN):
            theirs, mine = (drivers[driver][name] for driver in DRIVERS)
            aim = {("pvh", "extents"): (f"{FEWER_EXTENTS} times fewer", mine * FEWER_EXTENTS <= theirs),
                   ("pv", "flushes"): ("one a step down", mine <= drivers[OURS]["steps"])}.get((kind, name), ())
            found.append(Row(f"{SEEN.get(name, f'{name}, by Xen')}, for each GiB", kind, f"{theirs:,}", f"{mine:,}", "",
                             *aim))
    return found
