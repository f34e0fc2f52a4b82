# SPDX-License-Identifier: GPL-2.0
"""Any target is reached to the page, all counts agree, and the guest's memory stays intact.

Targets that are no multiple of 2 MiB, a page up, a page down, and 100 random ones, while a
program in the guest holds most of its memory and verifies it.
"""

import random

from common import DEBUG, DEVICE, MIB, Agreement, Holder, move, stats, walk

TYPES = ("pv", "pvh", "hvm")
CORE = ("pv", "pvh")
ELASTIC = True
HELD_MIB = 200
HELD_DEBUG_MIB = 90         # KASAN and its company need 137 MiB of the guest's, other kernels 22 to 40
LOWEST = 330 * MIB
WITHIN = {"seconds": 30, "timeout": 240}
PAGE = 4
HUGE = 2 * MIB


READS = 50
LOOKS = f"""
comm=$(grep -lx xen-balloon /proc/[0-9]*/comm); status=${{comm%comm}}status
before=$(awk '/^voluntary/ {{print $2}}' $status)
for i in $(seq {READS}); do cat {DEBUG}/invariant; done | uniq
echo $(($(awk '/^voluntary/ {{print $2}}' $status) - before))
"""


def counted(lab, guest):
    """What went to Xen and came from there is in /proc/vmstat, too; who reads a file wakes nobody."""
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal; echo 0 > {DEVICE}/upkeep/coalesce; cat {DEBUG}/invariant; sleep 1")
    done, vmstat = stats(guest), guest.vmstat()
    shown = [vmstat[f"balloon_{what}"] for what in ("inflate", "deflate", "migrate")]
    lab.equal("balloon_inflate, _deflate and _migrate", shown,
              [done[name] for name in ("release_pages", "populate_pages", "migrated")])
    lab.check(shown[0] > 0 and shown[1] > 0, f"of those the first two: {shown}, expected some")
    invariant, wakes = guest.run(LOOKS).split()
    lab.equal("invariant", invariant, "ok")
    lab.check(int(wakes) < READS // 2, f"how often the thread woke while that was read {READS} times: {wakes}, "
                                       f"expected less than {READS // 2}")


def chosen(full):
    """The awkward targets: around a multiple of 2 MiB, a page apart, the ends of the range."""
    middle = full - full % HUGE - 64 * MIB
    return [middle, middle - PAGE, middle, middle + PAGE, middle, middle + HUGE - PAGE,
            middle - HUGE + PAGE, middle + 3 * PAGE, middle + HUGE // 2,
            LOWEST, LOWEST + PAGE, full - PAGE, full, full - HUGE, full - HUGE - PAGE, full]


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    draw = random.Random(seed)

    guest = lab.guest(kind, kernel, memory=512)
    guest.load()
    agreement = Agreement(lab, guest)
    full = guest.current_kb()
    holder = Holder(lab, guest, HELD_DEBUG_MIB if kernel.endswith("-debug") else HELD_MIB, seed)

    walk(lab, guest, chosen(full), **WITHIN)
    agreement.check("after the chosen targets")

    for _ in range(10):
        steps = (draw.choice((1, PAGE, HUGE)) for _ in range(10))
        walk(lab, guest, [draw.randrange(LOWEST, full + 1, step) for step in steps], **WITHIN)
        agreement.check("after ten random targets")

    middle = 400 * MIB
    for target in (middle, middle + PAGE, middle - PAGE, 511 * MIB + 3 * PAGE, 512 * MIB):
        move(guest, target)
        agreement.check(f"after xl mem-set {target}k")

    holder.intact()
    counted(lab, guest)
    guest.unload()
