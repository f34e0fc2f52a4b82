# SPDX-License-Identifier: GPL-2.0
"""A guest that is sent as low as can be goes on: programs start, and nobody is killed for want of memory.

All that it has is in memory, so that nothing of its caches can be reclaimed, though the kernel counts them as
available. It has grown beyond what it was booted with, which has the kernel keep more for itself; and programs leave it
in pieces, for which the kernel keeps still more for a while.
"""

from common import BLOCKS, DEBUG, DEVICE, MIB, Holder, grow, killed, settled

TAKES = 150
TIMEOUT = 600
MEMORY = 320 * MIB
BLOCK = 128 * MIB
HELD_MIB = 50
TIMES, PROGRAMS = 3, 100
START = f"""
for i in $(seq {PROGRAMS}); do sh -c 'cat /proc/meminfo' > /dev/null || echo failed; done
cat {DEBUG}/invariant
"""
LEFT = """
cat /proc/meminfo /proc/zoneinfo | awk '
/^(MemFree|MemAvailable|KReclaimable):/ {print $1, $2}
$1 == "boost" {n += $2}
END {print "boost:", 4 * n}'
"""


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY // MIB, vcpus=2)
    guest.run(f"echo online > {BLOCKS}/auto_online_blocks")
    guest.load()
    full = guest.current_kb()
    for _ in range(2):
        full += BLOCK
        grow(guest, full)
    holder, before = Holder(lab, guest, HELD_MIB), killed(guest)
    for _ in range(TIMES):
        guest.run(f"timeout 3 holes {HELD_MIB} > /dev/null; true", timeout=120)
        guest.target_kb(4)
        lowest = settled(lab, guest)
        left = ", ".join(guest.run(LEFT).splitlines())
        lab.check(lowest < full // 2, f"at the lowest: {lowest} kB of {full}; {left}, in kB")
        said = guest.run(START, timeout=240)
        lab.equal(f"{PROGRAMS} programs, and the invariant", said.split(), ["ok"])
        lab.check(settled(lab, guest) >= int(guest.run(f"cat {DEVICE}/limits/floor_kb")), "it is not below its floor")
        lab.equal("killed for want of memory", killed(guest), before)
        guest.target_kb(full)
        guest.landed(120)
    holder.intact()
    guest.unload()
