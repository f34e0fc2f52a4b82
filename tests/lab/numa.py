# SPDX-License-Identifier: GPL-2.0
"""A guest on two nodes of the machine keeps its memory on both, as it was, through a cycle.

Each of its own nodes has its memory on one of the machine's. In-tree in the same boot: what comes
back comes from where Xen has most. When one of the machine's nodes is full, what was there comes from the other
one, in 2 MiB as ever.
"""

from common import DEVICE, MIB, Agreement, move, stats
from vnodes import FULL, free_mib, full_node, on_nodes, seen_by, spread

TYPES = ("hvm", "pvh")      # Xen's tools build virtual nodes for no PV guest
TAKES = 240
TIMEOUT = 900
NODES = 2
EACH_MIB = 256
CYCLES = 3
MOVED_PAGES = 2048          # that may have changed the node all the same
TAKEN = 192 * MIB


def cycle(lab, guest):
    """Go down and up; returns what is on each node before and after."""
    before = on_nodes(lab, guest)
    for _ in range(CYCLES):
        move(guest, 256 * MIB)
        move(guest, 512 * MIB)
    after = on_nodes(lab, guest)
    lab.note(f"{guest.name}: pages on the machine's nodes {before} before, {after} after {CYCLES} cycles, "
             f"{spread(lab, guest)}")
    return before, after


def with_a_full_node(lab, guest):
    """Go down, and up again when another guest has what the second node had left."""
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")     # which has memory come and go, too
    move(guest, 2 * EACH_MIB * MIB - TAKEN)
    with full_node(lab, guest):
        left = free_mib(lab, FULL)
        before, early = on_nodes(lab, guest), stats(guest)
        move(guest, 2 * EACH_MIB * MIB)
        after, late = on_nodes(lab, guest), stats(guest)
    lab.check(after[FULL] - before[FULL] <= left * MIB // 4 and sum(after) - sum(before) == TAKEN // 4,
              f"with {left} MiB left on the second node the guest, which had {before} pages on both, has {after}")
    pages, extents = (late[f"populate_{what}"] - early[f"populate_{what}"] for what in ("pages", "extents"))
    lab.equal("pages that came, in extents of 2 MiB", (pages, extents), (TAKEN // 4, TAKEN // 4 // 512))


def run(lab, kind, kernel):
    def boot(name):
        guest = lab.guest(kind, kernel, vnodes=[EACH_MIB] * 2, vcpus=2, name=name)
        lab.equal(f"nodes of {name}", len(seen_by(guest)), 2)
        return guest

    intree = boot("intree")
    before, after = cycle(lab, intree)
    theirs = abs(after[0] - before[0])
    intree.destroy()

    ours = boot("ours")
    ours.load()
    agreement = Agreement(lab, ours)
    before, after = cycle(lab, ours)
    mine = abs(after[0] - before[0])
    lab.check(mine < theirs and mine <= MOVED_PAGES,
              f"pages that changed the node: {mine}, in-tree {theirs}")
    agreement.check("after the cycles")
    with_a_full_node(lab, ours)
    agreement.check("with a full node")
    ours.unload()
