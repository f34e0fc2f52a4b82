# SPDX-License-Identifier: GPL-2.0
"""In-tree driver and ours in one boot, 512 -> 256 -> 512 MiB: superpages left, hypercalls, extents, TLB flushes.

What is counted does not depend on how fast the machine is, and ours must not grow. The speed is only told.
"""

import cycle

from common import intree_and_ours

TIMEOUT = 400
FAULTS = False              # in how few calls it is done is counted
CORE = ("pv", "pvh")
PART = 256          # MiB of 512 that go and come
PIECES = PART // 2
PAGES = PIECES * 512
STEPS = 1 + 1 + 1 + (PIECES - 1 - 2 - 4 + 7) // 8       # of 1, 2, 4, and then of 8 huge pages
PV_CALL = 512             # pages that a call takes in PV
# PVH gives each huge page by itself, PV page by page; both get whole huge pages back.
AT_MOST = {"pvh": {"calls": PIECES + STEPS, "extents": 2 * PIECES, "flushes": 0},
           "pv": {"calls": PAGES // PV_CALL + STEPS, "extents": PAGES + PIECES, "flushes": STEPS}}
LOST_AT_MOST = 2


def tell(lab, name, taken):
    before, after = (taken["maps"][when].superpages for when in ("before", "up"))
    down, up = (taken[way]["seconds"] for way in ("down", "up"))
    lab.note(f"{name}: {taken['seconds']:.2f} s ({down:.2f} down, {up:.2f} up), {taken['calls']} hypercalls, "
             f"{taken['extents']} extents, {taken['flushes']} flushes, "
             f"superpages {before} before and {after} after")


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = cycle.measure(lab, intree, PART)
    intree.destroy()
    # Which calls for memory of its own, and to which the figures below do not belong.
    ours.load(upkeep=False)
    mine = cycle.measure(lab, ours, PART)
    ours.unload()

    tell(lab, "in-tree", theirs)
    tell(lab, "ours", mine)
    lab.note(f"speed: {theirs['seconds'] / mine['seconds']:.1f} times the in-tree driver's")
    for what, most in AT_MOST[kind].items():
        lab.check(mine[what] <= most, f"{what}: {mine[what]}, expected at most {most} (in-tree: {theirs[what]})")
    before, kept = (mine["maps"][when].superpages for when in ("before", "up"))
    lab.check(kept >= before - LOST_AT_MOST,
              f"superpages left: {kept} of {before}, expected at most {LOST_AT_MOST} less (in-tree: "
              f"{theirs['maps']['up'].superpages})")
