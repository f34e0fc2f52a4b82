# SPDX-License-Identifier: GPL-2.0
"""One cycle of a guest's balloon, down and up again by its target_kb, measured.

The guest's own trace tells: kprobe events on the functions that make the two memory hypercalls,
in both drivers, and the steps of ours. Times are from the moment the driver knows of a target
to the end of the first call, and to the end of the last step, of the in-tree driver that of the last call.
What comes before the target or after the arrival, as upkeep does, does not count.

While a driver works nothing else does, as far as can be: the machine may be emulated on fewer CPUs than it has,
and then xl in dom0 makes a driver take up to twice as long.
"""

import re

from guest import DEVICE

MODULE = "xen_balloon"
MIB = 1024      # in KiB
TIMEOUT = 120   # seconds for one way
TRACE_KB = 4096

WAYS = ("decrease", "increase")
INTREE_PROBES = (*(f"p:{way} xenmem_reservation_{way} extents=$arg1:u32" for way in WAYS),
                 *(f"r:done_{way} xenmem_reservation_{way}" for way in WAYS))
PROBES = (f"p:flush_own {MODULE}:flush_tlb_everywhere",
          f"p:change {MODULE}:xenmem_reservation extents=$arg3:u32", f"r:done_change {MODULE}:xenmem_reservation")
COMMON_PROBES = ("p:target balloon_set_new_target", "p:flush flush_tlb_all")
MOVE = f"cd {DEVICE}; was=$(cat target_kb); echo $((was + %d)) >target_kb; arrival $was {TIMEOUT}"
STEP = "events/xen_balloon/xen_balloon_step/enable"
START = """
cd /sys/kernel/tracing
echo 0 >events/enable
echo >kprobe_events
echo {kb} >buffer_size_kb
echo >trace
printf '%s\\n' {probes} >kprobe_events
echo 1 >events/kprobes/enable
[ ! -e {step} ] || echo 1 >{step}
"""
STOP = """
cd /sys/kernel/tracing
echo 0 >events/enable
grep -v '^#' trace
echo >kprobe_events
"""
EVENT = re.compile(r" (?P<time>\d+\.\d+): (?P<event>\w+): (?:\([^)]*\)(?: extents=(?P<extents>\d+))?|progress|arrived)")
ARRIVED = "tracing_mark_write"      # by the program arrival


class Trace:
    """Watches the memory hypercalls of a guest's driver from its making on."""

    def __init__(self, guest):
        self.guest = guest
        ours = guest.run(f"[ ! -e /sys/module/{MODULE} ] || echo ours").strip()
        probes = (*COMMON_PROBES, *(PROBES if ours else INTREE_PROBES))
        guest.run(START.format(kb=TRACE_KB, step=STEP, probes=" ".join(f"'{probe}'" for probe in probes)))

    def stop(self):
        """Return what happened on the way to a target.

        That is a dict: `calls` and `extents`; `flushes` of TLBs that were asked for; `seconds` to the end,
        and to that of the `first` call; the number of `steps` of our driver, and the longest `step`, in seconds,
        None of the in-tree driver.
        """
        events = [match for match in map(EVENT.search, self.guest.run(STOP).splitlines()) if match]
        names = [match["event"] for match in events]
        if "target" not in names or ARRIVED not in names:
            return {"calls": 0}
        way = events[names.index("target"):names.index(ARRIVED)]
        begin = float(way[0]["time"])
        extents = [int(match["extents"]) for match in way if match["extents"]]
        ends, steps, flushes = ([float(match["time"]) - begin for match in way if match["event"].startswith(name)]
                                for name in ("done_", "xen_balloon_step", "flush"))
        return {"calls": len(extents), "extents": sum(extents), "flushes": len(flushes),
                "first": min(ends, default=None), "seconds": max(steps or ends, default=None), "steps": len(steps),
                "step": max((after - before for before, after in zip([0, *steps], steps)), default=None)}


def go(lab, guest, mib):
    """Have the guest grow by so many MiB, or shrink by less than none; return what Trace.stop() says."""
    trace = Trace(guest)
    said = guest.run(MOVE % (mib * MIB), timeout=TIMEOUT + 60, check=False).strip()
    seen = trace.stop()
    lab.check(said == "arrived" and seen["calls"], f"{guest.name}, by {mib} MiB: {said}, {seen}")
    return seen


def measure(lab, guest, mib):
    """Take so many MiB of a guest, and give them back.

    Return a dict: what go() said `down` and `up`, the sums of both's `seconds`, `calls`,
    `extents` and `flushes`; and `maps`, the meter's Map `before`, `down` and `up`.
    """
    maps = {"before": guest.meter()}
    ways = {}
    for way, change in (("down", -mib), ("up", mib)):
        ways[way] = go(lab, guest, change)
        maps[way] = guest.meter()
    return {**ways, "maps": maps,
            **{what: sum(way[what] for way in ways.values()) for what in ("seconds", "calls", "extents", "flushes")}}
