# SPDX-License-Identifier: GPL-2.0
"""512 -> 256 -> 512 MiB, by xl mem-set and by target_kb, keeps the guest's superpages, and every count agrees at each stop.

The in-tree driver does the same in a guest of the same boot and loses half of them.
"""

from common import MIB, Agreement, move

TYPES = ("pv", "pvh", "hvm")
LOST_AT_MOST = 2


def by_mem_set(guest, target_kb):
    move(guest, target_kb)


def by_target_kb(guest, target_kb):
    guest.target_kb(target_kb)
    guest.landed()


def cycle(guest, agreement, way):
    """Down to half and back to where it was, by one way; checks each stop; says what is left in superpages."""
    # On PVH and HVM xl's target is not the guest's own: the first is what xl gave it, the second what it has.
    full = 512 * MIB if way is by_mem_set else guest.current_kb()
    name = way.__name__.replace("_", " ")
    way(guest, full - 256 * MIB)
    agreement.check(f"down {name}")
    way(guest, full)
    agreement.check(f"up {name}")
    return guest.meter().superpages


def run(lab, kind, kernel):
    intree, ours = lab.guests([dict(kind=kind, kernel=kernel, memory=512, name="intree"), dict(kind=kind, kernel=kernel, memory=512, name="ours")])

    agreement = Agreement(lab, intree)
    before = intree.meter().superpages
    left = cycle(intree, agreement, by_mem_set)
    lab.note(f"in-tree: {before} superpages before, {left} after")
    intree.destroy()

    before = ours.meter().superpages
    ours.load()
    agreement = Agreement(lab, ours)
    for way in (by_mem_set, by_target_kb):
        after = cycle(ours, agreement, way)
        lab.check(after >= before - LOST_AT_MOST, f"{way.__name__}: {after} superpages of {before} left, expected at least {before - LOST_AT_MOST} (in-tree: {left})")
    ours.unload()
