# SPDX-License-Identifier: GPL-2.0
"""One cycle of a guest's balloon, down and up again by `xl mem-set`, measured.

The time is the guest's own, from the moment the driver knows of a target until
its count of pages is there, so that neither xl's nor the lab's own pace is in it. Calls and
extents are those of the two memory hypercalls: xen-balloon counts them itself, of
the in-tree driver they are counted by kprobe events on the functions that make them.
"""

DEVICE = "/sys/devices/system/xen_memory/xen_memory0"
STATS = "/sys/kernel/debug/xen-balloon/stats"
TIMEOUT = 120   # seconds for one way

PROBE = """
cd /sys/kernel/tracing
for way in decrease increase; do
    grep -q :kprobes/$way kprobe_events ||
        echo "p:$way xenmem_reservation_$way extents=\\$arg1:u64" >>kprobe_events
done
echo >trace
echo 1 >events/kprobes/enable
"""

PROBED = """
cd /sys/kernel/tracing
echo 0 >events/kprobes/enable
awk -F extents= '/extents=/ { calls++; extents += $2 } END { print calls + 0, extents + 0 }' trace
"""


class Counter:
    """Counts the memory hypercalls of a guest's driver from its making on."""

    def __init__(self, guest):
        self.guest = guest
        self.own = guest.run(f"[ ! -e {STATS} ] || echo own").strip() == "own"
        if self.own:
            self.before = self.stats()
        else:
            guest.run(PROBE)

    def stats(self):
        pairs = (line.split() for line in self.guest.run(f"cat {STATS}").splitlines())
        counts = {name: int(value) for name, value in pairs}
        return [counts[f"release_{what}"] + counts[f"populate_{what}"] for what in ("calls", "extents")]

    def stop(self):
        """Return (calls, extents)."""
        if self.own:
            return tuple(now - then for now, then in zip(self.stats(), self.before, strict=True))
        return tuple(map(int, self.guest.run(PROBED).split()))


def go(lab, guest, mib):
    """Send the guest to a size by `xl mem-set` and return the seconds that its driver took."""
    target = guest.run(f"cat {DEVICE}/target_kb").strip()
    watch = guest.spawn(f"stopwatch {target} {TIMEOUT}")
    guest.mem_set(f"{mib}m")
    said = watch.wait(TIMEOUT + 30, check=False).strip()
    lab.check(said.replace(".", "").isdigit(), f"{guest.name} to {mib} MiB, seconds: {said}")
    return float(said)


def measure(lab, guest, low, high):
    """Take a guest from `high` MiB to `low` and back.

    Return a dict: `down`, `up` and their sum `seconds`; `calls` and `extents` of
    memory hypercalls; `maps`, the meter's Map `before`, `down` and `up`.
    """
    maps = {"before": guest.meter()}
    counter = Counter(guest)
    down = go(lab, guest, low)
    maps["down"] = guest.meter()
    up = go(lab, guest, high)
    calls, extents = counter.stop()
    maps["up"] = guest.meter()
    return {"seconds": down + up, "down": down, "up": up,
            "calls": calls, "extents": extents, "maps": maps}
