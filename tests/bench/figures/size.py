# SPDX-License-Identifier: GPL-2.0
"""How the cost grows with the guest: PVH guests of 0.5, 2 and 8 GiB give 0.25, 1 and 1 GiB back and take it again, by
turns, five times (in-tree once, since it does not leave the guest as it was, and takes long),
and what the module allocates when it is loaded there, its code included; and a guest of 1 TiB, simulated, on the
simulated Xen of the unit tests, which gives three times 1 GiB, in huge pages and in base pages.
"""

import contextlib
import re
import subprocess
from pathlib import Path
from statistics import median

import cycle
from measure import DRIVERS, INTREE, OURS
from table import Row, spread

NAME = "size"
TITLE = "Cost against size"
KIND = "pvh"
SIZES = {512: 256, 2048: 1024, 8192: 1024}      # MiB of guests, and how much of it goes and comes
FLAT = 0.1
MEMORY_AT_MOST = 0.0005             # of what the module manages
KUNIT = Path(__file__).resolve().parents[3] / "scripts/kunit/run.py"
SIMULATED = re.compile(r"GiB (\d+) in (huge|base) pages: (\d+) steps, (\d+) bytes")
ALLOCATED = """
cd /sys/kernel/tracing
echo 0 >events/enable; echo 4096 >buffer_size_kb; echo >trace
for event in kmalloc kfree; do echo 1 >events/kmem/$event/enable; done
insmod /xen-balloon.ko
echo 0 >events/enable
grep -E 'kmalloc: call_site=[^ ]+ \\[xen_balloon\\]|kfree: ' trace
echo module $(awk '$1 == "xen_balloon" {print $2}' /proc/modules)
awk '/\\[xen_balloon\\]/ {print "vmalloc", $2 - 4096}' /proc/vmallocinfo
"""


def allocated(guest):
    """Load the module; return the bytes of its code and data, and of all that it allocates and keeps."""
    kept, total = {}, 0
    for line in guest.run(ALLOCATED, timeout=120).splitlines():
        if found := re.search(r"kmalloc: .* ptr=(\S+) .*bytes_alloc=(\d+)", line):
            kept[found[1]] = int(found[2])
        elif found := re.search(r"kfree: .* ptr=(\S+)", line):
            kept.pop(found[1], None)
        elif found := re.match(r"(module|vmalloc) (\d+)", line):
            total += int(found[2])
    return total + sum(kept.values())


def seconds_per_gib(bench, guest):
    """Take a part of a guest, and give it back."""
    part = SIZES[guest.memory]
    ways = [cycle.go(bench.lab, guest, size) for size in (guest.memory - part, guest.memory)]
    return sum(way["seconds"] for way in ways) * 1024 / part


def simulated():
    """What the simulated guest of 1 TiB took, by the kind of pages: steps and bytes for each GiB."""
    done = subprocess.run([KUNIT, "--suite", "scale"], capture_output=True, text=True, check=True)
    found = {}
    for _, kind, steps, size in SIMULATED.findall(done.stdout + done.stderr):
        found.setdefault(kind, []).append([int(steps), int(size)])
    return found


def measure(bench):
    times, memory = {}, {}
    for driver in DRIVERS:
        taken = times[driver] = {str(mib): [] for mib in SIZES}
        with contextlib.ExitStack() as stack:
            guests = [stack.enter_context(bench.guest(KIND, INTREE, memory=mib)) for mib in SIZES]
            if driver == OURS:
                memory = {str(guest.memory): allocated(guest) for guest in guests}
            for run in range(bench.runs if driver == OURS else 1):
                for guest in guests:
                    taken[str(guest.memory)].append(seconds_per_gib(bench, guest))
                bench.say(f"{driver} run {run + 1}: " + ", ".join(
                    f"{runs[-1]:.2f} s/GiB of {mib} MiB" for mib, runs in taken.items()))
    return {"guests": times, "memory": memory, "simulated": simulated()}


def rows(data):
    found = []
    smallest, *others = map(str, SIZES)
    for size in others:
        growth = {driver: [run / median(runs[smallest]) for run in runs[size]]
                  for driver, runs in data["guests"].items()}
        found.append(Row(f"time for each page in a guest of {int(size) // 1024} GiB, by that of 0.5 GiB", KIND,
                         spread(growth[INTREE]), spread(growth[OURS]), aim="0.9 to 1.1",
                         reached=abs(median(growth[OURS]) - 1) <= FLAT))
    for size, used in data["memory"].items():
        part = used / (int(size) << 20)
        found.append(Row(f"memory of the module, of {int(size) / 1024:g} GiB", KIND, "",
                         f"{used / 1024:.0f} KiB, {part:.4%}", aim="below 0.05 %", reached=part < MEMORY_AT_MOST))
    for kind, gibs in data["simulated"].items():
        steps, used = ([gib[i] for gib in gibs] for i in (0, 1))
        found.append(Row(f"steps for each GiB of 1 TiB, in {kind} pages", "simulated", "",
                         ", ".join(map(str, steps)), aim="within 10 %", reached=max(steps) <= min(steps) * (1 + FLAT)))
        found.append(Row(f"memory for each GiB of 1 TiB, in {kind} pages", "simulated", "",
                         f"{max(used) / 1024:.0f} KiB, {max(used) / (1 << 30):.4%}", aim="below 0.05 %",
                         reached=max(used) / (1 << 30) < MEMORY_AT_MOST))
    return found


def draw(data, folder):
    import plots        # which needs matplotlib
    plots.scale(data["guests"], folder / "size.svg")
    return [("size.svg", "Time for each GiB against the size of the guest.", "Two lines, near one.")]
