# SPDX-License-Identifier: GPL-2.0
"""What must be able to leave can leave, and what old devices can use stays free for them.

With movablecore= each block of memory that is Movable goes offline after an inflation that found no
2 MiB elsewhere, as with the in-tree driver in the same boot: base pages of the balloon are moved out
of it. And a guest full of holes that is taken down as far as can be has as much of ZONE_DMA as before.
"""

from common import DEBUG, MIB, balloon_out, holes, move, stats, thread_time

MEMORY = 640
DOWN_MIB = 60
TRIES = 3                   # at a moment when somebody else has a part of it isolated it cannot
OFFLINE = f"""
for block in /sys/devices/system/memory/memory[0-9]*; do
	[ "$(cat $block/valid_zones)" = Movable ] || continue
	for try in $(seq {TRIES}); do
		timeout 60 sh -c "echo offline > $block/state" && break
	done
	echo ${{block##*/}} $(cat $block/state)
done
"""
ZONE_DMA = "awk '$1 == \"Node\" {zone = $4} $1 == \"managed\" && zone == \"DMA\" {print $2}' /proc/zoneinfo"


def blocks_leave(lab, guest):
    """Fragment what is not movable, make the guest smaller, and set offline what is; returns what came of it."""
    guest.run("insmod /fragment.ko")
    move(guest, (MEMORY - DOWN_MIB) * MIB)
    start = thread_time(guest)[1]
    said = guest.run(OFFLINE, timeout=400).splitlines()
    lab.note(f"{guest.name}: {', '.join(said)}, after {thread_time(guest)[1] - start:.1f} s")
    return said


def run(lab, kind, kernel):
    theirs, ours = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, cmdline="movablecore=320M", name=name)
                               for name in ("intree", "ours")])
    expected = blocks_leave(lab, theirs)
    theirs.destroy()
    ours.load()
    got = blocks_leave(lab, ours)
    lab.note(f"{ours.name}: {', '.join(f'{name} {value}' for name, value in stats(ours).items() if value)}")
    # One may have a page in it that the kernel took while it booted.
    lab.check(got == expected and any(block.endswith(" offline") for block in got),
              f"Movable blocks with base pages in them: {got}, in-tree {expected}, expected the same and some offline")
    lab.equal("invariant", ours.run(f"cat {DEBUG}/invariant").strip(), "ok")
    ours.destroy()

    guest = lab.guest(kind, kernel, memory=512)
    guest.load()
    before = guest.run(ZONE_DMA).strip()
    with holes(lab, guest):
        balloon_out(guest)
        lab.equal("pages of ZONE_DMA with all ballooned out that can be", guest.run(ZONE_DMA).strip(), before)
    guest.unload()
