# SPDX-License-Identifier: GPL-2.0
"""Where the memory of guests with virtual nodes lies: on which of the machine's nodes, as Xen has it.

Two sources: Xen's debug-key u, which counts all pages of a guest on each node, tells which of the machine's frames
each node has, and which of the guest's pages each virtual node; and the guest's nested page table, read from
outside page by page (meter.py). So what is said of virtual nodes is exact: it counts each page that the guest has.
What the guest has beside its nodes, such as pages that it shares with Xen or firmware, is in the first count alone.
"""

import contextlib
import re
from dataclasses import dataclass

import meter
from common import READY_WITHIN

FULL = 1                    # of the machine's nodes: dom0 has most of the first
LEFT_MIB, KEPT_MIB = 24, 16     # there, and what Xen needs of it for the guest that fills it
DISTANCES = "cat /sys/devices/system/node/node*/distance"


@dataclass(frozen=True)
class VirtualNode:
    """One of a guest's nodes: on which of the machine's it is to lie, and which pages are its own."""

    pnode: int
    pfns: tuple         # of ranges


@dataclass(frozen=True)
class Spread:
    """How many pages of each of a guest's nodes lie on each of the machine's, row by row, and where they should."""

    rows: list
    pnodes: list

    @property
    def misplaced(self):
        """How many pages of each virtual node lie on another of the machine's nodes than they should."""
        return [sum(row) - row[pnode] for row, pnode in zip(self.rows, self.pnodes)]

    def __str__(self):
        return f"pages of its nodes on the machine's {self.rows}, misplaced {self.misplaced}"


def of_domain(said, domid):
    """Return the part of what debug-key u printed that is about a domain."""
    found = re.search(rf"Domain {domid} \(total: \d+\):(.*?)(?:Domain \d|\Z)", said, re.DOTALL)
    if not found:
        raise meter.MeterError(f"Xen printed nothing of domain {domid} for debug-key u: {said[-500:]}")
    return found[1]


def counted(said, domid):
    """Return how many pages a domain has on each of the machine's nodes."""
    return [int(pages) for pages in re.findall(r"Node \d+: (\d+)", of_domain(said, domid))]


def machine_nodes(said):
    """Return the range of the machine's frames of each of its nodes."""
    return [range(int(start), int(start) + int(size))
            for start, size in re.findall(r"NODE\d+ start->(\d+) size->(\d+)", said)]


def virtual_nodes(said, domid):
    """Return the VirtualNodes of a domain; none where it has no virtual nodes."""
    nodes = []
    for pnode, start, end in re.findall(r"\d+: pnode +(\d+),|([0-9a-f]{16}) - ([0-9a-f]{16})", of_domain(said, domid)):
        if pnode:
            nodes.append((int(pnode), []))
        else:
            nodes[-1][1].append(range(int(start, 16) // meter.PAGE, int(end, 16) // meter.PAGE))
    return [VirtualNode(pnode, tuple(pfns)) for pnode, pfns in nodes]


def spread_of(pages, virtual, machine):
    """Return the Spread of a guest with `pages`, the machine's frame of each by pfn.

    `virtual` are its VirtualNodes, `machine` are the ranges of frames of the machine's nodes.
    """
    rows = []
    for node in virtual:
        frames = [pages[pfn] for pfns in node.pfns for pfn in pfns if pfn in pages]
        rows.append([sum(frame in own for frame in frames) for own in machine])
    return Spread(rows, [node.pnode for node in virtual])


def on_nodes(lab, guest):
    """How many pages the guest has on each of the machine's nodes, by Xen's count."""
    return counted(lab.debug_key("u"), guest.domid)


def free_mib(lab, node):
    """How much is free of one of the machine's nodes, as xl tells it."""
    said = lab.dom0("xl info -n").partition("numa_info")[2]
    return int(re.search(rf"^ *{node}: +\d+ +(\d+)", said, re.MULTILINE)[1])


@contextlib.contextmanager
def full_node(lab, guest):
    """Have another guest of this kind, which never runs, hold all but LEFT_MIB of the node FULL meanwhile."""
    size = free_mib(lab, FULL) - LEFT_MIB - KEPT_MIB
    eater = lab.built(guest.kind, guest.kernel, vnodes=[size], pnodes=[FULL], name="eater")
    yield
    eater.destroy()


def spread(lab, guest):
    """Return the guest's Spread; it is paused meanwhile."""
    guest.pause()
    try:
        pages = meter.Meter(lab, guest).pages()
    finally:
        guest.unpause()
    said = lab.debug_key("u")
    return spread_of(pages, virtual_nodes(said, guest.domid), machine_nodes(said))


def seen_by(guest):
    """The distances between the nodes that the guest itself sees, row by row."""
    return [[int(far) for far in row.split()] for row in guest.run(DISTANCES).splitlines()]


@contextlib.contextmanager
def bound(lab, guest, *wanted):
    """Have programs hold memory meanwhile, each (node, MiB) of one node; in the end none may be wrong or elsewhere."""
    holders = [(node, guest.spawn(f"bind {node} {mib}")) for node, mib in wanted]
    for node, holder in holders:
        lab.wait(lambda: "ready" in holder.output(), READY_WITHIN, f"{guest.name} to have bound memory of node {node}")
    yield
    guest.run("killall -TERM bind")
    for node, holder in holders:
        said = holder.wait(120, check=False).strip().splitlines()[-1]
        lab.check(said.startswith("intact") and said.endswith("wrong pages 0, off-node pages 0"),
                  f"memory of {guest.name} bound to node {node}: {said}")
