# SPDX-License-Identifier: GPL-2.0
"""In-tree driver and ours in one boot: time of the cycle, hypercalls, extents, superpages left.

The aim is a cycle 4 times as fast as the in-tree driver's in PVH, and 3 times in PV; what was
reached is printed.
"""

import cycle

from common import intree_and_ours

TIMEOUT = 400
LOW, HIGH = 256, 512
AIM = {"pvh": 4, "pv": 3}
TIMES_LESS = {"seconds": 1, "calls": 4, "extents": 100}  # than in-tree, at least


def tell(lab, name, taken):
    before, after = (taken["maps"][when].superpages for when in ("before", "up"))
    lab.note(f"{name}: {taken['seconds']:.2f} s ({taken['down']:.2f} down, {taken['up']:.2f} up), "
             f"{taken['calls']} hypercalls, {taken['extents']} extents, "
             f"superpages {before} before and {after} after")


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = cycle.measure(lab, intree, LOW, HIGH)
    intree.destroy()
    ours.load()
    mine = cycle.measure(lab, ours, LOW, HIGH)
    ours.unload()

    tell(lab, "in-tree", theirs)
    tell(lab, "ours", mine)
    lab.note(f"speed: {theirs['seconds'] / mine['seconds']:.1f} times the in-tree driver's, "
             f"aim {AIM[kind]}")
    for what, times in TIMES_LESS.items():
        lab.check(mine[what] * times < theirs[what],
                  f"{what}: {mine[what]:.6g}, expected {times} times less than in-tree's "
                  f"{theirs[what]:.6g} at least")
    kept, theirs_kept = (taken["maps"]["up"].superpages for taken in (mine, theirs))
    lab.check(kept > theirs_kept,
              f"superpages left: {kept}, expected more than in-tree's {theirs_kept}")
