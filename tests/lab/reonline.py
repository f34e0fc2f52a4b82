# SPDX-License-Identifier: GPL-2.0
"""Memory that is set offline and online again is the guest's as before, and not taken for ballooned out.

The in-tree driver keeps it on its list, from where it would be populated once more: each page twice.
"""

from common import Agreement, counts, move, stats

TYPES = ("pvh", "pv")
FAULTS = False              # as in hotadd
MEMORY = 512
LOW_MIB = 400
BLOCK = """
cd /sys/devices/system/memory; size=$((0x$(cat block_size_bytes) / 1024))
for i in $(ls -d memory[0-9]* | sort -r); do
	grep -q Movable $i/valid_zones || continue
	echo offline > $i/state 2>/dev/null && break
done
[ "$(cat $i/state)" = offline ] && echo online > $i/state && echo $i: $size kB
"""


def run(lab, kind, kernel):
    # Of what can be set offline the balloon takes nothing in huge pages.
    guest = lab.guest(kind, kernel, memory=MEMORY, cmdline="movablecore=256M")
    guest.load()
    agreement = Agreement(lab, guest)
    said = guest.run(BLOCK, timeout=120, check=False).strip()
    lab.check(bool(said), f"a block of memory is offline and online again: {said or 'none can be'}")
    lab.wait(lambda: stats(guest)["foreign_populated"] > 0, 60, "memory to come back from the in-tree driver's list")
    agreement.check("with a block online again")
    move(guest, LOW_MIB * 1024)
    move(guest, MEMORY * 1024)
    agreement.check("up again")
    lab.note(f"{counts(guest)}")
    guest.unload()
