# SPDX-License-Identifier: GPL-2.0
"""On a full host, a guest built on what another one gave back gets its superpages.

The one that gives is as fragmented as can be: a program holds every second page of most of it.
With the in-tree driver, in the same boot, the host gets every second page.
"""

from common import MIB, Agreement, holes, intree_and_ours, move

TAKES = 240
FAULTS = False              # as in heal: nor is it emptied
GIVEN_MIB = 190
NEXT_MIB = 160
LEFT_MIB = 8                # of the host, for what a guest takes beside its memory


def next_guest(lab, kernel):
    """Build a guest, and return how many superpages it gets."""
    guest = lab.guest("pvh", kernel, memory=NEXT_MIB, name="next")
    superpages = guest.meter().superpages
    guest.destroy()
    return superpages


def give(lab, guest):
    """Fragment a guest, and have it give to a full host; returns what the next guest gets."""
    with holes(lab, guest), lab.starve(LEFT_MIB):
        guest.target_kb(guest.current_kb() - GIVEN_MIB * MIB)
        guest.landed()
        lab.note(f"{guest.name} gave {GIVEN_MIB} MiB, the host has {lab.host_free_kb() // MIB} MiB")
        return next_guest(lab, guest.kernel)


def run(lab, kind, kernel):
    fresh = next_guest(lab, kernel)
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs = give(lab, intree)
    intree.destroy()

    ours.load()
    agreement = Agreement(lab, ours)
    mine = give(lab, ours)
    lab.check(mine >= fresh - 1, f"the next guest's superpages: {mine}, on a fresh host {fresh}, "
              f"after the in-tree driver {theirs}")
    move(ours, 512 * MIB)
    agreement.check("up again")
    ours.unload()
