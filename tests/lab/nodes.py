# SPDX-License-Identifier: GPL-2.0
"""Each of a guest's nodes keeps its share, or the one that somebody says, and all is on the right node of the machine.

Random targets, with programs that are bound to a node; targets for single nodes, by sysfs and by xenstore; a node of
the machine that is full, where what came from elsewhere is known, and comes anew when there is room. A new domain has
no turn here: Xen's tools neither save nor migrate a guest with virtual nodes.
"""

import os
import random

from common import DEVICE, MIB, Agreement, move, stats
from vnodes import bound, full_node, on_nodes, spread

TYPES = ("hvm", "pvh")      # Xen's tools build virtual nodes for no PV guest
TAKES = 300
NODES = 2
SIZES_MIB = {"hvm": (192, 320), "pvh": (192, 128, 96, 128)}
LEAST = 420 * MIB            # the first node has the kernel, which stays
WITHIN = 2 * MIB            # of its share is each node at each stop
EVEN_WITHIN = 120           # seconds
TARGETS = int(os.environ.get("NODES_TARGETS", 12))
TIMEOUT = 1200 + 25 * TARGETS
BOUND_MIB = 24
LESS = 12 * MIB             # than its share one node is said to have: what the others have room for
AT_REST_S = 20
RENEWED_WITHIN = 240        # seconds; Xen is asked after 5, 10, 20 and so on
STUCK = 2 * MIB             # less than that is left of each: single pages, where something cannot be moved
STATE = f"cd {DEVICE}/node; for i in node*; do echo $i $(cat $i/target_kb $i/current_kb $i/away_kb); done"


class Node:
    """What a node is to have, has, and has from elsewhere, in KiB."""

    def __init__(self, target, current, away):
        self.target, self.current, self.away = target, current, away


def nodes(guest):
    rows = sorted(line.split() for line in guest.run(STATE).splitlines())
    return [Node(*map(int, row[1:])) for row in rows]


