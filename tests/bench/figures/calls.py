# SPDX-License-Identifier: GPL-2.0
"""What a guest asks of Xen while it goes from 512 MiB to 384 and back: its hypercalls, as Xen's own trace
(xentrace) counts them, the extents of those that take and give memory, seen by kprobes, and flushes of all TLBs:
those that the in-tree driver asks the kernel for (flush_tlb_all, which in PV are many hypercalls) by a kprobe,
ours by the calls of mmuext_op. What the guest does beside, such as starting a program, is in it. Upkeep is off.
"""

import cycle
from measure import DRIVERS, OURS
from table import Row

NAME = "calls"
TITLE = "Hypercalls"
LOW, HIGH = 384, 512
GIB = 1024 / (2 * (HIGH - LOW))     # of what went down or up
NUMBERS = {1: "mmu_update", 12: "memory_op", 14: "update_va_mapping", 26: "mmuext_op"}     # of Xen's public/xen.h
EVENTS = "0x0028f000"               # TRC_PV | TRC_HVM of Xen's public/trace.h
BUFFER_PAGES = 1024
TRACE = "/tmp/xentrace"
UPKEEP = "/sys/devices/system/xen_memory/xen_memory0/upkeep"
FEWER_EXTENTS = 50
STEP_GIB = 64                       # steps of 16 MiB in a GiB


def hypercalls(lab, action):
    """Do something while Xen traces; return how often the guests made each hypercall, by name."""
    lab.dom0(f"rm -f {TRACE}; (setsid xentrace -D -S {BUFFER_PAGES} -e {EVENTS} {TRACE} </dev/null >/dev/null 2>&1 &); "
             "sleep 1")
    done = action()
    said = lab.dom0(f"killall -INT xentrace; while killall -0 xentrace 2>/dev/null; do usleep 100000; done; "
                    f"tally {TRACE}; rm {TRACE}", timeout=120)
    counts = dict.fromkeys(NUMBERS.values(), 0)
    for cpu, number, times in (map(int, line.split()) for line in said.splitlines()):
        if cpu and number in NUMBERS:       # on CPU 0 is dom0
            counts[NUMBERS[number]] += times
    return counts, done


def both_ways(lab, guest):
    return [cycle.go(lab, guest, mib) for mib in (LOW, HIGH)]


def measure(bench):
    data = {}
    for kind in bench.kinds:
        for driver in DRIVERS:
            with bench.guest(kind, driver) as guest:
                if driver == OURS:
                    guest.run(f"echo 0 > {UPKEEP}/heal; echo 0 > {UPKEEP}/coalesce")
                counts, ways = hypercalls(bench.lab, lambda guest=guest: both_ways(bench.lab, guest))
            counts["extents"] = sum(way["extents"] for way in ways)
            counts["flushes"] = sum(way["flushes"] for way in ways)
            data.setdefault(kind, {})[driver] = {name: round(times * GIB) for name, times in counts.items()}
            bench.say(f"{kind} {driver}: {data[kind][driver]} for each GiB")
    return data


def rows(data):
    found = []
    for kind, drivers in data.items():
        for name in drivers[OURS]:
            theirs, mine = (drivers[driver][name] for driver in DRIVERS)
            aim = {("pvh", "extents"): (f"{FEWER_EXTENTS} times fewer", mine * FEWER_EXTENTS <= theirs),
                   ("pv", "mmuext_op"): ("one flush a step", mine <= STEP_GIB)}.get((kind, name), ())
            found.append(Row(f"{name} for each GiB", kind, f"{theirs:,}", f"{mine:,}", "", *aim))
    return found
