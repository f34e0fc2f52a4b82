# SPDX-License-Identifier: GPL-2.0
"""512 -> 256 -> 512 MiB keeps the superpages, and every count agrees at each stop.

By xl mem-set and by target_kb.  The in-tree driver does the same in a guest of the same boot and
loses half of them (not on the test kernels, which are slow, and where that is the same).
"""

from common import MIB, Agreement, move
from packages import SERIES

TYPES = ("pv", "pvh", "hvm")
TIMEOUT = 600               # an HVM guest boots slowly
CORE = ("pv", "pvh", "hvm")
LOST_AT_MOST = 2


def by_mem_set(guest, target_kb):
    move(guest, target_kb)


def by_target_kb(guest, target_kb):
    guest.target_kb(target_kb)
    guest.landed()


def cycle(guest, agreement, way):
    """Takes the guest 256 MiB down and up again; returns the superpages that are left."""
    # xl counts from what it gave the guest, target_kb from what the guest found.
    full = 512 * MIB if way is by_mem_set else guest.current_kb()
    for target in (full - 256 * MIB, full):
        way(guest, target)
        agreement.check(f"at {target} kB {way.__name__}")
    return guest.meter().superpages


def intree(lab, kind, kernel):
    """Returns how many superpages the in-tree driver leaves, in words."""
    if kernel not in SERIES:
        return "not asked"
    guest = lab.guest(kind, kernel, name="intree")
    before = guest.meter().superpages
    after = cycle(guest, Agreement(lab, guest), by_mem_set)
    lab.note(f"in-tree: {before} superpages before, {after} after")
    guest.destroy()
    return str(after)


def run(lab, kind, kernel):
    theirs = intree(lab, kind, kernel)
    ours = lab.guest(kind, kernel, name="ours")
    before = ours.meter().superpages
    ours.load()
    agreement = Agreement(lab, ours)
    for way in (by_mem_set, by_target_kb):
        after = cycle(ours, agreement, way)
        lab.check(after >= before - LOST_AT_MOST,
                  f"{way.__name__}: {before} superpages before, {after} after, expected at least "
                  f"{before - LOST_AT_MOST} (in-tree: {theirs})")
    ours.unload()