class Nodes:
    """A guest with several nodes, and the driver."""

    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest
        self.full = guest.current_kb()
        self.sizes = [node.current for node in nodes(guest)]
        # Firmware's pages, in HVM.
        lies = spread(lab, guest)
        self.astray = sum(lies.misplaced)
        lab.note(f"at first: {lies}, by Xen's count {on_nodes(lab, guest)}")

    def _is_even(self):
        return all(abs(node.current - node.target) <= WITHIN for node in nodes(self.guest))

    def at_rest(self, what, shares=None):
        """Checks that each node is where it is to be, and that all together have what the guest has.

        `shares` tells what each is to have; without, it goes by the sizes.
        """
        if self.lab.faults:     # a node for which an allocation failed gets there later
            self.lab.wait(self._is_even, EVEN_WITHIN, what)
        now, target = nodes(self.guest), int(self.guest.run(f"cat {DEVICE}/target_kb"))
        want = shares or [target * size / sum(self.sizes) for size in self.sizes]
        said = [(node.target, node.current) for node in now]
        self.lab.check(all(abs(node.target - share) <= 4 * len(now) for node, share in zip(now, want)),
                       f"{what}: targets and sizes of nodes {said}, expected targets of "
                       f"{[round(share) for share in want]}")
        self.lab.check(all(abs(node.current - node.target) <= WITHIN for node in now),
                       f"{what}: each node is within {WITHIN} kB of its target: {said}")
        self.lab.equal(f"{what}: targets and sizes of all nodes", [sum(column) for column in zip(*said)],
                       [target // 4 * 4, self.guest.current_kb()])

    def move(self, size):
        """Go to a target by xl mem-set; return what that is for the guest, which may be less by a little."""
        move(self.guest, size)
        return int(self.guest.run(f"cat {DEVICE}/target_kb"))

    def local(self, what, away=0):
        """Checks from outside that all is on the right node of the machine, but for what was not at first.

        `away` pages are known to be elsewhere.
        """
        lies, most = spread(self.lab, self.guest), self.astray + away
        self.lab.check(sum(lies.misplaced) <= most, f"{what}: {lies}, expected at most {most} misplaced")

    def evened(self, what, shares):
        """Waits until the nodes are even, while the guest stays as large as it is."""
        self.lab.wait(self._is_even, EVEN_WITHIN, what)
        self.at_rest(what, shares)


def random_targets(lab, mine, draw):
    """Go here and there, while programs hold memory of each node."""
    guest = mine.guest
    with bound(lab, guest, *((nid, BOUND_MIB) for nid in range(len(mine.sizes)))):
        for _ in range(TARGETS):
            mine.at_rest(f"at {mine.move(draw.randrange(LEAST, mine.full))} kB")
    move(guest, mine.full)
    mine.local("after random targets")


def said_of_nodes(lab, mine):
    """One node is to have less, then the guest less in all; nonsense is refused; xenstore says the same."""
    guest, path = mine.guest, f"/local/domain/{mine.guest.domid}/memory/target-node"
    target = mine.move((LEAST + mine.full) // 8 * 4)
    less = nodes(guest)[1].target - LESS
    others = sum(node.target for nid, node in enumerate(nodes(guest)) if nid != 1)
    shares = [less if nid == 1 else node.target * (target - less) / others for nid, node in enumerate(nodes(guest))]
    guest.run(f"echo {less} > {DEVICE}/node/node1/target_kb")
    mine.evened("one node has less", shares)
    least = mine.move(LEAST)
    mine.at_rest("all have less in proportion", [share * least / target for share in shares])

    for written, error in ("junk", "Invalid"), ("-5", "Invalid"), (str(mine.full * 2), "out of range"):
        said = guest.run(f"{{ echo '{written}' > {DEVICE}/node/node1/target_kb; }} 2>&1; true")
        lab.check(error in said, f"node1/target_kb = '{written}': {said.strip()}, expected {error}")
    guest.run(f"echo auto > {DEVICE}/node/node1/target_kb")
    mine.evened("all by their size", None)

    before = nodes(guest)
    less = before[1].target - LESS
    lab.host.store.write(f"{path}/1", str(less).encode())
    lab.wait(lambda: nodes(guest)[1].target == less, 30, "what xenstore says of node 1")
    rest = sum(size for nid, size in enumerate(mine.sizes) if nid != 1)
    shares = [less if nid == 1 else (least - less) * size / rest for nid, size in enumerate(mine.sizes)]
    mine.evened("what xenstore says", shares)
    lab.host.store.write(f"{path}/1", b"junk")
    lab.wait(lambda: "cannot be read" in guest.dmesg(), 30, "junk to be told of")
    mine.at_rest("with junk in xenstore", shares)
    lab.host.store.remove(f"{path}/1")
    lab.wait(lambda: abs(nodes(guest)[1].target - before[1].target) <= 64, 30, "what xenstore says no more")
    mine.evened("all by their size again", None)
    move(guest, mine.full)
    mine.local("after targets for nodes")


def with_a_full_node(lab, mine):
    """What comes back from elsewhere is known, and comes anew when there is room; meanwhile little is tried."""
    guest = mine.guest
    move(guest, LEAST)
    with full_node(lab, guest):
        move(guest, mine.full)
        mine.at_rest("grown from elsewhere")
        lies, known = spread(lab, guest), sum(node.away for node in nodes(guest)) // 4
        lab.check(mine.astray < sum(lies.misplaced) <= known + mine.astray,
                  f"from elsewhere: {lies}, known {known}, expected some, and no more but for {mine.astray} of boot")
        early = stats(guest)
        guest.run(f"sleep {AT_REST_S}")
        tries = stats(guest)["release_extents"] - early["release_extents"]
        lab.check(tries <= 8,
                  f"2 MiB that went to Xen in {AT_REST_S} s, with no room there: {tries}, expected at most 8")
    lab.wait(lambda: all(node.away < STUCK for node in nodes(guest)), RENEWED_WITHIN,
             "all to come anew from its own node", every=2)
    mine.local("renewed", sum(node.away for node in nodes(guest)) // 4)


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    sizes = SIZES_MIB[kind]
    guest = lab.guest(kind, kernel, vnodes=sizes, vcpus=2)
    guest.load()
    agreement = Agreement(lab, guest)
    mine = Nodes(lab, guest)
    lab.equal("nodes", len(mine.sizes), len(sizes))
    mine.at_rest("at first")
    random_targets(lab, mine, random.Random(seed))
    agreement.check("after random targets")
    said_of_nodes(lab, mine)
    with_a_full_node(lab, mine)
    agreement.check("with a full node")
    guest.unload()
