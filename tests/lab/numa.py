# SPDX-License-Identifier: GPL-2.0
"""A guest on two nodes of the machine keeps its memory on both, as it was, through a cycle.

Each of its own nodes has its memory on one of the machine's. In-tree in the same boot: what comes
back comes from where Xen has most. When one of the machine's nodes is full, what was there comes from the other
one, in 2 MiB as ever.
"""

import re

from common import DEVICE, MIB, Agreement, move, stats

TYPES = ("hvm",)            # Xen's tools build virtual nodes for no PV guest
TAKES = 240
TIMEOUT = 900
NODES = 2
# Linux wonders at two CPUs of one package on two nodes.
EXPECTED = (r"WARNING: .* topology_sane", r"Call Trace")
EACH_MIB = 256
VNUMA = """
vnuma = [ ["pnode=0", "size=256", "vcpus=0", "vdistances=10,20"],
          ["pnode=1", "size=256", "vcpus=1", "vdistances=20,10"] ]
"""
CYCLES = 3
MOVED_PAGES = 2048          # that may have changed the node all the same
TAKEN = 192 * MIB
LEFT_MIB = 24               # on the node that is full
KEPT_MIB = 16               # what Xen needs of it for a guest


def on_nodes(lab, guest):
    """How many pages the guest has on each of the machine's nodes, by Xen's debug-key u."""
    said = lab.debug_key("u")
    found = re.search(rf"Domain {guest.domid} \(total: \d+\):(.*?)(?:Domain \d|\Z)", said, re.DOTALL)
    if not found:
        lab.fail(f"Xen printed nothing of domain {guest.domid} for debug-key u: {said[-500:]}")
    return [int(pages) for pages in re.findall(r"Node \d+: (\d+)", found[1])]


def cycle(lab, guest):
    """Go down and up; returns what is on each node before and after."""
    before = on_nodes(lab, guest)
    for _ in range(CYCLES):
        move(guest, 256 * MIB)
        move(guest, 512 * MIB)
    after = on_nodes(lab, guest)
    lab.note(f"{guest.name}: pages on the machine's nodes {before} before, {after} after {CYCLES} cycles")
    return before, after


def free_mib(lab, node):
    said = lab.dom0("xl info -n").partition("numa_info")[2]
    return int(re.search(rf"^ *{node}: +\d+ +(\d+)", said, re.MULTILINE)[1])


def with_a_full_node(lab, guest):
    """Go down, and up again when another guest has what the second node had left."""
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")     # which has memory come and go, too
    move(guest, 2 * EACH_MIB * MIB - TAKEN)
    size = free_mib(lab, 1) - LEFT_MIB - KEPT_MIB
    eater = lab.built(guest.kind, guest.kernel, memory=size, name="eater",
                      config=f'vnuma = [ ["pnode=1", "size={size}", "vcpus=0", "vdistances=10"] ]')
    left = free_mib(lab, 1)
    before, early = on_nodes(lab, guest), stats(guest)
    move(guest, 2 * EACH_MIB * MIB)
    after, late = on_nodes(lab, guest), stats(guest)
    eater.destroy()
    lab.check(after[1] - before[1] <= left * MIB // 4 and sum(after) - sum(before) == TAKEN // 4,
              f"with {left} MiB left on the second node the guest, which had {before} pages on both, has {after}")
    pages, extents = (late[f"populate_{what}"] - early[f"populate_{what}"] for what in ("pages", "extents"))
    lab.equal("pages that came, in extents of 2 MiB", (pages, extents), (TAKEN // 4, TAKEN // 4 // 512))


def run(lab, kind, kernel):
    def boot(name):
        guest = lab.guest(kind, kernel, memory=2 * EACH_MIB, vcpus=2, name=name, config=VNUMA)
        nodes = guest.run("ls -d /sys/devices/system/node/node*").split()
        lab.equal(f"nodes of {name}", len(nodes), 2)
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
