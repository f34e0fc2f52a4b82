# SPDX-License-Identifier: GPL-2.0
"""A guest that has to swap out, or to shrink its caches, gets as small as with the in-tree driver.

Of 512 MiB 250 are idle and can be swapped out to zram; or 200 are the cache of a module, which gives
them when it is asked to shrink.  Neither counts as available.  Nobody is killed.
"""

import time

from common import DEVICE, MIB, Agreement, intree_and_ours, stats

UNPROVEN = ("pv", "pvh")
TARGET = 200 * MIB
IDLE_MIB, CACHE_MIB = 250, 200
GIVEN_S = 40
STILL_S = 6         # it has come to an end when nothing moved for so long
BESIDE_KB = 8 * MIB     # what is kept in reserve
LOADED = "lz4_compress lz4hc_compress zsmalloc zram"

IDLE = f"""
for name in {LOADED}; do [ ! -e /$name.ko ] || insmod /$name.ko; done
echo 400M > /sys/block/zram0/disksize && mkswap /dev/zram0 > /dev/null && swapon /dev/zram0
mount -o remount,size=90% /tmp
dd if=/dev/zero of=/tmp/idle bs=1M count={IDLE_MIB} 2>/dev/null
"""
CACHE = f"insmod /shrinker.ko mib={CACHE_MIB}"


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
    lab.note(f"{guest.name}: {current} kB after {moved - start:.1f} s, with {available} kB available at first; "
             f"pswpout {after['pswpout'] - before['pswpout']}, left in the cache "
             f"{guest.run('cat /sys/module/shrinker/parameters/nr_pages 2>/dev/null || echo 0').strip()} pages")
    lab.equal(f"{guest.name}: killed", after["oom_kill"] - before["oom_kill"], 0)
    return current


def by_both(lab, kind, kernel, what, fill):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = squeezed(lab, intree, fill)
    intree.destroy()

    ours.load()
    ours.run(f"echo 0 > {DEVICE}/upkeep/heal")
    mine = squeezed(lab, ours, fill)
    done = stats(ours)
    lab.note(f"stalls {done['stalls']}, reclaim_tries {done['reclaim_tries']}, reclaimed {done['reclaimed']}")
    lab.check(mine <= max(theirs, TARGET) + BESIDE_KB,
              f"with {what}: {mine} kB, expected at most in-tree's {theirs} and {BESIDE_KB}")
    ours.target_kb(512 * MIB)
    ours.landed()
    Agreement(lab, ours).check("up again")
    ours.unload()
    ours.destroy()


def run(lab, kind, kernel):
    by_both(lab, kind, kernel, "idle memory and swap", IDLE)
    by_both(lab, kind, kernel, "a cache that shrinks", CACHE)
