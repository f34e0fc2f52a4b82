# SPDX-License-Identifier: GPL-2.0
"""Nodes that the kernel fakes, or that only Xen knows: each keeps its share, each page its node of the machine.

Guests with three virtual nodes: one whose kernel takes them for one node, one whose kernel fakes two, the first of
which has memory of two on different nodes of the machine, and one in which two have no CPU. And one without, whose
kernel fakes some: there Xen is asked for memory of any, and the driver goes and comes back while some of each node is
ballooned out.
"""

from common import Agreement, move, stats
from guest import PACKAGES
from nodes import Nodes, nodes

TYPES = ("pvh", "hvm")      # Linux 6.12 fakes no nodes in a PV guest
KERNELS = ("6.12",)         # 6.1 warns of the nodes that it fakes: its workqueues wonder at a CPU of several
TAKES = 200
TIMEOUT = 1200
NODES = 2
VIRTUAL = {"vnodes": (256, 128, 128), "pnodes": (1, 1, 0)}      # dom0 has most of the machine's first
ODD = {                     # how each is made, and how many nodes with memory its kernel has
    "off": ({**VIRTUAL, "vcpus": 2, "cmdline": "numa=off"}, 1),
    "others": ({**VIRTUAL, "vcpus": 2, "cmdline": "numa=fake=2"}, 2),
    "idle": ({**VIRTUAL, "vcpus": 1}, 3),
}
FAKED = {"memory": 1024, "vcpus": 2, "cmdline": "numa=fake=4", "config": f"{PACKAGES}\n"}, 4
KNOWN = r"dmesg | sed -n 's/.*xen_balloon: \([0-9]*\) virtual nodes:.*/\1/p'"
ROUNDS = 3
MOVES = ("release_calls", "populate_calls")
AT_REST_S, AT_REST_WITHIN = 10, 180


class Odd(Nodes):
    """A guest whose kernel has other nodes than Xen, and the driver."""

    def __init__(self, lab, kind, kernel, name, parameters, wanted):
        guest = lab.guest(kind, kernel, name=name, **parameters)
        guest.load()
        self.agreement = Agreement(lab, guest)
        super().__init__(lab, guest)
        lab.equal(f"{name}: nodes with memory, of {self.sizes} kB", sum(size > 0 for size in self.sizes), wanted)
        virtual = parameters.get("vnodes")
        lab.equal(f"{name}: virtual nodes that the driver knows of", guest.run(KNOWN).split(),
                  [str(len(virtual))] if virtual else [])
        # So much is free of each node.
        self.low = self.full // 32 * 28
        self.is_well("at first")

    def is_well(self, where):
        where = f"{self.guest.name}, {where}"
        self.at_rest(where)
        here = nodes(self.guest)
        self.lab.equal(f"{where}: from elsewhere, in kB", [node.away for node in here], [0] * len(here))
        self.agreement.check(where)

    def go(self, size):
        self.move(size)
        self.is_well(f"at {size} kB")

    def goes_down_and_up(self):
        """And rests: nothing goes to Xen or comes from there any more."""
        self.go(self.low)
        self.go(self.full)
        done = {}

        def same():
            before = dict(done)
            done.update(stats(self.guest))
            news = {name: number - before.get(name, 0) for name, number in done.items() if number != before.get(name)}
            if before:
                self.lab.note(f"{self.guest.name} in {AT_REST_S} s: {news}")
            return before and not any(name in news for name in MOVES)

        self.lab.wait(same, AT_REST_WITHIN, f"{self.guest.name} to do nothing for {AT_REST_S} s", every=AT_REST_S)

    def comes_and_goes(self):
        self.go(self.low)
        for number in range(ROUNDS):
            self.guest.unload()
            self.guest.load()
            self.is_well(f"loaded again, {number + 1} of {ROUNDS}")
        self.go(self.full)

    def is_the_intree_drivers(self):
        self.guest.unload()
        for size in (self.low, self.full):
            move(self.guest, size)
            self.agreement.check(f"at {size} kB by the in-tree driver")


def run(lab, kind, kernel):
    for name, made in ODD.items():
        odd = Odd(lab, kind, kernel, name, *made)
        odd.goes_down_and_up()
        odd.local(f"{name}, at rest")
        odd.guest.unload()
        odd.guest.destroy()
    faked = Odd(lab, kind, kernel, "faked", *FAKED)
    faked.goes_down_and_up()
    faked.comes_and_goes()
    faked.is_the_intree_drivers()
