# SPDX-License-Identifier: GPL-2.0
"""One cycle of a guest's balloon, down and up again by `xl mem-set`, measured.

Calls and times are seen by kprobe events on the functions that make the two memory
hypercalls, in both drivers. Times are the guest's own, from the moment the driver knows of a
target, so that neither xl's nor the lab's own pace is in them, until the first and the last of
these calls have returned.
"""

import re

DEVICE = "/sys/devices/system/xen_memory/xen_memory0"
MODULE = "xen_balloon"
TIMEOUT = 120   # seconds for one way
TRACE_KB = 4096

WAYS = ("decrease", "increase")
INTREE_PROBES = ("p:flush flush_tlb_all",
                 *(f"p:{way} xenmem_reservation_{way} extents=$arg1:u32" for way in WAYS),
                 *(f"r:done_{way} xenmem_reservation_{way}" for way in WAYS))
PROBES = (f"p:flush {MODULE}:flush_tlb_everywhere",
          f"p:change {MODULE}:xenmem_reservation extents=$arg3:u32", f"r:done_change {MODULE}:xenmem_reservation")
TARGET_PROBE = "p:target balloon_set_new_target"
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
EVENT = re.compile(r" (?P<time>\d+\.\d+): (?P<event>\w+): (?:\([^)]*\)(?: extents=(?P<extents>\d+))?|progress)")


class Trace:
    """Watches the memory hypercalls of a guest's driver from its making on."""

    def __init__(self, guest):
        self.guest = guest
        ours = guest.run(f"[ ! -e /sys/module/{MODULE} ] || echo ours").strip()
        probes = (TARGET_PROBE, *(PROBES if ours else INTREE_PROBES))
        guest.run(START.format(kb=TRACE_KB, step=STEP, probes=" ".join(f"'{probe}'" for probe in probes)))

    def stop(self):
        """Return what happened from the first target on.

        That is a dict: `calls` and `extents`; `flushes` of TLBs that were asked for; `seconds` until
        the last call's end and until the `first` one's, None where there is none; `step`, the
        longest of one step of our driver, in seconds.
        """
        events = [match for match in map(EVENT.search, self.guest.run(STOP).splitlines()) if match]
        while events and events[0]["event"] != "target":
            del events[0]
        begin = float(events[0]["time"]) if events else 0
        extents = [int(match["extents"]) for match in events if match["extents"]]
        steps = [begin, *(float(match["time"]) for match in events if match["event"] == "xen_balloon_step")]
        ends = [float(match["time"]) for match in events if match["event"].startswith("done_")]
        return {"calls": len(extents), "extents": sum(extents), "first": ends[0] - begin if ends else None,
                "seconds": ends[-1] - begin if ends else None,
                "flushes": sum(match["event"] == "flush" for match in events),
                "step": max((after - before for before, after in zip(steps, steps[1:])), default=None)}


def go(lab, guest, mib):
    """Send the guest to a size by `xl mem-set`; return what Trace.stop() says."""
    trace = Trace(guest)
    target = guest.run(f"cat {DEVICE}/target_kb").strip()
    watch = guest.spawn(f"arrival {target} {TIMEOUT}")
    guest.mem_set(f"{mib}m")
    said = watch.wait(TIMEOUT + 30, check=False).strip()
    seen = trace.stop()
    lab.check(said == "arrived" and seen["calls"], f"{guest.name} to {mib} MiB: {said}, {seen}")
    return seen


def measure(lab, guest, low, high):
    """Take a guest from `high` MiB to `low` and back.

    Return a dict: what go() said `down` and `up`, the sums of both's `seconds`, `calls`,
    `extents` and `flushes`; and `maps`, the meter's Map `before`, `down` and `up`.
    """
    maps = {"before": guest.meter()}
    ways = {}
    for way, mib in (("down", low), ("up", high)):
        ways[way] = go(lab, guest, mib)
        maps[way] = guest.meter()
    return {**ways, "maps": maps,
            **{what: sum(way[what] for way in ways.values()) for what in ("seconds", "calls", "extents", "flushes")}}
