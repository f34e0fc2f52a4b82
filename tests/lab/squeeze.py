# SPDX-License-Identifier: GPL-2.0
"""A guest that has to swap out, or to shrink its caches, gets as small as its target.

Of 512 MiB 250 are idle and can be swapped out to zram; or 200 are the cache of a module, which gives
them when it is asked to shrink.  Neither counts as available.  The in-tree driver, in the same boot, is
none that gets further; nobody is killed.
"""

import time

from common import DEVICE, MIB, SWAP, Agreement, intree_and_ours, stats

TAKES = 240
TIMEOUT = 600
TARGET = 200 * MIB
IDLE_MIB, CACHE_MIB = 250, 200
GIVEN_S = 60
STILL_S = 8         # it has come to an end when nothing moved for so long

# What: how the guest is filled, and how that is undone
FILLS = {
    "idle memory and swap": (f"""{SWAP}
mount -o remount,size=90% /tmp
awk 'BEGIN {{ for (n = 0; n < 41943; n++) print "of a program that sleeps" }}' > /tmp/mib
for i in $(seq {IDLE_MIB}); do cat /tmp/mib; done > /tmp/idle
""", "rm /tmp/idle /tmp/mib && swapoff /dev/zram0"),
    "a cache that shrinks": (f"insmod /shrinker.ko mib={CACHE_MIB}", "rmmod shrinker"),
}


def squeezed(lab, guest, fill):
    """Fills the guest and sends it to the target; returns where it ended, in KiB."""
    guest.run(fill, timeout=120)
    before, start = guest.vmstat(), time.monotonic()
    available = guest.meminfo()["MemAvailable"]
    guest.target_kb(TARGET)
    current, moved = guest.current_kb(), start
    while current > TARGET and time.monotonic() < min(moved + STILL_S, start + GIVEN_S):
        time.sleep(0.5)
        last, current = current, guest.current_kb()
        if current < last:
            moved = time.monotonic()
    after = guest.vmstat()
    done = {name: after[name] - before[name] for name in after
            if name in ("pswpout", "pswpin", "oom_kill") or name.startswith("allocstall")}
    left = guest.run("cat /sys/module/shrinker/parameters/nr_pages 2>/dev/null || echo 0").strip()
    lab.note(f"{guest.name}: {current} kB after {moved - start:.1f} s, with {available} kB available at first; "
             f"{done}; left in the cache {left} pages")
    lab.equal(f"{guest.name}: killed", done["oom_kill"], 0)
    return current


def by_turns(lab, guest):
    """Has the guest squeezed once for each way to fill it, and up again; returns where it ended, by these."""
    booted, ended = guest.current_kb(), {}
    for what, (fill, undo) in FILLS.items():
        ended[what] = squeezed(lab, guest, fill)
        guest.target_kb(booted)
        guest.landed()
        guest.run(undo)
    return ended


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = by_turns(lab, intree)
    intree.destroy()

    ours.load()
    ours.run(f"echo 0 > {DEVICE}/upkeep/heal")
    agreement = Agreement(lab, ours)
    mine = by_turns(lab, ours)
    done = stats(ours)
    lab.note(f"stalls {done['stalls']}, reclaim_tries {done['reclaim_tries']}")
    for what, size in mine.items():
        lab.check(size == TARGET, f"with {what}: {size} kB, expected the target of {TARGET}; in-tree {theirs[what]}")
    agreement.check("up again")
    ours.unload()
