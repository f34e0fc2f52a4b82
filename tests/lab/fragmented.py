# SPDX-License-Identifier: GPL-2.0
"""A guest with no free 2 MiB in one piece: falls back to base pages, lands, keeps more superpages.

Every free 2 MiB block of the guest holds some pages that nobody can move (the module fragment);
in the guest of the in-tree driver, in the same boot, as well.
"""

from common import DEVICE, MIB, Agreement, intree_and_ours, move

SHRUNK = 384 * MIB


def base_kb(guest):
    return int(guest.run(f"cat {DEVICE}/queues/base_kb"))


def shrink_and_grow(lab, guest):
    """Fragments the guest, sends it down and up; returns its superpages before, down and up."""
    said = guest.run("insmod /fragment.ko && dmesg | grep fragment: | tail -n 1")
    lab.note(f"{guest.name}: {said.strip()}")
    agreement = Agreement(lab, guest)
    superpages = [guest.meter().superpages]
    for target in (SHRUNK, 512 * MIB):
        move(guest, target)
        agreement.check(f"at {target} kB")
        superpages.append(guest.meter().superpages)
    lab.note("{}: superpages {} at the start, {} down, {} up again".format(guest.name, *superpages))
    return superpages


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = shrink_and_grow(lab, intree)
    intree.destroy()

    ours.load()
    base = base_kb(ours)
    mine = shrink_and_grow(lab, ours)
    lab.equal("base pages in the queue after growing back, in kB", base_kb(ours), base)
    for stop, where in ((1, "down"), (2, "up again")):
        lost, theirs_lost = mine[0] - mine[stop], theirs[0] - theirs[stop]
        lab.check(lost < theirs_lost,
                  f"superpages lost {where}: {lost}, expected less than in-tree's {theirs_lost}")
    ours.unload()
